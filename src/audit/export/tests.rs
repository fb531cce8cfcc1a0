//! What is written is read again; what was done to it in between is found.

use proptest::prelude::*;

use super::*;

fn chain(bodies: &[&str]) -> Vec<Link> {
    let mut head = Head::EMPTY;
    let after = |body: &&str| {
        let link = Link::after(head, body.as_bytes().to_vec());
        head = link.head();
        link
    };
    bodies.iter().map(after).collect()
}

fn written(links: &[Link]) -> Vec<String> {
    let mut writer = Writer::default();
    let mut lines: Vec<String> = links.iter().map(|link| writer.line(link).unwrap()).collect();
    lines.extend(writer.finish("agent-dispatch 1.2.3".to_owned(), Timestamp::from_millis(0)));
    lines
}

fn read(lines: &[String]) -> Result<(Vec<Link>, Manifest, Option<u64>), BadExport> {
    let mut checker = Checker::default();
    let mut links = Vec::new();
    for line in lines {
        links.extend(checker.line(line)?);
    }
    let missing = checker.missing();
    Ok((links, checker.finish()?, missing))
}

type Damage = dyn Fn(&mut Vec<String>);

#[test]
fn nothing_makes_no_file() {
    assert_eq!(written(&[]), Vec::<String>::new());
}

#[test]
fn the_manifest_says_what_there_is() {
    let links =
        chain(&[r#"{"time":"2026-11-21T10:15:00.000Z"}"#, "{}", r#"{"time":"2026-11-21T10:16:00.000Z"}"#]);
    let (read, manifest, missing) = read(&written(&links[..])).unwrap();
    assert_eq!((read, missing), (links.clone(), None));
    assert_eq!((manifest.records, manifest.first, manifest.last), (3, 1, 3));
    assert_eq!((manifest.prev, manifest.hash), (Digest::ZERO, links[2].hash));
    let minute = |time: Option<Timestamp>| time.unwrap().rfc3339()[14..16].to_owned();
    assert_eq!((minute(manifest.from), minute(manifest.to)), ("15".to_owned(), "16".to_owned()));
}

#[test]
fn a_number_that_was_lost_before_is_told_and_one_that_was_taken_out_is_a_fault() {
    let links = chain(&["{}", "{\"a\":1}", "{\"b\":2}", "{\"c\":3}"]);
    let holed: Vec<Link> = links.iter().filter(|link| link.seq != 2).cloned().collect();
    let (read_links, manifest, missing) = read(&written(&holed)).unwrap();
    assert_eq!((read_links, manifest.records, missing), (holed, 3, Some(2)));
    let mut lines = written(&links);
    lines.remove(1);
    assert_eq!(read(&lines).unwrap_err(), BadExport::Manifest("digest"));
}

#[test]
fn every_kind_of_damage_has_a_name() {
    let links = chain(&["{}", "{\"a\":1}", "{\"b\":2}"]);
    let lines = written(&links);
    let damaged = |change: &dyn Fn(&mut Vec<String>)| {
        let mut lines = lines.clone();
        change(&mut lines);
        read(&lines).unwrap_err().to_string()
    };
    let cases: [(&Damage, &str); 7] = [
        (&|lines| lines.swap(0, 1), "record 3 is missing"),
        (&|lines| lines[1] = lines[1].replace('a', "b"), "line 2 is no line of an export"),
        (
            &|lines| lines[1] = lines[1].replace("1}", "2}"),
            "record 2 was changed: its hash does not match what it says",
        ),
        (&|lines| drop(lines.pop()), "its end is missing: there is no manifest after line 3"),
        (&|lines| lines.push(lines[0].clone()), "it goes on after its manifest, with line 5"),
        (
            &|lines| lines[3] = lines[3].replace("1.2.3", "1.2.4"),
            "its manifest says another digest than its records do",
        ),
        (
            &|lines| lines[3] = lines[3].replace("export v1", "export v2"),
            "it has the format `agent-dispatch audit export v2`, which this program does not know",
        ),
    ];
    for (change, wanted) in cases {
        assert_eq!(damaged(change), wanted);
    }
}

#[test]
fn a_cursor_is_read_as_it_was_written_and_nothing_else_is() {
    let cursor = Cursor::at(Head { seq: 7, hash: Digest::of(b"x") });
    assert_eq!(Cursor::read(&cursor.text()), Some(cursor));
    for text in ["", "{}", "7", &cursor.text().replace(":7", ":0"), &cursor.text().replace(":1,", ":2,")] {
        assert_eq!(Cursor::read(text), None, "{text}");
    }
}

proptest! {
    #[test]
    fn whatever_a_body_says_comes_back_byte_for_byte(bodies in proptest::collection::vec(".{0,60}", 1..6)) {
        let bodies: Vec<&str> = bodies.iter().map(String::as_str).collect();
        let links = chain(&bodies);
        let lines = written(&links);
        prop_assert!(lines.iter().all(|line| line.matches('\n').count() == 1));
        prop_assert_eq!(read(&lines).unwrap().0, links);
    }

    #[test]
    fn no_flipped_bit_goes_unseen(at in 0usize..2000, bit in 0u8..7) {
        let text = written(&chain(&["{\"a\":1}", "{\"b\":\"two\"}", "{\"c\":3}"])).concat();
        let mut bytes = text.into_bytes();
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        let text = String::from_utf8(bytes).unwrap();
        let lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
        prop_assert!(read(&lines).is_err(), "byte {}", at);
    }
}
