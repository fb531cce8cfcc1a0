//! What is said of state, disk, daemon and audit trail.

use super::*;
use crate::cli::doctor::finding::Status;
use crate::daemon::protocol::WireFault;
use crate::model::Digest;

const USER: u32 = 1000;

fn place(what: &'static str, found: Option<(u32, u32)>) -> Place {
    Place { what, path: "/s t".into(), found, writable: true }
}

fn running(version: &str, durability: Durability, audit_seq: u64) -> DaemonStatus {
    DaemonStatus {
        pid: 7,
        version: version.to_owned(),
        started: Timestamp::from_millis(0),
        connections: 1,
        jobs: 0,
        queued: 0,
        store_bytes: 0,
        audit_seq,
        durability,
    }
}

fn verdict(finding: &Finding) -> (Status, Option<&str>) {
    (finding.status, finding.fix.as_deref())
}

#[test]
fn places_belong_to_their_user_alone() {
    let elsewhere = "export AGENT_DISPATCH_STATE_DIR=\"$HOME/.agent-dispatch\"";
    for (what, found, status, fix) in [
        ("state directory", None, Status::Ok, None),
        ("state directory", Some((0o700, USER)), Status::Ok, None),
        ("state directory", Some((0o755, USER)), Status::Fail, Some("chmod 700 '/s t'")),
        (SOCKET, Some((0o600, USER)), Status::Ok, None),
        (SOCKET, Some((0o666, USER)), Status::Fail, Some("chmod 600 '/s t'")),
        ("state directory", Some((0o700, 0)), Status::Fail, Some(elsewhere)),
    ] {
        assert_eq!(verdict(&private(&place(what, found), USER)), (status, fix), "{what} {found:?}");
    }
    let unwritable = |found| private(&Place { writable: false, ..place("state directory", found) }, USER);
    assert_eq!(verdict(&unwritable(None)), (Status::Fail, Some(elsewhere)));
    assert_eq!(verdict(&unwritable(Some((0o700, USER)))), (Status::Fail, Some("chmod u+rwx '/s t'")));
    assert!(socket_path(Path::new("/short")).is_none());
    let long = PathBuf::from(format!("/{}", "x".repeat(SOCKET_PATH_BYTES_MAX)));
    assert_eq!(verdict(&socket_path(&long).unwrap()), (Status::Fail, Some(elsewhere)));
}

#[test]
fn a_full_disk_and_a_large_store_are_told() {
    let gc = Some("agent-dispatch gc");
    for (bytes, status, fix) in
        [(0, Status::Fail, gc), (20 << 20, Status::Warn, gc), (300 << 20, Status::Ok, None)]
    {
        assert_eq!(verdict(&free(bytes)), (status, fix), "{bytes}");
    }
    let (small, large) = (store(1 << 20), store(3 << 30));
    assert_eq!((small.status, small.details.len()), (Status::Ok, 0));
    // Nothing makes it smaller: a warning would stay for ever.
    assert_eq!((verdict(&large), large.details.len()), ((Status::Ok, None), 1));
}

#[test]
fn the_daemon_should_be_of_this_version() {
    let ours = env!("CARGO_PKG_VERSION");
    let verdicts = |version, durability| {
        let found = daemon(&running(version, durability, 0), Timestamp::from_millis(5000));
        found.iter().map(|found| found.status).collect::<Vec<_>>()
    };
    assert_eq!(verdicts(ours, Durability::Filtered), [Status::Ok, Status::Ok]);
    assert_eq!(verdicts(ours, Durability::SyncAfterCommit), [Status::Ok, Status::Ok]);
    assert_eq!(verdicts("0.0.1", Durability::Filtered), [Status::Warn, Status::Ok]);
}

#[test]
fn a_daemon_that_cannot_be_asked_is_named() {
    let silent = || ClientError::Silent("/s".into());
    let version = ClientError::Version { pid: 7, theirs: (9, 9), ours: (1, 1) };
    let open = ClientError::Place(PlaceError::Open { path: "/s t".into(), mode: 0o755 });
    for (error, pid, fix) in [
        (silent(), Some(7), "kill 7"),
        (silent(), None, "agent-dispatch daemon stop"),
        (version, Some(7), "agent-dispatch daemon stop"),
        (open, None, "chmod 700 '/s t'"),
        (ClientError::Fault(WireFault::Unsupported), Some(7), "kill 7"),
    ] {
        assert_eq!(verdict(&unreachable_daemon(&error, pid)), (Status::Fail, Some(fix)), "{error}");
    }
}

#[test]
fn a_lost_end_of_the_trail_is_told() {
    let head = |seq| Some(Head { seq, hash: Digest::ZERO });
    let with = |outside, stored| trail(outside, Some(&running("1", Durability::Filtered, stored)));
    for (outside, stored, status, fix) in [
        (None, 0, Status::Ok, None),
        (head(5), 5, Status::Ok, None),
        // Written after the file was read.
        (head(5), 6, Status::Ok, None),
        (head(6), 5, Status::Fail, Some("agent-dispatch audit verify")),
        (None, 5, Status::Warn, Some("agent-dispatch daemon stop && agent-dispatch jobs")),
    ] {
        assert_eq!(verdict(&with(outside, stored).unwrap()), (status, fix), "{outside:?} {stored}");
    }
    assert_eq!(trail(head(3), None).unwrap().status, Status::Ok);
    assert!(trail(None, None).is_none());
}
