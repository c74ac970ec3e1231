//! An answer of a language model as it arrives: server-sent events over HTTP, in the dialect of
//! whoever answers.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use eventsource_stream::Eventsource as _;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use reqwest::RequestBuilder;

use crate::agent::event::Delta;
use crate::agent::tool::ToolCall;
use crate::base::price::{Amount, Unit};
use crate::providers::error::ProviderError;
use crate::providers::http;

/// What is asked, of whom, and how long it may keep silent: before its first octet and between
/// any two.
pub(super) struct Asked {
    pub provider: String,
    pub request: RequestBuilder,
    pub timeout: Duration,
}

/// A dialect of answers.
pub(super) trait Reader: Send + 'static {
    /// Takes the data of an event. What is given after [`Delta::Done`] is of no use.
    fn take(&mut self, data: &str, deltas: &mut VecDeque<Delta>) -> Result<(), Fault>;

    /// The server closed without saying that this is all.
    fn close(&mut self, deltas: &mut VecDeque<Delta>) -> Result<(), Fault>;
}

/// What is wrong with an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is not in the protocol.
    Nonsense,
    /// It ended in an error, perhaps with a code.
    Error(String),
    /// It is not whole.
    BrokeOff,
}

/// What an answer took, in tokens; what was read before is among what was read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tokens {
    pub read: u64,
    pub cached: u64,
    pub written: u64,
}

impl Tokens {
    /// Tells what of it was not told yet, if there is anything.
    pub fn tell_more(self, told: &mut Self, deltas: &mut VecDeque<Delta>) {
        let less = |all: u64, part: u64| all.saturating_sub(part);
        let more = Self {
            read: less(self.read, told.read),
            cached: less(self.cached, told.cached),
            written: less(self.written, told.written),
        };
        *told = self;
        more.tell(deltas);
    }

    /// Tells it, if the vendor said anything.
    pub fn tell(self, deltas: &mut VecDeque<Delta>) {
        let cached = self.cached.min(self.read);
        let all = [
            (Unit::InputTokens, self.read - cached),
            (Unit::CachedTokens, cached),
            (Unit::OutputTokens, self.written),
        ];
        let all = all.into_iter().filter(|(_, count)| *count > 0);
        let amounts: Vec<Amount> = all.map(|(unit, count)| Amount { unit, count }).collect();
        if !amounts.is_empty() {
            deltas.push_back(Delta::Used(amounts));
        }
    }
}

/// Asks, and reads the answer.
pub(super) fn stream(
    asked: Asked,
    reader: impl Reader,
) -> BoxStream<'static, Result<Delta, ProviderError>> {
    let Asked { provider, request, timeout } = asked;
    let stage = Stage::Asking(Box::new(request));
    let answer = Answer { provider, timeout, stage, ready: VecDeque::new(), reader };
    stream::unfold(answer, |mut answer| async move {
        let delta = answer.next().await?;
        Some((delta, answer))
    })
    .boxed()
}

struct Answer<R> {
    provider: String,
    timeout: Duration,
    stage: Stage,
    ready: VecDeque<Delta>,
    reader: R,
}

enum Stage {
    Asking(Box<RequestBuilder>),
    Reading(BoxStream<'static, Result<String, ProviderError>>),
    Over,
}

impl<R: Reader> Answer<R> {
    async fn next(&mut self) -> Option<Result<Delta, ProviderError>> {
        loop {
            if let Some(delta) = self.ready.pop_front() {
                if delta == Delta::Done {
                    self.stage = Stage::Over;
                }
                return Some(Ok(delta));
            }
            let step = match std::mem::replace(&mut self.stage, Stage::Over) {
                Stage::Over => return None,
                Stage::Asking(request) => self.ask(*request).await,
                Stage::Reading(events) => self.read(events).await,
            };
            match step {
                Ok(stage) => self.stage = stage,
                Err(why) => return Some(Err(why)),
            }
        }
    }

    async fn ask(&mut self, request: RequestBuilder) -> Result<Stage, ProviderError> {
        let sent = tokio::time::timeout(self.timeout, request.send()).await;
        let response =
            sent.map_err(|_| self.silent())?.map_err(|why| http::broken(&self.provider, &why))?;
        if !response.status().is_success() {
            return Err(http::refused(&self.provider, response).await);
        }
        Ok(Stage::Reading(events(self.provider.clone(), response)))
    }

    async fn read(
        &mut self,
        mut events: BoxStream<'static, Result<String, ProviderError>>,
    ) -> Result<Stage, ProviderError> {
        let next = tokio::time::timeout(self.timeout, events.next()).await;
        let taken = match next.map_err(|_| self.silent())? {
            Some(Ok(data)) => self.reader.take(&data, &mut self.ready),
            Some(Err(why)) => return Err(why),
            None => self.reader.close(&mut self.ready),
        };
        match taken {
            Ok(()) => Ok(Stage::Reading(events)),
            Err(fault) => Err(self.failed(&fault)),
        }
    }

    fn failed(&self, fault: &Fault) -> ProviderError {
        let reason = match fault {
            Fault::Nonsense => "the answer is not in the protocol".to_owned(),
            Fault::Error(code) if http::is_plain(code) => {
                format!("the answer ended in an error ({code})")
            }
            Fault::Error(_) => "the answer ended in an error".to_owned(),
            Fault::BrokeOff => "the answer broke off".to_owned(),
        };
        ProviderError::passing(&self.provider, reason)
    }

    fn silent(&self) -> ProviderError {
        ProviderError::passing(&self.provider, "no answer in time")
    }
}

/// The data of the server-sent events of a response, at most `LARGEST_ANSWER` octets in all.
fn events(
    provider: String,
    response: reqwest::Response,
) -> BoxStream<'static, Result<String, ProviderError>> {
    let limit = provider.clone();
    let mut octets = 0;
    let body = response.bytes_stream().map(move |chunk| {
        let chunk = chunk.map_err(|why| http::broken(&limit, &why))?;
        octets += chunk.len();
        if octets > LARGEST_ANSWER {
            return Err(ProviderError::passing(&limit, "the answer is endless"));
        }
        Ok(chunk)
    });
    body.eventsource()
        .map(move |event| match event {
            Ok(event) => Ok(event.data),
            Err(eventsource_stream::EventStreamError::Transport(why)) => Err(why),
            Err(_) => Err(ProviderError::passing(&provider, "the answer is not in the protocol")),
        })
        .boxed()
}

/// Tool calls that come in fragments, told apart by a number.
#[derive(Debug, Default)]
pub(super) struct Fragments(BTreeMap<u64, ToolCall>);

impl Fragments {
    /// A call begins, or more of its name is known.
    pub fn begin(&mut self, index: u64, id: Option<String>, name: Option<&str>) {
        if self.0.len() >= MOST_TOOLS && !self.0.contains_key(&index) {
            return;
        }
        let call = self.0.entry(index).or_insert_with(|| ToolCall {
            id: String::new(),
            name: String::new(),
            arguments: String::new(),
        });
        if let Some(id) = id {
            call.id = id;
        }
        call.name.push_str(name.unwrap_or_default());
    }

    /// More of its arguments.
    pub fn more(&mut self, index: u64, arguments: &str) {
        if let Some(call) = self.0.get_mut(&index)
            && call.arguments.len() + arguments.len() <= LARGEST_ARGUMENTS
        {
            call.arguments.push_str(arguments);
        }
    }

    /// The answer is whole.
    pub fn finish(&mut self, deltas: &mut VecDeque<Delta>) {
        for (index, mut call) in std::mem::take(&mut self.0) {
            if call.id.is_empty() {
                // Ollama may leave it out; within one answer the index is enough.
                call.id = format!("call_{index}");
            }
            if call.arguments.is_empty() {
                call.arguments.push_str("{}");
            }
            deltas.push_back(Delta::Tool(call));
        }
        deltas.push_back(Delta::Done);
    }
}

/// What the caller said and pressed, as a model reads it.
pub(super) fn said(text: &str, keys: &str) -> String {
    match (text.is_empty(), keys.is_empty()) {
        (false, true) => text.to_owned(),
        (true, true) => "[The caller said something that could not be understood.]".to_owned(),
        (true, false) => format!("[The caller pressed {keys}.]"),
        (false, false) => format!("{text} [The caller pressed {keys}.]"),
    }
}

/// The most octets of one answer.
const LARGEST_ANSWER: usize = 4 << 20;

/// The most tool calls in one answer.
const MOST_TOOLS: usize = 16;

/// The longest arguments of a tool call (T14).
const LARGEST_ARGUMENTS: usize = 8 << 10;
