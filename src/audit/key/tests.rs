//! Digests under a key, and a key that does not show itself.

use super::*;

#[test]
fn a_digest_belongs_to_a_text_and_a_key() {
    let (one, other) = (AuditKey::from_bytes([1; 32]), AuditKey::from_bytes([2; 32]));
    assert_eq!(one.mac(b"text"), one.mac(b"text"));
    assert_ne!(one.mac(b"text"), one.mac(b"text\n"));
    assert_ne!(one.mac(b"text"), other.mac(b"text"));
    assert_ne!(one.fingerprint(), other.fingerprint());
    let mac = one.mac(b"text");
    assert_eq!((mac.to_string().len(), mac.tag().len()), (32, 8));
    assert!(mac.to_string().starts_with(&mac.tag()));
}

#[test]
fn a_key_is_read_as_it_was_written_and_nothing_else_is_a_key() {
    let key = AuditKey::from_bytes([0xab; 32]);
    assert_eq!(format!("{}\n", key.secret_text()).parse(), Ok(key.clone()));
    for text in ["", "ab", &"ab".repeat(33), &"xy".repeat(32)] {
        assert_eq!(text.parse::<AuditKey>(), Err(BadKey), "{text}");
    }
    assert_eq!(format!("{key:?}"), "AuditKey");
}
