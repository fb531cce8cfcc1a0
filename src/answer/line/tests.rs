//! Lines that are objects, lines that are not, and halves of characters.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn object(line: &[u8]) -> Option<Value> {
    parse(line).map(Value::Object)
}

#[test]
fn only_an_object_is_taken() {
    let rows: [(&[u8], Option<Value>); 9] = [
        (b"{\"a\":1}", Some(json!({"a": 1}))),
        (b"  {\"a\":1}\r", Some(json!({"a": 1}))),
        (b"{\"a\":1} trailing", None),
        (b"[1]", None),
        (b"null", None),
        (b"", None),
        (b"Warning: {", None),
        (b"{\"a\":\0}", None),
        (b"{\"a\":\"\xff\"}", Some(json!({"a": "\u{fffd}"}))),
    ];
    for (line, value) in rows {
        assert_eq!(object(line), value, "{}", line.escape_ascii());
    }
}

#[test]
fn half_a_character_becomes_the_replacement_character() {
    let rows = [
        (r#"{"a":"\ud83d end"}"#, "\u{fffd} end"),
        (r#"{"a":"\udc22\ud83d"}"#, "\u{fffd}\u{fffd}"),
        (r#"{"a":"\ud83d\udc22 \ud83d\ud83d\uDC22"}"#, "🐢 \u{fffd}🐢"),
        (r#"{"a":"\\ud83d \ud83d\\udc22 \u0000"}"#, "\\ud83d \u{fffd}\\udc22 \u{0}"),
        ("{\"a\":\"\u{2028}\\ud83d\"}", "\u{2028}\u{fffd}"),
    ];
    for (line, text) in rows {
        assert_eq!(object(line.as_bytes()), Some(json!({"a": text})), "{line}");
    }
}

proptest! {
    #[test]
    fn any_text_survives_its_way_through_escapes(text in "\\PC{0,20}", half in 0xd800_u32..0xe000) {
        let whole = json!({"a": text}).to_string();
        let broken = whole.replacen("\":\"", &format!("\":\"\\u{half:04x}"), 1);
        prop_assert_eq!(object(broken.as_bytes()), Some(json!({"a": format!("\u{fffd}{text}")})));
    }
}
