//! Session keys from a master key (RFC 3711 4.3), without re-derivation: its rate is always 0.

use zeroize::Zeroizing;

use super::block::Aes;
use crate::base::master_key::Master;

/// For what packets a key is derived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// RTP: labels 0 to 2.
    Rtp,
    /// RTCP: labels 3 to 5.
    Rtcp,
}

/// The keys of a session.
pub struct Keys {
    /// The key of the cipher, as long as that of the master.
    pub cipher: Zeroizing<Vec<u8>>,
    /// The key of the tag; without use in GCM.
    pub mac: Zeroizing<[u8; 20]>,
    /// The salt, 14 octets or, with two zeros behind them, 12.
    pub salt: Zeroizing<[u8; 14]>,
}

/// Derives the keys of a session.
pub fn derive(master: &Master, kind: Kind) -> Keys {
    let first = match kind {
        Kind::Rtp => 0,
        Kind::Rtcp => 3,
    };
    let aes = Aes::new(master.key());
    let mut keys = Keys {
        cipher: Zeroizing::new(vec![0; master.key().len()]),
        mac: Zeroizing::new([0; 20]),
        salt: Zeroizing::new([0; 14]),
    };
    let salt_length = master.suite().salt_length();
    expand(&aes, (master.salt(), first), &mut keys.cipher);
    expand(&aes, (master.salt(), first + 1), &mut keys.mac[..]);
    expand(&aes, (master.salt(), first + 2), &mut keys.salt[..salt_length]);
    keys
}

/// The pseudo-random function of RFC 3711 4.3.3: the label stands at the place of the seventh
/// octet, also when the salt has only twelve (RFC 7714 11).
fn expand(aes: &Aes, (salt, label): (&[u8], u8), out: &mut [u8]) {
    let mut iv = [0; 16];
    for (octet, salt) in iv.iter_mut().zip(salt) {
        *octet = *salt;
    }
    iv[7] ^= label;
    aes.apply_keystream(iv, out);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::master_key::Suite;
    use crate::rtp::srtp::tests::octets;

    #[test]
    fn the_vectors_of_rfc_3711_b_3_are_met() {
        let master = octets("e1f97a0d3e018be0d64fa32c06de4139 0ec675ad498afeebb6960b3aabe6");
        let master = Master::new(Suite::Aes128Sha80, &master).expect("a key");
        let keys = derive(&master, Kind::Rtp);
        assert_eq!(keys.cipher[..], octets("c61e7a93744f39ee10734afe3ff7a087"));
        assert_eq!(keys.salt[..], octets("30cbbc08863d8c85d49db34a9ae1"));
        assert_eq!(keys.mac[..], octets("cebe321f6ff7716b6fd4ab49af256a156d38baa4"));
    }

    #[test]
    fn reports_have_other_keys() {
        let master = Master::new(Suite::Gcm256, &[9; 44]).expect("a key");
        let [rtp, rtcp] = [Kind::Rtp, Kind::Rtcp].map(|kind| derive(&master, kind));
        assert_ne!(rtp.cipher, rtcp.cipher);
        assert_ne!(rtp.salt, rtcp.salt);
        assert_eq!((rtp.cipher.len(), &rtp.salt[12..]), (32, &[0, 0][..]));
    }
}
