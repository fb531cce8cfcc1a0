//! What other programs show of this command line: all that is for people, and nothing else.

use clap::{Parser as _, ValueEnum as _};

use super::*;

#[test]
fn scripts_know_every_visible_command_and_no_hidden_one() {
    let command = Arguments::command();
    for shell in Shell::value_variants() {
        let script = completions(*shell);
        for part in command.get_subcommands() {
            let known = script.contains(part.get_name());
            // Names of hidden ones may be part of other words.
            assert!(known || part.is_hide_set(), "{shell} does not know {}", part.get_name());
        }
        for hidden in ["--ready", "(internal)"] {
            assert!(!script.contains(hidden), "{shell} knows {hidden}");
        }
    }
}

#[test]
fn every_visible_command_has_a_page() {
    let pages = pages().unwrap();
    let names: Vec<&str> = pages.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names.first(), Some(&"agent-dispatch.1"));
    for part in Arguments::command().get_subcommands() {
        let has = names.contains(&format!("agent-dispatch-{}.1", part.get_name()).as_str());
        assert_eq!(has, !part.is_hide_set(), "{}", part.get_name());
    }
    for (name, page) in &pages {
        let page = String::from_utf8(page.clone()).unwrap();
        assert!(page.contains(".SH SYNOPSIS\n") && !page.contains("(internal)"), "{name}");
    }
}

#[test]
fn notes_become_sections() {
    let page = sections("Some words\\n, and-more.\nExamples:\n  .x 'y'\n  'z\n\nExit codes:\n  0  done");
    let want = ".SH NOTES\nSome words\\en, and\\-more.\n.SH \"EXAMPLES\"\n.nf\n\\&.x 'y'\n.fi\n.nf\n\\&'z\n.fi\n\
                .SH \"EXIT STATUS\"\n.nf\n0  done\n.fi\n";
    assert_eq!(page, want);
}

/// Returns the words of a line as a shell reads them, up to where it goes elsewhere.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for letter in line.chars() {
        match letter {
            // Where its output goes is no part of it.
            '>' | '|' | ')' if !quoted => break,
            '"' => quoted = !quoted,
            ' ' if !quoted => words.extend(Some(std::mem::take(&mut word)).filter(|word| !word.is_empty())),
            _ => word.push(letter),
        }
    }
    words.extend((!word.is_empty()).then_some(word));
    words
}

/// Returns how many examples the help of a command and those below it shows, having read each.
fn examples(command: &Definition) -> usize {
    let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let lines = help.lines().filter(|line| line.starts_with("  "));
    let typed = lines.filter_map(|line| Some(&line[line.find("agent-dispatch ")?..]));
    let read = typed.map(|line| {
        let line = line.replace("$(date +%F)", "today").replace("SEQ:HASH", &format!("7:{}", "0".repeat(64)));
        let words = words(&line);
        Arguments::try_parse_from(&words).map_err(|error| format!("{words:?}: {error}")).unwrap();
    });
    read.count() + command.get_subcommands().map(examples).sum::<usize>()
}

#[test]
fn every_example_is_one_that_can_be_typed() {
    assert!(examples(&Arguments::command()) >= 30);
}
