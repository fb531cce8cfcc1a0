//! `agent-dispatch completions` and `man`: what other programs show of this command line.

use std::fs;
use std::path::Path;

use crate::cli::args::{self, Shell};
use crate::cli::render::{note, print_text};
use crate::error::{Kind, Report};
use crate::model::with_causes;

/// Prints the script that completes this command line in `shell`.
pub(super) fn completions(shell: Shell) -> Result<(), Report> {
    print_text(&args::completions(shell))
}

/// Prints the manual page of the program, or writes those of all commands into `directory`, seen from `here`.
pub(super) fn pages(here: &Path, directory: Option<&Path>) -> Result<(), Report> {
    let failed = |what: &str, error: &std::io::Error| {
        let message = format!("{what} cannot be written: {}", with_causes(error));
        Report::new(Kind::Usage, "output", message, "Name a directory that exists and that you may write to.")
    };
    let pages = args::pages().map_err(|error| failed("the manual", &error))?;
    let Some(directory) = directory else {
        let first = pages.first().map(|(_, page)| String::from_utf8_lossy(page));
        return print_text(&first.unwrap_or_default());
    };
    let directory = here.join(directory);
    for (name, page) in &pages {
        let path = directory.join(name);
        fs::write(&path, page).map_err(|error| failed(&format!("`{}`", path.display()), &error))?;
    }
    note(&format!("{} pages in {}\n", pages.len(), directory.display()));
    Ok(())
}
