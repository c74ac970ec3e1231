//! Text made fit for engines: nothing in it that is not spoken, and cut into pieces.

/// Makes a text fit for an engine that reads ASCII: signs and letters with marks become their
/// plain relatives, and all else becomes a space.
pub(super) fn ascii(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            ' '..='~' => plain.push(letter),
            '‘' | '’' | '‚' | '′' => plain.push('\''),
            '“' | '”' | '„' | '«' | '»' => plain.push('"'),
            '–' | '—' => plain.push_str(" - "),
            '…' => plain.push_str("..."),
            '€' => plain.push_str(" euros "),
            '£' => plain.push_str(" pounds "),
            '°' => plain.push_str(" degrees "),
            'ä' | 'à' | 'á' | 'â' | 'ã' | 'å' | 'Ä' | 'À' | 'Á' | 'Â' | 'Å' => {
                plain.push('a')
            }
            'é' | 'è' | 'ê' | 'ë' | 'É' | 'È' => plain.push('e'),
            'í' | 'ì' | 'î' | 'ï' => plain.push('i'),
            'ö' | 'ò' | 'ó' | 'ô' | 'õ' | 'ø' | 'Ö' | 'Ø' | 'Ó' => plain.push('o'),
            'ü' | 'ù' | 'ú' | 'û' | 'Ü' => plain.push('u'),
            'ç' | 'Ç' => plain.push('c'),
            'ñ' | 'Ñ' => plain.push('n'),
            'ß' => plain.push_str("ss"),
            'æ' | 'Æ' => plain.push_str("ae"),
            'œ' | 'Œ' => plain.push_str("oe"),
            _ => plain.push(' '),
        }
    }
    plain
}

/// Takes control characters, which no engine should see, out of a text.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

/// Whether a text has anything to say.
pub(super) fn has_words(text: &str) -> bool {
    text.chars().any(char::is_alphanumeric)
}

/// Cuts a text into pieces of at most `longest` octets that have something to say: at the end of
/// a sentence if it can, else at a comma, else at a space, else anywhere.
pub(super) fn pieces(text: &str, longest: usize) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(cut(rest, longest.max(4)));
        if has_words(piece) {
            pieces.push(piece.trim().to_owned());
        }
        rest = after.trim_start();
    }
    pieces
}

fn cut(text: &str, longest: usize) -> usize {
    if text.len() <= longest {
        return text.len();
    }
    let end = (0..=longest).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    let head = &text[..end];
    let after = |signs: &[&str]| {
        signs.iter().filter_map(|sign| head.rfind(sign).map(|at| at + sign.len())).max()
    };
    after(&[". ", "! ", "? ", "; ", ": "])
        .or_else(|| after(&[", "]))
        .or_else(|| after(&[" "]))
        .filter(|at| *at > 0)
        .unwrap_or(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_letters_become_plain_ones() {
        assert_eq!(ascii("Crème brûlée – “naïve”…\u{0}北"), "Creme brulee  -  \"naive\"...  ");
    }

    #[test]
    fn a_short_text_is_one_piece_and_a_text_without_words_is_none() {
        assert_eq!(pieces("  Hello, you. ", 100), ["Hello, you."]);
        assert!(pieces("... ?!  --", 100).is_empty());
    }

    #[test]
    fn a_long_text_is_cut_where_a_speaker_would_breathe() {
        assert_eq!(pieces("One two. Three, four five", 12), ["One two.", "Three,", "four five"]);
        assert_eq!(pieces(&"a".repeat(10), 4), ["aaaa", "aaaa", "aa"]);
    }

    proptest::proptest! {
        #[test]
        fn no_letter_is_lost_in_cutting(text in ".{0,200}", longest in 4_usize..40) {
            let letters = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).count();
            let cut = pieces(&text, longest);
            proptest::prop_assert!(cut.iter().all(|piece| piece.len() <= longest));
            proptest::prop_assert_eq!(letters(&text), letters(&cut.concat()));
        }
    }
}
