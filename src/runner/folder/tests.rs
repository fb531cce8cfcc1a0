//! Run folders on a real file system.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::model::agent::ProfileInForce;
use crate::model::{JobId, SessionId};
use crate::plan::{EnvironmentRule, Expects, RunPlan};
use crate::runner::folder::{FolderError, RunFolder};

fn plan(job: JobId) -> RunPlan {
    RunPlan {
        job,
        agent: "worker".parse().unwrap(),
        program: "/usr/bin/claude".into(),
        args: vec!["-p".to_owned(), "--model".to_owned(), "sonnet".to_owned()],
        directory: "/srv/worker".into(),
        environment: EnvironmentRule {
            inherit: Some(vec!["PATH".to_owned()]),
            deny: vec!["SECRET".to_owned()],
            set: BTreeMap::from([("AGENT_DISPATCH_DEPTH".to_owned(), "1".to_owned())]),
        },
        session: SessionId::generate(),
        resumed: false,
        timeout_ms: 300_000,
        stall_ms: 0,
        expects: Expects::Schema("{\"type\":\"object\"}".to_owned()),
        profile: ProfileInForce { timeout_seconds: 300, ..ProfileInForce::default() },
        trace: crate::model::TraceParent::of_run(None, job),
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn what_is_written_is_read_back_and_only_its_owner_may() {
    let runs = tempfile::tempdir().unwrap();
    let runs = runs.path().join("state/runs");
    let job = JobId::generate();
    let folder = RunFolder::create(&runs, job).unwrap();
    folder.write(&plan(job)).unwrap();
    folder.make_outputs().unwrap();
    fs::write(folder.stdout(), "said").unwrap();
    folder.make_outputs().unwrap();

    let again = RunFolder::open(&runs.join(job.to_string())).unwrap();
    assert_eq!(again, folder);
    let (read, expected) = (again.read_plan().unwrap(), plan(job));
    assert_eq!(read, RunPlan { session: read.session.clone(), ..expected });
    assert_eq!(fs::read_to_string(again.stdout()).unwrap(), "said");
    assert_eq!([mode(&runs), mode(folder.path())], [0o700; 2]);
    let files = [folder.plan(), folder.stdout(), folder.stderr()];
    assert_eq!(files.map(|file| mode(&file)), [0o600; 3]);
}

#[test]
fn a_folder_is_made_once_and_written_once() {
    let runs = tempfile::tempdir().unwrap();
    let job = JobId::generate();
    let folder = RunFolder::create(runs.path(), job).unwrap();
    assert!(matches!(RunFolder::create(runs.path(), job), Err(FolderError::Create { .. })));
    folder.write(&plan(job)).unwrap();
    let first = fs::read(folder.plan()).unwrap();
    assert!(matches!(folder.write(&plan(JobId::generate())), Err(FolderError::Write { .. })));
    assert_eq!(fs::read(folder.plan()).unwrap(), first);
}

#[test]
fn folders_are_listed_in_order_and_strangers_are_passed_over() {
    let runs = tempfile::tempdir().unwrap();
    assert_eq!(RunFolder::list(&runs.path().join("missing")).unwrap(), []);
    let jobs = [3, 1, 2].map(|byte| JobId::from_bytes([byte; 16]));
    let folders = jobs.map(|job| RunFolder::create(runs.path(), job).unwrap());
    fs::write(runs.path().join("README"), "not a job").unwrap();
    assert_eq!(RunFolder::list(runs.path()).unwrap(), [jobs[1], jobs[2], jobs[0]]);

    let [first, ..] = folders;
    first.clone().remove().unwrap();
    first.remove().unwrap();
    assert_eq!(RunFolder::list(runs.path()).unwrap(), [jobs[1], jobs[2]]);
}

#[test]
fn a_folder_that_is_kept_is_listed_as_that_and_not_as_a_run() {
    let runs = tempfile::tempdir().unwrap();
    let [one, other] = [1, 2].map(|byte| JobId::from_bytes([byte; 16]));
    fs::write(RunFolder::create(runs.path(), one).unwrap().stdout(), "said").unwrap();
    RunFolder::create(runs.path(), other).unwrap();
    let kept = RunFolder::keep(runs.path(), one).unwrap();
    assert_eq!(fs::read_to_string(kept.stdout()).unwrap(), "said");
    assert_eq!([RunFolder::kept(runs.path(), one), RunFolder::kept(runs.path(), other)], [Some(kept), None]);
    assert_eq!(RunFolder::list(runs.path()).unwrap(), [other]);
    assert_eq!(RunFolder::list_kept(runs.path()).unwrap(), [one]);
    assert!(matches!(RunFolder::keep(runs.path(), one), Err(FolderError::Rename { .. })));
}

#[test]
fn what_is_not_there_or_not_a_plan_is_named() {
    let runs = tempfile::tempdir().unwrap();
    let missing = runs.path().join("missing");
    assert_eq!(
        RunFolder::open(&missing).unwrap_err().to_string(),
        format!("could not open the run folder `{}`", missing.display())
    );
    let folder = RunFolder::create(runs.path(), JobId::generate()).unwrap();
    assert!(matches!(folder.read_plan(), Err(FolderError::Read { .. })));
    fs::write(folder.plan(), "{\"job\":").unwrap();
    assert!(matches!(folder.read_plan(), Err(FolderError::BadPlan { .. })));
}
