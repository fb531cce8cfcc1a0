//! The loop around one run: wait for the first of file growth, exit, deadline and cancel; hand it over; obey.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

use rustix::process::Signal;
use tokio::time::Instant;

use crate::answer::{Note, Stream};
use crate::model::{Answer, Ending, Exit, Findings, JobId, RunResult, Timestamp, ToolCall};
use crate::plan::RunPlan;
use crate::runner::folder::RunFolder;
use crate::runner::lifecycle::{Action, Aftermath, End, Happening, Lifecycle, Limits};
use crate::runner::process::{self, Leader, SpawnError};
use crate::runner::sweep::{self, Swept};
use crate::runner::tail::Tail;

/// How much of stderr an ending carries: enough for a stack trace, little enough for a record.
const STDERR_TAIL_BYTES: u64 = 4096;
/// File systems that are not local (FUSE, network) may change without an event. Their files are looked at this often;
/// everywhere else this only costs a wake-up a second.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Pieces read between two looks at the deadline, so that a child that floods its output cannot put it off: 4 MiB.
const PIECES_PER_LOOK: usize = 64;

/// What came of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct RunReport {
    /// The facts.
    pub result: RunResult,
    /// The text.
    pub answer: Answer,
    /// The tools it used.
    pub calls: Vec<ToolCall>,
    /// The number that the process had.
    pub pid: u32,
}

/// What is left once a run has been reported: a process that may still live, and whatever it started.
#[derive(Debug)]
#[must_use = "what a run leaves behind must be settled"]
pub struct Afterlife {
    aftermath: Aftermath,
    leader: Leader,
    started: Instant,
    run: JobId,
    tail: Tail,
    exit: Option<Exit>,
    /// Whether it is gone, or is known to have outlived being killed.
    ended: bool,
}

/// What was left behind by a run, and is no more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Leftovers {
    /// How the process ended in the end; `None` when it outlived being killed.
    pub exit: Option<Exit>,
    /// Processes that had left the group and were found by the run's id.
    pub swept: Vec<Swept>,
}

/// Runs `plan` in `folder`, with this prompt and exactly this environment, and returns as soon as the caller can
/// be told: at the result line, or when the process has ended. Progress goes to `notes`; when `cancel` yields (who asked,
/// in words) the run is stopped.
///
/// Must be called on a thread that lives as long as the run, inside a tokio runtime with I/O and time. If the future is
/// dropped the process is killed; to stop a run in order, use `cancel`.
pub async fn run(
    plan: &RunPlan,
    folder: &RunFolder,
    prompt: File,
    environment: &BTreeMap<OsString, OsString>,
    notes: &mut dyn FnMut(Note),
    cancel: impl Future<Output = String>,
) -> Result<(RunReport, Afterlife), SpawnError> {
    // All that may be refused comes before the process that costs money.
    process::adopt_orphans()?;
    folder.make_outputs()?;
    let refused = |source| SpawnError::Watch { what: "to watch its output (inotify)", source };
    let tail = Tail::open(&folder.stdout()).map_err(refused)?;
    let leader = Leader::spawn(plan, folder, prompt, environment)?;

    let stall = (plan.stall_ms > 0).then(|| Duration::from_millis(plan.stall_ms));
    let mut watch = Watch {
        leader,
        tail,
        stream: Stream::new(plan.expects.clone(), plan.profile.max_budget_usd),
        life: Lifecycle::new(Limits::new(plan.timeout(), stall)),
        started: Instant::now(),
        exit: None,
    };
    let end = watch.until_reported(notes, std::pin::pin!(cancel)).await;

    let Watch { leader, tail, stream, life, started, .. } = watch;
    let elapsed = started.elapsed();
    let ending = Ending {
        stopped: end.stopped,
        exit: end.exit,
        stderr_tail: stderr_tail(&folder.stderr()),
        elapsed_ms: millis(elapsed),
    };
    let Findings { result, answer, calls } = conclude(stream, plan, &ending);
    let report = RunReport { result, answer, calls, pid: leader.id() };
    let aftermath = Aftermath::of(&life, elapsed);
    let afterlife = Afterlife { aftermath, leader, started, run: plan.job, tail, exit: None, ended: false };
    Ok((report, afterlife))
}

/// Returns what came of a run whose worker died, if its result line made it to the file: then the run is a finished one,
/// paid for and answered.
pub fn leftover(folder: &RunFolder) -> Option<Findings> {
    let plan = folder.read_plan().ok()?;
    let mut stdout = File::open(folder.stdout()).ok()?;
    let mut stream = Stream::new(plan.expects.clone(), plan.profile.max_budget_usd);
    let mut piece = vec![0; 64 * 1024];
    loop {
        let length = stdout.read(&mut piece).ok()?;
        let Some(bytes @ [_, ..]) = piece.get(..length) else { break };
        drop(stream.feed(bytes, 0));
    }
    let written = |file: &Path| std::fs::metadata(file).and_then(|metadata| metadata.modified()).ok();
    let elapsed = written(&folder.stdout())
        .zip(written(&folder.plan()))
        .and_then(|(end, start)| end.duration_since(start).ok())
        .unwrap_or_default();
    let ending = Ending {
        stopped: None,
        exit: None,
        stderr_tail: stderr_tail(&folder.stderr()),
        elapsed_ms: millis(elapsed),
    };
    stream.result_seen().then(|| conclude(stream, &plan, &ending))
}

fn conclude(stream: Stream, plan: &RunPlan, ending: &Ending) -> Findings {
    let calls = stream.calls();
    let (result, answer) = stream.conclude(ending, plan.agent.as_str(), plan.timeout_ms, Timestamp::now());
    Findings { result, answer, calls }
}

/// A run that is being watched.
struct Watch {
    leader: Leader,
    tail: Tail,
    stream: Stream,
    life: Lifecycle,
    started: Instant,
    /// How it ended, once it has; until all it wrote is read, that is kept back.
    exit: Option<Exit>,
}

/// How far the output has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Read {
    Nothing,
    ToTheEnd,
    /// There is more; it was enough for one look.
    InPart,
}

impl Watch {
    async fn until_reported(
        &mut self,
        notes: &mut dyn FnMut(Note),
        mut cancel: Pin<&mut impl Future<Output = String>>,
    ) -> End {
        let mut cancel_pending = true;
        let mut growth_watched = true;
        loop {
            let read = self.read_on(notes);
            if let Some(end) = self.after_reading(read) {
                return end;
            }
            let wake = self.wake_at(read);
            tokio::select! {
                // Cancel-safe: the pinned future is polled again, and never once it has yielded.
                who = &mut cancel, if cancel_pending => {
                    cancel_pending = false;
                    if let Some(end) = self.tell(Happening::CancelRequested(who)) {
                        return end;
                    }
                }
                // Cancel-safe: looks at the process and changes nothing.
                exit = self.leader.exited(), if self.exit.is_none() => self.exit = Some(exit),
                // Cancel-safe: a change that is not taken is told again.
                grown = self.tail.grown(), if growth_watched => growth_watched = grown.is_ok(),
                // Cancel-safe: a deadline is only compared with the clock.
                () = tokio::time::sleep_until(wake) => {}
            }
        }
    }

    /// Reads what has been written, at most so much that the deadline is looked at in time.
    fn read_on(&mut self, notes: &mut dyn FnMut(Note)) -> Read {
        let at_ms = millis(self.started.elapsed());
        for pieces in 0..PIECES_PER_LOOK {
            let piece = match self.tail.piece() {
                Ok(piece @ [_, ..]) => piece,
                Ok([]) if pieces == 0 => return Read::Nothing,
                Ok([]) => return Read::ToTheEnd,
                Err(error) => {
                    tracing::warn!(%error, "could not read the output of a run");
                    return Read::Nothing;
                }
            };
            self.stream.feed(piece, at_ms).into_iter().for_each(&mut *notes);
            if self.stream.result_seen() {
                return Read::ToTheEnd;
            }
        }
        Read::InPart
    }

    /// Tells the life what reading has brought, in the order in which it happened.
    fn after_reading(&mut self, read: Read) -> Option<End> {
        if self.stream.result_seen() {
            return self.tell(Happening::ResultSeen);
        }
        let heard = match read {
            Read::Nothing => Happening::Tick,
            Read::ToTheEnd | Read::InPart => Happening::Heard,
        };
        // Before its exit, all that a process wrote has to be read; what its children still write does not count.
        let exit = self.exit.filter(|_| read != Read::InPart);
        self.tell(heard).or_else(|| self.tell(Happening::Exited(exit?)))
    }

    fn tell(&mut self, happening: Happening) -> Option<End> {
        let action = self.life.on(self.started.elapsed(), happening);
        obey(action, &self.leader)
    }

    fn wake_at(&self, read: Read) -> Instant {
        let now = Instant::now();
        if read == Read::InPart {
            return now;
        }
        let look = now + LOOK_EVERY;
        self.life.wake_at().and_then(|at| self.started.checked_add(at)).map_or(look, |at| at.min(look))
    }
}

impl Afterlife {
    /// Waits until the process is gone, stopping it when it stays too long, and kills what is left of its group. Takes ten
    /// seconds at the very most, and nothing when the process has ended.
    pub async fn end(&mut self) {
        let mut happening = Happening::Tick;
        while !self.ended {
            self.exit = self.exit.or_else(|| self.leader.peek());
            if let Some(exit) = self.exit {
                happening = Happening::Exited(exit);
            }
            let action = self.aftermath.on(self.started.elapsed(), &happening);
            if obey(action, &self.leader).is_some() {
                break;
            }
            let wake = self.aftermath.wake_at().and_then(|at| self.started.checked_add(at));
            tokio::select! {
                // Cancel-safe: looks at the process and changes nothing.
                ended = self.leader.exited() => self.exit = Some(ended),
                // Cancel-safe: a deadline is only compared with the clock.
                () = tokio::time::sleep_until(wake.unwrap_or_else(Instant::now)) => {}
            }
        }
        self.ended = true;
        // Its number still names its group, for it is not reaped yet.
        self.leader.signal_group(Signal::KILL);
    }

    /// Ends the process, sweeps what left its group, and reaps.
    pub async fn settle(mut self) -> Leftovers {
        self.end().await;
        self.leader.reap();
        // This process has adopted the orphans of its descendants: without a child there is none of them left to be found.
        // Looking through all processes would cost the more the more runs there are beside this one.
        let swept = if process::has_children() { sweep::sweep(self.run).await } else { Vec::new() };
        // Kept until now although nobody reads on: closing an inotify instance takes the kernel ten milliseconds, and nobody
        // has waited for them.
        drop(self.tail);
        Leftovers { exit: self.exit.or_else(|| self.leader.peek()), swept }
    }
}

fn obey(action: Action, leader: &Leader) -> Option<End> {
    match action {
        Action::Wait => {}
        Action::Interrupt => leader.signal_group(Signal::INT),
        Action::Terminate => leader.signal_group(Signal::TERM),
        Action::Kill => leader.signal_group(Signal::KILL),
        Action::Report(end) => return Some(end),
    }
    None
}

/// Returns the last part of a file, as text; empty when it cannot be read.
fn stderr_tail(path: &Path) -> String {
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        let _ = file.seek(SeekFrom::Start(length.saturating_sub(STDERR_TAIL_BYTES)))?;
        let mut bytes = Vec::new();
        let _ = file.take(STDERR_TAIL_BYTES).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
