//! Halves of characters among escapes.

use proptest::prelude::*;

use super::*;

#[test]
fn only_halves_are_mended() {
    let table = [
        (r"\ud83d", r"\ufffd"),
        (r"\ude00\ud83d", r"\ufffd\ufffd"),
        (r"\ud83d\ud83d\ude00", r"\ufffd\ud83d\ude00"),
        (r"\ud83d\n", r"\ufffd\n"),
        (r"\\ud83d", r"\\ud83d"),
        (r"\\\ud83d", r"\\\ufffd"),
        (r"\u00e9\uD83D\uDE00", r"\u00e9\uD83D\uDE00"),
        ("\\\u{e9}", "\\\u{e9}"),
        (r"\u+83d", r"\u+83d"),
        ("\\", "\\"),
    ];
    for (text, want) in table {
        assert_eq!(mend_surrogates(text), want, "{text}");
    }
}

proptest! {
    #[test]
    fn text_that_is_json_stays_as_it_is(text in any::<String>()) {
        let json = serde_json::to_string(&text).unwrap();
        prop_assert_eq!(mend_surrogates(&json), json);
    }

    #[test]
    fn whatever_escapes_there_are_it_is_json_afterwards(units in proptest::collection::vec(any::<u16>(), 0..20)) {
        let json = units.iter().map(|unit| format!("\\u{unit:04x}")).collect::<Vec<_>>().concat();
        let mended = mend_surrogates(&format!("\"{json}\""));
        prop_assert_eq!(serde_json::from_str::<String>(&mended).unwrap(), String::from_utf16_lossy(&units));
    }

    #[test]
    fn mending_never_panics(text in "(\\\\|u|d83|d|c2|[0-9a-f]|ż|\"){0,40}") {
        let mended = mend_surrogates(&text);
        prop_assert_eq!(mend_surrogates(&mended), mended);
    }
}
