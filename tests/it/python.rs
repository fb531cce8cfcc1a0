//! Clients that others wrote, in Python, against the server: they check structured results against the schemas. What they
//! do is in `tests/data/python`.
//!
//! Where pip cannot deliver them, these tests say `skipped: REASON` and pass.

#![expect(clippy::disallowed_methods, reason = "a client is started in an environment of the test's choice")]

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use crate::client::Home;
use crate::real::{finish, run};

/// The longest an installation may take. It runs once per machine.
const INSTALL_LIMIT: Duration = Duration::from_secs(300);

/// Returns the folder of the clients, which are installed unless they are there.
fn clients() -> Option<&'static Path> {
    static INSTALLED: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    match INSTALLED.get_or_init(install) {
        Ok(folder) => Some(folder),
        Err(reason) => {
            // Past the test harness, which would keep it to itself.
            writeln!(io::stdout(), "skipped: {reason}").expect("standard output takes a line");
            None
        }
    }
}

fn install() -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("python-clients");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/install_python_clients.sh");
    let mut script = Command::new(script);
    script.arg(&folder).stdin(Stdio::null());
    // One process at a time installs.
    let installed = File::create(folder.with_extension("lock")).and_then(|lock| {
        lock.lock()?;
        run(script, INSTALL_LIMIT)
    });
    match installed {
        Ok((done, true)) if done.code == Some(0) => Ok(PathBuf::from(done.stdout.trim())),
        Ok((done, true)) => Err(done.stderr.trim().to_owned()),
        Ok((_, false)) => Err(format!("pip did not deliver in {} s", INSTALL_LIMIT.as_secs())),
        Err(error) => Err(format!("the installer of the Python clients does not start: {error}")),
    }
}

/// Lets a client do all that clients do, connected in this mode; it must come to speak this version of the protocol.
#[track_caller]
fn talks(client: &str, mode: &str, version: &str) {
    let Some(clients) = clients() else { return };
    let home = Home::new();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/python").join(client);
    let mut command = Command::new(clients.join(client).join("bin/python"));
    command
        .arg(script.with_extension("py"))
        .args([env!("CARGO_BIN_EXE_agent-dispatch"), &home.text_path("run"), mode, version])
        .current_dir(home.path("run"))
        .env_clear()
        .env("HOME", home.root())
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("XDG_RUNTIME_DIR", home.path("run"))
        .env("PYTHONDONTWRITEBYTECODE", "1");
    let said = finish(command).succeeded().stdout;
    assert_eq!(said.trim(), "all went well");
}

#[test]
fn the_official_python_client_of_2025_is_served() {
    talks("mcp1", "legacy", "2025-11-25");
}

#[test]
fn the_official_python_client_of_2026_is_served_in_every_mode() {
    for (mode, version) in [("auto", "2026-07-28"), ("legacy", "2025-11-25"), ("2026-07-28", "2026-07-28")] {
        talks("mcp2", mode, version);
    }
}

#[test]
fn fastmcp_is_served_in_both_eras() {
    for (mode, version) in [("auto", "2026-07-28"), ("legacy", "2025-11-25")] {
        talks("fastmcp4", mode, version);
    }
}
