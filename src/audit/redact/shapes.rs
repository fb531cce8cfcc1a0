//! The shapes of secrets, and where in a text there are any.

use std::ops::Range;
use std::sync::{LazyLock, OnceLock};

use aho_corasick::AhoCorasick;
use regex_lite::{Captures, Regex};

/// A kind of secret.
pub(super) struct Shape {
    /// What it is called in its place.
    pub(super) kind: &'static str,
    /// Texts of which one must be there for it to be worth a search, in lower case. They are found in upper case, too.
    pub(super) needles: &'static [&'static str],
    /// Texts of which one must come soon behind; none must when there are none.
    pub(super) then: &'static [&'static str],
    /// Its pattern. The group `v`, `w` or `x` is the secret, or the whole match when there is none.
    pub(super) pattern: &'static str,
}

/// How far behind a needle is soon, in bytes.
const SOON_BYTES: usize = 200;

/// Length of the longest text that must come soon behind a needle, in bytes, and of a character more.
pub(super) const THEN_BYTES_MAX: usize = 16;

/// What is known of a shape while a text is looked through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Looked {
    /// It may be in the text.
    MayBeThere,
    /// What must come behind a needle does not begin before here.
    NothingBefore(usize),
}

impl Shape {
    /// Looks at what comes behind a needle at `at`; no part of the text is looked at twice, however many needles it has.
    fn look_behind(&self, text: &str, at: usize, nothing_before: usize) -> Looked {
        if self.then.is_empty() {
            return Looked::MayBeThere;
        }
        let end = boundary(text, at.saturating_add(SOON_BYTES));
        let behind = text.get(at.max(nothing_before)..end).unwrap_or_default().to_ascii_lowercase();
        if self.then.iter().any(|then| behind.contains(then)) {
            return Looked::MayBeThere;
        }
        let next = boundary(text, end.saturating_sub(THEN_BYTES_MAX));
        Looked::NothingBefore(next.max(nothing_before))
    }
}

/// Returns the first beginning of a character that is not before `at`, or the end.
fn boundary(text: &str, at: usize) -> usize {
    (at..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len())
}

/// The needles of all shapes, to be found in one pass, and the shape of each.
struct Needles {
    all: AhoCorasick,
    shapes: Vec<usize>,
}

impl Needles {
    fn of_all_shapes() -> Self {
        let (needles, shapes): (Vec<&str>, _) = SHAPES
            .iter()
            .enumerate()
            .flat_map(|(index, shape)| shape.needles.iter().map(move |needle| (*needle, index)))
            .unzip();
        let all = AhoCorasick::builder().ascii_case_insensitive(true).build(needles);
        Self { all: all.expect("a few short texts fit"), shapes }
    }

    /// Returns the shapes that may be in a text, by their index, each once.
    fn found_in(&self, text: &str) -> impl Iterator<Item = usize> {
        let mut looked = [Looked::NothingBefore(0); SHAPES.len()];
        self.all.find_overlapping_iter(text).filter_map(move |found| {
            let index = *self.shapes.get(found.pattern().as_usize())?;
            let (shape, looked) = (SHAPES.get(index)?, looked.get_mut(index)?);
            let Looked::NothingBefore(at) = *looked else { return None };
            *looked = shape.look_behind(text, found.start(), at);
            (*looked == Looked::MayBeThere).then_some(index)
        })
    }
}

static NEEDLES: LazyLock<Needles> = LazyLock::new(Needles::of_all_shapes);

/// What begins in the place of a secret that was taken out.
pub(super) const MARK: &str = "[redacted:";

const AUTHORIZATION: &str = "authorization";
const URL_TOKEN: &str = "url-token";
const OPENAI: &str = "openai-key";
const ASSIGNED: &str = "secret";

/// In order: what is specific comes first, so that it is called by its own name.
pub(super) const SHAPES: [Shape; 24] = [
    Shape {
        kind: "private-key",
        needles: &["private key"],
        then: &[],
        // Without its end (a cut text) everything that follows goes.
        pattern: r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----(?s:.*?)(?:-----END [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----|$)",
    },
    Shape {
        kind: "anthropic-key",
        needles: &["sk-ant-"],
        then: &[],
        pattern: r"\bsk-ant-[A-Za-z0-9_-]{10,}",
    },
    Shape { kind: OPENAI, needles: &["sk-"], then: &[], pattern: r"\bsk-[A-Za-z0-9_-]{20,}" },
    Shape {
        kind: "github-token",
        needles: &["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"],
        then: &[],
        pattern: r"\b(?:gh[opsru]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,})",
    },
    Shape {
        kind: "gitlab-token",
        needles: &[
            "glpat-", "gloas-", "gldt-", "glrt-", "glrtr-", "glcbt-", "glptt-", "glft-", "glimt-",
            "glagent-", "glsoat-", "glwt-", "glffct-",
        ],
        then: &[],
        pattern: r"\bgl(?:pat|oas|dt|rtr?|cbt|ptt|ft|imt|agent|soat|wt|ffct)-[A-Za-z0-9_.-]{20,}",
    },
    Shape {
        kind: "slack-token",
        needles: &["xox", "xapp-", "hooks.slack.com"],
        then: &[],
        pattern: concat!(
            r"\bxox[a-z]-[A-Za-z0-9-]{10,}|\bxapp-[A-Za-z0-9-]{10,}|",
            r"\bhooks\.slack\.com/services/(?P<v>[A-Za-z0-9/]{10,})"
        ),
    },
    Shape {
        kind: "aws-key",
        needles: &["akia", "asia", "abia", "acca"],
        then: &[],
        pattern: r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b",
    },
    Shape {
        kind: "google-key",
        needles: &["aiza", "ya29.", "gocspx-"],
        then: &[],
        pattern: r"\bAIza[A-Za-z0-9_-]{30,}|\bya29\.[A-Za-z0-9_-]{20,}|\bGOCSPX-[A-Za-z0-9_-]{20,}",
    },
    Shape {
        kind: "stripe-key",
        needles: &["_live_", "_test_", "whsec_"],
        then: &[],
        pattern: r"\b[prs]k_(?:live|test)_[A-Za-z0-9]{16,}|\bwhsec_[A-Za-z0-9]{20,}",
    },
    Shape {
        kind: "sendgrid-key",
        needles: &["sg."],
        then: &[],
        pattern: r"\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}",
    },
    Shape {
        kind: "digitalocean-token",
        needles: &["dop_v1_", "doo_v1_", "dor_v1_"],
        then: &[],
        pattern: r"\bdo[opr]_v1_[A-Za-z0-9]{30,}",
    },
    Shape {
        kind: "age-key",
        needles: &["age-secret-key-1"],
        then: &[],
        pattern: r"(?i)\bage-secret-key-1[a-z0-9]{30,}",
    },
    Shape { kind: "xai-key", needles: &["xai-"], then: &[], pattern: r"\bxai-[A-Za-z0-9]{30,}" },
    Shape { kind: "npm-token", needles: &["npm_"], then: &[], pattern: r"\bnpm_[A-Za-z0-9]{30,}" },
    Shape { kind: "pypi-token", needles: &["pypi-"], then: &[], pattern: r"\bpypi-[A-Za-z0-9_-]{40,}" },
    Shape { kind: "huggingface-token", needles: &["hf_"], then: &[], pattern: r"\bhf_[A-Za-z0-9]{30,}" },
    Shape {
        kind: "jwt",
        needles: &["eyj"],
        then: &[],
        pattern: r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?",
    },
    Shape {
        kind: "url-password",
        needles: &["://"],
        then: &["@"],
        // To the last `@` before the path: a password may hold one.
        pattern: r"(?i)\b[a-z][a-z0-9+.-]*://[^\s/:@]*:(?P<v>[^\s/]+)@",
    },
    Shape {
        kind: URL_TOKEN,
        needles: &["://"],
        then: &["@"],
        // A name may stand there, too: a token is long and has digits.
        pattern: r"://(?P<v>[A-Za-z0-9_.~%+-]{20,})(?::[^\s/@]*)?@",
    },
    Shape {
        kind: "curl-password",
        needles: &["curl"],
        then: &["-u", "u ", "--user"],
        pattern: concat!(
            r"\bcurl\s(?:[^\n|;&]*?\s)??(?:-[A-Za-z]{0,6}u\s*|--user[\s=]+)",
            r"[\x22']?[^\s:\x22'/]+:(?P<v>[^\s\x22'/][^\s\x22']{3,})"
        ),
    },
    Shape {
        kind: AUTHORIZATION,
        needles: &["bearer", "authorization"],
        then: &[],
        pattern: concat!(
            r"(?i)\bauthorization[\x22']?\s*[:=]\s*[\x22']?(?:[a-z]+\s+)?(?P<v>[A-Za-z0-9._~+/=-]{12,})|",
            r"\bbearer\s+(?P<w>[A-Za-z0-9._~+/=-]{12,})"
        ),
    },
    Shape {
        kind: ASSIGNED,
        needles: &[
            "password",
            "passwd",
            "passphrase",
            "secret",
            "token",
            "credential",
            "api_key",
            "api-key",
            "apikey",
            "access_key",
            "access-key",
            "accesskey",
            "private_key",
            "private-key",
            "privatekey",
            "account_key",
            "account-key",
            "accountkey",
            "auth_key",
            "auth-key",
            "authkey",
        ],
        then: &[":", "="],
        // `tokens: 5` is no secret: after the word only a part set off by `_`, `.` or `-` may follow.
        pattern: concat!(
            r"(?i)\b[a-z0-9_.-]*(?:password|passwd|passphrase|secret[_-]?key|secret|token|api[_-]?key|",
            r"access[_-]?key|private[_-]?key|account[_-]?key|auth[_-]?key|credential)(?:[_.-][a-z0-9_.-]*)?[\x22']?\s*[:=]\s*",
            r"(?:\x22(?P<v>[^\x22\n]{4,})|'(?P<w>[^'\n]{4,})|(?P<x>[^\s\x22',;&(){}]{4,}))"
        ),
    },
    Shape {
        kind: ASSIGNED,
        needles: &["pwd="],
        then: &[],
        // Without white space, and no path: `PWD=/srv`, `pwd = os.getcwd()`. What is called is no value.
        pattern: concat!(
            r"(?i)\b[a-z0-9_.-]*pwd=(?:\x22(?P<v>[^\x22\n/\\]{4,})\x22|'(?P<w>[^'\n/\\]{4,})'|",
            r"(?P<x>[^\s\x22',;&(){}\[\]/\\]{4,})(?:[\s\x22',;&)}\]]|$))"
        ),
    },
    Shape {
        kind: ASSIGNED,
        needles: &["--"],
        then: &["password", "passphrase", "secret", "token", "api-key"],
        pattern: r"(?i)--[a-z-]*(?:password|passphrase|secret|token|api-key)\s+[\x22']?(?P<v>[^\s\x22'-][^\s\x22']{3,})",
    },
];

/// A secret in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) kind: &'static str,
    pub(super) at: Range<usize>,
}

impl Found {
    const fn overlaps(&self, other: &Self) -> bool {
        self.at.start < other.at.end && other.at.start < self.at.end
    }

    /// Returns one secret that covers this one and others. It is called by the first that covers all by itself.
    fn with(self, others: &[Self]) -> Self {
        let whole = others
            .iter()
            .fold(self.at.clone(), |whole, one| whole.start.min(one.at.start)..whole.end.max(one.at.end));
        let covers = others.iter().find(|one| one.at == whole);
        Self { kind: covers.map_or(self.kind, |one| one.kind), at: whole }
    }
}

/// Returns the secrets in a text, in order; none overlaps another. What it knows is the shape of a secret, so it finds those
/// that were pasted or printed; it cannot find all. It costs time for every byte: cut a large text first.
pub(super) fn find(text: &str) -> Vec<Found> {
    // Each when a text first needs it: most need none, and all of them together take longer than a short run.
    static COMPILED: [OnceLock<Regex>; SHAPES.len()] = [const { OnceLock::new() }; SHAPES.len()];
    let mut shapes: Vec<usize> = NEEDLES.found_in(text).collect();
    shapes.sort_unstable();
    let mut found: Vec<Found> = Vec::new();
    for (shape, compiled) in shapes.into_iter().filter_map(|index| SHAPES.get(index).zip(COMPILED.get(index)))
    {
        let regex =
            compiled.get_or_init(|| Regex::new(shape.pattern).expect("a test compiles every pattern"));
        for captures in regex.captures_iter(text) {
            if let Some(at) = secret_of(text, shape.kind, &captures) {
                let new = Found { kind: shape.kind, at };
                let (touched, apart): (Vec<_>, _) = found.into_iter().partition(|one| one.overlaps(&new));
                found = apart;
                found.push(new.with(&touched));
            }
        }
    }
    found.sort_by_key(|one| one.at.start);
    found
}

/// Returns whether a text can hold any secret at all; most cannot.
pub(super) fn may_hold_any(text: &str) -> bool {
    NEEDLES.found_in(text).next().is_some()
}

/// Returns where the secret of a match is. Tells it from what only stands where one could be: a placeholder, a variable, a
/// mark in the place of one, an ordinary word.
fn secret_of(text: &str, kind: &str, captures: &Captures<'_>) -> Option<Range<usize>> {
    let whole = captures.get(0)?;
    let value = ["v", "w", "x"].into_iter().find_map(|name| captures.name(name)).unwrap_or(whole);
    let secret = value.as_str();
    let marked = secret.contains(MARK) || text.get(..whole.start())?.ends_with(MARK);
    let placeholder = secret.starts_with(['$', '<', '%', '*']);
    let digits = secret.bytes().any(|byte| byte.is_ascii_digit());
    let word = match kind {
        URL_TOKEN => !digits,
        AUTHORIZATION => secret.len() < 32 && !digits,
        OPENAI => !digits || !secret.bytes().any(|byte| byte.is_ascii_uppercase()),
        ASSIGNED => !digits && reads_as_prose(text.get(whole.start()..value.start())?, secret),
        _ => false,
    };
    (!marked && !placeholder && !word).then(|| value.range())
}

/// Returns whether an assignment may be a sentence or a line of a program: `the secret: patience`, `token = next_token(`.
/// What is called a password or a key never is.
fn reads_as_prose(name: &str, value: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let set_off = name.ends_with([' ', '\t', '\n']);
    let telling = name.contains("passw") || name.contains("passphrase") || name.contains("key");
    let word =
        value.bytes().all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'_' | b'.' | b'?' | b'!'));
    set_off && !telling && word
}
