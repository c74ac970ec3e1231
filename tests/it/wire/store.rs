//! A store that speaks as much of S3 as recordings need, and checks every signature by its own
//! arithmetic.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A store at work.
#[derive(Debug)]
pub struct Store {
    /// Where it listens.
    pub address: SocketAddr,
    shelf: Arc<Mutex<Shelf>>,
}

#[derive(Debug, Default)]
struct Shelf {
    /// How many requests are still to be refused.
    refuses: usize,
    refused: usize,
    forged: usize,
    kept: BTreeMap<String, Vec<u8>>,
}

impl Store {
    pub const ACCESS_KEY: &'static str = "AKIATESTTESTTEST";
    pub const SECRET_KEY: &'static str = "a/very+secret/key";

    /// Starts one that refuses so many requests before it takes any.
    pub async fn start(refuses: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
        let address = listener.local_addr().expect("an address");
        let shelf = Arc::new(Mutex::new(Shelf { refuses, ..Shelf::default() }));
        let own = shelf.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, own.clone()));
            }
        });
        Self { address, shelf }
    }

    /// What it has, by path.
    pub fn kept(&self) -> BTreeMap<String, Vec<u8>> {
        self.shelf.lock().expect("unpoisoned").kept.clone()
    }

    /// How many requests it refused because it was told to.
    pub fn refused(&self) -> usize {
        self.shelf.lock().expect("unpoisoned").refused
    }

    /// How many had a signature that was not right.
    pub fn forged(&self) -> usize {
        self.shelf.lock().expect("unpoisoned").forged
    }
}

/// One request after the other.
async fn serve(mut stream: TcpStream, shelf: Arc<Mutex<Shelf>>) {
    let mut octets = Vec::new();
    loop {
        let end = loop {
            if let Some(end) = octets.windows(4).position(|it| it == b"\r\n\r\n") {
                break end;
            }
            if stream.read_buf(&mut octets).await.unwrap_or(0) == 0 {
                return;
            }
        };
        let head = String::from_utf8(octets[..end].to_vec()).expect("text");
        let mut lines = head.lines();
        let mut first = lines.next().expect("a request").split(' ');
        let (method, path) = (first.next().expect("a method"), first.next().expect("a path"));
        let headers: BTreeMap<String, String> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let length: usize = headers["content-length"].parse().expect("a length");
        while octets.len() < end + 4 + length {
            assert!(stream.read_buf(&mut octets).await.expect("octets") > 0);
        }
        let body = octets[end + 4..end + 4 + length].to_vec();
        octets.drain(..end + 4 + length);
        let answer = judge(&shelf, (method, path), &headers, body);
        stream.write_all(answer.as_bytes()).await.ok();
    }
}

fn judge(
    shelf: &Mutex<Shelf>,
    (method, path): (&str, &str),
    headers: &BTreeMap<String, String>,
    body: Vec<u8>,
) -> String {
    let mut shelf = shelf.lock().expect("unpoisoned");
    let expected = authorization((method, path), headers, &body);
    if method != "PUT" || headers.get("authorization") != Some(&expected) {
        shelf.forged += 1;
        return refusal("403 Forbidden", "SignatureDoesNotMatch");
    }
    if shelf.refuses > 0 {
        shelf.refuses -= 1;
        shelf.refused += 1;
        return refusal("503 Service Unavailable", "SlowDown");
    }
    shelf.kept.insert(path.to_owned(), body);
    "HTTP/1.1 200 OK\r\nETag: \"x\"\r\nContent-Length: 0\r\n\r\n".to_owned()
}

fn refusal(status: &str, code: &str) -> String {
    let body = format!("<Error><Code>{code}</Code><Message>no</Message></Error>");
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// What the header must be, step by step as AWS describes Signature Version 4.
fn authorization(
    (method, path): (&str, &str),
    headers: &BTreeMap<String, String>,
    body: &[u8],
) -> String {
    let moment = &headers["x-amz-date"];
    let day = &moment[..8];
    let sum = hex(&Sha256::digest(body));
    let names = ["host", "x-amz-content-sha256", "x-amz-date"];
    let signed: String = names.iter().map(|name| format!("{name}:{}\n", headers[*name])).collect();
    let canonical = format!("{method}\n{path}\n\n{signed}\n{}\n{sum}", names.join(";"));
    let scope = format!("{day}/eu-test-1/s3/aws4_request");
    let sum = hex(&Sha256::digest(canonical.as_bytes()));
    let text = format!("AWS4-HMAC-SHA256\n{moment}\n{scope}\n{sum}");
    let mut key = format!("AWS4{}", Store::SECRET_KEY).into_bytes();
    for part in [day, "eu-test-1", "s3", "aws4_request", &text] {
        key = hmac(&key, part.as_bytes());
    }
    format!(
        "AWS4-HMAC-SHA256 Credential={}/{scope},SignedHeaders={},Signature={}",
        Store::ACCESS_KEY,
        names.join(";"),
        hex(&key)
    )
}

/// RFC 2104.
pub fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    assert!(key.len() <= 64);
    let pad = |with: u8| -> Vec<u8> {
        (0..64).map(|at| key.get(at).copied().unwrap_or(0) ^ with).collect()
    };
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(text).finalize();
    Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize().to_vec()
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
