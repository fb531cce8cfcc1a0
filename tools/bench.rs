//! Measures the program as its users meet it: the release binaries, in a home of their own, beside the floors of the
//! machine on the same day. Prints medians, 99th percentiles and targets; runs are interleaved, so that a busy moment
//! meets every measure alike.
//!
//! `cargo bench` builds what it takes and runs it; `tools/bench.sh [--rounds N]` does the same.

#![expect(
    clippy::disallowed_methods,
    reason = "a program of its own: it reads its environment, starts processes and waits"
)]

use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use agent_dispatch::config::paths::Environment;
use agent_dispatch::daemon::Client as DaemonClient;
use agent_dispatch::daemon::protocol::{Reply, Request};
use serde_json::{Value, json};

#[path = "bench/client.rs"]
mod client;
#[path = "bench/crowd.rs"]
mod crowd;
#[path = "bench/floors.rs"]
mod floors;
#[path = "bench/history.rs"]
mod history;
#[path = "bench/memory.rs"]
mod memory;
#[path = "bench/plot.rs"]
mod plot;
#[path = "bench/room.rs"]
mod room;
#[path = "bench/samples.rs"]
mod samples;
#[path = "bench/surface.rs"]
mod surface;
#[path = "bench/trail.rs"]
mod trail;

use client::Client;
use floors::{Echo, Log};
use room::Room;
use samples::{Samples, Table};

/// Rounds of the interleaved measures.
const ROUNDS: usize = 40;

/// Calls of each client of the crowd.
const CROWD_CALLS: usize = 1000;

/// Facts about files are believed only when the files are older than this.
const SETTLED: Duration = Duration::from_millis(4200);

/// A short question whose answer has 1 KB.
const CACHED: &str = "fake: flood 1024";

fn main() -> ExitCode {
    // `cargo bench` adds a flag of its own, for harnesses.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let outcome = match arguments.split_first() {
        Some((first, rest)) if first == "front-ends" => crowd::be_front_ends(rest),
        Some((first, rest)) if first == "history" => history::be_history(rest),
        Some((first, rest)) if first == "trail" => trail::be_trail(rest),
        Some((first, rest)) if first == "appends" => trail::be_appends(rest),
        _ => bench(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            // Nobody may be listening, and there is nobody else to tell.
            _ = writeln!(io::stderr(), "bench: {problem}").is_ok();
            ExitCode::FAILURE
        }
    }
}

fn bench(arguments: &[String]) -> io::Result<()> {
    let (mut rounds, mut records) = (ROUNDS, None);
    for pair in arguments.chunks(2) {
        match pair {
            [name, number] if name == "--rounds" => rounds = number.parse().map_err(io::Error::other)?,
            [name, number] if name == "--trail" => records = Some(number.parse().map_err(io::Error::other)?),
            _ => return Err(io::Error::other("usage: bench [--rounds N] [--trail RECORDS]")),
        }
    }
    let mut table = Table::default();
    if let Some(records) = records {
        // Instead of all else: it takes its time, and nobody else's.
        trail::measure(records, rounds, &mut table)?;
        return io::stdout().write_all(table.text().as_bytes());
    }
    in_room(&Room::new(room::AGENTS, room::PLACES)?, |room, daemon| {
        measure(room, daemon, rounds, &mut table)
    })?;
    surface::measure(rounds, &mut table)?;
    io::stdout().write_all(table.text().as_bytes())
}

/// Measures in a room, and sends its daemon away in the end.
fn in_room(room: &Room, measure: impl FnOnce(&Room, &Daemon) -> io::Result<()>) -> io::Result<()> {
    let daemon = Daemon::new(room)?;
    let measured = measure(room, &daemon);
    let stopped = daemon.stop();
    measured.and(stopped)
}

fn measure(room: &Room, daemon: &Daemon, rounds: usize, table: &mut Table) -> io::Result<()> {
    let made = Instant::now();
    let mut one = One::begin(room)?;
    thread::sleep(SETTLED.saturating_sub(made.elapsed()));
    let daemon = daemon.pid()?;
    for round in 0..rounds {
        one.round(room, daemon, round)?;
    }
    one.tell(table);
    one.server.end()?;
    many(room, table)?;
    memory(room, daemon, table)
}

/// The measures of one client, taken in turns.
struct One {
    server: Client,
    echo: Echo,
    log: Log,
    truth: Samples,
    bare: Samples,
    socket: Samples,
    durable: Samples,
    version: Samples,
    spawn: Samples,
    list: Samples,
    hit: Samples,
    hit_processor: Samples,
    dispatch: Samples,
    woken: Samples,
}

impl One {
    fn begin(room: &Room) -> io::Result<Self> {
        let mut server = Client::open(room)?;
        // The first run fills the cache.
        server.call_for("dispatch", &question(CACHED), "\"success\":true")?;
        Ok(Self {
            server,
            echo: Echo::start()?,
            log: Log::open(room)?,
            truth: Samples::default(),
            bare: Samples::default(),
            socket: Samples::default(),
            durable: Samples::default(),
            version: Samples::default(),
            spawn: Samples::default(),
            list: Samples::default(),
            hit: Samples::default(),
            hit_processor: Samples::default(),
            dispatch: Samples::default(),
            woken: Samples::default(),
        })
    }

    fn round(&mut self, room: &Room, daemon: u32, round: usize) -> io::Result<()> {
        for _ in 0..3 {
            self.truth.add(floors::process(room, Path::new("/bin/true"), &[])?);
            self.version.add(floors::process(room, &room.program, &["--version"])?);
            self.spawn.add(spawn_to_tools(room)?);
        }
        for _ in 0..20 {
            self.socket.add(self.echo.round_trip()?);
            self.list.add(self.server.call_for("list_agents", &json!({}), "agent4")?);
        }
        let used = || {
            Ok::<_, io::Error>(memory::processor_time(self.server.pid())? + memory::processor_time(daemon)?)
        };
        let before = used()?;
        for _ in 0..20 {
            self.durable.add(self.log.append(200)?);
            self.hit.add(self.server.call_for("dispatch", &question(CACHED), "\"cached\":true")?);
        }
        let after = memory::processor_time(self.server.pid())? + memory::processor_time(daemon)?;
        self.hit_processor.add(after.saturating_sub(before) / 20);
        for number in 0..4 {
            self.bare.add(floors::bare_fake(room, "say ok")?);
            let task = format!("fake: say ok\ncase {round}.{number}");
            self.dispatch.add(self.server.call_for("dispatch", &question(&task), "\"success\":true")?);
        }
        for number in 0..2 {
            let stamp = room.path().join(format!("stamp{round}.{number}"));
            self.woken.add(end_to_answer(&mut self.server, &stamp)?);
        }
        Ok(())
    }

    fn tell(&self, table: &mut Table) {
        let none = Duration::ZERO;
        table.heading("floors of this machine", ["median", "p99", ""]);
        table.measured("/bin/true, spawn to wait", &self.truth);
        table.measured("bare stand-in, spawn to wait", &self.bare);
        table.measured("unix socket round trip, 64 B", &self.socket);
        table.measured("append 200 B + fdatasync", &self.durable);
        table.heading("one client", ["median", "p99", "target (median)"]);
        table.judged("agent-dispatch --version", &self.version, none, Duration::from_millis(3));
        table.judged("spawn of serve to tools/list", &self.spawn, none, Duration::from_millis(5));
        table.judged("list_agents, 5 agents", &self.list, none, Duration::from_micros(300));
        table.judged("cache hit, 1 KB", &self.hit, none, Duration::from_micros(400));
        table.measured("  processor time of it, serve + daemon", &self.hit_processor);
        table.measured("dispatch of a 0 ms stand-in", &self.dispatch);
        let five = Duration::from_millis(5);
        table.judged("  less the bare stand-in", &self.dispatch, self.bare.median(), five);
        table.judged("child's end to dispatch_wait's answer", &self.woken, none, Duration::from_millis(3));
    }
}

fn question(task: &str) -> Value {
    json!({"agent": "agent0", "task": task})
}

fn spawn_to_tools(room: &Room) -> io::Result<Duration> {
    let started = Instant::now();
    let mut client = Client::start(room)?;
    let tools = client.list_tools()?;
    let took = started.elapsed();
    client.end()?;
    if tools.contains("dispatch_wait") { Ok(took) } else { Err(io::Error::other(tools)) }
}

/// Returns how long after the last act of the stand-in but its result line the answer of `dispatch_wait` was there.
fn end_to_answer(server: &mut Client, stamp: &Path) -> io::Result<Duration> {
    let task = format!("fake: say ok; delay 30; stamp {}", stamp.display());
    let (_, started) = server.call("dispatch_async", &question(&task))?;
    let started: Value = serde_json::from_str(&started)?;
    let job = started.pointer("/result/structuredContent/job_id").cloned();
    let job = job.ok_or_else(|| io::Error::other(format!("no job: {started}")))?;
    server.call_for("dispatch_wait", &json!({"job_id": job}), "\"success\":true")?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let nanos = std::fs::read_to_string(stamp)?.trim().parse().map_err(io::Error::other)?;
    Ok(now.saturating_sub(Duration::from_nanos(nanos)))
}

fn many(room: &Room, table: &mut Table) -> io::Result<()> {
    let clients = crowd::PROCESSES * crowd::CLIENTS_EACH;
    let target = 8000.0;
    table.heading("many clients", ["", "", "target"]);
    let front_ends = crowd::hits_of_front_ends(room, CACHED, CROWD_CALLS)?;
    let what = format!("cache hits a second, {clients} front ends in {} processes", crowd::PROCESSES);
    table.told(&what, format!("{front_ends:.0}"), Some((">= 8000", front_ends >= target)));
    let servers = crowd::hits_of_servers(room, CACHED, CROWD_CALLS / 4)?;
    table.told(&format!("cache hits a second, {clients} serve over MCP"), format!("{servers:.0}"), None);
    let (runs, took) = crowd::identical(room)?;
    let what = format!("{} identical at once, {} serve: runs", crowd::IDENTICAL, crowd::PROCESSES);
    table.told(&what, runs.to_string(), Some(("1", runs == 1)));
    table.told("  until all are answered (the run takes 200 ms)", format!("{} ms", took.as_millis()), None);
    Ok(())
}

fn memory(room: &Room, daemon: u32, table: &mut Table) -> io::Result<()> {
    let one = Client::open(room)?;
    let alone = memory::pss(one.pid())?;
    let own = memory::private(one.pid())?;
    let of_daemon = memory::pss(daemon)?;
    one.end()?;
    let mib = memory::mebibytes;
    table.heading("memory, idle", ["PSS", "", "target"]);
    table.told("one serve", mib(alone), Some(("<= 6 MiB", alone <= 6 * 1024)));
    table.told("  of which its own alone", mib(own), None);
    table.told("the daemon, after all of the above", mib(of_daemon), None);
    Ok(())
}

/// The daemon of a room, asked directly.
struct Daemon {
    runtime: tokio::runtime::Runtime,
    client: DaemonClient,
}

impl Daemon {
    fn new(room: &Room) -> io::Result<Self> {
        let environment =
            Environment::new(room.environment.clone(), room.path().to_owned(), room.program.clone())
                .map_err(io::Error::other)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { runtime, client: DaemonClient::new(&environment) })
    }

    fn pid(&self) -> io::Result<u32> {
        match self.runtime.block_on(self.client.ask(&Request::Status)).map_err(io::Error::other)? {
            Reply::Status(status) => Ok(status.pid),
            other => Err(io::Error::other(format!("{other:?}"))),
        }
    }

    fn stop(&self) -> io::Result<()> {
        self.runtime.block_on(self.client.stop()).map(|_| ()).map_err(io::Error::other)
    }
}
