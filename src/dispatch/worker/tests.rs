//! A daemon that hangs holds up nobody for ever.

use tokio::net::UnixStream;

use super::*;
use crate::daemon::protocol::ProgressView;

/// A link to a daemon that takes connections, and never says or reads anything.
fn to_one_that_hangs() -> (Link, UnixStream, tempfile::TempDir) {
    let home = tempfile::tempdir().unwrap();
    let variables = [("HOME".into(), home.path().into())].into();
    // There is no such program: nothing can be started in its place.
    let environment = Environment::new(variables, home.path().into(), home.path().join("none")).unwrap();
    let (ours, theirs) = UnixStream::pair().unwrap();
    let link = Link {
        client: Client::new(&environment),
        job: JobId::generate(),
        process: process::identify(std::process::id()).unwrap(),
        running: true,
        connection: Some(Connection::new(ours)),
        pause: RETRY_AT_FIRST,
        steps: watch::Sender::default(),
    };
    (link, theirs, home)
}

fn on_runtime<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
}

#[test]
fn a_report_that_nobody_takes_is_given_up_and_stays_in_the_run_folder() {
    on_runtime(async {
        for text in ["short".to_owned(), "x".repeat(4 << 20)] {
            let (mut link, _hangs, _home) = to_one_that_hangs();
            let answer = Answer { text, parsed: None };
            let findings = (RunResult::succeeded(1), answer).into();
            assert!(!link.report(findings, Duration::from_millis(100)).await);
        }
    });
}

#[test]
fn a_daemon_that_does_not_take_in_progress_is_left() {
    on_runtime(async {
        let (mut link, _hangs, _home) = to_one_that_hangs();
        // More than a socket holds.
        let step = ProgressView { text: "x".repeat(4 << 20), ..ProgressView::default() };
        link.tell(&Report::Progress(vec![step])).await;
        assert!(link.connection.is_none());
    });
}
