//! OpenAI's realtime models as they appear on the wire. The API begins at `/v1`. The stand-in keeps
//! the conversation as the vendor does, so that it knows what we must not ask of it.

mod speaking;

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::sleep;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use super::ear::{Ear, Hearing};
use super::mind::Answer;
use super::stand::{Asked, Notes, Refusal, Serve, Stand, shake_hands};
use super::throat::Throat;
use super::web::{read_request, respond, wants_socket};
use crate::audio::frame::{Frame, Rate};
use crate::audio::{g711, resample};

/// How the stand-in behaves.
#[derive(Clone)]
pub struct Script {
    /// The key that it wants.
    pub key: &'static str,
    /// The model that it wants.
    pub model: &'static str,
    /// What it hears.
    pub ear: Ear,
    /// What it answers to the caller's last words, or to what a tool gave.
    pub mind: Arc<dyn Fn(&str) -> Answer + Send + Sync>,
    /// How it sounds, at 24 kHz.
    pub throat: Throat,
    /// How long it thinks before an answer and about the text of a pause.
    pub delay: Duration,
    /// How long it rests between two pieces of an answer, of 100 ms each.
    pub pace: Duration,
    /// How it misbehaves, socket by socket; later ones are served well.
    pub faults: Vec<Fault>,
}

/// A misbehaviour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// None.
    Well,
    /// The handshake is refused with a status and a code.
    Refuses(u16, &'static str),
    /// It opens, and says a code of an error that ends it.
    Complains(&'static str),
    /// The connection is cut after so many pieces of answers.
    CutsAfter(usize),
    /// It answers in no protocol.
    Garbage,
    /// It answers half a letter of UTF-8.
    HalfALetter,
    /// It takes wishes for answers and does nothing.
    Silent,
    /// It cannot write down what it hears.
    CannotWrite,
    /// Its answers fail with a code.
    Fails(&'static str),
}

/// Opens a stand-in.
///
/// # Errors
/// When there is no free port.
pub async fn open(script: Script) -> io::Result<Stand> {
    Stand::open(Guest { script, utterances: Arc::default() }).await
}

#[derive(Clone)]
struct Guest {
    script: Script,
    utterances: Arc<AtomicUsize>,
}

impl Serve for Guest {
    async fn serve(self, mut stream: TcpStream, notes: Notes) {
        let bearer = format!("Bearer {}", self.script.key);
        if !wants_socket(&stream).await {
            while let Some((head, _)) = read_request(&mut stream).await {
                let shown = format!("\r\nauthorization: {}\r\n", bearer.to_ascii_lowercase());
                let known = head.to_ascii_lowercase().contains(&shown);
                let (status, body) = match known && head.starts_with("GET /v1/models ") {
                    true => ("200 OK", "{\"data\":[]}"),
                    false => ("401 No", "{\"error\":{\"code\":\"invalid_api_key\"}}"),
                };
                if !respond(&mut stream, (status, body.as_bytes())).await {
                    return;
                }
            }
            return;
        }
        let number = notes.begin();
        let fault = self.script.faults.get(number).copied().unwrap_or(Fault::Well);
        let model = self.script.model;
        let welcome = |asked: &Asked| welcome(asked, fault, (&bearer, model));
        let Some((socket, _)) = shake_hands(stream, welcome).await else { return };
        let hearing = Hearing::new(self.script.ear.clone(), notes.clone(), self.utterances);
        Talk::new(self.script, (notes, hearing), fault).run(socket).await;
    }
}

fn welcome(asked: &Asked, fault: Fault, (bearer, model): (&str, &str)) -> Result<(), Refusal> {
    let refused = |status: u16, code: &str| {
        let body = json!({ "error": { "code": code, "message": "No." } }).to_string();
        (status, body, Vec::new())
    };
    if let Fault::Refuses(status, code) = fault {
        return Err(refused(status, code));
    }
    if asked.header("authorization") != Some(bearer) {
        return Err(refused(401, "invalid_api_key"));
    }
    let is_beta = asked.header("openai-beta").is_some();
    match asked.path == "/v1/realtime" && asked.value("model") == Some(model) && !is_beta {
        true => Ok(()),
        false => Err(refused(404, "model_not_found")),
    }
}

/// Something in the conversation.
struct Item {
    id: String,
    kind: String,
    role: String,
    text: String,
    call: String,
    /// How much of its sound was sent, in samples at 24 kHz.
    sound: Option<usize>,
}

/// Something to be sent, of an answer.
struct Piece {
    response: String,
    value: Value,
    /// The item that it is the sound of, and how many samples.
    sound: Option<(String, usize)>,
}

struct Talk {
    script: Script,
    notes: Notes,
    hearing: Hearing,
    fault: Fault,
    session: Value,
    items: Vec<Item>,
    /// What was not yet committed, in the session's format.
    pending: Vec<u8>,
    queue: VecDeque<Piece>,
    /// The answer of the conversation that is under way.
    active: Option<String>,
    last: usize,
    sent: usize,
    send: Vec<Message>,
}

impl Talk {
    fn new(script: Script, (notes, hearing): (Notes, Hearing), fault: Fault) -> Self {
        Self {
            script,
            notes,
            hearing,
            fault,
            session: Value::Null,
            items: Vec::new(),
            pending: Vec::new(),
            queue: VecDeque::new(),
            active: None,
            last: 0,
            sent: 0,
            send: Vec::new(),
        }
    }

    async fn run(mut self, mut socket: WebSocketStream<TcpStream>) -> Option<()> {
        self.say(json!({ "type": "session.created", "event_id": "e",
            "session": { "type": "realtime", "id": "sess_1", "model": self.script.model } }));
        if let Fault::Complains(code) = self.fault {
            self.say(json!({ "type": "error", "error": { "code": code, "message": "x" } }));
        }
        loop {
            for message in std::mem::take(&mut self.send) {
                socket.send(message).await.ok()?;
            }
            tokio::select! {
                biased;
                message = socket.next() => match message?.ok()? {
                    Message::Text(text) => {
                        let value: Value = serde_json::from_str(&text).unwrap_or_default();
                        self.take(&value).await;
                    }
                    Message::Close(_) => {
                        self.notes.hear("closes");
                        return None;
                    }
                    Message::Binary(_) => self.notes.complain("octets"),
                    Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
                },
                () = sleep(self.script.pace), if !self.queue.is_empty() => self.give()?,
            }
        }
    }

    fn say(&mut self, value: Value) {
        let message = match self.fault {
            Fault::Garbage => super::ear::Fault::Garbage.said(&value),
            Fault::HalfALetter => super::ear::Fault::HalfALetter.said(&value),
            _ => Message::text(value.to_string()),
        };
        self.send.push(message);
    }

    fn refuse(&mut self, about: &Value, code: &str) {
        self.notes.complain(format!("{code}: {about}"));
        let error = json!({ "type": "invalid_request_error", "code": code, "message": "x",
            "event_id": about["event_id"] });
        self.say(json!({ "type": "error", "error": error }));
    }

    async fn take(&mut self, value: &Value) {
        let kind = value["type"].as_str().unwrap_or_default();
        let is_told = !self.session.is_null();
        self.notes.want(is_told || kind == "session.update", || format!("first: {value}"));
        match kind {
            "session.update" => self.learns(value),
            "input_audio_buffer.append" => {
                let octets = STANDARD.decode(value["audio"].as_str().unwrap_or_default());
                self.notes.want(octets.is_ok(), || "no base64".to_owned());
                self.pending.extend(octets.unwrap_or_default());
            }
            "input_audio_buffer.clear" => {
                self.pending.clear();
                self.say(json!({ "type": "input_audio_buffer.cleared" }));
            }
            "input_audio_buffer.commit" => self.hears(value).await,
            "conversation.item.create" => self.is_told(value),
            "conversation.item.delete" => {
                let id = value["item_id"].as_str().unwrap_or_default();
                match self.items.iter().position(|item| item.id == id) {
                    Some(at) => {
                        let item = self.items.remove(at);
                        self.notes.hear(format!("forgets {} {}", item.kind, item.text));
                        self.say(json!({ "type": "conversation.item.deleted", "item_id": id }));
                    }
                    None => self.refuse(value, "item_not_found"),
                }
            }
            "conversation.item.truncate" => self.is_cut(value),
            "response.create" => self.answers(value).await,
            "response.cancel" => self.stops(value),
            _ => self.notes.complain(format!("unknown: {value}")),
        }
    }

    fn learns(&mut self, value: &Value) {
        let news = &value["session"];
        self.notes.want(news["type"] == "realtime", || format!("{value}"));
        if self.session.is_null() {
            let (input, output) = (&news["audio"]["input"], &news["audio"]["output"]);
            let fits = news["model"] == self.script.model
                && news["output_modalities"] == json!(["audio"])
                && input.get("turn_detection").is_some_and(Value::is_null)
                && input["transcription"]["model"].is_string()
                && input["transcription"]["language"].as_str().is_some_and(|it| it.len() == 2)
                && output["voice"].is_string();
            self.notes.want(fits, || format!("{value}"));
        }
        merge(&mut self.session, news);
        let (input, output) =
            (&self.session["audio"]["input"]["format"], &self.session["audio"]["output"]["format"]);
        let known = [
            json!({ "type": "audio/pcmu" }),
            json!({ "type": "audio/pcma" }),
            json!({ "type": "audio/pcm", "rate": 24_000 }),
        ];
        let fits = known.contains(input) && input == output;
        self.notes.want(fits, || format!("formats: {value}"));
        for tool in self.session["tools"].as_array().into_iter().flatten() {
            let fits = tool["type"] == "function"
                && tool["name"].is_string()
                && tool["parameters"]["type"] == "object";
            self.notes.want(fits, || format!("tool: {tool}"));
        }
        let format = input["type"].as_str().unwrap_or_default();
        self.notes.hear(format!("speaks {format}"));
        self.say(json!({ "type": "session.updated", "session": self.session }));
    }

    fn is_law(&self) -> bool {
        self.session["audio"]["input"]["format"]["type"] != "audio/pcm"
    }

    /// What is pending, at 24 kHz.
    fn sound(&mut self) -> Vec<i16> {
        let octets = std::mem::take(&mut self.pending);
        let law = self.session["audio"]["input"]["format"]["type"].as_str().unwrap_or_default();
        let narrow = |decode: fn(u8) -> i16| {
            let samples = octets.iter().map(|code| decode(*code)).collect();
            resample::convert(&Frame::new(Rate::NARROW, samples), RATE).samples
        };
        match law {
            "audio/pcmu" => narrow(g711::ulaw_to_linear),
            "audio/pcma" => narrow(g711::alaw_to_linear),
            _ => octets.chunks_exact(2).map(|it| i16::from_le_bytes([it[0], it[1]])).collect(),
        }
    }

    async fn hears(&mut self, value: &Value) {
        let least = if self.is_law() { 800 } else { 4_800 };
        if self.pending.len() < least {
            return self.refuse(value, "input_audio_buffer_commit_empty");
        }
        let stretch = Frame::new(RATE, self.sound());
        let wide = resample::convert(&stretch, Rate::WIDE).samples;
        self.hearing.hear(&wide.iter().flat_map(|it| it.to_le_bytes()).collect::<Vec<u8>>());
        let text = self.hearing.words();
        self.hearing.end(&text);
        let before = self.items.last().map(|item| item.id.clone());
        let id = self.name("item");
        self.say(json!({ "type": "input_audio_buffer.committed", "item_id": id,
            "previous_item_id": before }));
        let item = json!({ "id": id, "type": "message", "role": "user",
            "content": [{ "type": "input_audio", "transcript": null }] });
        self.say(json!({ "type": "conversation.item.added", "previous_item_id": before,
            "item": item }));
        self.say(json!({ "type": "conversation.item.done", "previous_item_id": before,
            "item": item }));
        sleep(self.script.delay).await;
        let kind = |what: &str| format!("conversation.item.input_audio_transcription.{what}");
        if self.fault == Fault::CannotWrite {
            self.say(json!({ "type": kind("failed"), "item_id": id, "content_index": 0,
                "error": { "code": "audio_unintelligible" } }));
        } else {
            for word in text.split_inclusive(' ') {
                self.say(json!({ "type": kind("delta"), "item_id": id, "content_index": 0,
                    "delta": word }));
            }
            self.say(json!({ "type": kind("completed"), "item_id": id, "content_index": 0,
                "transcript": text, "usage": { "type": "tokens", "total_tokens": 9 } }));
        }
        self.items.push(Item::new(id, ("message", "user"), text));
    }

    fn is_told(&mut self, value: &Value) {
        let item = &value["item"];
        let (kind, role) = (item["type"].as_str().unwrap_or_default(), item["role"].as_str());
        let content = &item["content"][0];
        let fits = match (kind, role) {
            ("message", Some("user")) => content["type"] == "input_text",
            ("message", Some("assistant")) => content["type"] == "output_text",
            ("function_call", None) => {
                item["call_id"].is_string()
                    && item["name"].is_string()
                    && item["arguments"].is_string()
            }
            ("function_call_output", None) => {
                let call = item["call_id"].as_str().unwrap_or_default();
                let is_it = |known: &Item| known.kind == "function_call" && known.call == call;
                item["output"].is_string() && self.items.iter().any(is_it)
            }
            _ => false,
        };
        let id = item["id"].as_str().unwrap_or_default().to_owned();
        let fits = fits && (1..=32).contains(&id.len());
        self.notes.want(fits, || format!("{value}"));
        let at = match value["previous_item_id"].as_str() {
            Some("root") => Some(0),
            Some(before) => self.items.iter().position(|it| it.id == before).map(|at| at + 1),
            None => Some(self.items.len()),
        };
        let Some(at) = at else { return self.refuse(value, "item_not_found") };
        let text = content["text"].as_str().or(item["output"].as_str()).unwrap_or_default();
        self.notes.hear(format!("is told {} {text}", role.unwrap_or(kind)));
        let mut known = Item::new(id, (kind, role.unwrap_or_default()), text.to_owned());
        known.call = item["call_id"].as_str().unwrap_or_default().to_owned();
        self.items.insert(at, known);
        self.say(json!({ "type": "conversation.item.added", "item": item }));
    }

    fn is_cut(&mut self, value: &Value) {
        let id = value["item_id"].as_str().unwrap_or_default();
        let known = self.items.iter_mut().find(|item| item.id == id);
        let (Some(millis), Some(item)) = (value["audio_end_ms"].as_u64(), known) else {
            return self.refuse(value, "item_not_found");
        };
        let sent = item.sound.unwrap_or(0) as u64 / 24;
        if value["content_index"] != 0 || millis > sent {
            return self.refuse(value, "invalid_audio_end");
        }
        // The text goes with the sound.
        let text = std::mem::take(&mut item.text);
        self.notes.hear(format!("cuts {millis} of {sent} ms: {text}"));
        self.say(json!({ "type": "conversation.item.truncated", "item_id": id,
            "content_index": 0, "audio_end_ms": millis }));
    }

    async fn answers(&mut self, value: &Value) {
        let wish = &value["response"];
        let is_aside = wish["conversation"] == "none";
        if !is_aside && self.active.is_some() {
            return self.refuse(value, "conversation_already_has_active_response");
        }
        if self.fault == Fault::Silent {
            self.notes.hear("keeps silent");
            return;
        }
        sleep(self.script.delay).await;
        let response = self.name("resp");
        self.queue_event(
            &response,
            json!({ "type": "response.created", "response": {
            "id": response, "status": "in_progress", "metadata": wish["metadata"] } }),
        );
        if is_aside {
            let words = wish["instructions"].as_str().unwrap_or_default();
            let line = words.rsplit("\n\n").next().unwrap_or_default().to_owned();
            self.notes.want(wish["input"] == json!([]), || format!("{value}"));
            self.notes.hear(format!("says {line}"));
            self.speak(&response, &line, false);
            return self.finish(&response, json!({ "status": "completed" }));
        }
        self.active = Some(response.clone());
        let by_caller = |item: &&Item| item.role == "user" || item.kind == "function_call_output";
        let asked = self.items.iter().rev().find(by_caller).map(|item| item.text.clone());
        let asked = asked.unwrap_or_default();
        let told: Vec<String> = self.items.iter().map(Item::brief).collect();
        self.notes.hear(format!("answers {}", told.join(" | ")));
        if let Fault::Fails(code) = self.fault {
            let error = json!({ "type": "server_error", "code": code });
            let details = json!({ "type": "failed", "error": error });
            return self
                .finish(&response, json!({ "status": "failed", "status_details": details }));
        }
        match (self.script.mind)(&asked) {
            Answer::Uses(text, tool, arguments) => {
                self.speak(&response, &text, true);
                self.uses(&response, tool, &arguments);
            }
            Answer::Says(text) => self.speak(&response, &text, true),
            other => self.notes.complain(format!("no answer by voice: {other:?}")),
        }
        self.finish(&response, json!({ "status": "completed" }));
    }

    fn name(&mut self, kind: &str) -> String {
        self.last += 1;
        format!("{kind}_{}", self.last)
    }
}

impl Item {
    fn new(id: String, (kind, role): (&str, &str), text: String) -> Self {
        let (kind, role, call) = (kind.to_owned(), role.to_owned(), String::new());
        Self { id, kind, role, text, call, sound: None }
    }

    fn brief(&self) -> String {
        let who = if self.role.is_empty() { &self.kind } else { &self.role };
        format!("{who}: {}", self.text)
    }
}

/// Takes what an update names, and leaves the rest.
fn merge(known: &mut Value, news: &Value) {
    match (known, news) {
        (Value::Object(known), Value::Object(news)) => {
            for (key, value) in news {
                if key == "format" {
                    // A format is changed for another one as a whole.
                    known.insert(key.clone(), value.clone());
                    continue;
                }
                merge(known.entry(key).or_insert(Value::Null), value);
            }
        }
        (known, news) => *known = news.clone(),
    }
}

const RATE: Rate = Rate(24_000);

/// 100 ms.
const PIECE: usize = 2_400;
