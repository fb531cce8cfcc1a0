//! A part of an answer, read from the pieces in which it is stored without the others.

use std::ops::ControlFlow;

use crate::model::{Answer, Portion};
use crate::store::chunks::InPlace;
use crate::store::schema::{self, BEFORE_TEXT_BYTES_MAX};
use crate::store::txn::Fault;

/// Returns this part of a stored answer.
pub(super) fn answer(stored: &InPlace<'_>, portion: Portion) -> Result<Answer, Fault> {
    let (at, length) = schema::first_text::<Answer>(&stored.some(0, BEFORE_TEXT_BYTES_MAX)?)?;
    let text = part(stored, (at, length), portion.offset, portion.chars)?;
    let end = at.saturating_add(length);
    let parsed = match schema::next_text::<Answer>(&stored.some(end, BEFORE_TEXT_BYTES_MAX)?)? {
        Some((at, length)) => Some(part(stored, (end.saturating_add(at), length), 0, portion.parsed_chars)?),
        None => None,
    };
    Ok(Answer { text, parsed })
}

/// Returns `chars` characters of the text that lies `at` some place, without the first `skip` of them.
fn part(
    stored: &InPlace<'_>,
    (at, length): (u64, u64),
    mut skip: u64,
    mut chars: u64,
) -> Result<String, Fault> {
    let (mut left, mut begun, mut kept) = (length, false, Vec::new());
    stored.each(at, |bytes| {
        let mut rest = bytes;
        rest = rest.get(..usize::try_from(left).unwrap_or(usize::MAX)).unwrap_or(rest);
        left -= rest.len() as u64;
        if !begun {
            let Some(first) = place(rest, &mut skip) else { return on(left) };
            begun = true;
            rest = rest.get(first..).unwrap_or_default();
        }
        let end = place(rest, &mut chars);
        kept.extend_from_slice(rest.get(..end.unwrap_or(rest.len())).unwrap_or_default());
        if end.is_some() {
            // What follows is not wanted.
            left = 0;
        }
        on(left)
    })?;
    if left > 0 {
        return Err(Fault::Unreadable("a stored answer is shorter than it says".to_owned()));
    }
    String::from_utf8(kept).map_err(|_| Fault::Unreadable("a stored answer is not UTF-8".to_owned()))
}

const fn on(left: u64) -> ControlFlow<()> {
    if left > 0 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
}

/// Returns where the character begins before which so many others do. If it is not among these bytes, those that are count.
fn place(bytes: &[u8], before: &mut u64) -> Option<usize> {
    let begins = |byte: &u8| *byte & 0xc0 != 0x80;
    let here = bytes.iter().filter(|byte| begins(byte)).count() as u64;
    if here <= *before {
        *before -= here;
        return None;
    }
    let nth = usize::try_from(*before).ok()?;
    bytes.iter().enumerate().filter(|(_, byte)| begins(byte)).nth(nth).map(|(at, _)| at)
}

#[cfg(test)]
mod tests;
