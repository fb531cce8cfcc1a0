//! The README, tried: what it says a command prints, and every call of a tool that it shows.
//!
//! A block of `console` is played in order, in one home for the whole file: a line with `$` is typed, what follows is what
//! must be printed. `…` stands for anything in a line, and alone in a line for any lines. A block of `json` is the call of a
//! tool, in a second home; `<job>` and `<session>` stand for what the call before returned.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::client::Home;
use crate::world::{Done, World};

const README: &str = include_str!("../../README.md");

/// Returns the blocks of this kind, in order.
fn blocks(kind: &str) -> Vec<&'static str> {
    let fence = format!("```{kind}\n");
    README.split(fence.as_str()).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

/// Returns what is typed and what it must print.
fn typed() -> Vec<(&'static str, Vec<&'static str>)> {
    let mut commands: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in blocks("console").into_iter().flat_map(str::lines) {
        match line.strip_prefix("$ ") {
            Some(command) => commands.push((command, Vec::new())),
            None => commands.last_mut().expect("a block begins with a command").1.push(line),
        }
    }
    commands
}

/// Returns whether a line is as it should be.
fn fits(line: &str, wanted: &str) -> bool {
    let mut parts = wanted.split('…');
    let Some(mut rest) = parts.next().and_then(|first| line.strip_prefix(first)) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    rest.ends_with(last)
}

/// Returns whether lines are as they should be.
fn all_fit(lines: &[&str], wanted: &[&str]) -> bool {
    match (wanted.split_first(), lines.split_first()) {
        (None, left) => left.is_none(),
        (Some((&"…", rest)), _) => (0..=lines.len()).any(|skipped| all_fit(&lines[skipped..], rest)),
        (Some((first, rest)), Some((line, others))) => fits(line, first) && all_fit(others, rest),
        (Some(_), None) => false,
    }
}

#[test]
fn every_command_of_the_readme_prints_what_it_says() {
    let world = World::new();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_agent-dispatch"), world.path("bin/agent-dispatch"))
        .unwrap();
    for (project, about) in [("infra", "Servers, DNS, deployments."), ("web", "The shop's web site.")] {
        let folder = world.home().join("src").join(project);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("CLAUDE.md"), format!("# {project}\n\n{about}\n")).unwrap();
    }
    assert!(typed().len() > 10, "the README shows commands");
    for (command, wanted) in typed() {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("{{ {command}\n}} 2>&1")]).current_dir(world.home());
        shell.env_clear().envs(world.environment()).env("COLUMNS", "100");
        let printed = Done::of(shell).stdout;
        let lines: Vec<&str> = printed.lines().map(str::trim_end).collect();
        assert!(all_fit(&lines, &wanted), "$ {command}\n{printed}\ninstead of\n{}", wanted.join("\n"));
    }
}

#[test]
fn each_of_the_four_questions_is_answered_by_the_command_beside_it() {
    let (_, rows) = README.split_once("| question | command |\n| --- | --- |\n").expect("there is a table");
    let rows: Vec<(&str, &str)> = rows
        .lines()
        .map_while(|row| row.strip_prefix("| ")?.strip_suffix("` |")?.split_once(" | `agent-dispatch "))
        .collect();
    let world = World::with_worker();
    world.script("tool Bash make; cost 0.25; say so");
    let done = world.run(&["dispatch", "worker", "make it", "--caller", "nightly", "--json"]).ok().json();
    let answers = [
        ("Who asked what of which agent?", &["nightly", "worker", "make it"][..]),
        ("What did it do?", &["Bash", "make"]),
        ("What did it cost?", &["worker", "$0.25"]),
        ("Is this log complete?", &["audit trail   whole"]),
    ];
    assert_eq!(rows.len(), answers.len(), "{rows:?}");
    for ((question, command), (asked, wanted)) in rows.iter().zip(answers) {
        assert_eq!(*question, asked);
        let command = command.replace("ID", done["job_id"].as_str().unwrap());
        let told = world.run(&command.split(' ').collect::<Vec<_>>()).ok().stdout;
        assert!(wanted.iter().all(|part| told.contains(part)), "{command}: {told}");
    }
}

#[test]
fn every_call_of_the_readme_is_answered() {
    let home = Home::new();
    let claude = env!("CARGO_BIN_EXE_fake-claude");
    let [infra, web] = ["worker", "other"].map(|name| home.text_path(name));
    home.configure(&format!(
        "agents:\n  infra:\n    directory: {infra}\n  web:\n    directory: {web}\nsettings:\n  claude_path: {claude}\n"
    ));
    let new = home.path("billing");
    fs::create_dir_all(&new).unwrap();
    let mut client = home.client();
    let mut called: Vec<String> = Vec::new();
    let (mut job, mut sessions) = (String::new(), Vec::<String>::new());
    for block in blocks("json") {
        let filled = block
            .replace("<job>", &job)
            .replace("<session>", sessions.last().map_or("", String::as_str))
            .replace("~/src/billing", new.to_str().unwrap());
        let call: Value = serde_json::from_str(&filled).unwrap_or_else(|error| panic!("{error}: {block}"));
        let Some(tool) = call["tool"].as_str() else { continue };
        let id = client.start(tool, &call["arguments"]);
        let result = client.result(id);
        assert_ne!(result["isError"], json!(true), "{block}\n{result:#}");
        let document = &result["structuredContent"];
        job = document["job_id"].as_str().map_or(job, str::to_owned);
        sessions.extend(document["session_id"].as_str().map(str::to_owned));
        called.push(tool.to_owned());
    }
    let id = client.request("tools/list", &json!({}));
    let listed = client.result(id);
    let never: Vec<&str> = listed["tools"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|tool| tool["name"].as_str())
        .filter(|tool| !called.iter().any(|called| called == tool))
        .collect();
    assert!(never.is_empty(), "the README shows no call of {never:?}");
}
