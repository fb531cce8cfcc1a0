//! What is an identifier and what is not.

use super::*;

#[test]
fn a_job_id_is_32_lowercase_hex_digits_and_nothing_else() {
    let id = JobId::generate();
    assert_eq!(id.to_string().parse::<JobId>().unwrap(), id);
    let good = "0192f0c1a2b37c4d8e5f60718293a4b5";
    assert_eq!(good.parse::<JobId>().unwrap().to_string(), good);
    let upper = good.to_uppercase();
    let newline = format!("{good}\n");
    for bad in
        ["", "abc", &upper, &newline, "../0192f0c1a2b37c4d8e5f60718293a", "+192f0c1a2b37c4d8e5f60718293a4b5"]
    {
        assert!(bad.parse::<JobId>().is_err(), "{bad:?}");
    }
}

#[test]
fn job_ids_sort_by_creation() {
    let early =
        JobId::from_bytes(*uuid::Uuid::new_v7(uuid::Timestamp::from_unix_time(1, 0, 0, 0)).as_bytes());
    let late = JobId::from_bytes(*uuid::Uuid::new_v7(uuid::Timestamp::from_unix_time(2, 0, 0, 0)).as_bytes());
    assert!(early < late && early.to_string() < late.to_string());
    assert_eq!((early.created().as_millis(), late.created().as_millis()), (1000, 2000));
}

#[test]
fn agent_names_keep_out_paths_newlines_and_escapes() {
    for good in ["a", "infra", "web-api_2", "0x"] {
        assert_eq!(good.parse::<AgentName>().unwrap().as_str(), good);
    }
    let long = "a".repeat(101);
    for bad in ["", "-a", "_a", "a b", "../x", "a\n", "a/b", "ä", "\u{1b}[31m", &long] {
        assert!(bad.parse::<AgentName>().is_err(), "{bad:?}");
    }
    assert!(!"\u{1b}[31m\nforged".parse::<AgentName>().unwrap_err().to_string().contains(['\n', '\u{1b}']));
}

#[test]
fn session_ids_keep_their_spelling() {
    let upper = "15DAE51E-A844-48C6-9FC6-A1CA913E460E";
    assert_eq!(upper.parse::<SessionId>().unwrap().as_str(), upper);
    for bad in ["", "--resume", "15dae51ea84448c69fc6a1ca913e460e", "{15dae51e-a844-48c6-9fc6-a1ca913e460e}"]
    {
        assert!(bad.parse::<SessionId>().is_err(), "{bad:?}");
    }
}

#[test]
fn a_digest_prints_and_parses() {
    let digest = Digest::of(b"x");
    assert_eq!(digest.to_string().parse::<Digest>().unwrap(), digest);
    assert!("12".parse::<Digest>().is_err());
}
