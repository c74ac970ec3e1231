//! Whatever arrives at the ports, the server lives, its calls live, and it does not grow.

use std::time::Duration;

use voxtrunk::base::random::Random;
use voxtrunk::engine::phone::Line;

use super::caller::{Speaker, call, say};
use super::datagrams::{Wire, ports_of, ports_of_a_call};
use super::server::{House, PATIENCE, Server, said, within};

#[tokio::test(flavor = "multi_thread")]
async fn broken_signalling_disturbs_neither_a_call_nor_the_server() {
    let mut server = Server::start(House::porter()).await;
    let lines = conversation().await;
    // What the first call loads stays loaded.
    call(&server.uri("porter"), lines.clone(), Duration::from_secs(2)).await;
    let before = server.memory();
    let target = server.uri("porter");
    let running = tokio::spawn(async move { call(&target, lines, Duration::from_secs(2)).await });
    within(PATIENCE, "a call that is up", || (ports_of(server.pid()).len() > 1).then_some(()))
        .await;

    let mut random = Random::repeatable(11);
    let mut wire = Wire::open("127.0.0.1:0", server.address).await;
    for round in 0..DATAGRAMS {
        let datagram = broken_request(&mut wire, &mut random);
        wire.send(&datagram).await;
        if round % 50 == 49 {
            wire.settle().await;
        }
    }

    assert!(running.await.expect("the call ends").they_hung_up());
    assert_still_well(&mut server, before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_media_disturbs_neither_a_call_nor_the_server() {
    let mut server = Server::start(House::porter()).await;
    let lines = conversation().await;
    call(&server.uri("porter"), lines.clone(), Duration::from_secs(2)).await;
    let before = server.memory();
    let target = server.uri("porter");
    let running = tokio::spawn(async move { call(&target, lines, Duration::from_secs(2)).await });
    let ports = ports_of_a_call(&server).await;

    let mut random = Random::repeatable(13);
    for port in ports {
        let to = (server.address.ip(), port).into();
        let wire = Wire::open("127.0.0.1:0", to).await;
        let mut signalling = Wire::open("127.0.0.1:0", server.address).await;
        for round in 0..DATAGRAMS {
            wire.send(&broken_media(&mut random)).await;
            if round % 50 == 49 {
                signalling.settle().await;
            }
        }
    }

    assert!(running.await.expect("the call ends").they_hung_up());
    assert_still_well(&mut server, before).await;
}

/// Asks for the hours, and says goodbye.
async fn conversation() -> Vec<Line> {
    let voice = Speaker::Flite("rms");
    vec![say(voice, "what are your opening hours").await, say(voice, "goodbye").await]
}

async fn assert_still_well(server: &mut Server, before: u64) {
    assert!(server.lives(), "{}", server.log());
    assert!(!server.log().contains("panicked"), "{}", server.log());
    let again = call(&server.uri("porter"), conversation().await, Duration::from_secs(2)).await;
    assert!(again.they_hung_up(), "{again:#?}");
    for record in &server.records_of("porter", 3).await {
        let heard = ["what are your opening hours", "goodbye"];
        assert_eq!(said(record, "caller"), heard, "{record:#}");
        assert_eq!(record["end_reason"], "agent_ended");
    }
    within(PATIENCE, "the memory as it was, and 8 MB", || {
        (server.memory() < before + 8 * 1_024 * 1_024).then_some(())
    })
    .await;
    let ports = || (ports_of(server.pid()).len() == 1).then_some(());
    within(PATIENCE, "every media port closed", ports).await;
}

/// Octets by chance, or a request with damage; a call it never becomes, because whom it asks for
/// refuses.
fn broken_request(wire: &mut Wire, random: &mut Random) -> Vec<u8> {
    if random.below(4) == 0 {
        return octets(random);
    }
    let methods = ["INVITE", "OPTIONS", "BYE", "CANCEL", "ACK", "REGISTER", "REFER", "INFO", "FLY"];
    let method = methods[random.below(methods.len() as u32) as usize];
    let body = if random.below(2) == 0 { wire.description() } else { String::new() };
    let mut message = wire.request(method, "nobody", &body).into_bytes();
    if random.below(8) == 0 {
        let answer = b"SIP/2.0 200 OK\r\n";
        let end = message.windows(2).position(|it| it == b"\r\n").expect("a line") + 2;
        message.splice(..end, answer.iter().copied());
    }
    for _ in 0..=random.below(6) {
        damage(&mut message, random);
    }
    message
}

/// Octets by chance, or an RTP or RTCP packet with damage.
fn broken_media(random: &mut Random) -> Vec<u8> {
    if random.below(4) == 0 {
        return octets(random);
    }
    let kinds = [0, 8, 101, 200, 201, 202, 203, 13];
    let kind = kinds[random.below(kinds.len() as u32) as usize];
    let mut packet = vec![0x80, kind];
    packet.extend(random.u16().to_be_bytes());
    packet.extend(random.u32().to_be_bytes());
    packet.extend(random.below(4).to_be_bytes());
    packet.resize(12 + random.below(400) as usize, 0xd5);
    for _ in 0..random.below(4) {
        damage(&mut packet, random);
    }
    packet
}

fn octets(random: &mut Random) -> Vec<u8> {
    let mut octets = vec![0; random.below(1_400) as usize];
    random.fill(&mut octets);
    octets
}

fn damage(message: &mut Vec<u8>, random: &mut Random) {
    if message.is_empty() {
        return;
    }
    let length = message.len() as u32;
    let at = random.below(length) as usize;
    let end = (at + random.below(64) as usize).min(message.len());
    match random.below(6) {
        0 => message[at] = random.u32() as u8,
        1 => drop(message.drain(at..end)),
        2 => {
            let piece = message[at..end].to_vec();
            message.splice(at..at, piece);
        }
        3 => drop(message.splice(at..at, b"4294967296".iter().copied())),
        4 => drop(message.splice(at..at, b"\r\n".iter().copied())),
        _ => message.truncate(at.max(1)),
    }
}

/// How many datagrams a port gets.
const DATAGRAMS: u32 = 2_000;
