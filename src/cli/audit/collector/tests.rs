//! Endpoints as they are typed, and answers as collectors give them.

use super::*;

#[test]
fn an_endpoint_is_a_host_a_port_and_a_path() {
    let cases = [
        ("http://127.0.0.1:4318", "127.0.0.1:4318", "/v1/logs"),
        ("http://127.0.0.1:4318/", "127.0.0.1:4318", "/v1/logs"),
        ("http://collector/otlp/v1/logs", "collector:80", "/otlp/v1/logs"),
        ("http://[::1]:4318", "[::1]:4318", "/v1/logs"),
        ("http://[::1]", "[::1]:80", "/v1/logs"),
    ];
    for (typed, address, path) in cases {
        let endpoint = Endpoint::read(typed).unwrap();
        assert_eq!((endpoint.address.as_str(), endpoint.path.as_str()), (address, path), "{typed}");
    }
}

#[test]
fn what_is_no_endpoint_is_refused_with_what_to_do() {
    let cases = [
        ("https://collector:4318", "needs TLS"),
        ("127.0.0.1:4318", "is not http://HOST:PORT"),
        ("http://user@host", "is not http://HOST:PORT"),
        ("http://ho st", "is not http://HOST:PORT"),
        ("http://host/\r\nX: y", "is not http://HOST:PORT"),
        ("http://", "does not name a host and a port"),
        ("http://host:port", "does not name a host and a port"),
    ];
    for (typed, wanted) in cases {
        let report = Endpoint::read(typed).unwrap_err();
        assert!(report.message.contains(wanted) && report.kind == Kind::Usage, "{typed}: {report:?}");
    }
}

#[test]
fn an_answer_is_read_as_soon_as_it_is_whole() {
    let text = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nbusy";
    for end in 0..text.len() {
        let is_whole = Answer::read(&text.as_bytes()[..end]).is_some_and(|answer| answer.is_whole());
        assert!(!is_whole, "{}", &text[..end]);
    }
    let answer = Answer::read(text.as_bytes()).unwrap();
    assert!(answer.is_whole());
    assert_eq!((answer.status, answer.retry_after()), (503, Some(Duration::from_secs(7))));
    let hours = Answer::read(b"HTTP/1.0 429 Slow Down\r\nretry-after: 86400\r\n\r\n").unwrap();
    assert_eq!((hours.status, hours.retry_after()), (429, Some(ASKED_PAUSE_MAX)));
    for text in ["", "HTTP/1.1 200 OK\r\n", "SSH-2.0-x\r\n\r\n", "HTTP/1.1 two\r\n\r\n"] {
        assert_eq!(Answer::read(text.as_bytes()), None, "{text}");
    }
}

#[test]
fn records_that_a_collector_throws_away_are_told_of() {
    let said = |body: &str| {
        let text = format!("HTTP/1.1 200 OK\r\n\r\n{body}");
        Answer::read(text.as_bytes()).unwrap().complaint()
    };
    assert_eq!((said(""), said("{}"), said("{\"partialSuccess\":{}}")), (None, None, None));
    let complaint = said("{\"partialSuccess\":{\"rejectedLogRecords\":\"3\",\"errorMessage\":\"too old\"}}");
    assert!(complaint.unwrap().contains("too old"));
}
