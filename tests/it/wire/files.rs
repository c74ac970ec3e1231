//! A web server of one file, as far as downloads need it: it sends parts, breaks off, lies, and notes
//! what it was asked.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// The server. Dropping it ends it.
pub struct Files {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

/// How one request is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// As it should be.
    Well,
    /// The connection is cut after so many octets of the body.
    CutsAfter(usize),
    /// Parts are not known here: the whole file comes.
    Whole,
    /// The file has become another one of the same length, with another tag.
    Changed,
    /// It goes on after its end, and does not say how long it is.
    Endless,
    /// It says that it is longer.
    Longer,
    /// There is no such file.
    Missing,
    /// Another part comes than was asked for.
    OtherPart,
    /// It is to be had elsewhere on this server.
    Elsewhere,
}

impl Files {
    /// Serves `file`, one request after the other in these manners, and well after that.
    pub async fn serve(file: Vec<u8>, manners: &[Manner]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("a bound socket");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (notes, manners) = (asked.clone(), manners.to_vec());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut manners = manners.into_iter();
            while let Ok((mut stream, _)) = listener.accept().await {
                let Some(head) = head(&mut stream).await else { continue };
                let manner = manners.next().unwrap_or(Manner::Well);
                notes.lock().expect("unpoisoned").push(head.clone());
                // Whoever asks may have enough before the end.
                answer(&mut stream, (&head, &file), manner).await.ok();
            }
        });
        Self { address, asked, _tasks: tasks }
    }

    /// Where the file lies.
    pub fn url(&self) -> String {
        format!("http://{}/models", self.address)
    }

    /// What it was asked, in order.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("unpoisoned").clone()
    }

    /// The values of a header, request by request.
    pub fn headers(&self, name: &str) -> Vec<Option<String>> {
        self.asked().iter().map(|head| header(head, name).map(str::to_owned)).collect()
    }
}

/// The tag of the file.
pub const TAG: &str = "\"first\"";

async fn head(stream: &mut TcpStream) -> Option<String> {
    let mut octets = Vec::new();
    while !octets.ends_with(b"\r\n\r\n") {
        octets.push(stream.read_u8().await.ok()?);
    }
    String::from_utf8(octets).ok()
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (found, value) = line.split_once(": ")?;
        found.eq_ignore_ascii_case(name).then_some(value)
    })
}

async fn answer(
    stream: &mut TcpStream,
    (head, file): (&str, &[u8]),
    manner: Manner,
) -> std::io::Result<()> {
    let line = |status: &str, more: &str| {
        format!("HTTP/1.1 {status}\r\nConnection: close\r\n{more}\r\n").into_bytes()
    };
    let tag = if manner == Manner::Changed { "\"second\"" } else { TAG };
    let changed: Vec<u8> = file.iter().map(|octet| octet ^ 0xFF).collect();
    let file = if manner == Manner::Changed { &changed[..] } else { file };
    let is_same = header(head, "if-range").is_none_or(|wanted| wanted == tag);
    let start = header(head, "range")
        .and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
    let start = start.filter(|_| is_same && manner != Manner::Whole);
    let total = file.len();
    let (status, start, length) = match (manner, start) {
        (Manner::Missing, _) => {
            return stream.write_all(&line("404 Not Found", "Content-Length: 0\r\n")).await;
        }
        (Manner::Elsewhere, _) => {
            let place = "Location: /elsewhere/it\r\nContent-Length: 0\r\n";
            return stream.write_all(&line("302 Found", place)).await;
        }
        (Manner::Endless, _) => {
            stream.write_all(&line("200 OK", "")).await?;
            loop {
                stream.write_all(file).await?;
            }
        }
        (Manner::Longer, _) => ("200 OK".to_owned(), 0, total + 1),
        (Manner::OtherPart, Some(start)) => ("206 Partial Content".to_owned(), start - 1, total),
        (_, Some(start)) if start >= total => {
            let more = format!("Content-Range: bytes */{total}\r\nContent-Length: 0\r\n");
            return stream.write_all(&line("416 Range Not Satisfiable", &more)).await;
        }
        (_, Some(start)) => ("206 Partial Content".to_owned(), start, total),
        (_, None) => ("200 OK".to_owned(), 0, total),
    };
    let mut more = format!("ETag: {tag}\r\nContent-Length: {}\r\n", length - start);
    if status.starts_with("206") {
        more.push_str(&format!("Content-Range: bytes {start}-{}/{total}\r\n", total - 1));
    }
    stream.write_all(&line(&status, &more)).await?;
    let end = match manner {
        Manner::CutsAfter(octets) => (start + octets).min(total),
        _ => total,
    };
    stream.write_all(&file[start..end]).await?;
    stream.shutdown().await
}
