//! The words of a grammar (Java Speech Grammar Format 1.0), and how the dictionary says them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

/// Lists the words that a grammar can hear, in lower case. What is no grammar gives some words or
/// none, and never an error: the decoder is the judge of that.
pub fn words(grammar: &str) -> BTreeSet<String> {
    let plain = without_remarks(grammar);
    let mut words = BTreeSet::new();
    for statement in plain.split(';') {
        let body = match statement.trim_start() {
            header if header.starts_with("#JSGF") => continue,
            name if name.starts_with("grammar ") || name.starts_with("import ") => continue,
            rule => rule.split_once('=').map_or("", |(_, body)| body),
        };
        let parts = body.split(|c: char| c.is_whitespace() || "|()[]*+\"".contains(c));
        words.extend(parts.filter(|part| !part.is_empty()).map(str::to_lowercase));
    }
    words
}

/// Takes out comments, `<rule>` names, `{tags}` and `/weights/`.
fn without_remarks(grammar: &str) -> String {
    const REMARKS: [(&str, &str); 5] =
        [("//", "\n"), ("/*", "*/"), ("/", "/"), ("<", ">"), ("{", "}")];
    let mut plain = String::with_capacity(grammar.len());
    let mut rest = grammar;
    while let Some(at) = rest.find(['<', '{', '/']) {
        plain.push_str(&rest[..at]);
        plain.push(' ');
        rest = &rest[at..];
        for (begin, end) in REMARKS {
            if let Some(remark) = rest.strip_prefix(begin) {
                rest = remark.split_once(end).map_or("", |(_, after)| after);
                break;
            }
        }
    }
    plain.push_str(rest);
    plain
}

/// How words are said: for each word its pronunciations, the most usual first, as the dictionary
/// writes them: `HH AH L OW`.
pub type Pronunciations = BTreeMap<String, Vec<String>>;

/// Reads the pronunciations of `words` from a dictionary in the format of the CMU dictionary: a
/// word a line, further pronunciations as `word(2)`. Words that it lacks are absent.
pub fn pronunciations(words: &BTreeSet<String>, dictionary: &Path) -> io::Result<Pronunciations> {
    let mut found = Pronunciations::new();
    let mut lines = BufReader::with_capacity(64 * 1024, File::open(dictionary)?);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line)? > 0 {
        if let Some((word, phones)) = entry(&line)
            && words.contains(word)
        {
            found.entry(word.to_owned()).or_default().push(phones.to_owned());
        }
        line.clear();
    }
    Ok(found)
}

fn entry(line: &[u8]) -> Option<(&str, &str)> {
    let (word, phones) = std::str::from_utf8(line).ok()?.trim_end().split_once(' ')?;
    let word = word.split_once('(').map_or(word, |(word, _)| word);
    Some((word, phones.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_grammar_are_found_among_its_signs() {
        let grammar = "#JSGF V1.0 UTF-8 en;\ngrammar desk;\nimport <numbers.*>;\n\
             // spoken by callers\n/* and not by us */\n\
             public <top> = (What are | [Tell me]) your /10/ opening {tag words} hours* <day>+;\n\
             <day> = monday|don't;";
        let expected = ["are", "don't", "hours", "me", "monday", "opening", "tell", "what", "your"];
        assert!(words(grammar).iter().eq(&expected), "{:?}", words(grammar));
    }

    #[test]
    fn a_text_that_is_no_grammar_does_no_harm() {
        for text in ["", "<", "{", "/", "//", "/*", "/ü", "<ü", ";;;", "=", "a=<b", "ü=ü/ü"] {
            words(text);
        }
    }

    #[test]
    fn a_word_with_two_pronunciations_has_both() {
        let path = std::env::temp_dir().join(format!("voxtrunk-dict-{}", std::process::id()));
        std::fs::write(&path, "hello HH AH L OW\nhello(2) HH EH L OW\nhelp HH EH L P\n").unwrap();
        let wanted = BTreeSet::from(["hello".to_owned(), "voxtrunk".to_owned()]);
        let found = pronunciations(&wanted, &path);
        std::fs::remove_file(&path).unwrap();
        let hello = vec!["HH AH L OW".to_owned(), "HH EH L OW".to_owned()];
        assert_eq!(found.unwrap(), Pronunciations::from([("hello".to_owned(), hello)]));
    }
}
