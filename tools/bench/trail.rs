//! A long audit trail: made of plausible records through the store's own commit path, and what it costs to have it.

use std::io::{self, Write as _};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use agent_dispatch::audit::{Code, Record};
use agent_dispatch::model::Timestamp;

use crate::history::with_store;
use crate::plot::Plot;
use crate::room::{AGENTS, PLACES, Room};
use crate::samples::{Samples, Table};
use crate::{Daemon, floors, in_room};

/// Records of one commit: so many that the flushes are not what takes the time.
const RECORDS_EACH: u64 = 400;

/// The story that is told.
const SEED: u64 = 1;

/// Records of the trail that the long one is compared with.
const SHORT: u64 = 1000;

/// Appends that are measured at a time.
const APPENDS: usize = 300;

/// What `bench trail STATE RECORDS` does: fills the store of a state directory whose daemon does not run.
pub(crate) fn be_trail(arguments: &[String]) -> io::Result<()> {
    let [root, records] = arguments else { return Err(io::Error::other("usage: bench trail STATE RECORDS")) };
    let records: u64 = records.parse().map_err(io::Error::other)?;
    with_store(root, |store, runtime| {
        let mut plot = Plot::new(SEED, records, Timestamp::now());
        loop {
            let some: Vec<Record> = plot.by_ref().take(usize::try_from(RECORDS_EACH).unwrap_or(1)).collect();
            if some.is_empty() {
                return Ok(());
            }
            let written =
                store.commit(|txn| some.into_iter().try_for_each(|record| txn.append(record).map(drop)));
            runtime.block_on(written).map_err(io::Error::other)?;
        }
    })
}

/// What `bench appends STATE COUNT` does: appends records, each durable before the next, and prints what each took.
pub(crate) fn be_appends(arguments: &[String]) -> io::Result<()> {
    let [root, count] = arguments else { return Err(io::Error::other("usage: bench appends STATE COUNT")) };
    let count: usize = count.parse().map_err(io::Error::other)?;
    with_store(root, |store, runtime| {
        let mut took = Vec::new();
        for _ in 0..count {
            let mut record = Record::new(Timestamp::now(), Code::ConfigChanged);
            record.agent = Some("agent0".to_owned());
            record.reason = Some("updated an agent: ".to_owned() + &"x".repeat(500));
            let started = Instant::now();
            runtime.block_on(store.commit(|txn| txn.append(record))).map_err(io::Error::other)?;
            took.push(format!("{}\n", started.elapsed().as_nanos()));
        }
        io::stdout().write_all(took.concat().as_bytes())
    })
}

/// Returns what this program prints in a room, with these arguments.
fn this_program(room: &Room, arguments: &[&str]) -> io::Result<String> {
    let output = room
        .command(&std::env::current_exe()?)
        .arg(arguments.first().copied().unwrap_or_default())
        .arg(room.state())
        .args(arguments.iter().skip(1))
        .stdin(Stdio::null())
        .output()?;
    if !output.status.success() {
        return Err(io::Error::other(format!("{arguments:?}: {}", output.status)));
    }
    String::from_utf8(output.stdout).map_err(io::Error::other)
}

/// Measures a trail of so many records beside a short one.
pub(crate) fn measure(records: u64, rounds: usize, table: &mut Table) -> io::Result<()> {
    let few = rounds.div_ceil(8).max(3);
    let rooms = [Room::new(AGENTS, PLACES)?, Room::new(AGENTS, PLACES)?];
    let [long, short] = &rooms;
    let started = Instant::now();
    this_program(long, &["trail", &records.to_string()])?;
    let made = started.elapsed();
    this_program(short, &["trail", &SHORT.to_string()])?;

    table.heading(&format!("an audit trail of {records} records"), ["median", "p99", "target (median)"]);
    let target = ("<= 60 s", made <= Duration::from_secs(60));
    table.told("making it", format!("{:.1} s", made.as_secs_f64()), Some(target));
    let bytes = size(&long.state())?;
    table.told("bytes on disk, each record", (bytes / records.max(1)).to_string(), None);
    appends(long, short, few, table)?;

    let mut cold = Samples::default();
    for _ in 0..few {
        in_room(long, |_, daemon| {
            let started = Instant::now();
            daemon.pid()?;
            cold.add(started.elapsed());
            Ok(())
        })?;
    }
    table.measured("start of the daemon, to its first answer", &cold);
    in_room(short, |room, daemon| asked(room, daemon, few, SHORT, table))?;
    in_room(long, |room, daemon| asked(room, daemon, few, records, table))
}

/// Appends to both in turns, so that a busy moment meets both alike.
fn appends(long: &Room, short: &Room, rounds: usize, table: &mut Table) -> io::Result<()> {
    let (mut behind_many, mut behind_few) = (Samples::default(), Samples::default());
    for _ in 0..rounds {
        for (room, samples) in [(long, &mut behind_many), (short, &mut behind_few)] {
            for line in this_program(room, &["appends", &APPENDS.to_string()])?.lines() {
                samples.add(Duration::from_nanos(line.parse().map_err(io::Error::other)?));
            }
        }
    }
    table.measured(&format!("durable append behind {SHORT}"), &behind_few);
    table.judged(
        "durable append behind all of it",
        &behind_many,
        Duration::ZERO,
        behind_few.median().mul_f64(1.2),
    );
    Ok(())
}

/// A command, its title, the milliseconds that it may take with a long trail, and how it may end.
type Question = (&'static str, &'static [&'static str], u64, &'static [i32]);

const QUESTIONS: [Question; 5] = [
    ("audit -n 50", &["audit", "-n", "50"], 30, &[0]),
    (
        "audit --agent infra --since 1d -n 50",
        &["audit", "--agent", "infra", "--since", "24h ago", "-n", "50"],
        100,
        // In a short trail there may be none.
        &[0, 1],
    ),
    ("stats", &["stats"], 1500, &[0]),
    ("audit stats --by agent", &["audit", "stats", "--by", "agent"], 1500, &[0]),
    ("audit verify", &["audit", "verify"], 3000, &[0]),
];

fn asked(room: &Room, daemon: &Daemon, rounds: usize, records: u64, table: &mut Table) -> io::Result<()> {
    daemon.pid()?;
    table.heading(&format!("asked of {records} records"), ["median", "p99", "target (median)"]);
    for (what, arguments, millis, codes) in QUESTIONS {
        let mut samples = Samples::default();
        for _ in 0..rounds {
            samples.add(floors::question(room, &room.program, arguments, codes)?);
        }
        table.judged(what, &samples, Duration::ZERO, Duration::from_millis(millis));
    }
    Ok(())
}

/// Returns the bytes of all files below a directory.
fn size(directory: &Path) -> io::Result<u64> {
    let mut sum = 0;
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let found = entry.metadata()?;
        sum += if found.is_dir() { size(&entry.path())? } else { found.len() };
    }
    Ok(sum)
}
