//! What can be typed about groups.

use clap::{Args, Subcommand};

/// What stands below the options of `group add`.
const ADD_HELP: &str = "\
Example:
  agent-dispatch group add shop --member infra=\"deployments and outages\" --member web";

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum GroupCommand {
    /// Add a group of agents
    #[command(after_help = ADD_HELP)]
    Add {
        /// Its name: letters, digits, `-` and `_`
        name: String,
        #[command(flatten)]
        texts: GroupTexts,
        /// An agent that belongs to it, and what to use it for (repeatable)
        #[arg(long = "member", value_name = "AGENT[=USE_FOR]", value_parser = member)]
        members: Vec<Member>,
    },
    /// List the groups
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show one group with its members and their shared context
    Inspect {
        /// Its name
        name: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Change a group; an empty text clears
    Update {
        /// Its name
        name: String,
        #[command(flatten)]
        texts: GroupTexts,
        /// An agent to take in, or a member to be used for something else; `AGENT=` clears what for (repeatable)
        #[arg(long = "member", value_name = "AGENT[=USE_FOR]", value_parser = member)]
        members: Vec<Member>,
        /// A member to take out (repeatable)
        #[arg(long = "remove-member", value_name = "AGENT")]
        gone: Vec<String>,
    },
    /// Remove a group; its members stay agents
    Remove {
        /// Its name
        name: String,
    },
}

/// The texts of a group.
#[derive(Debug, Args)]
pub(in crate::cli) struct GroupTexts {
    /// What it is for; callers read it, members never do
    #[arg(long, short, allow_hyphen_values = true)]
    pub(in crate::cli) description: Option<String>,
    /// What members are told when they are dispatched to through the group
    #[arg(long, allow_hyphen_values = true, value_name = "TEXT")]
    pub(in crate::cli) shared_context: Option<String>,
}

/// A member as it is typed: the agent, and what to use it for.
pub(in crate::cli) type Member = (String, Option<String>);

#[expect(clippy::unnecessary_wraps, reason = "clap wants a result")]
fn member(text: &str) -> Result<Member, String> {
    Ok(match text.split_once('=') {
        Some((agent, use_for)) => (agent.trim().to_owned(), Some(use_for.trim().to_owned())),
        None => (text.trim().to_owned(), None),
    })
}
