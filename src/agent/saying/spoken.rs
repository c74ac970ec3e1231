//! A clause as it is written and as it is said, and which part of the one is which of the other.

/// A clause in both forms.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Spoken {
    written: String,
    said: String,
    /// Places that belong together, in bytes: the end of a written part, and of what is said.
    ends: Vec<(usize, usize)>,
}

impl Spoken {
    /// A clause that is said as it is written.
    pub fn verbatim(text: &str) -> Self {
        let mut spoken = Self::default();
        spoken.push(text, text);
        spoken
    }

    /// Adds a part.
    pub fn push(&mut self, written: &str, said: &str) {
        self.written.push_str(written);
        self.said.push_str(said);
        self.ends.push((self.written.len(), self.said.len()));
    }

    /// What a voice reads.
    pub fn said(&self) -> &str {
        &self.said
    }

    /// What the record keeps.
    pub fn written(&self) -> &str {
        &self.written
    }

    /// How much of the written form the beginning of the said form stands for: whole parts, and
    /// words of a part that is said as it is written.
    pub fn written_part(&self, said: &str) -> &str {
        let heard = said.len();
        let (mut from, mut before) = (0, 0);
        for (written, end) in &self.ends {
            let text = self.written.get(from..*written).unwrap_or_default();
            if *end > heard {
                let same = self.said.get(before..*end) == Some(text);
                let part = if same { text.get(..heard - before).unwrap_or_default() } else { "" };
                return self.written.get(..from + part.len()).unwrap_or_default().trim_end();
            }
            (from, before) = (*written, *end);
        }
        &self.written
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_heard_is_told_in_the_written_form() {
        let mut spoken = Spoken::default();
        spoken.push("It costs ", "It costs ");
        spoken.push("$3", "three dollars");
        spoken.push(" today.", " today.");
        assert_eq!(spoken.said(), "It costs three dollars today.");
        for (heard, written) in [
            ("", ""),
            ("It", "It"),
            ("It costs three", "It costs"),
            ("It costs three dollars", "It costs $3"),
            ("It costs three dollars today.", "It costs $3 today."),
        ] {
            assert_eq!(spoken.written_part(heard), written, "{heard}");
        }
        assert_eq!(Spoken::verbatim("Grüß Gott").written_part("Grüß"), "Grüß");
    }
}
