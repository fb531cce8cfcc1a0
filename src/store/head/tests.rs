//! The file of heads survives torn lines, foreign lines and its own growth; the comparison names what was lost.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn head(seq: u64) -> Head {
    Head { seq, hash: Digest::of(&seq.to_be_bytes()) }
}

fn reopened(path: &Path) -> Option<Head> {
    HeadFile::open(path).unwrap().1
}

#[test]
fn the_newest_head_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit-heads.log");
    let (mut file, newest) = HeadFile::open(&path).unwrap();
    assert_eq!(newest, None);
    file.record(head(1), NOW).unwrap();
    file.record(head(7), NOW).unwrap();
    assert_eq!(reopened(&path), Some(head(7)));
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().last().unwrap(), format!("7 {} 2027-01-15T08:00:00.000Z", head(7).hash));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_torn_last_line_is_cut_off_at_every_byte() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit-heads.log");
    let (mut file, _) = HeadFile::open(&path).unwrap();
    file.record(head(1), NOW).unwrap();
    let first = fs::read(&path).unwrap();
    file.record(head(2), NOW).unwrap();
    let both = fs::read(&path).unwrap();
    for length in 0..=both.len() {
        fs::write(&path, &both[..length]).unwrap();
        let expected = match length {
            _ if length == both.len() => Some(head(2)),
            _ if length >= first.len() => Some(head(1)),
            _ => None,
        };
        let (mut file, newest) = HeadFile::open(&path).unwrap();
        assert_eq!(newest, expected, "{length} bytes");
        file.record(head(3), NOW).unwrap();
        assert_eq!(reopened(&path), Some(head(3)), "{length} bytes");
    }
}

#[test]
fn lines_that_are_not_heads_are_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit-heads.log");
    let good = format!("5 {} {NOW}\n", head(5).hash);
    let foreign = ["\n", "\0\0\0\n", "x y z\n", "6 abc t\n", "6\n", "-1 0 t\n"].concat();
    fs::write(&path, format!("{good}{foreign}6 {} {NOW} more\n", head(6).hash)).unwrap();
    assert_eq!(reopened(&path), Some(head(5)));
    fs::write(&path, [b"\xff\xfe\n".as_slice(), good.as_bytes(), &[0xff; 300]].concat()).unwrap();
    assert_eq!(reopened(&path), Some(head(5)));
}

#[test]
fn what_is_remembered_is_read_back_without_a_line_that_is_cut_at_its_beginning() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("heads");
    assert!(remembered(&path).is_err());
    let (mut file, _) = HeadFile::open(&path).unwrap();
    let head = |seq| Head { seq: 1_000_000 + seq, hash: Digest::of(b"x") };
    for seq in 1..=3 {
        file.record(head(seq), Timestamp::from_millis(0)).unwrap();
    }
    assert_eq!(remembered(&path).unwrap(), [head(1), head(2), head(3)]);
    let line = fs::metadata(&path).unwrap().len() / 3;
    let lines = BYTES_KEPT / line;
    for seq in 4..=lines + 5 {
        file.record(head(seq), Timestamp::from_millis(0)).unwrap();
    }
    let all = remembered(&path).unwrap();
    assert_eq!(all.last(), Some(&head(lines + 5)));
    assert!(all.iter().all(|head| head.seq > 1_000_000), "{:?}", all.first());
    assert!(all.len() as u64 >= lines - 1);
}

#[test]
fn the_file_is_cut_down_to_its_newest_lines() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit-heads.log");
    let lines: Vec<String> = (1..=12_000).map(|seq| format!("{seq} {} {NOW}\n", head(seq).hash)).collect();
    fs::write(&path, lines.concat()).unwrap();
    assert_eq!(reopened(&path), Some(head(12_000)));
    let kept = fs::read_to_string(&path).unwrap();
    assert!(kept.len() as u64 <= BYTES_KEPT && kept.len() as u64 > BYTES_KEPT - 200, "{}", kept.len());
    assert!(
        lines.concat().ends_with(&kept)
            && lines.concat().as_bytes()[lines.concat().len() - kept.len() - 1] == b'\n'
    );
}

#[test]
fn the_file_is_cut_down_while_it_grows() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit-heads.log");
    let (mut file, _) = HeadFile::open(&path).unwrap();
    file.record(head(1), NOW).unwrap();
    file.bytes = BYTES_MAX_IN_USE;
    // What it believes to be that large is read from where it is; only the bound matters here.
    file.record(head(2), NOW).unwrap();
    assert!(file.bytes < 1000, "{}", file.bytes);
    file.record(head(3), NOW).unwrap();
    assert_eq!(reopened(&path), Some(head(3)));
}

#[test]
fn a_comparison_tells_what_became_of_the_remembered_head() {
    let other = Digest::of(b"other");
    let stored = |seq| (1..=9).contains(&seq).then(|| head(seq).hash);
    let lost = |stored, outside| Comparison::Lost { stored, outside };
    let different = |found, outside| Comparison::Different { found, outside };
    let cases = [
        (Head::EMPTY, None, Comparison::Same),
        (head(9), None, Comparison::Ahead),
        (head(9), Some(head(9)), Comparison::Same),
        (head(9), Some(head(8)), Comparison::Ahead),
        (head(9), Some(head(1)), Comparison::Ahead),
        (head(9), Some(Head::EMPTY), Comparison::Ahead),
        (head(9), Some(head(10)), lost(head(9), head(10))),
        (Head::EMPTY, Some(head(1)), lost(Head::EMPTY, head(1))),
        (
            head(9),
            Some(Head { seq: 9, hash: other }),
            different(Some(head(9).hash), Head { seq: 9, hash: other }),
        ),
        (
            head(9),
            Some(Head { seq: 4, hash: other }),
            different(Some(head(4).hash), Head { seq: 4, hash: other }),
        ),
        (head(20), Some(head(12)), different(None, head(12))),
    ];
    for (end, outside, expected) in cases {
        assert_eq!(compare(end, stored, outside), expected, "{end:?} {outside:?}");
    }
}
