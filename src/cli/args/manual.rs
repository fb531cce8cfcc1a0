//! What the definitions of the command line are made into: completion scripts and manual pages.

use std::io;

use clap::{Command as Definition, CommandFactory as _};

use crate::cli::args::Arguments;

pub(in crate::cli) use clap_complete::Shell;

/// What stands below the options of `completions`.
pub(super) const COMPLETIONS_HELP: &str = "\
Examples:
  source <(agent-dispatch completions bash)
  agent-dispatch completions fish | source
  agent-dispatch completions zsh >~/.zfunc/_agent-dispatch";

/// What stands below the options of `man`.
pub(super) const MAN_HELP: &str = "\
Examples:
  agent-dispatch man | man -l -
  agent-dispatch man ~/.local/share/man/man1";

/// Returns the script that completes this command line in `shell`.
pub(in crate::cli) fn completions(shell: Shell) -> String {
    let mut script = Vec::new();
    let mut command = visible(&Arguments::command());
    let name = command.get_name().to_owned();
    clap_complete::generate(shell, &mut command, name.clone(), &mut script);
    // For bash, clap_complete 4.6 spells a name with a hyphen in two ways; its own parts would not find each other.
    let (wrong, right) = (name.replace('-', "__subcmd__"), name.replace('-', "__"));
    String::from_utf8_lossy(&script).replace(&wrong, &right)
}

/// Returns the part of a command that is for people: completion scripts do not know what is hidden.
fn visible(command: &Definition) -> Definition {
    let mut shown = Definition::new(command.get_name().to_owned())
        .disable_help_subcommand(true)
        .version(command.get_version().unwrap_or_default().to_owned())
        .disable_version_flag(command.get_version().is_none())
        .args(command.get_arguments().filter(|argument| !argument.is_hide_set()))
        .subcommands(command.get_subcommands().filter(|part| !part.is_hide_set()).map(visible));
    if let Some(about) = command.get_about() {
        shown = shown.about(about.clone());
    }
    shown
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

fn add_page(command: &Definition, pages: &mut Vec<(String, Vec<u8>)>) -> io::Result<()> {
    let source = concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION"));
    let man = clap_mangen::Man::new(command.clone()).source(source).manual("agent-dispatch");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    if let Some(more) = command.get_after_help() {
        page.extend_from_slice(sections(&more.to_string()).as_bytes());
    }
    pages.push((man.get_filename(), page));
    let parts = command.get_subcommands().filter(|part| !part.is_hide_set());
    parts.into_iter().try_for_each(|part| add_page(part, pages))
}

/// Returns what stands below a command's help as sections: a line that ends with a colon begins one, lines that are
/// indented stay as they are.
fn sections(help: &str) -> String {
    let mut page: Vec<String> = Vec::new();
    for line in help.lines().filter(|line| !line.is_empty()) {
        let text = line.trim_start().replace('\\', r"\e").replace('-', r"\-");
        // A line must not begin like a request.
        let guard = if text.starts_with(['.', '\'']) { r"\&" } else { "" };
        let heading = line.strip_suffix(':').filter(|line| !line.starts_with(' '));
        if let Some(heading) = heading {
            let heading = if heading == "Exit codes" { "exit status" } else { heading };
            page.push(format!(".SH \"{}\"\n", heading.to_uppercase()));
            continue;
        }
        if page.is_empty() {
            page.push(".SH NOTES\n".to_owned());
        }
        let verbatim = line.starts_with(' ');
        page.push(if verbatim { format!(".nf\n{guard}{text}\n.fi\n") } else { format!("{guard}{text}\n") });
    }
    page.concat()
}

#[cfg(test)]
mod tests;
