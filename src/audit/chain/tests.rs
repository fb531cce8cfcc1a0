//! Every way to tamper with a small log is found, and the first bad record is named.

use proptest::prelude::*;

use super::*;

fn log(bodies: &[&str]) -> Vec<(u64, Vec<u8>)> {
    let mut head = Head::EMPTY;
    bodies
        .iter()
        .map(|body| {
            let link = Link::after(head, body.as_bytes().to_vec());
            head = link.head();
            (link.seq, link.encode())
        })
        .collect()
}

fn verify(log: &[(u64, Vec<u8>)], claimed: Head) -> Result<(), Fault> {
    let mut verifier = Verifier::from(Head::EMPTY);
    for (seq, bytes) in log {
        verifier.check(&LinkView::read(*seq, bytes)?)?;
    }
    verifier.finish(claimed)
}

fn head_of(log: &[(u64, Vec<u8>)]) -> Head {
    log.last().map_or(Head::EMPTY, |(seq, bytes)| Link::decode(*seq, bytes).unwrap().head())
}

#[test]
fn a_whole_log_verifies() {
    for bodies in [&[][..], &["{}"], &["{\"a\":1}", "", "{\"c\":3}"]] {
        let log = log(bodies);
        assert_eq!(verify(&log, head_of(&log)), Ok(()));
    }
}

#[test]
fn every_changed_byte_is_found_and_named() {
    let whole = log(&["{\"a\":1}", "{\"b\":2}", "{\"c\":3}"]);
    let head = head_of(&whole);
    for record in 0..whole.len() {
        for at in 0..whole[record].1.len() {
            for bit in 0..8 {
                let mut bad = whole.clone();
                bad[record].1[at] ^= 1 << bit;
                let fault = verify(&bad, head).unwrap_err();
                assert_eq!(fault.seq, record as u64 + 1, "byte {at} bit {bit}: {fault}");
            }
        }
    }
}

#[test]
fn dropped_swapped_repeated_and_relinked_records_are_found() {
    let whole = log(&["{\"a\":1}", "{\"b\":2}", "{\"c\":3}", "{\"d\":4}"]);
    let head = head_of(&whole);
    let fault = |log: &[(u64, Vec<u8>)]| verify(log, head).unwrap_err();
    let without = |at: usize| {
        let mut log = whole.clone();
        log.remove(at);
        log
    };
    assert_eq!(fault(&without(0)), Fault::of(1, FaultKind::Missing));
    assert_eq!(fault(&without(2)), Fault::of(3, FaultKind::Missing));
    assert_eq!(fault(&without(3)), Fault::of(4, FaultKind::Truncated));
    let mut swapped = whole.clone();
    (swapped[1].1, swapped[2].1) = (whole[2].1.clone(), whole[1].1.clone());
    assert_eq!(fault(&swapped).seq, 2);
    let mut repeated = whole.clone();
    repeated.insert(2, whole[1].clone());
    assert_eq!(fault(&repeated), Fault::of(3, FaultKind::Missing));
    let relinked = log(&["{\"a\":1}", "{\"b\":2}", "{\"c\":9}", "{\"d\":4}"]);
    assert_eq!(fault(&relinked), Fault::of(4, FaultKind::Replaced));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(seq: u64, bytes: Vec<u8>) {
        if let Ok(link) = Link::decode(seq, &bytes) {
            prop_assert_eq!(link.encode(), bytes);
        }
    }
}
