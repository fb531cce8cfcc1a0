//! Which files a record speaks of.

use serde_json::json;

use super::*;

#[test]
fn a_file_is_meant_from_the_top_of_the_repository_wherever_the_agent_works_in_it() {
    let row = |directory: &str| {
        let value = json!({"directory": directory, "end": {"changes": {"files": ["src/a.rs", "b.md"]}}});
        value.as_object().unwrap().clone()
    };
    for (directory, file, want) in [
        ("/no/repo", "/no/repo/src/a.rs", true),
        ("/no/repo/deep/down", "/no/repo/src/a.rs", true),
        ("/no/repo", "/no/repo/b.md", true),
        ("/no/repo", "/no/repo/src/b.md", false),
        ("/no/repo", "/no/other/b.md", false),
        ("/no/repo", "/no/repo/a.rs", false),
    ] {
        assert_eq!(changed(&row(directory), Path::new(file)), want, "{directory} {file}");
    }
    assert!(!changed(&Row::new(), Path::new("/no/repo/b.md")));
}

#[test]
fn a_file_that_is_gone_still_has_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let real = dir.path().canonicalize().unwrap();
    std::os::unix::fs::symlink(&real, real.join("link")).unwrap();
    assert_eq!(resolved(&real.join("link/gone/file")), real.join("gone/file"));
    assert_eq!(resolved(&real.join("gone")), real.join("gone"));
}
