//! The matrix: what somebody who can write to the store may do to it behind the program's back.

use super::*;
use crate::audit::chain::Link;
use crate::job::JobRecord;
use crate::store::pages::Page;
use crate::store::schema;

#[test]
fn every_changed_byte_of_every_record_is_found() {
    let trail = Trail::new();
    for seq in 1..=RECORDS {
        let key = keys::audit(seq);
        let raw = trail.database().get_raw(&key).unwrap().unwrap();
        for at in 0..raw.len() {
            let mut bad = raw.clone();
            bad[at] ^= 1 << (at % 8);
            trail.database().write(&Writes::from([(key.clone(), Some(bad))])).unwrap();
            let (named, kind) = trail.fault();
            assert_eq!(named, seq, "byte {at} of record {seq}: {kind:?}");
        }
        trail.database().write(&Writes::from([(key, Some(raw))])).unwrap();
    }
    whole(trail.database());
}

#[test]
fn dropped_swapped_and_repeated_records_are_found() {
    for seq in [1, 2, RECORDS / 2, RECORDS - 1] {
        let trail = Trail::new();
        remove(trail.database(), keys::audit(seq));
        assert_eq!(trail.fault(), (seq, FaultKind::Missing));
    }
    let trail = Trail::new();
    remove(trail.database(), keys::audit(RECORDS));
    assert_eq!(trail.fault(), (RECORDS, FaultKind::Truncated));
    remove(trail.database(), keys::audit(RECORDS - 1));
    assert_eq!(trail.fault(), (RECORDS - 1, FaultKind::Truncated));

    for (one, other) in [(1, 2), (3, 6), (RECORDS - 1, RECORDS)] {
        let trail = Trail::new();
        let (first, second) = (trail.bytes(one), trail.bytes(other));
        put(trail.database(), keys::audit(one), &second);
        put(trail.database(), keys::audit(other), &first);
        assert_eq!(trail.fault().0, one);
    }
    let trail = Trail::new();
    put(trail.database(), keys::audit(5), &trail.bytes(4));
    assert_eq!(trail.fault(), (5, FaultKind::Changed));
    let trail = Trail::new();
    put(trail.database(), keys::audit(RECORDS + 1), &trail.bytes(RECORDS));
    assert_eq!(trail.fault(), (RECORDS + 1, FaultKind::Unnamed));
}

/// Writes the records from `first` on anew, each a little different, with the hashes that then are right.
fn relink(trail: &Trail, first: u64) {
    let before = trail.bytes(first - 1);
    let mut end = LinkView::read(first - 1, &before).unwrap().head();
    for seq in first..=RECORDS {
        let body = Link::decode(seq, &trail.bytes(seq)).unwrap().body;
        // A thousand years earlier: as long as before, and the same to every index.
        let body = String::from_utf8(body).unwrap().replace("\"time\":\"2", "\"time\":\"1");
        let link = Link::after(end, body.into_bytes());
        end = link.head();
        put(trail.database(), keys::audit(seq), &link.encode());
    }
    put(trail.database(), keys::HEAD.to_vec(), &schema::encode(&end).unwrap());
}

#[test]
fn a_tail_that_was_written_anew_with_right_hashes_is_found_by_head_file_and_anchor() {
    for first in 2..=RECORDS {
        let trail = Trail::new();
        let anchor = trail.heads[2];
        relink(&trail, first);
        // The head file names the first of its records that is another one now.
        let named = trail.heads.iter().find(|head| head.seq >= first).unwrap().seq;
        assert_eq!(trail.fault(), (named, FaultKind::Replaced), "from {first} on");
        // Without it, the store is whole in itself, and says that there is no witness.
        let report = check(trail.database(), &[]);
        assert_eq!((report.verdict(), report.faults), (Verdict::Incomplete, vec![]));
        let report = check_from(trail.database(), &[], Some(anchor));
        let faults =
            if first <= anchor.seq { vec![Finding::of(anchor.seq, FaultKind::NotAnchored)] } else { vec![] };
        assert_eq!(report.faults, faults, "from {first} on");
    }
}

#[test]
fn a_head_or_a_head_file_that_was_put_back_is_found() {
    let trail = Trail::new();
    let earlier = &trail.heads[..2];
    let report = check(trail.database(), earlier);
    assert_eq!(report.faults, [Finding::of(earlier[1].seq, FaultKind::Behind)]);
    let none = check(trail.database(), &[]);
    assert_eq!((none.verdict(), none.notes.len()), (Verdict::Incomplete, 1));
    // The store with all in it was put back, the head file was not.
    let longer = [trail.heads.as_slice(), &[Head { seq: RECORDS + 5, hash: Digest::of(b"x") }]].concat();
    let report = check(trail.database(), &longer);
    assert_eq!(
        (report.verdict(), &report.faults),
        (Verdict::Incomplete, &vec![Finding::of(9, FaultKind::Lost)])
    );
    // Only the store's own head was.
    put(trail.database(), keys::HEAD.to_vec(), &schema::encode(&trail.heads[1]).unwrap());
    assert_eq!(trail.fault(), (trail.heads[1].seq + 1, FaultKind::Unnamed));
    remove(trail.database(), keys::HEAD.to_vec());
    assert_eq!(trail.fault(), (1, FaultKind::Unnamed));
}

/// Lets a record be found by this name, or not any more.
fn set(trail: &Trail, name: &[u8], seq: u64, is_found: bool) {
    let key = keys::audit_page(name, 0);
    let mut page = Page::read(&trail.database().get(&key).unwrap().unwrap_or_default());
    let number = u8::try_from(seq).unwrap();
    if is_found {
        page.insert(number)
    } else {
        page.remove(number)
    }
    put(trail.database(), key, &page.bytes());
}

#[test]
fn index_entries_that_were_dropped_or_added_are_found() {
    let trail = Trail::new();
    let mut entries = 0;
    for seq in 1..=RECORDS {
        for name in names_of(seq, &trail.bytes(seq)) {
            set(&trail, &name, seq, false);
            assert_eq!(trail.fault(), (seq, FaultKind::Unindexed), "{name:?}");
            set(&trail, &name, seq, true);
            entries += 1;
        }
    }
    assert_eq!(entries, 14);
    whole(trail.database());
    for (name, seq) in [(keys::audit_of_agent("other"), 3), (keys::audit_of_dispatch(trail.jobs[0]), 6)] {
        set(&trail, &name, seq, true);
        assert_eq!(trail.fault(), (seq, FaultKind::Misindexed), "{name:?}");
        // One too many does not make up for one too few.
        let real = names_of(7, &trail.bytes(7)).remove(0);
        set(&trail, &real, 7, false);
        assert_eq!(trail.fault(), (seq, FaultKind::Misindexed), "{name:?}");
        set(&trail, &real, 7, true);
        set(&trail, &name, seq, false);
    }
    whole(trail.database());
}

#[test]
fn pages_of_the_indexes_that_were_dropped_cut_or_changed_are_found() {
    let trail = Trail::new();
    let names = [keys::audit_of_agent("docs"), keys::audit_of_dispatch(trail.jobs[1])];
    for (name, first) in names.iter().zip([1, 5]) {
        let key = keys::audit_page(name, 0);
        let raw = trail.database().get_raw(&key).unwrap().unwrap();
        let mut bad = vec![None, Some(Vec::new()), Some([raw.as_slice(), &[0]].concat())];
        bad.extend((0..raw.len()).map(|length| Some(raw[..length].to_vec())));
        // What leads to records that are not there leads nowhere: the first bytes are about those that are.
        for at in 0..3 {
            for bit in 0..8 {
                let is_there = at == 0 || (1..=RECORDS).contains(&((at as u64 - 1) * 8 + bit));
                let mut other = raw.clone();
                other[at] ^= 1 << bit;
                bad.extend(is_there.then_some(Some(other)));
            }
        }
        for bad in bad {
            trail.database().write(&Writes::from([(key.clone(), bad.clone())])).unwrap();
            let (seq, kind) = trail.fault();
            assert!(matches!(kind, FaultKind::Unindexed | FaultKind::Misindexed), "{kind:?}: {bad:?}");
            let is_cut = bad.as_ref().is_none_or(|bad| bad.len() != raw.len() || bad[0] != raw[0]);
            assert!(!is_cut || seq == first, "{seq}: {bad:?}");
        }
        trail.database().write(&Writes::from([(key, Some(raw))])).unwrap();
        whole(trail.database());
    }
}

#[test]
fn jobs_that_were_dropped_added_or_changed_are_found() {
    let trail = Trail::new();
    let key = keys::job(trail.jobs[0]);
    let bytes = trail.database().get(&key).unwrap().unwrap();
    remove(trail.database(), key.clone());
    let report = check(trail.database(), &trail.heads);
    assert_eq!(report.faults, [Finding::about(trail.jobs[0], 3, FaultKind::JobMissing)]);
    let mut job: JobRecord = schema::decode(&bytes).unwrap();
    job.state = crate::job::State::Failed;
    put(trail.database(), key.clone(), &schema::encode(&job).unwrap());
    assert_eq!(trail.fault(), (3, FaultKind::JobDiffers));
    job.state = crate::job::State::Done;
    put(trail.database(), key, &schema::encode(&job).unwrap());
    whole(trail.database());
    job.id = JobId::generate();
    put(trail.database(), keys::job(job.id), &schema::encode(&job).unwrap());
    let report = check(trail.database(), &trail.heads);
    assert_eq!(report.faults, [Finding::about(job.id, 0, FaultKind::JobUnrecorded)]);
    assert!(report.faults[0].to_string().starts_with(&format!("job {} is stored, but", job.id)));
}
