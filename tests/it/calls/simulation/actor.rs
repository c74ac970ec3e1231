//! An agent on the line: its definition, and scripted minds in the places of those who hear, think
//! and speak for it.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use voxtrunk::agent::assistant::Assistant;
use voxtrunk::agent::conversation::Request;
use voxtrunk::agent::event::Delta;
use voxtrunk::agent::intents::compile::Compiled;
use voxtrunk::agent::intents::dialogue::Dialogue;
use voxtrunk::agent::intents::instructions;
use voxtrunk::agent::judgement::Likelihood;
use voxtrunk::agent::tool::{Handling, Tool, ToolCall};
use voxtrunk::call::briefing::Casting;

/// An agent with its minds.
pub struct Actor {
    pub name: String,
    pub assistant: Assistant,
    pub mind: Mind,
    pub hearing: Transcriber,
    /// Who judges whether a turn sounds complete; without it, nobody answers.
    pub turn_model: Option<TurnModel>,
    pub voice: Voice,
    /// The tools of the operator that it may call.
    pub goods: Vec<(Tool, Handling)>,
}

/// Who thinks: what it gives for a request, each so many milliseconds after the one before. A
/// script that ends without `Done` or `Failed` stalls.
pub type Mind = Box<dyn FnMut(&Request) -> Vec<(u64, Delta)>>;

/// Who hears.
#[derive(Debug, Clone, Copy)]
pub struct Transcriber {
    /// How long it takes for a text.
    pub takes: Duration,
    /// Whether it tells each word as it hears it.
    pub partials: bool,
}

/// Who judges turns.
#[derive(Debug, Clone, Copy)]
pub struct TurnModel {
    /// How long it takes.
    pub takes: Duration,
    /// How likely it thinks every turn to be complete.
    pub says: Likelihood,
}

/// Who speaks.
#[derive(Debug, Clone, Copy)]
pub struct Voice {
    /// How long it takes to begin; then all is there.
    pub takes: Duration,
    pub works: Works,
}

/// Whether something works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Works {
    Yes,
    Fails,
    Hangs,
}

impl Actor {
    /// An agent that answers by its intents.
    pub fn by_rules(name: &str, assistant: Assistant) -> Self {
        let compiled = Compiled::for_assistant(&assistant).expect("the intents compile");
        let dialogue = Dialogue::new(Arc::new(compiled), Arc::new(assistant.clone()));
        let mind = move |request: &Request| {
            let reply = dialogue.reply_to(request);
            let text = (!reply.text.is_empty()).then_some((1, Delta::Text(reply.text)));
            let id = format!("rules-{}", request.messages.len());
            let tool = reply.tool.map(|(name, arguments)| {
                (0, Delta::Tool(ToolCall { id, name: name.to_owned(), arguments }))
            });
            text.into_iter().chain(tool).chain([(0, Delta::Done)]).collect()
        };
        Self::with_mind(name, assistant, Box::new(mind))
    }

    /// An agent with a scripted model.
    pub fn with_mind(name: &str, assistant: Assistant, mind: Mind) -> Self {
        let hearing = Transcriber { takes: Duration::from_millis(80), partials: false };
        let voice = Voice { takes: Duration::from_millis(30), works: Works::Yes };
        let (name, turn_model, goods) = (name.to_owned(), None, Vec::new());
        Self { name, assistant, mind, hearing, turn_model, voice, goods }
    }

    /// The same agent, whose requests to the model are kept for whoever asks.
    pub fn watched(mut self) -> (Self, Rc<RefCell<Vec<Request>>>) {
        let requests = Rc::new(RefCell::new(Vec::new()));
        let (mut mind, seen) = (self.mind, Rc::clone(&requests));
        self.mind = Box::new(move |request| {
            seen.borrow_mut().push(request.clone());
            mind(request)
        });
        (self, requests)
    }

    /// What a call is told of it.
    pub fn casting(&self) -> Arc<Casting> {
        let mut tools = instructions::tools_for(&self.assistant);
        tools.extend(self.goods.iter().map(|(tool, _)| tool.clone()));
        let handlings = self.goods.iter().map(|(tool, it)| (tool.name.clone(), it.clone()));
        Arc::new(Casting {
            name: self.name.clone(),
            assistant: Arc::new(self.assistant.clone()),
            tools,
            handlings: handlings.collect(),
            ambience: None,
        })
    }
}
