//! One line for people, whatever is in the text: no escapes, no control characters, no marks that reorder or hide.

use crate::audit::cut;

/// Returns at most `chars` characters of `text` on one line, for people: white space becomes single spaces, terminal
/// escapes, control characters and marks that reorder or hide text are dropped, and `…` stands for what is cut.
pub fn one_line(text: &str, chars: usize) -> String {
    let mut out = String::new();
    let mut room = chars.saturating_add(1);
    let mut space = false;
    let mut rest = text.chars();
    while let Some(next) = rest.next() {
        if next == '\u{1b}' {
            skip_escape(&mut rest);
        } else if next.is_whitespace() {
            space = !out.is_empty();
        } else if !is_hidden(next) {
            if space {
                out.push(' ');
                room = room.saturating_sub(1);
                space = false;
            }
            out.push(next);
            room = room.saturating_sub(1);
            // Whatever the size of the text, no more of it is read than is shown.
            if room == 0 {
                break;
            }
        }
    }
    cut(&out, chars)
}

/// Skips what follows the escape character: `[…m`, `]…BEL`, or one character.
fn skip_escape(rest: &mut std::str::Chars<'_>) {
    match rest.next() {
        Some('[') => {
            let _final = rest.find(|next| !matches!(next, ' '..='?'));
        }
        Some(']' | 'P' | '_' | '^' | 'X') => {
            let ended = rest.find(|next| matches!(next, '\u{7}' | '\u{1b}' | '\u{9c}' | '\n'));
            if ended == Some('\u{1b}') {
                let _backslash = rest.next();
            }
        }
        Some(_) | None => {}
    }
}

/// Returns whether a character controls a terminal, reorders text or is not to be seen.
pub fn is_hidden(char: char) -> bool {
    char.is_control()
        || matches!(char,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}
