//! What passes and what does not.

use proptest::prelude::*;

use super::*;

const JOB: JobId = JobId::from_bytes([0xab; 16]);

fn variables(list: &[(&str, &str)]) -> BTreeMap<OsString, OsString> {
    list.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))).collect()
}

fn added(depth: &str) -> BTreeMap<OsString, OsString> {
    variables(&[
        ("AGENT_DISPATCH_DEPTH", depth),
        ("AGENT_DISPATCH_RUN_ID", "abababababababababababababababab"),
        ("CLAUDE_CODE_MAX_RETRIES", "3"),
        ("CLAUDE_CODE_FORCE_SESSION_PERSISTENCE", "1"),
    ])
}

fn child(parent: &[(&str, &str)], rule: &EnvironmentRule) -> BTreeMap<OsString, OsString> {
    child_environment(&variables(parent), rule, JOB, 1)
}

#[test]
fn no_marker_of_the_callers_session_passes() {
    let names = [
        "CLAUDECODE",
        "CLAUDE_CODE_ENTRYPOINT",
        "CLAUDE_CODE_SESSION_ID",
        "CLAUDE_CODE_SESSION_ACCESS_TOKEN",
        "CLAUDE_CODE_CHILD_SESSION",
        "CLAUDE_CODE_EXECPATH",
        "CLAUDE_CODE_SSE_PORT",
        "CLAUDE_CODE_WEBSOCKET_AUTH_FILE_DESCRIPTOR",
        "CLAUDE_CODE_OAUTH_TOKEN_FILE_DESCRIPTOR",
        "CLAUDE_EFFORT",
        "CLAUDE_PROJECT_DIR",
        "CLAUDE_JOB_DIR",
        "CLAUDE_PID",
        "CLAUDE_ENV_FILE",
        "CLAUDE_PLUGIN_ROOT",
        "AI_AGENT",
    ];
    for name in names {
        assert_eq!(child(&[(name, "1")], &EnvironmentRule::default()), added("2"), "{name}");
        let listed = EnvironmentRule { inherit: Some(vec!["*".to_owned()]), ..Default::default() };
        assert_eq!(child(&[(name, "1")], &listed), added("2"), "{name} although listed");
    }
}

#[test]
fn credentials_and_configuration_pass() {
    let names = [
        "HOME",
        "PATH",
        "LC_ALL",
        "CLAUDE_CONFIG_DIR",
        "CLAUDE_CODE_OAUTH_TOKEN",
        "CLAUDE_CODE_USE_BEDROCK",
        "CLAUDE_CODE_USE_VERTEX",
        "CLAUDE_CODE_EFFORT_LEVEL",
        "CLAUDE_CODE_SUBAGENT_MODEL",
        "CLAUDE_CODE_MAX_OUTPUT_TOKENS",
        "CLAUDE_CODE_SESSIONEND_HOOKS_TIMEOUT_MS",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
        "ANTHROPIC_API_KEY",
        "ANTHROPIC_BASE_URL",
        "ANTHROPIC_MODEL",
        "AWS_PROFILE",
        "MCP_TIMEOUT",
        "IS_SANDBOX",
        "AGENT_DISPATCH_CONFIG",
        "AGENT_DISPATCH_STATE_DIR",
    ];
    for name in names {
        let mut all = added("2");
        all.insert(name.into(), "x".into());
        assert_eq!(child(&[(name, "x")], &EnvironmentRule::default()), all, "{name}");
    }
}

#[test]
fn what_is_set_already_is_kept_or_replaced_by_its_rule() {
    let rule = EnvironmentRule::default();
    let parent = [
        ("CLAUDE_CODE_MAX_RETRIES", "0"),
        ("CLAUDE_CODE_FORCE_SESSION_PERSISTENCE", "0"),
        ("AGENT_DISPATCH_DEPTH", "-9"),
        ("AGENT_DISPATCH_RUN_ID", "other"),
    ];
    let mut all = added("2");
    all.insert("CLAUDE_CODE_MAX_RETRIES".into(), "0".into());
    assert_eq!(child(&parent, &rule), all);
    let deepest = child_environment(&BTreeMap::new(), &rule, JOB, u32::MAX);
    assert_eq!(deepest, added("4294967295"));
}

#[test]
fn a_profile_lets_in_keeps_out_and_sets() {
    let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let rule = EnvironmentRule {
        inherit: Some(list(&["ANTHROPIC_*", "EDITOR"])),
        deny: list(&["ANTHROPIC_BASE*", "USER"]),
        set: [("EDITOR", "vi"), ("CLAUDE_EFFORT", "low"), ("AGENT_DISPATCH_DEPTH", "0")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
    };
    let parent = [
        ("HOME", "/h"),
        ("USER", "u"),
        ("ANTHROPIC_API_KEY", "k"),
        ("ANTHROPIC_BASE_URL", "b"),
        ("EDITOR", "emacs"),
        ("SECRET", "s"),
        ("AGENT_DISPATCH_STATE_DIR", "/s"),
        ("AGENT_DISPATCH_CONFIG", "/c"),
    ];
    let mut all = added("2");
    all.extend(variables(&[
        ("HOME", "/h"),
        ("ANTHROPIC_API_KEY", "k"),
        ("EDITOR", "vi"),
        ("CLAUDE_EFFORT", "low"),
        // A dispatch from inside belongs to the same store.
        ("AGENT_DISPATCH_STATE_DIR", "/s"),
        ("AGENT_DISPATCH_CONFIG", "/c"),
    ]));
    assert_eq!(child(&parent, &rule), all);
}

#[test]
fn a_name_that_is_not_text_passes_unless_names_are_listed() {
    use std::os::unix::ffi::OsStringExt as _;
    let odd = OsString::from_vec(vec![0xff, b'X']);
    let parent = BTreeMap::from([(odd.clone(), OsString::from("1"))]);
    assert!(child_environment(&parent, &EnvironmentRule::default(), JOB, 0).contains_key(&odd));
    let listed = EnvironmentRule { inherit: Some(vec!["*".to_owned()]), ..Default::default() };
    assert!(!child_environment(&parent, &listed, JOB, 0).contains_key(&odd));
}

#[test]
fn a_run_gets_its_own_span_unless_its_rule_says_otherwise() {
    let trace: TraceParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse().unwrap();
    let own = trace.to_string();
    let same = "00-4bf92f3577b34da6a3ce929d0e0e4736-ffffffffffffffff-01";
    let other = "00-ffffffffffffffffffffffffffffffff-ffffffffffffffff-01";
    let handed_on = |parent: &[(&str, &str)], rule: &EnvironmentRule| {
        let mut child = child(parent, rule);
        hand_on_trace(&mut child, rule, trace);
        let text = |name: &str| Some(child.get(OsStr::new(name))?.to_str().unwrap().to_owned());
        (text("TRACEPARENT"), text("TRACESTATE"))
    };
    let plain = EnvironmentRule::default();
    assert_eq!(handed_on(&[], &plain), (Some(own.clone()), None));
    for (before, state) in [(same, Some("a=1")), (other, None), ("nonsense", None)] {
        let parent = [("TRACEPARENT", before), ("TRACESTATE", "a=1")];
        assert_eq!(handed_on(&parent, &plain), (Some(own.clone()), state.map(str::to_owned)), "{before}");
    }
    let denied = EnvironmentRule { deny: vec!["TRACE*".to_owned()], ..plain.clone() };
    assert_eq!(handed_on(&[("TRACEPARENT", same)], &denied), (None, None));
    let listed = EnvironmentRule { inherit: Some(vec![]), ..plain.clone() };
    assert_eq!(handed_on(&[("TRACEPARENT", other)], &listed).0, Some(own));
    let set = [("TRACEPARENT".to_owned(), other.to_owned())].into();
    let set = EnvironmentRule { set, ..plain };
    assert_eq!(handed_on(&[], &set).0.as_deref(), Some(other));
}

proptest! {
    #[test]
    fn whatever_the_caller_has_the_depth_grows_by_one(
        parent in prop::collection::btree_map("(AGENT_DISPATCH_|CLAUDE_)?[A-Z_]{1,8}", "[a-z0-9-]{0,4}", 0..8),
        set in prop::collection::btree_map("AGENT_DISPATCH_(DEPTH|RUN_ID)|[A-Z]{1,4}", "[0-9]{1,2}", 0..4),
        depth in 0_u32..100,
    ) {
        let parent = parent.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        let rule = EnvironmentRule { set, ..Default::default() };
        let child = child_environment(&parent, &rule, JOB, depth);
        prop_assert_eq!(child.get(OsStr::new(DEPTH_VARIABLE)), Some(&OsString::from((depth + 1).to_string())));
        prop_assert_eq!(child.get(OsStr::new(RUN_VARIABLE)), Some(&OsString::from(JOB.to_string())));
    }
}
