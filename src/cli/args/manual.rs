//! What the definitions of the command line are made into: completion scripts and manual pages.

use std::io;

use clap::{Command, CommandFactory as _};

use crate::cli::args::Arguments;

pub(in crate::cli) use clap_complete::Shell;

/// What stands below the options of `completions`.
pub(super) const COMPLETIONS_HELP: &str = "\
Examples:
  agent-dispatch completions bash >~/.local/share/bash-completion/completions/agent-dispatch
  agent-dispatch completions fish >~/.config/fish/completions/agent-dispatch.fish
  agent-dispatch completions zsh >~/.zfunc/_agent-dispatch";

/// What stands below the options of `man`.
pub(super) const MAN_HELP: &str = "\
Examples:
  agent-dispatch man | man -l -
  agent-dispatch man ~/.local/share/man/man1";

/// Returns the script that completes this command line in `shell`.
pub(in crate::cli) fn completions(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), Arguments::command().get_name(), &mut script);
    script
}

/// Returns the manual pages, that of the program first: file name and content.
pub(in crate::cli) fn pages() -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut program = Arguments::command();
    // Every part then knows its full name: `agent-dispatch-audit-show`.
    program.build();
    let mut pages = Vec::new();
    add_page(&program, &mut pages)?;
    Ok(pages)
}

fn add_page(command: &Command, pages: &mut Vec<(String, Vec<u8>)>) -> io::Result<()> {
    let man = clap_mangen::Man::new(command.clone());
    let mut page = Vec::new();
    man.render(&mut page)?;
    pages.push((man.get_filename(), page));
    let parts = command.get_subcommands().filter(|part| !part.is_hide_set());
    parts.into_iter().try_for_each(|part| add_page(part, pages))
}
