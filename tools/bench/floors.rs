//! What the machine itself costs, measured beside everything else: starting a process, a round trip, a durable line.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use crate::room::Room;

/// Starts a program and waits for its end.
pub(crate) fn process(room: &Room, program: &Path, arguments: &[&str]) -> io::Result<Duration> {
    question(room, program, arguments, &[0])
}

/// Starts a program and waits for its end, which may be one of these.
pub(crate) fn question(
    room: &Room,
    program: &Path,
    arguments: &[&str],
    codes: &[i32],
) -> io::Result<Duration> {
    let mut command = room.command(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null());
    if codes.contains(&1) {
        // Where it says that there was nothing to find.
        command.stderr(Stdio::null());
    }
    let started = Instant::now();
    let status = command.status()?;
    let took = started.elapsed();
    if status.code().is_some_and(|code| codes.contains(&code)) {
        Ok(took)
    } else {
        Err(io::Error::other(format!("{}: {status}", program.display())))
    }
}

/// Runs the stand-in as a worker runs it, its streams regular files.
pub(crate) fn bare_fake(room: &Room, script: &str) -> io::Result<Duration> {
    fake_in(room, room.path(), script)
}

/// Runs so many stand-ins one after the other in each of so many lanes side by side, and nothing else.
pub(crate) fn bare_fakes(room: &Room, script: &str, lanes: usize, each: usize) -> io::Result<Duration> {
    let started = Instant::now();
    thread::scope(|scope| {
        let lane = |number: usize| {
            scope.spawn(move || {
                let folder = room.path().join(format!("lane{number}"));
                std::fs::create_dir_all(&folder)?;
                (0..each).try_for_each(|_| fake_in(room, &folder, script).map(drop))
            })
        };
        let begun: Vec<_> = (0..lanes).map(lane).collect();
        let panicked = |_| io::Error::other("a lane panicked");
        begun.into_iter().try_for_each(|lane| lane.join().map_err(panicked)?)
    })?;
    Ok(started.elapsed())
}

fn fake_in(room: &Room, folder: &Path, script: &str) -> io::Result<Duration> {
    let prompt = folder.join("prompt");
    std::fs::write(&prompt, format!("fake: {script}\n"))?;
    let mut command = room.command(&room.fake);
    command
        .args(["-p", "--output-format", "stream-json", "--verbose"])
        .stdin(File::open(&prompt)?)
        .stdout(File::create(folder.join("out"))?)
        .stderr(File::create(folder.join("err"))?);
    let started = Instant::now();
    let status = command.status()?;
    let took = started.elapsed();
    if status.success() { Ok(took) } else { Err(io::Error::other(format!("fake-claude: {status}"))) }
}

/// A thread that sends back what it is sent, 64 bytes at a time.
pub(crate) struct Echo {
    stream: UnixStream,
}

impl Echo {
    pub(crate) fn start() -> io::Result<Self> {
        let (stream, mut other) = UnixStream::pair()?;
        // It ends when its other end is closed.
        thread::spawn(move || {
            let mut bytes = [0; 64];
            while other.read_exact(&mut bytes).and_then(|()| other.write_all(&bytes)).is_ok() {}
        });
        Ok(Self { stream })
    }

    pub(crate) fn round_trip(&mut self) -> io::Result<Duration> {
        let mut bytes = [7; 64];
        let started = Instant::now();
        self.stream.write_all(&bytes)?;
        self.stream.read_exact(&mut bytes)?;
        Ok(started.elapsed())
    }
}

/// A file that grows, each part of it on disk before the next.
pub(crate) struct Log(File);

impl Log {
    pub(crate) fn open(room: &Room) -> io::Result<Self> {
        OpenOptions::new().create(true).append(true).open(room.path().join("log")).map(Self)
    }

    pub(crate) fn append(&mut self, bytes: usize) -> io::Result<Duration> {
        let bytes = vec![b'.'; bytes];
        let started = Instant::now();
        self.0.write_all(&bytes)?;
        self.0.sync_data()?;
        Ok(started.elapsed())
    }
}
