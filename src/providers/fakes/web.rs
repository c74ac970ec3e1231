//! HTTP/1.1 as a stand-in speaks it: a request whole, an answer in chunks.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

/// Whether whoever is there wants to open a socket; nothing of what it sent is taken.
pub(super) async fn wants_socket(stream: &TcpStream) -> bool {
    let mut head = vec![0; 8 << 10];
    for _ in 0..100 {
        let Ok(read) = stream.peek(&mut head).await else { return false };
        let text = String::from_utf8_lossy(&head[..read]).to_ascii_lowercase();
        if text.contains("\r\n\r\n") || read == 0 {
            return text.contains("upgrade: websocket");
        }
        sleep(Duration::from_millis(5)).await;
    }
    false
}

/// The head and the body of the next request by HTTP/1.1; `None` when the connection is over.
pub(super) async fn read_request(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut octets = Vec::new();
    let end = loop {
        let found = octets.windows(4).position(|it: &[u8]| it == b"\r\n\r\n");
        if let Some(end) = found {
            break end + 4;
        }
        read_more(stream, &mut octets).await?;
    };
    let head = String::from_utf8_lossy(&octets[..end]).into_owned();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let mut body = octets.split_off(end);
    while body.len() < length.unwrap_or(0) {
        read_more(stream, &mut body).await?;
    }
    Some((head, body))
}

async fn read_more(stream: &mut TcpStream, octets: &mut Vec<u8>) -> Option<()> {
    let read = timeout(Duration::from_secs(300), stream.read_buf(octets)).await;
    (read.ok()?.ok()? > 0).then_some(())
}

/// Answers with a whole body.
pub(super) async fn respond(stream: &mut TcpStream, (status, body): (&str, &[u8])) -> bool {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.is_ok() && stream.write_all(body).await.is_ok()
}

/// Begins an answer in chunks.
pub(super) async fn begin_chunks(stream: &mut TcpStream, content_type: &str) -> bool {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.is_ok()
}

/// A chunk; an empty one ends the answer.
pub(super) async fn chunk(stream: &mut TcpStream, octets: &[u8]) -> bool {
    let mut framed = format!("{:x}\r\n", octets.len()).into_bytes();
    framed.extend_from_slice(octets);
    framed.extend_from_slice(b"\r\n");
    stream.write_all(&framed).await.is_ok()
}
