//! What can be typed about dispatches and jobs.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::cli::args::number::whole;

#[derive(Debug, Args)]
pub(in crate::cli) struct DispatchArguments {
    /// The agent
    #[arg(required_unless_present_any = ["parallel", "aggregate"])]
    pub(in crate::cli) agent: Option<String>,
    /// The task, complete in itself; `-` reads it from standard input
    #[arg(required_unless_present_any = ["parallel", "aggregate"])]
    pub(in crate::cli) task: Option<String>,
    /// Background: findings, file contents, constraints
    #[arg(long, allow_hyphen_values = true, default_value = "", hide_default_value = true)]
    pub(in crate::cli) context: String,
    /// Who asks, for the agent and for the audit trail
    #[arg(long, default_value = "", hide_default_value = true)]
    pub(in crate::cli) caller: String,
    /// What the answer is for
    #[arg(long, allow_hyphen_values = true, default_value = "", hide_default_value = true)]
    pub(in crate::cli) goal: String,
    /// `text`, `json`, a JSON Schema, or a file that holds one
    #[arg(long, value_name = "FORMAT")]
    pub(in crate::cli) response_format: Option<String>,
    /// Seconds the run may take, 10 to 7200; without it the agent's own limit
    #[arg(long, value_name = "SECONDS", value_parser = whole::<i64>(10..=7200))]
    pub(in crate::cli) timeout: Option<i64>,
    /// A group of which the agent is a member: its shared context is added
    #[arg(long, default_value = "", hide_default_value = true)]
    pub(in crate::cli) group: String,
    /// A conversation with this agent to go on with (the beginning of its id is enough)
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    pub(in crate::cli) session: String,
    /// Print the job's id at once; it runs to its end by itself
    #[arg(long = "async")]
    pub(in crate::cli) detached: bool,
    /// Say what it would come to, and run nothing
    #[arg(long, conflicts_with = "detached")]
    pub(in crate::cli) plan: bool,
    /// Dispatch several at once: a file with a JSON list of objects, each with `agent`, `task` and what the options here are
    /// called with underscores; `-` reads it from standard input
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = [
            "agent", "task", "context", "caller", "goal", "response_format", "timeout", "group", "session", "detached",
            "plan", "no_cache",
        ]
    )]
    pub(in crate::cli) parallel: Option<PathBuf>,
    /// With `--parallel`: an agent that makes one answer of all
    #[arg(
        long,
        value_name = "AGENT",
        requires = "parallel",
        conflicts_with = "agent",
        default_value = "",
        hide_default_value = true
    )]
    pub(in crate::cli) aggregate: String,
    /// Neither take the answer from the cache nor join an identical dispatch
    #[arg(long)]
    pub(in crate::cli) no_cache: bool,
    /// Print JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

/// Where a job can be in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Status {
    Pending,
    Running,
    Done,
    Failed,
    Cancelled,
    Interrupted,
}
