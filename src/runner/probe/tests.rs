//! A program is asked, and is gone afterwards whatever it does.

use std::os::unix::fs::OpenOptionsExt as _;
use std::time::Instant;

use super::*;

fn ask(limit_ms: u64, script: &str) -> Result<Said, ProbeError> {
    let variables = [
        ("PATH", "/usr/bin:/bin"),
        ("KEPT", "yes"),
        ("CLAUDECODE", "1"),
        ("CLAUDE_CODE_SESSION_ID", "x"),
        ("AGENT_DISPATCH_RUN_ID", "y"),
    ];
    let environment = variables.map(|(name, value)| (name.into(), value.into())).into();
    let probe = Probe {
        environment: &environment,
        directory: Path::new("/"),
        limit: Duration::from_millis(limit_ms),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(probe.ask(Path::new("/bin/sh"), &["-c", script]))
}

#[test]
fn what_it_prints_and_how_it_ends_is_returned() {
    let said = ask(20_000, "cat; pwd; env | sort; echo one >&2; echo two >&2; exit 3").unwrap();
    assert_eq!(said.exit, Exit::Code(3));
    assert!(said.stdout.starts_with("/\n") && said.stdout.contains("KEPT=yes\n"), "{said:?}");
    assert!(!said.stdout.contains("CLAUDE") && !said.stdout.contains("RUN_ID"), "{said:?}");
    assert_eq!((said.stderr.as_str(), said.last_words(), said.went_well()), ("one\ntwo\n", "two", false));
}

#[test]
fn more_than_is_wanted_of_its_output_is_dropped() {
    let said = ask(20_000, "head -c 1000000 /dev/zero | tr '\\0' x").unwrap();
    assert_eq!((said.stdout.len() as u64, said.went_well()), (OUTPUT_BYTES_MAX, true));
}

#[test]
fn one_that_is_late_is_killed_with_its_group() {
    let began = Instant::now();
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &fifo,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .unwrap();
    // Both hold the pipe open for writing: it ends when both are gone.
    let script =
        format!("exec 3<>'{0}'; exec 4>'{0}' 3<&-; trap '' INT TERM; sleep 300 & wait", fifo.display());
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let reader = std::fs::OpenOptions::new().read(true).custom_flags(nonblocking).open(&fifo).unwrap();
    rustix::fs::fcntl_setfl(&reader, rustix::fs::OFlags::empty()).unwrap();
    assert!(matches!(ask(300, &script), Err(ProbeError::Late { .. })));
    // Waits until nobody holds the other end.
    assert_eq!((&reader).read(&mut [0; 1]).unwrap(), 0);
    assert!(began.elapsed() < Duration::from_secs(60));
}

#[test]
fn what_it_leaves_behind_is_killed_and_not_waited_for() {
    let began = Instant::now();
    assert_eq!(ask(60_000, "sleep 300 & echo done").unwrap().stdout, "done\n");
    assert!(began.elapsed() < Duration::from_secs(30));
}

#[test]
fn one_that_is_not_there_is_an_error() {
    let environment = BTreeMap::new();
    let probe = Probe { environment: &environment, directory: Path::new("/"), limit: Duration::from_secs(1) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let error = runtime.block_on(probe.ask(Path::new("/nowhere/claude"), &[])).unwrap_err();
    assert_eq!(error.to_string(), "`/nowhere/claude` cannot be run");
}
