//! What stand-ins for voices share that are asked over HTTP, in the words of a [`Tongue`] for each
//! vendor.

use std::io;
use std::marker::PhantomData;

use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::sleep;

use super::stand::{Mark, Notes, Serve, Stand};
use super::throat::{self, Fault, Script, pieces};
use super::web::{begin_chunks, chunk, read_request, respond};
use crate::audio::frame::{Frame, Rate};
use crate::audio::wav;

/// How a vendor is asked, and answers.
pub(super) trait Tongue: Clone + Send + Sync + 'static {
    /// What shows whether a key is right.
    const CHECK: &'static str;

    /// What the content of an answer is called.
    const CONTENT: &'static str;

    /// The header that shows the key.
    fn key(key: &str) -> String;

    /// The text that is to be spoken; what the vendor would not accept is gathered.
    fn text(head: &str, body: &[u8], wrong: &mut Vec<String>) -> String;

    /// The body of a refusal.
    fn refusal(status: u16, code: &str) -> String;

    /// An answer that comes whole: its body, of raw samples or a file.
    fn whole(_sound: &[u8]) -> Option<Value> {
        None
    }
}

/// Opens a stand-in of a tongue.
///
/// # Errors
/// When there is no free port.
pub(super) async fn open<T: Tongue>(script: Script) -> io::Result<Stand> {
    Stand::open(Guest::<T> { script, tongue: PhantomData }).await
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
            let (known, key) = (head.to_ascii_lowercase(), key.to_ascii_lowercase());
            let served = if !known.contains(&key) {
                refuse::<T>(&mut stream, (401, "unauthorized")).await
            } else if head.starts_with(&format!("GET {}", T::CHECK)) {
                respond(&mut stream, ("200 OK", b"[]")).await
            } else {
                let fault = self.script.faults.get(notes.begin()).copied().unwrap_or(Fault::Well);
                self.speak(&mut stream, (&head, &body), (fault, &notes)).await.is_some()
            };
            if !served {
                return;
            }
        }
    }
}

impl<T: Tongue> Guest<T> {
    async fn speak(
        &self,
        stream: &mut TcpStream,
        (head, body): (&str, &[u8]),
        (fault, notes): (Fault, &Notes),
    ) -> Option<()> {
        let mut wrong = Vec::new();
        let text = T::text(head, body, &mut wrong);
        wrong.into_iter().for_each(|what| notes.complain(what));
        notes.hear(text.clone());
        if let Fault::Refuses(status, code) = fault {
            return refuse::<T>(stream, (status, code)).await.then_some(());
        }
        (self.script.observer)(Mark::Ordered);
        sleep(self.script.delay).await;
        let mut sound = (self.script.throat)(&text);
        if fault == Fault::Endless {
            sound = throat::endless(&sound);
        }
        let octets = match fault {
            Fault::OtherRate(rate) => vec![wav::write(&Frame::new(Rate(rate), sound))],
            _ => pieces(&sound),
        };
        (self.script.observer)(Mark::Sounded);
        if T::whole(&[]).is_some() {
            return self.give_whole(stream, &octets.concat(), fault).await;
        }
        let content = match fault {
            Fault::Garbage | Fault::HalfALetter => "text/html; charset=utf-8",
            _ => T::CONTENT,
        };
        begin_chunks(stream, content).await.then_some(())?;
        for (at, piece) in octets.iter().enumerate() {
            if matches!(fault, Fault::CutsAfter(most) if at >= most) {
                return None;
            }
            sleep(self.script.pace).await;
            chunk(stream, piece).await.then_some(())?;
        }
        chunk(stream, &[]).await.then_some(())
    }

    async fn give_whole(&self, stream: &mut TcpStream, sound: &[u8], fault: Fault) -> Option<()> {
        let body = T::whole(sound)?.to_string();
        let octets = match fault {
            Fault::Garbage => &b"{\"audioContent\": [\"x\"]}"[..],
            Fault::HalfALetter => &b"{\"audioContent\": \"\xC3\"}"[..],
            _ => body.as_bytes(),
        };
        if let Fault::CutsAfter(_) = fault {
            begin_chunks(stream, T::CONTENT).await.then_some(())?;
            chunk(stream, &octets[..octets.len() / 2]).await.then_some(())?;
            return None;
        }
        respond(stream, ("200 OK", octets)).await.then_some(())
    }
}

async fn refuse<T: Tongue>(stream: &mut TcpStream, (status, code): (u16, &str)) -> bool {
    let wait = if status == 429 { "\r\nRetry-After: 7" } else { "" };
    let body = T::refusal(status, code);
    respond(stream, (&format!("{status} No{wait}"), body.as_bytes())).await
}
