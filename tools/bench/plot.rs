//! Audit records that might have been: dispatches of a quarter of a year, told one record after the other. The same seed
//! tells the same story.

use std::collections::{BTreeMap, VecDeque};

use agent_dispatch::audit::{Code, End, Record};
use agent_dispatch::model::agent::ProfileInForce;
use agent_dispatch::model::{Caller, Digest, JobId, Timestamp, ToolUse, Usage};

/// How long the story lasts, in milliseconds: 90 days.
const SPAN_MS: u64 = 90 * DAY_MS;
const DAY_MS: u64 = 86_400_000;

/// Runs whose answers are given again.
const ANSWERS: usize = 1000;

const AGENTS: [&str; 12] = [
    "agent0", "agent1", "agent2", "agent3", "agent4", "infra", "web", "api", "docs", "billing", "mobile",
    "data",
];
const CLIENTS: [&str; 4] = ["claude-code 2.1.197", "claude-code 2.1.203", "cli", "cron"];
const MODELS: [&str; 3] = ["claude-sonnet-4-5", "claude-opus-4-5", "claude-haiku-4-5"];
const TOOLS: [&str; 10] =
    ["Read", "Grep", "Glob", "Bash", "Edit", "Write", "WebFetch", "Task", "TodoWrite", "mcp__db__query"];
const ERRORS: [&str; 6] = ["timeout", "permission", "usage_limit", "overloaded", "budget", "cli_error"];
const TASKS: [&str; 6] = [
    "Which hosts run the staging database, and how are they backed up?",
    "Find out why the nightly export takes twice as long since last week, and propose a fix.",
    "List all endpoints that still accept the old token format.",
    "Update the runbook for a failed deployment; keep its structure.",
    "Which services restart nightly, and why?",
    "Review this change: does it keep the guarantees that the module documentation makes?",
];

/// Numbers that look random and come back with their seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }

    /// Returns one of them, the first ones more often.
    fn one(&mut self, of: &[&'static str]) -> &'static str {
        let at = self.below(of.len() as u64).min(self.below(of.len() as u64));
        usize::try_from(at).ok().and_then(|at| of.get(at)).copied().unwrap_or_default()
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// The story, told record by record.
pub(crate) struct Plot {
    random: Random,
    told: u64,
    records: u64,
    begin: u64,
    /// What is to be told next.
    next: VecDeque<Record>,
    /// The last runs that ended well: their answers are given again.
    answers: VecDeque<String>,
    /// Jobs that ended since the last clean-up.
    ended: u64,
    day: u64,
}

impl Plot {
    /// Returns a story of so many records that ends at `now`.
    pub(crate) fn new(seed: u64, records: u64, now: Timestamp) -> Self {
        let begin = now.as_millis().saturating_sub(SPAN_MS);
        Self {
            random: Random(seed),
            told: 0,
            records,
            begin,
            next: VecDeque::new(),
            answers: VecDeque::new(),
            ended: 0,
            day: 0,
        }
    }

    fn now(&self) -> Timestamp {
        let passed = u128::from(SPAN_MS) * u128::from(self.told) / u128::from(self.records.max(1));
        Timestamp::from_millis(self.begin + u64::try_from(passed).unwrap_or(SPAN_MS))
    }

    fn scene(&mut self) {
        let day = self.now().as_millis() / DAY_MS;
        if day != self.day {
            self.day = day;
            self.clean_up();
            return;
        }
        let caller = self.caller(None, 0);
        match self.random.below(100) {
            0..=11 => self.aside(Code::Hit, &caller),
            12..=16 => self.aside(Code::Joined, &caller),
            17..=20 => self.aside(Code::Refused, &caller),
            21 if self.random.chance(5) => self.settings(caller),
            21..=26 => self.tree(&caller),
            _ => drop(self.life(&caller, None)),
        }
    }

    /// Removes every job that has ended: none of the story's jobs is stored.
    fn clean_up(&mut self) {
        let mut record = Record::new(self.now(), Code::Gc);
        let jobs = std::mem::take(&mut self.ended);
        record.caller = Some(Caller { client: "cron".to_owned(), pid: 99, ..Caller::default() });
        record.reason = Some(format!("removed {jobs} jobs that had ended"));
        record.details = BTreeMap::from([("jobs".to_owned(), jobs.to_string())]);
        self.next.push_back(record);
    }

    fn settings(&mut self, caller: Caller) {
        let mut record = Record::new(self.now(), Code::ConfigChanged);
        record.caller = Some(caller);
        record.agent = Some(self.random.one(&AGENTS).to_owned());
        record.reason = Some("updated an agent: timeout_seconds".to_owned());
        let (before, after) = (self.random.below(10) * 60 + 60, self.random.below(10) * 60 + 60);
        record.details = [("before", before), ("after", after)]
            .map(|(name, value)| (name.to_owned(), value.to_string()))
            .into();
        self.next.push_back(record);
    }

    fn caller(&mut self, parent: Option<JobId>, depth: u32) -> Caller {
        let client = self.random.one(&CLIENTS);
        let number = self.random.below(40);
        Caller {
            client: client.to_owned(),
            session: (client != "cron").then(|| format!("5a6b7c8d-0000-4000-8000-{number:012}")),
            directory: Some(format!("/projects/{}", self.random.one(&AGENTS))),
            pid: 1000 + u32::try_from(number).unwrap_or(0),
            declared: self.random.chance(20).then(|| "release review".to_owned()),
            parent,
            depth,
            tool_use: (client != "cron").then(|| format!("toolu_01{number:022}")),
            user: Some("somebody".to_owned()),
            traceparent: None,
        }
    }

    /// Returns a record with what every record of a dispatch says.
    fn record(&mut self, code: Code, caller: &Caller) -> Record {
        let mut record = Record::new(self.now(), code);
        let agent = self.random.one(&AGENTS);
        record.dispatch = Some(self.id().to_string());
        record.parent = caller.parent.map(|parent| parent.to_string());
        record.caller = Some(caller.clone());
        record.agent = Some(agent.to_owned());
        record.directory = Some(format!("/projects/{agent}"));
        record.git_head = Some(format!("{:040x}", self.random.below(u64::MAX)));
        record.request_digest = Some(Digest::of(&self.random.below(50_000).to_le_bytes()).to_string());
        record
    }

    /// Returns an id made at this moment of the story.
    fn id(&mut self) -> JobId {
        let time = u128::from(self.now().as_millis()) << 80;
        let random = u128::from(self.random.below(u64::MAX));
        // Version 7, variant 1.
        JobId::from_bytes((time | (0x7 << 76) | (0b10 << 62) | (random >> 2)).to_be_bytes())
    }

    /// Something that opens no job.
    fn aside(&mut self, code: Code, caller: &Caller) {
        let mut record = self.record(code, caller);
        record.task_preview = Some(self.random.one(&TASKS).to_owned());
        if code == Code::Refused {
            record.reason =
                Some("budget: the day budget of all agents is used up: 25.00 of 25.00 USD".to_owned());
        } else {
            let one = self.random.below(self.answers.len().max(1) as u64);
            record.answered_by = usize::try_from(one).ok().and_then(|at| self.answers.get(at)).cloned();
        }
        if code == Code::Hit {
            record.status = Some("done".to_owned());
            record.end = Some(End { success: true, answer_bytes: 1200, ..End::default() });
        }
        self.next.push_back(record);
    }

    /// A dispatch that dispatches.
    fn tree(&mut self, caller: &Caller) {
        let root = self.life(caller, None);
        let parent = root.and_then(|root| root.parse().ok());
        let last = self.next.pop_back();
        for _ in 0..=self.random.below(4) {
            let inside = self.caller(parent, 1);
            self.life(&inside, root_of(last.as_ref()));
        }
        self.next.extend(last);
    }

    /// A whole life. Returns the dispatch.
    fn life(&mut self, caller: &Caller, root: Option<String>) -> Option<String> {
        let mut base = self.record(Code::Requested, caller);
        base.root = root.or_else(|| base.dispatch.clone());
        base.session = Some(format!("9c0d1e2f-0000-4000-8000-{:012}", self.random.below(1_000_000)));
        base.profile = Some(ProfileInForce {
            model: Some(self.random.one(&MODELS).to_owned()),
            permission_mode: Some("acceptEdits".to_owned()),
            allowed_tools: Some(["Read", "Grep", "Bash(git log:*)"].map(str::to_owned).into()),
            timeout_seconds: 300,
            ..ProfileInForce::default()
        });
        let step = |code, status: &str| {
            let mut record = base.clone();
            (record.event, record.status) = (code, Some(status.to_owned()));
            record
        };
        let mut requested = step(Code::Requested, "pending");
        requested.task_preview = Some(self.random.one(&TASKS).to_owned());
        requested.task_mac = Some("0123456789abcdef".repeat(2));
        self.next.extend([requested, step(Code::Started, "running")]);
        match self.random.below(100) {
            0..=3 => {
                let mut asked = step(Code::CancelRequested, "running");
                asked.reason = Some("cli in /projects/web".to_owned());
                let mut over = step(Code::Cancelled, "cancelled");
                over.end = Some(self.end(Some("cancelled")));
                self.next.extend([asked, over]);
            }
            4 => self.next.push_back(step(Code::Interrupted, "interrupted")),
            5..=12 => {
                let class = self.random.one(&ERRORS);
                let mut over = step(Code::Finished, "failed");
                over.end = Some(self.end(Some(class)));
                self.next.push_back(over);
            }
            _ => {
                let mut over = step(Code::Finished, "done");
                over.end = Some(self.end(None));
                self.answers.extend(over.dispatch.clone());
                if self.answers.len() > ANSWERS {
                    self.answers.pop_front();
                }
                self.next.push_back(over);
            }
        }
        self.ended += 1;
        base.dispatch
    }

    #[expect(clippy::cast_precision_loss, reason = "money and times of a story")]
    fn end(&mut self, error: Option<&str>) -> End {
        // Most are short and cheap, a few are neither.
        let size = self.random.below(1000) * self.random.below(1000) / 1000 + 1;
        let used: BTreeMap<String, ToolUse> = (0..=self.random.below(4))
            .map(|_| {
                let count = u32::try_from(self.random.below(20)).unwrap_or(0) + 1;
                (self.random.one(&TOOLS).to_owned(), ToolUse { count, millis: u64::from(count) * 340 })
            })
            .collect();
        let denied = if self.random.chance(4) { vec!["WebFetch".to_owned()] } else { Vec::new() };
        End {
            success: error.is_none(),
            error_type: error.map(str::to_owned),
            error: error.map(|class| format!("the run ended early: {class}")),
            outcome: error.is_none().then(|| "done".to_owned()),
            cost_usd: Some(size as f64 / 1000.0),
            duration_ms: size * 600 + 900,
            turns: Some(u32::try_from(size / 40).unwrap_or(0) + 1),
            model: Some(self.random.one(&MODELS).to_owned()),
            tokens: Usage {
                input: size * 90,
                output: size * 8,
                cache_read: size * 400,
                cache_creation: size * 20,
            },
            tools: used,
            denied_tools: denied,
            denied_unknown: false,
            answer_digest: Some(Digest::of(&size.to_le_bytes()).to_string()),
            answer_bytes: size * 12,
            answer_mac: Some(format!("{size:032x}")),
            answer_preview: Some(
                "They are backed up every night, and the last restore was tried in June.".to_owned(),
            ),
            parsed_digest: None,
            calls_digest: Some(Digest::of(&size.to_be_bytes()).to_string()),
            changes: None,
            recovered: false,
        }
    }
}

fn root_of(record: Option<&Record>) -> Option<String> {
    record.and_then(|record| record.root.clone())
}

impl Iterator for Plot {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        // A life that has begun is told to its end, and then what is left is cleaned up.
        if self.next.is_empty() && self.told < self.records {
            if self.told + 1 == self.records { self.clean_up() } else { self.scene() }
        }
        let mut record = match self.next.pop_front() {
            Some(record) => record,
            None if self.ended > 0 => {
                self.clean_up();
                self.next.pop_front()?
            }
            None => return None,
        };
        record.time = self.now();
        self.told += 1;
        Some(record)
    }
}
