//! What the tests of this room share: a store in a directory of its own, records, and this test program run again as a
//! process that may be killed.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::audit::chain::{Head, Link, Verifier};
use crate::audit::{AuditKey, Code, Record};
use crate::job::{CachePolicy, OpenRequest, Places, Proposal, RequestTexts};
use crate::model::agent::{AuditContent, ProfileInForce};
use crate::model::{Caller, Digest, JobId, OnDisconnect, SessionId, SpendLimit, Timestamp};
use crate::store::schema;
use crate::store::{
    CommitError, Committer, Database, Direction, Durability, Fault, HeadFile, Opened, Txn, keys,
};

/// Tells a copy of this program what to do: a role, a space, and a directory.
const ROLE: &str = "AGENT_DISPATCH_TEST_STORE_ROLE";

/// A store that is open, with its writer.
pub(in crate::store) struct Room {
    pub(in crate::store) database: Database,
    pub(in crate::store) committer: Committer,
    pub(in crate::store) fatal: Arc<Mutex<Vec<String>>>,
    pub(in crate::store) outside: Option<Head>,
}

impl Room {
    /// Opens the store below `dir` without the fsync filter: a killed process loses nothing that was written.
    pub(in crate::store) fn open(dir: &Path) -> Self {
        Self::with(dir, open(dir).database)
    }

    pub(in crate::store) fn with(dir: &Path, database: Database) -> Self {
        let (heads, outside) = HeadFile::open(&dir.join("audit-heads.log")).unwrap();
        let fatal = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&fatal);
        let on_fatal = Box::new(move |reason| told.lock().unwrap().push(reason));
        let committer = Committer::start(database.clone(), heads, head(&database), audit_key(), on_fatal);
        Self { database, committer, fatal, outside }
    }

    pub(in crate::store) fn commit<R: Send + 'static>(
        &self,
        change: impl FnOnce(&mut Txn<'_>) -> Result<R, Fault> + Send + 'static,
    ) -> Result<R, CommitError> {
        block_on(self.committer.commit(change))
    }

    pub(in crate::store) fn put(&self, key: &[u8], value: Vec<u8>) {
        let key = key.to_vec();
        self.commit(move |txn| {
            txn.put(key, value);
            Ok(())
        })
        .unwrap();
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.committer.stop();
    }
}

/// Returns the key of every store here.
pub(in crate::store) fn audit_key() -> Arc<AuditKey> {
    Arc::new(AuditKey::from_bytes([7; 32]))
}

pub(in crate::store) fn store_dir(dir: &Path) -> PathBuf {
    dir.join("store")
}

pub(in crate::store) fn open(dir: &Path) -> Opened {
    Database::open(&store_dir(dir), Durability::Filtered).unwrap()
}

pub(in crate::store) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// Returns the stored end of the audit chain.
pub(in crate::store) fn head(database: &Database) -> Head {
    database.get(keys::HEAD).unwrap().map_or(Head::EMPTY, |bytes| schema::decode(&bytes).unwrap())
}

/// Checks the audit chain from `from` to its stored end, which is returned.
pub(in crate::store) fn verified(database: &Database, from: Head) -> Head {
    let mut verifier = Verifier::from(from);
    let (_, end) = keys::under(keys::AUDIT);
    let range = (std::ops::Bound::Excluded(keys::audit(from.seq)), end);
    for entry in database.scan(range, Direction::Forward) {
        let (key, value) = entry.unwrap();
        let link = Link::decode(keys::seq_of(&key).unwrap(), &value).unwrap();
        verifier.check(&link.view()).unwrap();
    }
    let head = head(database);
    verifier.finish(head).unwrap();
    head
}

pub(in crate::store) fn record(text: &str) -> Record {
    let mut record = Record::new(Timestamp::from_millis(1_800_000_000_000), Code::Requested);
    record.reason = Some(text.to_owned());
    record
}

/// Returns a request of the agent `worker` to run `task`, with this long a time.
pub(in crate::store) fn request(task: &str, seconds: u64) -> OpenRequest {
    let profile = ProfileInForce { timeout_seconds: seconds, ..ProfileInForce::default() };
    let proposal = Proposal {
        directory: "/srv/docs".into(),
        git_head: None,
        session: SessionId::generate(),
        resumed: false,
        profile,
        digest: Digest::of(task.as_bytes()),
        key: Some(Digest::of(task.as_bytes())),
        cache: Some(CachePolicy { ttl_ms: 60_000, entries_max: 10 }),
        places: Places { everyone: 5, agent: None },
        spend: SpendLimit::default(),
        agent_spend: SpendLimit::default(),
    };
    OpenRequest {
        job: JobId::generate(),
        agent: "worker".to_owned(),
        group: None,
        caller: Caller::default(),
        texts: RequestTexts { task: task.to_owned(), ..RequestTexts::default() },
        proposal: Ok(proposal),
        attached: false,
        on_disconnect: OnDisconnect::Detach,
        audit_content: AuditContent::Digest,
    }
}

/// Returns a request of the agent `docs` that is shared with no other.
pub(crate) fn request_alone(job: JobId) -> OpenRequest {
    let mut request = request(&format!("the question of {job}"), 300);
    let proposal = request.proposal.as_mut().expect("it is one that runs");
    (proposal.key, proposal.cache) = (None, None);
    OpenRequest { job, agent: "docs".to_owned(), ..request }
}

/// Returns everything that is stored, in order, without the store's format.
pub(in crate::store) fn contents(database: &Database) -> Vec<(Vec<u8>, Vec<u8>)> {
    let everything = (std::ops::Bound::Unbounded, std::ops::Bound::Unbounded);
    let entries = database.scan_raw(everything, Direction::Forward).map(Result::unwrap);
    entries.filter(|(key, _)| key != keys::FORMAT).collect()
}

/// Numbers that look random and come back with their seed.
pub(in crate::store) struct Random(u64);

impl Random {
    /// Takes the seed from the environment, or makes one; shows it, so that a failure can be repeated.
    #[expect(clippy::disallowed_methods, reason = "a failing run is repeated with its seed")]
    pub(in crate::store) fn new() -> Self {
        let given = std::env::var("AGENT_DISPATCH_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = given.unwrap_or_else(|| Timestamp::now().as_millis());
        writeln!(std::io::stderr(), "AGENT_DISPATCH_TEST_SEED={seed}").unwrap();
        Self(seed)
    }

    pub(in crate::store) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

/// Lets this much time pass, or a little less.
pub(in crate::store) fn pause(time: Duration) {
    std::thread::park_timeout(time);
}

/// Returns the role and the directory of this process, if it is a copy made by [`Copy::of`].
#[expect(
    clippy::disallowed_methods,
    reason = "a copy of the test program is told its role by its environment"
)]
pub(in crate::store) fn role() -> Option<(String, PathBuf)> {
    let told = std::env::var(ROLE).ok()?;
    let (role, dir) = told.split_once(' ')?;
    Some((role.to_owned(), PathBuf::from(dir)))
}

/// Says something to the process that made this copy.
pub(in crate::store) fn say(words: &str) {
    // One write, begun on a new line: the test harness writes to the same pipe.
    std::io::stdout().write_all(format!("\nsaid {words}\n").as_bytes()).unwrap();
    std::io::stdout().flush().unwrap();
}

/// A copy of this test program, running one test in a role. Killed when it goes out of scope.
pub(in crate::store) struct Copy {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Copy {
    /// Starts `test` (as `module_path!()` and a name) in a role.
    #[expect(clippy::disallowed_methods, reason = "a process that can be killed is the point of these tests")]
    pub(in crate::store) fn of(module: &str, test: &str, role: &str, dir: &Path) -> Self {
        let module = module.split_once("::").unwrap().1;
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &format!("{module}::{test}"), "--nocapture", "--test-threads=1"])
            .env(ROLE, format!("{role} {}", dir.display()))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, output }
    }

    /// Waits for the next thing it says; `None` when it is gone.
    pub(in crate::store) fn hear(&mut self) -> Option<String> {
        loop {
            let mut line = String::new();
            if self.output.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            // A killed process may leave a torn last line.
            if let Some(words) = line.strip_prefix("said ").and_then(|rest| rest.strip_suffix('\n')) {
                return Some(words.to_owned());
            }
        }
    }

    /// Kills it at once.
    pub(in crate::store) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Returns all that it still says.
    pub(in crate::store) fn rest(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.hear()).collect()
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        self.kill();
    }
}
