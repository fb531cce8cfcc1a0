//! Tests of the line about a directory.

use std::fs;

use crate::project::inspect;

#[test]
fn a_directory_is_described_by_the_first_file_that_says_something() {
    let cases: [(&[(&str, &str)], &str); 16] = [
        (
            &[
                ("CLAUDE.md", "# T\n-- x\n\none\n  two\nthree\n"),
                ("README.md", "A sentence of the README that is long."),
            ],
            "one two",
        ),
        (&[("CLAUDE.md", "# only headings\n")], "Agent in shop"),
        (
            &[
                ("CLAUDE.md", "\n\n# T\n"),
                (
                    "README.md",
                    "# T\n[![b](c)](d) and much more text\n! and much more of this text\nshort\nA sentence that is long enough.\n",
                ),
            ],
            "A sentence that is long enough.",
        ),
        (&[("CLAUDE.md", "# h\n"), ("README.md", "x\n")], "Agent in shop"),
        (
            &[("pyproject.toml", "[project]\nname = \"x\"\ndescription = \"Python's thing\"\n")],
            "Python's thing | Stack: Python",
        ),
        (&[("pyproject.toml", "description-file: x\n")], "Stack: Python"),
        (&[("package.json", r#"{"description": "A shop"}"#)], "A shop | Stack: Node.js"),
        (&[("package.json", r#"{"description": "  "}"#)], "Stack: Node.js"),
        (&[("package.json", r#"{"description": 5}"#)], "Stack: Node.js"),
        (&[("package.json", "not JSON")], "Stack: Node.js"),
        (
            &[
                ("CLAUDE.md", "one"),
                ("pyproject.toml", "description='two'"),
                ("package.json", r#"{"description": "three"}"#),
            ],
            "one | two | three | Stack: Python, Node.js",
        ),
        (
            &[(".mcp.json", r#"{"mcpServers": {"a": {}, "b": {}}}"#), ("alembic.ini", "")],
            "MCP: a, b | DB: Alembic",
        ),
        (&[("CLAUDE.md", "é\r\nbell \u{7}\r\n")], "é bell"),
        // What nobody sees would still be read by the model that is shown the list.
        (&[("CLAUDE.md", "one\u{202e}\u{200b} two\u{e0041}\u{e007f}")], "one two"),
        (&[("README.md", "twenty characters ok")], "Agent in shop"),
        (&[("README.md", "twenty-one characters")], "twenty-one characters"),
    ];
    for (files, expected) in cases {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let shop = folder.path().join("shop");
        fs::create_dir_all(&shop).expect("made");
        for (name, text) in files {
            fs::write(shop.join(name), text).expect("written");
        }
        assert_eq!(inspect(&shop).expect("healthy").description, expected, "{files:?}");
    }
}

#[test]
fn texts_are_read_only_so_far_and_cut() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let late = format!("{}prose at last\n", "# heading\n".repeat(40));
    fs::write(folder.path().join("CLAUDE.md"), late).expect("written");
    fs::write(
        folder.path().join("README.md"),
        format!("{}A sentence that is long enough.\n", "#\n".repeat(20)),
    )
    .expect("written");
    let name = folder.path().file_name().expect("a name").to_string_lossy().into_owned();
    assert_eq!(inspect(folder.path()).expect("healthy").description, format!("Agent in {name}"));
    fs::write(folder.path().join("CLAUDE.md"), "é".repeat(100_000)).expect("written");
    fs::write(folder.path().join("README.md"), "é".repeat(100)).expect("written");
    // One line that does not end within the bound says nothing.
    assert_eq!(inspect(folder.path()).expect("healthy").description, "é".repeat(100));
    fs::write(folder.path().join("CLAUDE.md"), format!("{}\n{}", "é".repeat(500), "x\n".repeat(60_000)))
        .expect("written");
    assert_eq!(inspect(folder.path()).expect("healthy").description, format!("{}…", "é".repeat(300)));
}

#[test]
fn a_file_in_another_encoding_says_nothing() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    fs::write(folder.path().join("CLAUDE.md"), b"\xea\xee\xf2").expect("written");
    fs::write(folder.path().join("README.md"), "A sentence that is long enough.").expect("written");
    assert_eq!(inspect(folder.path()).expect("healthy").description, "A sentence that is long enough.");
}
