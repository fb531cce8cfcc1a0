//! One line on a person's terminal about what takes longer than a second; nothing anywhere else.

use std::convert::Infallible;
use std::io::{self, IsTerminal as _};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::audit::redact::one_line;
use crate::cli::render::note;
use crate::config::paths::Environment;
use crate::daemon::protocol::ProgressView;
use crate::document::progress;

/// After how long the line appears, and how often it is drawn again.
const EVERY: Duration = Duration::from_secs(1);

/// Longest line, in characters; the terminal cuts it at its own edge.
const CHARS: usize = 300;

/// Takes the steps of a dispatch.
#[derive(Debug)]
pub(super) struct Line {
    steps: watch::Sender<ProgressView>,
}

impl Line {
    /// Takes a step.
    pub(super) fn step(&self, view: &ProgressView) {
        self.steps.send_replace(view.clone());
    }
}

/// Returns where the steps of the dispatch go, and what draws them for as long as it is polled.
pub(super) fn line<'a>(
    environment: &Environment,
    agent: &'a str,
) -> (Line, impl Future<Output = Infallible> + use<'a>) {
    let (steps, seen) = watch::channel(ProgressView::default());
    let said = move |elapsed| progress::line(agent, &seen.borrow(), elapsed);
    (Line { steps }, draw(is_wanted(environment), said))
}

/// Carries out `work`, telling a person meanwhile that it goes on.
pub(super) async fn during<T>(environment: &Environment, what: &str, work: impl Future<Output = T>) -> T {
    telling(environment, || what.to_owned(), work).await
}

/// Carries out `work`, telling a person meanwhile how far it is.
pub(super) async fn telling<T>(
    environment: &Environment,
    what: impl Fn() -> String,
    work: impl Future<Output = T>,
) -> T {
    let said = |elapsed: Duration| format!("{} ({} s)", what(), elapsed.as_secs());
    tokio::select! {
        outcome = work => outcome,
        never = draw(is_wanted(environment), said) => match never {},
    }
}

fn is_wanted(environment: &Environment) -> bool {
    io::stderr().is_terminal() && environment.text("TERM") != Some("dumb")
}

async fn draw(wanted: bool, said: impl Fn(Duration) -> String) -> Infallible {
    if !wanted {
        return std::future::pending().await;
    }
    let began = Instant::now();
    let mut drawn = Drawn(false);
    loop {
        tokio::time::sleep(EVERY).await;
        drawn.draw(&one_line(&said(began.elapsed()), CHARS));
    }
}

/// A line that is wiped away when it is no longer true.
struct Drawn(bool);

impl Drawn {
    fn draw(&mut self, text: &str) {
        self.0 = true;
        // Back to the start, wipe, and no wrapping meanwhile: a long line is cut at the edge.
        note(&format!("\r\u{1b}[K\u{1b}[?7l{text}\u{1b}[?7h"));
    }
}

impl Drop for Drawn {
    fn drop(&mut self) {
        if self.0 {
            note("\r\u{1b}[K");
        }
    }
}
