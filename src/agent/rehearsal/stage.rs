//! The stage: a session with a scripted caller, transcriber, model and voice, in virtual time.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::agent::assistant::Assistant;
use crate::agent::conversation::{Message, Request, pace};
use crate::agent::event::{
    Delta, Input, Note, Output, Over, PauseId, Progress, ThoughtId, Transcript, UtteranceId,
};
use crate::agent::judgement::{Judgement, Likelihood};
use crate::agent::session::{Opening, Session};
use crate::agent::tool::{Tool, ToolCall, ToolResult, names};

/// What a scripted model gives for a request, each after so many milliseconds.
pub type Mind = Box<dyn FnMut(&Request) -> Vec<(u64, Delta)>>;

/// The stage on which a conversation is played, in steps of 10 ms.
pub struct Stage {
    start: Instant,
    now: u64,
    session: Session,
    cues: BTreeMap<(u64, usize), Cue>,
    count: usize,
    mind: Mind,
    /// The thoughts that were not wanted any more.
    pub abandoned: Vec<ThoughtId>,
    /// What the transcriber heard since it was told to listen, if it listens.
    ear: Option<String>,
    /// How long the transcriber takes; `None`: for ever.
    pub stt: Option<u64>,
    /// How long the turn model takes, and what it says; `None`: there is none.
    pub turn_model: Option<(u64, f32)>,
    /// Whether the voice works.
    pub voice: Voice,
    mouth: VecDeque<Clip>,
    paused: bool,
    /// All that was ordered and noted.
    pub log: Vec<(u64, Output)>,
    /// The utterances of which anything was heard.
    pub audible: Vec<(u64, String)>,
    /// What tools answer, and after how long.
    pub tool: (u64, Result<&'static str, &'static str>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Voice {
    Works,
    Fails,
    Hangs,
}

enum Cue {
    Fact(Input),
    Said(&'static str),
    Stopped(u64),
}

struct Clip {
    id: UtteranceId,
    text: String,
    held: bool,
    ready: u64,
    heard: u64,
    total: u64,
}

impl Stage {
    pub fn new(assistant: Assistant, first: &str, mind: Mind) -> Self {
        let start = Instant::now();
        let tool = |name: &str| Tool {
            name: name.to_owned(),
            description: String::new(),
            parameters: "{}".to_owned(),
        };
        let opening = Opening {
            instructions: "Be kind.".to_owned(),
            first_message: Some(first.to_owned()),
            tools: vec![tool(names::END_CALL), tool("look_up")],
            ..Opening::default()
        };
        Self {
            start,
            now: 0,
            session: Session::new(Arc::new(assistant), opening, start),
            cues: BTreeMap::new(),
            count: 0,
            mind,
            abandoned: Vec::new(),
            ear: None,
            stt: Some(50),
            turn_model: None,
            voice: Voice::Works,
            mouth: VecDeque::new(),
            paused: false,
            log: Vec::new(),
            audible: Vec::new(),
            tool: (100, Ok("42")),
        }
    }

    /// A stage with a model that answers `words` with a text and is done.
    pub fn with_answers(assistant: Assistant, first: &str, answers: &[(&str, &str)]) -> Self {
        let answers: Vec<(String, String)> =
            answers.iter().map(|(ask, say)| ((*ask).to_owned(), (*say).to_owned())).collect();
        let mind = move |request: &Request| {
            let asked = last_words(request);
            let answer = answers.iter().find(|(ask, _)| asked.contains(ask));
            let text = answer.map_or("What was that?", |(_, say)| say).to_owned();
            vec![(100, Delta::Text(text)), (10, Delta::Done)]
        };
        Self::new(assistant, first, Box::new(mind))
    }

    /// Lets the model have another tool.
    pub fn offer(&mut self, tool: Tool) {
        self.session.opening.tools.push(tool);
    }

    /// The caller says `words` at `at` (ms) for `length` (ms).
    pub fn caller(&mut self, at: u64, length: u64, words: &'static str) {
        self.cue(at + 60, Cue::Fact(Input::SpeechStarted));
        self.cue(at + length, Cue::Said(words));
        self.cue(at + length + 160, Cue::Stopped(at + length));
    }

    pub fn fact(&mut self, at: u64, input: Input) {
        self.cue(at, Cue::Fact(input));
    }

    pub fn keys(&mut self, at: u64, keys: &str) {
        for (index, key) in keys.chars().enumerate() {
            self.fact(at + 200 * index as u64, Input::Digit(key));
        }
    }

    /// Plays until `until` (ms).
    pub fn play(&mut self, until: u64) {
        if self.now == 0 {
            self.fact(0, Input::Began);
        }
        while self.now <= until {
            while let Some(entry) = self.cues.first_entry().filter(|cue| cue.key().0 <= self.now) {
                match entry.remove() {
                    Cue::Fact(input) => self.tell(input),
                    Cue::Said(words) => {
                        if let Some(ear) = &mut self.ear {
                            ear.push_str(words);
                        }
                    }
                    Cue::Stopped(last_voiced) => {
                        let last_voiced = self.at(last_voiced);
                        self.tell(Input::SpeechEnded { last_voiced });
                    }
                }
            }
            self.speak();
            if self.session.deadline().is_some_and(|due| due <= self.at(self.now)) {
                self.session.tick(self.at(self.now));
                self.drain();
            }
            self.now += 10;
        }
    }

    /// Who said what, by the notes; cut words end with a dash.
    pub fn transcript(&self) -> Vec<String> {
        let line = |note: &Note| match note {
            Note::CallerSaid { text, keys, .. } => Some(format!("caller: {text}{keys}")),
            Note::AgentSaid { text, interrupted: false, .. } => Some(format!("agent: {text}")),
            Note::AgentSaid { text, .. } => Some(format!("agent: {text} —")),
            Note::ToolCalled(call) => Some(format!("tool: {}", call.name)),
            Note::FalseInterruption
            | Note::Interrupted
            | Note::ToolDone { .. }
            | Note::TurnTimed { .. }
            | Note::TurnJudged { .. } => None,
        };
        self.notes().filter_map(|(_, note)| line(note)).collect()
    }

    pub fn notes(&self) -> impl Iterator<Item = (u64, &Note)> {
        self.log.iter().filter_map(|(at, output)| match output {
            Output::Note(note) => Some((*at, note)),
            _ => None,
        })
    }

    pub fn requests(&self) -> Vec<&Request> {
        self.log
            .iter()
            .filter_map(|(_, output)| match output {
                Output::Think { request, .. } => Some(request),
                _ => None,
            })
            .collect()
    }

    pub fn over(&self) -> Option<(u64, Over)> {
        self.log.iter().find_map(|(at, output)| match output {
            Output::Over(why) => Some((*at, *why)),
            _ => None,
        })
    }

    pub fn first(&self, wanted: fn(&Output) -> bool) -> Option<u64> {
        self.log.iter().find(|(_, output)| wanted(output)).map(|(at, _)| *at)
    }

    pub fn at(&self, millis: u64) -> Instant {
        self.start + Duration::from_millis(millis)
    }

    fn cue(&mut self, at: u64, cue: Cue) {
        self.count += 1;
        self.cues.insert((at, self.count), cue);
    }

    fn tell(&mut self, input: Input) {
        self.session.handle(self.at(self.now), input);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.session.poll() {
            self.log.push((self.now, output.clone()));
            self.obey(output);
        }
        let now = self.at(self.now);
        assert!(self.session.deadline().is_none_or(|due| due > now), "a deadline in the past");
    }

    fn obey(&mut self, output: Output) {
        match output {
            Output::Listen => self.ear = Some(String::new()),
            Output::Finalize(pause) => self.finalize(pause),
            Output::Judge(pause) => self.judge(pause),
            Output::Forget => self.ear = None,
            Output::Think { thought, request } => {
                let mut at = self.now;
                for (after, delta) in (self.mind)(&request) {
                    at += after;
                    self.fact(at, Input::Thought { thought, delta });
                }
            }
            Output::Abandon(thought) => self.abandoned.push(thought),
            Output::Speak(utterance) => {
                let total = pace(&utterance.spoken).as_millis() as u64 / 10 * 10 + 10;
                let ready = self.now + 50;
                let (id, text, held) = (utterance.id, utterance.text, utterance.held);
                self.mouth.push_back(Clip { id, text, held, ready, heard: 0, total });
                let progress = match self.voice {
                    Voice::Works => Progress::Voiced { at: self.at(ready) },
                    Voice::Fails => Progress::Failed,
                    Voice::Hangs => return,
                };
                self.fact(ready, Input::Spoken { utterance: id, progress });
            }
            Output::Release { through } => {
                for clip in self.mouth.iter_mut().filter(|clip| clip.id <= through) {
                    clip.held = false;
                }
            }
            Output::Pause => self.paused = true,
            // It goes on, and that is all that a rehearsal can hear of it.
            Output::Duck => {}
            Output::Resume => self.paused = false,
            Output::Flush { through } => self.flush(through),
            Output::Run(call) => {
                let (after, result) = self.tool;
                let failed = result.is_err();
                let content = result.unwrap_or_else(|why| why).to_owned();
                let result = ToolResult { id: call.id, content, failed };
                self.fact(self.now + after, Input::ToolDone(result));
            }
            Output::Note(_) | Output::Cut(_) | Output::Over(_) | Output::Speaks(_) => {}
        }
    }

    fn judge(&mut self, pause: PauseId) {
        let Some((after, probability)) = self.turn_model else { return };
        let complete = Likelihood::of(probability);
        self.fact(self.now + after, Input::Judged(Judgement { pause, complete }));
    }

    fn finalize(&mut self, pause: PauseId) {
        let Some(after) = self.stt else { return };
        let text = self.ear.clone().unwrap_or_default();
        let transcript = Transcript::Final { text, confidence: None, complete: false };
        self.fact(self.now + after, Input::Transcript { pause, transcript });
    }

    fn flush(&mut self, through: UtteranceId) {
        let (dropped, left): (VecDeque<Clip>, VecDeque<Clip>) =
            self.mouth.drain(..).partition(|clip| clip.id <= through);
        self.mouth = left;
        let heard: Vec<_> = dropped
            .iter()
            .filter(|clip| clip.heard > 0)
            .map(|clip| {
                let total = Some(Duration::from_millis(clip.total));
                (clip.id, Duration::from_millis(clip.heard), total)
            })
            .collect();
        if !heard.is_empty() {
            self.fact(self.now + 10, Input::Flushed { heard });
        }
    }

    /// Plays 10 ms of what is at the front.
    fn speak(&mut self) {
        let (now, at) = (self.now, self.at(self.now));
        let works = self.voice == Voice::Works;
        let Some(clip) = self.mouth.front_mut() else { return };
        if self.voice == Voice::Fails && clip.ready <= now {
            self.mouth.pop_front();
            return;
        }
        if self.paused || clip.held || clip.ready > now || !works {
            return;
        }
        let utterance = clip.id;
        let starts = clip.heard == 0;
        clip.heard += 10;
        let ends = clip.heard >= clip.total;
        if starts {
            self.audible.push((now, clip.text.clone()));
            self.tell(Input::Spoken { utterance, progress: Progress::Started { at } });
        }
        if ends {
            self.mouth.retain(|clip| clip.id != utterance);
            self.tell(Input::Spoken { utterance, progress: Progress::Finished { at } });
        }
    }
}

pub fn last_words(request: &Request) -> String {
    let words = |message: &Message| match message {
        Message::Caller { text, keys } => Some(format!("{text}{keys}")),
        Message::Agent { .. } | Message::ToolCall(_) | Message::ToolResult(_) => None,
    };
    request.messages.iter().rev().find_map(words).unwrap_or_default()
}

pub fn agent(text: &str, interrupted: bool) -> Message {
    Message::Agent { text: text.to_owned(), interrupted }
}

pub fn caller(text: &str, keys: &str) -> Message {
    Message::Caller { text: text.to_owned(), keys: keys.to_owned() }
}

pub fn tool_call(name: &str, arguments: &str) -> Delta {
    let (id, name) = (format!("call_{name}"), name.to_owned());
    Delta::Tool(ToolCall { id, name, arguments: arguments.to_owned() })
}
