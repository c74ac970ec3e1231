//! Colours, on terminals only; and text of strangers made harmless for them.

use std::io::IsTerminal;

/// Whether there are colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// There are.
    Colours,
    /// It is read by a program, or by somebody who wants none (<https://no-color.org>).
    Plain,
}

/// What a text is painted as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    /// As it is.
    None,
    /// A heading.
    Bold,
    /// Of little weight.
    Faint,
    /// It works.
    Green,
    /// It waits.
    Yellow,
    /// It does not work.
    Red,
    /// A request.
    Cyan,
    /// It leads elsewhere.
    Magenta,
}

impl Paint {
    /// For what is printed to the standard output.
    pub fn for_stdout() -> Self {
        let is_wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        if is_wanted && std::io::stdout().is_terminal() { Self::Colours } else { Self::Plain }
    }

    /// Paints a text.
    pub fn ink(self, text: &str, ink: Ink) -> String {
        let code = match (self, ink) {
            (Self::Plain, _) | (_, Ink::None) => return text.to_owned(),
            (Self::Colours, Ink::Bold) => "1",
            (Self::Colours, Ink::Faint) => "2",
            (Self::Colours, Ink::Red) => "31",
            (Self::Colours, Ink::Green) => "32",
            (Self::Colours, Ink::Yellow) => "33",
            (Self::Colours, Ink::Magenta) => "35",
            (Self::Colours, Ink::Cyan) => "36",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

/// A text of somebody else, fit for a terminal: nothing in it moves the cursor, rings a bell, or
/// turns the direction of what follows (T21).
pub fn harmless(text: &str) -> String {
    let shown = |letter: char| if is_harmful(letter) { '\u{fffd}' } else { letter };
    text.chars().map(shown).collect()
}

fn is_harmful(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_at_the_other_end_commands_our_terminal() {
        assert_eq!(harmless("a\u{1b}[2Jb\u{202e}c\r\n"), "a\u{fffd}[2Jb\u{fffd}c\u{fffd}\u{fffd}");
        assert_eq!(harmless("Grüße ✓"), "Grüße ✓");
        assert_eq!(Paint::Plain.ink("x", Ink::Red), "x");
        assert_eq!(Paint::Colours.ink("x", Ink::Red), "\u{1b}[31mx\u{1b}[0m");
    }
}
