//! Setting up and looking after: `init`, `uninstall`, `doctor`, `stats`, and what other programs show.

use std::fs::{self, File, OpenOptions, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::world::{Done, World};

/// Returns what Claude Code has registered for its user.
fn registered(world: &World) -> Value {
    let state = fs::read(world.home().join(".claude.json")).unwrap_or_default();
    let state: Value = serde_json::from_slice(&state).unwrap_or_default();
    state["mcpServers"]["agent-dispatch"].clone()
}

fn register(world: &World, entry: &Value) {
    let state = json!({"mcpServers": {"agent-dispatch": entry, "else": {"command": "x"}}});
    fs::write(world.home().join(".claude.json"), state.to_string()).unwrap();
}

fn wanted() -> Value {
    let program = env!("CARGO_BIN_EXE_agent-dispatch");
    json!({"type": "stdio", "command": program, "args": ["serve"], "timeout": 3_600_000, "alwaysLoad": true})
}

/// Returns the findings that are not good: section, status and fix.
fn bad(report: &Value) -> Vec<(String, String, String)> {
    let word = |check: &Value, key: &str| check[key].as_str().unwrap_or_default().to_owned();
    let checks = report["checks"].as_array().unwrap().iter().filter(|check| check["status"] != "ok");
    checks.map(|check| (word(check, "section"), word(check, "status"), word(check, "fix"))).collect()
}

/// Makes the program the one on the PATH, as it is once it is installed.
fn install(world: &World) {
    let program = world.path("bin/agent-dispatch");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_agent-dispatch"), program).unwrap();
}

/// Returns a home in which nothing is wrong.
fn healthy() -> World {
    let world = World::new();
    install(&world);
    world.run(&["init"]).ok();
    fs::create_dir_all(world.path("project")).unwrap();
    world.run(&["add", "worker", "project"]).ok();
    world
}

#[test]
fn init_makes_the_agents_file_and_registers_once() {
    let world = World::new();
    let planned = world.run(&["init", "--dry-run"]).ok().stdout;
    assert!(
        planned.contains("(would be made)") && planned.contains("claude mcp add-json agent-dispatch '{"),
        "{planned}"
    );
    assert!(!world.config_file().exists());
    assert_eq!(registered(&world), Value::Null);

    let first = world.run(&["init"]).ok().stdout;
    assert!(
        first.contains("(new)\nregistration  made (user scope)\nchecked       Claude Code reaches it\n"),
        "{first}"
    );
    assert_eq!(registered(&world), wanted());
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(world.config_file()), 0o600);
    assert_eq!(mode(world.config_file().parent().unwrap().to_owned()), 0o700);

    fs::write(world.config_file(), "# mine\n").unwrap();
    let second = world.run(&["init"]).ok().stdout;
    assert!(second.contains("(there already)\nregistration  there already (user scope)\n"), "{second}");
    assert_eq!(fs::read_to_string(world.config_file()).unwrap(), "# mine\n");
    assert_eq!(world.run(&["daemon", "status", "--json"]).ok().json(), json!({"running": false}));
}

#[test]
fn an_older_registration_is_replaced_or_put_back() {
    let world = World::new();
    let old =
        json!({"type": "stdio", "command": "/old/agent-dispatch", "args": ["serve"], "env": {"A": "it's"}});
    register(&world, &old);
    let mut refused = world.agent_dispatch(&["init"]);
    refused.env("FAKE_CLAUDE_REFUSES", "add-json");
    let refused = Done::of(refused).exits(1);
    // Even putting it back was refused: then the command to type is all that is left.
    assert!(
        refused
            .stderr
            .contains("error: Claude Code did not take the registration: told to refuse add-json\n"),
        "{refused:?}"
    );
    let typed = refused.stderr.lines().find_map(|line| line.split_once("could not be put back: ")).unwrap().1;
    assert_eq!(registered(&world), Value::Null);
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", typed]).env_clear().envs(world.environment()).stdout(Stdio::null());
    assert!(shell.status().unwrap().success());
    assert_eq!(registered(&world), old);

    // One that takes only the old one.
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in *add-json*alwaysLoad*) echo no room >&2; exit 1;; esac\nexec '{}' \"$@\"\n",
        env!("CARGO_BIN_EXE_fake-claude")
    );
    fs::remove_file(world.path("bin/claude")).unwrap();
    fs::write(world.path("bin/claude"), script).unwrap();
    fs::set_permissions(world.path("bin/claude"), Permissions::from_mode(0o755)).unwrap();
    let refused = world.run(&["init"]).exits(1);
    assert!(refused.stderr.contains("no room") && refused.stderr.contains("is back."), "{refused:?}");
    assert!(
        refused.stderr.contains("hint: Try it by hand: claude mcp add-json agent-dispatch '{"),
        "{refused:?}"
    );
    assert_eq!(registered(&world), old);

    fs::remove_file(world.path("bin/claude")).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_fake-claude"), world.path("bin/claude")).unwrap();
    assert!(world.run(&["init"]).ok().stdout.contains("registration  replaced (user scope)\n"));
    assert_eq!(registered(&world), wanted());
}

#[test]
fn without_claude_the_file_is_made_and_the_rest_is_told() {
    let world = World::new();
    fs::remove_file(world.path("bin/claude")).unwrap();
    let done = world.run(&["init"]).exits(1);
    assert!(done.stderr.contains("error: `claude` is not on the PATH"), "{done:?}");
    assert!(
        done.stderr.contains("type: claude mcp add-json agent-dispatch '{\"type\":\"stdio\""),
        "{done:?}"
    );
    assert!(world.config_file().exists());
    let report = world.run(&["doctor", "--json"]).exits(1).json();
    let first = &report["checks"][0];
    assert_eq!((&first["section"], &first["status"]), (&json!("claude"), &json!("fail")));
}

#[test]
fn uninstall_takes_back_the_registration_and_nothing_else() {
    let world = World::new();
    world.run(&["init"]).ok();
    let planned = world.run(&["uninstall", "--dry-run"]).ok().stdout;
    assert!(
        planned.starts_with("would run     claude mcp remove agent-dispatch --scope user\n"),
        "{planned}"
    );
    assert_eq!(registered(&world), wanted());
    let done = world.run(&["uninstall"]).ok().stdout;
    assert!(done.starts_with("registration  taken back (user scope)\n"), "{done}");
    assert!(done.contains(world.config_file().to_str().unwrap()), "{done}");
    assert_eq!(registered(&world), Value::Null);
    assert!(world.config_file().exists());
    assert!(world.run(&["uninstall"]).ok().stdout.starts_with("registration  there is none (user scope)\n"));

    world.run(&["init", "--scope", "local"]).ok();
    let other = world.run(&["uninstall"]).ok();
    assert!(other.stderr.contains("agent-dispatch uninstall --scope local"), "{other:?}");
    world.run(&["uninstall", "--scope", "local"]).ok();
    let mut refused = world.agent_dispatch(&["uninstall"]);
    register(&world, &wanted());
    refused.env("FAKE_CLAUDE_REFUSES", "remove");
    let refused = Done::of(refused).exits(1);
    assert!(
        refused.stderr.contains("hint: Try it by hand: claude mcp remove agent-dispatch --scope user"),
        "{refused:?}"
    );
}

#[test]
fn a_healthy_home_has_no_findings_and_looking_starts_and_changes_nothing() {
    let world = World::new();
    install(&world);
    world.run(&["init"]).ok();
    fs::create_dir_all(world.path("project")).unwrap();
    world.config(&format!("agents:\n  worker:\n    directory: {}\n", world.path("project").display()));
    fs::set_permissions(world.config_file(), Permissions::from_mode(0o600)).unwrap();
    let report = world.run(&["doctor", "--json", "--strict"]).ok().json();
    assert_eq!((&report["schema_version"], &report["status"]), (&json!(1), &json!("ok")));
    assert_eq!((&report["issues"], &report["warnings"]), (&json!(0), &json!(0)));
    assert_eq!(world.processes(), []);
    assert!(!world.home().join(".local").exists(), "it made something");
    let told = world.run(&["doctor"]).ok().stdout;
    assert!(
        told.starts_with("claude\n  ok    Claude Code 2.1.197") && told.ends_with("\nAll is well.\n"),
        "{told}"
    );
}

#[test]
fn what_is_wrong_is_told_and_the_fix_that_is_told_clears_it() {
    let world = healthy();
    world.run(&["jobs"]).ok();
    let state = world.home().join(".local/state/agent-dispatch");
    let project = world.path("project");
    // A store set aside, the folder of a run that is over, open modes, a bad registration, a directory that is gone.
    fs::create_dir_all(state.join("store.corrupt-20261121")).unwrap();
    let folder = state.join("runs/0197a3f2c4d1700080000000000000aa");
    fs::create_dir_all(&folder).unwrap();
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    File::open(&folder).unwrap().set_modified(long_ago).unwrap();
    fs::set_permissions(world.config_file(), Permissions::from_mode(0o644)).unwrap();
    register(&world, &json!({"command": "agent-dispatch", "args": ["serve"]}));
    fs::create_dir_all(world.path("gone")).unwrap();
    world.run(&["add", "lost", "gone"]).ok();
    fs::remove_dir(world.path("gone")).unwrap();
    fs::set_permissions(world.config_file(), Permissions::from_mode(0o644)).unwrap();

    let report = world.run(&["doctor", "--json"]).exits(1).json();
    let found = bad(&report);
    let sections: Vec<(&str, &str)> =
        found.iter().map(|(section, status, _)| (section.as_str(), status.as_str())).collect();
    let want = [
        ("registration", "warn"),
        ("configuration", "warn"),
        ("agents", "fail"),
        ("leftovers", "warn"),
        ("leftovers", "warn"),
    ];
    assert_eq!(sections, want, "{report:#}");
    for (_, _, fix) in &found {
        // Where it has moved to is the reader's to say.
        let fix = &fix.replace("--directory DIR", "--directory .");
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", fix]).env_clear().envs(world.environment()).current_dir(&project);
        let done = Done::of(shell);
        assert_eq!(done.status, 0, "{fix}: {done:?}");
    }
    let gone = crate::real::until(Duration::from_secs(20), || (!folder.exists()).then_some(()));
    assert!(gone.is_some(), "the run folder stays");
    let report = world.run(&["doctor", "--json", "--strict"]).json();
    assert_eq!(bad(&report), [], "{report:#}");
}

#[test]
fn a_process_of_no_living_dispatch_and_a_session_of_another_build_are_found() {
    let world = healthy();
    // A copy is another file, as an older build is.
    let copy = world.path("older/agent-dispatch");
    fs::create_dir_all(copy.parent().unwrap()).unwrap();
    fs::copy(env!("CARGO_BIN_EXE_agent-dispatch"), &copy).unwrap();
    let mut serve = Command::new(&copy);
    serve.arg("serve").env_clear().envs(world.environment()).stdin(Stdio::piped()).stdout(Stdio::null());
    let mut serve = serve.spawn().unwrap();
    let mut current = world.agent_dispatch(&["serve"]);
    let mut current = current.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut left = Command::new("/bin/sh");
    left.args(["-c", "read _"]).env_clear().envs(world.environment()).stdin(Stdio::piped());
    let mut left = left.env("AGENT_DISPATCH_RUN_ID", "0197a3f2c4d1700080000000000000aa").spawn().unwrap();

    // A process that has just been made is not yet what it is to become.
    let want = [
        ("sessions".to_owned(), "warn".to_owned(), format!("kill {}", serve.id())),
        ("leftovers".to_owned(), "warn".to_owned(), format!("kill -9 {}", left.id())),
    ];
    let seen = crate::real::until(Duration::from_secs(20), || {
        let report = world.run(&["doctor", "--json"]).ok().json();
        let current = report.to_string().contains("1 session is served by this build");
        (current && bad(&report) == want).then_some(())
    });
    let report = world.run(&["doctor"]).stdout;
    for child in [&mut serve, &mut current, &mut left] {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(seen.is_some(), "{report}");
}

#[test]
fn a_live_check_reports_time_and_cost_or_why_there_is_no_answer() {
    let world = healthy();
    world.script("cost 0.25; say fine, thanks; status done");
    let report = world.run(&["doctor", "--live", "worker", "--json"]).ok().json();
    let live = report["checks"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&live["section"], &live["status"]), (&json!("live"), &json!("ok")), "{live}");
    let message = live["message"].as_str().unwrap();
    assert!(message.starts_with("worker answered (") && message.ends_with(", $0.25)"), "{message}");
    assert_eq!(live["details"], json!(["fine, thanks"]));
    let report = world.run(&["doctor", "--live", "nobody", "--json"]).exits(1).json();
    let live = report["checks"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&live["status"], &live["fix"]), (&json!("fail"), &json!("agent-dispatch list")), "{live}");
}

#[test]
fn a_claude_that_hangs_does_not_hang_the_doctor() {
    let world = healthy();
    let began = std::time::Instant::now();
    fs::remove_file(world.path("bin/claude")).unwrap();
    fs::write(world.path("bin/claude"), "#!/bin/sh\ntrap '' INT TERM\nsleep 600\n").unwrap();
    fs::set_permissions(world.path("bin/claude"), Permissions::from_mode(0o755)).unwrap();
    let report = world.run(&["doctor", "--json"]).exits(1).json();
    assert_eq!(bad(&report)[0].0, "claude", "{report:#}");
    assert!(began.elapsed() < Duration::from_secs(60));
}

#[test]
fn numbers_count_every_way_a_dispatch_can_end() {
    let world = World::with_worker();
    let empty = world.run(&["stats", "--json"]).ok().json();
    let none = json!({
        "dispatches": 0, "cached_hits": 0, "joined": 0, "ok": 0, "failed": 0, "cost_usd": 0.0, "outcomes": {}, "errors": {},
    });
    assert_eq!(empty, json!({"total": none, "agents": {}}));
    let told = world.run(&["stats"]).ok();
    assert_eq!(told.stdout, "");

    world.script("cost 0.25; say yes; status done");
    world.run(&["dispatch", "worker", "well?"]).ok();
    world.run(&["dispatch", "worker", "well?"]).ok();
    world.run(&["dispatch", "worker", "again?", "--no-cache"]).ok();
    world.run(&["dispatch", "nobody", "well?"]).exits(4);
    let all = world.run(&["stats", "--json"]).ok().json();
    let worker = &all["agents"]["worker"];
    let picked = |key: &str| worker[key].clone();
    assert_eq!(
        ["dispatches", "cached_hits", "ok", "failed", "cost_usd"].map(picked),
        [json!(2), json!(1), json!(2), json!(0), json!(0.5)]
    );
    assert_eq!(worker["outcomes"], json!({"done": 2}));
    assert!(worker["median_ms"].is_u64() && worker["max_cost_usd"] == json!(0.25), "{worker}");
    assert_eq!(all["total"]["errors"], json!({"not_found": 1}));
    assert_eq!((&all["total"]["dispatches"], &all["total"]["failed"]), (&json!(3), &json!(1)));
    let one = world.run(&["stats", "--json", "--agent", "worker", "--days", "1"]).ok().json();
    assert_eq!((&one["total"], one["agents"].as_object().unwrap().len()), (worker, 1));
    assert_eq!(world.run(&["stats", "--json", "--agent", "else"]).ok().json()["total"], none);
    world.run(&["stats", "--days", "-1"]).exits(2);
    let table = world.run(&["stats"]).ok().stdout;
    let lines: Vec<&str> = table.lines().collect();
    assert!(
        lines[0].starts_with("AGENT ") && lines[1].starts_with("worker ") && lines[3].starts_with("total "),
        "{table}"
    );
    assert!(lines[1].ends_with("██████████") && !lines[2].contains('█'), "{table}");
    assert!(table.contains("\nerrors        not_found 1\n"), "{table}");
}

#[test]
fn bash_completes_commands_and_values() {
    let world = World::new();
    let script = world.run(&["completions", "bash"]).ok().stdout;
    fs::write(world.path("completions"), script).unwrap();
    // What a shell does when the words are on its line and the tab key is hit.
    let complete = |words: &[&str]| {
        let (last, line) = (words.last().unwrap(), words.join("' '"));
        let program = format!(
            "source '{}'; COMP_WORDS=('{line}'); COMP_CWORD={}; _agent__dispatch agent-dispatch '{last}' '{}'; \
             echo \"${{COMPREPLY[@]}}\"",
            world.path("completions").display(),
            words.len() - 1,
            words[words.len() - 2],
        );
        let mut bash = Command::new("bash");
        bash.args(["--norc", "-c", &program]).env_clear().envs(world.environment());
        Done::of(bash).ok().stdout
    };
    assert_eq!(complete(&["agent-dispatch", "comp"]), "completions\n");
    assert_eq!(complete(&["agent-dispatch", "audit", "ver"]), "verify\n");
    assert_eq!(complete(&["agent-dispatch", "jobs", "--status", "fail"]), "failed\n");
}

#[test]
fn manual_pages_are_printed_and_written() {
    let world = World::new();
    let page = world.run(&["man"]).ok().stdout;
    assert!(page.contains(".TH agent-dispatch 1") && page.contains(".SH \"EXIT STATUS\""), "{page}");
    fs::create_dir_all(world.path("pages")).unwrap();
    world.run(&["man", "pages"]).ok();
    assert_eq!(fs::read_to_string(world.path("pages/agent-dispatch.1")).unwrap(), page);
    assert!(world.path("pages/agent-dispatch-audit-show.1").exists());
    assert!(
        world
            .run(&["man", "nowhere"])
            .exits(2)
            .stderr
            .contains("nowhere/agent-dispatch.1` cannot be written")
    );
}

#[test]
fn a_wrong_agents_file_is_told_with_the_place() {
    let world = healthy();
    let mut file = OpenOptions::new().append(true).open(world.config_file()).unwrap();
    std::io::Write::write_all(&mut file, b"settings:\n  default_timeout: soon\n").unwrap();
    let report = world.run(&["doctor", "--json"]).exits(1).json();
    let found = report["checks"]
        .as_array()
        .unwrap()
        .iter()
        .find(|check| check["section"] == "configuration")
        .unwrap();
    assert_eq!(found["status"], "fail");
    assert!(found["details"][0].as_str().unwrap().contains(": settings.default_timeout: "), "{found}");
}
