//! Commands about settings: `settings`, `settings set`, `settings unset`.

use serde::Serialize;
use serde_json::Value;

use crate::cli::agents::{edit, warn};
use crate::cli::args::SettingsCommand;
use crate::cli::render::{Cell, Screen, Tone, print_json, print_text};
use crate::config::edit::setting_value;
use crate::config::settings::{Setting, settings, value_of};
use crate::dispatch::Frontend;
use crate::error::Report;

/// A setting as JSON.
#[derive(Debug, Serialize)]
struct SettingDocument {
    key: String,
    value: Value,
    default: Value,
    /// Line of the agents file; nothing when the default holds.
    line: Option<usize>,
}

/// Shows every setting, and where it comes from.
pub(super) fn list(frontend: &Frontend, screen: Screen, as_json: bool) -> Result<(), Report> {
    let config = frontend.config().map_err(|error| Report::from(&*error))?;
    let all = settings(&config);
    if as_json {
        let document = |Setting { key, value, default, line }| SettingDocument { key, value, default, line };
        return print_json(&all.into_iter().map(document).collect::<Vec<_>>());
    }
    let rows = all.iter().map(|setting| {
        let (from, tone) = match setting.line {
            Some(line) => (format!("line {line} (default: {})", shown(&setting.default)), Tone::Plain),
            None => ("default".to_owned(), Tone::Faint),
        };
        vec![Cell::new(&setting.key), Cell::new(shown(&setting.value)), Cell::new(from).toned(tone)]
    });
    let table = screen.table(&["SETTING", "VALUE", "FROM"], rows.collect());
    print_text(&format!("{table}\nfile: {}\n", config.path.display()))
}

/// Changes a setting.
pub(super) async fn change(frontend: &Frontend, command: SettingsCommand) -> Result<(), Report> {
    let (key, value) = match command {
        SettingsCommand::Set { key, value } => {
            let value = setting_value(&key, &value);
            (key, value)
        }
        SettingsCommand::Unset { key } => (key, Value::Null),
    };
    let edited = edit(frontend, move |file| file.update_settings(&[(key, value)])).await?;
    let config = frontend.config().map_err(|error| Report::from(&*error))?;
    for key in &edited.changed {
        let now = value_of(&config.settings, key);
        if now.is_object() {
            // A whole part went back to its defaults.
            print_text(&format!("{key}: back to its defaults\n"))?;
        } else {
            print_text(&format!("{key}: {}\n", shown(&now)))?;
        }
        warn(frontend, &format!("settings.{key}"));
    }
    Ok(())
}

/// Returns a value as it is typed.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Array(items) => items.iter().map(shown).collect::<Vec<_>>().join(","),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}
