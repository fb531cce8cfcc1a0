//! Which field decides.

use serde_json::json;

use super::*;

fn judge(result: &Value, api_error: Option<&str>, limited: bool, denied: &[&str]) -> (FailureClass, Retry) {
    let ending = Ending::default();
    let limit = Limit { kind: None, resets: Some(Timestamp::from_millis(9_000_000)) };
    let denied: Vec<_> = denied.iter().map(|name| (*name).to_owned()).collect();
    let facts = Facts {
        agent: "web",
        session: None,
        timeout_ms: 60_000,
        budget: None,
        now: Timestamp::from_millis(1000),
        ending: &ending,
        api_error,
        limit: limited.then_some(&limit),
        denied: &denied,
        text_kept: false,
    };
    let verdict = facts.reported(result.as_object().unwrap());
    assert!(!verdict.error.is_empty() && !verdict.hint.is_empty(), "{verdict:?}");
    (verdict.class, verdict.retry)
}

#[test]
fn structured_fields_decide_before_text() {
    use FailureClass::{Auth, Budget, CliError, NotFound, Overloaded, Permission, UsageLimit};
    let after = |millis| Retry::After(Timestamp::from_millis(millis));
    let rows = [
        (
            json!({"subtype": "error_max_budget_usd", "api_error_status": 500}),
            None,
            false,
            vec!["Bash"],
            Budget,
            Retry::Never,
        ),
        (json!({"terminal_reason": "budget_exhausted"}), None, false, vec![], Budget, Retry::Never),
        (
            json!({"api_error_status": 401, "result": "You've hit your limit"}),
            Some("rate_limit"),
            true,
            vec![],
            Auth,
            Retry::Never,
        ),
        (json!({"api_error_status": 403}), None, false, vec!["Bash"], Auth, Retry::Never),
        (json!({"api_error_status": 404}), None, false, vec![], NotFound, Retry::Never),
        (json!({"api_error_status": 429}), None, false, vec![], UsageLimit, after(61_000)),
        (json!({"api_error_status": 429}), None, true, vec![], UsageLimit, after(9_000_000)),
        (json!({"api_error_status": 402}), None, true, vec![], UsageLimit, Retry::Never),
        (json!({"api_error_status": 529}), None, false, vec![], Overloaded, after(31_000)),
        (json!({"api_error_status": 413}), None, false, vec![], CliError, Retry::Never),
        (
            json!({"api_error_status": 400, "result": "rate limit, not allowed, unauthorized"}),
            Some("invalid_request"),
            false,
            vec![],
            CliError,
            Retry::Never,
        ),
        (json!({"api_error_status": null}), Some("authentication_failed"), true, vec![], Auth, Retry::Never),
        (json!({"result": "anything"}), Some("billing_error"), false, vec![], UsageLimit, Retry::Never),
        (json!({"result": "Not logged in · Please run /login"}), None, false, vec![], Auth, Retry::Never),
        (json!({"result": "I was not logged in"}), None, false, vec![], CliError, Retry::Never),
        (json!({"result": "something else"}), None, true, vec![], UsageLimit, after(9_000_000)),
        (json!({"result": "something else"}), None, false, vec!["Bash"], Permission, Retry::Never),
        (
            json!({"subtype": "error_during_execution", "errors": ["No conversation found with session ID: x"]}),
            None,
            false,
            vec![],
            NotFound,
            Retry::Never,
        ),
        (
            json!({"subtype": "error_during_execution", "errors": ["[ede_diagnostic] x"]}),
            None,
            false,
            vec![],
            CliError,
            Retry::Now,
        ),
        (json!({"terminal_reason": "aborted_tools"}), None, false, vec![], CliError, Retry::Now),
        (json!({}), Some("a name that is new"), false, vec![], CliError, Retry::Never),
    ];
    for (result, api_error, limited, denied, class, retry) in rows {
        assert_eq!(
            judge(&result, api_error, limited, &denied),
            (class, retry),
            "{result} {api_error:?} {denied:?}"
        );
    }
}

#[test]
fn the_error_text_is_what_claude_says_without_its_diagnosis() {
    let rows = [
        (json!({"result": "a\nb"}), "a b"),
        (json!({"result": "", "errors": ["one", 2, "[ede_diagnostic] x", "two"]}), "one; two"),
        (json!({"errors": ["1", "2", "3", "4", "5", "6"]}), "1; 2; 3; 4; 5"),
        (json!({"errors": "x"}), ""),
        (json!({}), ""),
    ];
    for (result, text) in rows {
        assert_eq!(reported_text(result.as_object().unwrap()), text);
    }
    let long = json!({"result": "x".repeat(10_000)});
    assert_eq!(reported_text(long.as_object().unwrap()).chars().count(), ERROR_CHARS + 1);
}

#[test]
fn the_end_of_stderr_is_shown_and_no_secret_in_it_is_cut_in_two() {
    let tail = format!("{}\nlast: token=abcdefgh\n", "first line\n".repeat(200));
    let ending = Ending { stderr_tail: tail, exit: Some(Exit::Code(3)), ..Default::default() };
    let facts = Facts {
        agent: "web",
        session: None,
        timeout_ms: 0,
        budget: None,
        now: Timestamp::from_millis(0),
        ending: &ending,
        api_error: None,
        limit: None,
        denied: &[],
        text_kept: false,
    };
    let verdict = facts.unreported();
    assert!(verdict.error.ends_with("first line last: token=abcdefgh"), "{}", verdict.error);
    assert!(verdict.error.chars().count() < 600);
}
