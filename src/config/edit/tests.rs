//! Tests of edits from the question to the file.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::config::edit::{AgentsFile, Change, EditError, Edited, Editor, Fields};
use crate::config::{ConfigError, load};
use crate::model::{Agent, BudgetLimit, EnvProfile, SpendLimit};

mod several;
mod subjects;

struct Room {
    folder: tempfile::TempDir,
    path: PathBuf,
    file: AgentsFile,
}

impl Room {
    fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        fs::create_dir_all(folder.path().join("web")).expect("made");
        let path = folder.path().join("agents.yaml");
        fs::write(&path, text).expect("written");
        let home = folder.path().to_owned();
        let file = AgentsFile { path: path.clone(), home, editor: Editor::Person, misread: Vec::new() };
        Self { folder, path, file }
    }

    fn home(&self) -> &Path {
        self.folder.path()
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.path).expect("there")
    }

    fn add(&self, name: &str, directory: &str, fields: Fields) -> Result<Edited, EditError> {
        self.file.add_agent(name, &Fields { directory: Some(directory.into()), ..fields })
    }

    fn update(&self, name: &str, fields: &Fields) -> Result<Edited, EditError> {
        self.file.update_agent(name, fields)
    }

    fn agent(&self, name: &str) -> Agent {
        load(&self.path, self.home()).expect("usable").agent(name).expect("there").clone()
    }
}

fn text(words: &str) -> Change<String> {
    Change::Set(words.to_owned())
}

fn list(items: &[&str]) -> Change<Vec<String>> {
    Change::Set(items.iter().map(|item| (*item).to_owned()).collect())
}

fn every_field() -> Fields {
    let set = BTreeMap::from([("A".to_owned(), "yes".to_owned()), ("B".to_owned(), "1: #2".to_owned())]);
    Fields {
        description: text("it's \"web\": # all of it"),
        timeout: Change::Set(60),
        max_budget: Change::Set(BudgetLimit::Usd(2.5)),
        model: text("opus"),
        permission_mode: text("plan"),
        allowed_tools: list(&["Read", "Bash(git log:*)"]),
        disallowed_tools: list(&[]),
        capabilities: list(&["yes", "5", "a b"]),
        risky_capabilities: list(&["null"]),
        instructions: text("One.\n\n  Two: 'three'\n"),
        max_concurrency: Change::Set(2),
        env_inherit: list(&[]),
        env_deny: list(&["X*"]),
        env_set: Change::Set(set),
        callers: list(&["infra"]),
        budget_day: Change::Set(1.0),
        budget_month: Change::Set(2.5),
        directory: None,
    }
}

fn agent_with_every_field(room: &Room) -> Agent {
    let texts = |items: &[&str]| items.iter().map(|item| (*item).to_owned()).collect::<Vec<_>>();
    let set = BTreeMap::from([("A".to_owned(), "yes".to_owned()), ("B".to_owned(), "1: #2".to_owned())]);
    Agent {
        description: "it's \"web\": # all of it".to_owned(),
        timeout: Some(60),
        max_budget: BudgetLimit::Usd(2.5),
        model: Some("opus".to_owned()),
        permission_mode: Some("plan".to_owned()),
        allowed_tools: Some(texts(&["Read", "Bash(git log:*)"])),
        disallowed_tools: Some(Vec::new()),
        capabilities: texts(&["yes", "5", "a b"]),
        risky_capabilities: texts(&["null"]),
        instructions: "One.\n\n  Two: 'three'".to_owned(),
        max_concurrency: Some(2),
        env: EnvProfile { inherit: Some(Vec::new()), deny: texts(&["X*"]), set },
        callers: Some(texts(&["infra"])),
        budget: SpendLimit { day: Some(1.0), month: Some(2.5) },
        ..Agent::new("web".parse().expect("a name"), room.home().join("web"))
    }
}

#[test]
fn an_agent_is_added_as_it_was_meant_whatever_its_texts() {
    for before in [
        "",
        "# ours\n",
        "\u{feff}settings:\r\n  usage_log: no\r\n",
        "agents: {}\n",
        "agents: {x: {directory: /x}}\n",
    ] {
        let room = Room::new(before);
        let done =
            room.add("web", "~/web", every_field()).unwrap_or_else(|error| panic!("{before:?}: {error}"));
        let expected = agent_with_every_field(&room);
        assert_eq!(room.agent("web"), expected, "{before:?}");
        assert_eq!((done.subject.name(), done.changed.len(), done.before), ("web", 0, None));
        assert!(done.after.expect("written").contains("~/web"));
        assert_eq!(room.text().starts_with('\u{feff}'), before.starts_with('\u{feff}'));
    }
}

#[test]
fn a_file_that_does_not_exist_is_made() {
    let room = Room::new("");
    fs::remove_file(&room.path).expect("removed");
    room.add("web", "~/web", Fields::default()).expect("added");
    assert_eq!(room.text(), "agents:\n  web:\n    directory: ~/web\n");
}

#[test]
fn every_field_can_be_set_and_cleared() {
    let room = Room::new("agents:\n  # mine\n  web:\n    directory: ~/web # here\n");
    let before = room.text();
    let done = room.update("web", &every_field()).expect("updated");
    assert_eq!(room.agent("web"), agent_with_every_field(&room));
    let keys = [
        "description",
        "timeout",
        "max_budget_usd",
        "model",
        "permission_mode",
        "allowed_tools",
        "disallowed_tools",
        "capabilities",
        "risky_capabilities",
        "instructions",
        "max_concurrency",
        "env.inherit",
        "env.deny",
        "env.set",
        "callers",
        "budget.day",
        "budget.month",
    ];
    assert_eq!(done.changed, keys);
    let cleared = Fields {
        description: text(""),
        timeout: Change::Set(0),
        max_budget: Change::Set(BudgetLimit::Inherit),
        model: Change::Clear,
        permission_mode: text(" "),
        allowed_tools: Change::Clear,
        disallowed_tools: Change::Clear,
        capabilities: list(&[]),
        risky_capabilities: Change::Clear,
        instructions: text("\n"),
        max_concurrency: Change::Clear,
        env_inherit: Change::Clear,
        env_deny: list(&[]),
        env_set: Change::Set(BTreeMap::new()),
        callers: Change::Clear,
        budget_day: Change::Set(0.0),
        budget_month: Change::Clear,
        directory: None,
    };
    assert_eq!(room.update("web", &cleared).expect("cleared").changed, keys);
    assert_eq!(room.text(), before);
    let unlimited = Fields { max_budget: Change::Set(BudgetLimit::Unlimited), ..Fields::default() };
    room.update("web", &unlimited).expect("updated");
    assert_eq!(room.text(), format!("{before}    max_budget_usd: none\n"));
}

#[test]
fn a_name_that_is_taken_is_refused_with_what_to_do() {
    let room = Room::new("agents:\n  web: {directory: ~/web}\n");
    let before = room.text();
    let error = room.add("web", "~/web", Fields::default()).expect_err("taken");
    assert_eq!(error.to_string(), "agent `web` exists already");
    assert_eq!(room.text(), before);
}

#[test]
fn what_is_wrong_with_a_new_agent_is_said_and_nothing_is_written() {
    let room = Room::new("# ours\n");
    fs::write(room.home().join("file"), "").expect("written");
    let missing = room.home().join("gone").display().to_string();
    let file = room.home().join("file").display().to_string();
    let fields = |change: fn(&mut Fields)| {
        let mut fields = Fields::default();
        change(&mut fields);
        fields
    };
    let cases = [
        ("../x", "~/web", Fields::default(), "name: `../x` is not an agent name: expected letters, digits, `-` and `_`, starting with a letter or digit, at most 100 characters".to_owned()),
        ("web\n", "~/web", Fields::default(), "name: `web\\n` is not an agent name: expected letters, digits, `-` and `_`, starting with a letter or digit, at most 100 characters".to_owned()),
        ("yes", "~/web", Fields::default(), "name: \"yes\" is a yes, a no or nothing to many YAML readers: choose another name".to_owned()),
        ("web", "~/gone", Fields::default(), format!("`{missing}` is not an existing directory")),
        ("web", &file, Fields::default(), format!("`{file}` is not an existing directory")),
        ("web", "web", Fields::default(), "`web` is not an absolute path, nor does it begin with `~/`".to_owned()),
        ("web", "", Fields::default(), "`` is not an absolute path, nor does it begin with `~/`".to_owned()),
        ("web", "~/web", fields(|f| f.timeout = Change::Set(86_401)), "agents.web.timeout: expected a whole number of seconds from 0 to 86400, found 86401".to_owned()),
        ("web", "~/web", fields(|f| f.max_budget = Change::Set(BudgetLimit::Usd(-1.0))), "agents.web.max_budget_usd: expected US dollars from 0 to 1000000, found -1".to_owned()),
        ("web", "~/web", fields(|f| f.max_budget = Change::Set(BudgetLimit::Usd(f64::INFINITY))), "agents.web.max_budget_usd: expected US dollars from 0 to 1000000, found inf".to_owned()),
        ("web", "~/web", fields(|f| f.model = Change::Set("--x".to_owned())), "agents.web.model: begins with `-`: `claude` would take it for an option".to_owned()),
    ];
    for (name, directory, fields, expected) in cases {
        let error = room.add(name, directory, fields).expect_err(&expected);
        assert_eq!(error.to_string(), expected);
        assert_eq!(room.text(), "# ours\n");
    }
}

#[test]
fn a_budget_that_is_no_number_is_refused() {
    let room = Room::new("agents:\n  web: {directory: ~/web}\n");
    let before = room.text();
    let nan = Fields { max_budget: Change::Set(BudgetLimit::Usd(f64::NAN)), ..Fields::default() };
    room.update("web", &nan).expect_err("no number");
    assert_eq!(room.text(), before);
}

#[test]
fn an_agent_that_is_not_there_is_named_with_those_that_are() {
    let room = Room::new("agents:\n  infra: {directory: /i}\n  web: {directory: /w}\n");
    for (name, expected) in [
        ("wbe", "there is no agent `wbe` (did you mean `web`?): there are `infra`, `web`"),
        ("database", "there is no agent `database`: there are `infra`, `web`"),
    ] {
        let error = room.file.remove_agent(name).expect_err("not there");
        assert_eq!(error.to_string(), expected);
    }
    let empty = Room::new("");
    let timeout = Fields { timeout: Change::Set(5), ..Fields::default() };
    let error = empty.update("web", &timeout).expect_err("not there");
    assert_eq!(error.to_string(), "there is no agent `web`: there are none yet");
}

#[test]
fn an_update_of_nothing_is_refused() {
    let room = Room::new("agents:\n  web: {directory: ~/web}\n");
    assert!(matches!(room.update("web", &Fields::default()), Err(EditError::NothingToChange { .. })));
}

#[test]
fn a_broken_agent_can_be_removed_or_mended_and_does_not_hinder_others() {
    let room = Room::new(
        "agents:\n  ../x: {directory: /x}\n  bad: {directory: ~/web, timeout: soon}\n  web: {directory: ~/web}\n",
    );
    room.add("new", "~/web", Fields::default()).expect("added");
    let removed = room.file.remove_agent("../x").expect("removed");
    assert_eq!(removed.before.as_deref(), Some("../x: {directory: /x}"));
    let timeout = Fields { timeout: Change::Set(5), ..Fields::default() };
    room.update("bad", &timeout).expect("mended");
    let config = load(&room.path, room.home()).expect("usable");
    assert_eq!((config.agents.len(), config.broken.len()), (3, 0));
}

#[test]
fn a_file_that_is_wrong_already_is_left_as_it_is() {
    for text in
        ["settings: {max_concurrency: 0}\n", "agents: [\n", "agents:\n  web: {directory: /w}\n---\n{}\n"]
    {
        let room = Room::new(text);
        let error = room.add("new", "~/web", Fields::default()).expect_err("wrong");
        assert!(
            matches!(error, EditError::Config(ConfigError::Invalid { .. } | ConfigError::Syntax { .. })),
            "{error:?}"
        );
        assert_eq!(room.text(), text);
    }
    let room = Room::new("");
    fs::write(&room.path, b"# \xea\xee\xf2\n").expect("written");
    let error = room.add("new", "~/web", Fields::default()).expect_err("wrong");
    assert!(matches!(error, EditError::Config(ConfigError::NotUtf8 { .. })), "{error:?}");
    assert_eq!(fs::read(&room.path).expect("there"), b"# \xea\xee\xf2\n");
}

#[test]
fn an_edit_that_would_reach_other_agents_is_refused() {
    let room = Room::new("agents:\n  a: &a {directory: ~/web}\n  b: *a\n");
    let before = room.text();
    let timeout = Fields { timeout: Change::Set(5), ..Fields::default() };
    let error = room.update("a", &timeout).expect_err("shared");
    assert!(matches!(error, EditError::Unsafe { .. }), "{error:?}");
    assert_eq!(room.text(), before);
}

#[test]
fn edits_at_the_same_time_all_land() {
    let room = Room::new("# ours\n");
    std::thread::scope(|scope| {
        for number in 0..8 {
            let room = &room;
            scope.spawn(move || room.add(&format!("a{number}"), "~/web", Fields::default()).expect("added"));
        }
    });
    let config = load(&room.path, room.home()).expect("usable");
    let mut names: Vec<&str> = config.agents.iter().map(|agent| agent.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7"]);
    assert!(room.text().starts_with("# ours\n"));
}
