//! What git says is read right, in a repository of its own and in words that were written down.

use std::fs;

use super::*;

#[test]
fn every_kind_of_entry_is_read() {
    let text = [
        "1 .M N... 100644 100644 100644 0123456789 0123456789 src/main.rs",
        "1 A. N... 000000 100644 100644 0000000000 0123456789 a name with spaces",
        "2 R. N... 100644 100644 100644 0123456789 0123456789 R100 new",
        "old",
        "u UU N... 100644 100644 100644 100644 01 02 03 both",
        "? untracked/",
        "! ignored",
        "# branch.oid 01",
        "",
    ];
    let status = Status::parse(&text.join("\0"));
    let names: Vec<&str> = status.files.keys().map(String::as_str).collect();
    assert_eq!(names, ["a name with spaces", "both", "new", "src/main.rs", "untracked/"]);
    assert!(!status.is_cut());
    assert!(Status::parse("? whole\0? ha").is_cut(), "its end is missing");
    assert_eq!(Status::parse(""), Status::default());
}

/// A repository, and the time before it was made.
struct Place {
    folder: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
    since: Timestamp,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let place = Self { folder, runtime, since: Timestamp::now() };
        place.git(&["init", "-q"]);
        place
    }

    fn repository(&self) -> Repository {
        let variables = [("PATH", "/usr/bin:/bin"), ("HOME", "/nowhere"), ("GIT_DIR", "/nowhere")];
        let variables = variables.map(|(name, value)| (name.into(), value.into())).into();
        Repository::new("/usr/bin/git".into(), self.folder.path().to_owned(), &variables)
    }

    /// Runs git as a user would.
    fn git(&self, args: &[&str]) -> String {
        let user = ["-c", "user.name=T", "-c", "user.email=t@example.com"];
        let environment = [("PATH", "/usr/bin:/bin"), ("HOME", "/nowhere")]
            .map(|(name, value)| (name.into(), value.into()))
            .into();
        let limit = Duration::from_secs(20);
        let probe = Probe { environment: &environment, directory: self.folder.path(), limit };
        let said =
            self.runtime.block_on(probe.ask(Path::new("/usr/bin/git"), &[&user, args].concat())).unwrap();
        assert!(said.went_well(), "{args:?}: {said:?}");
        said.stdout.trim().to_owned()
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn status(&self) -> Status {
        self.runtime.block_on(self.repository().status()).unwrap()
    }
}

#[test]
fn what_changes_between_two_looks_is_named_also_where_it_was_changed_before() {
    let place = Place::new();
    place.write("kept", "1");
    place.write("edited", "1");
    place.git(&["add", "."]);
    place.git(&["commit", "-qm", "one"]);
    place.write("edited", "mine");
    place.write("also mine", "1");
    let before = place.status();
    assert_eq!(before.changed_since(&place.status()), BTreeSet::new());
    place.write("edited", "theirs now");
    place.write("new", "1");
    fs::remove_file(place.folder.path().join("also mine")).unwrap();
    let changed: Vec<String> = place.status().changed_since(&before).into_iter().collect();
    assert_eq!(changed, ["also mine", "edited", "new"]);
}

#[test]
fn files_in_a_folder_that_git_does_not_know_are_named_one_by_one_also_when_they_are_rewritten() {
    let place = Place::new();
    let names = |before: &Status| place.status().changed_since(before).into_iter().collect::<Vec<_>>();
    place.write("gen/deep/out", "1");
    place.write("gen/other", "1");
    assert_eq!(names(&Status::default()), ["gen/deep/out", "gen/other"]);
    let before = place.status();
    place.write("gen/deep/out", "another text");
    assert_eq!(names(&before), ["gen/deep/out"]);
}

#[test]
fn commits_of_a_time_are_listed_with_their_files() {
    let place = Place::new();
    let ask = |from: Option<&str>, to: &str, since| {
        place.runtime.block_on(place.repository().range(from, to, since)).unwrap()
    };
    let mut commits = Vec::new();
    for number in 0..3 {
        place.write(&format!("file {number}"), "1");
        place.git(&["add", "."]);
        place.git(&["commit", "-qm", "more"]);
        commits.insert(0, place.git(&["rev-parse", "HEAD"]));
    }
    let all = ask(None, &commits[0], place.since);
    assert_eq!(all.commits, commits);
    assert_eq!(all.files.into_iter().collect::<Vec<_>>(), ["file 0", "file 1", "file 2"]);
    let some = ask(Some(&commits[2]), &commits[0], place.since);
    assert_eq!(some.commits, commits[..2]);
    assert_eq!(some.files.iter().collect::<Vec<_>>(), ["file 1", "file 2"]);
    let files_only = Range { commits: Vec::new(), ..some };
    assert_eq!(ask(Some(&commits[0]), &commits[2], place.since), files_only, "it went back");
    let later = Timestamp::now().plus_millis(60_000);
    assert_eq!(ask(Some(&commits[2]), &commits[0], later), files_only, "these are older");
}

#[test]
fn commits_that_were_made_elsewhere_are_listed_with_their_files() {
    let place = Place::new();
    let commit = |name: &str| {
        place.write(name, "1");
        place.git(&["add", "."]);
        place.git(&["commit", "-qm", "more"]);
        place.git(&["rev-parse", "HEAD"])
    };
    let home = commit("here");
    place.git(&["checkout", "-q", "--detach"]);
    let places = [commit("there/a file"), commit("further")];
    place.git(&["config", "log.showSignature", "true"]);
    let ask = |since| {
        let asked = place.repository();
        place.runtime.block_on(asked.detour(&places.clone().into(), &home, since)).unwrap()
    };
    let [first, second] = places.clone();
    let files = ["further", "there/a file"].map(str::to_owned).into();
    assert_eq!(ask(place.since), Range { commits: vec![second, first], files, cut: false });
    assert_eq!(ask(Timestamp::now().plus_millis(60_000)), Range::default(), "these are older");
}

#[test]
fn nothing_that_the_repository_configures_is_run() {
    let place = Place::new();
    let mark = place.folder.path().join("ran");
    let script = place.folder.path().join("hook");
    fs::write(&script, format!("#!/bin/sh\ntouch '{}'\n", mark.display())).unwrap();
    fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    fs::copy(&script, place.folder.path().join(".git/hooks/post-index-change")).unwrap();
    place.write("file", "1");
    place.git(&["add", "."]);
    let _by_the_user = fs::remove_file(&mark);
    place.git(&["config", "core.fsmonitor", script.to_str().unwrap()]);
    assert_eq!(place.status().files.len(), 2);
    assert!(!mark.exists(), "something was run");
}

#[test]
fn where_git_cannot_tell_nothing_is_believed() {
    let folder = tempfile::tempdir().unwrap();
    let variables = [("PATH".into(), "/usr/bin:/bin".into())].into();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let repository = Repository::new("/usr/bin/git".into(), folder.path().to_owned(), &variables);
    assert!(matches!(runtime.block_on(repository.status()), Err(ProbeError::Failed { .. })));
    let absent = Repository::new("/nowhere/git".into(), folder.path().to_owned(), &variables);
    assert!(runtime.block_on(absent.status()).is_err());
}
