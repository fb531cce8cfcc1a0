//! What a run did: the tools it used one after the other, and what became of the repository it worked in.

use serde::{Deserialize, Serialize};

/// What is different in a repository after a run. Whatever else changed it meanwhile is in it, too.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// The top of the repository's files; not in the records of earlier versions.
    pub repository: Option<String>,
    /// The branch before; nothing when a commit was checked out by itself.
    pub branch_before: Option<String>,
    /// The branch after.
    pub branch: Option<String>,
    /// The commit before; nothing before the first one.
    pub head_before: Option<String>,
    /// The commit after.
    pub head: Option<String>,
    /// Commits made, the newest first, at most [`Changes::COMMITS_MAX`].
    pub commits: Vec<String>,
    /// Files that are different, committed or not, in order, at most [`Changes::FILES_MAX`]; seen from the top of the
    /// repository. One that git is told to ignore is none of them, and of another repository inside there is only the
    /// folder, with a `/` at its end.
    pub files: Vec<String>,
    /// How many files are different.
    pub files_total: u32,
    /// Whether there may be more: looking took too long, or there was too much to see.
    pub incomplete: bool,
}

impl Changes {
    /// Most commits that are named.
    pub const COMMITS_MAX: usize = 20;
    /// Most files that are named.
    pub const FILES_MAX: usize = 50;
}

/// One use of a tool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCall {
    /// The tool.
    pub name: String,
    /// First words of what it was called on.
    pub input: String,
    /// The call inside which it was made (a subagent's), by its place in the list.
    pub parent: Option<u32>,
    /// When it was called, in milliseconds since the start of the run.
    pub start_ms: u64,
    /// Milliseconds to its result; nothing when none came.
    pub duration_ms: Option<u64>,
    /// How it ended.
    pub end: CallEnd,
}

/// How the use of a tool ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CallEnd {
    /// It had not, when the run did.
    Open,
    /// With a result.
    Done,
    /// With an error.
    Failed,
    /// It was not permitted.
    Denied,
}

impl CallEnd {
    /// Returns the name used in documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Denied => "denied",
        }
    }
}

impl ToolCall {
    /// Most calls of a run that are kept.
    pub const CALLS_MAX: usize = 200;
    /// Longest input that is shown, in characters.
    pub const INPUT_CHARS: usize = 160;
}

/// Tools that leave the files of a repository as they are. Every other one may change them.
const READERS: [&str; 16] = [
    "AskUserQuestion",
    "BashOutput",
    "Glob",
    "Grep",
    "LS",
    "NotebookRead",
    "Read",
    "ReportFindings",
    "StructuredOutput",
    "TaskGet",
    "TaskList",
    "TaskOutput",
    "TodoWrite",
    "ToolSearch",
    "WebFetch",
    "WebSearch",
];

/// Returns whether a tool of this name may change files.
pub fn may_write(tool: &str) -> bool {
    !READERS.contains(&tool)
}
