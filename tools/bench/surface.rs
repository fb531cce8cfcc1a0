//! The rest of the surface: every other way to dispatch, long answers, many agents, and a store with a past.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::Client;
use crate::room::{AGENTS, PLACES, Room};
use crate::samples::{Samples, Table};
use crate::{Daemon, SETTLED, floors, history, in_room, memory, question, spawn_to_tools};

/// Finished jobs of the store with a past.
const PAST: usize = 10_000;

/// Agents of the room with many.
const MANY_AGENTS: usize = 100;

/// Jobs that are started at once and not waited for.
const JOBS: usize = 200;

/// Characters of the long answer.
const LONG: usize = 10_000_000;

pub(crate) fn measure(rounds: usize, table: &mut Table) -> io::Result<()> {
    let few = rounds.div_ceil(4);
    let ways = Room::new(AGENTS, PLACES)?;
    in_room(&ways, |room, daemon| dispatches(room, daemon, few, table))?;
    let five = Room::new(AGENTS, 5)?;
    in_room(&five, |room, _| parallel(room, few, table))?;
    let past = Room::new(MANY_AGENTS, PLACES)?;
    history::fill(&past, PAST)?;
    in_room(&past, |room, _| with_a_past(room, rounds, table))
}

fn dispatches(room: &Room, daemon: &Daemon, rounds: usize, table: &mut Table) -> io::Result<()> {
    let daemon = daemon.pid()?;
    let ten = memory::of_ten(room, daemon)?;
    table.heading("every way to dispatch", ["median", "p99", "target (median)"]);
    let mut server = Client::open(room)?;
    let mut samples: [Samples; 6] = Default::default();
    let [streamed, lines, long, bare, grown, first] = &mut samples;
    let mut log = floors::Log::open(room)?;
    for round in 0..rounds {
        for number in 0..4 {
            let task = format!("fake: say ok\nstream {round}.{number}");
            streamed.add(server.call_for("dispatch_stream", &question(&task), "\"success\":true")?);
        }
        let task = format!("fake: lines 10000; say ok\nlines {round}");
        lines.add(server.call_for("dispatch_stream", &question(&task), "\"success\":true")?);
        let task = format!("fake: flood {LONG}\nlong {round}");
        let (took, answer) = server.call("dispatch", &question(&task))?;
        long.add(took);
        bare.add(floors::bare_fake(room, &format!("flood {LONG}"))?);
        grown.add(log.append(LONG)?);
        let id = text_at(&answer, "/result/structuredContent/ref")?;
        let part = json!({"ref": id, "max_chars": 1000});
        first.add(server.call_for("fetch_result", &part, "\"full_size\":10000000")?);
    }
    let jobs = asynchronous(&mut server)?;
    server.end()?;
    let (none, millis) = (Duration::ZERO, Duration::from_millis);
    table.judged("dispatch_stream of a 0 ms stand-in", streamed, none, millis(6));
    table.judged("dispatch_stream of 10,000 lines", lines, none, millis(60));
    table.judged("dispatch with an answer of 10 MB", long, none, millis(60));
    table.measured("  the bare stand-in of it", bare);
    table.measured("  as much appended to a file + fdatasync", grown);
    table.judged("fetch_result of its first 1,000 characters", first, none, millis(3));
    let rate = format!("{jobs:.0}");
    table.told("dispatch_async jobs a second, to the last one's end", rate, Some((">= 200", jobs >= 200.0)));
    let told = memory::mebibytes(ten);
    table.told("ten idle serve and the daemon, PSS", told, Some(("<= 40 MiB", ten <= 40 * 1024)));
    Ok(())
}

/// Returns how many jobs a second are started, run and collected.
fn asynchronous(server: &mut Client) -> io::Result<f64> {
    let started = Instant::now();
    let mut ids = Vec::new();
    for number in 0..JOBS {
        let task = format!("fake: say ok\njob {number}");
        let (_, answer) = server.call("dispatch_async", &question(&task))?;
        ids.push(text_at(&answer, "/result/structuredContent/job_id")?);
    }
    for some in ids.chunks(100) {
        server.call_for(
            "dispatch_wait",
            &json!({"job_id": some.join(","), "timeout_seconds": 60}),
            "\"jobs\"",
        )?;
    }
    Ok(f64::from(u32::try_from(JOBS).unwrap_or(u32::MAX)) / started.elapsed().as_secs_f64())
}

fn parallel(room: &Room, rounds: usize, table: &mut Table) -> io::Result<()> {
    let mut server = Client::open(room)?;
    let (mut took, mut bare, mut lanes) = (Samples::default(), Samples::default(), Samples::default());
    for round in 0..rounds {
        let items: Vec<Value> =
            (0..50).map(|number| question(&format!("fake: delay 20; say ok\n{round}.{number}"))).collect();
        took.add(server.call_for("dispatch_parallel", &json!({"dispatches": items}), "\"success\":true")?);
        bare.add(floors::bare_fake(room, "say ok")?);
        lanes.add(floors::bare_fakes(room, "delay 20; say ok", 5, 10)?);
    }
    server.end()?;
    let what = "dispatch_parallel, 50 of 20 ms at cap 5 (ideal: 200 ms)";
    table.judged(what, &took, Duration::ZERO, Duration::from_millis(220));
    table.measured("  the bare stand-in of 0 ms, ten of which are in it", &bare);
    table.measured("  the 50 bare stand-ins, 5 side by side", &lanes);
    Ok(())
}

fn with_a_past(room: &Room, rounds: usize, table: &mut Table) -> io::Result<()> {
    let mut server = Client::open(room)?;
    thread::sleep(SETTLED);
    server.call_for("list_agents", &json!({}), "agent99")?;
    let mut samples: [Samples; 6] = Default::default();
    let [tools, listing, agents, jobs, list, dry] = &mut samples;
    let newest = json!({"limit": 50});
    for _ in 0..rounds {
        tools.add(spawn_to_tools(room)?);
        listing.add(server.call_for("dispatch_jobs", &newest, "\"jobs\"")?);
        agents.add(server.call_for("list_agents", &json!({}), "agent99")?);
        jobs.add(floors::process(room, &room.program, &["jobs"])?);
        list.add(floors::process(room, &room.program, &["list"])?);
        dry.add(floors::process(room, &room.program, &["gc", "--all", "--dry-run", "-q"])?);
    }
    let (beside, gone) = beside_gc(room, &mut server)?;
    server.end()?;
    let (none, micros) = (Duration::ZERO, Duration::from_micros);
    let head = ["median", "p99", "target (median)"];
    table.heading(&format!("{PAST} finished jobs, {MANY_AGENTS} agents"), head);
    table.judged("spawn of serve to tools/list", tools, none, micros(5000));
    table.judged("dispatch_jobs, newest 50", listing, none, micros(2000));
    table.judged("list_agents, 100 agents", agents, none, micros(1500));
    table.judged("agent-dispatch jobs", jobs, none, micros(15_000));
    table.judged("agent-dispatch list", list, none, micros(10_000));
    table.judged("agent-dispatch gc --all --dry-run", dry, none, micros(60_000));
    table.told("agent-dispatch gc --all", format!("{} ms", gone.as_millis()), None);
    table.measured("  dispatch_jobs meanwhile", &beside);
    Ok(())
}

/// Removes everything, and returns what listings took meanwhile, and how long it took.
fn beside_gc(room: &Room, server: &mut Client) -> io::Result<(Samples, Duration)> {
    let mut samples = Samples::default();
    let mut command = room.command(&room.program);
    let started = Instant::now();
    let mut gc = command.args(["gc", "--all", "-q"]).spawn()?;
    let newest = json!({"limit": 50});
    loop {
        samples.add(server.call_for("dispatch_jobs", &newest, "\"jobs\"")?);
        if let Some(status) = gc.try_wait()? {
            let took = started.elapsed();
            return if status.success() { Ok((samples, took)) } else { Err(io::Error::other("gc failed")) };
        }
    }
}

fn text_at(answer: &str, pointer: &str) -> io::Result<String> {
    let value: Value = serde_json::from_str(answer)?;
    let text = value.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    text.ok_or_else(|| {
        io::Error::other(format!("no {pointer}: {}", answer.chars().take(300).collect::<String>()))
    })
}
