//! Where things live for different environments.

use super::*;

fn environment(variables: &[(&str, &str)]) -> Result<Environment, EnvironmentError> {
    let variables =
        variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))).collect();
    Environment::new(variables, PathBuf::from("/here"), PathBuf::from("/bin/agent-dispatch"))
}

#[test]
fn paths_follow_the_variables_in_their_order() {
    let plain = environment(&[("HOME", "/home/u")]).unwrap();
    assert_eq!(plain.config_file, Path::new("/home/u/.config/agent-dispatch/agents.yaml"));
    assert_eq!(plain.state.root, Path::new("/home/u/.local/state/agent-dispatch"));
    assert_eq!(plain.state.socket.parent(), Some(plain.state.root.as_path()));
    assert_eq!(plain.claude_state(), Path::new("/home/u/.claude.json"));
    let elsewhere = environment(&[("HOME", "/home/u"), ("CLAUDE_CONFIG_DIR", "/claude")]).unwrap();
    assert_eq!(elsewhere.claude_state(), Path::new("/claude/.claude.json"));
    let xdg = [("HOME", "/home/u"), ("XDG_STATE_HOME", "/state"), ("XDG_RUNTIME_DIR", "/run/user/1")];
    let xdg = environment(&xdg).unwrap();
    assert_eq!(xdg.state.root, Path::new("/state/agent-dispatch"));
    assert_eq!(xdg.state.socket.parent(), Some(Path::new("/run/user/1/agent-dispatch")));
    let own = [("HOME", "/home/u"), ("AGENT_DISPATCH_STATE_DIR", "~/s"), ("AGENT_DISPATCH_CONFIG", "a.yaml")];
    let own = environment(&own).unwrap();
    assert_eq!(
        (own.state.root.as_path(), own.config_file.as_path()),
        (Path::new("/home/u/s"), Path::new("/here/a.yaml"))
    );
    assert_ne!(own.state.socket.file_name(), plain.state.socket.file_name());
    // Who inherits the variables works elsewhere, and must find the same places.
    let again = Environment::new(own.variables, "/".into(), own.program).unwrap();
    assert_eq!((again.state, again.config_file), (own.state, own.config_file));
}

#[test]
fn a_depth_is_a_number_from_zero() {
    for (text, depth) in [("2", 2), ("", 0), ("x", 0), ("-7", 0)] {
        assert_eq!(environment(&[("HOME", "/h"), (DEPTH_VARIABLE, text)]).unwrap().depth, depth, "{text}");
    }
}

#[test]
fn without_a_home_nothing_is_guessed() {
    for home in [&[][..], &[("HOME", "")], &[("HOME", "relative")]] {
        assert!(matches!(environment(home), Err(EnvironmentError::NoHome)));
    }
}

#[test]
fn a_user_is_known_by_the_name_that_belongs_to_its_number() {
    let known = "root:x:0:0:root:/root:/bin/sh\n\nbroken\n+nis\nsomebody:x:1000:1000::/home/somebody:/bin/sh\nsame:x:1000::::\n";
    assert_eq!(named(known, 0), Some("root"));
    assert_eq!(named(known, 1000), Some("somebody"));
    assert_eq!(named(known, 7), None);
    assert_eq!(named("", 0), None);
}
