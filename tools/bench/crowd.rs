//! Many clients at once: cache hits a second, and identical dispatches that must cost one run.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::process::Stdio;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use agent_dispatch::config::paths::Environment;
use agent_dispatch::dispatch::{Dispatched, Frontend, Patience, Served};
use agent_dispatch::model::DispatchRequest;
use agent_dispatch::model::request::{RawRequest, Sharing};
use serde_json::json;

use crate::client::Client;
use crate::room::Room;

/// Clients of the crowd, as processes and clients in each.
pub(crate) const PROCESSES: usize = 4;
pub(crate) const CLIENTS_EACH: usize = 4;

/// Identical dispatches at once.
pub(crate) const IDENTICAL: usize = 20;

/// Returns the answers a second that 16 servers, each with a client that asks one thing after the other, get from the
/// cache.
pub(crate) fn hits_of_servers(room: &Room, task: &str, calls: usize) -> io::Result<f64> {
    let clients = PROCESSES * CLIENTS_EACH;
    let barrier = Barrier::new(clients + 1);
    let question = json!({"agent": "agent0", "task": task});
    thread::scope(|scope| {
        let asking: Vec<_> = (0..clients)
            .map(|_| {
                scope.spawn(|| -> io::Result<()> {
                    let client = Client::open(room);
                    barrier.wait();
                    let mut client = client?;
                    for _ in 0..calls {
                        client.call_for("dispatch", &question, "\"cached\":true")?;
                    }
                    client.end()
                })
            })
            .collect();
        barrier.wait();
        let started = Instant::now();
        for thread in asking {
            thread.join().map_err(|_| io::Error::other("a client panicked"))??;
        }
        Ok(rate(clients * calls, started.elapsed()))
    })
}

/// Returns the same for front ends without the protocol: four processes of this program with four front ends each.
pub(crate) fn hits_of_front_ends(room: &Room, task: &str, calls: usize) -> io::Result<f64> {
    let this = std::env::current_exe()?;
    let mut children = Vec::new();
    for _ in 0..PROCESSES {
        let mut command = room.command(&this);
        command.arg("front-ends").arg(&room.program).arg(task).arg(calls.to_string());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let streams = child.stdin.take().zip(child.stdout.take());
        let (input, output) = streams.ok_or_else(|| io::Error::other("no pipes"))?;
        children.push((child, input, BufReader::new(output)));
    }
    for (_, _, output) in &mut children {
        expect(output, "ready")?;
    }
    let started = Instant::now();
    for (_, input, _) in &mut children {
        input.write_all(b"go\n")?;
    }
    for (_, _, output) in &mut children {
        expect(output, "done")?;
    }
    let took = started.elapsed();
    for (mut child, _, _) in children {
        child.wait()?;
    }
    Ok(rate(PROCESSES * CLIENTS_EACH * calls, took))
}

fn expect(output: &mut impl io::BufRead, word: &str) -> io::Result<()> {
    let mut line = String::new();
    output.read_line(&mut line)?;
    if line.trim() == word {
        Ok(())
    } else {
        Err(io::Error::other(format!("a front end said `{}`", line.trim())))
    }
}

fn rate(calls: usize, took: Duration) -> f64 {
    f64::from(u32::try_from(calls).unwrap_or(u32::MAX)) / took.as_secs_f64()
}

/// What one of those processes does: says that it is ready, waits for a line, asks, says that it is done.
pub(crate) fn be_front_ends(arguments: &[String]) -> io::Result<()> {
    let [program, task, calls] = arguments else { return Err(io::Error::other("PROGRAM TASK CALLS")) };
    let calls: usize = calls.parse().map_err(io::Error::other)?;
    let variables = std::env::vars_os().collect();
    let environment =
        Environment::new(variables, std::env::current_dir()?, program.into()).map_err(io::Error::other)?;
    let request = RawRequest { agent: "agent0".to_owned(), task: task.clone(), ..RawRequest::default() };
    let request = DispatchRequest::new(request, Sharing::CacheAndJoin)
        .map_err(|problems| io::Error::other(format!("{problems:?}")))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let front_ends: Vec<_> = (0..CLIENTS_EACH).map(|_| Frontend::new(environment.clone())).collect();
    // The first call of each opens its connection.
    runtime.block_on(ask_all(&front_ends, &request, 1))?;
    io::stdout().write_all(b"ready\n")?;
    io::stdin().lock().read_line(&mut String::new())?;
    runtime.block_on(ask_all(&front_ends, &request, calls))?;
    io::stdout().write_all(b"done\n")
}

async fn ask_all(front_ends: &[Frontend], request: &DispatchRequest, calls: usize) -> io::Result<()> {
    let asking = front_ends.iter().map(async |front_end| {
        for _ in 0..calls {
            let never = std::future::pending();
            let answer =
                front_end.dispatch(request, "bench", Patience::ToTheEnd, &mut |_, _| {}, never).await;
            match answer.map_err(io::Error::other)? {
                Dispatched::Ended(ended) if ended.served == Served::Cache => {}
                other => return Err(io::Error::other(format!("not from the cache: {other:?}"))),
            }
        }
        Ok(())
    });
    futures_util::future::try_join_all(asking).await.map(|_| ())
}

/// Sends the same dispatch many times at once, through several servers. Returns how often it ran, and how long all took.
pub(crate) fn identical(room: &Room) -> io::Result<(usize, Duration)> {
    let starts = room.path().join("starts");
    let task = format!("fake: count-starts {}; delay 200; say once", starts.display());
    let question = json!({"agent": "agent0", "task": task});
    let mut clients = (0..PROCESSES).map(|_| Client::open(room)).collect::<io::Result<Vec<_>>>()?;
    let started = Instant::now();
    for _ in 0..IDENTICAL / PROCESSES {
        for client in &mut clients {
            client.begin("dispatch", &question)?;
        }
    }
    for client in &mut clients {
        client.answers(IDENTICAL / PROCESSES, "\"success\":true")?;
    }
    let took = started.elapsed();
    clients.into_iter().try_for_each(Client::end)?;
    Ok((std::fs::read_to_string(&starts)?.lines().count(), took))
}
