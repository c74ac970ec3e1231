//! What stand-ins for language models share: an answer in server-sent events over HTTP/1.1, in the
//! words of a [`Tongue`] for each vendor.

use std::io;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::sleep;

use super::stand::{Mark, Notes, Observer, Serve, Stand};
use super::web::{begin_chunks, chunk, read_request, respond};

/// How a stand-in behaves.
#[derive(Clone)]
pub struct Script {
    /// The key that it wants.
    pub key: &'static str,
    /// What it answers to the caller's last words.
    pub mind: Arc<dyn Fn(&str) -> Answer + Send + Sync>,
    /// How long it thinks before its first word.
    pub delay: Duration,
    /// How long each further word takes.
    pub per_word: Duration,
    /// Who looks on.
    pub observer: Observer,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Words.
    Says(String),
    /// Words, and a use of a tool with its input in JSON.
    Uses(String, &'static str, String),
    /// Words, and then an error inside the answer.
    Fails(String, &'static str),
    /// Words, and then the connection is cut.
    BreaksOff(String),
    /// Words, and then half a letter of UTF-8.
    HalfALetter(String),
    /// Words without end.
    Endless,
    /// A refusal with a status, a kind of error, and seconds to wait.
    Refuses(u16, &'static str, Option<u64>),
    /// What is no protocol.
    Garbage,
}

/// How a vendor's model speaks. Events are whole, with the empty line behind them.
pub(super) trait Tongue: Clone + Send + Sync + 'static {
    /// Where it lists its models.
    const MODELS: &'static str;

    /// The header that shows the key, in lower case.
    fn key(key: &str) -> String;

    /// What the vendor would not accept.
    fn complaints(head: &str, body: &Value) -> Vec<&'static str>;

    /// The caller's last words.
    fn last_words(body: &Value) -> String;

    /// What comes before an answer.
    fn begin() -> Vec<String>;

    /// What comes before words.
    fn before_words() -> Vec<String> {
        Vec::new()
    }

    /// A word.
    fn word(word: &str) -> String;

    /// What comes behind words.
    fn after_words(_text: &str) -> Vec<String> {
        Vec::new()
    }

    /// A use of a tool.
    fn tool(name: &str, input: &str) -> Vec<String>;

    /// An error inside an answer.
    fn failure(kind: &str) -> String;

    /// What comes behind an answer.
    fn end() -> Vec<String>;

    /// The body of a refusal.
    fn refusal(status: u16, kind: &str) -> Value;
}

/// Opens a stand-in of a tongue.
///
/// # Errors
/// When there is no free port.
pub(super) async fn open<T: Tongue>(script: Script) -> io::Result<Stand> {
    Stand::open(Guest::<T> { script, tongue: PhantomData }).await
}

/// An event with its name.
pub(super) fn named(event: &Value) -> String {
    format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap_or_default())
}

/// An event without a name.
pub(super) fn unnamed(event: &Value) -> String {
    format!("data: {event}\n\n")
}

/// Gathers complaints.
#[derive(Default)]
pub(super) struct Complaints(pub Vec<&'static str>);

impl Complaints {
    /// Complains unless `holds`.
    pub fn want(&mut self, holds: bool, what: &'static str) {
        if !holds {
            self.0.push(what);
        }
    }
}

#[derive(Clone)]
struct Guest<T> {
    script: Script,
    tongue: PhantomData<T>,
}

impl<T: Tongue> Serve for Guest<T> {
    async fn serve(self, mut stream: TcpStream, notes: Notes) {
        while let Some((head, body)) = read_request(&mut stream).await {
            let key = format!("\r\n{}\r\n", T::key(self.script.key));
            let served = if !head.to_ascii_lowercase().contains(&key.to_ascii_lowercase()) {
                refuse::<T>(&mut stream, (401, "authentication_error", None)).await
            } else if head.starts_with(&format!("GET {}", T::MODELS)) {
                respond(&mut stream, ("200 OK", b"{\"data\":[]}")).await
            } else {
                (self.script.observer)(Mark::Asked);
                self.answer(&mut stream, (&head, &body), &notes).await.is_some()
            };
            if !served {
                return;
            }
        }
    }
}

impl<T: Tongue> Guest<T> {
    async fn answer(
        &self,
        stream: &mut TcpStream,
        (head, body): (&str, &[u8]),
        notes: &Notes,
    ) -> Option<()> {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        for complaint in T::complaints(head, &body) {
            notes.complain(format!("{complaint}: {body}"));
        }
        let asked = T::last_words(&body);
        notes.hear(asked.clone());
        let answer = (self.script.mind)(&asked);
        if let Answer::Refuses(status, kind, after) = answer {
            return refuse::<T>(stream, (status, kind, after)).await.then_some(());
        }
        sleep(self.script.delay).await;
        begin_chunks(stream, "text/event-stream").await.then_some(())?;
        send(stream, T::begin()).await?;
        match answer {
            Answer::Says(text) => self.say(stream, &text).await?,
            Answer::Uses(text, tool, input) => {
                self.say(stream, &text).await?;
                send(stream, T::tool(tool, &input)).await?;
            }
            Answer::Fails(text, kind) => {
                self.say(stream, &text).await?;
                send(stream, vec![T::failure(kind)]).await?;
            }
            Answer::BreaksOff(text) => {
                self.say(stream, &text).await?;
                return None;
            }
            Answer::HalfALetter(text) => {
                self.say(stream, &text).await?;
                chunk(stream, b"data: \"Gr\xC3\"\n\n").await.then_some(())?;
            }
            Answer::Endless => {
                let words = T::word(&"and so on ".repeat(1_000));
                loop {
                    chunk(stream, words.as_bytes()).await.then_some(())?;
                }
            }
            Answer::Garbage => {
                chunk(stream, b"data: {\"type\": [\n\n").await.then_some(())?;
            }
            Answer::Refuses(..) => {}
        }
        send(stream, T::end()).await?;
        chunk(stream, &[]).await.then_some(())
    }

    async fn say(&self, stream: &mut TcpStream, text: &str) -> Option<()> {
        send(stream, T::before_words()).await?;
        for (at, word) in text.split_inclusive(' ').enumerate() {
            if at > 0 && !self.script.per_word.is_zero() {
                sleep(self.script.per_word).await;
            }
            send(stream, vec![T::word(word)]).await?;
            if word.trim_end().ends_with(['.', '!', '?']) {
                (self.script.observer)(Mark::Worded);
            }
        }
        send(stream, T::after_words(text)).await
    }
}

/// Sends events, each cut in the middle: a letter may be cut, too.
async fn send(stream: &mut TcpStream, events: Vec<String>) -> Option<()> {
    for event in events {
        let (front, back) = event.as_bytes().split_at(event.len() * 2 / 3);
        (chunk(stream, front).await && chunk(stream, back).await).then_some(())?;
    }
    Some(())
}

async fn refuse<T: Tongue>(
    stream: &mut TcpStream,
    (status, kind, after): (u16, &str, Option<u64>),
) -> bool {
    let wait = after.map(|after| format!("\r\nRetry-After: {after}")).unwrap_or_default();
    let body = T::refusal(status, kind).to_string();
    respond(stream, (&format!("{status} No{wait}"), body.as_bytes())).await
}
