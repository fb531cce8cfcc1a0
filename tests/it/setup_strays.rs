//! Registrations of this program under another name: found, told, and taken back by the command that is told.

#![expect(clippy::disallowed_methods, reason = "a test types the command that it was told")]

use std::process::Command;

use crate::world::World;

#[test]
fn a_second_registration_is_found_and_the_told_command_takes_it_back() {
    let world = World::new();
    world.run(&["init"]).ok();
    let claude = |words: &str| {
        let status = Command::new("sh")
            .args(["-c", words])
            .env_clear()
            .envs(world.environment())
            .current_dir(world.path("."))
            .status()
            .unwrap();
        assert!(status.success(), "{words}");
    };
    claude("claude mcp add --scope user agents -- agent-dispatch serve");
    claude("claude mcp add --scope user other -- node server.js");
    let strays = || {
        let report = world.run(&["doctor", "--json"]).json();
        let checks = report["checks"].as_array().cloned().unwrap_or_default();
        let told = checks.into_iter().filter(|check| {
            check["message"]
                .as_str()
                .is_some_and(|message| message.contains("also knows a server of this kind"))
        });
        told.collect::<Vec<_>>()
    };
    let found = strays();
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0]["status"], "warn");
    assert!(found[0]["message"].as_str().unwrap().contains("`agents` (user scope)"), "{found:#?}");
    let again = world.run(&["init"]).ok();
    let fix = found[0]["fix"].as_str().unwrap();
    assert!(again.stderr.contains(fix), "{again:?}");
    let gone = world.run(&["uninstall"]).ok();
    assert!(gone.stderr.contains(fix), "{gone:?}");
    claude(fix);
    assert_eq!(strays().len(), 0);
}
