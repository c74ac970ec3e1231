//! Transfers: what a `transfer_call` means and what the model is told of its outcome.

use serde::Deserialize;

use crate::agent::assistant::Assistant;
use crate::agent::tool::{ToolCall, ToolResult};
use crate::base::destination::Destination;
use crate::call::briefing::Refer;

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
    /// The caller leaves a message there.
    Voicemail(String),
    /// The caller's side is asked to call this URI (REFER); if it does not want to, we call.
    Refer(String, Destination),
    /// We call, and connect both.
    Bridge(Destination),
}

/// Reads a `transfer_call`: the model names one of the agent's destinations, and nothing else
/// (T14).
///
/// # Errors
/// A result that tells the model what was wrong.
pub fn target(call: &ToolCall, assistant: &Assistant, refer: Refer) -> Result<Target, ToolResult> {
    let arguments: Arguments = serde_json::from_str(&call.arguments)
        .map_err(|_| failed(call, "the arguments must be {\"to\": \"NAME\"}"))?;
    let Some(transfer) = assistant.transfers.get(&arguments.to) else {
        let names: Vec<&str> = assistant.transfers.keys().map(String::as_str).collect();
        return Err(failed(call, &format!("there is only: {}", names.join(", "))));
    };
    way(&transfer.to, refer).ok_or_else(|| failed(call, "nobody can be reached there"))
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
        Destination::Voicemail(name) => Target::Voicemail(name.clone()),
        Destination::Sip(uri) => by_refer(uri.clone()),
        Destination::Tel(number) => by_refer(format!("tel:{number}")),
        // Only we know that trunk and that phone.
        Destination::Trunk { .. } | Destination::Phone(_) | Destination::Group(_) => {
            Target::Bridge(to.clone())
        }
        Destination::Reject(_) | Destination::Busy | Destination::HangUp(_) => {
            Target::End(to.clone())
        }
        Destination::Flow(name) => Target::Flow(name.clone()),
        Destination::Drill(_) => return None,
    })
}

/// A result that says that the transfer did not work.
pub fn failed(call: &ToolCall, why: &str) -> ToolResult {
    ToolResult { id: call.id.clone(), content: why.to_owned(), failed: true }
}

#[derive(Deserialize)]
struct Arguments {
    to: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::assistant::Transfer;
    use crate::agent::squad::Carry;

    #[test]
    fn a_model_can_only_name_what_the_operator_wrote() {
        let mut assistant = Assistant::default();
        let to = "sip:sales@192.0.2.7".parse().expect("a destination");
        let sales = Transfer { to, description: String::new(), say: None, context: Carry::Nothing };
        assistant.transfers.insert("sales".to_owned(), sales);
        let call = |arguments: &str| ToolCall {
            id: "1".to_owned(),
            name: "transfer_call".to_owned(),
            arguments: arguments.to_owned(),
        };
        let to: Destination = "sip:sales@192.0.2.7".parse().expect("a destination");
        let asked = call("{\"to\": \"sales\"}");
        let good = target(&asked, &assistant, Refer::First);
        assert_eq!(good, Ok(Target::Refer(to.to_string(), to.clone())));
        assert_eq!(target(&asked, &assistant, Refer::Never), Ok(Target::Bridge(to)));
        for evil in ["{\"to\": \"tel:+8821234567\"}", "{\"to\": 1}", "", "{\"number\": \"+882\"}"] {
            let answer = target(&call(evil), &assistant, Refer::First);
            assert!(answer.is_err_and(|result| result.failed), "{evil}");
        }
    }
}
