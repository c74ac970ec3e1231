//! Descriptions and packets.

use std::net::IpAddr;

use voxtrunk::audio::codec::Codec;
use voxtrunk::audio::packing::Wishes;
use voxtrunk::rtp::packet::Packet;
use voxtrunk::rtp::{rtcp, telephone_event};
use voxtrunk::sdp::keying::Terms;
use voxtrunk::sdp::line::Line;
use voxtrunk::sdp::negotiate::{Local, accept, answer};
use voxtrunk::sdp::session;

/// Every line of a description can be read or refused, and what is printed is read again.
pub fn sdp(octets: &[u8]) {
    let Ok(description) = session::parse(octets) else { return };
    for media in &description.medias {
        let _ = Line::read(&description, media).map(|line| line.direction.reversed());
    }
    let _ = accept(octets, &local(4_000));
}

/// Whatever is offered, the answer is a description with a line for each line of the offer, and
/// what was agreed is something of ours.
pub fn sdp_answer(octets: &[u8]) {
    let ours = local(4_000);
    let Ok((text, agreed)) = answer(octets, &ours) else { return };
    assert!(ours.codecs.contains(&agreed.codec));
    let offer = session::parse(octets).expect("it was answered");
    let written = session::parse(text.as_bytes()).expect("what we print can be read");
    assert_eq!(written.medias.len(), offer.medias.len(), "{text}");
    let taken = written.medias.iter().filter(|media| media.port != 0);
    assert_eq!(taken.count(), 1, "{text}");
}

/// A packet's parts lie within it; keys come out of any payload.
pub fn rtp(octets: &[u8]) {
    let mut keys = telephone_event::Receiver::default();
    let Ok(packet) = Packet::parse(octets) else { return };
    assert!(packet.payload.len() + 12 <= octets.len());
    let _ = keys.handle(packet.header.timestamp, packet.payload);
    let again = packet.header.write(packet.payload);
    let again = Packet::parse(&again).expect("what we print can be read");
    assert_eq!((again.payload, again.header), (packet.payload, packet.header));
}

/// A compound of reports, some of them about us.
pub fn rtcp(octets: &[u8]) {
    let _ = rtcp::parse(octets, 0x0102_0304);
}

fn local(port: u16) -> Local {
    let address = IpAddr::from([192, 0, 2, 2]);
    let codecs = vec![Codec::Pcma, Codec::Pcmu];
    let (wishes, srtp) = (Wishes::default(), Terms::default());
    Local { address, port, codecs, wishes, session_id: 7, version: 1, srtp }
}
