//! Secrets of every shape, texts that only look like them, and lines that would do harm on a terminal.

use proptest::prelude::*;

use super::shapes::{SHAPES, THEN_BYTES_MAX};
use super::*;

/// Joins the parts of a made-up secret, so that no scanner of this repository takes it for a real one.
fn made(parts: &[&str]) -> String {
    parts.concat()
}

#[test]
fn every_pattern_compiles() {
    for shape in &SHAPES {
        regex_lite::Regex::new(shape.pattern).unwrap_or_else(|error| panic!("{}: {error}", shape.kind));
        assert!(shape.needles.iter().all(|needle| *needle == needle.to_lowercase()), "{}", shape.kind);
        assert!(shape.then.iter().all(|then| then.len() + 4 <= THEN_BYTES_MAX), "{}", shape.kind);
    }
}

fn key() -> AuditKey {
    AuditKey::from_bytes([7; 32])
}

/// Returns the mark of a secret.
fn mark(kind: &str, secret: &str) -> String {
    format!("[redacted:{kind}:{}]", key().mac(secret.as_bytes()).tag())
}

#[test]
fn a_secret_is_found_however_much_looks_like_the_beginning_of_one() {
    let password = format!("pass{}", "word");
    for filling in ["-", "-- ", "password ", "http://ż/ ", "PASSWORD\n", "sk-"] {
        for length in [0, 1, 190, 199, 200, 201, 215, 5000] {
            let before = filling.repeat(length);
            for (text, secret) in [
                (format!("{before} --{password} hunter22 "), "hunter22"),
                (format!("{before} --{password} żółw2222{before}"), "żółw2222"),
                (format!("{before} {password}: hunter22 {before}"), "hunter22"),
                (format!("{before} redis://app:s3cr@db:1 {before}"), "s3cr"),
            ] {
                let kept = redact(&text, &key());
                assert!(!kept.contains(secret), "{length} times {filling:?}: {kept}");
            }
        }
    }
}

#[test]
fn a_token_in_the_place_of_a_name_goes_with_its_password() {
    let hidden = hide(&format!("https://{BODY}:x-oauth-basic@example.com/x.git")).into_owned();
    assert_eq!(hidden, "https://[redacted:url-token]:[redacted:url-password]@example.com/x.git");
}

const BODY: &str = "Ab3dEf6hIj9kLm2nOp5qRs8tUv1wXy4zAb3dEf6h";

#[test]
fn secrets_of_known_shapes_are_replaced_by_their_kind() {
    let body = BODY;
    let pem = made(&["-----BEGIN RSA PRIVATE ", "KEY-----\nMIIE\nabc=\n-----END RSA PRIVATE ", "KEY-----"]);
    // Text before, kind, secret, text after.
    let rows = [
        ("use ", "anthropic-key", made(&["sk-", "ant-api03-", body]), " now"),
        ("", "openai-key", made(&["sk-", "proj-", body]), ""),
        ("(", "github-token", made(&["ghp_", body]), ")"),
        ("", "github-token", made(&["github_", "pat_", body]), ""),
        ("", "gitlab-token", made(&["gl", "pat-", body]), ""),
        ("", "slack-token", made(&["xox", "b-123456789012-", body]), ""),
        ("https://hooks.slack.com/services/", "slack-token", made(&["T000/B000/", body]), ""),
        ("id ", "aws-key", made(&["AKIA", "IOSFODNN7EXAMPLE"]), "."),
        ("", "google-key", made(&["AI", "za", body]), ""),
        ("", "stripe-key", made(&["sk_", "live_", body]), ""),
        ("", "npm-token", made(&["npm_", body]), ""),
        ("", "pypi-token", made(&["pypi-", "AgEIcHlwaS5vcmc", body]), ""),
        ("", "huggingface-token", made(&["hf_", body]), ""),
        ("", "jwt", made(&["eyJ", "hbGciOiJIUzI1", ".eyJzdWIiOiIx", ".", body]), ""),
        ("curl -H 'Authorization: Bearer ", "authorization", body.to_owned(), "'"),
        ("authorization: basic ", "authorization", body.to_owned(), ""),
        ("Authorization: ", "authorization", body.to_owned(), ""),
        ("send bearer ", "authorization", body.to_owned(), " with it"),
        ("postgres://app:", "url-password", "s3cr@t".to_owned(), "@db:5432/x"),
        ("password=", "secret", "hunter22".to_owned(), " next"),
        ("Password: ", "secret", "correcthorse".to_owned(), ""),
        ("\"api_key\": \"", "secret", "abcd efgh".to_owned(), "\","),
        ("DB_PASSWORD_PROD: '", "secret", "x y z w".to_owned(), "'"),
        ("token: ", "secret", "abc123".to_owned(), ""),
        ("CI_TOKEN=", "secret", "abcdef".to_owned(), ""),
        ("export APP_SECRET=", "secret", "abcdef".to_owned(), "; run"),
        ("AWS_SECRET_ACCESS_KEY=", "secret", "abcd/efgh+ijkl".to_owned(), ""),
        ("mysql --password ", "secret", "hunter22".to_owned(), " -u x"),
        ("use ", "sendgrid-key", made(&["SG", ".ngeVfQFYQlKU0ufo8x5d1A.", body]), ""),
        ("", "digitalocean-token", made(&["dop_", "v1_", &"4bf92f3577b34da6".repeat(4)]), " now"),
        ("key ", "age-key", made(&["AGE-SECRET-", "KEY-1", &"QPZRY9X8GF2TVDW0".repeat(3)]), ""),
        ("", "xai-key", made(&["xai", "-", body]), ","),
        ("AccountName=store;AccountKey=", "secret", "Ab3dEf6h/Ij9kLm+2nOp5qRs==".to_owned(), ";Endpoint=x"),
        ("SharedAccessKey=", "secret", "Ab3dEf6hIj9kLm2nOp5qRs=".to_owned(), ""),
        ("git clone https://", "url-token", body.to_owned(), "@example.com/x.git"),
        ("curl -u admin:", "curl-password", "correcthorse".to_owned(), " https://example.com"),
        ("curl -sS --user 'admin:", "curl-password", "a b".replace(' ', "1:2"), "' https://example.com"),
        ("curl https://example.com/x -fu admin:", "curl-password", "hunter22".to_owned(), ""),
        ("Server=db;Uid=sa;Pwd=", "secret", "hunter22".to_owned(), ";Encrypt=yes"),
        ("db_pwd='", "secret", "correct horse".to_owned(), "' next"),
        ("a\n", "private-key", pem, "\nb"),
        ("", "private-key", made(&["-----BEGIN PRIVATE ", "KEY-----\nMIIEcut off"]), ""),
        ("token=", "github-token", made(&["ghp_", body]), ""),
        ("password='", "secret", made(&["ghp_", body, " and more"]), "'"),
    ];
    for (before, kind, secret, after) in rows {
        let text = format!("{before}{secret}{after}");
        assert_eq!(redact(&text, &key()), format!("{before}{}{after}", mark(kind, &secret)), "{text}");
        assert_eq!(hide(&text), format!("{before}[redacted:{kind}]{after}"), "{text}");
    }
}

#[test]
fn ordinary_text_is_left_alone() {
    let rows = [
        "",
        "the bearer authentication scheme and the basic understanding of it",
        "Authorization: see the documentation of the service",
        "input_tokens: 20000, tokens = 31234",
        "read the key from $API_KEY or password=$PASSWORD or token: <your token>",
        "https://example.com:8080/path and user@example.com",
        "a task-based sk-short desk-lamp sk-learn-based-feature-extraction",
        "ask: is the secret kept? The secret: patience. A token: something small.",
        "let token = next_token(input); let secret = self.secret.clone();",
        "cargo test --token-count 12345 -- --secret-santa",
        "commit 4bf92f3577b34da6a3ce929d0e0e47364bf92f35 fixes 4bf92f3, see 4bf92f3577b34da6a3ce929d0e0e4736",
        "session 3f1c0a52-7d1e-4a6b-9c39-0d5b8a1f2e47 of job 0197a3f2c4d17b3e8000000000000001",
        "blake3 af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adfbbd0c0d6b8b5f5e8a5f2d",
        "~/.ssh/id_ed25519.pub ~/src/token/secret/key.rs:10:5 C:\\keys\\private.pem ./sk-x/gl-y",
        "glue-and-paint-for-the-model-aeroplane, high-resolution, lightweight",
        "the npm_config_cache, hf_hub and pypi-mirror variables; ghost_writers",
        "PWD=/srv/worker/project OLDPWD=~/src; pwd=$(pwd) and run(pwd=os.getcwd()) or pwd=\"/srv/x y\", pwd = here",
        "let pwd=std::env::current_dir(); pwd: the working directory; $PWD=. pwd= and pwd",
        "curl -u https://example.com:8080/path, curl --url x:yyyy, curl -u $USER:$PASSWORD, docker run -u 1000:1000 curl",
        "the curl manual says: use it; run -u later: maybe",
        "ssh://git@example.com:22/x, https://a.rather.long.name.of.somebody@example.com, see https://example.com/@user",
        "https://example.com/packages/@scope-with-a-long-name-0123456789/x and git@example.com:0123456789abcdef0123.git",
        "msg.text SG.short.x dop_v1_short xai-short xai-grok-model-names-are-no-keys age-secret-key-1 short",
        "MAC 00:1b:44:11:3a:b7, 192.168.0.1:8080, 2026-11-21T10:15:00.000Z, v1.2.3-rc.4+build.5",
    ];
    for text in rows {
        let clean = redact(text, &key());
        assert!(matches!(clean, Cow::Borrowed(same) if same == text), "{text}: {clean}");
    }
}

#[test]
fn a_text_is_cut_behind_a_secret_and_never_inside_of_one() {
    let secret = made(&["ghp_", BODY]);
    let text = format!("use {secret} and then some more");
    assert_eq!(unsplit(&text, 10), format!("use {secret}…"));
    assert_eq!(unsplit(&text, 3), "use…");
    assert_eq!(unsplit("short", 10), "short");
    assert_eq!(unsplit_end(&text, 30), format!("{secret} and then some more"));
    assert_eq!(unsplit_end(&text, 4), "more");
    assert_eq!(first_words(&text, 10, &key()), "use [redac…");
    // What colours a secret does not hide it, nor does what cannot be seen.
    for inside in [format!("\u{1b}[31m{secret}\u{1b}[0m"), secret.replace("hp_", "h\u{200b}p_")] {
        let told = format!("see {} here", mark("github-token", &secret));
        assert_eq!(first_words(&format!("see {inside} here"), 100, &key()), told);
    }
    assert_eq!(
        first_words(&format!("{}{secret}", "x ".repeat(50)), 20, &key()),
        format!("{}…", "x ".repeat(10))
    );
}

#[test]
fn secrets_are_counted_once_by_kind_and_digest() {
    let secret = made(&["ghp_", BODY]);
    let text = format!("{secret} password=hunter22");
    let tag = |secret: &str| key().mac(secret.as_bytes()).tag();
    let want = [format!("github-token {}", tag(&secret)), format!("secret {}", tag("hunter22"))];
    assert_eq!(secrets([text.as_str(), &secret], &key()), want);
    let listed = want.join(" ");
    assert_eq!(redact(&listed, &key()), listed, "the list itself holds no secret");
    assert_eq!(secrets(["nothing", ""], &key()), Vec::<String>::new());
    let many = (0..50).map(|number| format!("password=hunter{number}"));
    assert_eq!(secrets(many, &key()).len(), SECRETS_MAX);
}

#[test]
fn one_line_shows_no_control_no_escape_and_no_hidden_mark() {
    let rows = [
        ("  a\n\tb\r\nc  ", 10, "a b c"),
        ("\u{1b}[31mred\u{1b}[0m \u{1b}]0;title\u{7}x\u{1b}]8;;u\u{1b}\\y", 20, "red xy"),
        ("a\u{0}b\u{8}c\u{9b}d\u{7f}", 10, "abcd"),
        ("\u{202e}evil\u{2066} \u{200b}x\u{feff}", 10, "evil x"),
        ("line\u{2028}two", 10, "line two"),
        ("abcdef", 3, "abc…"),
        ("abc", 3, "abc"),
        ("abc   ", 3, "abc"),
        ("żółw 🐢🐢", 6, "żółw 🐢…"),
        ("👨‍👩‍👧", 10, "👨‍👩‍👧"),
        ("abc", 0, "…"),
        ("", 0, ""),
    ];
    for (text, chars, line) in rows {
        assert_eq!(one_line(text, chars), line, "{text:?}");
    }
}

proptest! {
    #[test]
    fn redacting_twice_changes_nothing_more(text in "(password=|token: |Bearer |https://a:b@c |sk-ant-[a-z0-9]{20} |[ -~]{0,12}){0,6}") {
        let once = redact(&text, &key()).into_owned();
        prop_assert_eq!(&redact(&once, &key()), &once);
        prop_assert_eq!(&hide(&once), &once);
    }

    #[test]
    fn cutting_a_text_neither_panics_nor_loses_its_beginning(text in "(password=|ghp_[A-Za-z0-9]{30}|[ -~żó🐢]{0,12}){0,6}", chars in 0_usize..40) {
        let line = one_line(&text, usize::MAX - 1);
        let head = unsplit(&text, chars);
        prop_assert!(line.starts_with(head.trim_end_matches('…')));
        prop_assert!(line.ends_with(&unsplit_end(&text, chars)));
    }

    #[test]
    fn a_line_is_never_longer_than_asked_and_never_holds_a_control(text in "\\PC*|(\u{1b}|\\[|\\]|[a-z]|\n){0,40}", chars in 0_usize..30) {
        let line = one_line(&text, chars);
        prop_assert!(line.chars().count() <= chars + 1);
        prop_assert!(!line.chars().any(char::is_control));
    }
}
