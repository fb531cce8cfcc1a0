//! Tests of reading git's files.

use std::fs;
use std::path::Path;

use proptest::prelude::*;

use crate::project::git::{GitHead, LOG_BYTES_MAX, checkout, head, is_ref};
use crate::project::watch::Watch;

const ONE: &str = "1111111111111111111111111111111111111111";
const TWO: &str = "2222222222222222222222222222222222222222";

fn room(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary directory");
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        fs::write(path, text).expect("written");
    }
    folder
}

fn seen(directory: &Path) -> Option<GitHead> {
    head(directory, &mut Watch::default())
}

fn at(commit: Option<&str>, branch: Option<&str>) -> GitHead {
    GitHead { commit: commit.map(str::to_owned), branch: branch.map(str::to_owned) }
}

/// Names and texts of files, and the head they make.
type Case<'a> = (&'a [(&'a str, &'a str)], Option<GitHead>);

#[test]
fn a_head_is_a_branch_or_a_commit() {
    let sha256 = "a".repeat(64);
    let packed = format!(
        "# pack-refs with: peeled fully-peeled sorted\n{ONE} refs/heads/a/b\n^{TWO}\n{TWO} refs/heads/main\n"
    );
    let cases: [Case<'_>; 11] = [
        (
            &[(".git/HEAD", "ref: refs/heads/main\n"), (".git/refs/heads/main", ONE)],
            Some(at(Some(ONE), Some("main"))),
        ),
        (
            &[(".git/HEAD", "ref: refs/heads/a/b\n"), (".git/packed-refs", &packed)],
            Some(at(Some(ONE), Some("a/b"))),
        ),
        (
            &[
                (".git/HEAD", "ref: refs/heads/main\n"),
                (".git/refs/heads/main", ONE),
                (".git/packed-refs", &packed),
            ],
            Some(at(Some(ONE), Some("main"))),
        ),
        (&[(".git/HEAD", ONE)], Some(at(Some(ONE), None))),
        (&[(".git/HEAD", &sha256)], Some(at(Some(&sha256), None))),
        (&[(".git/HEAD", "ref: refs/heads/unborn\n")], Some(at(None, Some("unborn")))),
        (
            &[(".git/HEAD", "ref: refs/heads/.invalid\n"), (".git/reftable/tables.list", "")],
            Some(at(None, None)),
        ),
        (
            &[(".git/HEAD", "ref: refs/heads/main\n"), (".git/refs/heads/main", "not a commit")],
            Some(at(None, Some("main"))),
        ),
        (&[(".git/HEAD", "ref: refs/../../secret\n"), ("secret", ONE)], None),
        (&[(".git/HEAD", "junk\n")], None),
        (&[(".git/config", "")], None),
    ];
    for (files, expected) in cases {
        let folder = room(files);
        assert_eq!(seen(folder.path()), expected, "{files:?}");
    }
}

#[test]
fn a_directory_inside_a_repository_belongs_to_it() {
    let folder = room(&[(".git/HEAD", ONE), ("packages/web/README.md", "")]);
    assert_eq!(seen(&folder.path().join("packages/web")), Some(at(Some(ONE), None)));
}

#[test]
fn a_worktree_has_its_own_head_and_shares_the_refs() {
    let folder = room(&[
        ("main/.git/HEAD", "ref: refs/heads/main\n"),
        ("main/.git/refs/heads/topic", ONE),
        ("main/.git/worktrees/topic/HEAD", "ref: refs/heads/topic\n"),
        ("main/.git/worktrees/topic/commondir", "../..\n"),
        ("topic/.git", "gitdir: ../main/.git/worktrees/topic\n"),
    ]);
    assert_eq!(seen(&folder.path().join("topic")), Some(at(Some(ONE), Some("topic"))));
}

#[test]
fn a_git_file_that_leads_nowhere_is_no_repository() {
    let folder = room(&[("inner/.git", "gitdir: /nowhere/at/all\n")]);
    assert_eq!(seen(&folder.path().join("inner")), None);
}

proptest! {
    #[test]
    fn the_name_of_a_ref_never_leads_out_of_its_directory(name in "(refs|\\.\\.|\\.|/|[a-z]|\\\\|\\x00){0,8}") {
        if is_ref(&name) {
            let inside = Path::new(&name).components().all(|part| matches!(part, std::path::Component::Normal(_)));
            prop_assert!(inside, "{name:?}");
        }
    }
}

#[test]
fn the_log_tells_where_head_went_since() {
    let line =
        |from: &str, to: &str| format!("{from} {to} A B <a@example.com> 1795293411 +0000\tcommit: more\n");
    let first = line(ONE, ONE);
    let folder = room(&[(".git/HEAD", ONE), (".git/logs/HEAD", &first)]);
    let now = checkout(folder.path()).expect("a repository");
    let noted = now.moves_noted();
    let went = |text: &str| {
        fs::write(folder.path().join(".git/logs/HEAD"), format!("{first}{text}")).expect("written");
        now.moves_since(noted).map(|places| places.into_iter().collect::<Vec<_>>())
    };
    assert_eq!(went(""), Some(vec![]));
    assert_eq!(went(&(line(ONE, TWO) + &line(TWO, ONE))), Some(vec![ONE.to_owned(), TWO.to_owned()]));
    assert_eq!(went("junk\n--exec=evil --exec=evil\n"), Some(vec![]));
    assert_eq!(went(&line(ONE, TWO).repeat(LOG_BYTES_MAX / 100)), None);
    fs::remove_file(folder.path().join(".git/logs/HEAD")).expect("removed");
    assert_eq!((now.moves_noted(), now.moves_since(0)), (0, Some([].into())));
}
