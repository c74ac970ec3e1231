//! The model without a model: answers by the intents of the agent, at once and always the same.

use std::sync::Arc;

use futures_util::future::{self, BoxFuture, FutureExt};
use futures_util::stream::{self, BoxStream, StreamExt};

use crate::agent::assistant::Assistant;
use crate::agent::conversation::{Request, Wanted};
use crate::agent::event::Delta;
use crate::agent::intents::compile::Compiled;
use crate::agent::intents::dialogue::Dialogue;
use crate::agent::tool::ToolCall;
use crate::providers::error::ProviderError;
use crate::providers::model::Model;

/// The `rules` model of one agent.
#[derive(Debug, Clone)]
pub struct Rules {
    dialogue: Dialogue,
}

impl Rules {
    /// Makes the model; `compiled` is made of the agent's intents.
    pub fn new(assistant: Arc<Assistant>, compiled: Arc<Compiled>) -> Self {
        Self { dialogue: Dialogue::new(compiled, assistant) }
    }
}

impl Model for Rules {
    fn warm_up(&self) -> BoxFuture<'_, Result<(), ProviderError>> {
        future::ready(Ok(())).boxed()
    }

    fn think(&self, request: Request) -> BoxStream<'static, Result<Delta, ProviderError>> {
        if request.wanted == Wanted::Summary {
            // The rules have no words of their own for it.
            return stream::iter([Ok(Delta::Done)]).boxed();
        }
        let reply = self.dialogue.reply_to(&request);
        let text = (!reply.text.is_empty()).then_some(Delta::Text(reply.text));
        // Unique within the conversation, and the same when the same thought is thought again.
        let id = format!("rules-{}", request.messages.len());
        let tool = reply.tool.map(|(name, arguments)| {
            Delta::Tool(ToolCall { id, name: name.to_owned(), arguments })
        });
        stream::iter(text.into_iter().chain(tool).chain([Delta::Done]).map(Ok)).boxed()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::*;
    use crate::agent::conversation::Message;

    #[derive(serde::Deserialize)]
    struct File {
        agents: BTreeMap<String, Assistant>,
    }

    fn agents(file: &str) -> BTreeMap<String, Assistant> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("dialplans/demo").join(file);
        let text = std::fs::read_to_string(&path).expect("the demo is there");
        toml::from_str::<File>(&text).expect("the demo reads").agents
    }

    fn rules(file: &str, agent: &str) -> Rules {
        let assistant = agents(file).remove(agent).expect("the agent is there");
        let compiled = Compiled::for_assistant(&assistant).unwrap_or_else(|faults| {
            let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
            panic!("{}", faults.join("\n\n"))
        });
        Rules::new(Arc::new(assistant), Arc::new(compiled))
    }

    /// What a conversation comes to: the caller's lines (keys begin with `#`), then the deltas.
    fn think(rules: &Rules, lines: &[&str]) -> Vec<Delta> {
        let messages = lines
            .iter()
            .map(|line| match line.strip_prefix('#') {
                Some(keys) => Message::Caller { text: String::new(), keys: keys.to_owned() },
                None => Message::Caller { text: (*line).to_owned(), keys: String::new() },
            })
            .collect();
        let request = Request { messages, ..Request::default() };
        let deltas = rules.think(request).collect::<Vec<_>>().now_or_never();
        deltas
            .expect("rules never wait")
            .into_iter()
            .map(|d| d.expect("rules never fail"))
            .collect()
    }

    fn text(rules: &Rules, lines: &[&str]) -> String {
        match think(rules, lines).into_iter().next() {
            Some(Delta::Text(text)) => text,
            other => panic!("no text but {other:?} after {lines:?}"),
        }
    }

    #[test]
    fn words_come_first_then_the_tool_then_the_end() {
        let rules = rules("front-desk.toml", "front-desk");
        let deltas = think(&rules, &["can I talk to sales please"]);
        let tool = ToolCall {
            id: "rules-1".to_owned(),
            name: "transfer_call".to_owned(),
            arguments: r#"{"to":"sales"}"#.to_owned(),
        };
        assert_eq!(deltas.len(), 3);
        assert!(matches!(&deltas[0], Delta::Text(text) if text.contains("sales")));
        assert_eq!(deltas[1..], [Delta::Tool(tool), Delta::Done]);
    }

    #[test]
    fn every_demo_agent_says_first_that_it_is_a_machine() {
        for (file, word) in
            [("front-desk.toml", "AI assistant"), ("front-desk-de.toml", "KI-Assistent")]
        {
            for (name, assistant) in agents(file) {
                rules(file, &name);
                let first = assistant.first_message.unwrap_or_default();
                assert!(first.split('.').next().is_some_and(|s| s.contains(word)), "{name}");
            }
        }
    }

    #[test]
    fn the_front_desk_understands_what_callers_say() {
        let rules = rules("front-desk.toml", "front-desk");
        for (said, part) in [
            ("Hi, what are your opening hours?", "nine to six"),
            ("when do you close", "nine to six"),
            ("are you open on Saturday", "nine to six"),
            ("I'd like to make an appointment for Monday at ten thirty.", "Monday, ten thirty."),
            ("I have a flat tire", "On which day"),
            ("how much does a repair cost", "fifteen dollars"),
            ("What's your address?", "Harbor Street"),
            ("I'm looking for a new bike", "connecting you with sales"),
            ("thank you, that's all", "Goodbye"),
            ("thank you very much", "You are welcome"),
        ] {
            let text = text(&rules, &[said]);
            assert!(text.contains(part), "{said}: {text}");
        }
        let booking = ["book an appointment", "tomorrow", "at 3 pm", "yes please"];
        assert!(text(&rules, &booking).contains("booked: tomorrow, three in the afternoon"));
    }

    #[test]
    fn the_german_front_desk_works_by_keys_and_by_words() {
        let rules = rules("front-desk-de.toml", "front-desk-de");
        assert!(text(&rules, &["#1"]).contains("9 bis 18 Uhr"));
        let booking = ["#2", "#2", "#10", "#1"];
        assert!(text(&rules, &booking).contains("eingetragen: Dienstag um 10 Uhr"));
        let spoken = ["Ich hätte gerne einen Termin am Freitag", "halb zehn", "ja, bitte"];
        assert!(text(&rules, &spoken).contains("eingetragen: Freitag um 9 Uhr 30"));
        assert!(text(&rules, &["Was kostet eine Inspektion?"]).contains("60 Euro"));
        assert!(text(&rules, &["Verbinden Sie mich mit dem Verkauf"]).contains("verbinde Sie"));
    }

    #[test]
    fn the_clerk_of_the_example_takes_a_number_in_pieces() {
        let rules = rules("../examples/callback.toml", "callback");
        let pieces =
            ["please call me back", "five five five one two three", "double four five six"];
        assert_eq!(text(&rules, &pieces[..1]), "What is your phone number?");
        assert_eq!(text(&rules, &pieces[..2]), "Go on, please.");
        assert_eq!(text(&rules, &pieces), "I have +1 555 123 4456. Is that right?");
        assert_eq!(
            text(&rules, &["call me back", "#5551234567", "#1"]),
            "Thank you, we will call you."
        );
    }
}
