//! The vectors of RFC 3711, RFC 6188 and RFC 7714, and what attackers and lossy networks do.

use proptest::prelude::*;

use super::block::Aes;
use super::*;
use crate::base::random::Random;
use crate::rtp::packet::{Header, Packet};

/// Octets of their hexadecimal digits.
pub(super) fn octets(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().filter_map(|it| it.to_digit(16)).collect();
    digits.chunks(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect()
}

fn master(suite: Suite, text: &str) -> Master {
    Master::new(suite, &octets(text)).expect("a key")
}

fn pair(suite: Suite) -> (Protector, Unprotector) {
    let master = Master::random(suite, &mut Random::repeatable(5));
    (Protector::new(&master), Unprotector::new(&master))
}

fn packet(sequence: u16) -> Vec<u8> {
    let header = Header {
        marker: false,
        payload_type: 8,
        sequence,
        timestamp: u32::from(sequence) * 160,
        ssrc: 0xcafe_babe,
    };
    header.write(&[sequence as u8; 160])
}

fn report() -> Vec<u8> {
    let mut report = octets("80c9 0001 cafebabe 81ca 0002 cafebabe 0101 7800 0000 0000");
    report.truncate(20);
    report
}

/// Protects packets and gives them with what they were.
fn stream(sender: &mut Protector, numbers: impl Iterator<Item = u16>) -> Vec<(Vec<u8>, Vec<u8>)> {
    let protect = |number| {
        let (plain, mut hidden) = (packet(number), packet(number));
        sender.protect(&mut hidden).expect("the key is fresh");
        (plain, hidden)
    };
    numbers.map(protect).collect()
}

fn open(receiver: &mut Unprotector, hidden: &[u8]) -> Result<Vec<u8>, Refused> {
    let mut octets = hidden.to_vec();
    let length = receiver.unprotect(&mut octets)?;
    octets.truncate(length);
    Ok(octets)
}

fn open_report(receiver: &mut Unprotector, hidden: &[u8]) -> Result<Vec<u8>, Refused> {
    let mut octets = hidden.to_vec();
    let length = receiver.unprotect_rtcp(&mut octets)?;
    octets.truncate(length);
    Ok(octets)
}

#[test]
fn the_key_stream_of_rfc_3711_b_2_is_met() {
    let aes = Aes::new(&octets("2b7e151628aed2a6abf7158809cf4f3c"));
    let mut stream = [0; 48];
    let iv = octets("f0f1f2f3f4f5f6f7f8f9fafbfcfd0000");
    aes.apply_keystream(iv.try_into().expect("sixteen"), &mut stream);
    let expected = "e03ead0935c95e80e166b16dd92b4eb4 d23513162b02d0f72a43a2fe4a5f97ab \
        41e95b3bb0a2e8dd477901e4fca894c0";
    assert_eq!(stream[..], octets(expected));
}

#[test]
fn the_packets_of_known_implementations_are_written_and_read() {
    let short = "e1f97a0d3e018be0d64fa32c06de4139 0ec675ad498afeebb6960b3aabe6";
    let long = "f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6 \
        3b04803de51ee7c96423ab5b78d2";
    let gcm = "000102030405060708090a0b0c0d0e0f a0a1a2a3a4a5a6a7a8a9aaab";
    let head = "800f1234decafbadcafebabe";
    for (suite, key, hidden) in [
        (Suite::Aes128Sha80, short, "4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb"),
        (Suite::Aes128Sha32, short, "4e55dc4ce79978d88ca4d215949d2402b78d6acc"),
        (Suite::Aes256Sha80, long, "f1d9de17ff251ff1aa007774b0b4b40da08d9d9a5b3a55d8873b"),
        (Suite::Gcm128, gcm, "c5002ede04cfdd2eb91159e0880aa06ed2976826f796b201df3131a127e8a392"),
    ] {
        let master = master(suite, key);
        let plain = [octets(head), vec![0xab; 16]].concat();
        let expected = [octets(head), octets(hidden)].concat();
        let mut written = plain.clone();
        Protector::new(&master).protect(&mut written).expect("a packet");
        assert_eq!(written, expected, "{suite:?}");
        assert_eq!(open(&mut Unprotector::new(&master), &expected), Ok(plain), "{suite:?}");
    }
    let plain = [octets("81c8000bcafebabe"), vec![0xab; 16]].concat();
    for (suite, key, hidden) in [
        (Suite::Aes128Sha80, short, "7128035be487b9bdbef89041f977a5a880000001993e08cd54d6c1230798"),
        (
            Suite::Gcm128,
            gcm,
            "c98b8b5df0392a55852b6c21ac8e7025c52c6fbea2b3b446ea31123ba88ce61e80000001",
        ),
    ] {
        let master = master(suite, key);
        let expected = [&plain[..8], &octets(hidden)].concat();
        let mut written = plain.clone();
        let mut sender = Protector { next_report: 1, ..Protector::new(&master) };
        sender.protect_rtcp(&mut written).expect("a report");
        assert_eq!(written, expected, "{suite:?}");
        let opened = open_report(&mut Unprotector::new(&master), &expected);
        assert_eq!(opened.as_ref(), Ok(&plain), "{suite:?}");
    }
}

/// The vectors of RFC 7714 16 and 17 begin with the keys of a session, without a master.
#[test]
fn the_packets_of_rfc_7714_are_written_and_read() {
    let long = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    let cipher = |suite: Suite| {
        let mut salt = [0; 14];
        salt[..12].copy_from_slice(b"Quid pro quo");
        Cipher::new(
            suite,
            &derivation::Keys {
                cipher: zeroize::Zeroizing::new(octets(long)[..suite.key_length()].to_vec()),
                mac: zeroize::Zeroizing::new([0; 20]),
                salt: zeroize::Zeroizing::new(salt),
            },
        )
    };
    let head = octets("8040f17b8041f8d35501a0b2");
    let plain = [&head[..], b"Gallia est omnis divisa in partes tres"].concat();
    for (suite, hidden) in [
        (
            Suite::Gcm128,
            "f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf8833\
             899d7f27beb16a9152cf765ee4390cce",
        ),
        (
            Suite::Gcm256,
            "32b1de78a822fe12ef9f78fa332e33aab18012389a58e2f3b50b2a0276ffae0f1ba63799b87b\
             7aa3db36dfffd6b0f9bb7878d7a76c13",
        ),
    ] {
        let mut packet = plain.clone();
        cipher(suite).seal_rtp((0x5501_a0b2, 0xf17b), 12, &mut packet);
        assert_eq!(packet, [head.clone(), octets(hidden)].concat());
        let length = cipher(suite).open_rtp((0x5501_a0b2, 0xf17b), (12, &[]), &mut packet);
        assert_eq!((length, &packet[..plain.len()]), (Ok(plain.len()), &plain[..]));
    }
    let plain = octets(
        "81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61 \
         deadbeef deadbeef deadbeef deadbeef deadbeef",
    );
    let hidden = octets(
        "81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d c676a5f1 \
         730d6fda 4ce09b46 86303ded 0bb9275b c84aa458 96cf4d2f c5abf872 45d9eade 800005d4",
    );
    let mut packet = plain.clone();
    cipher(Suite::Gcm128).seal_rtcp((0x4d61_7273, 0x5d4), &mut packet);
    assert_eq!(packet, hidden);
    let mut receiver = pair(Suite::Gcm128).1;
    receiver.rtcp = cipher(Suite::Gcm128);
    assert_eq!(open_report(&mut receiver, &hidden), Ok(plain));
}

#[test]
fn what_is_hidden_is_opened_once() {
    for suite in Suite::ALL {
        let (mut sender, mut receiver) = pair(suite);
        for (plain, hidden) in stream(&mut sender, 65_000..=65_100) {
            assert_ne!(plain[12..], hidden[12..plain.len()]);
            assert_eq!(open(&mut receiver, &hidden), Ok(plain));
            assert_eq!(open(&mut receiver, &hidden), Err(Refused::Replayed));
        }
        for _ in 0..3 {
            let mut hidden = report();
            sender.protect_rtcp(&mut hidden).expect("a report");
            assert_eq!(open_report(&mut receiver, &hidden), Ok(report()));
            assert_eq!(open_report(&mut receiver, &hidden), Err(Refused::Replayed));
        }
    }
}

#[test]
fn a_payload_is_hidden_behind_sources_and_extension() {
    let (mut sender, mut receiver) = pair(Suite::Gcm128);
    let mut plain = packet(7);
    plain[0] |= 0x10 | 0x01;
    plain.splice(12..12, octets("01020304 bede0001 aabbccdd"));
    let mut hidden = plain.clone();
    sender.protect(&mut hidden).expect("a packet");
    assert_eq!(hidden[..24], plain[..24]);
    assert_ne!(hidden[24..40], plain[24..40]);
    assert_eq!(open(&mut receiver, &hidden), Ok(plain));
}

#[test]
fn nothing_is_allocated_for_the_tag() {
    for suite in Suite::ALL {
        let mut packet = packet(1);
        let (place, capacity) = (packet.as_ptr(), packet.capacity());
        pair(suite).0.protect(&mut packet).expect("a packet");
        assert_eq!((packet.as_ptr(), packet.capacity()), (place, capacity));
    }
}

#[test]
fn the_numbers_wrap_often_and_over_losses() {
    let (mut sender, mut receiver) = pair(Suite::Gcm128);
    let mut number = 60_000_u16;
    for step in 0..400_u32 {
        let (plain, hidden) = stream(&mut sender, std::iter::once(number)).remove(0);
        if step % 3 != 1 {
            assert_eq!(open(&mut receiver, &hidden), Ok(plain), "step {step}");
        }
        number = number.wrapping_add(1_000);
    }
    assert!(receiver.streams[0].rtp.highest().expect("packets came") >> 16 >= 5);
}

#[test]
fn who_joins_late_after_a_wrap_is_not_understood() {
    // The rollover counter is not told by SDES: it begins at 0 for both (RFC 4568 6.5.1).
    let (mut sender, mut receiver) = pair(Suite::Aes128Sha80);
    let hidden = stream(&mut sender, [65_535, 0, 1].into_iter());
    assert_eq!(open(&mut receiver, &hidden[2].1), Err(Refused::Forged));
}

#[test]
fn an_unknown_source_that_proves_nothing_is_not_remembered() {
    let (mut sender, mut receiver) = pair(Suite::Aes128Sha80);
    for ssrc in 0..1_000_u32 {
        let mut forged = packet(1);
        forged[8..12].copy_from_slice(&ssrc.to_be_bytes());
        forged.extend_from_slice(&[0; 10]);
        assert_eq!(open(&mut receiver, &forged), Err(Refused::Forged));
    }
    assert_eq!(receiver.streams.len(), 0);
    for ssrc in 0..1_000_u32 {
        let mut packet = packet(1);
        packet[8..12].copy_from_slice(&ssrc.to_be_bytes());
        sender.protect(&mut packet).expect("a packet");
        assert!(open(&mut receiver, &packet).is_ok());
    }
    assert_eq!(receiver.streams.len(), MAX_STREAMS);
}

#[test]
fn a_new_key_goes_on_with_the_numbers() {
    let (mut sender, mut receiver) = pair(Suite::Aes128Sha80);
    for (plain, hidden) in stream(&mut sender, [65_000, 65_535, 0, 9].into_iter()) {
        assert_eq!(open(&mut receiver, &hidden), Ok(plain));
    }
    let other = Master::random(Suite::Gcm128, &mut Random::repeatable(6));
    let old = stream(&mut sender, std::iter::once(10)).remove(0);
    let (mut sender, mut receiver) = (sender.rekeyed(&other), receiver.rekeyed(&other));
    assert_eq!(open(&mut receiver, &old.1), Err(Refused::Forged));
    for (plain, hidden) in stream(&mut sender, [11, 13, 12].into_iter()) {
        assert_eq!(open(&mut receiver, &hidden), Ok(plain));
        assert_eq!(open(&mut receiver, &hidden), Err(Refused::Replayed));
    }
    assert_eq!(receiver.streams[0].rtp.highest(), Some(0x1_000d));
}

#[test]
fn a_peer_that_begins_its_numbers_anew_with_a_new_key_is_understood() {
    for suite in [Suite::Aes128Sha80, Suite::Gcm128] {
        let (mut sender, mut receiver) = pair(suite);
        for (plain, hidden) in stream(&mut sender, [65_535, 0].into_iter()) {
            assert_eq!(open(&mut receiver, &hidden), Ok(plain));
        }
        let other = Master::random(suite, &mut Random::repeatable(6));
        let (mut sender, mut receiver) = (Protector::new(&other), receiver.rekeyed(&other));
        for (plain, hidden) in stream(&mut sender, 1..3) {
            assert_eq!(open(&mut receiver, &hidden), Ok(plain));
        }
        assert_eq!(receiver.streams[0].rtp.highest(), Some(2));
    }
}

#[test]
fn a_used_up_key_protects_nothing() {
    let (mut sender, _) = pair(Suite::Aes128Sha80);
    sender.last = Some((0xcafe_babe, LAST_PACKET));
    assert_eq!(sender.protect(&mut packet(0)), Err(Refused::Exhausted));
    sender.next_report = LAST_REPORT;
    assert_eq!(sender.protect_rtcp(&mut report()), Ok(()));
    assert_eq!(sender.protect_rtcp(&mut report()), Err(Refused::Exhausted));
}

#[test]
fn an_identifier_must_be_there_when_it_was_agreed() {
    for suite in [Suite::Aes128Sha80, Suite::Gcm128] {
        let plain = Master::random(suite, &mut Random::repeatable(5));
        let named = plain.clone().with_mki(Mki::new(1, 4).expect("four octets"));
        let (mut sender, mut receiver) = (Protector::new(&plain), Unprotector::new(&named));
        let behind = if suite == Suite::Gcm128 { 0 } else { 10 };
        let with = |hidden: &[u8], id: [u8; 4]| {
            let (body, tag) = hidden.split_at(hidden.len() - behind);
            [body, &id, tag].concat()
        };
        let (clear, hidden) = stream(&mut sender, std::iter::once(3)).remove(0);
        assert_eq!(open(&mut receiver, &hidden), Err(Refused::Forged));
        assert_eq!(open(&mut receiver, &with(&hidden, [0, 0, 0, 2])), Err(Refused::Forged));
        assert_eq!(open(&mut receiver, &with(&hidden, [0, 0, 0, 1])), Ok(clear));
        let mut hidden = report();
        sender.protect_rtcp(&mut hidden).expect("a report");
        assert!(open_report(&mut receiver, &hidden).is_err());
        assert_eq!(open_report(&mut receiver, &with(&hidden, [0, 0, 0, 1])), Ok(report()));
    }
}

#[test]
fn a_report_in_the_clear_is_refused() {
    for suite in Suite::ALL {
        let (mut sender, mut receiver) = pair(suite);
        let mut hidden = report();
        sender.protect_rtcp(&mut hidden).expect("a report");
        let place = if matches!(suite, Suite::Gcm128 | Suite::Gcm256) { 4 } else { 14 };
        let flag = hidden.len() - place;
        hidden[flag] &= 0x7f;
        assert_eq!(open_report(&mut receiver, &hidden), Err(Refused::Forged));
    }
}

fn any_suite() -> impl Strategy<Value = Suite> {
    prop::sample::select(Suite::ALL.to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_packet_with_any_bit_turned_is_refused_and_left_as_it_came(
        suite in any_suite(),
        bit in any::<prop::sample::Index>(),
    ) {
        let (mut sender, mut receiver) = pair(suite);
        let (plain, hidden) = stream(&mut sender, std::iter::once(1_000)).remove(0);
        let mut turned = hidden.clone();
        let bit = bit.index(turned.len() * 8);
        turned[bit / 8] ^= 1 << (bit % 8);
        let before = turned.clone();
        prop_assert!(receiver.unprotect(&mut turned).is_err());
        prop_assert_eq!(turned, before);
        prop_assert_eq!(open(&mut receiver, &hidden), Ok(plain));
    }

    #[test]
    fn a_report_with_any_bit_turned_is_refused(
        suite in any_suite(),
        bit in any::<prop::sample::Index>(),
    ) {
        let (mut sender, mut receiver) = pair(suite);
        let mut hidden = report();
        sender.protect_rtcp(&mut hidden).expect("a report");
        let mut turned = hidden.clone();
        let bit = bit.index(turned.len() * 8);
        turned[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(open_report(&mut receiver, &turned).is_err());
        prop_assert_eq!(open_report(&mut receiver, &hidden), Ok(report()));
    }

    #[test]
    fn reordered_doubled_and_lost_packets_are_opened_once_each(
        suite in any_suite(),
        first in any::<u16>(),
        order in prop::collection::vec((0_usize..300, 0_usize..20), 1..200),
    ) {
        let (mut sender, mut receiver) = pair(suite);
        let numbers = (0..320_u16).map(|step| first.wrapping_add(step));
        let packets = stream(&mut sender, numbers);
        // Of the first packet the receiver learns where the numbers are.
        prop_assert!(open(&mut receiver, &packets[0].1).is_ok());
        let mut seen = std::collections::HashSet::from([0]);
        let mut highest = 0;
        for (step, (_, jump)) in order.iter().enumerate() {
            let place = (step + jump).min(319);
            let (plain, hidden) = &packets[place];
            let fresh = place + 128 > highest && seen.insert(place);
            let expected = if fresh { Ok(plain.clone()) } else { Err(Refused::Replayed) };
            prop_assert_eq!(open(&mut receiver, hidden), expected);
            highest = highest.max(place);
        }
    }

    #[test]
    fn any_octets_are_refused_without_harm(
        suite in any_suite(),
        octets in prop::collection::vec(any::<u8>(), 0..120),
    ) {
        let (mut sender, mut receiver) = pair(suite);
        prop_assert!(receiver.unprotect(&mut octets.clone()).is_err());
        prop_assert!(receiver.unprotect_rtcp(&mut octets.clone()).is_err());
        let mut sent = octets.clone();
        if sender.protect(&mut sent).is_ok() {
            prop_assert!(Packet::parse(&octets).is_ok() || octets[0] & 0x20 != 0);
            prop_assert_eq!(open(&mut receiver, &sent), Ok(octets));
        }
    }
}
