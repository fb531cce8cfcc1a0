//! The command line on a terminal: colours, tables that fit, a line that tells how it goes, and Ctrl-C.

#![expect(clippy::disallowed_methods, reason = "tests start the program in an environment of their choice")]

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::process::{Child, Command};
use std::thread::JoinHandle;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use serde_json::json;

use crate::world::World;

/// A program on a terminal of its own.
struct Terminal {
    keyboard: File,
    child: Child,
    /// Everything that came out so far; ends with the program.
    screen: JoinHandle<String>,
    seen: std::sync::mpsc::Receiver<String>,
}

/// What was seen on a terminal.
struct Seen {
    code: Option<i32>,
    text: String,
}

impl Terminal {
    /// Starts the program on a terminal of so many columns.
    fn start(world: &World, columns: u16, variables: &[(&str, &str)], arguments: &[&str]) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let slave = OpenOptions::new().read(true).write(true).open(name).unwrap();
        tcsetwinsize(&slave, Winsize { ws_row: 50, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        // Makes it the terminal of a new session, so that Ctrl-C is a signal.
        let mut command = Command::new("setsid");
        command.args(["--ctty", "--wait", env!("CARGO_BIN_EXE_agent-dispatch")]).args(arguments);
        command.env_clear().envs(world.environment()).env("TERM", "xterm-256color");
        command.envs(variables.iter().copied()).current_dir(world.path("."));
        command.stdin(slave.try_clone().unwrap()).stdout(slave.try_clone().unwrap()).stderr(slave);
        let child = command.spawn().unwrap();
        // It holds the other end for as long as it exists: then reading never ends.
        drop(command);
        let master = File::from(master);
        let keyboard = master.try_clone().unwrap();
        let (say, seen) = std::sync::mpsc::channel();
        let screen = std::thread::spawn(move || {
            let (mut master, mut text, mut bytes) = (master, String::new(), [0; 4096]);
            // Nobody on the other side any more is an error here, not an end.
            while let Ok(length @ 1..) = master.read(&mut bytes) {
                let new = String::from_utf8_lossy(&bytes[..length]).into_owned();
                text.push_str(&new);
                let _nobody_waits = say.send(new);
            }
            text
        });
        Self { keyboard, child, screen, seen }
    }

    /// Waits until this was on the screen.
    fn shows(&self, what: &str) {
        let mut text = String::new();
        while !text.contains(what) {
            match self.seen.recv_timeout(crate::world::SOON) {
                Ok(new) => text.push_str(&new),
                Err(error) => panic!("waited in vain for {what:?} ({error}): {text:?}"),
            }
        }
    }

    /// Waits for the end of the program.
    fn finish(mut self) -> Seen {
        let code = self.child.wait().unwrap().code();
        Seen { code, text: self.screen.join().unwrap() }
    }
}

fn run(world: &World, columns: u16, variables: &[(&str, &str)], arguments: &[&str]) -> String {
    let seen = Terminal::start(world, columns, variables, arguments).finish();
    assert_eq!(seen.code, Some(0), "{arguments:?}: {:?}", seen.text);
    seen.text
}

/// Returns the text without what colours it.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        plain.push_str(before);
        rest =
            after.trim_start_matches(|char: char| !char.is_ascii_alphabetic()).get(1..).unwrap_or_default();
    }
    plain + rest
}

#[test]
fn a_terminal_gets_colours_and_tables_that_fit_it() {
    let world = World::with_worker();
    world.script(&format!("cost 0.25; say {}; status done", "a long answer ".repeat(30)));
    let task = "a task of many words ".repeat(20);
    world.run(&["dispatch", "worker", &task]).ok();
    world.run(&["dispatch", "nobody", &task]).exits(4);
    for arguments in [&["list"][..], &["jobs"], &["audit"], &["stats"]] {
        let coloured = run(&world, 80, &[], arguments);
        assert!(coloured.contains("\u{1b}["), "{arguments:?}: {coloured:?}");
        for off in [("NO_COLOR", "1"), ("TERM", "dumb")] {
            let text = run(&world, 80, &[off], arguments);
            assert!(!text.contains('\u{1b}'), "{arguments:?} with {off:?}: {text:?}");
        }
        for columns in [40, 80, 200] {
            let text = plain(&run(&world, columns, &[], arguments));
            let table = text.split("\r\n\r\n").next().unwrap();
            let widest = table.lines().map(|line| line.trim_end().chars().count()).max().unwrap();
            assert!(widest <= usize::from(columns), "{arguments:?} at {columns}: {widest}\n{text}");
        }
        assert!(!world.run(arguments).ok().stdout.contains('\u{1b}'), "{arguments:?}");
    }
    let doctor = Terminal::start(&world, 80, &[], &["doctor"]).finish().text;
    assert!(doctor.contains("\u{1b}[32mok"), "{doctor:?}");
}

#[test]
fn a_narrow_terminal_leaves_columns_out_and_ids_that_can_be_typed() {
    let world = World::with_worker();
    world.run(&["dispatch", "worker", "a task of many words"]).ok();
    let sessions = world.run(&["sessions", "--json"]).ok().json();
    let id = sessions[0]["session_id"].as_str().unwrap();
    for columns in [40, 80] {
        let shown = plain(&run(&world, columns, &[], &["sessions"]));
        let row = shown.lines().nth(1).unwrap();
        assert!(row.starts_with(&format!("{}  worker  ", &id[..8])), "{shown}");
        assert!(row.contains("a task of"), "{shown}");
        assert!(row.trim_end().chars().count() <= usize::from(columns), "{shown}");
    }
    std::fs::write(world.path("list.json"), json!([{"agent": "worker", "task": "b"}]).to_string()).unwrap();
    let shown = plain(&run(&world, 40, &[], &["dispatch", "--parallel", "list.json"]));
    assert!(shown.starts_with("AGENT   STATUS  JOB "), "{shown}");
}

#[test]
fn a_dispatch_that_takes_its_time_says_how_it_goes_and_wipes_that_away() {
    let world = World::with_worker();
    world.script("say looking around; wait @go; say done it; cost 0.5");
    let terminal = Terminal::start(&world, 80, &[], &["dispatch", "worker", "slow"]);
    terminal.shows("worker: looking around (1 turn, ");
    world.touch("go");
    let seen = terminal.finish();
    assert_eq!(seen.code, Some(0));
    let (_, after) = seen.text.rsplit_once("\r\u{1b}[K").unwrap();
    assert!(after.starts_with("done it\r\nworker: done, "), "{:?}", seen.text);
    assert!(!after.contains('\u{1b}'), "{after:?}");
}

#[test]
fn control_c_takes_the_dispatch_back() {
    let world = World::with_worker();
    world.script("say looking around; touch @started; hang");
    let mut terminal = Terminal::start(&world, 80, &[], &["dispatch", "worker", "slow"]);
    world.appears("started");
    terminal.shows("worker: looking around (1 turn, ");
    terminal.keyboard.write_all(b"\x03").unwrap();
    let seen = terminal.finish();
    assert_eq!(seen.code, Some(1), "{:?}", seen.text);
    assert!(seen.text.contains("error: the dispatch was cancelled by its caller"), "{:?}", seen.text);
    let ended = crate::real::until(crate::world::SOON, || {
        let jobs = world.run(&["jobs", "--json"]).ok().json();
        (jobs[0]["status"] == json!("cancelled")).then_some(())
    });
    assert!(ended.is_some(), "the job was not cancelled");
}
