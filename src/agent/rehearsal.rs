//! Conversations in virtual time: a session with a scripted caller, transcriber, model and voice.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use crate::agent::assistant::Assistant;
use crate::agent::conversation::{Message, Request, pace};
use crate::agent::event::{
    Delta, Input, Note, Output, Over, PauseId, Progress, ThoughtId, Transcript, UtteranceId,
};
use crate::agent::floor::State;
use crate::agent::session::{Opening, Session};
use crate::agent::speech;
use crate::agent::tool::{Tool, ToolCall, ToolResult, names};

/// What a scripted model gives for a request, each after so many milliseconds.
type Mind = Box<dyn FnMut(&Request) -> Vec<(u64, Delta)>>;

/// The stage on which a conversation is played, in steps of 10 ms.
pub struct Stage {
    start: Instant,
    now: u64,
    session: Session,
    cues: BTreeMap<(u64, usize), Cue>,
    count: usize,
    mind: Mind,
    abandoned: Vec<ThoughtId>,
    /// What the transcriber heard since it was told to listen, if it listens.
    ear: Option<String>,
    /// How long the transcriber takes; `None`: for ever.
    pub stt: Option<u64>,
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
    Stopped(u64, &'static str),
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

    /// The caller says `words` at `at` (ms) for `length` (ms).
    pub fn caller(&mut self, at: u64, length: u64, words: &'static str) {
        self.cue(at + 60, Cue::Fact(Input::SpeechStarted));
        self.cue(at + length + 160, Cue::Stopped(at + length, words));
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
                    Cue::Stopped(last_voiced, words) => {
                        if let Some(ear) = &mut self.ear {
                            ear.push_str(words);
                        }
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
            Note::FalseInterruption | Note::Interrupted | Note::TurnTimed { .. } => None,
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
        let request = |output| match output {
            &Output::Think { ref request, .. } => Some(request),
            _ => None,
        };
        self.log.iter().filter_map(|(_, output)| request(output)).collect()
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

    fn at(&self, millis: u64) -> Instant {
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
                let total = pace(&utterance.text).as_millis() as u64 / 10 * 10 + 10;
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
            Output::Resume => self.paused = false,
            Output::Flush { through } => self.flush(through),
            Output::Run(call) => {
                let (after, result) = self.tool;
                let failed = result.is_err();
                let content = result.unwrap_or_else(|why| why).to_owned();
                let result = ToolResult { id: call.id, content, failed };
                self.fact(self.now + after, Input::ToolDone(result));
            }
            Output::Note(_) | Output::Over(_) => {}
        }
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

fn last_words(request: &Request) -> String {
    let words = |message: &Message| match message {
        Message::Caller { text, keys } => Some(format!("{text}{keys}")),
        Message::Agent { .. } | Message::ToolCall(_) | Message::ToolResult(_) => None,
    };
    request.messages.iter().rev().find_map(words).unwrap_or_default()
}

fn agent(text: &str, interrupted: bool) -> Message {
    Message::Agent { text: text.to_owned(), interrupted }
}

fn caller(text: &str, keys: &str) -> Message {
    Message::Caller { text: text.to_owned(), keys: keys.to_owned() }
}

fn tool_call(name: &str, arguments: &str) -> Delta {
    let (id, name) = (format!("call_{name}"), name.to_owned());
    Delta::Tool(ToolCall { id, name, arguments: arguments.to_owned() })
}

const HOURS: (&str, &str) = ("hours", "We are open from nine to five.");
const LONG: (&str, &str) = (
    "menu",
    "Today we have soup, fish and bread. Tomorrow there will be nothing but cake. Anything else?",
);

#[test]
fn the_agent_greets_and_then_listens() {
    let mut stage = Stage::with_answers(Assistant::default(), "Hello. How can I help?", &[]);
    stage.play(4_000);
    assert_eq!(stage.transcript(), ["agent: Hello. How can I help?"]);
    assert_eq!(stage.audible[0].0, 50);
}

#[test]
fn two_turns_are_answered_at_once_and_once() {
    let mut stage = Stage::with_answers(Assistant::default(), "Hello.", &[HOURS, LONG]);
    stage.caller(2_000, 1_000, "What are your hours?");
    stage.caller(8_000, 1_000, "And the menu?");
    stage.play(20_000);
    let expected = [
        "agent: Hello.",
        "caller: What are your hours?",
        "agent: We are open from nine to five.",
        "caller: And the menu?",
        "agent: Today we have soup,",
        "agent: fish and bread.",
        "agent: Tomorrow there will be nothing but cake.",
        "agent: Anything else?",
    ];
    assert_eq!(stage.transcript()[..8], expected);
    let times = stage.notes().find_map(|(_, note)| match note {
        Note::TurnTimed { times, .. } => Some(*times),
        _ => None,
    });
    let times = times.expect("the turn was timed");
    let since = |at: Option<Instant>| at.map(|at| (at - stage.at(3_000)).as_millis());
    // Asked at 160 + 50, answered 110 later, voiced 50 later: all before the turn is taken, so
    // that the caller hears the answer when it is.
    let stages = [
        times.speech_ended,
        times.transcript,
        times.first_delta,
        times.first_audio,
        times.committed,
        times.first_packet,
    ];
    assert_eq!(stages.map(since), [160, 210, 310, 370, 300, 370].map(Some));
    let last = stage.requests()[1].messages.clone();
    let said = [agent("Hello.", false), caller("What are your hours?", "")];
    assert_eq!(last[..2], said);
    assert_eq!(last.len(), 4);
}

#[test]
fn an_interruption_leaves_only_what_was_heard() {
    let mut stage = Stage::with_answers(Assistant::default(), "Hello.", &[LONG, HOURS]);
    stage.caller(1_000, 800, "The menu?");
    stage.caller(6_000, 1_500, "No, your hours.");
    stage.play(12_000);
    let transcript = stage.transcript();
    let expected = [
        "agent: Today we have soup,",
        "agent: fish and bread.",
        "agent: Tomorrow there will —",
        "caller: No, your hours.",
        "agent: We are open from nine to five.",
    ];
    assert_eq!(transcript[2..], expected);
    assert_eq!(stage.notes().filter(|(_, note)| **note == Note::Interrupted).count(), 1);
    // Held at the edge, dropped after the least speech that counts.
    assert_eq!(stage.first(|it| *it == Output::Pause), Some(6_060));
    assert_eq!(stage.first(|it| matches!(it, Output::Flush { .. })), Some(6_460));
    let history = &stage.requests()[1].messages;
    assert_eq!(history[2], agent("Today we have soup, fish and bread. Tomorrow there will", true));
}

#[test]
fn a_cough_does_not_stop_the_agent() {
    let mut stage = Stage::with_answers(Assistant::default(), "Hello.", &[LONG]);
    stage.caller(1_000, 800, "The menu?");
    stage.caller(4_000, 150, "");
    stage.play(10_000);
    assert!(stage.notes().any(|(_, note)| *note == Note::FalseInterruption));
    assert_eq!(stage.first(|it| *it == Output::Resume), Some(4_360));
    assert!(stage.transcript().contains(&"agent: Anything else?".to_owned()));
    assert_eq!(stage.requests().len(), 1);
}

#[test]
fn a_back_channel_does_not_stop_the_agent_even_if_its_text_is_late() {
    for stt in [Some(50), Some(900), None] {
        let mut stage = Stage::with_answers(Assistant::default(), "Hello.", &[LONG]);
        stage.caller(1_000, 800, "The menu?");
        stage.play(2_500);
        stage.stt = stt;
        stage.caller(4_000, 300, "Uh-huh.");
        stage.play(12_000);
        assert_eq!(stage.notes().filter(|(_, note)| **note == Note::Interrupted).count(), 0);
        assert!(stage.transcript().contains(&"agent: Anything else?".to_owned()));
        assert_eq!(stage.requests().len(), 1, "{stt:?}");
    }
}

#[test]
fn a_short_word_that_is_no_back_channel_takes_the_floor() {
    for stt in [50, 900] {
        let mut stage = Stage::with_answers(Assistant::default(), "Hello.", &[LONG, HOURS]);
        stage.caller(1_000, 800, "The menu?");
        stage.play(2_500);
        stage.stt = Some(stt);
        stage.caller(4_000, 300, "hours!");
        stage.play(12_000);
        assert!(!stage.transcript().contains(&"agent: Anything else?".to_owned()));
        assert!(stage.transcript().contains(&"agent: We are open from nine to five.".to_owned()));
    }
}

#[test]
fn a_protected_greeting_is_heard_to_its_end_and_the_caller_is_answered_then() {
    let mut assistant = Assistant::default();
    assistant.interrupt.first_message = false;
    let first = "This call may be recorded for training.";
    let mut stage = Stage::with_answers(assistant, first, &[HOURS]);
    stage.caller(500, 1_000, "Your hours?");
    stage.play(8_000);
    let expected = [
        "agent: This call may be recorded for training.",
        "caller: Your hours?",
        "agent: We are open from nine to five.",
    ];
    assert_eq!(stage.transcript(), expected);
    assert_eq!(stage.first(|it| *it == Output::Pause), None);
}

#[test]
fn a_silent_caller_is_reminded_and_then_let_go() {
    let mut stage = Stage::with_answers(Assistant::default(), "Hello.", &[]);
    stage.play(60_000);
    let expected = [
        "agent: Hello.",
        "agent: Are you still there?",
        "agent: I am still here. How can I help you?",
        "agent: Are you still there?",
        "agent: Goodbye.",
    ];
    assert_eq!(stage.transcript(), expected);
    let (at, why) = stage.over().expect("the call ends");
    assert_eq!(why, Over::SilenceTimeout);
    assert!((30_000..33_000).contains(&at), "{at}");
}

#[test]
fn a_caller_who_speaks_during_the_last_goodbye_stays() {
    let mut assistant = Assistant::default();
    assistant.silence.remind_after = Duration::ZERO;
    assistant.goodbye = Some("I will hang up now because nobody is there.".to_owned());
    let mut stage = Stage::with_answers(assistant, "Hello.", &[HOURS]);
    stage.caller(31_500, 900, "Wait, your hours!");
    stage.play(40_000);
    assert_eq!(stage.over(), None);
    assert!(stage.transcript().contains(&"agent: We are open from nine to five.".to_owned()));
}

#[test]
fn a_withdrawn_guess_is_never_heard_or_noted() {
    let answers = [("both", "Both it is."), ("table", "A table it is.")];
    let mut stage = Stage::with_answers(Assistant::default(), "", &answers);
    stage.caller(1_000, 1_000, "I want a table.");
    stage.caller(2_210, 800, " And a chair, both.");
    stage.play(8_000);
    assert_eq!(
        stage.transcript()[..2],
        ["caller: I want a table. And a chair, both.", "agent: Both it is.",]
    );
    assert_eq!(stage.requests().len(), 2);
    assert_eq!(stage.requests()[1].messages.len(), 1);
    assert!(stage.audible.iter().all(|(_, text)| text != "A table it is."));
    assert_eq!(stage.abandoned, [ThoughtId(1)]);
}

#[test]
fn a_guess_runs_no_tool_before_the_turn_is_taken() {
    let mind = |request: &Request| match request.messages.last() {
        Some(Message::ToolResult(result)) => {
            vec![(100, Delta::Text(format!("It is {}.", result.content))), (0, Delta::Done)]
        }
        _ => vec![(10, tool_call("look_up", "{}")), (0, Delta::Done)],
    };
    let mut stage = Stage::new(Assistant::default(), "", Box::new(mind));
    stage.caller(1_000, 1_000, "What is it?");
    stage.play(4_000);
    let committed = stage.first(|it| matches!(it, Output::Note(Note::CallerSaid { .. })));
    let ran = stage.first(|it| matches!(it, Output::Run(_)));
    assert_eq!((committed, ran), (Some(2_300), Some(2_300)));
    assert_eq!(stage.transcript(), ["caller: What is it?", "tool: look_up", "agent: It is 42."]);
}

#[test]
fn words_that_come_while_the_agent_thinks_belong_to_the_same_question() {
    let mind = |request: &Request| {
        let words = last_words(request);
        vec![(2_000, Delta::Text(format!("You said {words}."))), (0, Delta::Done)]
    };
    let mut assistant = Assistant::default();
    assistant.fallback.hold_after = Duration::from_secs(5);
    let mut stage = Stage::new(assistant, "", Box::new(mind));
    stage.caller(1_000, 1_000, "I want a room");
    stage.caller(3_000, 700, "for two");
    stage.play(9_000);
    let expected =
        ["caller: I want a room", "caller: for two", "agent: You said I want a room for two."];
    assert_eq!(stage.transcript(), expected);
}

#[test]
fn a_cough_while_the_agent_thinks_does_not_lose_the_question() {
    for noise in ["", "mhm"] {
        let mind = |_: &Request| vec![(1_000, Delta::Text("Yes.".to_owned())), (0, Delta::Done)];
        let mut stage = Stage::new(Assistant::default(), "", Box::new(mind));
        stage.caller(1_000, 1_000, "Is it open?");
        stage.caller(2_500, 150, noise);
        stage.play(6_000);
        assert_eq!(stage.transcript(), ["caller: Is it open?", "agent: Yes."]);
    }
}

#[test]
fn a_text_that_never_comes_does_not_hold_up_the_call() {
    let mut stage = Stage::with_answers(Assistant::default(), "", &[]);
    stage.stt = None;
    stage.caller(1_000, 900, "Is it open?");
    stage.play(8_000);
    assert_eq!(stage.transcript()[..2], ["caller: ", "agent: What was that?"]);
}

#[test]
fn a_text_that_comes_late_is_thought_about_again() {
    let mind = |request: &Request| {
        let words = last_words(request);
        vec![(1_000, Delta::Text(format!("You said {words}."))), (0, Delta::Done)]
    };
    let mut stage = Stage::new(Assistant::default(), "", Box::new(mind));
    stage.stt = Some(2_400);
    stage.caller(1_000, 900, "Open?");
    stage.play(7_000);
    let expected =
        ["caller: ", "caller: Open?", "agent: One moment, please.", "agent: You said Open?."];
    assert_eq!(stage.transcript(), expected);
}

#[test]
fn the_goodbye_is_heard_to_its_end_before_the_call_ends() {
    for (text, last) in
        [("Thank you for calling us.", "Thank you for calling us."), ("", "Goodbye.")]
    {
        let mind = move |_: &Request| {
            vec![
                (100, Delta::Text(text.to_owned())),
                (0, tool_call(names::END_CALL, "{}")),
                (0, Delta::Done),
            ]
        };
        let mut stage = Stage::new(Assistant::default(), "", Box::new(mind));
        stage.caller(1_000, 600, "Bye!");
        // A cough does not keep the call.
        stage.caller(2_200, 100, "");
        stage.play(8_000);
        let last = format!("agent: {last}");
        assert_eq!(stage.transcript().last(), Some(&last));
        let (at, why) = stage.over().expect("the call ends");
        let heard = stage.notes().find(|(_, note)| matches!(note, Note::AgentSaid { .. }));
        assert_eq!(why, Over::AgentEnded);
        assert_eq!(heard.map(|(at, _)| at), Some(at));
    }
}

#[test]
fn a_caller_who_interrupts_the_goodbye_is_heard() {
    let mind = |request: &Request| {
        if last_words(request).contains("Bye") {
            let text = "Thank you very much for calling us today.".to_owned();
            return vec![
                (100, Delta::Text(text)),
                (0, tool_call("end_call", "{}")),
                (0, Delta::Done),
            ];
        }
        vec![(100, Delta::Text("From nine.".to_owned())), (0, Delta::Done)]
    };
    let mut stage = Stage::new(Assistant::default(), "", Box::new(mind));
    stage.caller(1_000, 600, "Bye!");
    stage.caller(3_000, 900, "Oh, and your hours?");
    stage.play(7_000);
    assert_eq!(stage.over(), None);
    assert_eq!(stage.transcript().last(), Some(&"agent: From nine.".to_owned()));
}

#[test]
fn a_model_that_only_calls_tools_is_made_to_speak() {
    let mind = |request: &Request| {
        if request.tools.is_empty() {
            return vec![(50, Delta::Text("I found nothing.".to_owned())), (0, Delta::Done)];
        }
        vec![
            (50, tool_call("look_up", "{}")),
            (0, tool_call("no_such_tool", "{}")),
            (0, Delta::Done),
        ]
    };
    let mut stage = Stage::new(Assistant::default(), "", Box::new(mind));
    stage.caller(1_000, 600, "Find it!");
    stage.play(6_000);
    let runs = stage.log.iter().filter(|(_, it)| matches!(it, Output::Run(_))).count();
    assert_eq!(runs, 2);
    assert_eq!(stage.transcript().last(), Some(&"agent: I found nothing.".to_owned()));
    let history = stage.requests()[2].messages.clone();
    let results = history.iter().filter(|it| matches!(it, Message::ToolResult(_))).count();
    assert_eq!(results, 4);
    // The next turn has tools again.
    stage.caller(7_000, 600, "Again!");
    stage.play(8_000);
    assert_eq!(stage.requests()[3].tools.len(), 2);
}

#[test]
fn a_model_that_never_stops_calling_tools_fails() {
    let mind = |_: &Request| vec![(50, tool_call("look_up", "{}")), (0, Delta::Done)];
    let mut stage = Stage::new(Assistant::default(), "", Box::new(mind));
    stage.caller(1_000, 600, "Find it!");
    stage.play(9_000);
    let fallback = "agent: I am sorry, I could not find an answer.";
    assert!(stage.transcript().iter().any(|line| line.starts_with(fallback)));
}

#[test]
fn a_transfer_begins_after_its_announcement_and_its_failure_is_told() {
    let mind = |request: &Request| match request.messages.last() {
        Some(Message::ToolResult(result)) => {
            vec![(100, Delta::Text(format!("Sorry, {}.", result.content))), (0, Delta::Done)]
        }
        _ => vec![
            (100, Delta::Text("I am connecting you.".to_owned())),
            (0, tool_call(names::TRANSFER_CALL, r#"{"to": "sales"}"#)),
            (0, Delta::Done),
        ],
    };
    let mut stage = Stage::new(Assistant::default(), "", Box::new(mind));
    stage.tool = (3_000, Err("busy"));
    stage.caller(1_000, 600, "Sales!");
    // Nobody listens while the call is being connected.
    stage.caller(5_000, 600, "Hello?");
    stage.play(10_000);
    let announced = stage.notes().find(|(_, note)| matches!(note, Note::AgentSaid { .. }));
    let ran = stage.first(|it| matches!(it, Output::Run(_)));
    assert_eq!(announced.map(|(at, _)| at), ran);
    let expected = [
        "caller: Sales!",
        "tool: transfer_call",
        "agent: I am connecting you.",
        "agent: Sorry, busy.",
    ];
    assert_eq!(stage.transcript(), expected);
}

#[test]
fn a_model_that_stalls_is_bridged_then_given_up_and_at_last_the_call_ends() {
    let mind = |_: &Request| Vec::new();
    let mut stage = Stage::new(Assistant::default(), "", Box::new(mind));
    for turn in 0..3 {
        stage.caller(1_000 + 20_000 * turn, 1_000, "Is it open?");
    }
    stage.play(70_000);
    let turn = ["caller: Is it open?", "agent: One moment, please."];
    let fallback = "agent: I am sorry, I could not find an answer. Could you say that again?";
    let transcript = stage.transcript();
    let transcript: Vec<&str> =
        transcript.iter().map(String::as_str).filter(|line| !line.contains("still")).collect();
    assert_eq!(transcript[..3], [turn[0], turn[1], fallback]);
    assert_eq!(transcript[3..6], [turn[0], turn[1], fallback]);
    assert_eq!(transcript[6..8], turn);
    assert!(transcript[8].starts_with("agent: I am very sorry"));
    assert_eq!(stage.over().map(|(_, why)| why), Some(Over::ProviderError));
    // The caller's last sample is at 2000.
    let hold = stage.audible[0].0;
    assert!(hold <= 4_000, "the holding phrase comes after {hold} ms");
}

#[test]
fn a_model_that_fails_is_excused_and_the_call_goes_to_a_human() {
    let mind = |_: &Request| vec![(100, Delta::Failed)];
    let mut assistant = Assistant::default();
    assistant.fallback.tries = 2;
    assistant.fallback.to = Some("desk".to_owned());
    let desk = crate::agent::assistant::Transfer {
        to: "busy".parse().expect("a destination"),
        description: String::new(),
        say: Some("I am getting a colleague.".to_owned()),
    };
    assistant.transfers.insert("desk".to_owned(), desk);
    let mut stage = Stage::new(assistant, "", Box::new(mind));
    stage.tool = (500, Err("busy"));
    stage.caller(1_000, 1_000, "Is it open?");
    stage.caller(9_000, 1_000, "Is it open?");
    stage.play(30_000);
    let run = stage.log.iter().find_map(|(_, it)| match it {
        Output::Run(call) => call.argument("to"),
        _ => None,
    });
    assert_eq!(run.as_deref(), Some("desk"));
    let transcript = stage.transcript();
    assert_eq!(transcript[4], "agent: I am getting a colleague.");
    assert!(transcript[5].starts_with("agent: I am very sorry"));
    assert_eq!(stage.over().map(|(_, why)| why), Some(Over::ProviderError));
}

#[test]
fn a_caller_who_stops_the_fallback_transfer_is_not_punished_for_it_later() {
    let mut failures = 0;
    let mind = move |request: &Request| match request.messages.last() {
        Some(Message::ToolResult(result)) if !result.failed => {
            vec![(100, Delta::Text(format!("It is {}.", result.content))), (0, Delta::Done)]
        }
        _ if failures == 0 => {
            failures += 1;
            vec![(100, Delta::Failed)]
        }
        _ => vec![(100, tool_call("look_up", "{}")), (0, Delta::Done)],
    };
    let mut assistant = Assistant::default();
    assistant.turns.preemptive = false;
    assistant.fallback.tries = 1;
    assistant.fallback.to = Some("desk".to_owned());
    let (to, description) = ("busy".parse().expect("a destination"), String::new());
    let say = Some("I am getting a colleague who can help you.".to_owned());
    let desk = crate::agent::assistant::Transfer { to, description, say };
    assistant.transfers.insert("desk".to_owned(), desk);
    let mut stage = Stage::new(assistant, "", Box::new(mind));
    stage.caller(1_000, 1_000, "What is it?");
    stage.caller(3_000, 1_000, "No, what is it?");
    stage.play(8_000);
    assert_eq!(stage.transcript().last(), Some(&"agent: It is 42.".to_owned()));
    assert_eq!(stage.over(), None);
}

#[test]
fn a_voice_that_fails_or_hangs_does_not_hold_the_caller_for_ever() {
    for voice in [Voice::Fails, Voice::Hangs] {
        let mut stage = Stage::with_answers(Assistant::default(), "Hello.", &[HOURS]);
        stage.voice = voice;
        stage.caller(15_000, 1_000, "Your hours?");
        stage.play(90_000);
        assert_eq!(stage.over().map(|(_, why)| why), Some(Over::ProviderError), "{voice:?}");
        assert!(stage.audible.is_empty());
        assert!(stage.transcript().iter().all(|line| !line.starts_with("agent")));
    }
}

#[test]
fn keys_are_a_turn_and_stop_the_agent() {
    let answers = [("123", "Thank you."), ("7", "Seven.")];
    let mut stage =
        Stage::with_answers(Assistant::default(), "Please enter your number.", &answers);
    stage.keys(500, "123#");
    stage.keys(4_000, "7");
    stage.play(7_000);
    let expected =
        ["agent: Please —", "caller: 123", "agent: Thank you.", "caller: 7", "agent: Seven."];
    assert_eq!(stage.transcript(), expected);
    assert_eq!(stage.first(|it| matches!(it, Output::Think { .. })), Some(1_100));
    let committed: Vec<u64> = stage
        .notes()
        .filter(|(_, note)| matches!(note, Note::CallerSaid { .. }))
        .map(|(at, _)| at)
        .collect();
    assert_eq!(committed, [1_100, 5_200]);
}

#[test]
fn an_agent_that_cannot_be_interrupted_answers_afterwards() {
    let mut assistant = Assistant::default();
    assistant.interrupt.enabled = false;
    let mut stage = Stage::with_answers(assistant, "", &[LONG, HOURS]);
    stage.caller(1_000, 800, "The menu?");
    stage.caller(4_000, 300, "Okay.");
    stage.caller(5_000, 800, "Your hours?");
    stage.play(14_000);
    let transcript = stage.transcript();
    let after: Vec<&str> = transcript.iter().map(String::as_str).skip(4).collect();
    let expected =
        ["agent: Anything else?", "caller: Your hours?", "agent: We are open from nine to five."];
    assert_eq!(after, expected);
}

#[test]
fn a_call_that_is_wound_up_ends_with_a_goodbye_that_cannot_be_interrupted() {
    let mut stage = Stage::with_answers(Assistant::default(), "", &[LONG]);
    stage.caller(1_000, 800, "The menu?");
    stage.fact(3_000, Input::WindUp);
    stage.caller(3_100, 900, "What?");
    stage.play(9_000);
    assert_eq!(stage.transcript().last(), Some(&"agent: Goodbye.".to_owned()));
    assert_eq!(stage.over().map(|(_, why)| why), Some(Over::WoundUp));
}

#[test]
fn the_longest_call_ends_whatever_the_caller_does() {
    let mut assistant = Assistant::default();
    assistant.limits.max_duration = Duration::from_secs(5);
    let mut stage = Stage::with_answers(assistant, "", &[]);
    stage.caller(4_500, 9_000, "And another thing");
    stage.play(9_000);
    assert_eq!(stage.over().map(|(_, why)| why), Some(Over::MaxDuration));
    assert_eq!(stage.transcript(), ["agent: Goodbye."]);
}

/// Any input, with small identities so that some of them fit.
fn any_input() -> impl Strategy<Value = Script> {
    let text = prop_oneof![
        Just(""),
        Just("mhm"),
        Just("What are your hours?"),
        Just("I want to"),
        Just("Bye. And, well, thank you. "),
    ];
    let small = 1..6u64;
    prop_oneof![
        Just(Script::Starts),
        (0..400u64).prop_map(Script::Ends),
        (small.clone(), text.clone()).prop_map(|(pause, text)| Script::Final(pause, text)),
        text.clone().prop_map(Script::Partial),
        small.clone().prop_map(Script::Failed),
        "[0-9*#x]".prop_map(|key| Script::Key(key.chars().next().unwrap_or('0'))),
        text.prop_map(Script::Text),
        prop_oneof![Just("end_call"), Just("transfer_call"), Just("look_up"), Just("?")]
            .prop_map(Script::Tool),
        Just(Script::Done),
        Just(Script::ThoughtFailed),
        (small, 0..4u8).prop_map(|(utterance, what)| Script::Spoken(utterance, what)),
        (0..5u64).prop_map(Script::Flushed),
        Just(Script::ToolDone),
        Just(Script::StaleThought),
        Just(Script::WindUp),
    ]
}

#[derive(Debug, Clone)]
enum Script {
    Starts,
    Ends(u64),
    Final(u64, &'static str),
    Partial(&'static str),
    Failed(u64),
    Key(char),
    Text(&'static str),
    Tool(&'static str),
    Done,
    ThoughtFailed,
    StaleThought,
    Spoken(u64, u8),
    Flushed(u64),
    ToolDone,
    WindUp,
}

/// A session that is fed anything, and what must hold of it all the same.
struct Ordeal {
    session: Session,
    now: Instant,
    last_thought: Option<ThoughtId>,
    abandoned: Option<ThoughtId>,
    spoken: UtteranceId,
    flushed: UtteranceId,
    running: Option<ToolCall>,
    over: bool,
    log: String,
}

impl Ordeal {
    fn new(start: Instant, protected: bool) -> Self {
        let mut assistant = Assistant::default();
        assistant.interrupt.enabled = !protected;
        let tool = |name: &str| Tool {
            name: name.to_owned(),
            description: String::new(),
            parameters: String::new(),
        };
        let opening = Opening {
            instructions: String::new(),
            first_message: Some("Hello, this is a test.".to_owned()),
            tools: vec![tool("look_up"), tool("transfer_call")],
        };
        Self {
            session: Session::new(Arc::new(assistant), opening, start),
            now: start,
            last_thought: None,
            abandoned: None,
            spoken: UtteranceId::default(),
            flushed: UtteranceId::default(),
            running: None,
            over: false,
            log: String::new(),
        }
    }

    /// Feeds one input; gives how many utterances were ordered.
    fn feed(&mut self, input: Input) -> usize {
        self.session.handle(self.now, input);
        self.check()
    }

    fn check(&mut self) -> usize {
        let mut spoken = 0;
        while let Some(output) = self.session.poll() {
            assert!(!self.over, "{output:?} after the end");
            self.log.push_str(&format!("{output:?}\n"));
            match output {
                Output::Think { thought, .. } => {
                    assert!(self.last_thought.is_none_or(|last| last < thought));
                    self.last_thought = Some(thought);
                }
                Output::Abandon(thought) => self.abandoned = Some(thought),
                Output::Speak(utterance) => {
                    assert!(utterance.id > self.spoken && !utterance.text.is_empty());
                    self.spoken = utterance.id;
                    spoken += 1;
                }
                Output::Release { through } => assert!(through > self.flushed),
                Output::Flush { through } => {
                    assert!(through > self.flushed && through <= self.spoken);
                    self.flushed = through;
                }
                Output::Run(call) => self.running = Some(call),
                Output::Over(_) => self.over = true,
                Output::Listen
                | Output::Finalize(_)
                | Output::Forget
                | Output::Pause
                | Output::Resume
                | Output::Note(_) => {}
            }
        }
        assert!(self.session.deadline().is_none_or(|due| due > self.now));
        let quiet = match self.session.turn.state() {
            State::Listening | State::Hearing { .. } => self.session.speech.is_idle(),
            State::Deciding(_) => {
                self.session.speech.first().is_none_or(|line| line.stage == speech::Stage::Held)
            }
            State::Thinking(_) => self.session.speech.is_idle(),
            State::Speaking(_) | State::Yielding(_) => true,
        };
        assert!(quiet || self.over, "speech in {:?}", self.session.turn.state());
        assert!(self.over == self.session.deadline().is_none() || self.log.is_empty());
        spoken
    }

    fn play(&mut self, script: Script) {
        let thought = self.last_thought.unwrap_or_default();
        let delta = |delta| Input::Thought { thought, delta };
        let id = UtteranceId(self.spoken.0.saturating_sub(2));
        let input = match script {
            Script::Starts => Input::SpeechStarted,
            Script::Ends(ago) => {
                let ago = Duration::from_millis(ago);
                Input::SpeechEnded { last_voiced: self.now.checked_sub(ago).unwrap_or(self.now) }
            }
            Script::Final(pause, text) => Input::Transcript {
                pause: PauseId(pause),
                transcript: Transcript::Final {
                    text: text.to_owned(),
                    confidence: None,
                    complete: pause % 2 == 0,
                },
            },
            Script::Partial(text) => Input::Transcript {
                pause: PauseId(1),
                transcript: Transcript::Partial { text: text.to_owned() },
            },
            Script::Failed(pause) => {
                Input::Transcript { pause: PauseId(pause), transcript: Transcript::Failed }
            }
            Script::Key(key) => Input::Digit(key),
            Script::Text(text) => delta(Delta::Text(text.to_owned())),
            Script::Tool(name) => delta(tool_call(name, "{}")),
            Script::Done => delta(Delta::Done),
            Script::ThoughtFailed => delta(Delta::Failed),
            Script::StaleThought => return self.play_stale(),
            Script::Spoken(utterance, what) => {
                let at = self.now;
                let progress = match what {
                    0 => Progress::Voiced { at },
                    1 => Progress::Started { at },
                    2 => Progress::Finished { at },
                    _ => Progress::Failed,
                };
                Input::Spoken { utterance: UtteranceId(id.0 + utterance - 1), progress }
            }
            Script::Flushed(count) => {
                let heard = Duration::from_millis(300);
                let heard = (0..count).map(|n| (UtteranceId(id.0 + n), heard, Some(heard * 2)));
                Input::Flushed { heard: heard.collect() }
            }
            Script::ToolDone => {
                let id = self.running.take().map(|call| call.id).unwrap_or_default();
                Input::ToolDone(ToolResult { id, content: String::new(), failed: false })
            }
            Script::WindUp => Input::WindUp,
        };
        self.feed(input);
    }

    /// An abandoned thought goes on: nothing of it is spoken.
    fn play_stale(&mut self) {
        let Some(thought) = self.abandoned else { return };
        self.session.tick(self.now);
        self.check();
        for delta in [Delta::Text("A stale word. And".to_owned()), Delta::Done, Delta::Failed] {
            assert_eq!(self.feed(Input::Thought { thought, delta }), 0);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn whatever_is_fed_a_session_keeps_its_laws(
        script in proptest::collection::vec((any_input(), 0..1_500u64, any::<bool>()), 1..80),
        protected in any::<bool>(),
    ) {
        let start = Instant::now() + Duration::from_secs(10);
        let mut logs = Vec::new();
        for _ in 0..2 {
            let mut ordeal = Ordeal::new(start, protected);
            ordeal.feed(Input::Began);
            for (input, after, ticks) in script.clone() {
                ordeal.now += Duration::from_millis(after);
                if ticks {
                    ordeal.session.tick(ordeal.now);
                    ordeal.check();
                }
                ordeal.play(input);
            }
            logs.push(ordeal.log);
        }
        prop_assert_eq!(&logs[0], &logs[1]);
    }

    #[test]
    fn left_alone_every_call_comes_to_an_end(
        script in proptest::collection::vec((any_input(), 0..1_500u64), 0..40),
    ) {
        let mut ordeal = Ordeal::new(Instant::now() + Duration::from_secs(10), false);
        ordeal.feed(Input::Began);
        for (input, after) in script {
            ordeal.now += Duration::from_millis(after);
            ordeal.play(input);
        }
        let mut steps = 0;
        while let Some(due) = ordeal.session.deadline() {
            ordeal.now = due.max(ordeal.now);
            ordeal.session.tick(ordeal.now);
            ordeal.check();
            steps += 1;
            prop_assert!(steps < 1_000, "the call goes on and on");
        }
        prop_assert!(ordeal.over);
    }
}
