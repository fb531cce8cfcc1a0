//! A checkpoint comes back as it was stored, or not at all.

use super::*;

fn checkpoint() -> Checkpoint {
    Checkpoint {
        first: 1,
        last: 900,
        count: 899,
        hash: Digest::of(b"last"),
        until: Timestamp::from_millis(1_700_000_000_000),
        removed: Timestamp::from_millis(1_800_000_000_000),
        by: Caller { client: "cli".to_owned(), ..Caller::default() },
        record: 1000,
    }
}

#[test]
fn a_checkpoint_comes_back_as_it_was_stored() {
    let (bytes, seal) = checkpoint().encode().unwrap();
    assert_eq!(Checkpoint::decode(&bytes), Ok((checkpoint(), seal)));
    assert_eq!(checkpoint().head(), Head { seq: 900, hash: Digest::of(b"last") });
}

#[test]
fn no_byte_of_a_checkpoint_can_be_changed_and_none_can_be_cut_off() {
    let (bytes, _) = checkpoint().encode().unwrap();
    for at in 0..bytes.len() {
        let mut bad = bytes.clone();
        bad[at] ^= 1;
        assert_eq!(Checkpoint::decode(&bad), Err(Damaged), "byte {at}");
        assert_eq!(Checkpoint::decode(&bytes[..at]), Err(Damaged), "cut at {at}");
    }
}
