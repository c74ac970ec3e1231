//! Telephone numbers: E.164 once they are parsed, as dialled before.

use std::fmt;
use std::str::FromStr;

/// A telephone number in E.164 form: a plus and up to 15 digits (ITU-T E.164).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Number(String);

/// Why a text is not an E.164 number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an E.164 number: a plus and 3 to 15 digits, such as +4971112345")]
pub struct NotE164;

impl Number {
    /// The number with its plus.
    pub fn to_e164(&self) -> &str {
        &self.0
    }

    /// Takes what a trunk delivers: `+49…`, `0049…`, or with visual separators. Numbers without a
    /// country stay unparsed; the trunk's preset knows more about them.
    pub fn from_dialled(text: &str) -> Option<Self> {
        let bare: String =
            text.chars().filter(|c| !matches!(c, ' ' | '-' | '.' | '(' | ')')).collect();
        match bare.strip_prefix("00") {
            Some(rest) => format!("+{rest}").parse().ok(),
            None => bare.parse().ok(),
        }
    }
}

impl FromStr for Number {
    type Err = NotE164;

    fn from_str(text: &str) -> Result<Self, NotE164> {
        let digits = text.strip_prefix('+').ok_or(NotE164)?;
        let fits = (3..=15).contains(&digits.len());
        if fits && digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0') {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotE164)
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A number is personal data: its debug form is masked.
impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&masked(&self.0))
    }
}

/// Masks the middle of a number or user name for logs: `+4930•••••67` (T31).
pub fn masked(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let (head, tail) = if letters.len() >= 9 { (5, 2) } else { (1, 0) };
    letters
        .iter()
        .enumerate()
        .map(|(at, letter)| if at < head || at + tail >= letters.len() { *letter } else { '•' })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dialled_forms_become_e164() {
        let number = Number::from_dialled("0049 711-12345").expect("a dialled number");
        assert_eq!(number.to_e164(), "+4971112345");
        assert!("+0711".parse::<Number>().is_err());
        assert!(Number::from_dialled("101").is_none());
    }

    #[test]
    fn the_debug_form_hides_the_middle() {
        let number: Number = "+493012345667".parse().expect("E.164");
        assert_eq!(format!("{number:?}"), "+4930••••••67");
    }
}
