//! What the words of whoever answers say about who it is, in English and German.

/// What words say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// A machine that takes messages.
    Machine,
    /// Somebody or something that asks who calls.
    Screening,
}

/// What a text says, if it says anything about that. A machine may ask for a name, too: that it takes
/// messages counts more.
pub fn meaning(text: &str) -> Option<Meaning> {
    let plain = plain(text);
    let holds = |phrases: &[&str]| phrases.iter().any(|phrase| plain.contains(phrase));
    if holds(MACHINE) {
        Some(Meaning::Machine)
    } else if holds(SCREENING) {
        Some(Meaning::Screening)
    } else {
        None
    }
}

/// Small letters with one space between words, and one at each end.
fn plain(text: &str) -> String {
    let letters = text.chars().take(LONGEST).flat_map(char::to_lowercase);
    let spaced: String = letters
        .filter(|letter| !matches!(letter, '\'' | '’'))
        .map(|letter| if letter.is_alphanumeric() { letter } else { ' ' })
        .collect();
    format!(" {} ", spaced.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// So many letters are looked at.
const LONGEST: usize = 2_000;

/// Words of machines.
const MACHINE: &[&str] = &[
    " leave a message ",
    " leave me a message ",
    " leave us a message ",
    " leave your message ",
    " leave your name ",
    " record your message ",
    " after the tone ",
    " after the beep ",
    " at the tone ",
    " at the beep ",
    " voicemail ",
    " voice mail ",
    " answering machine ",
    " mailbox ",
    " is not available ",
    " not available right now ",
    " not available at the moment ",
    " not able to take your call ",
    " unable to take your call ",
    " unable to answer ",
    " cant come to the phone ",
    " cannot come to the phone ",
    " cant take your call ",
    " you have reached the ",
    " nach dem signalton ",
    " nach dem piepton ",
    " nach dem ton ",
    " nach dem pieps ",
    " nach dem piep ",
    " hinterlassen ",
    " hinterlasse ",
    " eine nachricht ",
    " anrufbeantworter ",
    " sprachbox ",
    " nicht erreichbar ",
    " nicht zu erreichen ",
    " nicht persönlich entgegennehmen ",
    " nicht entgegennehmen ",
    " zurzeit nicht ",
    " zur zeit nicht ",
];

/// Words of those who ask who calls.
const SCREENING: &[&str] = &[
    " state your name ",
    " say your name ",
    " record your name ",
    " your name and why ",
    " your name and the reason ",
    " your name and reason ",
    " who is calling ",
    " whos calling ",
    " who is speaking ",
    " who am i speaking ",
    " reason for your call ",
    " reason for calling ",
    " why youre calling ",
    " why you are calling ",
    " call screening ",
    " screening service ",
    " call assistant ",
    " is this person available ",
    " nennen sie ihren namen ",
    " nennen sie bitte ihren namen ",
    " ihren namen und den grund ",
    " sagen sie ihren namen ",
    " sagen sie bitte ihren namen ",
    " grund ihres anrufs ",
    " grund für ihren anruf ",
    " warum sie anrufen ",
    " wer ruft an ",
    " wer ist am apparat ",
    " wer spricht da ",
    " mit wem spreche ich ",
    " anrufassistent ",
    " anruffilter ",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_and_those_who_ask_are_told_apart_by_their_words() {
        for (text, meant) in [
            ("Hi, I can't come to the phone right now.", Some(Meaning::Machine)),
            ("Please leave your name and number after the beep", Some(Meaning::Machine)),
            ("Der Teilnehmer ist zurzeit nicht erreichbar.", Some(Meaning::Machine)),
            ("please state your name and who you want", Some(Meaning::Screening)),
            ("May I ask who's calling, please?", Some(Meaning::Screening)),
            ("Bitte nennen Sie Ihren Namen und den Grund Ihres Anrufs.", Some(Meaning::Screening)),
            ("Hallo?", None),
            ("Müller, guten Tag.", None),
            ("", None),
        ] {
            assert_eq!(meaning(text), meant, "{text}");
        }
        // The words of one who never stops are looked at as far as that goes.
        assert_eq!(meaning(&"la ".repeat(100_000)), None);
    }
}
