//! The ordeal: a session is fed anything, and its laws hold all the same.

use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::stage::tool_call;
use crate::agent::assistant::{Assistant, Detector};
use crate::agent::event::{
    Delta, Input, Note, Output, PauseId, Progress, ThoughtId, Transcript, UtteranceId,
};
use crate::agent::floor::State;
use crate::agent::judgement::{Judgement, Likelihood};
use crate::agent::session::{Opening, Session};
use crate::agent::speech;
use crate::agent::tool::{Tool, ToolCall, ToolResult};

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
        Just(Script::Fades),
        Just(Script::Returns),
        (0..400u64).prop_map(Script::Ends),
        (small.clone(), text.clone()).prop_map(|(pause, text)| Script::Final(pause, text)),
        text.clone().prop_map(Script::Partial),
        small.clone().prop_map(Script::Failed),
        (small.clone(), 0..3u8).prop_map(|(pause, what)| Script::Judged(pause, what)),
        "[0-9*#x]".prop_map(|key| Script::Key(key.chars().next().unwrap_or('0'))),
        text.clone().prop_map(Script::Write),
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
    Fades,
    Returns,
    Ends(u64),
    Final(u64, &'static str),
    Partial(&'static str),
    Failed(u64),
    Judged(u64, u8),
    Key(char),
    Write(&'static str),
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

/// What is in every text of a thought.
fn mark(thought: ThoughtId) -> String {
    format!("Thought number {} says so. ", thought.0)
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
    /// The thought about a turn that is not taken.
    guessing: Option<ThoughtId>,
    /// Those that came to nothing.
    withdrawn: Vec<ThoughtId>,
    over: bool,
    log: String,
}

impl Ordeal {
    fn new(start: Instant, protected: bool) -> Self {
        let mut assistant = Assistant::default();
        assistant.interrupt.enabled = !protected;
        assistant.turns.detector = Some(Detector::Smart);
        let tool = |name: &str| Tool {
            name: name.to_owned(),
            description: String::new(),
            parameters: String::new(),
        };
        let opening = Opening {
            instructions: String::new(),
            first_message: Some("Hello, this is a test.".to_owned()),
            tools: vec![tool("look_up"), tool("transfer_call")],
            ..Opening::default()
        };
        Self {
            session: Session::new(Arc::new(assistant), opening, start),
            now: start,
            last_thought: None,
            abandoned: None,
            spoken: UtteranceId::default(),
            flushed: UtteranceId::default(),
            running: None,
            guessing: None,
            withdrawn: Vec::new(),
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
            self.keeps_secret(&output);
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
                | Output::Judge(_)
                | Output::Forget
                | Output::Pause
                | Output::Duck
                | Output::Resume
                | Output::Note(_)
                | Output::Cut(_)
                | Output::Speaks(_) => {}
            }
        }
        self.guessing = self.last_thought.filter(|_| self.session.answer.is_guess());
        let secrets = self.withdrawn.iter().chain(&self.guessing);
        let told = format!("{:?}", self.session.conversation.messages());
        assert!(secrets.into_iter().all(|it| !told.contains(&mark(*it))), "{told}");
        assert!(self.session.deadline().is_none_or(|due| due > self.now));
        let quiet = match self.session.turn.state() {
            State::Listening => self.session.speech.is_idle(),
            State::Hearing(_) | State::Deciding(_) => {
                self.session.speech.first().is_none_or(|line| line.stage == speech::Stage::Held)
            }
            State::Thinking(_) => self.session.speech.is_idle(),
            State::Speaking(_) | State::Yielding(_) => true,
        };
        assert!(quiet || self.over, "speech in {:?}", self.session.turn.state());
        assert!(self.over == self.session.deadline().is_none() || self.log.is_empty());
        spoken
    }

    /// What is thought before a turn is taken is neither heard nor done.
    fn keeps_secret(&mut self, output: &Output) {
        match output {
            Output::Note(Note::CallerSaid { .. }) => self.guessing = None,
            Output::Abandon(_) => self.withdrawn.extend(self.guessing.take()),
            Output::Speak(utterance) => assert!(utterance.held || self.guessing.is_none()),
            Output::Run(_) | Output::Release { .. } => assert!(self.guessing.is_none()),
            _ => {}
        }
    }

    fn play(&mut self, script: Script) {
        let thought = self.last_thought.unwrap_or_default();
        let delta = |delta| Input::Thought { thought, delta };
        let id = UtteranceId(self.spoken.0.saturating_sub(2));
        let input = match script {
            Script::Starts => Input::SpeechStarted,
            Script::Fades => Input::SpeechFaded,
            Script::Returns => Input::SpeechReturned,
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
            Script::Judged(pause, what) => {
                let complete = Likelihood::of(f32::from(what) / 2.0);
                Input::Judged(Judgement { pause: PauseId(pause), complete })
            }
            Script::Key(key) => Input::Digit(key),
            Script::Write(text) => Input::Wrote(text.to_owned()),
            Script::Text(text) => delta(Delta::Text(format!("{text} {}", mark(thought)))),
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
