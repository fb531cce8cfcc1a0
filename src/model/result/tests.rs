//! An answer of any length fits.

use super::*;

const MAX: usize = Answer::BYTES_MAX;

fn fit(text: usize, parsed: Option<usize>) -> (Answer, bool) {
    // Three bytes each, so that the end may fall into the middle of one.
    let euros = |bytes: usize| "\u{20ac}".repeat(bytes / 3) + &"x".repeat(bytes % 3);
    let mut answer = Answer { text: "t".repeat(text), parsed: parsed.map(euros) };
    let replaced = answer.fit();
    (answer, replaced)
}

#[test]
fn an_answer_that_fits_stays_as_it_is() {
    for (text, parsed) in [(0, None), (MAX, None), (MAX / 2, Some(MAX / 2)), (0, Some(MAX))] {
        let (answer, replaced) = fit(text, parsed);
        assert_eq!((answer.text.len(), answer.parsed.map(|it| it.len()), replaced), (text, parsed, false));
    }
}

#[test]
fn a_value_that_does_not_fit_beside_the_text_is_the_text() {
    let (answer, replaced) = fit(MAX / 2, Some(MAX / 2 + 1));
    assert_eq!((answer.text.len(), answer.parsed, replaced), (MAX / 2 + 1, None, true));
}

#[test]
fn what_is_too_long_by_itself_is_cut_and_says_so() {
    for (text, parsed) in [(MAX + 1, None), (0, Some(MAX + 1)), (MAX + 1, Some(MAX + 1))] {
        let (answer, replaced) = fit(text, parsed);
        let cut = format!("\n[cut: the answer was {} bytes, {MAX} are kept]", MAX + 1);
        let kept = answer.text.strip_suffix(&cut).unwrap();
        assert!((MAX - 2..=MAX).contains(&kept.len()), "{}", kept.len());
        assert_eq!((answer.parsed, replaced), (None, parsed.is_some()));
    }
}
