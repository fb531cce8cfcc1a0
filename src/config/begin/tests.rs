//! The first agents file can be read, belongs to its user alone, and is made once.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;
use crate::config;
use crate::config::edit::{AgentsFile, Editor, Fields};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn it_is_made_once_and_for_the_user_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/agents.yaml");
    assert!(begin(&path).unwrap());
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    fs::write(&path, "mine").unwrap();
    assert!(!begin(&path).unwrap());
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    let link = folder.path().join("link.yaml");
    symlink("nowhere", &link).unwrap();
    assert!(!begin(&link).unwrap());
}

#[test]
fn it_has_no_agents_no_problems_and_takes_the_first_agent() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agents.yaml");
    begin(&path).unwrap();
    let config = config::load(&path, folder.path()).unwrap();
    assert!(config.agents.is_empty() && config.warnings.is_empty(), "{config:?}");
    let file = AgentsFile {
        path: path.clone(),
        home: folder.path().into(),
        editor: Editor::Person,
        misread: Vec::new(),
    };
    let fields = Fields { directory: Some(folder.path().into()), ..Fields::default() };
    file.add_agent("first", &fields).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("# The agents of agent-dispatch"), "{text}");
    assert_eq!(config::load(&path, folder.path()).unwrap().names(), ["first"]);
    // What the comment shows is right, too.
    let shown: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# ")).collect();
    let shown: Vec<&str> = shown.into_iter().filter(|line| line.starts_with("  ")).collect();
    assert_eq!(shown.len(), 7, "{shown:?}");
    fs::write(&path, format!("agents:\n{}\n", shown.join("\n"))).unwrap();
    let config = config::load(&path, folder.path()).unwrap();
    assert_eq!((config.names(), config.warnings), (vec!["infra".to_owned()], vec![]));
}
