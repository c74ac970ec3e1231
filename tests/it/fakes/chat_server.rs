//! A chat-completions server over real HTTP/1.1, which checks requests and fails on demand.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// How the server behaves.
#[derive(Debug, Clone)]
pub enum Behaviour {
    /// Streams this text, word by word.
    Says(&'static str),
    /// The same, each octet in a segment and an HTTP chunk of its own.
    SaysByteByByte(&'static str),
    /// Streams `whole`; only `rest` when it is told that the rest of an answer is missing.
    GoesOn { whole: &'static str, rest: &'static str },
    /// Streams a tool call in fragments, after a text.
    Calls { text: &'static str, tool: &'static str, arguments: &'static str },
    /// Sends the head and the first word, and then nothing for ever.
    StallsAfter(&'static str),
    /// Reads the request and never answers.
    NeverAnswers,
    /// Answers with this status and, if there is one, Retry-After in seconds.
    Refuses { status: u16, retry_after: Option<u32>, code: &'static str },
    /// 200 and something that is no event stream.
    Garbage,
    /// Breaks the connection off after this text.
    BreaksOffAfter(&'static str),
}

/// A running server; it ends when dropped.
#[derive(Debug)]
pub struct ChatServer {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Value>>>,
    complaints: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

/// The key that a client must show.
pub const KEY: &str = "sk-only-for-tests";

impl ChatServer {
    /// Starts on a free port; request number `n` meets `behaviours[n]`, later ones the last.
    pub async fn start(behaviours: Vec<Behaviour>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let requests = Arc::new(Mutex::new(Vec::new()));
        let complaints = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = JoinSet::new();
        let (seen, wrong) = (requests.clone(), complaints.clone());
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let serving = serve(stream, behaviours.clone(), seen.clone(), wrong.clone());
                connections.spawn(serving);
            }
        });
        Self { address, requests, complaints, _tasks: tasks }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where its API begins.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// The bodies of the requests so far.
    pub fn requests(&self) -> Vec<Value> {
        self.requests.lock().expect("no test panics while it holds this").clone()
    }

    /// What was wrong with the requests so far.
    pub fn complaints(&self) -> Vec<String> {
        self.complaints.lock().expect("no test panics while it holds this").clone()
    }
}

async fn serve(
    mut stream: TcpStream,
    behaviours: Vec<Behaviour>,
    requests: Arc<Mutex<Vec<Value>>>,
    complaints: Arc<Mutex<Vec<String>>>,
) {
    stream.set_nodelay(true).ok();
    while let Some((head, body)) = read_request(&mut stream).await {
        if head.starts_with("GET /v1/models ") {
            let answer = "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{\"data\":[]}";
            stream.write_all(answer.as_bytes()).await.ok();
            continue;
        }
        let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
        complaints.lock().expect("unpoisoned").extend(complain(&head, &body));
        let instructions = body["messages"][0]["content"].as_str().unwrap_or_default();
        let broke_off = instructions.contains("broke off");
        let number = {
            let mut requests = requests.lock().expect("unpoisoned");
            requests.push(body);
            requests.len() - 1
        };
        let behaviour = behaviours.get(number).or(behaviours.last()).expect("a behaviour");
        let behaviour = match behaviour {
            Behaviour::GoesOn { rest, .. } if broke_off => Behaviour::Says(rest),
            Behaviour::GoesOn { whole, .. } => Behaviour::Says(whole),
            other => other.clone(),
        };
        if !answer(&mut stream, &behaviour).await {
            return;
        }
    }
}

/// What a real server would not accept.
fn complain(head: &str, body: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let lower = head.to_ascii_lowercase();
    let mut want = |holds: bool, what: &str| {
        if !holds {
            wrong.push(format!("{what}: {head} {body}"));
        }
    };
    want(head.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"), "the path");
    want(lower.contains(&format!("authorization: bearer {KEY}")), "the key");
    want(lower.contains("content-type: application/json"), "the content type");
    want(body["stream"] == json!(true), "stream");
    want(body["model"].is_string(), "the model");
    let messages = body["messages"].as_array().cloned().unwrap_or_default();
    want(messages.first().is_some_and(|it| it["role"] == "system"), "a system message first");
    let mut open: Vec<String> = Vec::new();
    for message in &messages {
        match message["role"].as_str() {
            Some("tool") => {
                let id = message["tool_call_id"].as_str().unwrap_or_default().to_owned();
                want(open.contains(&id), "a result without its call");
                open.retain(|it| *it != id);
            }
            Some("system" | "user" | "assistant") => {
                want(open.is_empty(), "a call without its result");
                for call in message["tool_calls"].as_array().into_iter().flatten() {
                    open.push(call["id"].as_str().unwrap_or_default().to_owned());
                }
            }
            _ => want(false, "a role"),
        }
    }
    want(open.is_empty(), "a call without its result at the end");
    wrong
}

/// Answers; false when the connection is over.
async fn answer(stream: &mut TcpStream, behaviour: &Behaviour) -> bool {
    match behaviour {
        Behaviour::Says(text) => {
            head(stream).await && events(stream, &words(text), false).await && done(stream).await
        }
        Behaviour::GoesOn { .. } => unreachable!("it was resolved"),
        Behaviour::SaysByteByByte(text) => {
            head(stream).await && events(stream, &words(text), true).await && done(stream).await
        }
        Behaviour::Calls { text, tool, arguments } => {
            let mut all = words(text);
            all.extend(call_fragments(tool, arguments));
            head(stream).await && events(stream, &all, false).await && done(stream).await
        }
        Behaviour::StallsAfter(text) => {
            head(stream).await;
            events(stream, &words(text), false).await;
            std::future::pending().await
        }
        Behaviour::NeverAnswers => std::future::pending().await,
        Behaviour::Refuses { status, retry_after, code } => {
            let body = json!({ "error": { "message": "no", "code": code } }).to_string();
            let retry = retry_after.map(|s| format!("Retry-After: {s}\r\n")).unwrap_or_default();
            let length = body.len();
            let text =
                format!("HTTP/1.1 {status} No\r\n{retry}Content-Length: {length}\r\n\r\n{body}");
            stream.write_all(text.as_bytes()).await.is_ok()
        }
        Behaviour::Garbage => {
            let text = "HTTP/1.1 200 OK\r\nContent-Length: 24\r\n\r\ndata: {\"choices\": [{]\n\n\n";
            stream.write_all(text.as_bytes()).await.is_ok()
        }
        Behaviour::BreaksOffAfter(text) => {
            head(stream).await;
            events(stream, &words(text), false).await;
            false
        }
    }
}

fn words(text: &str) -> Vec<Value> {
    text.split_inclusive(' ').map(|word| json!({ "content": word })).collect()
}

/// A tool call as OpenAI streams it: the name first, then the arguments in pieces.
fn call_fragments(tool: &str, arguments: &str) -> Vec<Value> {
    let (front, back) = arguments.split_at(arguments.len() / 2);
    let piece = |function: Value| json!({ "tool_calls": [{ "index": 0, "function": function }] });
    vec![
        json!({ "tool_calls": [{
            "index": 0, "id": "call_abc", "type": "function",
            "function": { "name": tool, "arguments": "" },
        }] }),
        piece(json!({ "arguments": front })),
        piece(json!({ "arguments": back })),
    ]
}

async fn head(stream: &mut TcpStream) -> bool {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\
                Transfer-Encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await.is_ok()
}

async fn events(stream: &mut TcpStream, deltas: &[Value], by_byte: bool) -> bool {
    // Keep-alive comments are part of what servers send.
    let mut text = String::from(": keep-alive\n\n");
    for delta in deltas {
        let chunk = json!({
            "id": "chatcmpl-1", "object": "chat.completion.chunk",
            "choices": [{ "index": 0, "delta": delta, "finish_reason": null }],
        });
        text.push_str(&format!("data: {chunk}\n\n"));
    }
    if !by_byte {
        return chunk(stream, text.as_bytes()).await;
    }
    for byte in text.as_bytes() {
        if !chunk(stream, &[*byte]).await {
            return false;
        }
        tokio::task::yield_now().await;
    }
    true
}

async fn done(stream: &mut TcpStream) -> bool {
    let last = json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": "stop" }] });
    let usage = json!({ "choices": [], "usage": { "prompt_tokens": 9, "completion_tokens": 3 } });
    let text = format!("data: {last}\n\ndata: {usage}\n\ndata: [DONE]\n\n");
    chunk(stream, text.as_bytes()).await && stream.write_all(b"0\r\n\r\n").await.is_ok()
}

async fn chunk(stream: &mut TcpStream, bytes: &[u8]) -> bool {
    let mut framed = format!("{:x}\r\n", bytes.len()).into_bytes();
    framed.extend_from_slice(bytes);
    framed.extend_from_slice(b"\r\n");
    stream.write_all(&framed).await.is_ok()
}

async fn read_request(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let end = loop {
        let mut piece = [0; 4_096];
        let read = tokio::time::timeout(Duration::from_secs(60), stream.read(&mut piece));
        match read.await.ok()?.ok()? {
            0 => return None,
            count => bytes.extend_from_slice(&piece[..count]),
        }
        if let Some(end) = bytes.windows(4).position(|it| it == b"\r\n\r\n") {
            break end + 4;
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    let mut body = bytes.split_off(end);
    while body.len() < length.unwrap_or(0) {
        let mut piece = [0; 4_096];
        match stream.read(&mut piece).await.ok()? {
            0 => return None,
            count => body.extend_from_slice(&piece[..count]),
        }
    }
    Some((head, body))
}
