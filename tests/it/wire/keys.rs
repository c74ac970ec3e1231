//! Keys of the telephone by every way on the wire: tones for peers that know no telephone events,
//! several ways at once, and voices that are no keys.

use super::caller::{Speaker, spoken};
use super::server::{House, Server};
use super::tones::Line;

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_tones_where_no_telephone_events_are_known() {
    let server = Server::start(House::with(DIGITS)).await;
    let mut line = Line::open(&server).await;
    line.call("digits", "m=audio PORT RTP/AVP 0\r\n").await;
    for key in "1590*#AD".chars() {
        line.tone(key).await;
        line.pause(80).await;
    }
    line.pause(2_500).await;
    assert_eq!(line.heard, "1590*#AD");
    assert_eq!(line.events, "", "they were not agreed to");
    line.hang_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_comes_by_three_ways_is_one_key() {
    let rtp = "dtmf = [\"rfc4733\", \"inband\", \"info\"]\n".to_owned();
    let server = Server::start(House { rtp, ..House::with(DIGITS) }).await;
    let mut line = Line::open(&server).await;
    line.call("digits", "m=audio PORT RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n")
        .await;
    for key in "2558".chars() {
        line.press(key).await;
        line.info(key).await;
        line.pause(400).await;
    }
    line.pause(1_500).await;
    assert_eq!(line.events, "2558");
    line.hang_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_voice_is_no_key() {
    let server = Server::start(House::with(DIGITS)).await;
    let mut line = Line::open(&server).await;
    line.call("digits", "m=audio PORT RTP/AVP 0\r\n").await;
    for speaker in [Speaker::Flite("rms"), Speaker::Flite("slt")] {
        let words = "My number is one two three, four five six, seven eight nine, oh. \
                     Who would you like to speak to? I will put you through to the sales team.";
        line.say(&spoken(speaker, words).await).await;
    }
    line.tone('7').await;
    line.pause(1_500).await;
    assert_eq!(line.heard, "7", "only the key that was pressed");
    line.hang_up().await;
}

const DIGITS: &str = "[[route]]\nto = \"digits\"\n";
