//! Two texts, line by line.

use super::*;

fn shown(before: &str, after: &str) -> String {
    told(before, after)
}

#[test]
fn only_what_differs_is_marked() {
    for (before, after, want) in [
        ("", "", ""),
        ("a\nb", "a\nb", ""),
        ("a\nb\nc", "a\nx\nc", " a\n-b\n+x\n c\n"),
        ("a", "a\nb", " a\n+b\n"),
        ("a\nb", "b", "-a\n b\n"),
        ("a\nb\nc\nd", "b\nd\ne", "-a\n b\n-c\n d\n+e\n"),
        ("1\n2\n3\n4\n5\n6", "1\n2\n3\n4\n5\nsix", "@@\n 3\n 4\n 5\n-6\n+six\n"),
        ("\u{1b}[2J", "", "-\\u{1b}[2J\n"),
    ] {
        assert_eq!(shown(before, after), want, "{before:?} {after:?}");
    }
}

#[test]
fn either_text_can_be_put_together_again_from_the_steps() {
    let texts = ["", "a", "b\na\nb", "a\nb\na\nb\nc", "c\nc\na", "b\nb\nc\na\na\nb"];
    for before in texts {
        for after in texts {
            let (first, second): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
            let steps = steps(&first, &second);
            let take = |not: fn(&Step<'_>) -> bool| -> Vec<&str> {
                let kept = steps.iter().filter(|step| !not(step));
                kept.map(|step| match step {
                    Step::Both(line) | Step::First(line) | Step::Second(line) => *line,
                })
                .collect()
            };
            assert_eq!(take(|step| matches!(step, Step::Second(_))), first, "{steps:?}");
            assert_eq!(take(|step| matches!(step, Step::First(_))), second, "{steps:?}");
        }
    }
}

#[test]
fn very_long_texts_are_shown_one_after_the_other() {
    let text = |word: &str| (0..2100).map(|at| format!("{word}{at}")).collect::<Vec<_>>();
    let (first, second) = (text("a"), text("b"));
    let refs = |lines: &'static [String]| lines.iter().map(String::as_str).collect::<Vec<_>>();
    let (first, second): (&'static [String], &'static [String]) = (first.leak(), second.leak());
    let steps = steps(&refs(first), &refs(second));
    assert_eq!((steps[0], steps[4199]), (Step::First("a0"), Step::Second("b2099")));
}
