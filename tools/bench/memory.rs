//! What processes hold and have used, as the kernel counts it.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use crate::client::Client;
use crate::room::Room;

/// Returns the proportional set size of a process, in KiB: its own pages, and its share of those it shares.
pub(crate) fn pss(pid: u32) -> io::Result<u64> {
    field(&fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?, "Pss:")
}

/// Returns the sum over ten idle servers of a room and its daemon, in KiB.
pub(crate) fn of_ten(room: &Room, daemon: u32) -> io::Result<u64> {
    let ten = (0..10).map(|_| Client::open(room)).collect::<io::Result<Vec<_>>>()?;
    let sum = ten.iter().map(|client| pss(client.pid())).sum::<io::Result<u64>>()? + pss(daemon)?;
    ten.into_iter().try_for_each(Client::end)?;
    Ok(sum)
}

/// Returns a size in KiB as people read it.
pub(crate) fn mebibytes(kib: u64) -> String {
    format!("{}.{} MiB", kib / 1024, kib % 1024 * 10 / 1024)
}

/// Returns what a process has alone, in KiB.
pub(crate) fn private(pid: u32) -> io::Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    Ok(field(&text, "Private_Clean:")? + field(&text, "Private_Dirty:")?)
}

fn field(text: &str, name: &str) -> io::Result<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|rest| rest.split_whitespace().next()).and_then(|number| number.parse().ok());
    number.ok_or_else(|| io::Error::other(format!("no {name} in smaps_rollup")))
}

/// Returns the processor time that the threads of a process have used.
pub(crate) fn processor_time(pid: u32) -> io::Result<Duration> {
    let mut sum = Duration::ZERO;
    for thread in fs::read_dir(Path::new("/proc").join(pid.to_string()).join("task"))? {
        // A thread may have ended meanwhile.
        let text = fs::read_to_string(thread?.path().join("schedstat")).unwrap_or_default();
        let nanos = text.split_whitespace().next().and_then(|nanos| nanos.parse().ok());
        sum += Duration::from_nanos(nanos.unwrap_or(0));
    }
    Ok(sum)
}
