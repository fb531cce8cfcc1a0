//! What is cut, and that a cut never splits a character.

use super::*;

#[test]
fn a_head_is_counted_in_characters() {
    for (text, chars, want) in
        [("żółw 🐢", 4, "żółw"), ("żółw 🐢", 6, "żółw 🐢"), ("abc", 99, "abc"), ("abc", 0, "")]
    {
        assert_eq!(head(text, chars), want);
    }
}

#[test]
fn parts_put_together_are_the_whole() {
    let answer = Answer { text: "żółw 🐢 and more".to_owned(), parsed: None };
    let size = answer.text.chars().count() as u64;
    for chars in 1..20 {
        let (mut whole, mut offset) = (String::new(), Some(0));
        while let Some(at) = offset {
            let mut document = DispatchDocument::default();
            let extent = Extent::Part { offset: usize::try_from(at).unwrap(), chars };
            let mut part = answer.clone();
            part.keep(extent.portion());
            document.part(&part, size, "id", usize::try_from(at).unwrap(), chars);
            whole.push_str(document.result.as_deref().unwrap());
            assert_eq!(document.truncated.is_some(), chars < 15, "{chars}");
            offset = document.next_offset;
        }
        assert_eq!(whole, answer.text);
    }
}

#[test]
fn a_parsed_value_comes_whole_or_not_at_all() {
    let answer = Answer { text: "see below".to_owned(), parsed: Some("[1,2,3]".to_owned()) };
    let mut whole = DispatchDocument::default();
    whole.parsed(&answer, "id", 7);
    assert_eq!(whole.parsed_result, Some(serde_json::json!([1, 2, 3])));
    let mut without = DispatchDocument::default();
    without.parsed(&answer, "id", 6);
    assert_eq!((without.parsed_result, without.reference.as_deref()), (None, Some("id")));
    assert!(without.message.unwrap().contains("fetch_result(ref=\"id\""));
}

#[test]
fn a_text_and_its_value_together_are_no_longer_than_an_answer_may_be() {
    let json = |chars: usize| format!("\"{}\"", "v".repeat(chars - 2));
    let table = [
        // Length of the text and of the value, how long both may be, what is shown of the text, whether the value comes.
        (3000, 7, 1000, 993, true),
        (3000, 500, 1000, 500, true),
        (3000, 501, 1000, 1000, false),
        (300, 700, 1000, 300, true),
        (300, 701, 1000, 300, false),
        (300, 701, 2000, 300, true),
        (600_000, 250_000, ANSWER_CHARS_MAX, 250_000, true),
        (600_000, 250_001, ANSWER_CHARS_MAX, 500_000, false),
        (600_000, 600_000, usize::MAX, 600_000, true),
    ];
    for (text, value, chars, shown, comes) in table {
        let case = format!("{text}, {value}, {chars}");
        let answer = Answer { text: "t".repeat(text), parsed: Some(json(value)) };
        let mut document = DispatchDocument::default();
        document.part(&answer, text as u64, "id", 0, chars);
        assert_eq!(document.result.as_deref().map(str::len), Some(shown), "{case}");
        assert_eq!(document.parsed_result.is_some(), comes, "{case}");
        assert_eq!(document.truncated.is_some(), shown < text, "{case}");
        assert_eq!(document.next_offset, (shown < text).then_some(shown as u64), "{case}");
        assert_eq!(document.message.is_some(), !comes, "{case}");
        // What the message names brings the value.
        let Some(message) = document.message else { continue };
        let mut again = DispatchDocument::default();
        again.part(&answer, text as u64, "id", 0, ANSWER_CHARS_MAX);
        assert_eq!(message.contains("fetch_result"), again.parsed_result.is_some(), "{case}: {message}");
        let mut further = DispatchDocument::default();
        further.part(&answer, text as u64, "id", 1, chars);
        assert_eq!((further.parsed_result, further.message), (None, None), "{case}");
    }
    let same = Answer { text: json(900), parsed: Some(json(900)) };
    let mut document = DispatchDocument::default();
    document.part(&same, 900, "id", 0, 1000);
    let message = document.message.unwrap();
    assert!(message.contains("`result` says the same as text: read it with fetch_result"), "{message}");
}

#[test]
fn many_jobs_share_what_a_client_takes() {
    for jobs in [1, 2, 10, 100] {
        let each = Measure::each_of(jobs, 500_000);
        assert!(jobs * (each.answer_chars + 3 * each.text_chars) <= ANSWER_CHARS_MAX, "{jobs}: {each:?}");
    }
    assert_eq!(Measure::each_of(1, 45_000), Measure { answer_chars: 45_000, text_chars: 4000 });
}
