//! Endpointing: how long to wait after the caller's last voiced sample before the turn is taken.

use std::time::Duration;

use crate::agent::assistant::Turns;
use crate::agent::event::Verdict;
use crate::agent::expectation::{Expectation, Progress};
use crate::agent::hearing::digits;
use crate::agent::hearing::value::Context;
use crate::agent::intents::tokens;
use crate::agent::intents::tongue::Tongue;
use crate::agent::judgement::Likelihood;
use crate::agent::lexicon::locale::Locale;

/// How the caller's words end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Like a question, the whole phrase of a grammar, or the answer that was asked for.
    Complete,
    /// With a full stop, which some transcribers put after everything.
    Stopped,
    /// Neither like an end nor like the middle.
    Unclear,
    /// In digits, of which more may follow.
    Digits,
    /// In the middle of a value that was asked for: an IBAN with half of its digits.
    Collecting,
    /// In the middle: "my name is um".
    Unfinished,
    /// Perhaps, says a transcriber that will tell when it is sure.
    Likely,
    /// For certain, says a transcriber that judges turns by itself.
    Over,
}

/// What is known of the caller's turn beside its words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// What was asked for.
    pub expectation: Expectation,
    /// In which language, and where.
    pub context: Context,
    /// What was said of the value in the turns before.
    pub before: String,
}

impl Expected {
    /// Anything may be said, in the language of `context`.
    pub fn anything(context: Context) -> Self {
        Self { expectation: Expectation::Anything, context, before: String::new() }
    }

    /// The next answer is to be this. Parts of another value are forgotten.
    pub fn ask(&mut self, expectation: Expectation) {
        // "Go on, please" asks for the rest of what was begun.
        if expectation == Expectation::Anything && !self.before.is_empty() {
            return;
        }
        if self.expectation != expectation {
            self.before.clear();
        }
        self.expectation = expectation;
    }

    /// A turn with these words was taken: a part of a value is kept for the next one.
    pub fn taken(&mut self, text: &str) {
        let all = self.with(text);
        let part = self.expectation.progress(&all, &self.context) == Progress::Part;
        self.before = if part && all.len() < MOST_BEFORE { all } else { String::new() };
    }

    fn with(&self, text: &str) -> String {
        let mut all = self.before.clone();
        crate::agent::conversation::join(&mut all, text);
        all
    }
}

impl Ending {
    /// Judges `text`, which took `voiced` to say. `complete` words are a whole phrase of a
    /// grammar.
    pub fn of(text: &str, complete: Completeness, voiced: Duration, expected: &Expected) -> Self {
        let last = last_word(text);
        if last.is_empty() {
            // Long speech without words: the transcriber is behind, or the caller hesitates.
            return if voiced >= LONG_SPEECH { Self::Unfinished } else { Self::Unclear };
        }
        let locale = expected.context.locale;
        let words = tokens::tokens(text, locale.tongue);
        let hesitates = HESITATIONS.contains(&last.as_str());
        match expected.expectation.progress(&expected.with(text), &expected.context) {
            Progress::Part => return Self::Collecting,
            Progress::Whole if !hesitates && !leads_on(&words, &last, locale) => {
                return Self::Complete;
            }
            Progress::Possible if !hesitates && ends_in_digits(&words, locale) => {
                return Self::Digits;
            }
            Progress::Possible | Progress::Whole | Progress::Nothing => {}
        }
        match complete {
            Completeness::Whole => return Self::Complete,
            Completeness::Judged(Verdict::Over) => return Self::Over,
            Completeness::Judged(Verdict::Likely) => return Self::Likely,
            // It hears more than words: what it does not take for an end is none yet.
            Completeness::Judged(Verdict::Open) => return Self::Unfinished,
            Completeness::Unknown => {}
        }
        let tail = text.trim_end_matches(|c: char| c.is_whitespace() || CLOSING.contains(c));
        if tail.ends_with(['!', '?', '！', '？']) {
            return Self::Complete;
        }
        // Some transcribers end everything with a full stop, so the last words are asked first.
        let trails_off = tail.ends_with("..") || tail.ends_with(['…', ',', '-', '–', '—', ':']);
        if trails_off || hesitates || leads_on(&words, &last, locale) {
            return Self::Unfinished;
        }
        if announces_digits(&words, locale) {
            return Self::Digits;
        }
        if is_whole_answer(&words, locale) {
            return Self::Complete;
        }
        if tail.ends_with(['.', '。']) { Self::Stopped } else { Self::Unclear }
    }

    /// The words end like this; with what a turn model heard, the turn ends like that. Where the
    /// two contradict each other the caller gets the middle wait, and no sound tells how many
    /// digits there will be.
    #[must_use]
    pub fn with(self, verdict: Option<Likelihood>) -> Self {
        let Some(verdict) = verdict else { return self };
        match (self, verdict.is_likely()) {
            (Self::Complete | Self::Digits | Self::Collecting, _) => self,
            // Whoever judges turns by itself has heard the sound, too.
            (Self::Likely | Self::Over, _) => self,
            (Self::Stopped | Self::Unclear, true) => Self::Complete,
            (Self::Stopped, false) | (Self::Unfinished, true) => Self::Unclear,
            (Self::Unclear | Self::Unfinished, false) => Self::Unfinished,
        }
    }

    /// Whether nothing that a turn model might say would change it.
    pub fn is_sure(self) -> bool {
        use Ending::{Collecting, Complete, Digits, Likely, Over};
        matches!(self, Complete | Digits | Collecting | Likely | Over)
    }

    /// Whether a model may think about the answer already.
    pub fn is_likely_an_end(self) -> bool {
        matches!(self, Self::Complete | Self::Stopped | Self::Likely)
    }

    /// How much silence such an end needs.
    pub fn wait(self, turns: &Turns) -> Duration {
        match self {
            Self::Complete | Self::Stopped => turns.wait,
            Self::Unclear => turns.wait_unclear,
            Self::Digits => turns.on_number.max(turns.wait_unclear),
            Self::Collecting => turns.on_collecting.max(turns.max_wait),
            Self::Unfinished | Self::Likely => turns.max_wait,
            Self::Over => Duration::ZERO,
        }
    }
}

/// What the transcriber says of the shape of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completeness {
    /// The text is a whole phrase of the grammar.
    Whole,
    /// The transcriber judges by itself whether the turn is over.
    Judged(Verdict),
    /// Nothing is known.
    Unknown,
}

/// Whether something must follow these words.
fn leads_on(words: &[String], last: &str, locale: Locale) -> bool {
    let (always, tails) = match locale.tongue {
        Tongue::English => (ENGLISH_LEADS, ENGLISH_TAILS),
        Tongue::German => (GERMAN_LEADS, GERMAN_TAILS),
    };
    if always.contains(&last) || ends_with_one_of(words, tails) {
        return true;
    }
    let has = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
    let starts = |list: &[&str]| words.first().is_some_and(|word| list.contains(&word.as_str()));
    match locale.tongue {
        // "What is that for" is a question; "I have a question about" is half a sentence.
        Tongue::English => {
            ENGLISH_PREPOSITIONS.contains(&last) && !has(ENGLISH_QUESTIONS) && words.len() > 2
        }
        // "Ich rufe später an" is whole; behind a modal verb the infinitive is missing.
        Tongue::German => {
            GERMAN_PREPOSITIONS.contains(&last)
                || (GERMAN_PARTICLES.contains(&last)
                    && has(GERMAN_MODALS)
                    && !starts(GERMAN_QUESTIONS))
        }
    }
}

/// Whether a caller is reading digits out: "my number is oh seven one one".
fn announces_digits(words: &[String], locale: Locale) -> bool {
    let announced = words.iter().any(|word| {
        let names = locale.pick(ENGLISH_NUMBERS, GERMAN_NUMBERS);
        names.iter().any(|name| word.ends_with(name))
    });
    let row = trailing_digits(words, locale);
    row >= 3 || (announced && row >= 1)
}

fn ends_in_digits(words: &[String], locale: Locale) -> bool {
    trailing_digits(words, locale) > 0
}

/// How many words at the end are digits.
fn trailing_digits(words: &[String], locale: Locale) -> usize {
    let is_digit =
        |word: &&String| digits::single(std::slice::from_ref(*word), locale.tongue).is_some();
    words.iter().rev().take_while(is_digit).count()
}

/// Whether the words are an answer that people give in a word or two.
fn is_whole_answer(words: &[String], locale: Locale) -> bool {
    let readings = crate::agent::hearing::yes_no::read(words, locale.tongue);
    let answers = readings.first().is_some_and(|reading| reading.used == words.len());
    answers || ends_with_one_of(words, locale.pick(ENGLISH_CLOSINGS, GERMAN_CLOSINGS))
}

fn ends_with_one_of(words: &[String], phrases: &[&str]) -> bool {
    phrases.iter().any(|phrase| {
        let count = phrase.split(' ').count();
        let at = words.len().checked_sub(count);
        at.and_then(|at| words.get(at..)).is_some_and(|end| phrase.split(' ').eq(end.iter()))
    })
}

fn last_word(text: &str) -> String {
    text.split(|c: char| !c.is_alphanumeric() && c != '\'' && c != '’')
        .rfind(|word| !word.is_empty())
        .map(|word| word.replace('’', "'").to_lowercase())
        .unwrap_or_default()
}

const LONG_SPEECH: Duration = Duration::from_secs(1);
const CLOSING: &str = "\"'”’»)]";
/// Longer parts of a value are no value.
const MOST_BEFORE: usize = 400;

const HESITATIONS: &[&str] =
    &["um", "uh", "uhm", "erm", "er", "hmm", "like", "äh", "ähm", "öh", "öhm", "hm", "tja"];

/// Words after which something must follow. Words that often end a sentence too ("so", "from",
/// "das", "mit") are not among them: they would cost a second each.
const ENGLISH_LEADS: &[&str] = &[
    "and", "but", "or", "because", "if", "although", "the", "a", "an", "my", "your", "our",
    "their", "of", "to", "i'm", "i'd", "i'll", "i've", "we're", "it's", "that's", "whether",
    "than", "unless", "since", "until", "per", "every", "very", "between", "into", "onto",
    "without",
];
const GERMAN_LEADS: &[&str] = &[
    "und", "aber", "oder", "weil", "dass", "wenn", "ob", "denn", "der", "dem", "den", "des", "ein",
    "eine", "einen", "einem", "einer", "mein", "meine", "meinen", "meinem", "meiner", "unser",
    "unsere", "unseren", "zu", "zum", "zur", "vom", "im", "am", "beim", "für", "von", "ich",
    "also", "sondern", "sowie", "obwohl", "damit", "sehr", "ihre", "ihren", "ihrem", "seine",
    "jeden", "jeder", "ins", "ans", "kein", "keine", "keinen", "diese", "diesen", "dieser", "um",
];

/// Ends of half sentences.
const ENGLISH_TAILS: &[&str] = &[
    "i want",
    "i need",
    "i have",
    "i would like",
    "i would",
    "would like",
    "can you",
    "could you",
    "do you",
    "do you have",
    "is there",
    "there is",
    "number is",
    "name is",
    "email is",
    "address is",
    "code is",
    "i was wondering",
    "wondering if",
    "i think",
    "i am looking",
    "we need",
    "it is about",
    "i am",
    "is it possible",
    "so basically",
    "the thing is",
    "what i mean is",
    "let me see",
    "hold on",
    "one moment",
    "wait",
];
const GERMAN_TAILS: &[&str] = &[
    "ich möchte",
    "ich brauche",
    "ich hätte",
    "ich hätte gern",
    "ich hätte gerne",
    "hätte gerne",
    "möchte gerne",
    "haben sie",
    "können sie",
    "könnten sie",
    "gibt es",
    "name ist",
    "nummer ist",
    "adresse ist",
    "adresse lautet",
    "nummer lautet",
    "iban lautet",
    "ich heiße",
    "das heißt",
    "und zwar",
    "es geht um",
    "es ist",
    "ich wollte",
    "wir wollten",
    "wir brauchen",
    "zum beispiel",
    "moment mal",
    "einen moment",
    "warten sie",
    "ich glaube",
    "mal sehen",
    "ich würde gerne",
    "ich würde",
    "das ist die",
    "das problem ist",
    "die frage ist",
    "eine frage zu",
];

/// Ends of what needs no more.
const ENGLISH_CLOSINGS: &[&str] = &[
    "thanks",
    "thank you",
    "bye",
    "goodbye",
    "that is all",
    "that is it",
    "please",
    "as well",
    "nothing else",
    "too",
    "hello",
];
const GERMAN_CLOSINGS: &[&str] = &[
    "danke",
    "vielen dank",
    "danke schön",
    "tschüss",
    "auf wiederhören",
    "bitte",
    "das war es",
    "das wäre es",
    "das ist alles",
    "sonst nichts",
    "hallo",
    "guten tag",
];

const ENGLISH_PREPOSITIONS: &[&str] =
    &["for", "with", "about", "at", "in", "on", "from", "by", "near", "under", "before", "after"];
const ENGLISH_QUESTIONS: &[&str] = &[
    "what", "who", "where", "which", "how", "when", "why", "come", "log", "turn", "move", "go",
    "is", "are", "do", "does", "was", "can", "hang", "call", "carry", "check", "that", "it",
];
/// Prepositions that are no particles of verbs.
const GERMAN_PREPOSITIONS: &[&str] = &["in", "für", "ohne", "gegen", "wegen", "zwischen", "pro"];
/// Prepositions that are particles of verbs too.
const GERMAN_PARTICLES: &[&str] = &[
    "mit", "an", "auf", "aus", "bei", "nach", "vor", "über", "unter", "bis", "ab", "seit", "durch",
];
const GERMAN_MODALS: &[&str] = &[
    "möchte", "hätte", "will", "würde", "kann", "könnte", "brauche", "habe", "muss", "wollte",
    "suche", "haben", "können", "bin", "ist",
];
const GERMAN_QUESTIONS: &[&str] = &["wann", "was", "wer", "wie", "wo", "warum", "wieso", "rufen"];
const ENGLISH_NUMBERS: &[&str] = &["number", "code", "pin", "phone", "account", "zip", "iban"];
const GERMAN_NUMBERS: &[&str] =
    &["nummer", "code", "pin", "konto", "leitzahl", "iban", "durchwahl"];

#[cfg(test)]
mod tests;
