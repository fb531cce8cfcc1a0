//! Records sent to a collector: a stand-in on this machine that answers what it is told.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::world::{SOON, World};

/// A collector that listens on a free port.
struct Collector {
    endpoint: String,
    taken: Receiver<Vec<u64>>,
}

impl Collector {
    /// Returns one that gives these answers, one after the other, and `200` from then on.
    fn new(answers: &'static [&'static str]) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").unwrap(), answers)
    }

    fn on(listener: TcpListener, answers: &'static [&'static str]) -> Self {
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let (take, taken) = channel();
        thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let answer = answers.get(number).copied().unwrap_or("200 OK");
                let seqs = answered(stream.unwrap(), answer);
                // The test may be over.
                if answer == "200 OK" && take.send(seqs).is_err() {
                    return;
                }
            }
        });
        Self { endpoint, taken }
    }

    /// Returns the numbers of the next records that it has taken.
    #[track_caller]
    fn next(&self) -> Vec<u64> {
        self.taken.recv_timeout(SOON).expect("records come")
    }
}

/// Reads one request and answers it. Returns the numbers of its records.
fn answered(stream: TcpStream, answer: &str) -> Vec<u64> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(reader.read_line(&mut head).unwrap(), 0, "{head}");
    }
    assert!(head.starts_with("POST /v1/logs HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("\r\nContent-Type: application/json\r\n"), "{head}");
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    reader.read_exact(&mut body).unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    let logs = body["resourceLogs"][0]["scopeLogs"][0]["logRecords"].as_array().unwrap();
    let seq = |log: &Value| {
        let attributes = log["attributes"].as_array().unwrap();
        let seq = attributes.iter().find(|attribute| attribute["key"] == "agent_dispatch.seq").unwrap();
        seq["value"]["intValue"].as_str().unwrap().parse().unwrap()
    };
    let answer = format!("HTTP/1.1 {answer}\r\nContent-Length: 2\r\n\r\n{{}}");
    reader.into_inner().write_all(answer.as_bytes()).unwrap();
    logs.iter().map(seq).collect()
}

fn world() -> World {
    let world = World::with_worker();
    world.script("say well");
    world.run(&["dispatch", "worker", "one"]).ok();
    world
}

/// A program that is killed when it goes out of scope.
struct Following(Child);

impl Drop for Following {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn follow(world: &World, endpoint: &str, cursor: &str) -> Following {
    let arguments = ["audit", "export", "--follow", "--otlp", endpoint, "--cursor", cursor];
    let mut command = world.agent_dispatch(&arguments);
    Following(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
}

#[test]
fn everything_is_sent_once_and_then_what_is_new() {
    let world = world();
    let collector = Collector::new(&[]);
    let cursor = world.path("cursor");
    let send = || {
        let arguments =
            ["audit", "export", "--otlp", &collector.endpoint, "--cursor", cursor.to_str().unwrap()];
        world.run(&arguments)
    };
    let done = send().ok();
    assert!(done.stderr.starts_with("3 records sent to http://127.0.0.1:"), "{done:?}");
    assert_eq!(collector.next(), [1, 2, 3]);
    send().exits(1);
    world.run(&["dispatch", "worker", "one"]).ok();
    send().ok();
    assert_eq!(collector.next(), [4]);
}

#[test]
fn a_collector_that_is_busy_is_asked_again_and_one_that_refuses_is_not() {
    let world = world();
    let cursor = world.path("cursor");
    let cursor = cursor.to_str().unwrap();
    let collector = Collector::new(&["503 Service Unavailable", "429 Too Many Requests\r\nRetry-After: 0"]);
    let done = world.run(&["audit", "export", "--otlp", &collector.endpoint, "--cursor", cursor]).ok();
    assert!(done.stderr.contains("does not take the records yet: it answered 503"), "{done:?}");
    assert_eq!(collector.next(), [1, 2, 3]);
    let moved = fs::read_to_string(cursor).unwrap();

    world.run(&["dispatch", "worker", "one"]).ok();
    let collector = Collector::new(&["400 Bad Request"]);
    let done = world.run(&["audit", "export", "--otlp", &collector.endpoint, "--cursor", cursor]).exits(5);
    assert!(done.stderr.contains("it answered 400"), "{done:?}");
    assert_eq!(fs::read_to_string(cursor).unwrap(), moved);
    let done = world.run(&["audit", "export", "--otlp", "https://127.0.0.1:1"]).exits(2);
    assert!(done.stderr.contains("needs TLS"), "{done:?}");
    world.run(&["audit", "export", "--follow"]).exits(2);
}

#[test]
fn following_goes_on_when_the_daemon_is_another_one_and_when_it_itself_was_killed() {
    let world = world();
    let cursor = world.path("cursor");
    let cursor = cursor.to_str().unwrap();
    // Nobody listens yet: it waits.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let following = follow(&world, &format!("http://{address}"), cursor);
    let collector = Collector::on(TcpListener::bind(address).unwrap(), &[]);
    assert_eq!(collector.next(), [1, 2, 3]);
    world.run(&["dispatch", "worker", "one"]).ok();
    assert_eq!(collector.next(), [4]);
    world.run(&["daemon", "stop"]).ok();
    world.run(&["dispatch", "worker", "one"]).ok();
    assert_eq!(collector.next(), [5]);
    drop(following);
    world.run(&["dispatch", "worker", "one"]).ok();
    let _following = follow(&world, &format!("http://{address}"), cursor);
    // The cursor moves after the answer, so the last one may come again.
    let mut seen = collector.next();
    if seen == [5] {
        seen = collector.next();
    }
    assert!(seen == [6] || seen == [5, 6], "{seen:?}");
}

#[test]
fn an_interrupt_ends_the_following_in_peace() {
    let world = world();
    let collector = Collector::new(&[]);
    let arguments = ["audit", "export", "--follow", "--otlp", &collector.endpoint];
    let mut command = world.agent_dispatch(&arguments);
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    assert_eq!(collector.next(), [1, 2, 3]);
    // The answer is on its way; an interrupt before it came would count nothing, and exit with 1.
    world.run(&["dispatch", "worker", "one"]).ok();
    assert_eq!(collector.next(), [4]);
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8(output.stderr).unwrap().contains("records sent to http://127.0.0.1:"));
}
