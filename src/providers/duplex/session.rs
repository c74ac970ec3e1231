//! One call in the hands of OpenAI's realtime model: a machine without a socket. Orders of the call
//! and words of the vendor go in; messages to the vendor, texts, words and sounds come out.
//!
//! The conversation is the agent's own. What the vendor cannot know of it (fixed lines, keys, what
//! tools gave) is told before an answer is asked for, and what was not heard is taken back.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;

use super::event::{message, take_out};
use super::items;
use super::settings::Settings;
use super::track::Track;
use super::turn::{Turn, rate};
use crate::agent::conversation::{Message as Said, Request};
use crate::agent::event::{Delta, PauseId, Portion, ThoughtId, Transcript, UtteranceId};
use crate::base::price::Amount;
use crate::providers::error::ProviderError;
use crate::providers::realtime::Format;
use crate::providers::transcriber::{Context, Heard};

/// What the call orders.
pub(super) enum Order {
    /// Texts go there.
    Listen(mpsc::Sender<Heard>, Context),
    /// The caller's turn begins.
    Begin,
    /// It goes on.
    Hear(Vec<i16>),
    /// The caller paused.
    Finalize(PauseId),
    /// The turn was taken or came to nothing.
    Forget,
    /// An answer is wanted.
    Think(Wanted),
    /// An answer is not wanted.
    Abandon(ThoughtId),
    /// A line is to be said.
    Line(u64, String, Arc<Track>),
    /// Nobody hears that line any more.
    Hush(u64),
    /// A line of the session's own is said by somebody.
    Said(UtteranceId, String),
    /// So much was heard.
    Cut(Vec<Portion>),
    /// The leg speaks this.
    Attune(Format),
}

/// An answer that is wanted.
pub(super) struct Wanted {
    pub request: Request,
    pub words: mpsc::Sender<Result<Delta, ProviderError>>,
    pub track: Arc<Track>,
    /// Whether another socket was asked before.
    pub is_again: bool,
}

/// An answer in the making, or one that may still be cut.
pub(super) struct Answer {
    pub(super) wanted: Wanted,
    /// What the vendor calls it.
    pub(super) response: Option<String>,
    /// Its words in the vendor's conversation, each with its first sample.
    pub(super) items: Vec<(String, usize)>,
    pub(super) format: Format,
    pub(super) half: Option<u8>,
    /// How long its text is.
    pub(super) length: usize,
    /// How its words end.
    pub(super) ending: Ending,
    /// Whether it said or called anything.
    pub(super) has_begun: bool,
    pub(super) is_over: bool,
    pub(super) is_abandoned: bool,
    /// How many samples of it were heard, if it was cut.
    pub(super) cut: Option<usize>,
    /// Whether the vendor knows how much was heard.
    pub(super) is_told: bool,
}

/// How words end: at the end of a sentence there may be a clause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// With so many letters in a row.
    Letters(usize),
    /// With the mark that ends a sentence.
    Sentence,
}

impl Ending {
    /// How they end after more of them. A number or a short form ends no sentence.
    pub fn after(mut self, more: &str) -> Self {
        for letter in more.chars() {
            self = match (self, letter) {
                (Self::Letters(count), it) if it.is_alphabetic() => Self::Letters(count + 1),
                (Self::Letters(3..), '.' | '!' | '?' | '…') => Self::Sentence,
                (Self::Sentence, it) if it.is_whitespace() => Self::Sentence,
                (_, it) => Self::Letters(usize::from(it.is_alphabetic())),
            };
        }
        self
    }
}

/// A line that is said beside the conversation.
pub(super) struct Line {
    pub(super) number: u64,
    pub(super) response: Option<String>,
    pub(super) track: Arc<Track>,
    pub(super) format: Format,
    pub(super) half: Option<u8>,
}

/// The machine.
pub(super) struct Session {
    pub(super) settings: Arc<Settings>,
    pub(super) context: Context,
    pub(super) format: Format,
    /// To be sent, in order.
    pub out: Vec<Message>,
    /// To be told, in order.
    pub tell: Vec<Heard>,
    pub listener: Option<mpsc::Sender<Heard>>,
    pub turn: Option<Turn>,
    /// A turn that was taken while its answer waits.
    pub(super) taken: Option<Turn>,
    /// Numbers of commits that the vendor has still to name, in order.
    pub(super) unnamed: VecDeque<u64>,
    /// Those of them that came to nothing.
    pub(super) doomed: Vec<u64>,
    pub(super) commits: u64,
    pub(super) answers: VecDeque<Answer>,
    /// The thought that the vendor thinks.
    pub(super) active: Option<ThoughtId>,
    pub(super) waiting: Option<Wanted>,
    pub(super) lines: Vec<Line>,
    /// Lines of the session's own that the vendor does not know of.
    pub(super) said: VecDeque<(UtteranceId, String)>,
    /// Calls of tools whose results it does not know, with their items.
    pub(super) calls: Vec<(String, String)>,
    /// The caller's words that it knows of: after so many messages, with these keys.
    pub(super) typed: (usize, String),
    /// Its instructions and tools.
    pub(super) told: (String, Value),
    /// Whether the socket knows nothing of the conversation.
    pub(super) is_fresh: bool,
    pub(super) items: u64,
    /// Whether the vendor did what it was asked on this socket.
    pub(super) has_served: bool,
    /// What lines and withdrawn answers took: told with the next answer that somebody waits for.
    pub(super) owed: Vec<Amount>,
}

impl Session {
    /// Nothing was said.
    pub fn new(settings: Arc<Settings>, context: Context) -> Self {
        Self {
            settings,
            context,
            format: Format::default(),
            out: Vec::new(),
            tell: Vec::new(),
            listener: None,
            turn: None,
            taken: None,
            unnamed: VecDeque::new(),
            doomed: Vec::new(),
            commits: 0,
            answers: VecDeque::new(),
            active: None,
            waiting: None,
            lines: Vec::new(),
            said: VecDeque::new(),
            calls: Vec::new(),
            typed: (0, String::new()),
            told: (String::new(), Value::Null),
            is_fresh: true,
            items: 0,
            has_served: false,
            owed: Vec::new(),
        }
    }

    /// Whether an answer has to wait for the vendor: it must not for long.
    pub fn waits(&self) -> bool {
        self.waiting.is_some()
    }

    /// Whether nothing is under way, so that the socket may be changed for another.
    pub fn is_idle(&self) -> bool {
        let speaks = self.answers.iter().any(|answer| !answer.is_over) || !self.lines.is_empty();
        self.turn.is_none() && self.active.is_none() && !self.waits() && !speaks
    }

    /// A socket is open that knows nothing.
    pub fn opened(&mut self) {
        self.is_fresh = true;
        self.out.clear();
        let session = self.description();
        self.out.push(message(&json!({ "type": "session.update", "session": session })));
        if let Some(turn) = &mut self.turn {
            self.out.extend(turn.again(self.format));
            if let Some(pause) = turn.asked.take() {
                self.finalize(pause);
            }
        }
        self.go_on();
    }

    /// The socket is gone, and what it knew with it.
    pub fn broke(&mut self, why: &ProviderError) {
        self.is_fresh = true;
        (self.active, self.taken) = (None, None);
        self.unnamed.clear();
        self.doomed.clear();
        self.calls.clear();
        self.out.clear();
        for line in self.lines.drain(..) {
            line.track.fail(why.clone());
        }
        for mut answer in self.answers.drain(..).filter(|it| !it.is_over && !it.is_abandoned) {
            if !answer.has_begun && !answer.wanted.is_again {
                answer.wanted.is_again = true;
                self.waiting.get_or_insert(answer.wanted);
                continue;
            }
            answer.wanted.track.fail(why.clone());
            answer.wanted.words.try_send(Err(why.clone())).ok();
        }
        if let Some(turn) = &mut self.turn {
            turn.commits.clear();
        }
    }

    /// No other socket is to be had: nobody waits in vain.
    pub fn gives_up(&mut self, why: &ProviderError) {
        self.broke(why);
        if let Some(wanted) = self.waiting.take() {
            wanted.track.fail(why.clone());
            wanted.words.try_send(Err(why.clone())).ok();
        }
        self.unheard();
    }

    /// The text of the last pause does not come.
    pub fn unheard(&mut self) {
        let Some(turn) = &mut self.turn else { return };
        let Some(pause) = turn.asked.take() else { return };
        let text = turn.words();
        let transcript = match text.is_empty() {
            true => Transcript::Failed,
            false => Transcript::Final { text, confidence: None, complete: false },
        };
        self.tell.push(Heard { pause, transcript });
    }

    /// Takes an order.
    pub fn order(&mut self, order: Order) {
        match order {
            Order::Listen(listener, context) => {
                if context.language != self.context.language {
                    self.context = context;
                    let input = json!({ "transcription": self.transcription() });
                    self.update(json!({ "audio": { "input": input } }));
                }
                self.listener = Some(listener);
            }
            Order::Begin => {
                self.came_to_nothing();
                self.turn = Some(Turn::default());
            }
            Order::Hear(samples) => {
                if let Some(turn) = &mut self.turn {
                    self.out.push(turn.hear(&samples, self.format));
                }
            }
            Order::Finalize(pause) => self.finalize(pause),
            Order::Forget => self.forget(),
            Order::Think(wanted) => {
                if let Some(turn) = &mut self.turn {
                    turn.answered_by = Some(wanted.request.thought);
                } else {
                    self.was_taken(&wanted.request);
                }
                self.waiting = Some(wanted);
                self.go_on();
            }
            Order::Abandon(thought) => self.abandon(thought),
            Order::Line(number, text, track) => self.say(number, &text, track),
            Order::Hush(number) => self.hush(number),
            Order::Said(utterance, text) => {
                if self.said.len() >= MOST_LINES {
                    self.said.pop_front();
                }
                self.said.push_back((utterance, text));
            }
            Order::Cut(portions) => self.cut(&portions),
            Order::Attune(format) => {
                if self.format != format {
                    self.format = format;
                    let format = format_name(format);
                    self.update(json!({ "audio": { "input": { "format": format },
                        "output": { "format": format } } }));
                }
            }
        }
    }

    pub(super) fn update(&mut self, mut session: Value) {
        session["type"] = json!("realtime");
        self.out.push(message(&json!({ "type": "session.update", "session": session })));
    }

    /// What a socket is told first.
    pub(super) fn description(&self) -> Value {
        let format = format_name(self.format);
        let mut output = json!({ "format": format, "voice": self.settings.voice });
        if let Some(speed) = self.settings.speed {
            output["speed"] = json!(speed);
        }
        // We say ourselves whose turn it is.
        let input = json!({ "format": format, "transcription": self.transcription(),
            "turn_detection": null });
        let mut session = json!({
            "type": "realtime",
            "model": self.settings.model,
            "output_modalities": ["audio"],
            "audio": { "input": input, "output": output },
            "tool_choice": "auto",
            "truncation": { "type": "retention_ratio", "retention_ratio": 0.8 },
        });
        if !self.told.0.is_empty() {
            session["instructions"] = json!(self.told.0);
        }
        if !self.told.1.is_null() {
            session["tools"] = self.told.1.clone();
        }
        if let Some(most) = self.settings.max_tokens {
            session["max_output_tokens"] = json!(most);
        }
        session
    }

    pub(super) fn transcription(&self) -> Value {
        let language = self.context.language.primary();
        json!({ "model": items::TRANSCRIBER, "language": language })
    }
}

/// The caller's turn.
impl Session {
    pub(super) fn finalize(&mut self, pause: PauseId) {
        let Some(turn) = &mut self.turn else { return };
        (turn.pause, turn.asked) = (pause, Some(pause));
        self.commits += 1;
        if let Some(commit) = turn.commit(self.commits) {
            self.unnamed.push_back(self.commits);
            self.out.push(commit);
        }
        self.settle();
    }

    /// Answers the pause when all words of the turn are certain.
    pub(super) fn settle(&mut self) {
        let Some(turn) = &mut self.turn else { return };
        if !turn.commits.iter().all(|commit| commit.is_certain) {
            return;
        }
        let Some(pause) = turn.asked.take() else { return };
        let transcript =
            Transcript::Final { text: turn.words(), confidence: None, complete: false };
        self.tell.push(Heard { pause, transcript });
    }

    pub(super) fn forget(&mut self) {
        let Some(turn) = self.turn.take() else { return };
        if turn.is_open() {
            self.out.push(message(&json!({ "type": "input_audio_buffer.clear" })));
        }
        if turn.answered_by.is_some() {
            self.taken = self.waits().then_some(turn);
            return;
        }
        // The thought about it comes another way, and may come later.
        self.taken = Some(turn);
    }

    /// A turn that is over is what this thought is about, if the caller said that.
    fn was_taken(&mut self, request: &Request) {
        let Some(turn) = self.taken.as_mut().filter(|turn| turn.answered_by.is_none()) else {
            return;
        };
        let said = request.messages.last();
        let words = turn.words();
        match said {
            Some(Said::Caller { text, .. }) if text.contains(words.trim()) => {
                turn.answered_by = Some(request.thought);
            }
            _ => self.came_to_nothing(),
        }
    }

    /// A turn that is over was not answered.
    fn came_to_nothing(&mut self) {
        let Some(turn) = self.taken.take_if(|turn| turn.answered_by.is_none()) else { return };
        // It came to nothing: the model is not to answer it later.
        for commit in turn.commits {
            match commit.item {
                Some((item, _)) => self.out.push(take_out(&item)),
                None => self.doomed.push(commit.number),
            }
        }
    }

    pub(super) fn named(&mut self, item: String, before: Option<String>) {
        let Some(number) = self.unnamed.pop_front() else { return };
        if let Some(at) = self.doomed.iter().position(|doomed| *doomed == number) {
            self.doomed.remove(at);
            return self.out.push(take_out(&item));
        }
        let turns = self.taken.iter_mut().chain(&mut self.turn);
        let mut commits = turns.flat_map(|turn| turn.commits.iter_mut());
        if let Some(commit) = commits.find(|commit| commit.number == number) {
            commit.item = Some((item, before));
        }
        self.go_on();
    }

    pub(super) fn heard(&mut self, item: &str, text: &str, is_certain: bool) {
        let Some(turn) = &mut self.turn else { return };
        let Some(commit) = turn.stretch(item) else { return };
        if is_certain {
            (commit.text, commit.is_certain) = (text.to_owned(), true);
            return self.settle();
        }
        if commit.text.len() + text.len() <= LONGEST_TEXT {
            commit.text.push_str(text);
        }
        let (pause, text) = (turn.pause, turn.words());
        self.tell.push(Heard { pause, transcript: Transcript::Partial { text } });
    }
}

fn format_name(format: Format) -> Value {
    match format {
        Format::Pcmu => json!({ "type": "audio/pcmu" }),
        Format::Pcma => json!({ "type": "audio/pcma" }),
        Format::Linear => json!({ "type": "audio/pcm", "rate": rate(format).0 }),
    }
}

/// The longest text of one answer or one stretch, in octets.
pub(super) const LONGEST_TEXT: usize = 64 << 10;

/// How many lines may be under way.
pub(super) const MOST_LINES: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_ends_where_no_number_and_no_short_form_does() {
        let end = |deltas: &[&str]| {
            let mut ending = Ending::Letters(0);
            deltas.iter().for_each(|delta| ending = ending.after(delta));
            ending == Ending::Sentence
        };
        assert!(end(&["We are open", " from nine to six", "."]));
        assert!(end(&["Really?", " "]));
        for open in [&["It costs 3."][..], &["e.g."], &["It is open", ",", " but"], &["Yes. An"]] {
            assert!(!end(open), "{open:?}");
        }
    }
}
