//! What is known of a process is what it was started with.

use std::io::Write as _;
use std::process::{Command, Stdio};

use super::*;

#[test]
#[expect(clippy::disallowed_methods, reason = "the test starts a process to look at")]
fn a_process_is_told_with_its_arguments_variables_and_program() {
    let mut child = Command::new("/bin/sh")
        .args(["-c", "echo here; read _", "a name", ""])
        .env_clear()
        .envs([("HOME", "/somewhere"), ("EMPTY", ""), ("TWO", "a=b")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // It runs its own program once it has said a word.
    std::io::Read::read(&mut child.stdout.take().unwrap(), &mut [0; 5]).unwrap();
    let found = take().into_iter().find(|process| process.pid == child.id()).unwrap();
    assert_eq!(found.arguments, ["/bin/sh", "-c", "echo here; read _", "a name"]);
    let want = [("EMPTY", ""), ("HOME", "/somewhere"), ("TWO", "a=b")];
    assert_eq!(found.variables, want.map(|(name, value)| (name.into(), value.into())).into());
    assert_eq!(found.program, fs::canonicalize("/bin/sh").unwrap());
    assert!(found.file.is_some() && found.file != own_file());
    child.stdin.take().unwrap().write_all(b"\n").unwrap();
    child.wait().unwrap();
    assert!(!take().iter().any(|process| process.pid == std::process::id()));
}
