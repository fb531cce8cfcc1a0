//! Tests of what an edit tells of an agent.

use super::agent;

#[test]
fn values_of_variables_are_told_in_no_layout_and_their_names_in_all() {
    for written in [
        "env: {set: {DB_PASS: hunter2}}",
        "env:\n      set: # hunter2\n        DB_PASS: hunter2 # was hunter2\n        # OLD: hunter2",
        "env:\n      set:\n        DB_PASS: |\n          hunter2\n          hunter2",
        "env: {set: {\"DB_PASS\": 'hunter2'}}",
        "x-pw: &pw hunter2\n    env: {set: {DB_PASS: *pw}}",
        "x-pw: [&pw hunter2]\n    env: {set: {DB_PASS: *pw}}",
        "x-env: &env {set: {DB_PASS: hunter2}}\n    env: *env",
        "env: {set: {<<: {DB_PASS: hunter2}}}",
        "<<: {env: {set: {DB_PASS: hunter2}}}",
        "<<: [{env: {set: {DB_PASS: hunter2}}}, {model: opus}]",
        "env: {set: {DB_PASS: !mine hunter2}}",
        "env: {set: {DB_PASS: [hunter2]}}",
        "env: {DB_PASS: hunter2}",
        "env: DB_PASS=hunter2\n    DB_PASS: 1",
        "evn: {set: {DB_PASS: hunter2}}",
    ] {
        let text = format!("agents:\n  web:\n    directory: /web # here\n    {written}\n    model: opus\n");
        for before in [None, Some(text.as_str()), Some("agents: {web: {env: {set: {DB_PASS: hunter2}}}}")] {
            let told = agent(&text, "web", before).unwrap_or_else(|| panic!("{written}"));
            assert!(!told.contains("hunter2"), "{written}: {told}");
            assert!(told.contains("DB_PASS:"), "{written}: {told}");
            assert!(
                told.contains("directory: /web\n") && told.contains("model: opus\n"),
                "{written}: {told}"
            );
        }
    }
}

#[test]
fn that_a_value_changed_is_told() {
    let before = "agents: {web: {directory: /web, env: {set: {A: one, B: two, C: three}}}}";
    let after = "agents: {web: {directory: /web, env: {deny: [X], set: {A: one, B: other, D: three}}}}";
    let told = agent(after, "web", Some(before)).expect("there");
    let want = "web:\n  directory: /web\n  env:\n    deny:\n    - X\n    set:\n      A: <hidden>\n      B: <hidden, changed>\n      D: <hidden>\n";
    assert_eq!(told, want);
}

#[test]
fn without_values_of_variables_an_agent_is_told_as_it_is_written() {
    for written in ["web: {directory: /web}", "web: # ours\n    directory: '/web' # here", "web: *base"] {
        let text = format!("agents:\n  base: &base {{env: {{deny: [X], set: }}}}\n  {written}\n");
        assert_eq!(agent(&text, "web", None).as_deref(), Some(written), "{text}");
    }
    assert_eq!(agent("agents: {}", "web", None), None);
}
