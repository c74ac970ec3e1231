//! The control socket at work: lets operators in, reads their requests and writes the answers. It
//! trusts nobody: every wait ends, every line and the number of operators is bounded.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::error::Elapsed;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::server::control::asking::json;
use crate::server::control::claim::Claim;
use crate::server::control::clerk::{Clerk, Reply, Stream};
use crate::server::control::protocol::{
    Answer, Ask, Fault, FaultCode, LONGEST_REQUEST, Request, Said, VERSION,
};
use crate::server::deeds;
use crate::store::audit::Deed;

/// The socket, and who answers.
#[derive(Debug)]
pub struct ControlSocket {
    listener: UnixListener,
    clerk: Arc<Clerk>,
    /// Keeps the file in its place.
    _claim: Claim,
}

impl ControlSocket {
    /// Opens a socket that was claimed. To be called within the runtime.
    ///
    /// # Errors
    /// When the runtime cannot wait for it.
    pub fn open(claim: Claim, clerk: Arc<Clerk>) -> io::Result<Self> {
        let listener = UnixListener::from_std(claim.listener.try_clone()?)?;
        Ok(Self { listener, clerk, _claim: claim })
    }

    /// Serves until `stop`.
    pub async fn serve(self, stop: CancellationToken) {
        let mut clients = JoinSet::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                Some(_) = clients.join_next(), if !clients.is_empty() => {}
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) if clients.len() < MOST_CLIENTS => {
                        clients.spawn(Client::new(stream, self.clerk.clone()).serve());
                    }
                    Ok((stream, _)) => turn_away(stream).await,
                    // Out of descriptors: what is open must close first.
                    Err(_) => tokio::time::sleep(PAUSE).await,
                },
            }
        }
    }
}

/// Answers an operator who came another way, with this key and from there, until one of both has
/// enough.
pub async fn converse(
    stream: impl AsyncRead + AsyncWrite,
    clerk: Arc<Clerk>,
    who: (String, String),
) {
    let (read, write) = tokio::io::split(stream);
    let (requests, answers) = (BufReader::new(read), Answers(write));
    Client { requests, answers, clerk, is_ours: true, who }.serve().await;
}

/// One operator.
#[derive(Debug)]
struct Client<R, W> {
    requests: BufReader<R>,
    answers: Answers<W>,
    clerk: Arc<Clerk>,
    /// Whether it is who the server runs as, or who may do anything anyway.
    is_ours: bool,
    /// Who it is, and from where.
    who: (String, String),
}

#[derive(Debug)]
struct Answers<W>(W);

/// There is nobody who reads, or he takes too long.
#[derive(Debug)]
struct Gone;

impl Client<OwnedReadHalf, OwnedWriteHalf> {
    fn new(stream: UnixStream, clerk: Arc<Clerk>) -> Self {
        let user = stream.peer_cred().map(|peer| peer.uid());
        let own = rustix::process::geteuid().as_raw();
        let is_ours = user.as_ref().is_ok_and(|user| *user == own || *user == ROOT);
        let who = (deeds::user(user.unwrap_or_default()), "socket".to_owned());
        let (read, write) = stream.into_split();
        Self { requests: BufReader::new(read), answers: Answers(write), clerk, is_ours, who }
    }
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> Client<R, W> {
    async fn serve(mut self) {
        if !self.is_ours {
            let text = "only the user that the server runs as may talk to it";
            self.answers.refuse(0, Fault::new(FaultCode::Forbidden, text)).await.ok();
            return;
        }
        let mut line = Vec::new();
        loop {
            line.clear();
            let mut limited = (&mut self.requests).take(LONGEST_REQUEST as u64);
            let read = timeout(PATIENCE, limited.read_until(b'\n', &mut line)).await;
            let served = match read {
                Ok(Ok(0)) | Ok(Err(_)) | Err(_) => return,
                Ok(Ok(_)) if !line.ends_with(b"\n") => {
                    // Too long, or cut off: nobody knows where the next one begins.
                    if line.len() >= LONGEST_REQUEST {
                        let text = format!("a request has at most {LONGEST_REQUEST} octets");
                        let fault = Fault::new(FaultCode::TooLong, text);
                        self.answers.refuse(0, fault).await.ok();
                    }
                    return;
                }
                Ok(Ok(_)) => self.take(&line).await,
            };
            if served.is_err() {
                return;
            }
        }
    }

    /// Takes one request.
    async fn take(&mut self, line: &[u8]) -> Result<(), Gone> {
        let request = match read(line) {
            Ok(request) => request,
            Err((id, fault)) => return self.answers.refuse(id, fault).await,
        };
        let id = request.id;
        let deed = deeds::of_console(&request.ask, &self.who);
        let reply = timeout(patience(&request.ask), self.clerk.ask(request.ask)).await;
        if let (Some(deed), Some(audit)) = (deed, self.clerk.audit.clone()) {
            deeds::note(audit, Deed { outcome: outcome(&reply), ..deed }).await;
        }
        match reply {
            Ok(Ok(Reply::Whole(value))) => self.answers.say(id, Said::Result(value)).await,
            Ok(Ok(Reply::Stream(stream))) => self.stream(id, stream).await,
            Ok(Err(fault)) => self.answers.refuse(id, fault).await,
            Err(_) => {
                let fault = Fault::new(FaultCode::Busy, "the server did not answer in time");
                self.answers.refuse(id, fault).await
            }
        }
    }

    /// Writes a stream until it ends, or until the operator says anything or leaves.
    async fn stream(&mut self, id: u64, stream: Stream) -> Result<(), Gone> {
        let (sender, mut items) = mpsc::channel(AHEAD);
        let mut flowing = std::pin::pin!(stream.run(self.clerk.clone(), sender));
        let mut missed = None;
        loop {
            tokio::select! {
                count = &mut flowing, if missed.is_none() => missed = Some(count),
                item = items.recv() => match item {
                    Some(item) => self.answers.say(id, Said::Item(item)).await?,
                    None => break,
                },
                // Nothing is asked while a stream runs: this is the end of it.
                _ = self.requests.fill_buf() => return Err(Gone),
            }
        }
        let missed = missed.unwrap_or_default();
        self.answers.say(id, Said::End { missed }).await
    }
}

impl<W: AsyncWrite + Unpin> Answers<W> {
    async fn say(&mut self, id: u64, said: Said) -> Result<(), Gone> {
        let mut line = serde_json::to_vec(&Answer::new(id, said)).map_err(|_| Gone)?;
        line.push(b'\n');
        timeout(PATIENCE, self.0.write_all(&line)).await.map_err(|_| Gone)?.map_err(|_| Gone)
    }

    async fn refuse(&mut self, id: u64, fault: Fault) -> Result<(), Gone> {
        self.say(id, Said::Error(fault)).await
    }
}

/// What came of a request, in a word.
fn outcome(reply: &Result<Result<Reply, Fault>, Elapsed>) -> String {
    match reply {
        Ok(Ok(_)) => "ok".to_owned(),
        Ok(Err(fault)) => json(&fault.code).as_str().unwrap_or_default().to_owned(),
        Err(_) => "late".to_owned(),
    }
}

/// How long an answer may take to be found.
pub fn patience(ask: &Ask) -> Duration {
    match ask {
        Ask::Reload(_) => RELOAD_WITHIN,
        Ask::Analytics(_) | Ask::Export(_) => COUNT_WITHIN,
        _ => ANSWER_WITHIN,
    }
}

/// Reads a request; says what is wrong with it, and its number if there is one.
fn read(line: &[u8]) -> Result<Request, (u64, Fault)> {
    let malformed = |id: u64, why: String| (id, Fault::new(FaultCode::Malformed, why));
    let value: serde_json::Value = serde_json::from_slice(line)
        .map_err(|_| malformed(0, "a request is one JSON object on one line".to_owned()))?;
    let number = |key: &str| value.get(key).and_then(serde_json::Value::as_u64);
    let id = number("id").unwrap_or_default();
    match number("v") {
        Some(version) if version == u64::from(VERSION) => {}
        Some(version) => {
            let text = format!("this server speaks version {VERSION}, and not {version}");
            return Err((id, Fault::new(FaultCode::Version, text)));
        }
        None => return Err(malformed(id, "a request names its version: \"v\":1".to_owned())),
    }
    serde_json::from_value(value).map_err(|why| malformed(id, why.to_string()))
}

async fn turn_away(stream: UnixStream) {
    let (_, write) = stream.into_split();
    let text = format!("{MOST_CLIENTS} operators are connected: close one of them");
    let refusal = Answers(write).refuse(0, Fault::new(FaultCode::Busy, text)).await;
    drop(refusal);
}

/// The user that may do anything.
const ROOT: u32 = 0;

/// How many operators may be connected.
const MOST_CLIENTS: usize = 16;

/// How long a request may take to arrive, and an answer to be taken.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long an answer may take to be found: longer than the test of a trunk.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);

/// How long calls of the past may be counted, or read: the database has ten seconds for each question.
const COUNT_WITHIN: Duration = Duration::from_secs(25);

/// How long a reading of the files may take: every provider that is new is made ready.
const RELOAD_WITHIN: Duration = Duration::from_secs(120);

/// How many things of a stream may wait to be written.
const AHEAD: usize = 64;

/// How long nobody is let in when the machine has no descriptors.
const PAUSE: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::control::protocol::Ask;

    #[test]
    fn what_is_wrong_with_a_request_is_said_with_its_number() {
        let fault = |line: &str| {
            let (id, fault) = read(line.as_bytes()).unwrap_err();
            (id, fault.code)
        };
        assert_eq!(fault("GET / HTTP/1.1"), (0, FaultCode::Malformed));
        assert_eq!(fault("[1]"), (0, FaultCode::Malformed));
        assert_eq!(fault(r#"{"id":4,"ask":"status"}"#), (4, FaultCode::Malformed));
        assert_eq!(fault(r#"{"v":2,"id":4,"ask":"status"}"#), (4, FaultCode::Version));
        assert_eq!(fault(r#"{"v":1,"id":4,"ask":"shell"}"#), (4, FaultCode::Malformed));
        assert_eq!(fault(r#"{"v":1,"ask":"trunk.show"}"#), (0, FaultCode::Malformed));
        assert_eq!(read(br#"{"v":1,"id":4,"ask":"status"}"#).unwrap().ask, Ask::Status);
    }
}
