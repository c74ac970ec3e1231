//! Callers who do everything right: some talk, others only signal.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::Tally;
use crate::engine::clock;
use crate::engine::phone::{Act, Line, Moment, Phone, Script, When};
use crate::server::bench::stage;
use crate::server::demo;
use crate::sip::event::{Ending, Party};

/// One conversation: a question, an answer, and the caller hangs up.
///
/// # Errors
/// When there can be no caller at all.
pub async fn converse(target: &str, tally: &Tally) -> Result<(), String> {
    let media = stage::phone_media()?;
    let mut phone = stage::phone([127, 0, 0, 1].into(), &media)?;
    talk(&mut phone, target, script().await?, tally).await;
    Ok(())
}

/// One conversation after the other until `end`; `at` tells the callers apart.
pub async fn conversations(target: String, tally: Arc<Tally>, end: Instant, at: u8) {
    sleep(Duration::from_millis(700) * u32::from(at)).await;
    let Ok(media) = stage::phone_media() else { return Tally::add(&tally.lost) };
    let Ok(mut phone) = stage::phone([127, 0, 0, 1].into(), &media) else {
        return Tally::add(&tally.lost);
    };
    let Ok(script) = script().await else { return Tally::add(&tally.lost) };
    while clock::now() < end {
        talk(&mut phone, &target, script.clone(), &tally).await;
        sleep(Duration::from_secs(1)).await;
    }
}

async fn script() -> Result<Script, String> {
    let question = demo::spoken(&stage::voice()?, "what are your opening hours").await?;
    let act = Act::Say("question".to_owned(), question);
    let patience = Duration::from_secs(1);
    let lines = vec![Line { when: When::Quiet, act }];
    let hang_up_after = Some(Duration::from_secs(30));
    Ok(Script { lines, patience, hang_up_after, ..Script::default() })
}

/// A conversation is whole when the caller ended it, and has heard the other side without a hole.
async fn talk(phone: &mut Phone, target: &str, script: Script, tally: &Tally) {
    let (sender, mut moments) = mpsc::channel(64);
    let watch = async {
        let mut heard = None;
        while let Some((_, moment)) = moments.recv().await {
            if let Moment::Received(quality) = moment {
                heard = Some(quality.received > 0 && quality.lost == 0);
            }
        }
        heard
    };
    let (ending, heard) = tokio::join!(phone.call(target, script, sender), watch);
    let is_whole = matches!(ending, Ok(Ending::Bye { by: Party::Us, .. })) && heard == Some(true);
    Tally::add(if is_whole { &tally.whole } else { &tally.lost });
}

/// Two calls a second without any media: INVITE, 200, ACK, BYE, 200.
pub async fn signalling(server: SocketAddr, tally: Arc<Tally>, end: Instant) {
    let Ok(wire) = Wire::open([127, 0, 0, 1], server).await else {
        return Tally::add(&tally.lost);
    };
    let mut number = 0;
    while clock::now() < end {
        number += 1;
        let is_whole = wire.call(number).await.is_some();
        Tally::add(if is_whole { &tally.whole } else { &tally.lost });
        sleep(Duration::from_millis(500)).await;
    }
}

/// A bare socket that writes requests by hand.
#[derive(Debug)]
pub struct Wire {
    socket: UdpSocket,
    /// Our address.
    pub local: SocketAddr,
    server: SocketAddr,
}

impl Wire {
    /// Opens a socket at an address of the loopback.
    ///
    /// # Errors
    /// What the kernel says.
    pub async fn open(address: [u8; 4], server: SocketAddr) -> std::io::Result<Self> {
        let socket = UdpSocket::bind(SocketAddr::from((address, 0))).await?;
        let local = socket.local_addr()?;
        Ok(Self { socket, local, server })
    }

    /// Sends octets; a full buffer loses them.
    pub async fn send(&self, octets: &[u8]) {
        self.socket.send_to(octets, self.server).await.ok();
    }

    /// Waits so long for a datagram.
    pub async fn receive(&self, limit: Duration) -> Option<String> {
        let mut buffer = vec![0; 4_096];
        let (length, _) = timeout(limit, self.socket.recv_from(&mut buffer)).await.ok()?.ok()?;
        Some(String::from_utf8_lossy(buffer.get(..length)?).into_owned())
    }

    /// A request outside of any dialog, or inside one when `tag` is that of the server.
    pub fn request(&self, method: &str, extension: &str, number: u64, tag: &str) -> String {
        let (local, server) = (self.local, self.server);
        let ip = local.ip();
        let body = if method == "INVITE" {
            format!(
                "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\n\
                 m=audio 9000 RTP/AVP 0\r\n"
            )
        } else {
            String::new()
        };
        let sequence = if method == "BYE" { 2 } else { 1 };
        let tag = if tag.is_empty() { String::new() } else { format!(";tag={tag}") };
        format!(
            "{method} sip:{extension}@{server} SIP/2.0\r\n\
             Via: SIP/2.0/UDP {local};branch=z9hG4bK{number}{method};rport\r\n\
             From: <sip:soak@{local}>;tag=s{number}\r\nTo: <sip:{extension}@{server}>{tag}\r\n\
             Call-ID: soak-{number}@{local}\r\nCSeq: {sequence} {method}\r\n\
             Contact: <sip:soak@{local}>\r\nMax-Forwards: 70\r\n\
             Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    /// Sends a request until its final answer comes; gives that.
    pub async fn ask(&self, request: &str, number: u64) -> Option<String> {
        let own = format!("soak-{number}@");
        let method = request.split(' ').next()?;
        for _ in 0..20 {
            self.send(request.as_bytes()).await;
            let wait = clock::now() + Duration::from_millis(500);
            while clock::now() < wait {
                let Some(answer) = self.receive(wait - clock::now()).await else { break };
                let is_ours = answer.contains(&own) && answer.contains(&format!(" {method}\r\n"));
                if is_ours && answer.starts_with("SIP/2.0 ") && !answer.starts_with("SIP/2.0 1") {
                    return Some(answer);
                }
            }
        }
        None
    }

    /// A whole call.
    async fn call(&self, number: u64) -> Option<()> {
        let answer = self.ask(&self.request("INVITE", "porter", number, ""), number).await?;
        let tag = tag_of(&answer)?;
        self.send(self.request("ACK", "porter", number, tag).as_bytes()).await;
        let over = self.ask(&self.request("BYE", "porter", number, tag), number).await?;
        (answer.starts_with("SIP/2.0 200") && over.starts_with("SIP/2.0 200")).then_some(())
    }
}

/// The tag in To.
pub fn tag_of(answer: &str) -> Option<&str> {
    let to = answer.lines().find(|line| line.starts_with("To: "))?;
    to.rsplit_once(";tag=").map(|(_, tag)| tag)
}
