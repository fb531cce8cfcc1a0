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
fn many_jobs_share_what_a_client_takes() {
    for jobs in [1, 2, 10, 100] {
        let each = Measure::each_of(jobs, 500_000);
        assert!(jobs * (each.answer_chars + 3 * each.text_chars) <= ANSWER_CHARS_MAX, "{jobs}: {each:?}");
    }
    assert_eq!(Measure::each_of(1, 45_000), Measure { answer_chars: 45_000, text_chars: 4000 });
}
