//! Keys in session descriptions: `a=crypto` (RFC 4568). What a line says is taken whole or not at
//! all: parameters that change the meaning of the packets are not agreed to.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use sdp_types::Media;
use zeroize::Zeroizing;

use crate::base::master_key::{Master, Mki, Suite};
use crate::sdp::session::values;

/// A line that we can take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crypto {
    /// By what the answer names it.
    pub tag: u32,
    /// The key of whoever wrote it.
    pub master: Master,
}

/// The lines of `media` that we can take, in their order. Lines of unknown suites, with unknown
/// parameters or without sense are passed over (RFC 4568 7.1.1).
pub fn lines(media: &Media) -> impl Iterator<Item = Crypto> + '_ {
    values(&media.attributes, NAME).filter_map(read)
}

/// Tells whether `media` holds any key, of whatever kind.
pub fn is_offered(media: &Media) -> bool {
    values(&media.attributes, NAME).next().is_some()
}

/// Writes the value of the attribute.
pub fn write(crypto: &Crypto) -> String {
    let Crypto { tag, master } = crypto;
    format!("{tag} {} inline:{}", master.suite().name(), BASE64.encode(master.octets()))
}

/// Reads `1 AES_CM_128_HMAC_SHA1_80 inline:KEY|2^20|1:4 WSH=64`.
fn read(value: &str) -> Option<Crypto> {
    let mut parts = value.split_ascii_whitespace();
    let tag = parts.next().filter(|tag| (1..=9).contains(&tag.len()))?.parse().ok()?;
    let suite = Suite::of_name(parts.next()?)?;
    let master = key(suite, parts.next()?)?;
    parts.all(is_harmless).then_some(Crypto { tag, master })
}

/// Reads `inline:KEY|LIFETIME|MKI:LENGTH`, whose last two may be missing. Of several keys, behind
/// semicolons, none is taken: nothing says when which one holds.
fn key(suite: Suite, text: &str) -> Option<Master> {
    let (method, rest) = text.split_once(':')?;
    if !method.eq_ignore_ascii_case("inline") {
        return None;
    }
    let mut parts = rest.split('|');
    let mut octets = Zeroizing::new([0; LONGEST]);
    let length = BASE64.decode_slice(parts.next()?, &mut octets[..]).ok()?;
    let mut master = Master::new(suite, octets.get(..length)?)?;
    let mut part = parts.next();
    if let Some(lifetime) = part.filter(|part| !part.contains(':')) {
        is_lifetime(lifetime).then_some(())?;
        part = parts.next();
    }
    if let Some(identifier) = part {
        let (value, length) = identifier.split_once(':')?;
        master = master.with_mki(Mki::new(value.parse().ok()?, length.parse().ok()?)?);
    }
    parts.next().is_none().then_some(master)
}

/// How many packets the key may hide, in decimal or as a power of two: at most what SRTP allows
/// (RFC 4568 6.1). Whoever sends has to keep it.
fn is_lifetime(text: &str) -> bool {
    let packets = match text.strip_prefix("2^") {
        Some(power) => power.parse().ok().and_then(|power| 1_u64.checked_shl(power)),
        None => text.parse().ok(),
    };
    packets.is_some_and(|packets| (1..=1 << 48).contains(&packets))
}

/// Whether a session parameter leaves the packets as they are (RFC 4568 6.3): a window to be
/// kept, a key derivation rate of nothing, and what its sender calls optional.
fn is_harmless(parameter: &str) -> bool {
    match parameter.split_once('=') {
        Some(("WSH", size)) => size.parse::<u32>().is_ok(),
        Some(("KDR", rate)) => rate == "0",
        Some(_) | None => parameter.starts_with('-'),
    }
}

/// The name of the attribute.
pub const NAME: &str = "crypto";

/// Room for every master key, and for one that is too long.
const LONGEST: usize = 64;

/// Some leave the padding out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::Random;
    use proptest::prelude::*;

    const KEY: &str = "inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";

    fn line(rest: &str) -> Option<Crypto> {
        read(&format!("1 AES_CM_128_HMAC_SHA1_80 {rest}"))
    }

    #[test]
    fn the_lines_that_phones_send_are_read() {
        let plain = line(KEY).expect("a line");
        assert_eq!((plain.tag, plain.master.suite()), (1, Suite::Aes128Sha80));
        assert_eq!(plain.master.octets(), b"YS___semctl () {\t220;}\n}\nunles");
        for rest in
            ["|2^20", "|2^48", "|1048576", " KDR=0 WSH=64", " -SOMETHING=new", "|2^31 WSH=128"]
        {
            assert_eq!(line(&format!("{KEY}{rest}")).as_ref(), Some(&plain), "{rest}");
        }
        for rest in ["|2^20|1:4", "|1:4"] {
            let named = line(&format!("{KEY}{rest}")).expect("a line").master;
            assert_eq!(named.mki().octets(), [0, 0, 0, 1], "{rest}");
        }
    }

    #[test]
    fn what_would_change_the_packets_is_not_agreed_to() {
        for rest in [
            " UNENCRYPTED_SRTP",
            " UNENCRYPTED_SRTCP",
            " UNAUTHENTICATED_SRTP",
            " KDR=24",
            " FEC_ORDER=FEC_SRTP",
            " FEC_KEY=inline:AAAA",
            " SOMETHING=new",
            " WSH=wide",
        ] {
            assert_eq!(line(&format!("{KEY}{rest}")), None, "{rest}");
        }
    }

    #[test]
    fn lines_without_sense_are_passed_over() {
        for rest in
            ["|2^49", "|0", "|2^20|1:0", "|2^20|300:1", "|1:4|2^20", "|2^20|1:4|x", ";inline:AAAA"]
        {
            assert_eq!(line(&format!("{KEY}{rest}")), None, "{rest}");
        }
        for text in [
            "",
            "1",
            "1 AES_CM_128_HMAC_SHA1_80",
            "1 AES_CM_128_HMAC_SHA1_80 inline:AAAA",
            "1 AES_CM_128_HMAC_SHA1_80 outline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz",
            "1 F8_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz",
            "one AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz",
            "1234567890 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz",
            "1 AEAD_AES_128_GCM inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let mut random = Random::repeatable(1);
        for (tag, suite) in (1..).zip(Suite::ALL) {
            let crypto = Crypto { tag, master: Master::random(suite, &mut random) };
            let text = write(&crypto);
            assert_eq!(read(&text).as_ref(), Some(&crypto));
            assert_eq!(read(text.trim_end_matches('=')), Some(crypto), "without padding");
        }
    }

    proptest! {
        #[test]
        fn any_line_is_read_or_passed_over(text in "[0-9]{0,3} ?(AES_CM_128_HMAC_SHA1_80|\\PC{0,9}) ?(inline:)?[A-Za-z0-9+/=|:^; ]{0,90}") {
            let _ = read(&text);
        }
    }
}
