//! SRTP around a port: what goes out is hidden, what comes in is opened before anybody looks at
//! it. A key that was replaced opens packets until the first one under its successor came.

use crate::base::master_key::{Keys, Suite};
use crate::rtp::packet::MAX_PACKET;
use crate::rtp::srtp::{Protector, Refused, Unprotector};

/// The protection of one port.
#[derive(Debug)]
pub struct Armour {
    keys: Keys,
    outward: Protector,
    inward: Unprotector,
    /// The key before the last change.
    before: Option<Unprotector>,
    /// Room for one datagram.
    room: Vec<u8>,
}

impl Armour {
    /// Begins with the keys that were agreed.
    pub fn new(keys: Keys) -> Self {
        Self {
            outward: Protector::new(&keys.ours),
            inward: Unprotector::new(&keys.theirs),
            before: None,
            room: Vec::with_capacity(MAX_PACKET),
            keys,
        }
    }

    /// Takes the keys of another agreement. Those that are the same go on as they are.
    pub fn rekey(&mut self, keys: Keys) {
        if keys.ours != self.keys.ours {
            self.outward = self.outward.rekeyed(&keys.ours);
        }
        if keys.theirs != self.keys.theirs {
            let inward = self.inward.rekeyed(&keys.theirs);
            self.before = Some(std::mem::replace(&mut self.inward, inward));
        }
        self.keys = keys;
    }

    /// Which suite hides what we send.
    pub fn suite(&self) -> Suite {
        self.outward.suite()
    }

    /// Hides what is to be sent from the RTP socket, RTP or RTCP; false: it must not be sent.
    pub fn hide(&mut self, packet: &mut Vec<u8>) -> bool {
        let hidden = match is_report(packet) {
            true => self.outward.protect_rtcp(packet),
            false => self.outward.protect(packet),
        };
        hidden.is_ok()
    }

    /// Opens a datagram; `None` when it is not the peer's, or was here before.
    pub fn open(&mut self, datagram: &[u8]) -> Option<&[u8]> {
        if datagram.len() > MAX_PACKET {
            return None;
        }
        let open = match is_report(datagram) {
            true => Unprotector::unprotect_rtcp,
            false => Unprotector::unprotect,
        };
        self.room.clear();
        self.room.extend_from_slice(datagram);
        let length = match (open(&mut self.inward, &mut self.room), &mut self.before) {
            (Ok(length), before) => {
                *before = None;
                length
            }
            (Err(Refused::Forged), Some(before)) => open(before, &mut self.room).ok()?,
            (Err(_), _) => return None,
        };
        self.room.get(..length)
    }
}

/// Whether a packet is RTCP, by its second octet (RFC 5761 4).
pub fn is_report(bytes: &[u8]) -> bool {
    bytes.get(1).is_some_and(|kind| (192..=223).contains(kind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::master_key::Master;
    use crate::base::random::Random;
    use crate::rtp::packet::Header;

    fn keys(seed: u64) -> Keys {
        let mut random = Random::repeatable(seed);
        let mut key = || Master::random(Suite::Aes128Sha80, &mut random);
        Keys { ours: key(), theirs: key() }
    }

    fn turned(Keys { ours, theirs }: Keys) -> Keys {
        Keys { ours: theirs, theirs: ours }
    }

    fn packet(sequence: u16) -> Vec<u8> {
        let header =
            Header { marker: false, payload_type: 0, sequence, timestamp: 0, ssrc: 0x0102_0304 };
        header.write(&[9; 160])
    }

    fn hidden(armour: &mut Armour, sequence: u16) -> Vec<u8> {
        let mut packet = packet(sequence);
        assert!(armour.hide(&mut packet));
        packet
    }

    #[test]
    fn two_ends_understand_each_other_and_nobody_else() {
        let (mut here, mut there) = (Armour::new(keys(1)), Armour::new(turned(keys(1))));
        let sent = hidden(&mut here, 7);
        assert_eq!(Armour::new(turned(keys(2))).open(&sent), None);
        assert_eq!(there.open(&packet(7)), None, "what is not hidden is nobody's");
        assert_eq!(there.open(&sent), Some(&packet(7)[..]));
        assert_eq!(there.open(&sent), None);
        assert_eq!(there.open(&[0; 3_000]), None);
    }

    #[test]
    fn a_replaced_key_opens_until_the_new_one_is_heard() {
        let (mut here, mut there) = (Armour::new(keys(1)), Armour::new(turned(keys(1))));
        let late = [hidden(&mut here, 7), hidden(&mut here, 8), hidden(&mut here, 9)];
        assert!(there.open(&late[0]).is_some());
        here.rekey(keys(2));
        there.rekey(turned(keys(2)));
        assert!(there.open(&late[1]).is_some());
        assert!(there.open(&hidden(&mut here, 10)).is_some());
        assert_eq!(there.open(&late[2]), None);
    }

    #[test]
    fn the_same_keys_again_change_nothing() {
        let (mut here, mut there) = (Armour::new(keys(1)), Armour::new(turned(keys(1))));
        let sent = hidden(&mut here, 7);
        assert!(there.open(&sent).is_some());
        here.rekey(keys(1));
        there.rekey(turned(keys(1)));
        assert_eq!(there.open(&sent), None, "it is still remembered");
        assert!(there.open(&hidden(&mut here, 8)).is_some());
    }
}
