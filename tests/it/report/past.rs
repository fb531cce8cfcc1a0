//! A month of plausible dispatches, written straight into the audit trail of a store, with the times they had.

use std::collections::BTreeMap;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use agent_dispatch::audit::{Code, End, Record};
use agent_dispatch::config::paths::StatePaths;
use agent_dispatch::model::agent::ProfileInForce;
use agent_dispatch::model::{Caller, JobId, Timestamp, ToolUse, Usage};
use agent_dispatch::store::Store;

use crate::scene::on_runtime;
use crate::world::{Done, World};

/// Holds what to write and where: how many days, and the state directory.
const PART: &str = "REPORT_PAST";

/// The last day: 2026-11-20, 18:00 UTC.
pub(super) const END_MS: u64 = 1_795_197_600_000;
const HOUR_MS: u64 = 3_600_000;

const AGENTS: [(&str, f64, u64); 7] = [
    ("infra", 0.09, 70_000),
    ("payments-api", 0.22, 180_000),
    ("web", 0.12, 55_000),
    ("docs", 0.03, 21_000),
    ("data-pipeline", 0.31, 420_000),
    ("mobile", 0.14, 95_000),
    ("search", 0.05, 34_000),
];
const TASKS: [&str; 8] = [
    "Which services restart nightly, and why? List them with the unit that does it.",
    "Why does the checkout test fail on main since Tuesday? Propose the smallest fix.",
    "Review this change for races and missing error handling.",
    "Summarize the open migration steps and who owns each.",
    "Add the new field `tax_region` to the order export and its tests.",
    "Find every place that still reads the old feature flag.",
    "How are staging backups restored? Write the steps as a runbook.",
    "Upgrade the HTTP client and fix what breaks.",
];
const CALLERS: [(&str, Option<&str>, &str); 4] = [
    ("claude-code 2.1.197", None, "/projects/web"),
    ("claude-code 2.1.197", None, "/projects/payments-api"),
    ("cli", Some("nightly-triage"), "/srv/automation"),
    ("cli", None, "/projects"),
];

/// Fills the store of a home whose daemon does not run. A process of its own does it: a store is opened before threads
/// exist.
pub(super) fn fill(world: &World, what: &str) {
    let mut command = world.agent_dispatch::<&str>(&[]);
    let state = command.get_envs().find(|(name, _)| *name == "HOME").unwrap().1.unwrap().to_owned();
    let state = Path::new(&state).join(".local/state/agent-dispatch");
    let environment: Vec<_> =
        command.get_envs().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))).collect();
    command = std::process::Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "report::past::another_process_writes_a_past", "--nocapture", "--test-threads=1"])
        .env_clear()
        .envs(environment)
        .env(PART, serde_json::to_string(&(what, state)).unwrap());
    Done::of(command).ok();
}

#[test]
fn another_process_writes_a_past() {
    // Run among the other tests there is no part to play, and nothing to test.
    let Some(part) = std::env::var_os(PART) else { return };
    let (what, state): (String, PathBuf) = serde_json::from_str(part.to_str().unwrap()).unwrap();
    DirBuilder::new().recursive(true).mode(0o700).create(&state).unwrap();
    let paths = StatePaths::new(state, None);
    let store = Store::open(&paths.store(), &paths.heads()).unwrap();
    let records = match what.as_str() {
        "hostile" => hostile(),
        days => month(days.parse().unwrap()),
    };
    on_runtime(async {
        for some in records.chunks(40) {
            let some = some.to_vec();
            let append = move |txn: &mut agent_dispatch::store::Txn<'_>| {
                some.into_iter().try_for_each(|record| txn.append(record).map(drop))
            };
            store.commit(append).await.unwrap();
        }
    });
    store.stop();
}

/// Numbers that look like chance and are always the same.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    /// Returns something around 1, sometimes much more.
    fn factor(&mut self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a small number")]
        let [one, other] = [self.below(1000) as f64 / 1000.0, self.below(1000) as f64 / 1000.0];
        0.3 + one + other.powi(8) * 6.0
    }
}

fn id_at(millis: u64, dice: &mut Dice) -> JobId {
    let number = (u128::from(millis) << 80)
        | (0x7 << 76)
        | u128::from(dice.below(1 << 30)) << 32
        | u128::from(dice.below(1 << 30));
    JobId::from_bytes(number.to_be_bytes())
}

/// A dispatch of which records are written.
struct Life {
    id: JobId,
    root: JobId,
    parent: Option<JobId>,
    agent: usize,
    caller: usize,
    begin: u64,
}

fn month(days: u64) -> Vec<Record> {
    let mut dice = Dice(11);
    let mut records = Vec::new();
    let begin = END_MS - days * 24 * HOUR_MS;
    for hour in 0..days * 24 {
        let at = begin + hour * HOUR_MS;
        let weekday = (at / (24 * HOUR_MS) + 3) % 7;
        let of_day = (at / HOUR_MS) % 24;
        let busy = match (weekday, of_day) {
            (5 | 6, _) => u64::from(of_day == 14),
            (_, 8..18) => 2 + dice.below(3),
            (_, 2) => 2,
            _ => 0,
        };
        for _ in 0..busy {
            let begin = at + dice.below(HOUR_MS);
            let id = id_at(begin, &mut dice);
            let caller =
                if of_day == 2 { 2 } else { [0, 0, 0, 1, 1, 3][usize::try_from(dice.below(6)).unwrap()] };
            let agent = usize::try_from(dice.below(10)).unwrap() * 7 / 10;
            let life = Life { id, root: id, parent: None, agent, caller, begin };
            live(&mut records, &life, &mut dice, 0);
        }
    }
    records.sort_by_key(|record| record.time);
    records
}

fn live(records: &mut Vec<Record>, life: &Life, dice: &mut Dice, depth: u32) {
    let (_, cost, millis) = AGENTS[life.agent];
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "small"
    )]
    let millis = (millis as f64 * dice.factor()) as u64;
    let task = TASKS[usize::try_from(dice.below(8)).unwrap()];
    let mut end = life.begin + millis;
    match dice.below(20) {
        0 | 1 if depth == 0 => {
            let mut record = record_of(life, life.begin, Code::Hit, task);
            let earlier = records.iter().rev().find(|record| record.event == Code::Finished);
            record.answered_by = earlier.and_then(|record| record.dispatch.clone());
            records.push(record);
            return;
        }
        2 if depth == 0 && dice.below(3) == 0 => {
            let mut record = record_of(life, life.begin, Code::Refused, task);
            record.root = None;
            record.reason = Some(
                "budget: the day budget of all agents does not allow this run: the cap of $25.00 is used up"
                    .to_owned(),
            );
            records.push(record);
            return;
        }
        _ => {}
    }
    records.push(record_of(life, life.begin, Code::Requested, task));
    let inside = if dice.below(9) == 0 && depth < 3 { 1 + dice.below(4) } else { 0 };
    for number in 0..inside {
        let begin = life.begin + millis / 8 + number * (millis / 6);
        let child = Life {
            id: id_at(begin, dice),
            root: life.root,
            parent: Some(life.id),
            agent: (life.agent + 1 + usize::try_from(number).unwrap()) % AGENTS.len(),
            caller: life.caller,
            begin,
        };
        live(records, &child, dice, depth + 1);
        end = end.max(records.iter().map(|record| record.time.as_millis()).max().unwrap());
    }
    let mut record = record_of(life, end, Code::Finished, "");
    let mut told = ended(end - life.begin, cost * dice.factor(), dice);
    let failure = match dice.below(16) {
        0 => Some((
            "timeout",
            "it did not answer within 300 s and was stopped; the last thing it did was `cargo test --workspace`",
        )),
        1 if dice.below(2) == 0 => {
            Some(("permission", "the tool Bash was denied 3 times: `kubectl rollout restart deployment/api`"))
        }
        2 if dice.below(3) == 0 => {
            Some(("overloaded", "the service was overloaded (529) and stayed so for 10 tries"))
        }
        3 if dice.below(4) == 0 => Some(("budget", "it spent $0.52 of $0.50")),
        _ => None,
    };
    if let Some((class, error)) = failure {
        told.success = false;
        told.error_type = Some(class.to_owned());
        told.error = Some(error.to_owned());
        told.outcome = None;
    } else if dice.below(60) == 0 {
        record.event = Code::Cancelled;
        record.reason = Some("its caller cancelled the call".to_owned());
    }
    record.end = Some(told);
    records.push(record);
}

fn record_of(life: &Life, millis: u64, code: Code, task: &str) -> Record {
    let (client, declared, directory) = CALLERS[life.caller];
    let mut record = Record::new(Timestamp::from_millis(millis), code);
    record.dispatch = Some(life.id.to_string());
    record.parent = life.parent.map(|id| id.to_string());
    record.root = Some(life.root.to_string());
    record.agent = Some(AGENTS[life.agent].0.to_owned());
    record.directory = Some(format!("/projects/{}", AGENTS[life.agent].0));
    record.git_head = Some("8f2c1d7e9ab04c55d1e02f4b6a7c8d9e0f1a2b3c".to_owned());
    record.session = Some("3f1c0a52-7d1e-4a6b-9c39-0d5b8a1f2e47".to_owned());
    record.task_preview = Some(task.to_owned()).filter(|task| !task.is_empty());
    record.caller = Some(Caller {
        client: client.to_owned(),
        session: Some("5a6b7c8d-0000-4000-8000-000000000000".to_owned()).filter(|_| client != "cli"),
        directory: Some(directory.to_owned()),
        pid: 4711,
        declared: declared.map(str::to_owned),
        parent: life.parent,
        depth: 0,
        ..Caller::default()
    });
    record.profile = Some(ProfileInForce {
        model: Some("sonnet".to_owned()),
        permission_mode: Some("acceptEdits".to_owned()),
        allowed_tools: Some(["Read", "Grep", "Edit", "Bash(cargo test:*)"].map(str::to_owned).into()),
        max_budget_usd: Some(2.0),
        timeout_seconds: 600,
        ..ProfileInForce::default()
    });
    record
}

fn ended(millis: u64, cost: f64, dice: &mut Dice) -> End {
    let tool = |count, millis| ToolUse { count, millis };
    End {
        success: true,
        outcome: Some(if dice.below(12) == 0 { "partial" } else { "done" }.to_owned()),
        cost_usd: Some(cost),
        duration_ms: millis,
        turns: Some(3 + u32::try_from(dice.below(20)).unwrap()),
        model: Some("claude-sonnet-4-5".to_owned()),
        tokens: Usage {
            input: 1200 + dice.below(9000),
            output: 300 + dice.below(4000),
            cache_read: 80_000,
            cache_creation: 9000,
        },
        tools: BTreeMap::from([
            ("Read".to_owned(), tool(9, 420)),
            ("Grep".to_owned(), tool(4, 260)),
            ("Bash".to_owned(), tool(3, millis / 3)),
        ]),
        ..End::default()
    }
}

/// What a foreign text may be full of.
pub(super) const HOSTILE: &str = "</td></script><script>document.title='owned'</script><img src=x onerror=alert(1)>\"'`&lt; \
    \u{202e}drawkcab\u{2066}\u{0}\u{1b}[31mred\u{7} ]]> --> {{7*7}} https://example.org/x.png";

/// Dispatches in which every text of every field is hostile, in some of them also long.
fn hostile() -> Vec<Record> {
    let mut dice = Dice(5);
    let mut records = Vec::new();
    let text = |number: usize| {
        let often = if number.is_multiple_of(5) { 3 } else { 1 };
        Some(format!("{number}{HOSTILE} ").repeat(often))
    };
    let mut parent = None;
    for number in 0..200_usize {
        let at = END_MS - 50 * HOUR_MS + number as u64 * 600_000;
        let id = id_at(at, &mut dice);
        let mut record = Record::new(
            Timestamp::from_millis(at),
            [Code::Finished, Code::Refused, Code::Cancelled, Code::Finished][number % 4],
        );
        record.dispatch = Some(id.to_string());
        record.parent = text(number);
        record.agent = text(number);
        record.directory = text(number);
        record.git_head = text(number);
        record.session = text(number);
        record.reason = text(number);
        record.task_preview = text(number);
        let root = if number % 40 == 0 { id } else { parent.unwrap_or(id) };
        parent = Some(root);
        record.root = Some(root.to_string());
        record.caller = Some(Caller {
            client: HOSTILE.to_owned(),
            session: text(number),
            directory: text(number),
            declared: text(number).filter(|_| number % 2 == 0),
            ..Caller::default()
        });
        record.profile = Some(ProfileInForce {
            model: Some(HOSTILE.to_owned()),
            permission_mode: Some(HOSTILE.to_owned()),
            allowed_tools: Some(vec![HOSTILE.to_owned(); 2]),
            ..ProfileInForce::default()
        });
        record.end = Some(End {
            success: number % 4 == 3,
            error_type: text(number),
            error: text(number),
            outcome: text(number),
            cost_usd: Some(0.5),
            duration_ms: 1000 * number as u64,
            model: Some(HOSTILE.to_owned()),
            tools: BTreeMap::from([(HOSTILE.to_owned(), ToolUse { count: 1, millis: 1 })]),
            denied_tools: vec![HOSTILE.to_owned()],
            ..End::default()
        });
        records.push(record);
    }
    records
}
