//! Which files a record speaks of.

use serde_json::json;

use super::*;

fn row(record: Value) -> Row {
    let Value::Object(row) = record else { panic!("{record} is no object") };
    row
}

#[test]
fn a_file_is_meant_from_the_top_of_the_repository_wherever_the_agent_works_in_it() {
    for (directory, file, want) in [
        ("/no/repo", "/no/repo/src/a.rs", true),
        ("/no/repo/deep/down", "/no/repo/src/a.rs", true),
        ("/no/repo", "/no/repo/b.md", true),
        ("/no/repo/deep", "/no/repo/deep/b.md", false),
        ("/no/repo", "/no/b.md", false),
        ("/no/repo", "/no/repo/src/b.md", false),
        ("/no/repo", "/no/other/b.md", false),
        ("/no/repo", "/no/repo/a.rs", false),
    ] {
        let changes = json!({"repository": "/no/repo", "files": ["src/a.rs", "b.md"]});
        let row = row(json!({"directory": directory, "end": {"changes": changes}}));
        assert_eq!(changed(&row, Path::new(file)), want, "{directory} {file}");
    }
    assert!(!changed(&Row::new(), Path::new("/no/repo/b.md")));
}

#[test]
fn a_record_that_does_not_name_its_repository_means_the_nearest_one() {
    let dir = tempfile::tempdir().unwrap();
    let real = dir.path().canonicalize().unwrap();
    let agent = real.join("mono/svc");
    std::fs::create_dir_all(real.join("mono/.git")).unwrap();
    std::fs::write(real.join("mono/.git/HEAD"), "ref: refs/heads/main\n").unwrap();
    std::fs::create_dir_all(&agent).unwrap();
    let of =
        |directory: &Path| row(json!({"directory": directory, "end": {"changes": {"files": ["README.md"]}}}));
    let means = |directory: &Path, file: &str| changed(&of(directory), &real.join(file));
    assert!(means(&agent, "mono/README.md"));
    assert!(!means(&agent, "mono/svc/README.md"));
    assert!(!means(&agent, "README.md"));
    // It is gone: most agents work at the top.
    assert!(means(&real.join("gone"), "gone/README.md"));
}

#[test]
fn a_file_may_have_been_changed_unnamed_only_in_a_repository_that_holds_it() {
    for (changes, file, want) in [
        (json!({"files": ["a"], "files_total": 1, "incomplete": true}), "/no/repo/deep/b", true),
        (json!({"files": ["a"], "files_total": 2}), "/no/repo/b", true),
        (json!({"files": ["a"], "files_total": 1, "incomplete": false}), "/no/repo/b", false),
        (json!({"files": [], "files_total": 0, "incomplete": true}), "/no/other/b", false),
        (json!({"files": [], "files_total": 0, "incomplete": true}), "/no/b", false),
        (Value::Null, "/no/repo/b", false),
    ] {
        let mut record = json!({"directory": "/no/repo/deep", "end": {"changes": changes}});
        if !changes.is_null() {
            record["end"]["changes"]["repository"] = json!("/no/repo");
        }
        assert_eq!(may_have_changed(&row(record), Path::new(file)), want, "{changes} {file}");
    }
}

#[test]
fn a_folder_that_a_record_names_stands_for_all_that_is_in_it() {
    let changes = json!({"repository": "/no/repo", "files": ["svc/gen/"]});
    let row = row(json!({"end": {"changes": changes}}));
    for (file, want) in [
        ("/no/repo/svc/gen/out.txt", true),
        ("/no/repo/svc/gen/deep/out", true),
        ("/no/repo/svc/gender", false),
        ("/no/repo/gen/svc/gen/out.txt", false),
    ] {
        assert_eq!(changed(&row, Path::new(file)), want, "{file}");
    }
}

#[test]
fn a_file_that_is_gone_still_has_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let real = dir.path().canonicalize().unwrap();
    std::os::unix::fs::symlink(&real, real.join("link")).unwrap();
    assert_eq!(resolved(&real.join("link/gone/file")), real.join("gone/file"));
    assert_eq!(resolved(&real.join("gone")), real.join("gone"));
}
