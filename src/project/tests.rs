//! Tests of what a directory is.

use std::fs;
use std::path::Path;

use super::{Watch, look};
use crate::project::{Facts, Health, ProjectError};

/// Looks at a directory once.
pub(super) fn inspect(directory: &Path) -> Result<Facts, ProjectError> {
    look(directory, &mut Watch::default())
}

fn write(folder: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        fs::write(path, text).expect("written");
    }
}

#[test]
fn a_directory_is_described_by_its_files() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    write(
        folder.path(),
        &[
            ("CLAUDE.md", "# Shop\n\nThe storefront.\n"),
            ("README.md", "x"),
            (".mcp.json", r#"{"mcpServers": {"db": {}}}"#),
            ("Cargo.toml", ""),
            ("migrations/1.sql", ""),
        ],
    );
    let expected = Facts {
        directory: folder.path().to_owned(),
        health: Health::Healthy,
        has_claude_md: true,
        has_readme: true,
        has_mcp_config: true,
        has_allow_rules: false,
        mcp_servers: vec!["db".to_owned()],
        stacks: vec!["Rust"],
        dbs: vec!["migrations"],
        description: "The storefront. | MCP: db | Stack: Rust | DB: migrations".to_owned(),
    };
    assert_eq!(inspect(folder.path()).expect("healthy"), expected);
}

#[test]
fn an_empty_directory_is_healthy_and_named() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let path = folder.path().join("shop");
    fs::create_dir_all(&path).expect("made");
    let facts = inspect(&path).expect("healthy");
    assert!(facts.is_healthy());
    assert_eq!(facts.description, "Agent in shop");
    assert!(!(facts.has_claude_md || facts.has_readme || facts.has_mcp_config));
}

#[test]
fn what_is_no_directory_is_said_to_be_missing() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    write(folder.path(), &[("file", "")]);
    let gone = inspect(&folder.path().join("gone")).expect_err("missing");
    assert!(matches!(gone, ProjectError::Missing { .. }), "{gone:?}");
    let file = inspect(&folder.path().join("file")).expect_err("a file");
    assert!(matches!(file, ProjectError::NotADirectory { .. }), "{file:?}");
    let below = inspect(&folder.path().join("file/below")).expect_err("below a file");
    assert!(matches!(below, ProjectError::Missing { .. }), "{below:?}");
    assert_eq!((gone.health(), file.health()), (Health::Missing, Health::Missing));
    assert_eq!(file.to_string(), format!("`{}` is not a directory", folder.path().join("file").display()));
}

#[test]
fn a_pipe_in_place_of_a_file_neither_blocks_nor_counts() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    for name in ["CLAUDE.md", ".mcp.json", "package.json"] {
        let path = folder.path().join(name);
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RUSR).expect("a pipe");
    }
    let facts = inspect(folder.path()).expect("healthy");
    assert_eq!((facts.has_claude_md, facts.has_mcp_config, facts.stacks), (false, false, Vec::new()));
}
