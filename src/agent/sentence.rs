//! Sentences: cuts the words that a model streams into clauses that can be spoken, as early as
//! may be. The first clause is short, so that the voice can begin; later ones are sentences.
//!
//! It looks at one character after the other, so the pieces in which the words arrive do not
//! matter. Marks of Markdown are left out: nobody wants to hear "star star".

use crate::base::language::Language;

/// Cuts one answer into clauses.
#[derive(Debug, Clone)]
pub struct Splitter {
    german: bool,
    markdown: Markdown,
    clause: String,
    /// White space was read since the clause's last character.
    gap: bool,
    /// The first clause was given out.
    begun: Begun,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Begun {
    NotYet,
    Spoken,
}

impl Splitter {
    /// Makes a splitter for text in `language`.
    pub fn new(language: &Language) -> Self {
        Self {
            german: language.is_german(),
            markdown: Markdown::default(),
            clause: String::new(),
            gap: false,
            begun: Begun::NotYet,
        }
    }

    /// Reads more words; gives the clauses that are complete now.
    pub fn push(&mut self, text: &str) -> Vec<String> {
        let mut clauses = Vec::new();
        for letter in text.chars() {
            for mark in self.markdown.read(letter) {
                self.take(mark, &mut clauses);
            }
        }
        clauses
    }

    /// The words are at their end; gives what is left.
    pub fn finish(&mut self) -> Vec<String> {
        let mut clauses = Vec::new();
        for mark in self.markdown.end() {
            self.take(mark, &mut clauses);
        }
        self.cut(&mut clauses);
        self.begun = Begun::NotYet;
        clauses
    }

    fn take(&mut self, mark: Mark, clauses: &mut Vec<String>) {
        match mark {
            Mark::Break => self.cut(clauses),
            Mark::Letter(letter) if letter.is_whitespace() => self.gap = !self.clause.is_empty(),
            Mark::Letter(letter) => {
                if self.gap && self.ends_before(letter) {
                    self.cut(clauses);
                } else if self.gap {
                    self.clause.push(' ');
                }
                self.gap = false;
                self.clause.push(letter);
                if self.clause.len() >= MAX_WORD {
                    self.cut(clauses);
                }
            }
        }
    }

    /// Gives out the clause if a voice can say it.
    fn cut(&mut self, clauses: &mut Vec<String>) {
        self.gap = false;
        let clause = std::mem::take(&mut self.clause);
        if clause.chars().any(|c| c.is_alphanumeric() || c == '*' || c == '#') {
            self.begun = Begun::Spoken;
            clauses.push(clause);
        }
    }

    /// Whether the clause ends before white space and then `next`.
    fn ends_before(&self, next: char) -> bool {
        let clause = self.clause.trim_end_matches(CLOSING);
        let Some(last) = clause.chars().next_back() else { return false };
        match last {
            '!' | '?' => true,
            '…' => next.is_uppercase(),
            '.' if clause.ends_with("..") => next.is_uppercase(),
            '.' => self.stops(clause, next),
            // "November 24, 2026" is one thing.
            ',' if next.is_ascii_digit() && ends_in_digit(clause) => false,
            ',' | ';' | ':' | '–' | '—' => {
                let early = self.begun == Begun::NotYet
                    && clause.split_whitespace().count() >= FIRST_CLAUSE_WORDS;
                early || clause.len() >= LONG_CLAUSE
            }
            _ => clause.len() >= MAX_CLAUSE,
        }
    }

    /// Whether the full stop at the end of `clause` ends a sentence.
    fn stops(&self, clause: &str, next: char) -> bool {
        let word = clause.split_whitespace().next_back().unwrap_or_default();
        let word = word.trim_start_matches(OPENING).trim_end_matches('.');
        let alone = clause.len() <= word.len() + 1;
        if !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit()) {
            // "1. Open the door" is a list; "am 3. Mai" is an ordinal.
            // "00. Stimmt das" is the end of a number.
            let ordinal = self.german && word.len() <= 2 && !word.starts_with('0');
            return !(alone || ordinal);
        }
        // A sentence that begins with a small letter is rarer than an abbreviation unknown to us.
        if next.is_lowercase() {
            return false;
        }
        let lower = word.to_lowercase();
        if ENDS_TOO.contains(&lower.as_str()) {
            return true;
        }
        // "z. B.", "e.g.", "J. Smith": every part is a single letter.
        let initials = lower.split('.').all(|part| part.chars().count() <= 1);
        !initials && !ABBREVIATIONS.contains(&lower.as_str())
    }
}

/// Whether a digit stands before the comma at the end.
fn ends_in_digit(clause: &str) -> bool {
    clause.trim_end_matches(',').ends_with(|c: char| c.is_ascii_digit())
        && clause.len() < LONG_CLAUSE
}

/// What is left of the text when the marks of Markdown are gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Letter(char),
    /// A paragraph, heading or list item ends here.
    Break,
}

/// Leaves out emphasis, code marks, headings and bullets.
#[derive(Debug, Clone)]
struct Markdown {
    /// The last character given out, or a line feed at the start.
    before: char,
    /// Marks of one kind whose meaning the next character tells.
    held: Option<(char, usize)>,
    /// Line feeds since the last character.
    lines: usize,
    /// Whether a single `*` or `_` was left out and waits for its twin.
    emphasis: Emphasis,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Emphasis {
    Closed,
    Open(char),
}

impl Default for Markdown {
    fn default() -> Self {
        Self { before: '\n', held: None, lines: 0, emphasis: Emphasis::Closed }
    }
}

impl Markdown {
    fn read(&mut self, letter: char) -> Vec<Mark> {
        if let Some((mark, count)) = self.held {
            if mark == letter {
                self.held = Some((mark, count.saturating_add(1)));
                return Vec::new();
            }
            self.held = None;
            let mut marks = self.decide(mark, count, letter);
            marks.extend(self.plain(letter));
            return marks;
        }
        self.plain(letter)
    }

    fn end(&mut self) -> Vec<Mark> {
        let held = self.held.take();
        let marks = held.map(|(mark, count)| self.decide(mark, count, '\n')).unwrap_or_default();
        *self = Self::default();
        marks
    }

    /// Takes a character that stands where nothing is held.
    fn plain(&mut self, letter: char) -> Vec<Mark> {
        match letter {
            '`' => Vec::new(),
            '\n' => {
                self.lines = self.lines.saturating_add(1);
                Vec::new()
            }
            '*' | '_' | '#' => {
                self.held = Some((letter, 1));
                Vec::new()
            }
            '-' | '•' | '>' | '+' if self.at_line_start() => {
                self.held = Some((letter, 1));
                Vec::new()
            }
            letter if letter.is_whitespace() && self.at_line_start() => Vec::new(),
            letter => self.give(letter),
        }
    }

    /// Says what `count` of `mark` before `next` are: a bullet, emphasis, or to be spoken.
    fn decide(&mut self, mark: char, count: usize, next: char) -> Vec<Mark> {
        let bullet = self.at_line_start() && next.is_whitespace();
        let rule = self.at_line_start() && count >= 3;
        if (bullet && (mark == '#' || count == 1)) || rule {
            // The next character begins a new line, whatever it is.
            self.lines = self.lines.max(1);
            self.before = '\n';
            return vec![Mark::Break];
        }
        if matches!(mark, '*' | '_') {
            if count >= 2 {
                return Vec::new();
            }
            if self.emphasis == Emphasis::Open(mark) && !self.before.is_whitespace() {
                self.emphasis = Emphasis::Closed;
                return Vec::new();
            }
            let inside = self.before.is_alphanumeric() && next.is_alphanumeric();
            if !inside && next.is_alphanumeric() {
                self.emphasis = Emphasis::Open(mark);
                return Vec::new();
            }
        }
        (0..count.min(MAX_MARKS)).flat_map(|_| self.give(mark)).collect()
    }

    /// Gives out a character, with the lines that ended before it.
    fn give(&mut self, letter: char) -> Vec<Mark> {
        let lines = std::mem::take(&mut self.lines);
        let listed = letter.is_ascii_digit() || self.before == ':';
        let mut marks = Vec::new();
        if lines >= 2 || (lines == 1 && listed) {
            marks.push(Mark::Break);
        } else if lines == 1 {
            marks.push(Mark::Letter(' '));
        }
        self.before = letter;
        marks.push(Mark::Letter(letter));
        marks
    }

    fn at_line_start(&self) -> bool {
        self.lines > 0 || self.before == '\n'
    }
}

/// Fewer words make no first clause: "Well," alone sounds cut off.
const FIRST_CLAUSE_WORDS: usize = 3;
/// From here (in bytes) a comma ends a clause, so that an interruption need not wait long.
const LONG_CLAUSE: usize = 160;
/// From here white space ends a clause, and from [`MAX_WORD`] anything does.
const MAX_CLAUSE: usize = 400;
const MAX_WORD: usize = 1_000;
const MAX_MARKS: usize = 8;
const CLOSING: &[char] = &['"', '\'', '”', '“', '’', '‘', '»', '«', ')', ']'];
const OPENING: &[char] = &['"', '\'', '„', '“', '‚', '‘', '»', '«', '(', '['];

/// Abbreviations that a capital may follow in the same sentence: English and German.
const ABBREVIATIONS: &[&str] = &[
    "dr", "mr", "mrs", "ms", "prof", "st", "no", "vs", "approx", "dept", "ext", "inc", "ltd",
    "jan", "feb", "aug", "sept", "sep", "oct", "nov", "dec", "mon", "tue", "wed", "thu", "fri",
    "hr", "fr", "nr", "str", "tel", "ca", "bzw", "inkl", "exkl", "zzgl", "evtl", "ggf", "max",
    "min", "std", "abs", "art", "bspw", "sog", "vgl", "mind", "okt", "dez", "gem", "ing", "dipl",
];
/// Abbreviations after which a capital does begin a sentence.
const ENDS_TOO: &[&str] = &["a.m", "p.m", "usw", "etc"];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn clauses(language: &str, pieces: &[&str]) -> Vec<String> {
        let mut splitter = Splitter::new(&language.parse().expect("a language"));
        let mut clauses: Vec<String> =
            pieces.iter().flat_map(|piece| splitter.push(piece)).collect();
        clauses.extend(splitter.finish());
        clauses
    }

    const ENGLISH: &[(&str, &[&str])] = &[
        ("", &[]),
        ("Yes.", &["Yes."]),
        (
            "We are open today, from nine to five, and tomorrow. Shall I book?",
            &["We are open today,", "from nine to five, and tomorrow.", "Shall I book?"],
        ),
        ("It costs $3.50 in total. Fine?", &["It costs $3.50 in total.", "Fine?"]),
        ("Well, yes. No.", &["Well, yes.", "No."]),
        ("Ask Dr. Smith or J. Doe. They know.", &["Ask Dr. Smith or J. Doe.", "They know."]),
        ("Fruit, e.g. Apples. Or bread.", &["Fruit, e.g. Apples.", "Or bread."]),
        (
            "At 5 p.m. we close. At 5 p.m. We open.",
            &["At 5 p.m. we close.", "At 5 p.m.", "We open."],
        ),
        (
            "Use 192.168.0.1. Then www.example.com. Ok?",
            &["Use 192.168.0.1.", "Then www.example.com.", "Ok?"],
        ),
        ("See https://example.com/a.b?c=d&e_f now!", &["See https://example.com/a.b?c=d&e_f now!"]),
        ("On May 3, 2026, we are open. Yes.", &["On May 3, 2026,", "we are open.", "Yes."]),
        ("At 10:30. Or 11:00.", &["At 10:30.", "Or 11:00."]),
        ("Hmm... let me see... Right.", &["Hmm... let me see...", "Right."]),
        ("It is room 12. Go up.", &["It is room 12.", "Go up."]),
        ("He said \"Stop!\" Then he left.", &["He said \"Stop!\"", "Then he left."]),
        ("**Bold** and *soft* `code`.", &["Bold and soft code."]),
        ("# Hours\n\n- Monday\n- Tuesday\n* **Friday**", &["Hours", "Monday", "Tuesday", "Friday"]),
        ("Choose:\n1. Open it\n2. Close it", &["Choose:", "1. Open it", "2. Close it"]),
        ("Press * or # now.", &["Press * or # now."]),
        ("It is -5 degrees\nand\nsnow_fall.", &["It is -5 degrees and snow_fall."]),
        ("One\n\nTwo", &["One", "Two"]),
        ("---\nHi.", &["Hi."]),
        ("** . ?", &[]),
        ("Really?! Yes.", &["Really?!", "Yes."]),
    ];

    const GERMAN: &[(&str, &[&str])] = &[
        ("Am 3. Mai um 9 Uhr. Passt das?", &["Am 3. Mai um 9 Uhr.", "Passt das?"]),
        ("Obst, z. B. Äpfel, ist da. Gut?", &["Obst, z. B. Äpfel,", "ist da.", "Gut?"]),
        ("Das macht 3,50 Euro, bitte. Danke.", &["Das macht 3,50 Euro,", "bitte.", "Danke."]),
        ("Fragen Sie Dr. Müller bzw. Frau Groß.", &["Fragen Sie Dr. Müller bzw. Frau Groß."]),
        ("Äpfel, Birnen usw. Dazu Brot.", &["Äpfel, Birnen usw.", "Dazu Brot."]),
        ("Moment… ich schaue. Ja!", &["Moment… ich schaue.", "Ja!"]),
        ("Es ist DE89 3704 00. Stimmt das?", &["Es ist DE89 3704 00.", "Stimmt das?"]),
        ("Seit 2019. Und weiter.", &["Seit 2019.", "Und weiter."]),
        ("Im 2. Stock, d. h. oben. Gut.", &["Im 2. Stock,", "d. h. oben.", "Gut."]),
    ];

    #[test]
    fn texts_are_cut_where_a_speaker_would_breathe() {
        for (language, table) in [("en", ENGLISH), ("de", GERMAN)] {
            for (text, expected) in table {
                assert_eq!(clauses(language, &[text]), *expected, "{text}");
            }
        }
    }

    #[test]
    fn the_pieces_in_which_words_arrive_do_not_matter() {
        for (language, table) in [("en", ENGLISH), ("de", GERMAN)] {
            for (text, expected) in table {
                for (at, _) in text.char_indices() {
                    let (head, tail) = text.split_at(at);
                    assert_eq!(clauses(language, &[head, tail]), *expected, "{head}|{tail}");
                }
                let letters: Vec<String> = text.chars().map(String::from).collect();
                let letters: Vec<&str> = letters.iter().map(String::as_str).collect();
                assert_eq!(clauses(language, &letters), *expected, "{text}");
            }
        }
    }

    #[test]
    fn the_first_clause_is_given_out_before_the_sentence_ends() {
        let mut splitter = Splitter::new(&Language::english());
        assert_eq!(splitter.push("We are open today, f"), ["We are open today,"]);
        assert!(splitter.push("rom nine, to five").is_empty());
        assert_eq!(splitter.finish(), ["from nine, to five"]);
    }

    #[test]
    fn a_clause_has_a_limit() {
        let endless = "word ".repeat(400) + &"x".repeat(5_000);
        let clauses = clauses("en", &[&endless]);
        assert!(clauses.iter().all(|clause| clause.len() <= MAX_WORD));
        assert!(clauses.len() > 5);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_text_keeps_its_letters_in_any_pieces(
            pieces in proptest::collection::vec("[a-zäß0-9 .,!?*_#\\-\n`…\"]{0,12}", 0..8)
        ) {
            let whole = pieces.concat();
            let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
            let cut = clauses("de", &pieces);
            prop_assert_eq!(&cut, &clauses("de", &[&whole]));
            let letters = |text: &str| text.chars().filter(|c| c.is_alphabetic()).collect::<String>();
            prop_assert_eq!(letters(&cut.concat()), letters(&whole));
        }
    }
}
