//! The fixed lines of an agent: its own where it has them, else those of its language.

use crate::agent::assistant::Assistant;

/// What an agent says when no model is asked. No line is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phrases {
    /// Said while the caller waits for an answer.
    pub holding: String,
    /// Said instead of an answer that did not come.
    pub fallback: String,
    /// Said before the call ends because answers failed too often.
    pub apology: String,
    /// Said before a transfer that nobody announced.
    pub connecting: String,
    /// Asked before a tool runs that cannot be undone.
    pub confirm: String,
    /// Said before the call ends.
    pub goodbye: String,
    /// Said to a silent caller, one after the other; at least one.
    pub reminders: Vec<String>,
}

impl Phrases {
    /// Gathers the lines of `assistant`.
    pub fn of(assistant: &Assistant) -> Self {
        let lines = if assistant.spoken_language().is_german() { &GERMAN } else { &ENGLISH };
        let own: Vec<String> =
            assistant.silence.remind_say.iter().filter(|line| is_said(line)).cloned().collect();
        let reminders = if own.is_empty() {
            lines.reminders.iter().map(|line| (*line).to_owned()).collect()
        } else {
            own
        };
        Self {
            holding: own_or(assistant.fallback.hold_say.as_ref(), lines.holding),
            fallback: own_or(assistant.fallback.say.as_ref(), lines.fallback),
            apology: lines.apology.to_owned(),
            connecting: lines.connecting.to_owned(),
            confirm: lines.confirm.to_owned(),
            goodbye: own_or(assistant.goodbye.as_ref(), lines.goodbye),
            reminders,
        }
    }

    /// The reminder number `count`, from 0; after the last the first comes again.
    pub fn reminder(&self, count: usize) -> &str {
        let at = count % self.reminders.len().max(1);
        self.reminders.get(at).map_or("", String::as_str)
    }

    /// Every line that may be needed at any time, for a voice that prepares them.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        [&self.holding, &self.fallback, &self.apology, &self.connecting, &self.goodbye]
            .into_iter()
            .chain(&self.reminders)
            .map(String::as_str)
    }
}

fn own_or(own: Option<&String>, builtin: &str) -> String {
    own.filter(|line| is_said(line)).map_or_else(|| builtin.to_owned(), Clone::clone)
}

/// Whether there is anything in `line` that a voice would say.
fn is_said(line: &str) -> bool {
    line.chars().any(char::is_alphanumeric)
}

/// The lines of a language.
struct Lines {
    holding: &'static str,
    fallback: &'static str,
    apology: &'static str,
    connecting: &'static str,
    confirm: &'static str,
    goodbye: &'static str,
    reminders: [&'static str; 2],
}

const ENGLISH: Lines = Lines {
    holding: "One moment, please.",
    fallback: "I am sorry, I could not find an answer. Could you say that again?",
    apology: "I am very sorry, I cannot help you at the moment. Please call again later. Goodbye.",
    connecting: "One moment, I am connecting you.",
    confirm: "May I go ahead with that? Please say yes or no.",
    goodbye: "Goodbye.",
    reminders: ["Are you still there?", "I am still here. How can I help you?"],
};

const GERMAN: Lines = Lines {
    holding: "Einen Moment, bitte.",
    fallback: "Entschuldigung, ich habe keine Antwort gefunden. Sagen Sie das bitte noch einmal?",
    apology: "Es tut mir sehr leid, ich kann Ihnen im Moment nicht helfen. \
              Bitte rufen Sie später noch einmal an. Auf Wiederhören.",
    connecting: "Einen Moment, ich verbinde Sie.",
    confirm: "Soll ich das jetzt so ausführen? Bitte sagen Sie ja oder nein.",
    goodbye: "Auf Wiederhören.",
    reminders: ["Sind Sie noch da?", "Ich bin noch da. Wie kann ich Ihnen helfen?"],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_without_lines_speaks_those_of_its_language() {
        let assistant = Assistant { language: "de-AT".parse().ok(), ..Assistant::default() };
        assert_eq!(Phrases::of(&assistant).reminder(2), "Sind Sie noch da?");
        assert_eq!(Phrases::of(&Assistant::default()).goodbye, "Goodbye.");
    }

    #[test]
    fn its_own_lines_win_unless_they_are_empty() {
        let mut assistant = Assistant { goodbye: Some("Bye!".to_owned()), ..Assistant::default() };
        assistant.fallback.hold_say = Some(" … ".to_owned());
        assistant.silence.remind_say = vec!["Hello?".to_owned(), String::new()];
        let phrases = Phrases::of(&assistant);
        assert_eq!(phrases.goodbye, "Bye!");
        assert_eq!(phrases.holding, "One moment, please.");
        assert_eq!(phrases.reminders, ["Hello?"]);
        assert!(phrases.all().all(is_said));
    }
}
