//! The real output of the CLI, in whole and in pieces, and everything that could come instead.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::answer::Progress;
use crate::audit::cut;
use crate::model::{CallEnd, Exit, FailureClass, Retry, ToolUse, Usage};

/// A capture: its name, its bytes, the verdict, the first words of the answer (or of the error), cost, turns, tokens read
/// and written.
struct Row(&'static str, &'static [u8], &'static str, &'static str, f64, u32, u64, u64);

macro_rules! rows {
    ($(($name:literal, $verdict:literal, $text:literal, $cost:literal, $turns:literal, $read:literal, $written:literal),)*) => {
        [$(Row(
            $name,
            include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/claude/", $name, ".jsonl")),
            $verdict, $text, $cost, $turns, $read, $written,
        ),)*]
    };
}

const CAPTURES: [Row; 42] = rows![
    ("a04-stream-json-verbose", "ok", "mock reply to: hi", 0.01, 1, 1000, 200),
    ("a06-stream-json-partial", "ok", "mock reply to: hi", 0.01, 1, 1000, 200),
    ("a07-stream-json-tool", "ok", "done: tool-ran", 0.02, 2, 2000, 400),
    ("a10-stream-json-thinking-partial", "ok", "thought", 0.01, 1, 1000, 200),
    ("a12-json-max-tokens", "ok", "mock reply to: Output token limit hit. R…", 0.02, 1, 2000, 400),
    ("a13-json-refusal", "cli_error", "API Error: Claude Code is unable to resp…", 0.01, 1, 1000, 200),
    ("a14-json-empty-text", "ok", "", 0.02, 2, 2000, 400),
    ("a15-json-no-content", "ok", "", 0.02, 2, 2000, 400),
    ("a17-json-unicode", "ok", "żółw \0 \u{2028} 🐢 \u{fffd} end", 0.01, 1, 1000, 200),
    ("a19-stream-json-hooks-noise", "ok", "mock reply to: hi", 0.01, 1, 1000, 200),
    ("b04b-resume-unknown-stream", "not_found", "No conversation found with session ID: 1…", 0.0, 0, 0, 0),
    (
        "c02-budget-exceeded-text-only",
        "budget",
        "stopped after $0.01 because its budget w…",
        0.01,
        1,
        1000,
        200
    ),
    ("c03-budget-exceeded-stream", "budget", "stopped after $0.01 because its budget w…", 0.01, 1, 1000, 200),
    ("c08-max-turns-1-tool", "cli_error", "Reached maximum number of turns (1)", 0.01, 2, 1000, 200),
    ("d-stream-denied", "ok", "done: touch in '$SCRATCH/proj/x' was blo…", 0.02, 2, 2000, 400),
    ("f02-json-schema-ok-stream", "ok", "{\"name\":\"x\",\"n\":3}", 0.01, 2, 1000, 200),
    (
        "f03-json-schema-model-answers-text",
        "cli_error",
        "the agent answered, but gave no structur…",
        0.02,
        2,
        2000,
        400
    ),
    (
        "f05-json-schema-never-fits",
        "cli_error",
        "Failed to provide valid structured outpu…",
        0.04,
        6,
        4000,
        800
    ),
    ("i-400-credit", "usage_limit", "Credit balance is too low", 0.0, 1, 0, 0),
    ("i-400-prompt-too-long", "cli_error", "Prompt is too long · the request is ~250…", 0.0, 1, 0, 0),
    ("i-400", "cli_error", "API Error: 400 mock 400", 0.0, 1, 0, 0),
    ("i-401-stream", "auth", "Failed to authenticate. API Error: 401 a…", 0.0, 1, 0, 0),
    ("i-403", "auth", "Failed to authenticate. API Error: 403 m…", 0.0, 1, 0, 0),
    ("i-404", "not_found", "There's an issue with the selected model…", 0.0, 1, 0, 0),
    ("i-413", "cli_error", "Request too large (max 32MB). Try with a…", 0.0, 1, 0, 0),
    ("i-429-stream", "usage_limit", "API Error: Request rejected (429) · rate…", 0.0, 1, 0, 0),
    ("i-429-unified-limit", "usage_limit", "API Error: Request rejected (429) · This…", 0.0, 1, 0, 0),
    ("i-500", "overloaded", "API Error: 500 mock 500. This is a serve…", 0.0, 1, 0, 0),
    ("i-529-stream", "overloaded", "API Error: 529 overloaded_error. This is…", 0.0, 1, 0, 0),
    ("i-drop-middle", "overloaded", "API Error: Connection closed mid-respons…", 0.005_025, 1, 1000, 1),
    ("i-error-after-tool", "cli_error", "API Error: 400 mock 400 in turn 2", 0.01, 2, 1000, 200),
    ("i-no-key-stream", "auth", "Not logged in · Please run /login", 0.0, 1, 0, 0),
    ("i-refused", "overloaded", "API Error: Unable to connect to API (Con…", 0.0, 1, 0, 0),
    ("i-sse-error", "overloaded", "API Error: Overloaded", 0.0, 1, 0, 0),
    ("i-stall-api-timeout-2s", "overloaded", "Request timed out", 0.0, 1, 0, 0),
    ("i-subscription-401-stream", "auth", "Failed to authenticate. API Error: 401 a…", 0.0, 1, 0, 0),
    (
        "i-subscription-limit-five-hour-stream",
        "usage_limit",
        "You've hit your limit · resets Mar 17, 2…",
        0.0,
        1,
        0,
        0
    ),
    (
        "i-subscription-limit-weekly-stream",
        "usage_limit",
        "You've hit your weekly limit · resets Ma…",
        0.0,
        1,
        0,
        0
    ),
    ("i-subscription-warning-stream", "ok", "ok", 0.006, 1, 1000, 200),
    ("k16-stdin-slash", "ok", "Unknown command: /nosuchcommand", 0.0, 0, 0, 0),
    ("k25-stream-json-input", "ok", "mock reply to: hi via stream", 0.01, 1, 1000, 200),
    ("k26-stream-json-input-two", "ok", "mock reply to: turn 2", 0.02, 1, 2000, 400),
];

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn stream(name: &str) -> Stream {
    let schema = || Expects::Schema("{}".to_owned());
    Stream::new(if name.starts_with('f') { schema() } else { Expects::Text }, None)
}

fn end(stream: Stream) -> (RunResult, Answer) {
    // The exit code must not matter: this one contradicts half of the captures.
    let ending = Ending { exit: Some(Exit::Code(1)), elapsed_ms: 5000, ..Default::default() };
    stream.conclude(&ending, "web", 60_000, NOW)
}

fn capture(wanted: &str) -> &'static [u8] {
    CAPTURES.iter().find(|row| row.0 == wanted).map(|row| row.1).unwrap()
}

#[test]
fn every_capture_of_the_real_cli_gets_its_verdict() {
    for Row(name, bytes, verdict, text, cost, turns, read, written) in CAPTURES {
        let mut stream = stream(name);
        let notes = stream.feed(bytes, 10);
        assert!(stream.result_seen(), "{name}");
        assert!(notes.first() == Some(&Note::Begun), "{name}");
        let (result, answer) = end(stream);
        let found = result.class.map_or("ok", FailureClass::as_str);
        let said = cut(result.error.as_deref().unwrap_or(&answer.text), 40);
        let numbers = (result.cost_usd, result.num_turns, result.usage.input, result.usage.output);
        assert_eq!(
            (found, said.as_str(), numbers),
            (verdict, text, (Some(cost), Some(turns), read, written)),
            "{name}"
        );
        assert_eq!((result.success, result.retry.is_none()), (verdict == "ok", verdict == "ok"), "{name}");
        assert!(result.session.is_some(), "{name}");
    }
}

#[test]
fn a_run_with_a_tool_is_told_while_it_goes_on_and_summed_up_at_its_end() {
    let mut stream = stream("a07-stream-json-tool");
    let mut notes = Vec::new();
    for (number, line) in capture("a07-stream-json-tool").split_inclusive(|byte| *byte == b'\n').enumerate() {
        notes.extend(stream.feed(line, 100 * number as u64));
    }
    let progress =
        |text: &str, turns| Note::Progress(Progress { text: text.to_owned(), turns, cost_usd: None });
    let told = [Note::Begun, progress("Bash echo tool-ran", 1), Note::Worked, progress("done: tool-ran", 2)];
    assert_eq!(notes, told);
    let call = ToolCall {
        name: "Bash".to_owned(),
        input: "echo tool-ran".to_owned(),
        parent: None,
        start_ms: 100,
        duration_ms: Some(100),
        end: CallEnd::Done,
    };
    assert_eq!(stream.calls(), [call]);
    let mut expected = RunResult::succeeded(204);
    expected.session = Some("2334eb60-4c8b-4678-8580-30bb91c2e872".parse().unwrap());
    expected.cost_usd = Some(0.02);
    expected.num_turns = Some(2);
    expected.model = Some("claude-opus-4-8".to_owned());
    expected.usage = Usage { input: 2000, output: 400, ..Default::default() };
    expected.tools = [("Bash".to_owned(), ToolUse { count: 1, millis: 100 })].into();
    assert_eq!(end(stream), (expected, Answer { text: "done: tool-ran".to_owned(), parsed: None }));
}

#[test]
fn a_call_that_was_not_permitted_is_told_apart_from_one_that_failed() {
    let stream = replay(Expects::Text, None, capture("d-stream-denied"));
    let calls = stream.calls();
    let told: Vec<_> = calls.iter().map(|call| (call.name.as_str(), call.input.as_str(), call.end)).collect();
    assert_eq!(told, [("Bash", "touch x", CallEnd::Denied)]);
    assert_eq!(end(stream).0.denied_tools, ["Bash"]);
}

#[test]
fn what_a_recent_version_denied_is_known_before_the_result_line_and_of_an_older_one_it_is_not() {
    let line = |line: Value| format!("{line}\n");
    let call = |name: &str, id: &str| {
        let content = json!([{"type": "tool_use", "id": id, "name": name, "input": {}}]);
        line(json!({"type": "assistant", "message": {"id": id, "content": content}}))
    };
    let failed = |id: &str| {
        let content = json!([{"type": "tool_result", "tool_use_id": id, "is_error": true, "content": "no"}]);
        line(json!({"type": "user", "message": {"role": "user", "content": content}}))
    };
    let told = |name: &str, id: &str| {
        line(json!({"type": "system", "subtype": "permission_denied", "tool_name": name, "tool_use_id": id}))
    };
    let calls = [call("Write", "1"), failed("1"), call("Bash", "2"), failed("2")];
    let [write, denied, bash, wrong] = calls;
    let rows = [
        (format!("{write}{}{denied}{bash}{wrong}", told("Write", "1")), vec!["Write"], false),
        (format!("{write}{denied}{bash}{wrong}"), vec![], true),
        (format!("{write}{bash}"), vec![], false),
        (
            format!("{bash}{wrong}{}", line(json!({"type": "result", "permission_denials": []}))),
            vec![],
            false,
        ),
    ];
    for (output, names, unknown) in rows {
        let stream = replay(Expects::Text, None, output.as_bytes());
        let ends: Vec<_> = stream.calls().iter().map(|call| call.end).collect();
        assert_eq!(ends.contains(&CallEnd::Denied), !names.is_empty(), "{output}");
        let (result, _) = end(stream);
        assert_eq!(
            (result.denied_tools, result.denied_unknown),
            (names.iter().map(ToString::to_string).collect(), unknown),
            "{output}"
        );
    }
}

#[test]
fn a_limit_of_the_account_says_when_to_come_back() {
    let name = "i-subscription-limit-five-hour-stream";
    let (result, _) = end(replay(Expects::Text, None, capture(name)));
    assert_eq!(result.retry, Some(Retry::After(Timestamp::from_millis(1_900_000_000_000))));
    assert!(result.hint.unwrap().contains("2030-03-17T17:46:40"));
    let (result, _) = end(replay(Expects::Text, None, capture("i-429-stream")));
    assert_eq!(result.retry, Some(Retry::After(NOW.plus_millis(60_000))));
}

#[test]
fn a_line_that_is_too_long_is_skipped_and_the_next_one_read() {
    let mut stream = Stream { line_bytes_max: 200, ..stream("") };
    let long = format!("{{\"type\":\"result\",\"is_error\":false,\"result\":\"{}\"}}\n", "x".repeat(300));
    for piece in long.as_bytes().chunks(7) {
        assert_eq!(stream.feed(piece, 1), []);
        assert!(stream.line.len() <= 200);
    }
    assert!(!stream.result_seen());
    drop(stream.feed(b"{\"type\":\"result\",\"is_error\":false,\"result\":\"short\"}", 2));
    assert!(!stream.result_seen(), "its line has not ended");
    assert_eq!(end(stream).1.text, "short");
}

#[test]
fn an_answer_is_not_taken_back_by_an_error_that_follows_it() {
    let answer = r#"{"type":"result","is_error":false,"result":"paid for","total_cost_usd":0.5}"#;
    let error = r#"{"type":"result","subtype":"error_during_execution","is_error":true,"terminal_reason":"aborted_tools"}"#;
    for (lines, said, aborted) in [
        (format!("{answer}\n{error}\n"), "paid for", false),
        (format!("{error}\n{answer}\n"), "paid for", false),
        (format!("{answer}\n{}\n", answer.replace("paid for", "more")), "more", false),
        (format!("{error}\n"), "", true),
        // Without its line feed, too.
        (error.to_owned(), "", true),
        (answer.to_owned(), "paid for", false),
    ] {
        let stream = replay(Expects::Text, None, lines.as_bytes());
        assert_eq!(stream.aborted(), aborted, "{lines}");
        let (result, answer) = end(stream);
        assert_eq!((result.success, answer.text.as_str()), (!aborted, said), "{lines}");
    }
}

/// Returns the stream of a run that is over, from all that it wrote.
fn replay(expects: Expects, budget: Option<f64>, stdout: &[u8]) -> Stream {
    let mut stream = Stream::new(expects, budget);
    drop(stream.feed(stdout, 0));
    stream.finish(0);
    stream
}

fn noise() -> impl Strategy<Value = Vec<u8>> {
    let text = "[^\n{]{0,20}".prop_map(String::into_bytes);
    let types = "(system|assistant|user|rate_limit_event|stream_event|x)";
    let object = format!(
        r#"\{{"type":"{types}","(message|subtype|rate_limit_info)":(null|1|"init"|\[\]|\{{"content":[1,null]\}})\}}"#
    );
    let object = proptest::string::string_regex(&object.replace("[1,null]", r"\[1,null\]")).unwrap();
    prop_oneof![text, object.prop_map(String::into_bytes), prop::collection::vec(11_u8..=255, 0..20)]
}

proptest! {
    #[test]
    fn any_split_gives_the_same_conclusion(row in 0..CAPTURES.len(), cuts in prop::collection::vec(0_usize..7000, 0..12)) {
        let Row(name, bytes, ..) = &CAPTURES[row];
        let mut whole = stream(name);
        let notes = whole.feed(bytes, 3);
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let mut split = stream(name);
        let pieces: Vec<_> = cuts.windows(2).flat_map(|ends| split.feed(&bytes[ends[0]..ends[1]], 3)).collect();
        prop_assert_eq!(pieces, notes);
        prop_assert_eq!(end(split), end(whole));
    }

    #[test]
    fn noise_between_the_lines_changes_no_answer(row in 0..CAPTURES.len(), noise in prop::collection::vec(noise(), 12)) {
        let Row(name, bytes, ..) = &CAPTURES[row];
        let mut noisy = Vec::new();
        for (line, noise) in bytes.split_inclusive(|byte| *byte == b'\n').zip(&noise) {
            noisy.extend_from_slice(noise);
            noisy.push(b'\n');
            noisy.extend_from_slice(line);
        }
        // Long captures have more lines than there is noise.
        noisy.extend(bytes.split_inclusive(|byte| *byte == b'\n').skip(noise.len()).flatten());
        let (clean, answer) = end(replay(stream(name).expects, None, bytes));
        let (result, same) = end(replay(stream(name).expects, None, &noisy));
        prop_assert_eq!((result.success, result.class, result.cost_usd), (clean.success, clean.class, clean.cost_usd));
        prop_assert_eq!(same, answer);
    }

    #[test]
    fn a_file_cut_anywhere_gives_a_result(row in 0..CAPTURES.len(), length in 0_usize..7000, flipped in 0_usize..7000) {
        let Row(name, bytes, ..) = &CAPTURES[row];
        let mut bytes = bytes[..length.min(bytes.len())].to_vec();
        if let Some(byte) = bytes.get_mut(flipped) {
            *byte ^= 0x10;
        }
        let (result, _) = end(replay(stream(name).expects, None, &bytes));
        prop_assert_eq!(result.success, result.class.is_none());
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let (result, _) = end(replay(Expects::Json, Some(1.0), &bytes));
        prop_assert!(!result.success);
    }
}
