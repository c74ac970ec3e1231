//! Foresight: what a model is asked before the caller's turn is over, and how often that was right.
//! Nothing of it is heard, done or kept before the turn is taken.

/// The words that a model was asked about, and how earlier ones turned out.
#[derive(Debug, Default)]
pub(super) struct Foresight {
    guess: Option<(String, When)>,
    /// How often a model was asked in this turn.
    pub(super) tries: u32,
    at_fades: Luck,
    at_pauses: Luck,
    asking: Luck,
    /// How often the transcriber was asked for its words in this turn before the voice had ended.
    asked: u32,
}

/// When a model was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// As soon as the voice fell off.
    Fading,
    /// At a pause.
    Paused,
}

/// How the last guesses of a kind turned out.
#[derive(Debug, Default)]
struct Luck {
    /// The last ten, the newest in the lowest bit: whether it was right.
    hits: u16,
    count: u32,
    /// How many were left out since then.
    skipped: u32,
}

impl Luck {
    fn note(&mut self, is_right: bool) {
        self.hits = (self.hits << 1 | u16::from(is_right)) & ((1 << REMEMBERED) - 1);
        self.count = (self.count + 1).min(REMEMBERED);
    }

    /// Whether it is worth another try. Where it seldom is, one of eight is tried all the same.
    fn permits(&mut self) -> bool {
        let is_fair = self.count < FIRST_TRIES || self.hits.count_ones() * 10 >= self.count * FAIR;
        if is_fair || self.skipped >= SKIPPED {
            self.skipped = 0;
            return true;
        }
        self.skipped += 1;
        false
    }
}

impl Foresight {
    /// Whether a guess at that time is worth a try.
    pub(super) fn permits(&mut self, when: When) -> bool {
        self.luck(when).permits()
    }

    /// Whether the transcriber may be asked for its words as soon as a voice falls off.
    pub(super) fn may_ask(&mut self) -> bool {
        self.asked < MOST_ASKED && self.asking.permits()
    }

    /// It was asked, and that was the end of what was said, or not.
    pub(super) fn asked(&mut self, is_right: bool) {
        self.asked += 1;
        self.asking.note(is_right);
    }

    /// A model is asked about these words.
    pub(super) fn ask(&mut self, text: String, when: When) {
        self.tries += 1;
        self.guess = Some((text, when));
    }

    /// Whether a model was asked about these words.
    pub(super) fn is(&self, text: &str) -> bool {
        self.guess.as_ref().is_some_and(|(guess, _)| says_the_same(guess, text))
    }

    /// The guess is over; tells whether there was one.
    pub(super) fn ends(&mut self, is_right: bool) -> bool {
        let Some((_, when)) = self.guess.take() else { return false };
        self.luck(when).note(is_right);
        true
    }

    /// The turn is over: the next one has its tries.
    pub(super) fn begin(&mut self) {
        (self.guess, self.tries, self.asked) = (None, 0, 0);
    }

    fn luck(&mut self, when: When) -> &mut Luck {
        match when {
            When::Fading => &mut self.at_fades,
            When::Paused => &mut self.at_pauses,
        }
    }
}

/// Whether two texts have the same words: case and punctuation change with the last look at them.
fn says_the_same(one: &str, other: &str) -> bool {
    let words = |text: &str| -> Vec<String> {
        let parts = text.split(|c: char| !c.is_alphanumeric() && c != '\'' && c != '’');
        parts.filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
    };
    words(one) == words(other)
}

/// How often in one turn a transcriber is asked in vain.
const MOST_ASKED: u32 = 3;

/// How many guesses are remembered.
const REMEMBERED: u32 = 10;

/// So many are tried before they are judged.
const FIRST_TRIES: u32 = 4;

/// So many of ten must be right.
const FAIR: u32 = 3;

/// So many are left out before one is tried again.
const SKIPPED: u32 = 7;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_punctuation_make_no_other_words() {
        assert!(says_the_same("is it open", "Is it open?"));
        assert!(says_the_same("", " ."));
        assert!(!says_the_same("is it open", "is it open on monday"));
        assert!(!says_the_same("I can", "I can't"));
    }

    #[test]
    fn guesses_that_are_seldom_right_are_seldom_made() {
        let mut luck = Luck::default();
        for _ in 0..4 {
            assert!(luck.permits());
            luck.note(false);
        }
        let tried: Vec<bool> = (0..16).map(|_| luck.permits()).collect();
        assert_eq!(tried.iter().filter(|tried| **tried).count(), 2, "{tried:?}");
        for _ in 0..3 {
            luck.note(true);
        }
        assert!(luck.permits() && luck.permits(), "three of seven are right");
    }
}
