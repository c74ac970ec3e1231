//! From a text to the phonemes that a Piper voice was taught: by espeak-ng, which is a program beside
//! us, clause by clause. Between clauses stand the signs at which the voice breathes or ends.

use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use icu_normalizer::DecomposingNormalizerBorrowed;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::providers::error::ProviderError;
use crate::providers::tts::espeak;
use crate::providers::tts::plain;

/// Who knows how words sound.
#[derive(Debug, Clone)]
pub(super) struct Phonemizer {
    program: PathBuf,
    voice: String,
    places: Arc<Semaphore>,
}

/// The part of a sentence up to a sign.
#[derive(Debug, PartialEq, Eq)]
struct Clause<'a> {
    words: &'a str,
    sign: Option<char>,
}

impl Phonemizer {
    /// Finds the program.
    ///
    /// # Errors
    /// When it is missing, or the voice's name is none.
    pub fn find(voice: &str) -> Result<Self, ProviderError> {
        let program = espeak::program("espeak-ng".as_ref(), voice)?;
        let places = Arc::new(Semaphore::new(AT_ONCE));
        Ok(Self { program, voice: voice.to_owned(), places })
    }

    /// The phonemes of a sentence, each a letter of the phonetic alphabet, in parts: a letter and then
    /// its mark.
    ///
    /// # Errors
    /// When the program fails or takes too long.
    pub async fn phonemes(&self, sentence: &str) -> Result<String, ProviderError> {
        let mut phonemes = String::new();
        for clause in clauses(sentence) {
            if plain::has_words(clause.words) {
                let place = timeout(PATIENCE, self.places.acquire()).await;
                let _place = place.map_err(|_| passing("too much to say at once"))?;
                let spoken = timeout(PATIENCE, self.ask(clause.words)).await;
                let spoken = spoken.map_err(|_| passing("espeak-ng keeps silent"))?;
                let voice = &self.voice;
                phonemes +=
                    &spoken.map_err(|why| passing(format!("espeak-ng -v {voice}: {why}")))?;
            }
            phonemes.extend(clause.sign);
            if clause.sign.is_some_and(|sign| BREATHS.contains(&sign)) {
                phonemes.push(' ');
            }
        }
        Ok(letters(&phonemes))
    }

    async fn ask(&self, words: &str) -> io::Result<String> {
        let mut child = Command::new(&self.program)
            // The program has no need of our secrets. `-b 1`: the text is UTF-8.
            .env_clear()
            .args(["-q", "--ipa", "-v", &self.voice, "-b", "1", "--stdin"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let mut input = child.stdin.take().expect("the standard input is piped");
        let output = child.stdout.take().expect("the standard output is piped");
        // Two brackets would begin phonemes in the program's own writing.
        input.write_all(words.replace("[[", "[ [").as_bytes()).await?;
        drop(input);
        let mut octets = Vec::new();
        output.take(LARGEST).read_to_end(&mut octets).await?;
        match child.wait().await?.success() {
            true => Ok(without_tongues(&String::from_utf8_lossy(&octets))),
            false => Err(io::Error::other("it fails: is there such a voice?")),
        }
    }
}

/// A text as its letters, each before the marks that it bears (Unicode's form NFD).
pub(super) fn letters(text: &str) -> String {
    DecomposingNormalizerBorrowed::new_nfd().normalize(text).into_owned()
}

/// The sentences of a text: what is spoken in one breath.
pub(super) fn sentences(text: &str) -> Vec<String> {
    let text = plain::printable(text);
    let parts = parts(&text, &ENDS).into_iter();
    parts.flat_map(|part| plain::pieces(part, LONGEST)).collect()
}

/// The clauses of a sentence.
fn clauses(sentence: &str) -> Vec<Clause<'_>> {
    let signs: Vec<char> = BREATHS.into_iter().chain(ENDS).collect();
    let parts = parts(sentence.trim(), &signs).into_iter().map(|part| {
        let words = part.trim_end_matches(&signs[..]);
        Clause { words: words.trim(), sign: part[words.len()..].chars().next() }
    });
    parts.collect()
}

/// A text cut behind each of these signs that a space follows: `3.5` has none.
fn parts<'a>(text: &'a str, signs: &[char]) -> Vec<&'a str> {
    let (mut parts, mut begin, mut after_sign) = (Vec::new(), 0, false);
    for (at, letter) in text.char_indices() {
        if after_sign && letter.is_whitespace() {
            parts.push(text[begin..at].trim());
            begin = at;
        }
        after_sign = signs.contains(&letter);
    }
    parts.push(text[begin..].trim());
    parts.retain(|part| !part.is_empty());
    parts
}

/// Phonemes in one line, without the names of the languages between which the program changes:
/// `(en)ɔfɪs(de)`.
fn without_tongues(text: &str) -> String {
    let (mut plain, mut depth) = (String::new(), 0_usize);
    for letter in text.trim().chars() {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            '\n' | '\r' if depth == 0 => plain.push(' '),
            // Letters that belong together are joined by what no voice knows.
            '\u{200D}' => {}
            letter if depth == 0 => plain.push(letter),
            _ => {}
        }
    }
    plain
}

fn passing(reason: impl Into<String>) -> ProviderError {
    ProviderError::passing("piper", reason)
}

/// Signs at which a voice breathes.
const BREATHS: [char; 3] = [',', ';', ':'];

/// Signs at which a sentence ends.
const ENDS: [char; 3] = ['.', '!', '?'];

/// How long the program may take for a clause.
const PATIENCE: Duration = Duration::from_secs(5);

/// The most programs that run at once.
const AT_ONCE: usize = 16;

/// The longest sentence, in octets: what comes behind it is another breath.
const LONGEST: usize = 400;

/// The most that is read of a clause, in octets.
const LARGEST: u64 = 16 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_into_sentences_and_those_into_clauses() {
        let text = "Well, it is 3.5 km: near! Come\nin. ... Now";
        assert_eq!(sentences(text), ["Well, it is 3.5 km: near!", "Come in.", "Now"]);
        let clause = |words, sign| Clause { words, sign };
        let expected = [
            clause("Well", Some(',')),
            clause("it is 3.5 km", Some(':')),
            clause("near", Some('!')),
        ];
        assert_eq!(clauses("Well, it is 3.5 km: near!"), expected);
        assert_eq!(clauses("Now"), [clause("Now", None)]);
        assert_eq!(clauses("Really?!"), [clause("Really", Some('?'))]);
        let long = "word ".repeat(300);
        assert!(sentences(&long).iter().all(|sentence| sentence.len() <= LONGEST));
    }

    #[test]
    fn only_phonemes_are_left_of_what_the_program_says() {
        assert_eq!(without_tongues(" (en)ˈɔfɪs(de)\nhaʊs\n"), "ˈɔfɪs haʊs");
        assert_eq!(without_tongues("a)b(c"), "ab");
        assert_eq!(letters("ɪç õ"), "ɪc\u{327} o\u{303}");
    }

    #[tokio::test]
    async fn words_become_phonemes_and_signs_stay() {
        let english = Phonemizer::find("en-us").expect("espeak-ng is missing: run ./dev setup");
        assert_eq!(english.phonemes("Hello, you.").await.unwrap(), "həlˈoʊ, jˈuː.");
        let german = Phonemizer::find("de").unwrap();
        assert_eq!(german.phonemes("Ich?").await.unwrap(), "ˈɪc\u{327}?");
        assert_eq!(english.phonemes("...").await.unwrap(), ".");
        let brackets = english.phonemes("[[h@l'oU]] -f /etc/passwd").await.unwrap();
        assert!(!brackets.is_empty());
    }

    #[tokio::test]
    async fn a_voice_that_espeak_does_not_know_is_named() {
        let nobody = Phonemizer::find("xx-none").unwrap();
        let why = nobody.phonemes("Hello").await.unwrap_err();
        assert!(why.reason.contains("xx-none"), "{why}");
        assert!(Phonemizer::find("-f").is_err());
    }
}
