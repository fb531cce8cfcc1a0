//! A store with a past: finished jobs, written through the store's own commit path, many to a commit.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use agent_dispatch::config::paths::StatePaths;
use agent_dispatch::job::{Admission, OpenRequest, Places, ProcessId, Proposal, RequestTexts};
use agent_dispatch::model::agent::{AuditContent, ProfileInForce};
use agent_dispatch::model::{Answer, Caller, Digest, JobId, OnDisconnect, RunResult, SessionId, SpendLimit};
use agent_dispatch::store::{Fault, Store, Txn, admit, ledger};

use crate::room::{AGENTS, Room};

/// Jobs of one commit: as many as keep it near the size at which the committer closes a group.
const JOBS_EACH: usize = 20;

/// Fills the store of a room whose daemon does not run. A process of its own does it: a store is opened before the first
/// thread exists.
pub(crate) fn fill(room: &Room, jobs: usize) -> io::Result<()> {
    let this = std::env::current_exe()?;
    let mut command = room.command(&this);
    let status = command.arg("history").arg(room.state()).arg(jobs.to_string()).status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("history: {status}"))) }
}

/// What that process does.
pub(crate) fn be_history(arguments: &[String]) -> io::Result<()> {
    let [root, jobs] = arguments else { return Err(io::Error::other("STATE JOBS")) };
    let jobs: usize = jobs.parse().map_err(io::Error::other)?;
    with_store(root, |store, runtime| {
        let numbers: Vec<usize> = (0..jobs).collect();
        for some in numbers.chunks(JOBS_EACH) {
            let some = some.to_vec();
            let written = store.commit(move |txn| some.iter().try_for_each(|number| one_job(txn, *number)));
            runtime.block_on(written).map_err(io::Error::other)?;
        }
        Ok(())
    })
}

/// Opens a store before there is a second thread: a process of its own does it.
pub(crate) fn with_store(
    root: &str,
    work: impl FnOnce(&Store, &tokio::runtime::Runtime) -> io::Result<()>,
) -> io::Result<()> {
    let paths = StatePaths::new(root.into(), None);
    DirBuilder::new().recursive(true).mode(0o700).create(root)?;
    let store = Store::open(&paths.store(), &paths.heads()).map_err(io::Error::other)?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let worked = work(&store, &runtime);
    store.stop();
    worked
}

/// A whole life in one transaction: opened, started, ended.
fn one_job(txn: &mut Txn<'_>, number: usize) -> Result<(), Fault> {
    let request = request(number);
    let (job, session) = (request.job, SessionId::generate());
    match admit::admit(txn, &request, &admit::Around::ALONE)? {
        Admission::Opened => {}
        other => return Err(Fault::Conflict(format!("{other:?}"))),
    }
    ledger::start(txn, job, ProcessId { pid: 1, start_ticks: 1 })?;
    let mut result = RunResult::succeeded(1000 + number as u64 % 9000);
    result.session = Some(session);
    result.cost_usd = Some(0.01);
    result.num_turns = Some(3);
    result.model = Some("claude-sonnet-4-5".to_owned());
    let answer = Answer { text: format!("The answer to question {number}. ").repeat(30), parsed: None };
    ledger::finish(txn, job, (result, answer).into(), ledger::Source::Worker).map(drop)
}

fn request(number: usize) -> OpenRequest {
    let agent = format!("agent{}", number % AGENTS);
    let task =
        format!("Question {number}: which hosts run the staging database, and how are they backed up?");
    let digest = Digest::of(task.as_bytes());
    OpenRequest {
        job: JobId::generate(),
        caller: Caller {
            client: "claude-code 2.1.197".to_owned(),
            session: Some("5a6b7c8d-0000-4000-8000-000000000000".to_owned()),
            directory: Some("/projects/web".to_owned()),
            pid: 4711,
            user: Some("somebody".to_owned()),
            ..Caller::default()
        },
        group: None,
        texts: RequestTexts { task, response_format: "text".to_owned(), ..RequestTexts::default() },
        proposal: Ok(Proposal {
            directory: Path::new("/projects").join(&agent),
            git_head: Some(format!("{number:040x}")),
            session: SessionId::generate(),
            resumed: false,
            profile: ProfileInForce { timeout_seconds: 300, ..ProfileInForce::default() },
            digest,
            key: None,
            cache: None,
            places: Places { everyone: 5, agent: None },
            spend: SpendLimit::default(),
            agent_spend: SpendLimit::default(),
        }),
        agent,
        attached: true,
        on_disconnect: OnDisconnect::Cancel,
        audit_content: AuditContent::Preview,
    }
}
