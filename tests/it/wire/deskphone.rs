//! A phone written by hand, for what no phone of the distribution does: it takes calls that replace
//! others, refers with Replaces, and tells every octet of what it heard.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::task::JoinHandle;
use voxtrunk::audio::frame::{Frame, Rate};
use voxtrunk::audio::{g711, resample};
use voxtrunk::sip::digest::{Challenge, Credentials, Signed, Turn};

use super::datagrams::{Wire, header};
use super::server::PATIENCE;

/// A phone that is registered at a proxy.
#[derive(Debug)]
pub struct Deskphone {
    wire: Wire,
    user: String,
    domain: String,
    sequence: u32,
    /// What it says and hears.
    pub audio: Audio,
}

/// A call that it is in.
#[derive(Debug, Clone)]
pub struct Dialog {
    /// The Call-ID.
    pub call_id: String,
    /// Our side, with its tag.
    pub local: String,
    /// The other side, with its tag.
    pub remote: String,
    /// Where the other side is reached.
    pub target: String,
    /// The way there.
    pub routes: Vec<String>,
}

/// A socket for audio: it says what it is told, else silence, and keeps what it hears.
#[derive(Debug)]
pub struct Audio {
    port: u16,
    says: Arc<Mutex<VecDeque<i16>>>,
    heard: Arc<Mutex<Vec<i16>>>,
    /// Where packets go.
    to: Arc<Mutex<Option<SocketAddr>>>,
    /// Whether nothing is sent while nothing is said.
    only_words: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Deskphone {
    /// Registers with a password at the proxy, for a domain.
    pub async fn register(proxy: SocketAddr, who: (&str, &str), domain: &str) -> Self {
        Self::register_at("127.0.0.1:0", proxy, who, domain).await
    }

    /// The same, at this address.
    pub async fn register_at(
        bind: &str,
        proxy: SocketAddr,
        who: (&str, &str),
        domain: &str,
    ) -> Self {
        let (user, password) = who;
        let wire = Wire::open(bind, proxy).await;
        let audio = Audio::open().await;
        let (user, domain) = (user.to_owned(), domain.to_owned());
        let mut phone = Self { wire, user, domain, sequence: 0, audio };
        let request = phone.registration("");
        phone.wire.send(request.as_bytes()).await;
        let challenge = phone.wait_for("SIP/2.0 401").await;
        let challenge = header(&challenge, "WWW-Authenticate").to_owned();
        let challenge = Challenge::read(challenge.as_bytes()).remove(0);
        let by = Credentials { username: phone.user.clone(), password: password.into() };
        let uri = format!("sip:{}", phone.domain);
        let signed = Signed { method: "REGISTER", uri: &uri, body: b"" };
        let value = challenge.answer(&by, &signed, Turn { number: 1, cnonce: "cn" });
        let request = phone.registration(&format!("Authorization: {value}\r\n"));
        phone.wire.send(request.as_bytes()).await;
        phone.wait_for("SIP/2.0 200").await;
        phone
    }

    fn registration(&mut self, more: &str) -> String {
        self.sequence += 1;
        let (user, domain, local) = (&self.user, &self.domain, self.wire.local);
        let sequence = self.sequence;
        format!(
            "REGISTER sip:{domain} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK{sequence}r;\
             rport\r\nFrom: <sip:{user}@{domain}>;tag=r\r\nTo: <sip:{user}@{domain}>\r\n\
             Call-ID: r@{local}\r\nCSeq: {sequence} REGISTER\r\nContact: <sip:{user}@{local}>\r\n\
             Expires: 120\r\nMax-Forwards: 70\r\n{more}Content-Length: 0\r\n\r\n"
        )
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.wire.local
    }

    /// Waits for a message that begins so.
    pub async fn wait_for(&mut self, beginning: &str) -> String {
        loop {
            let message = self.wire.receive(PATIENCE).await;
            let message = message.unwrap_or_else(|| panic!("{beginning} does not come"));
            if message.starts_with(beginning) {
                return message;
            }
            if message.starts_with("OPTIONS ") || message.starts_with("NOTIFY ") {
                self.reply(&message, "200 OK", "").await;
            }
        }
    }

    /// Takes a call.
    pub async fn answer(&mut self, invite: &str) -> Dialog {
        let description = self.description();
        let to = self.reply(invite, "200 OK", &description).await;
        *self.audio.to.lock().expect("unpoisoned") = audio_of(invite);
        Dialog {
            call_id: header(invite, "Call-ID").to_owned(),
            local: to,
            remote: header(invite, "From").to_owned(),
            target: within_brackets(header(invite, "Contact")).to_owned(),
            routes: all(invite, "Record-Route").into_iter().map(str::to_owned).collect(),
        }
    }

    /// Answers a request; gives its To with our tag.
    pub async fn reply(&self, request: &str, status: &str, body: &str) -> String {
        let mut copied = String::new();
        for name in ["Via", "Record-Route", "From", "Call-ID", "CSeq"] {
            for value in all(request, name) {
                copied.push_str(&format!("{name}: {value}\r\n"));
            }
        }
        let to = header(request, "To").to_owned();
        let tag = header(request, "Call-ID").len();
        let to = if to.contains(";tag=") { to } else { format!("{to};tag=desk{tag}") };
        let content = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        let answer = format!(
            "SIP/2.0 {status}\r\n{copied}To: {to}\r\nContact: <sip:{}@{}>\r\n\
             User-Agent: deskphone\r\n{content}Content-Length: {}\r\n\r\n{body}",
            self.user,
            self.wire.local,
            body.len()
        );
        self.wire.send(answer.as_bytes()).await;
        to
    }

    /// Sends a request within a call, and waits for its final answer.
    pub async fn ask(&mut self, dialog: &Dialog, method: &str, more: &str) -> String {
        self.sequence += 1;
        let (sequence, local) = (self.sequence, self.wire.local);
        let routes: String =
            dialog.routes.iter().map(|route| format!("Route: {route}\r\n")).collect();
        let request = format!(
            "{method} {} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK{sequence}d;rport\r\n\
             {routes}From: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {sequence} {method}\r\n\
             Contact: <sip:{}@{local}>\r\nMax-Forwards: 70\r\n{more}Content-Length: 0\r\n\r\n",
            dialog.target, dialog.local, dialog.remote, dialog.call_id, self.user
        );
        self.wire.send(request.as_bytes()).await;
        let cseq = format!("{sequence} {method}");
        loop {
            let answer = self.wait_for("SIP/2.0 ").await;
            if header(&answer, "CSeq") == cseq && !answer.starts_with("SIP/2.0 1") {
                return answer;
            }
        }
    }

    fn description(&self) -> String {
        format!(
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
             m=audio {} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n",
            self.audio.port
        )
    }
}

impl Dialog {
    /// What a call that takes the place of this one says, as the other side writes it
    /// (RFC 3891 6.1: our tag is `to-tag`).
    pub fn replaces(&self) -> String {
        let tag = |side: &str| side.split(";tag=").nth(1).expect("a tag").to_owned();
        let (call_id, ours, theirs) = (&self.call_id, tag(&self.local), tag(&self.remote));
        format!("{call_id};to-tag={ours};from-tag={theirs}")
    }
}

impl Audio {
    /// Opens a socket.
    pub async fn open() -> Self {
        let socket = Arc::new(UdpSocket::bind("127.0.0.1:0").await.expect("a port"));
        let port = socket.local_addr().expect("a bound socket").port();
        let says = Arc::new(Mutex::new(VecDeque::new()));
        let (heard, to) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(None)));
        let only_words = Arc::new(AtomicBool::new(false));
        let speaking = speak(socket.clone(), says.clone(), (to.clone(), only_words.clone()));
        let hearing = listen(socket, heard.clone());
        let task = tokio::spawn(async move {
            tokio::join!(speaking, hearing);
        });
        Self { port, says, heard, to, only_words, task }
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Speaks to where a message wants it.
    pub fn towards(&self, message: &str) {
        *self.to.lock().expect("unpoisoned") = audio_of(message);
    }

    /// Sends nothing from now on while it says nothing.
    pub fn leaves_silence_out(&self) {
        self.only_words.store(true, Ordering::Relaxed);
    }

    /// Says a clip.
    pub fn say(&self, clip: &Frame) {
        let clip = resample::convert(clip, Rate(8_000));
        self.says.lock().expect("unpoisoned").extend(clip.samples);
    }

    /// What it heard so far.
    pub fn heard(&self) -> Frame {
        Frame::new(Rate(8_000), self.heard.lock().expect("unpoisoned").clone())
    }
}

impl Drop for Audio {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A packet of PCMU each 20 ms.
async fn speak(
    socket: Arc<UdpSocket>,
    says: Arc<Mutex<VecDeque<i16>>>,
    (to, only_words): (Arc<Mutex<Option<SocketAddr>>>, Arc<AtomicBool>),
) {
    let mut pace = tokio::time::interval(Duration::from_millis(20));
    let mut sequence = 0_u16;
    for number in 0_u32.. {
        pace.tick().await;
        let to = *to.lock().expect("unpoisoned");
        let Some(to) = to else { continue };
        let is_quiet = says.lock().expect("unpoisoned").is_empty();
        if is_quiet && only_words.load(Ordering::Relaxed) {
            continue;
        }
        let mut packet = vec![0x80, 0];
        packet.extend(sequence.to_be_bytes());
        packet.extend((number * 160).to_be_bytes());
        sequence = sequence.wrapping_add(1);
        packet.extend(7_u32.to_be_bytes());
        {
            let mut says = says.lock().expect("unpoisoned");
            let sample = |says: &mut VecDeque<i16>| says.pop_front().unwrap_or(0);
            packet.extend((0..160).map(|_| g711::linear_to_ulaw(sample(&mut says))));
        }
        socket.send_to(&packet, to).await.ok();
    }
}

async fn listen(socket: Arc<UdpSocket>, heard: Arc<Mutex<Vec<i16>>>) {
    let mut buffer = [0; 2_048];
    while let Ok((length, _)) = socket.recv_from(&mut buffer).await {
        let is_speech = buffer[1] & 0x7f == 0;
        if let (true, Some(payload)) = (is_speech, buffer.get(12..length)) {
            let samples = payload.iter().map(|code| g711::ulaw_to_linear(*code));
            heard.lock().expect("unpoisoned").extend(samples);
        }
    }
}

/// Every value of a header, in order.
fn all<'a>(message: &'a str, name: &str) -> Vec<&'a str> {
    let value = |line: &'a str| line.strip_prefix(name)?.strip_prefix(": ");
    message.lines().take_while(|line| !line.is_empty()).filter_map(value).collect()
}

fn within_brackets(address: &str) -> &str {
    let inside = address.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    inside.map_or(address, |(uri, _)| uri)
}

/// Where a description wants audio.
fn audio_of(message: &str) -> Option<SocketAddr> {
    let line = |start: &str| message.lines().find_map(|line| line.strip_prefix(start));
    let port = line("m=audio ")?.split(' ').next()?;
    format!("{}:{port}", line("c=IN IP4 ")?).parse().ok()
}
