//! Scripts in prompts, and the step a conversation has reached.

use serde_json::json;

use super::*;

fn script(steps: &Value) -> String {
    format!("{OPEN} {steps} {CLOSE}")
}

fn user(text: &str) -> Value {
    json!({"role": "user", "content": [
        {"type": "text", "text": "<system-reminder>today</system-reminder>"}, {"type": "text", "text": text},
    ]})
}

fn assistant() -> Value {
    json!({"role": "assistant", "content": [{"type": "text", "text": "so far"}]})
}

fn result_of_tool(text: &str) -> Value {
    json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": text}]})
}

fn said(messages: &[Value]) -> String {
    read(messages).step.expect("the script is good").full_text()
}

#[test]
fn a_prompt_without_a_script_is_repeated_in_its_first_sixty_characters() {
    let long = "ż".repeat(100);
    assert_eq!(said(&[user("hello")]), "mock reply to: hello");
    assert_eq!(said(&[user(&long)]), format!("mock reply to: {}", "ż".repeat(60)));
    assert_eq!(said(&[json!({"role": "user", "content": "plain"})]), "mock reply to: plain");
}

#[test]
fn the_step_is_the_number_of_answers_after_the_script() {
    let prompt =
        format!("## Task\n\ndo it {}\n\n## Rules\nnone", script(&json!([{"text": "a"}, {"text": "b"}])));
    let mut messages = vec![user(&prompt)];
    let mut heard = Vec::new();
    for _ in 0..3 {
        heard.push(said(&messages));
        messages.extend([assistant(), result_of_tool("ok")]);
    }
    assert_eq!(heard, ["a", "b", "the script is over"]);
}

#[test]
fn a_newer_script_begins_at_its_first_step() {
    let first = user(&script(&json!([{"text": "old"}])));
    let second = user(&script(&json!([{"text": "new 0"}, {"text": "new 1"}])));
    assert_eq!(said(&[first.clone(), assistant(), second.clone()]), "new 0");
    assert_eq!(said(&[first, assistant(), second, assistant()]), "new 1");
}

#[test]
fn an_inner_script_belongs_to_the_inner_conversation() {
    let innermost = script(&json!([{"text": "the \"deepest\" {{last_tool_result}}"}]));
    let inner =
        script(&json!([{"tool": {"name": "Bash", "input": {"command": innermost}}}, {"text": "inner done"}]));
    let outer = script(&json!([
        {"tool": {"name": "dispatch", "input": {"task": format!("please: {inner}")}}},
        {"text": "outer got {{last_tool_result}}"},
    ]));
    let messages = [user(&outer), assistant(), result_of_tool(&inner)];

    let first = read(messages.get(..1).expect("there is one")).step.expect("the outer script is good");
    let task = first.tool.expect("the first step calls a tool").input["task"].as_str().map(str::to_owned);
    assert_eq!(task.as_deref(), Some(format!("please: {inner}").as_str()));
    let inner_step = read(&[user(&task.expect("it has a task"))]).step.expect("the inner script is good");
    assert_eq!(
        inner_step.tool,
        Some(ToolCall { name: "Bash".to_owned(), input: json!({"command": innermost}) })
    );
    assert_eq!(said(&messages), format!("outer got {inner}"));
}

#[test]
fn results_of_several_tools_follow_each_other_and_reach_arguments() {
    let prompt =
        script(&json!([{"text": "x"}, {"tool": {"name": "t", "input": {"a": ["<{{last_tool_result}}>"]}}}]));
    let results = json!({"role": "user", "content": [
        {"type": "tool_result", "tool_use_id": "1", "content": "one"},
        {"type": "tool_result", "tool_use_id": "2", "content": [{"type": "text", "text": "two"}]},
        {"type": "text", "text": "<system-reminder>not a result</system-reminder>"},
    ]});
    let turn = read(&[user(&prompt), assistant(), results]);
    assert_eq!(turn.last_tool_result.as_deref(), Some("one\ntwo"));
    let call = turn.step.expect("the script is good").tool.expect("it calls a tool");
    assert_eq!(call.input, json!({"a": ["<one\ntwo>"]}));
}

#[test]
fn a_script_that_cannot_be_read_is_told_and_not_taken_for_text() {
    for (prompt, told) in [
        ("<<mock [{\"text\": ] mock>>", "not JSON"),
        ("<<mock", "empty"),
        ("<<mock [] and more", "no mock>>"),
        ("<<mock [{\"txt\": \"typo\"}] mock>>", "unknown field `txt`"),
    ] {
        let error = read(&[user(prompt)]).step.expect_err(prompt);
        assert!(error.contains(told), "{prompt}: {error}");
    }
}

#[test]
fn a_long_answer_is_made_from_a_short_step() {
    let prompt =
        "<<mock {\"text\": \"head \", \"repeat\": {\"text\": \"0123456789\", \"times\": 300000}} mock>>";
    let answer = said(&[user(prompt)]);
    assert_eq!((answer.len(), answer.get(..10)), (3_000_005, Some("head 01234")));
}

#[test]
fn a_step_takes_parts_of_what_the_last_tool_answered() {
    let prompt =
        script(&json!([{"text": ""}, {"text": "<{{last:/job_id}}> <{{last:/list/1}}> <{{last:/none}}>"}]));
    let answer = json!({"job_id": "0199", "list": [1, 2]}).to_string();
    assert_eq!(said(&[user(&prompt), assistant(), result_of_tool(&answer)]), "<0199> <2> <>");
    assert_eq!(said(&[user(&prompt), assistant(), result_of_tool("no JSON")]), "<> <> <>");
}
