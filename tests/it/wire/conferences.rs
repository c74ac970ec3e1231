//! Conferences on the wire: everybody hears everybody else and nobody hears himself.

use futures_util::future::join_all;

use super::control::ask;
use super::server::{House, Server};
use super::tones::Line;

#[tokio::test(flavor = "multi_thread")]
async fn everybody_in_a_room_hears_all_others() {
    let server = Server::start(House::with(ROOMS)).await;
    let mut lines = Vec::new();
    for _ in 0..4 {
        lines.push(Line::open(&server).await);
    }
    lines[0].call("board", PCMU).await;
    lines[0].pause(1_000).await;
    assert!(lines[0].loudest > 500, "music for one who is alone: {}", lines[0].loudest);
    let rooms = ["board", "board", "sales"];
    join_all(lines[1..].iter_mut().zip(rooms).map(|(line, room)| line.call(room, PCMU))).await;
    speak(&mut lines, 0, '1').await;
    speak(&mut lines, 1, '5').await;
    speak(&mut lines, 2, '9').await;
    // Two who talk with each other are connected packet by packet.
    lines.remove(0).hang_up().await;
    speak(&mut lines, 0, '7').await;
    speak(&mut lines, 2, '3').await;
    // An operator lets nobody hear one of them.
    for (order, key) in [("mute", '4'), ("unmute", '6')] {
        let (code, told, why) = ask(&server, &["call", order, lines[0].id()]).await;
        assert_eq!(code, Some(0), "{why}");
        assert!(told.contains(lines[0].id()), "{told}");
        speak(&mut lines, 0, key).await;
    }
    let heard: Vec<&str> = lines.iter().map(|line| line.heard.as_str()).collect();
    assert_eq!(heard, ["19", "1576", ""], "nobody hears himself, or who is elsewhere");
    let record = server.record().await;
    assert_eq!(record["route"], "conference:board", "{record:#}");
    assert_eq!(record["end_reason"], "caller_hangup", "{record:#}");
}

/// One presses a key, which all others may hear.
async fn speak(lines: &mut [Line], speaker: usize, key: char) {
    join_all(lines.iter_mut().enumerate().map(async |(at, line)| {
        if at == speaker {
            line.tone(key).await;
        }
        line.pause(if at == speaker { 420 } else { 500 }).await;
    }))
    .await;
}

const ROOMS: &str = "[[route]]\next = \"board\"\nto = \"conference:board\"\n\
                     [[route]]\nto = \"conference:sales\"\n";

const PCMU: &str = "m=audio PORT RTP/AVP 0\r\n";
