//! The stage of a case: the desk of a call with the agent's session at it. The caller's words are
//! heard as they are written, the agent's are spoken in the time that they take, and nobody waits.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use futures_util::StreamExt as _;
use serde_json::Value;

use crate::agent::conversation::{Message, Request, Wanted, pace};
use crate::agent::event::{
    Delta, Input, Note, Output, Progress, ThoughtId, Transcript, Utterance, UtteranceId,
};
use crate::agent::tool::{ToolCall, ToolResult, names};
use crate::agent::tools::builtin::{self, Builtin};
use crate::base::calendar::Date;
use crate::base::scope::Scope;
use crate::base::template::Variables;
use crate::call::briefing::{Casting, Post};
use crate::call::desk::Desk;
use crate::config::load::Loaded;
use crate::engine::clock;
use crate::providers::registry::Registry;
use crate::server::casting;
use crate::server::tools::Shop;
use crate::server::trial::case::Case;
use crate::server::trial::played::{Line, Played, Who, plain};

/// What every case is played with.
#[derive(Clone, Copy)]
pub struct House<'a> {
    /// The files.
    pub loaded: &'a Loaded,
    /// The providers.
    pub registry: &'a Registry,
}

/// A case that is being played.
pub struct Stage<'a> {
    house: House<'a>,
    shop: Shop,
    mock: &'a BTreeMap<String, Value>,
    variables: Variables,
    today: Date,
    now: Instant,
    desk: Desk,
    /// What the caller is saying.
    line: String,
    /// What is being spoken.
    speech: VecDeque<Utterance>,
    /// Whether the caller's turn was taken.
    taken: bool,
    played: Played,
}

impl<'a> Stage<'a> {
    /// Seats the agent of a case.
    ///
    /// # Errors
    /// When there is no such agent.
    pub async fn open(house: House<'a>, case: &'a Case) -> Result<Self, String> {
        let loaded = house.loaded;
        let shop = Shop::open(&loaded.tools, &loaded.server).await.map_err(|it| it.to_string())?;
        let today = loaded.server.machine.timezone.local(clock::since_epoch()).date;
        let mut stage = Self {
            house,
            shop,
            mock: &case.mock,
            variables: case.set.clone(),
            today,
            now: clock::now(),
            desk: Desk::default(),
            line: String::new(),
            speech: VecDeque::new(),
            taken: false,
            played: Played { with: plain(&case.agent), ..Played::default() },
        };
        let post = stage.post(&case.agent)?;
        stage.desk.seat(post);
        Ok(stage)
    }

    /// An agent by its name, or by its destination.
    fn post(&self, name: &str) -> Result<Post, String> {
        let loaded = self.house.loaded;
        if let Some(name) = name.strip_prefix("squad:") {
            let squad = loaded.squads.get(name).ok_or(format!("there is no squad `{name}`"))?;
            let post = self.alone(&squad.start)?;
            return Ok(Post { squad: Some(squad.clone()), ..post });
        }
        self.alone(&plain(name))
    }

    fn alone(&self, name: &str) -> Result<Post, String> {
        let assistant = self.house.loaded.assistant(name);
        let assistant = assistant.ok_or(format!("there is no agent `{name}`"))?;
        let (tools, handlings) = casting::tools(assistant, &self.shop);
        let (name, assistant, ambience) = (name.to_owned(), assistant.clone(), None);
        let casting = Casting { name, assistant, tools, handlings, ambience };
        Ok(Post { casting: Arc::new(casting), squad: None })
    }

    /// Plays the caller's lines.
    pub async fn play(&mut self, lines: &[String]) -> Played {
        self.begin(None);
        self.settle().await;
        for line in lines {
            if self.is_over() {
                break;
            }
            match line.strip_prefix('#') {
                Some(keys) => self.press(keys),
                None if line.trim().is_empty() => self.wait().await,
                None => self.say(line).await,
            }
            self.settle_turn(line).await;
        }
        self.played.clone()
    }

    fn is_over(&self) -> bool {
        self.played.hung_up || self.played.failure.is_some() || !self.desk.is_open()
    }

    fn begin(&mut self, inherits: Option<crate::agent::squad::Inheritance>) {
        let scope = Scope::of(&self.variables);
        self.desk.open(self.now, Some(self.today), (&self.variables, scope), inherits);
    }

    async fn say(&mut self, line: &str) {
        line.clone_into(&mut self.line);
        self.taken = false;
        self.desk.tell(self.now, Input::SpeechStarted);
        self.now += pace(line);
        let last_voiced = self.now;
        self.desk.tell(self.now, Input::SpeechEnded { last_voiced });
        self.settle().await;
    }

    fn press(&mut self, keys: &str) {
        self.taken = false;
        for key in keys.chars() {
            self.desk.tell(self.now, Input::Digit(key));
        }
    }

    /// Lets time pass until the agent says something of itself.
    async fn wait(&mut self) {
        let before = self.played.lines.len();
        self.taken = true;
        for _ in 0..MOST_STEPS {
            if self.played.lines.len() > before || !self.pass() {
                return;
            }
            self.settle().await;
        }
    }

    /// Lets time pass until the caller's turn was taken and answered.
    async fn settle_turn(&mut self, line: &str) {
        for _ in 0..MOST_STEPS {
            self.settle().await;
            if self.taken || self.is_over() || !self.pass() {
                return;
            }
        }
        self.fail(format!("the agent never takes the turn {line:?}"));
    }

    /// Goes to the next time at which something is due.
    fn pass(&mut self) -> bool {
        let Some(due) = self.desk.deadline() else { return false };
        self.now = self.now.max(due);
        self.desk.tick(self.now);
        true
    }

    /// Does what the agent wants until it wants nothing any more.
    async fn settle(&mut self) {
        for _ in 0..MOST_STEPS {
            if self.is_over() {
                return;
            }
            if let Some(output) = self.desk.poll() {
                self.obey(output).await;
            } else if let Some(utterance) = self.speech.pop_front_if(|it| !it.held) {
                self.speak(&utterance);
            } else {
                return;
            }
        }
        self.fail("the agent never comes to an end".to_owned());
    }

    async fn obey(&mut self, output: Output) {
        match output {
            Output::Finalize(pause) => {
                let text = self.line.clone();
                let transcript = Transcript::Final { text, confidence: None, complete: true };
                self.desk.tell(self.now, Input::Transcript { pause, transcript });
            }
            Output::Think { thought, request } => self.think(thought, request).await,
            Output::Speak(utterance) => self.speech.push_back(utterance),
            Output::Release { through } => self.release(through),
            Output::Flush { through } => {
                self.speech.retain(|utterance| utterance.id > through);
                self.desk.tell(self.now, Input::Flushed { heard: Vec::new() });
            }
            Output::Run(call) => self.run(call).await,
            Output::Note(note) => self.note(note),
            Output::Over(_) => self.played.hung_up = true,
            Output::Listen
            | Output::Judge(_)
            | Output::Forget
            | Output::Abandon(_)
            | Output::Pause
            | Output::Duck
            | Output::Resume
            | Output::Cut(_)
            | Output::Speaks(_) => {}
        }
    }

    fn note(&mut self, note: Note) {
        match note {
            Note::CallerSaid { text, keys, .. } => {
                self.taken = true;
                let text = if keys.is_empty() { text } else { format!("{text} #{keys}") };
                self.add(Who::Caller, text.trim().to_owned());
            }
            Note::AgentSaid { text, .. } => self.add(Who::Agent, text),
            Note::ToolCalled(call) => {
                let given = serde_json::from_str(&call.arguments).unwrap_or_default();
                self.add(Who::Tool, format!("{} {}", call.name, call.arguments));
                self.played.calls.push((call.name, given));
            }
            Note::ToolDone { .. }
            | Note::FalseInterruption
            | Note::Interrupted
            | Note::TurnJudged { .. }
            | Note::TurnTimed { .. } => {}
        }
    }

    fn add(&mut self, who: Who, text: String) {
        self.played.lines.push(Line { who, text });
    }

    fn fail(&mut self, why: String) {
        self.played.failure.get_or_insert(why);
    }

    /// What was held may be heard.
    fn release(&mut self, through: UtteranceId) {
        for utterance in self.speech.iter_mut().filter(|it| it.id <= through) {
            utterance.held = false;
        }
    }

    /// Speaks a line to its end.
    fn speak(&mut self, utterance: &Utterance) {
        self.moves(utterance, Progress::Voiced { at: self.now });
        self.moves(utterance, Progress::Started { at: self.now });
        self.now += pace(&utterance.text);
        self.moves(utterance, Progress::Finished { at: self.now });
    }

    fn moves(&mut self, utterance: &Utterance, progress: Progress) {
        self.desk.tell(self.now, Input::Spoken { utterance: utterance.id, progress });
    }

    /// Lets the agent's own model answer.
    async fn think(&mut self, thought: ThoughtId, request: Request) {
        let began = clock::now();
        let mut first = None;
        let answer = match self.deltas(request).await {
            Ok(deltas) => deltas,
            Err(why) => {
                self.fail(format!("the model fails: {why}"));
                return;
            }
        };
        for (at, delta) in answer {
            first.get_or_insert(at - began);
            self.desk.tell(self.now, Input::Thought { thought, delta });
        }
        self.played.slowest = self.played.slowest.max(first.unwrap_or_default());
    }

    async fn deltas(&self, request: Request) -> Result<Vec<(Instant, Delta)>, String> {
        let casting = self.desk.casting().ok_or("nobody is there")?;
        let (loaded, assistant) = (self.house.loaded, &casting.assistant);
        let told = |why: crate::providers::error::ProviderError| why.to_string();
        let thinker = loaded.server.thinker(assistant).unwrap_or("rules");
        let compiled = casting::compiled(assistant).map_err(told)?;
        let choice = (thinker, &assistant.llm);
        let model = self.house.registry.model(choice, assistant, &compiled).map_err(told)?;
        model.warm_up().await.map_err(told)?;
        let mut thought = model.think(request);
        let mut deltas = Vec::new();
        while let Some(delta) = thought.next().await {
            deltas.push((clock::now(), delta.map_err(told)?));
        }
        Ok(deltas)
    }

    /// A tool is played; who hands the caller on does so.
    async fn run(&mut self, call: ToolCall) {
        if call.name == names::HAND_OVER {
            return self.hand_over(&call);
        }
        if call.name == names::TRANSFER_CALL {
            let to = call.argument("to").unwrap_or_default();
            let transfers = self.desk.casting().map(|it| &it.assistant.transfers);
            let to = transfers.and_then(|it| it.get(&to)).map_or(to, |it| it.to.to_string());
            return self.transfer(&call, to);
        }
        let result = self.result(&call);
        self.desk.tell(self.now, Input::ToolDone(result));
    }

    fn hand_over(&mut self, call: &ToolCall) {
        let Some((squad, way)) = self.desk.way(call) else {
            let result = call.failed("nobody of that name is there");
            return self.desk.tell(self.now, Input::ToolDone(result));
        };
        for name in way.extract.keys() {
            let value = call.argument(name).map(|value| (name.clone(), value));
            self.variables.extend(value);
        }
        let inherits = self.desk.bequeath(call);
        match self.alone(&way.to) {
            Ok(post) => {
                self.desk.seat(Post { squad: Some(squad), ..post });
                self.played.with = way.to;
                self.begin(inherits);
            }
            Err(why) => self.fail(why),
        }
    }

    /// The caller goes to another agent, or leaves the stage.
    fn transfer(&mut self, call: &ToolCall, to: String) {
        let inherits = self.desk.bequeath(call);
        match self.post(&to) {
            Ok(post) => {
                self.desk.seat(post);
                self.begin(inherits);
            }
            Err(_) => self.desk.leave(self.now),
        }
        self.played.with = plain(&to);
    }

    /// What a tool answers.
    fn result(&self, call: &ToolCall) -> ToolResult {
        let given = serde_json::from_str(&call.arguments).unwrap_or_default();
        match (self.mock.get(&call.name), Builtin::named(&call.name)) {
            (Some(Value::Object(told)), _) if told.len() == 1 && told.contains_key("error") => {
                call.failed(told.get("error").and_then(Value::as_str).unwrap_or_default())
            }
            (Some(Value::String(told)), _) => call.done(told.clone()),
            (Some(told), _) => call.done(told.to_string()),
            (None, Some(Builtin::Calculator)) => match builtin::calculate(&given) {
                Ok(told) => call.done(told),
                Err(why) => call.failed(why),
            },
            (None, Some(Builtin::Now)) => {
                let zone = &self.house.loaded.server.machine.timezone;
                call.done(builtin::now(clock::since_epoch(), zone))
            }
            (None, Some(_)) => call.done("done".to_owned()),
            (None, None) => call.failed("it is not played in this test: add it to `mock`"),
        }
    }

    /// Lets the agent's model say whether something is so.
    ///
    /// # Errors
    /// With its word, when it is not.
    pub async fn judge(&self, question: &str, played: &Played) -> Result<(), String> {
        let lines: Vec<String> = played.lines.iter().map(ToString::to_string).collect();
        let request = Request {
            instructions: JUDGE.to_owned(),
            messages: vec![Message::Caller {
                text: format!("The call:\n{}\n\nIs this so: {question}", lines.join("\n")),
                keys: String::new(),
            }],
            wanted: Wanted::Summary,
            ..Request::default()
        };
        let deltas = self.deltas(request).await?;
        let words = deltas.into_iter().filter_map(|(_, delta)| match delta {
            Delta::Text(text) => Some(text),
            _ => None,
        });
        let word: String = words.collect();
        match word.trim().to_lowercase() {
            word if word.starts_with("yes") => Ok(()),
            word if word.is_empty() => Err("the agent's model cannot judge".to_owned()),
            _ => Err(format!("the judge says: {}", word.trim())),
        }
    }
}

const JUDGE: &str = "You check telephone calls of an agent. Answer with `yes` if the statement is \
                     so, and with `no` and one short sentence if it is not.";

/// How many steps a turn may take.
const MOST_STEPS: usize = 500;
