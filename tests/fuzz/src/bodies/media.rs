//! Descriptions and packets.

use std::net::IpAddr;

use voxtrunk::audio::codec::Codec;
use voxtrunk::audio::packing::Wishes;
use voxtrunk::base::master_key::{Master, Suite};
use voxtrunk::rtp::packet::Packet;
use voxtrunk::rtp::srtp::{Protector, Unprotector};
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

/// A packet that is refused stays as it came; what we hide can be opened, once.
pub fn srtp(octets: &[u8]) {
    let Some((&kind, packet)) = octets.split_first() else { return };
    let suite = Suite::ALL[usize::from(kind >> 1) % Suite::ALL.len()];
    let master = Master::new(suite, &[kind; 64][..suite.master_length()]).expect("a key");
    let (mut hide, mut open) = (Protector::new(&master), Unprotector::new(&master));
    let mut foreign = packet.to_vec();
    if open.unprotect(&mut foreign).is_err() {
        assert_eq!(foreign, packet);
    }
    if open.unprotect_rtcp(&mut foreign).is_err() {
        assert_eq!(foreign, packet);
    }
    let mut own = packet.to_vec();
    let (hidden, is_report) = match kind % 2 {
        0 => (hide.protect(&mut own), false),
        _ => (hide.protect_rtcp(&mut own), true),
    };
    if hidden.is_err() {
        return;
    }
    let mut again = own.clone();
    let mut take = |octets: &mut [u8]| match is_report {
        true => open.unprotect_rtcp(octets),
        false => open.unprotect(octets),
    };
    let length = take(&mut own).expect("our own packet");
    assert_eq!(&own[..length], packet);
    assert!(take(&mut again).is_err(), "a replay");
}

fn local(port: u16) -> Local {
    let address = IpAddr::from([192, 0, 2, 2]);
    let codecs = vec![Codec::Pcma, Codec::Pcmu];
    let (wishes, srtp) = (Wishes::default(), Terms::default());
    Local { address, port, codecs, wishes, session_id: 7, version: 1, srtp }
}
