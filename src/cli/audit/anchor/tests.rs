//! An anchor is read back as it was printed, with or without what stands behind it; nothing else is.

use super::*;

#[test]
fn an_anchor_is_read_back_as_it_was_printed() {
    let hash = Digest::of(b"a record");
    let head = Head { seq: 120, hash };
    assert_eq!(parse(&format!("120:{hash}")), Ok(head));
    assert_eq!(parse(&format!(" 120:{hash} 2026-11-21T10:15:00.000Z\n")), Ok(head));
}

#[test]
fn what_is_no_anchor_is_refused() {
    let hash = Digest::of(b"a record");
    for text in
        ["", "120", ":", "x:y", "120:ab", &format!("0:{hash}"), &format!("-1:{hash}"), &hash.to_string()]
    {
        let refused = parse(text).unwrap_err();
        assert!(refused.contains("agent-dispatch audit anchor"), "{text}: {refused}");
    }
}
