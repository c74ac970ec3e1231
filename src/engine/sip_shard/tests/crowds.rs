//! Many connections, slow ones, endless ones, and those of nobody known.

use std::time::Duration;

use super::super::*;
use super::peer::{Peer, Setup};
use crate::net::line::Limits;

/// Limits that a test can wait for.
fn impatient() -> Setup {
    let limits = Limits {
        message: Duration::from_millis(400),
        stranger_idle: Duration::from_millis(800),
        ..Limits::default()
    };
    let caps = Caps { limits, ..Caps::default() };
    Setup { caps, ..Setup::plain() }
}

#[tokio::test]
async fn whoever_sends_half_a_message_or_too_much_is_cut_off_and_nobody_else() {
    let desk = impatient().start();
    let mut good = Peer::tcp(desk.at(Transport::Tcp)).await;
    let tag = good.call().await;

    let mut half = Peer::tcp(desk.at(Transport::Tcp)).await;
    half.send("INVITE sip:desk@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP").await;
    let mut drip = Peer::tcp(desk.at(Transport::Tcp)).await;
    let mut endless = Peer::tcp(desk.at(Transport::Tcp)).await;
    endless.is_heard(&"X-Long: x\r\n".repeat(7_000)).await;
    let mut huge = Peer::tcp(desk.at(Transport::Tcp)).await;
    let boast = huge.request("MESSAGE", 1, "").replace("Length: 0", "Length: 99999999");
    huge.send(&boast).await;
    assert!(huge.wait_for("SIP/2.0 513").await.contains("CSeq: 1 MESSAGE"));
    assert!(huge.octets().await.is_empty(), "it is told so, and cut off");
    assert!(endless.octets().await.is_empty());

    let dripping = async {
        // Octet by octet: the clock runs from the first one.
        let text = "OPTIONS sip:desk@127.0.0.1 SIP/2.0 and so on, for ever and ever";
        for octet in text.chars() {
            if !drip.is_heard(&octet.to_string()).await {
                return Vec::new();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        drip.octets().await
    };
    let (dripped, halved) = tokio::join!(dripping, half.octets());
    assert!(dripped.is_empty() && halved.is_empty());
    good.hang_up(&tag).await;
}

#[tokio::test]
async fn strangers_are_told_403_and_do_not_stay() {
    let desk = impatient().start();
    let mut stranger = Peer::stranger(desk.at(Transport::Tcp)).await;
    let invite = stranger.request("INVITE", 1, "");
    stranger.send(&invite).await;
    assert!(stranger.hear().await.starts_with("SIP/2.0 403"));
    assert!(stranger.octets().await.is_empty(), "silence ends it");
    let mut silent = Peer::stranger(desk.at(Transport::Tcp)).await;
    assert!(silent.octets().await.is_empty());
}

#[tokio::test]
async fn strangers_have_little_room_and_make_room_for_those_we_know() {
    let caps = Caps { together: 6, strangers: 4, per_source: 4, ..Caps::default() };
    let desk = Setup { caps, ..Setup::plain() }.start();
    let at = desk.at(Transport::Tcp);
    let mut strangers = Vec::new();
    for _ in 0..4 {
        strangers.push(Peer::stranger(at).await);
    }
    // A ping proves that a connection was taken in.
    for stranger in &mut strangers {
        stranger.send("\r\n\r\n").await;
        assert_eq!(stranger.octets().await, b"\r\n");
    }
    let mut fifth = Peer::stranger(at).await;
    assert!(fifth.octets().await.is_empty(), "so many from one address, and no more");
    let mut known = Vec::new();
    for _ in 0..3 {
        let mut peer = Peer::tcp(at).await;
        peer.send("\r\n\r\n").await;
        assert_eq!(peer.octets().await, b"\r\n");
        known.push(peer);
    }
    assert!(strangers[0].octets().await.is_empty(), "the oldest stranger made room");
}

#[tokio::test]
async fn a_hundred_connections_have_a_call_each() {
    let desk = Setup::plain().start();
    let at = desk.at(Transport::Tcp);
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..100 {
        calls.spawn(async move {
            let mut peer = Peer::tcp(at).await;
            let tag = peer.call().await;
            (peer, tag)
        });
    }
    let mut up = Vec::new();
    while let Some(call) = calls.join_next().await {
        up.push(call.expect("a call"));
    }
    for (mut peer, tag) in up {
        peer.hang_up(&tag).await;
    }
}
