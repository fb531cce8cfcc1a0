//! `agent-dispatch audit hash`: where a value passed, found by its digest under the audit key.

use std::io::Read as _;
use std::process::ExitCode;

use serde::Serialize;

use crate::audit::Code;
use crate::audit::query::AuditFilter;
use crate::cli::audit::export::trail;
use crate::cli::audit::output::{Row, table};
use crate::cli::render::{Screen, fact, note, print_json, print_text};
use crate::daemon::ClientError;
use crate::daemon::protocol::trail::{Asked, Told};
use crate::daemon::protocol::{Reply, Request, Traces};
use crate::dispatch::Frontend;
use crate::document::audit::{document, search};
use crate::error::{Kind, Report};
use crate::model::Timestamp;

/// Longest value that is looked for, in bytes: as long as a task.
const VALUE_BYTES_MAX: u64 = 10_000_000;

/// Where a value passed.
#[derive(Serialize)]
struct Passed {
    digest: String,
    records: Vec<Row>,
    /// Where it may have passed all the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    unknown: Option<String>,
}

/// Prints the digest of a value, and the records that name it. Exits with 1 when none does.
pub(super) async fn hash(
    frontend: &Frontend,
    screen: Screen,
    value: &str,
    as_json: bool,
) -> Result<ExitCode, Report> {
    let mut bytes = if value == "-" { standard_input()? } else { value.as_bytes().to_vec() };
    let mut traces = ask(frontend, bytes.clone()).await?;
    // What a shell or an editor adds at the end is seldom a part of it.
    if value == "-" && traces.entries.is_empty() && bytes.pop_if(|last| *last == b'\n').is_some() {
        traces = ask(frontend, bytes).await?;
    }
    let records: Vec<Row> = traces.entries.iter().map(document).collect();
    let found = !records.is_empty();
    let unknown = if found { None } else { made_with_another_key(frontend).await? };
    if as_json {
        print_json(&Passed { digest: traces.mac, records, unknown })?;
    } else {
        print_text(&told(screen, &traces.mac, &records))?;
        if !found {
            note("It passed in no record.\n");
        }
        if let Some(unknown) = unknown {
            note(&format!("{unknown}\n"));
        }
    }
    Ok(if found { ExitCode::SUCCESS } else { ExitCode::from(Kind::NotFound.exit_code()) })
}

fn told(screen: Screen, mac: &str, records: &[Row]) -> String {
    let digest = fact("digest", mac);
    if records.is_empty() {
        return digest;
    }
    format!("{digest}\n{}", table(screen, records, Timestamp::now()))
}

/// Returns of which records it cannot be said what passed in them, if there are any.
async fn made_with_another_key(frontend: &Frontend) -> Result<Option<String>, Report> {
    if let Told::Origin(Some(_), _) = trail(frontend, Asked::Origin).await? {
        let told =
            "This trail was imported: its digests were made with the key of the store that it came from.";
        return Ok(Some(told.to_owned()));
    }
    let filter = AuditFilter { events: vec![Code::KeyReplaced], ..AuditFilter::default() };
    let mut replaced = None;
    search(frontend, filter, 1, |entries| {
        replaced = entries.first().map(|entry| entry.head.seq);
        Ok(true)
    })
    .await?;
    let told =
        |seq| format!("Digests before record {seq} were made with another key: it may have passed there.");
    Ok(replaced.map(told))
}

async fn ask(frontend: &Frontend, value: Vec<u8>) -> Result<Traces, Report> {
    match frontend.client.ask(&Request::Hash(value)).await? {
        Reply::Hashed(traces) => Ok(traces),
        _ => Err(ClientError::Confused.into()),
    }
}

fn standard_input() -> Result<Vec<u8>, Report> {
    let mut bytes = Vec::new();
    let read = std::io::stdin().lock().take(VALUE_BYTES_MAX + 1).read_to_end(&mut bytes);
    let problem = match read {
        Ok(_) if bytes.len() as u64 <= VALUE_BYTES_MAX => return Ok(bytes),
        Ok(_) => format!("it has more than {VALUE_BYTES_MAX} bytes"),
        Err(error) => error.to_string(),
    };
    let message = format!("standard input cannot be read: {problem}");
    Err(Report::new(Kind::Usage, "invalid_input", message, "See: agent-dispatch audit hash --help"))
}
