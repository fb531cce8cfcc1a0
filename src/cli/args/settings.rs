//! What can be typed about settings.

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum SettingsCommand {
    /// Write a setting
    #[command(after_help = SET_HELP)]
    Set {
        /// Its name, such as `max_concurrency` or `cache.ttl`
        key: String,
        /// Its value: a number, a word, true or false, or words separated by commas
        #[arg(allow_hyphen_values = true)]
        value: String,
    },
    /// Take a setting back to its default
    Unset {
        /// Its name
        key: String,
    },
}

/// What stands below the options of `settings set`.
const SET_HELP: &str = "\
Examples:
  agent-dispatch settings set max_concurrency 3
  agent-dispatch settings set cache.ttl 600
  agent-dispatch settings set default_allowed_tools Read,Grep
  agent-dispatch settings set mcp_config_edits no-escalation";
