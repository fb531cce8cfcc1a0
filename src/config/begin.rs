//! The first agents file: nothing but words that say how it goes on.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

/// What a new agents file says.
const BEGINNING: &str = "\
# The agents of agent-dispatch: directories that tasks can be sent to, and what a session there may do.
#
# Change it here or with `agent-dispatch add`, `update` and `remove`: comments stay, and an edit takes effect at once.
# `agent-dispatch list` shows what is wrong, with line and column. An agent may look like this:
#
#   infra:
#     directory: ~/src/infra
#     description: Terraform modules and runbooks
#     permission_mode: acceptEdits
#     allowed_tools: [Read, Grep, \"Bash(terraform plan:*)\"]
#     timeout: 600
#     max_budget_usd: 2.5

agents: {}
";

/// Makes the agents file at `path`, and its directory, for the user alone. Returns whether it was made: one that exists,
/// or a link of that name, is not touched.
pub fn begin(path: &Path) -> io::Result<bool> {
    if let Some(folder) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let mut file = match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
        Err(error) => return Err(error),
    };
    file.write_all(BEGINNING.as_bytes())?;
    file.sync_all()?;
    Ok(true)
}

#[cfg(test)]
mod tests;
