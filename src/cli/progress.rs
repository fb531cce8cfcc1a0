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
use crate::document::progress::{Line, Saying};

/// After how long the line appears, and how often it is drawn again.
const EVERY: Duration = Duration::from_secs(1);

/// Longest line, in characters; the terminal cuts it at its own edge.
const CHARS: usize = 300;

/// Returns where steps go, and what draws them for as long as it is polled; it draws nothing unless `wanted`.
pub(super) fn line(
    environment: &Environment,
    wanted: bool,
) -> (Line, impl Future<Output = Infallible> + use<>) {
    let (line, seen) = Line::new(|elapsed| format!("starting ({} s)", elapsed.as_secs()));
    (line, draw(wanted && is_wanted(environment), seen))
}

/// Carries out `work`, telling a person meanwhile that it goes on.
pub(super) async fn during<T>(environment: &Environment, what: &str, work: impl Future<Output = T>) -> T {
    let (line, shown) = line(environment, true);
    let what = what.to_owned();
    line.say(move |elapsed| format!("{what} ({} s)", elapsed.as_secs()));
    tokio::select! {
        outcome = work => outcome,
        never = shown => match never {},
    }
}

/// Carries out `work`, telling a person meanwhile how far it is.
pub(super) async fn telling<T>(
    environment: &Environment,
    what: impl Fn() -> String,
    work: impl Future<Output = T>,
) -> T {
    tokio::select! {
        outcome = work => outcome,
        never = draw_each(is_wanted(environment), |elapsed| format!("{} ({} s)", what(), elapsed.as_secs())) => match never {},
    }
}

fn is_wanted(environment: &Environment) -> bool {
    io::stderr().is_terminal() && environment.text("TERM") != Some("dumb")
}

async fn draw(wanted: bool, seen: watch::Receiver<Saying>) -> Infallible {
    draw_each(wanted, |elapsed| (*seen.borrow())(elapsed)).await
}

async fn draw_each(wanted: bool, said: impl Fn(Duration) -> String) -> Infallible {
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

/// Returns what a step says, on one line; nothing when it says nothing.
pub(super) fn said(view: &ProgressView) -> Option<String> {
    Some(one_line(&view.text, CHARS)).filter(|text| !text.is_empty())
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
