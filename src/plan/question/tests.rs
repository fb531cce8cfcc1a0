//! Plans, refusals, and which questions share an answer.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::model::request::RawRequest;
use crate::model::{EnvProfile, FailureClass, GroupMember, SpendLimit};

/// Everything a question borrows, so that a test changes one thing.
#[derive(Clone)]
struct World {
    request: DispatchRequest,
    agent: Result<Agent, UnknownAgent>,
    settings: Settings,
    group: Option<Group>,
    caller: Caller,
    surroundings: Surroundings,
}

const SESSION: &str = "3f1c0a52-7d1e-4a6b-9c39-0d5b8a1f2e47";
const OTHER: &str = "4f1c0a52-7d1e-4a6b-9c39-0d5b8a1f2e47";

impl World {
    fn new() -> Self {
        let raw = RawRequest { agent: "web".to_owned(), task: "count".to_owned(), ..Default::default() };
        Self {
            request: DispatchRequest::new(raw, Sharing::CacheAndJoin).unwrap(),
            agent: Ok(Agent::new("web".parse().unwrap(), "/srv/web".into())),
            settings: Settings { dispatch_protocol: false, ..Default::default() },
            group: None,
            caller: Caller { client: "claude-code/2.1.197".to_owned(), ..Default::default() },
            surroundings: Surroundings {
                claude: Some("/usr/bin/claude".into()),
                directory: Some("/srv/web".into()),
                own_servers: vec!["agent-dispatch".to_owned()],
            },
        }
    }

    fn with(change: impl FnOnce(&mut Self)) -> Self {
        let mut world = Self::new();
        change(&mut world);
        world
    }

    fn agent(&mut self) -> &mut Agent {
        self.agent.as_mut().unwrap()
    }

    fn plan(&self) -> Result<Planned, Refusal> {
        plan(&Question {
            job: JobId::from_bytes([1; 16]),
            session: SESSION.parse().unwrap(),
            request: &self.request,
            agent: self.agent.as_ref().map_err(Clone::clone),
            settings: &self.settings,
            groups: self.group.as_slice(),
            caller: &self.caller,
            surroundings: &self.surroundings,
        })
    }
}

fn strings(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

fn shop(members: &[&str]) -> Group {
    let member = |name: &&str| GroupMember { agent: name.parse().unwrap(), use_for: String::new() };
    Group {
        name: "shop".parse().unwrap(),
        description: String::new(),
        shared_context: "shared".to_owned(),
        members: members.iter().map(member).collect(),
    }
}

#[test]
fn a_plain_question_gives_a_whole_plan() {
    let planned = World::new().plan().unwrap();
    let plan = RunPlan {
        job: JobId::from_bytes([1; 16]),
        agent: "web".parse().unwrap(),
        program: "/usr/bin/claude".into(),
        args: strings(&["-p", "--output-format", "stream-json", "--verbose", "--session-id", SESSION]),
        directory: "/srv/web".into(),
        environment: EnvironmentRule::default(),
        session: SESSION.parse().unwrap(),
        resumed: false,
        timeout_ms: 300_000,
        stall_ms: 1_200_000,
        expects: Expects::Text,
        profile: ProfileInForce { timeout_seconds: 300, ..Default::default() },
        trace: TraceParent::of_run(None, JobId::from_bytes([1; 16])),
    };
    assert_eq!((planned.plan, planned.prompt.as_str(), planned.notes), (plan, "## Task\n\ncount", vec![]));
    assert!(planned.key.is_some());
}

#[test]
fn the_calls_word_goes_before_the_agents_and_the_agents_before_the_settings() {
    let defaults = |world: &mut World| {
        world.settings.default_permission_mode = Some("plan".to_owned());
        world.settings.default_max_budget_usd = Some(2.0);
        world.settings.default_allowed_tools = strings(&["Read"]);
        world.settings.default_disallowed_tools = strings(&["Bash"]);
        world.agent().timeout = Some(0);
    };
    let inherited = ProfileInForce {
        model: None,
        permission_mode: Some("plan".to_owned()),
        allowed_tools: Some(strings(&["Read"])),
        disallowed_tools: strings(&["Bash"]),
        max_budget_usd: Some(2.0),
        timeout_seconds: 300,
    };
    assert_eq!(World::with(defaults).plan().unwrap().plan.profile, inherited);
    let own = World::with(|world| {
        defaults(world);
        world.request.timeout = Some(Duration::from_secs(20));
        *world.agent() = Agent {
            timeout: Some(60),
            max_budget: BudgetLimit::Unlimited,
            model: Some("opus".to_owned()),
            permission_mode: Some("auto".to_owned()),
            allowed_tools: Some(Vec::new()),
            disallowed_tools: Some(Vec::new()),
            ..world.agent.clone().unwrap()
        };
    });
    let profile = ProfileInForce {
        model: Some("opus".to_owned()),
        permission_mode: Some("auto".to_owned()),
        allowed_tools: Some(Vec::new()),
        disallowed_tools: Vec::new(),
        max_budget_usd: None,
        timeout_seconds: 20,
    };
    let plan = own.plan().unwrap().plan;
    assert_eq!((plan.profile, plan.timeout_ms), (profile, 20_000));
}

#[test]
fn at_the_last_level_our_own_server_is_kept_out() {
    for (depth, denied) in [(0, false), (1, false), (2, true)] {
        let world = World::with(|world| world.caller.depth = depth);
        let args = world.plan().unwrap().plan.args;
        assert_eq!(args.iter().any(|arg| arg == "--settings"), denied, "depth {depth}");
    }
}

#[test]
fn a_conversation_is_gone_on_with_and_shares_its_answer_with_nobody() {
    let world = World::with(|world| world.request.resume = Some(OTHER.parse().unwrap()));
    let planned = world.plan().unwrap();
    assert_eq!((planned.plan.session.as_str(), planned.plan.resumed, planned.key), (OTHER, true, None));
    assert_eq!(planned.plan.args[4..6], ["--resume", OTHER]);
    assert_eq!(World::with(|world| world.request.sharing = Sharing::Never).plan().unwrap().key, None);
}

#[test]
fn a_schema_goes_reduced_to_claude_and_whole_to_the_plan() {
    let schema = json!({"type": "object", "properties": {"d": {"type": "string", "format": "date"}}});
    let map = schema.as_object().unwrap().clone();
    let planned =
        World::with(|world| world.request.response_format = ResponseFormat::Schema(map)).plan().unwrap();
    assert_eq!(planned.plan.expects, Expects::Schema(schema.to_string()));
    let reduced = r#"{"type":"object","properties":{"d":{"type":"string"}}}"#;
    assert_eq!(planned.plan.args.last().map(String::as_str), Some(reduced));
    assert_eq!(
        planned.notes,
        [
            "claude is not told these parts of the JSON Schema, only its answer is checked: /properties/d: format"
        ]
    );
    let json = World::with(|world| world.request.response_format = ResponseFormat::Json).plan().unwrap();
    assert_eq!(json.plan.expects, Expects::Json);
}

type Change = fn(&mut World);

fn refused(change: Change, class: FailureClass, message: &str, hint: &str) {
    let refusal = World::with(change).plan().unwrap_err();
    assert_eq!(refusal.class, class, "{refusal:?}");
    assert!(refusal.message.starts_with(message), "{refusal:?}");
    assert!(refusal.hint.contains(hint), "{refusal:?}");
}

fn grouped(world: &mut World, members: &[&str]) {
    world.request.group = Some("shop".parse().unwrap());
    world.group = Some(shop(members));
}

fn unknown(known: &[&str]) -> UnknownAgent {
    UnknownAgent { known: strings(known), broken: None }
}

#[test]
fn an_agent_or_a_group_that_is_not_there_is_refused_with_those_that_are() {
    let missing = FailureClass::NotFound;
    refused(
        |world| world.agent = Err(unknown(&["wbe", "db"])),
        missing,
        "there is no agent `web` (did you mean `wbe`?): there are `wbe`, `db`",
        "list_agents",
    );
    refused(
        |world| world.agent = Err(unknown(&["database"])),
        missing,
        "there is no agent `web`: there is only `database`",
        "list_agents",
    );
    refused(
        |world| world.agent = Err(unknown(&[])),
        missing,
        "there is no agent `web`: there are none yet",
        "`agent-dispatch add web DIRECTORY`",
    );
    refused(
        |world| world.agent = Err(UnknownAgent { broken: Some("no directory".to_owned()), ..unknown(&[]) }),
        missing,
        "the agent `web` is disabled by a mistake in the configuration: no directory",
        "agent-dispatch update web",
    );
    refused(
        |world| world.request.group = Some("shop".parse().unwrap()),
        missing,
        "there is no group `shop`: there are none yet",
        "agent-dispatch group list",
    );
    refused(
        |world| {
            grouped(world, &["web"]);
            world.request.group = Some("shpo".parse().unwrap());
        },
        missing,
        "there is no group `shpo` (did you mean `shop`?): there is only `shop`",
        "agent-dispatch group list",
    );
    refused(
        |world| grouped(world, &["db", "api"]),
        missing,
        "the agent `web` is not in the group `shop`, whose members are `db`, `api`",
        "agent-dispatch group inspect shop",
    );
    refused(|world| grouped(world, &[]), missing, "the group `shop` has no members yet", "inspect shop");
}

#[test]
fn a_place_where_nothing_can_run_and_a_caller_who_may_not_are_refused() {
    let missing = FailureClass::NotFound;
    refused(
        |world| world.caller.depth = 3,
        FailureClass::Recursion,
        "this session is nested 3 dispatches deep and 3 are allowed",
        "do the work here",
    );
    refused(
        |world| world.agent().callers = Some(strings(&["shop"])),
        FailureClass::Refused,
        "the agent `web` takes tasks from `shop` only",
        "ask the user",
    );
    refused(
        |world| world.agent().callers = Some(Vec::new()),
        FailureClass::Refused,
        "the agent `web` takes tasks from nobody",
        "ask the user",
    );
    refused(
        |world| world.surroundings.claude = None,
        missing,
        "the program `claude` is not on the PATH",
        "npm install -g",
    );
    refused(
        |world| {
            world.surroundings.claude = None;
            world.settings.claude_path = Some("/x/claude".into());
        },
        missing,
        "`claude_path` in the settings is /x/claude, which is not there",
        "`claude_path`",
    );
    refused(
        |world| world.surroundings.directory = None,
        missing,
        "the directory of the agent `web` is missing, is no directory or does not answer: /srv/web",
        "agent-dispatch update web --directory DIR",
    );
}

#[test]
fn a_value_that_claude_would_misread_is_refused() {
    let rows: [(Change, &str); 9] = [
        (
            |world| world.agent().model = Some("--help".to_owned()),
            "`model` of the agent `web` is \"--help\", which `claude` would take for an option",
        ),
        (
            |world| world.settings.default_permission_mode = Some("-x".to_owned()),
            "`permission_mode` of the agent `web` is \"-x\", which `claude` would take",
        ),
        (
            |world| world.agent().allowed_tools = Some(strings(&["Read", "--model"])),
            "`allowed_tools` of the agent `web` is \"--model\", which `claude` would take",
        ),
        (
            |world| world.agent().disallowed_tools = Some(strings(&[" "])),
            "`disallowed_tools` of the agent `web` is \"\", which is blank",
        ),
        (
            |world| world.agent().model = Some("a\0b".to_owned()),
            "`model` of the agent `web` is \"ab\", which contains a NUL character",
        ),
        (
            |world| world.agent().max_budget = BudgetLimit::Usd(f64::NAN),
            "`max_budget_usd` of the agent `web` is \"NaN\", which is not an amount above 0",
        ),
        (
            |world| world.settings.default_max_budget_usd = Some(0.0),
            "`max_budget_usd` of the agent `web` is \"0\", which is not an amount above 0",
        ),
        (
            |world| world.agent().instructions = "a\0".to_owned(),
            "`instructions` of the agent `web` is \"## Standing",
        ),
        (
            |world| world.agent().max_budget = BudgetLimit::Usd(-1.0),
            "`max_budget_usd` of the agent `web` is \"-1\", which is not an amount above 0",
        ),
    ];
    for (change, message) in rows {
        refused(change, FailureClass::CliError, message, "`agent-dispatch update web`");
    }
}

#[test]
fn what_is_too_long_or_cannot_be_checked_is_refused() {
    let class = FailureClass::CliError;
    refused(
        |world| world.agent().instructions = "x".repeat(100_000),
        class,
        "the instructions of the agent `web` make a system prompt of 100046 bytes, more than 100000",
        "CLAUDE.md",
    );
    refused(
        |world| world.request.context = "x".repeat(PROMPT_BYTES_MAX),
        class,
        "the prompt is 10000028 bytes long, more than the 10000000 that claude reads",
        "into a file",
    );
    refused(
        |world| {
            let list = json!({"type": "array"}).as_object().unwrap().clone();
            world.request.response_format = ResponseFormat::Schema(list);
        },
        class,
        "the JSON Schema in `response_format` cannot be used: the answer must be an object",
        "correct the schema",
    );
}

#[test]
fn a_caller_is_known_by_what_it_calls_itself_by_its_client_or_by_its_folder() {
    let rows: [(&str, Change, bool); 8] = [
        ("shop", |_| (), false),
        ("claude-code", |_| (), true),
        ("claude-code/2.1.197", |_| (), true),
        ("shop", |world| world.request.caller = " shop ".to_owned(), true),
        ("shop", |world| world.caller.declared = Some("shop".to_owned()), true),
        ("shop", |world| world.caller.directory = Some("/srv/shop/".to_owned()), true),
        ("work", |world| world.caller.directory = Some("/srv/shop".to_owned()), false),
        ("", |_| (), false),
    ];
    for (allowed, change, admitted) in rows {
        let world = World::with(|world| {
            change(world);
            world.agent().callers = Some(strings(&["other", allowed]));
        });
        assert_eq!(world.plan().is_ok(), admitted, "{allowed}");
    }
}

#[test]
fn any_field_that_shapes_the_answer_changes_the_key() {
    let rows: [(&str, Change); 22] = [
        ("nothing", |_| ()),
        ("task", |world| world.request.task = "count!".to_owned()),
        ("context", |world| world.request.context = "c".to_owned()),
        ("goal", |world| world.request.goal = "c".to_owned()),
        ("caller", |world| world.request.caller = "c".to_owned()),
        ("json", |world| world.request.response_format = ResponseFormat::Json),
        ("schema", |world| world.request.response_format = ResponseFormat::Schema(serde_json::Map::new())),
        ("group", |world| {
            world.request.group = Some("shop".parse().unwrap());
            world.group = Some(shop(&["web"]));
        }),
        ("agent", |world| world.agent().name = "web2".parse().unwrap()),
        ("resolved directory", |world| world.surroundings.directory = Some("/other".into())),
        ("budget", |world| world.agent().max_budget = BudgetLimit::Usd(1.0)),
        ("model", |world| world.agent().model = Some("opus".to_owned())),
        ("mode", |world| world.agent().permission_mode = Some("plan".to_owned())),
        ("no tools", |world| world.agent().allowed_tools = Some(Vec::new())),
        ("tools", |world| world.agent().allowed_tools = Some(strings(&["Read"]))),
        ("forbidden", |world| world.agent().disallowed_tools = Some(strings(&["Read"]))),
        ("instructions", |world| world.agent().instructions = "x".to_owned()),
        ("environment", |world| {
            world.agent().env = EnvProfile { deny: strings(&["X"]), ..Default::default() }
        }),
        ("default mode", |world| world.settings.default_permission_mode = Some("auto".to_owned())),
        ("default budget", |world| world.settings.default_max_budget_usd = Some(3.0)),
        ("protocol", |world| world.settings.dispatch_protocol = true),
        ("last level", |world| world.caller.depth = 2),
    ];
    let keys: BTreeSet<_> =
        rows.iter().map(|(_, change)| World::with(change).plan().unwrap().key.unwrap()).collect();
    assert_eq!(keys.len(), rows.len());
    let tools = World::with(|world| world.settings.default_allowed_tools = strings(&["Write"]));
    let forbidden = World::with(|world| world.settings.default_disallowed_tools = strings(&["Write"]));
    assert!(
        !keys.contains(&tools.plan().unwrap().key.unwrap())
            && !keys.contains(&forbidden.plan().unwrap().key.unwrap())
    );
}

#[test]
fn who_asks_how_long_it_may_take_and_how_an_agent_is_described_do_not_change_the_key() {
    let same: [Change; 15] = [
        |world| world.request.timeout = Some(Duration::from_secs(99)),
        |world| world.request.sharing = Sharing::Join,
        |world| world.caller.client = "other".to_owned(),
        |world| world.caller.depth = 1,
        |world| world.surroundings.claude = Some("/opt/claude".into()),
        |world| world.settings.max_concurrency = 9,
        // Another way to write what is in force anyway.
        |world| world.agent().directory = "/a/link/to/it".into(),
        |world| world.agent().max_budget = BudgetLimit::Unlimited,
        |world| world.agent().description = "d".to_owned(),
        |world| world.agent().timeout = Some(60),
        |world| world.agent().capabilities = strings(&["x"]),
        |world| world.agent().risky_capabilities = strings(&["x"]),
        |world| world.agent().max_concurrency = Some(1),
        |world| world.agent().callers = Some(strings(&["claude-code"])),
        |world| world.agent().budget = SpendLimit { day: Some(1.0), month: None },
    ];
    let plain = World::new().plan().unwrap();
    for change in same {
        let planned = World::with(change).plan().unwrap();
        assert_eq!((planned.key, planned.digest), (plain.key, plain.digest));
    }
    let named = World::with(|world| world.request.caller = "c".to_owned()).plan().unwrap();
    assert_eq!(named.digest, plain.digest, "the same question, whoever asks");
    let resumed = World::with(|world| world.request.resume = Some(OTHER.parse().unwrap())).plan().unwrap();
    assert_ne!(resumed.digest, plain.digest, "in a conversation it is another question");
}

proptest! {
    #[test]
    fn no_text_of_the_request_reaches_the_command_line(
        task in "[a-z/-]{1,9}~~[ -~]{0,20}", context in "~~[ -~]{0,20}", goal in "~~[ -~]{0,20}",
    ) {
        let world = World::with(|world| {
            world.request.task = task.clone();
            world.request.context = context.clone();
            world.request.goal = goal.clone();
            world.settings.dispatch_protocol = true;
        });
        let planned = world.plan().unwrap();
        let line = planned.plan.args.join("\n");
        prop_assert!(!line.contains("~~"), "{}", line);
        prop_assert!(planned.prompt.contains(task.trim_end()));
    }
}
