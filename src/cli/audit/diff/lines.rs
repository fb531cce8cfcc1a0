//! What lines two texts share, in their order: the longest such run, where it can be found at reasonable cost.

/// A line of either text, or of both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step<'a> {
    Both(&'a str),
    First(&'a str),
    Second(&'a str),
}

/// Most pairs of lines that are compared: a few megabytes for a moment. Beyond, all of one text stands before the other.
const PAIRS_MAX: usize = 4_000_000;

/// Returns how the first text becomes the second.
pub(super) fn steps<'a>(first: &[&'a str], second: &[&'a str]) -> Vec<Step<'a>> {
    let shared = |pairs: &mut dyn Iterator<Item = (&&str, &&str)>| pairs.take_while(|(a, b)| a == b).count();
    let head = shared(&mut first.iter().zip(second));
    let (first_rest, second_rest) =
        (first.get(head..).unwrap_or_default(), second.get(head..).unwrap_or_default());
    let tail = shared(&mut first_rest.iter().rev().zip(second_rest.iter().rev()));
    let middle = |rest: &[&'a str]| rest.get(..rest.len() - tail).unwrap_or_default().to_vec();
    let mut steps: Vec<Step<'a>> = first.iter().take(head).map(|line| Step::Both(line)).collect();
    between(&middle(first_rest), &middle(second_rest), &mut steps);
    steps.extend(first_rest.iter().skip(first_rest.len() - tail).map(|line| Step::Both(line)));
    steps
}

/// Appends the steps between two texts that share neither beginning nor end.
fn between<'a>(first: &[&'a str], second: &[&'a str], steps: &mut Vec<Step<'a>>) {
    let width = second.len() + 1;
    if first.len().saturating_mul(width) > PAIRS_MAX {
        steps.extend(first.iter().map(|line| Step::First(line)));
        steps.extend(second.iter().map(|line| Step::Second(line)));
        return;
    }
    // `longest[i * width + j]`: how many lines the rests from `i` and `j` on share.
    let mut longest = vec![0_u32; (first.len() + 1) * width];
    let at = |longest: &[u32], i: usize, j: usize| longest.get(i * width + j).copied().unwrap_or(0);
    for (i, a) in first.iter().enumerate().rev() {
        for (j, b) in second.iter().enumerate().rev() {
            let best = if a == b {
                at(&longest, i + 1, j + 1) + 1
            } else {
                at(&longest, i + 1, j).max(at(&longest, i, j + 1))
            };
            if let Some(cell) = longest.get_mut(i * width + j) {
                *cell = best;
            }
        }
    }
    let (mut i, mut j) = (0, 0);
    loop {
        match (first.get(i), second.get(j)) {
            (Some(a), Some(b)) if a == b => {
                steps.push(Step::Both(a));
                (i, j) = (i + 1, j + 1);
            }
            (Some(a), Some(_)) if at(&longest, i + 1, j) >= at(&longest, i, j + 1) => {
                steps.push(Step::First(a));
                i += 1;
            }
            (_, Some(b)) => {
                steps.push(Step::Second(b));
                j += 1;
            }
            (Some(a), None) => {
                steps.push(Step::First(a));
                i += 1;
            }
            (None, None) => return,
        }
    }
}
