//! A server on another machine: what is asked of its control socket goes by a WebSocket.

use std::io;
use std::net::IpAddr;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Sender, channel};
use std::thread;

use reqwest::Url;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::runtime::Builder;
use tokio_tungstenite::tungstenite::Message;

use crate::base::secret::{ExposeSecret as _, Secret};
use crate::providers::websocket::{self, Dial, Received};

/// Where a server is, and what lets one in.
#[derive(Debug, Clone)]
pub struct Remote {
    /// Its address: `https://voice.example.com`.
    pub url: String,
    /// A key that may administer it.
    pub token: Option<Secret>,
}

impl Remote {
    /// Opens a way to it, which is used like its control socket.
    ///
    /// # Errors
    /// Why there is none: a sentence.
    pub fn open(&self) -> Result<UnixStream, String> {
        let token = self.token.as_ref().ok_or("its key is to stand in VOXTRUNK_TOKEN")?;
        let url = address(&self.url)?;
        let headers =
            vec![("Authorization".to_owned(), format!("Bearer {}", token.expose_secret()).into())];
        let dial = Dial { provider: self.url.clone(), url, headers };
        let broken = |why: io::Error| why.to_string();
        let (near, far) = UnixStream::pair().map_err(broken)?;
        far.set_nonblocking(true).map_err(broken)?;
        let (told, opened) = channel();
        let runtime = Builder::new_current_thread().enable_all().build().map_err(broken)?;
        thread::spawn(move || runtime.block_on(carry(dial, far, told)));
        match opened.recv() {
            Ok(None) => Ok(near),
            Ok(Some(why)) => Err(why),
            Err(_) => Err("the connection broke".to_owned()),
        }
    }
}

/// The address of its console. A key goes to another machine by TLS only.
fn address(url: &str) -> Result<Url, String> {
    let console = websocket::address("url", (url, "/v1/console"), &[]);
    let wrong = || "write its address like https://voice.example.com".to_owned();
    let console = console.map_err(|_| wrong())?;
    let host = console.host_str().ok_or_else(wrong)?;
    let ip = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let is_here = host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback());
    match console.scheme() {
        "https" | "wss" => Ok(console),
        "http" | "ws" if is_here => Ok(console),
        "http" | "ws" => Err("anybody on the way could read the key: write https://".to_owned()),
        _ => Err(wrong()),
    }
}

/// Carries lines to and fro until one of both has enough.
async fn carry(dial: Dial, far: UnixStream, told: Sender<Option<String>>) {
    let socket = websocket::open(&dial).await.map_err(|why| why.reason);
    let stream = tokio::net::UnixStream::from_std(far).map_err(|why| why.to_string());
    let (mut socket, stream) = match (socket, stream) {
        (Ok(socket), Ok(stream)) => (socket, stream),
        (Err(why), _) | (_, Err(why)) => return drop(told.send(Some(why))),
    };
    told.send(None).ok();
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    loop {
        tokio::select! {
            line = lines.next_line() => {
                let Ok(Some(line)) = line else { return };
                if socket.send(Message::text(line)).await.is_err() {
                    return;
                }
            }
            said = socket.receive() => {
                let Some(Ok(said)) = said else { return };
                if let Received::Text(text) = said {
                    let line = format!("{}\n", text.as_str());
                    if write.write_all(line.as_bytes()).await.is_err() {
                        return;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_goes_to_other_machines_by_tls_only() {
        let console = |url: &str| address(url).map(|url| url.to_string());
        assert_eq!(
            console("https://v.example.com/"),
            Ok("https://v.example.com/v1/console".into())
        );
        assert_eq!(console("http://127.0.0.1:8080"), Ok("http://127.0.0.1:8080/v1/console".into()));
        assert!(console("http://[::1]:8080").is_ok() && console("http://localhost").is_ok());
        for wrong in ["http://v.example.com", "http://127.0.0.1.example.com", "ftp://x", "v", ""] {
            assert!(console(wrong).is_err(), "{wrong}");
        }
        let remote = Remote { url: "https://v.example.com".into(), token: None };
        assert!(remote.open().unwrap_err().contains("VOXTRUNK_TOKEN"));
    }
}
