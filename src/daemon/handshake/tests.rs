//! Every pair of version ranges, and bytes that are nobody's.

use super::*;

#[test]
fn the_newest_common_version_is_chosen_or_none() {
    let (oldest, newest) = VERSIONS;
    for (theirs, chosen) in
        [((oldest, newest), newest), ((1, 99), newest), ((newest + 1, newest + 3), 0), ((0, oldest - 1), 0)]
    {
        let (bytes, version) = welcome(theirs, 7);
        assert_eq!(version, chosen, "{theirs:?}");
        assert_eq!(parse_welcome(bytes), Some(Welcome { chosen, versions: VERSIONS, pid: 7 }));
    }
}

#[test]
fn an_opening_says_what_it_is_for() {
    for intent in [Intent::Talk, Intent::Stop] {
        assert_eq!(parse_hello(hello(intent, 42)), Some((VERSIONS, intent)));
    }
    assert_eq!(parse_hello(*b"GET / HTTP/1."), None);
    assert_eq!(parse_welcome(*b"HTTP/1.1 200 O"), None);
}
