//! Finds the one JSON value in an answer that was asked for JSON and may have words or a fence around it.

use serde_json::Value;

use crate::model::json::mend_surrogates;

/// Longest answer in which a value is looked for among words; longer ones must be JSON as they stand or in a fence.
const PROSE_BYTES_MAX: usize = 1 << 20;

/// Most places at which a value is tried, so that a text full of brackets costs no more than an ordinary one.
const PLACES_MAX: usize = 1000;

/// Returns the JSON text of the value that the answer is: the whole answer, else the one fenced block that is JSON, else the
/// one object or list among the words. Nothing when there is none, or more than one and so none that is meant for sure.
pub(super) fn json_value(answer: &str) -> Option<String> {
    let answer = answer.trim_matches(|char: char| char.is_whitespace() || char == '\u{feff}');
    whole(answer).or_else(|| only(fenced(answer))).or_else(|| only(among_words(answer)))
}

fn whole(text: &str) -> Option<String> {
    let valid = |text: &str| serde_json::from_str::<Value>(text).is_ok();
    if valid(text) {
        return Some(text.to_owned());
    }
    let mended = text.contains("\\u").then(|| mend_surrogates(text))?;
    valid(&mended).then_some(mended)
}

fn only(values: Vec<String>) -> Option<String> {
    let [value] = <[String; 1]>::try_from(values).ok()?;
    Some(value)
}

/// Returns the blocks between fences that are JSON.
fn fenced(text: &str) -> Vec<String> {
    let mut values = Vec::new();
    let mut block: Option<String> = None;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            match block.take() {
                Some(done) => values.extend(whole(done.trim())),
                None => block = Some(String::new()),
            }
        } else if let Some(block) = &mut block {
            block.push_str(line);
            block.push('\n');
        }
    }
    // A fence that was never closed: the end of the answer closes it.
    values.extend(block.and_then(|rest| whole(rest.trim())));
    values
}

/// Returns the outermost objects and lists that stand anywhere in the text.
fn among_words(text: &str) -> Vec<String> {
    let mut values = Vec::new();
    let mut rest = text;
    for _ in 0..PLACES_MAX {
        let place = if text.len() <= PROSE_BYTES_MAX { rest.find(['{', '[']) } else { None };
        let Some(found) = place.and_then(|at| rest.get(at..)) else { break };
        let mut stream = serde_json::Deserializer::from_str(found).into_iter::<Value>();
        let length = match stream.next() {
            Some(Ok(_)) => stream.byte_offset(),
            Some(Err(_)) | None => 0,
        };
        values.extend(found.get(..length).filter(|value| !value.is_empty()).map(str::to_owned));
        rest = found.get(length.max(1)..).unwrap_or_default();
    }
    values
}

#[cfg(test)]
mod tests;
