//! Those who do everything wrong: broken messages of a trunk, floods of strangers, calls that
//! nobody acknowledges or feeds, and connections that hardly speak.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::net::TcpSocket;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::Tally;
use super::good::{Wire, tag_of};
use crate::base::random::Random;
use crate::engine::clock;

/// Lets each of them begin; they go on until `end`.
pub fn begin(work: &mut JoinSet<()>, server: SocketAddr, tally: &Arc<Tally>, end: Instant) {
    work.spawn(broken(server, tally.clone(), end));
    work.spawn(strangers(server, tally.clone(), end));
    work.spawn(half_calls(server, tally.clone(), end));
    for _ in 0..3 {
        work.spawn(slow(server, tally.clone(), end));
    }
}

/// Twenty broken messages a second from a trunk.
async fn broken(server: SocketAddr, tally: Arc<Tally>, end: Instant) {
    let Ok(wire) = Wire::open([127, 0, 0, 3], server).await else { return };
    let mut random = clock::random();
    let mut number = 0;
    while clock::now() < end {
        number += 1;
        let mut octets = any_request(&wire, &mut random, number);
        for _ in 0..=random.below(6) {
            damage(&mut octets, &mut random);
        }
        wire.send(&octets).await;
        Tally::add(&tally.hostile);
        sleep(Duration::from_millis(50)).await;
    }
}

/// Bursts of forty from one address after the other, most of them in good order.
async fn strangers(server: SocketAddr, tally: Arc<Tally>, end: Instant) {
    let mut random = clock::random();
    let mut number = 0;
    while clock::now() < end {
        let host = 10 + random.below(200) as u8;
        if let Ok(wire) = Wire::open([127, 0, 0, host], server).await {
            for _ in 0..40 {
                number += 1;
                let mut octets = any_request(&wire, &mut random, number);
                if random.below(4) == 0 {
                    damage(&mut octets, &mut random);
                }
                wire.send(&octets).await;
                Tally::add(&tally.hostile);
            }
        }
        sleep(Duration::from_millis(500)).await;
    }
}

/// Every five seconds a call that is answered and then left alone: unacknowledged, acknowledged
/// and never fed, or cancelled too late.
async fn half_calls(server: SocketAddr, tally: Arc<Tally>, end: Instant) {
    let mut number = 0;
    while clock::now() < end {
        number += 1;
        // A socket of its own: what comes later meets nobody.
        if let Ok(wire) = Wire::open([127, 0, 0, 3], server).await {
            let invite = wire.request("INVITE", "porter", number, "");
            if let Some(answer) = wire.ask(&invite, number).await {
                let tag = tag_of(&answer).unwrap_or_default();
                let last = match number % 3 {
                    0 => None,
                    1 => Some(wire.request("ACK", "porter", number, tag)),
                    _ => Some(invite.replace("INVITE", "CANCEL")),
                };
                if let Some(last) = last {
                    wire.send(last.as_bytes()).await;
                }
                Tally::add(&tally.hostile);
            }
        }
        sleep(Duration::from_secs(5)).await;
    }
}

/// A connection that says an octet a second, until it is cut off.
async fn slow(server: SocketAddr, tally: Arc<Tally>, end: Instant) {
    while clock::now() < end {
        let connect = async {
            let socket = TcpSocket::new_v4()?;
            socket.bind(SocketAddr::from(([127, 0, 0, 3], 0)))?;
            socket.connect(server).await
        };
        if let Ok(mut connection) = connect.await {
            Tally::add(&tally.hostile);
            for octet in b"INVITE sip:nobody@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP x".iter().cycle()
            {
                let is_gone = connection.write_all(&[*octet]).await.is_err();
                if is_gone || clock::now() >= end {
                    break;
                }
                sleep(Duration::from_secs(1)).await;
            }
        }
        sleep(Duration::from_secs(1)).await;
    }
}

fn any_request(wire: &Wire, random: &mut Random, number: u64) -> Vec<u8> {
    let methods = ["INVITE", "OPTIONS", "BYE", "CANCEL", "ACK", "REGISTER", "REFER", "INFO", "FLY"];
    let place = random.below(methods.len() as u32) as usize;
    let method = methods.get(place).copied().unwrap_or("OPTIONS");
    wire.request(method, "nobody", number, "").into_bytes()
}

fn damage(octets: &mut Vec<u8>, random: &mut Random) {
    let length = u32::try_from(octets.len()).unwrap_or(u32::MAX);
    let at = random.below(length) as usize;
    let end = (at + random.below(64) as usize).min(octets.len());
    match random.below(5) {
        0 => drop(octets.splice(at..end, [random.u32() as u8])),
        1 => drop(octets.drain(at..end)),
        2 => drop(octets.splice(at..at, b"4294967296".iter().copied())),
        3 => drop(octets.splice(at..at, b"\r\n".iter().copied())),
        _ => octets.truncate(end.max(1)),
    }
}
