//! Rules about the source text that no lint knows: who may import whom, who owns which capability, how long a file is.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Who may import whom, lowest first. A module may always import itself.
const LAYERS: &[(&str, &[&str])] = &[
    // Words.
    ("model", &[]),
    // Rules.
    ("budget", &["model"]),
    ("cache", &["model"]),
    ("audit", &["model"]),
    ("plan", &["model", "audit", "budget", "cache"]),
    ("job", &["model", "audit", "plan"]),
    ("answer", &["model", "audit", "budget", "plan"]),
    ("retention", &["model", "job"]),
    // Edges.
    ("project", &["model", "audit"]),
    ("config", &["model", "project"]),
    ("runner", &["model", "audit", "plan", "job", "answer"]),
    ("store", &["model", "budget", "cache", "audit", "plan", "job", "retention"]),
    (
        "daemon",
        &["model", "budget", "cache", "audit", "plan", "job", "retention", "config", "runner", "store"],
    ),
    // Application.
    (
        "dispatch",
        &[
            "model",
            "cache",
            "audit",
            "plan",
            "job",
            "answer",
            "retention",
            "config",
            "project",
            "runner",
            "daemon",
        ],
    ),
    // Doors.
    ("error", &["model", "plan", "config", "daemon", "dispatch"]),
    ("logging", &[]),
    (
        "document",
        &[
            "model", "budget", "cache", "audit", "plan", "job", "config", "project", "daemon", "dispatch",
            "error",
        ],
    ),
    (
        "mcp",
        &[
            "model",
            "audit",
            "plan",
            "job",
            "retention",
            "config",
            "project",
            "daemon",
            "dispatch",
            "error",
            "document",
        ],
    ),
    (
        "cli",
        &[
            "model",
            "budget",
            "audit",
            "plan",
            "job",
            "retention",
            "config",
            "project",
            "runner",
            "daemon",
            "dispatch",
            "error",
            "logging",
            "document",
            "mcp",
        ],
    ),
];

/// Which files may name an outside crate or a capability; a folder ends with a slash.
const CAPABILITIES: &[(&str, &[&str])] = &[
    ("sled::", &["store/database.rs"]),
    ("rmcp::", &["mcp.rs", "mcp/"]),
    ("schemars::", &["mcp.rs", "mcp/", "document.rs", "document/"]),
    ("boon::", &["model/schema.rs"]),
    ("clap::", &["cli.rs", "cli/args.rs", "cli/args/"]),
    ("clap_complete::", &["cli/args/"]),
    ("clap_mangen::", &["cli/args/"]),
    ("comfy_table::", &["cli/render/"]),
    ("opentelemetry_proto::", &["cli/audit/otlp.rs"]),
    ("bincode::", &["store/schema.rs"]),
    ("chrono::", &["model/clock.rs"]),
    ("serde_yaml::", &["config/"]),
    ("yaml_edit::", &["config/"]),
    ("seccompiler::", &["store/durability.rs"]),
    ("libc::", &["store/durability.rs", "runner/process.rs"]),
    ("tracing_subscriber::", &["logging.rs"]),
    ("Command::new", &["runner/process.rs", "runner/launch.rs"]),
    ("unsafe {", &["runner/process.rs", "store/durability.rs"]),
    ("std::env", &["config/paths.rs"]),
    ("SystemTime::now", &["model/clock.rs"]),
    ("thread::Builder", &["store/committer.rs", "store/parts.rs", "runner/launch.rs", "config/edit.rs"]),
    ("thread::spawn", &["store/committer.rs", "runner/launch.rs", "config/edit.rs"]),
];

/// Modules in which nothing runs, waits, reads or writes.
const PURE: &[&str] = &["model", "budget", "cache", "audit", "plan", "job", "answer", "retention"];
const IMPURE: &[&str] =
    &["tokio::", "std::fs", "std::io", "std::net", "std::process", "std::env", "std::thread", "Instant::now"];

/// Files of the library that only its own tests use.
const TEST_SUPPORT: &[&str] = &["store/workbench.rs", "daemon/workbench.rs"];

const LINES_MAX: usize = 500;
const EMPTY_NAMES: &[&str] =
    &["mod.rs", "util.rs", "utils.rs", "common.rs", "helpers.rs", "misc.rs", "types.rs"];

#[test]
fn source_is_tidy() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut complaints = Vec::new();
    visit(&src, &mut |path, text| {
        let name = path.strip_prefix(&src).unwrap().to_str().unwrap();
        check_shape(name, text, &mut complaints);
        let is_test = name.ends_with("tests.rs") || name.contains("/tests/") || TEST_SUPPORT.contains(&name);
        if !is_test {
            check_imports(name, text, &mut complaints);
        }
    });
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn tools_are_tidy() {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools");
    let mut complaints = Vec::new();
    visit(&tools, &mut |path, text| {
        check_shape(path.strip_prefix(&tools).unwrap().to_str().unwrap(), text, &mut complaints);
    });
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn layers_form_no_cycle() {
    let mut seen: Vec<&str> = Vec::new();
    for (module, allowed) in LAYERS {
        for lower in *allowed {
            assert!(seen.contains(lower), "{module} imports {lower}, which is not below it");
        }
        seen.push(module);
    }
}

#[test]
fn every_module_has_its_layer() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for entry in fs::read_dir(src).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let Some(module) = name.strip_suffix(".rs").filter(|it| !["lib", "main"].contains(it)) else {
            continue;
        };
        assert!(LAYERS.iter().any(|(known, _)| known == &module), "{module} has no layer");
    }
}

#[test]
fn every_test_file_is_run() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let mut all = String::new();
    visit(&dir, &mut |_, text| all.push_str(text));
    visit(&dir, &mut |path, _| {
        let stem = path.file_stem().unwrap().to_str().unwrap();
        assert!(stem == "main" || all.contains(&format!("mod {stem};")), "{stem} is never run");
    });
}

#[test]
fn every_source_file_belongs_to_its_parent() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    visit(&src, &mut |path, _| {
        let stem = path.file_stem().unwrap().to_str().unwrap();
        let folder = path.parent().unwrap();
        let parent = if folder == src { src.join("lib.rs") } else { folder.with_extension("rs") };
        let declared = fs::read_to_string(&parent).is_ok_and(|text| {
            text.lines().any(|line| line.trim().rsplit(' ').next() == Some(&format!("{stem};")[..]))
        });
        assert!(declared || ["lib", "main"].contains(&stem), "{} is never compiled", path.display());
    });
}

#[test]
fn what_a_line_names_is_seen() {
    let found = |line: &str| imports(line).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(found("use crate::store::gc;"), ["store"]);
    assert_eq!(found("pub(in crate::cli) fn f(a: crate::job::State) {}"), ["cli", "job"]);
    let mut complaints = Vec::new();
    for (line, what) in [
        ("use crate::{store, model};", "one by one"),
        ("use crate::store::gc;", "must not import store"),
        ("use std::env;", "`std::env` belongs to"),
        ("let now = std::env::var(\"x\");", "`std::env` belongs to"),
        ("let now = Instant::now();", "pure"),
    ] {
        complaints.clear();
        check_imports("audit/x.rs", line, &mut complaints);
        assert!(complaints.iter().any(|it| it.contains(what)), "{line}: {complaints:?}");
    }
}

fn check_shape(name: &str, text: &str, complaints: &mut Vec<String>) {
    if text.lines().count() > LINES_MAX {
        complaints.push(format!("{name}: longer than {LINES_MAX} lines"));
    }
    if !text.starts_with("//!") && !text.starts_with("#![doc") {
        complaints.push(format!("{name}: no module documentation on the first line"));
    }
    let file = name.rsplit('/').next().unwrap();
    if EMPTY_NAMES.contains(&file) {
        complaints.push(format!("{name}: a name that says nothing"));
    }
}

fn check_imports(name: &str, text: &str, complaints: &mut Vec<String>) {
    let layers: BTreeMap<&str, &[&str]> = LAYERS.iter().copied().collect();
    let module = name.split(['/', '.']).next().unwrap();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().starts_with("//")) {
        let mut complain = |what: String| complaints.push(format!("{name}:{}: {what}", at + 1));
        if names(line, "crate::{") {
            complain("name modules one by one: what stands between braces is not looked at".to_owned());
        }
        for found in imports(line).filter(|it| layers.contains_key(it) && *it != module) {
            if layers.get(module).is_some_and(|allowed| !allowed.contains(&found)) {
                complain(format!("{module} must not import {found}"));
            }
        }
        for (capability, owners) in CAPABILITIES {
            let owns = |owner: &&str| name == *owner || (owner.ends_with('/') && name.starts_with(*owner));
            if names(line, capability) && !owners.iter().any(owns) {
                complain(format!("`{capability}` belongs to {}", owners.join(", ")));
            }
        }
        for impure in IMPURE.iter().filter(|it| PURE.contains(&module) && names(line, it)) {
            complain(format!("{module} is pure and must not name {impure}"));
        }
    }
}

/// Returns whether `line` names `what`, not only a longer word that ends with it.
fn names(line: &str, what: &str) -> bool {
    line.match_indices(what).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|it| it.is_alphanumeric() || it == '_')
    })
}

/// Yields every `name` in `crate::name`.
fn imports(line: &str) -> impl Iterator<Item = &str> {
    line.split("crate::").skip(1).filter_map(|rest| {
        rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().filter(|name| !name.is_empty())
    })
}

fn visit(dir: &Path, f: &mut dyn FnMut(&Path, &str)) {
    let mut paths: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            visit(&path, f);
        } else if path.extension().is_some_and(|it| it == "rs") {
            f(&path, &fs::read_to_string(&path).unwrap());
        }
    }
}
