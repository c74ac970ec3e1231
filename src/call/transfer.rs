//! Transfers: what a `transfer_call` means and what the model is told of its outcome.

use serde::Deserialize;

use crate::agent::assistant::Assistant;
use crate::agent::tool::{ToolCall, ToolResult};
use crate::base::destination::{Destination, Mode};
use crate::call::briefing::Refer;
use crate::call::record::Kind;

/// Where a transfer goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Another agent of this house takes over: one, the first of a squad, or a menu.
    Agent(Destination),
    /// A flow takes over.
    Flow(String),
    /// The call ends in this way.
    End(Destination),
    /// The caller goes into a conference.
    Conference(String),
    /// The caller waits in a queue.
    Queue(String),
    /// A stream takes over.
    Stream(String),
    /// The caller leaves a message there.
    Voicemail(String),
    /// The caller's side is asked to call this URI (REFER); if it does not want to, we call.
    Refer(String, Destination),
    /// We call, and connect both.
    Bridge(Destination),
}

/// How a caller is brought somewhere.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Escort {
    /// In which way.
    pub mode: Mode,
    /// What whoever answers a warm transfer is told.
    pub brief: Option<Brief>,
}

impl Escort {
    /// With the words of a model, or those of the operator.
    pub fn new(mode: Mode, words: Option<String>, template: Option<&String>) -> Self {
        Self { mode, brief: Brief::of(mode, words, template) }
    }

    /// How it stands in the record.
    pub fn kind(&self) -> Kind {
        match self.mode {
            Mode::Blind => Kind::Blind,
            Mode::Attended => Kind::Attended,
            Mode::Warm => Kind::Warm,
        }
    }
}

/// What whoever answers is told of the caller before both are connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Brief {
    /// These words, which a model chose.
    Words(String),
    /// What the operator wrote: a template.
    Template(String),
    /// Who is calling.
    Plain,
}

impl Brief {
    /// Of the words of a model and of the operator, if the transfer is a warm one.
    fn of(mode: Mode, words: Option<String>, template: Option<&String>) -> Option<Self> {
        let words = words.map(|words| words.chars().take(LONGEST_BRIEF).collect::<String>());
        let words = words.filter(|words| !words.trim().is_empty()).map(Self::Words);
        let told = words.or_else(|| template.cloned().map(Self::Template));
        (mode == Mode::Warm).then(|| told.unwrap_or(Self::Plain))
    }
}

/// Reads a `transfer_call`: the model names one of the agent's destinations, and nothing else
/// (T14).
///
/// # Errors
/// A result that tells the model what was wrong.
pub fn target(
    call: &ToolCall,
    assistant: &Assistant,
    refer: Refer,
) -> Result<(Target, Escort), ToolResult> {
    let arguments: Arguments = serde_json::from_str(&call.arguments)
        .map_err(|_| failed(call, "the arguments must be {\"to\": \"NAME\"}"))?;
    let Some(transfer) = assistant.transfers.get(&arguments.to) else {
        let names: Vec<&str> = assistant.transfers.keys().map(String::as_str).collect();
        return Err(failed(call, &format!("there is only: {}", names.join(", "))));
    };
    let target = way(&transfer.to, refer.in_mode(transfer.mode));
    let target = target.ok_or_else(|| failed(call, "nobody can be reached there"))?;
    Ok((target, Escort::new(transfer.mode, arguments.brief, transfer.brief.as_ref())))
}

/// How the caller comes to a destination, if it can.
pub fn way(to: &Destination, refer: Refer) -> Option<Target> {
    let by_refer = |uri: String| match refer {
        Refer::First => Target::Refer(uri, to.clone()),
        Refer::Never => Target::Bridge(to.clone()),
    };
    Some(match to {
        Destination::Agent(_) | Destination::Squad(_) | Destination::Menu(_) => {
            Target::Agent(to.clone())
        }
        Destination::Conference(room) => Target::Conference(room.clone()),
        Destination::Queue(name) => Target::Queue(name.clone()),
        Destination::Stream(name) => Target::Stream(name.clone()),
        Destination::Voicemail(name) => Target::Voicemail(name.clone()),
        Destination::Sip(uri) => by_refer(uri.clone()),
        Destination::Tel(number) => by_refer(format!("tel:{number}")),
        // Only we know that trunk and that phone.
        Destination::Trunk { .. }
        | Destination::Phone(_)
        | Destination::Group(_)
        | Destination::OpenAi(_) => Target::Bridge(to.clone()),
        Destination::Reject(_) | Destination::Busy | Destination::HangUp(_) => {
            Target::End(to.clone())
        }
        Destination::Flow(name) => Target::Flow(name.clone()),
        Destination::Drill(_) | Destination::Webhook(_) => return None,
    })
}

/// A result that says that the transfer did not work.
pub fn failed(call: &ToolCall, why: &str) -> ToolResult {
    ToolResult { id: call.id.clone(), content: why.to_owned(), failed: true }
}

#[derive(Deserialize)]
struct Arguments {
    to: String,
    #[serde(default)]
    brief: Option<String>,
}

/// How long what a model tells may be, in letters.
const LONGEST_BRIEF: usize = 400;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::assistant::Transfer;

    #[test]
    fn a_model_can_only_name_what_the_operator_wrote() {
        let mut assistant = Assistant::default();
        let to = "sip:sales@192.0.2.7".parse().expect("a destination");
        let sales = Transfer::silent(to);
        assistant.transfers.insert("sales".to_owned(), sales);
        let call = |arguments: &str| ToolCall {
            id: "1".to_owned(),
            name: "transfer_call".to_owned(),
            arguments: arguments.to_owned(),
        };
        let to: Destination = "sip:sales@192.0.2.7".parse().expect("a destination");
        let asked = call("{\"to\": \"sales\"}");
        let good = target(&asked, &assistant, Refer::First);
        assert_eq!(good, Ok((Target::Refer(to.to_string(), to.clone()), Escort::default())));
        assert_eq!(
            target(&asked, &assistant, Refer::Never),
            Ok((Target::Bridge(to), Escort::default()))
        );
        for evil in ["{\"to\": \"tel:+8821234567\"}", "{\"to\": 1}", "", "{\"number\": \"+882\"}"] {
            let answer = target(&call(evil), &assistant, Refer::First);
            assert!(answer.is_err_and(|result| result.failed), "{evil}");
        }
    }

    #[test]
    fn a_warm_transfer_is_a_leg_of_our_own_and_brings_words() {
        let mut assistant = Assistant::default();
        let to: Destination = "tel:+4971112340".parse().expect("a destination");
        let mut sales = Transfer { mode: Mode::Warm, ..Transfer::silent(to.clone()) };
        let mut brief = |sales: &Transfer, arguments: &str| {
            assistant.transfers.insert("sales".to_owned(), sales.clone());
            let (id, name) = ("1".to_owned(), "transfer_call".to_owned());
            let call = ToolCall { id, name, arguments: arguments.to_owned() };
            let found = target(&call, &assistant, Refer::First).expect("it may go there");
            assert_eq!(found.0, Target::Bridge(to.clone()), "a REFER leaves nobody to be asked");
            found.1.brief
        };
        assert_eq!(brief(&sales, "{\"to\": \"sales\"}"), Some(Brief::Plain));
        sales.brief = Some("It is {{ number }}.".to_owned());
        let written = Brief::Template("It is {{ number }}.".to_owned());
        assert_eq!(brief(&sales, "{\"to\": \"sales\", \"brief\": \" \"}"), Some(written));
        let words = brief(&sales, "{\"to\": \"sales\", \"brief\": \"He has {{ x }}.\"}");
        assert_eq!(words, Some(Brief::Words("He has {{ x }}.".to_owned())), "no template");
        let long = format!("{{\"to\": \"sales\", \"brief\": \"{}\"}}", "ä".repeat(5_000));
        assert_eq!(brief(&sales, &long), Some(Brief::Words("ä".repeat(LONGEST_BRIEF))));
        sales.mode = Mode::Attended;
        assert_eq!(brief(&sales, "{\"to\": \"sales\", \"brief\": \"x\"}"), None);
    }
}
