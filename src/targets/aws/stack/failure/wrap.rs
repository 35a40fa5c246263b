//! Long texts in lines, as a terminal would break them in the middle of a word.

use crate::report::style::width;

/// The text in lines of at most so many columns, further ones moved in. A command between backticks is never broken, so
/// that it can be copied; such a line may be longer.
pub fn wrapped(text: &str, columns: usize, indent: usize) -> String {
    let mut lines = vec![String::new()];
    for word in words(text) {
        let Some(line) = lines.last_mut() else { break };
        if line.trim().is_empty() || width(line) + 1 + width(&word) <= columns {
            let space = if line.trim().is_empty() { "" } else { " " };
            line.extend([space, &word]);
        } else {
            lines.push(format!("{:indent$}{word}", ""));
        }
    }
    lines.join("\n")
}

/// What is between spaces: a command as a whole, and spaces that follow each other with the word before.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = vec![];
    for piece in text.split(' ') {
        match words.last_mut() {
            Some(word) if piece.is_empty() || word.ends_with(' ') || word.matches('`').count() % 2 == 1 => {
                word.extend([" ", piece]);
            }
            _ => words.push(piece.into()),
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch lines that a terminal breaks, columns that are lost, and commands that cannot be copied.
    #[test]
    fn between_words_but_not_in_a_command() {
        let text = "cause   one two three four, then `stockpipe up --target aws` again";
        let expected = "cause   one two
        three four,
        then
        `stockpipe up --target aws`
        again";
        assert_eq!(wrapped(text, 20, 8), expected);
        assert_eq!(wrapped("short", 20, 8), "short");
        assert_eq!(wrapped("       a: b", 20, 8), "       a: b");
        assert_eq!(wrapped("", 20, 8), "");
    }
}
