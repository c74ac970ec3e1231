//! The PASSporT (RFC 8225) of kind shaken (RFC 8588): who calls whom, when, and how far the signer
//! vouches for it. Whether the signature is right is told by whoever has the certificate.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::base::attestation::Attestation;

/// What is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// How far the signer vouches.
    pub attestation: Attestation,
    /// The numbers called, in digits.
    pub called: Vec<String>,
    /// When, in seconds since the Unix epoch.
    pub issued: u64,
    /// The number that calls, in digits.
    pub caller: String,
    /// Where the signer had the call from, in words that only it knows.
    pub origin: Uuid,
}

/// A token taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passport {
    /// What is signed.
    pub claims: Claims,
    /// Where the certificate is.
    pub certificate: String,
    /// The octets that the signature is for.
    pub signed: String,
    /// The signature as RFC 7518 3.4 has it: R and S, 32 octets each.
    pub signature: [u8; 64],
}

/// Why a token says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// A part is no base64url, or not as long as it must be.
    #[error("the PASSporT is not encoded as RFC 8225 has it")]
    Encoding,
    /// Its header is not what RFC 8588 has.
    #[error("the header of the PASSporT is not that of shaken")]
    Header,
    /// It is signed in a way that nobody should trust.
    #[error("the PASSporT is not signed with ES256")]
    Algorithm,
    /// It lacks a claim, or has one that makes no sense.
    #[error("the claims of the PASSporT are not those of shaken")]
    Claims,
}

impl Passport {
    /// Takes a token of three parts apart.
    ///
    /// # Errors
    /// When it is no shaken PASSporT in full form.
    pub fn parse(token: &str) -> Result<Self, Flaw> {
        let (signed, signature) = token.rsplit_once('.').ok_or(Flaw::Encoding)?;
        let (header, claims) = signed.split_once('.').ok_or(Flaw::Encoding)?;
        if token.len() > LONGEST {
            return Err(Flaw::Encoding);
        }
        let header: Header = serde_json::from_slice(&octets(header)?).map_err(|_| Flaw::Header)?;
        if header.alg != ALGORITHM {
            return Err(Flaw::Algorithm);
        }
        if header.typ != TYPE || header.ppt != KIND || header.crit.is_some() {
            return Err(Flaw::Header);
        }
        let claims: Body = serde_json::from_slice(&octets(claims)?).map_err(|_| Flaw::Claims)?;
        let signature = octets(signature)?.try_into().map_err(|_| Flaw::Encoding)?;
        Ok(Self {
            claims: claims.read()?,
            certificate: header.x5u,
            signed: signed.to_owned(),
            signature,
        })
    }
}

impl Claims {
    /// The octets to be signed: header and claims in their one canonical form (RFC 8225 9).
    pub fn unsigned(&self, certificate: &str) -> String {
        let header = Written { alg: ALGORITHM, ppt: KIND, typ: TYPE, x5u: certificate };
        let claims = Body {
            attest: self.attestation.letter().to_owned(),
            dest: Called { tn: self.called.clone() },
            iat: self.issued,
            orig: Caller { tn: self.caller.clone() },
            origid: self.origin.to_string(),
        };
        format!("{}.{}", encoded(&header), encoded(&claims))
    }
}

/// Puts the signature behind what was signed.
pub fn token(signed: &str, signature: &[u8]) -> String {
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// A number as it stands in a token (RFC 8224 8.3): its digits, without the plus and without what
/// only separates for the eye.
pub fn digits(number: &str) -> String {
    let is_sign = |letter: &char| !matches!(letter, '+' | ' ' | '-' | '.' | '(' | ')');
    number.chars().filter(is_sign).collect()
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default)]
    ppt: String,
    typ: String,
    x5u: String,
    /// Extensions that must be understood (RFC 7515 4.1.11): there are none that we do.
    crit: Option<IgnoredAny>,
}

/// Members in the order of their names, as RFC 8225 9 wants them.
#[derive(Serialize)]
struct Written<'a> {
    alg: &'a str,
    ppt: &'a str,
    typ: &'a str,
    x5u: &'a str,
}

#[derive(Serialize, Deserialize)]
struct Body {
    attest: String,
    dest: Called,
    iat: u64,
    orig: Caller,
    origid: String,
}

#[derive(Serialize, Deserialize)]
struct Called {
    tn: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct Caller {
    tn: String,
}

impl Body {
    fn read(self) -> Result<Claims, Flaw> {
        let is_number = |tn: &String| {
            let is_digit = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'*' | b'#');
            (1..=LONGEST_NUMBER).contains(&tn.len()) && tn.bytes().all(is_digit)
        };
        let caller = digits(&self.orig.tn);
        let called: Vec<String> = self.dest.tn.iter().map(|tn| digits(tn)).collect();
        let fits = is_number(&caller)
            && (1..=MOST_CALLED).contains(&called.len())
            && called.iter().all(is_number);
        if !fits {
            return Err(Flaw::Claims);
        }
        Ok(Claims {
            attestation: self.attest.parse().map_err(|_| Flaw::Claims)?,
            called,
            issued: self.iat,
            caller,
            origin: Uuid::try_parse(&self.origid).map_err(|_| Flaw::Claims)?,
        })
    }
}

fn octets(part: &str) -> Result<Vec<u8>, Flaw> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Flaw::Encoding)
}

fn encoded(value: &impl Serialize) -> String {
    let text = serde_json::to_vec(value).expect("texts and numbers are always JSON");
    URL_SAFE_NO_PAD.encode(text)
}

/// The kind of token that is read and written (RFC 8588).
pub const KIND: &str = "shaken";

/// The only way to sign (RFC 8225 8.1).
pub const ALGORITHM: &str = "ES256";

const TYPE: &str = "passport";

/// The longest token, in octets.
const LONGEST: usize = 4_096;

/// The longest number, in digits: E.164 has 15, and some networks add to that.
const LONGEST_NUMBER: usize = 32;

/// How many numbers may be called by one token.
const MOST_CALLED: usize = 16;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What RFC 8588 shows as an example.
    fn example() -> Claims {
        Claims {
            attestation: Attestation::Full,
            called: vec!["12155550131".to_owned()],
            issued: 1_443_208_345,
            caller: "12155550121".to_owned(),
            origin: "123e4567-e89b-12d3-a456-426655440000".parse().expect("a UUID"),
        }
    }

    fn part(text: &str) -> String {
        URL_SAFE_NO_PAD.encode(text)
    }

    fn made(header: &str, claims: &str) -> Result<Passport, Flaw> {
        let signature = [7; 64];
        Passport::parse(&token(&format!("{}.{}", part(header), part(claims)), &signature))
    }

    const HEADER: &str = concat!(
        r#"{"alg":"ES256","ppt":"shaken","typ":"passport","#,
        r#""x5u":"https://cert.example.org/passport.cer"}"#,
    );

    const CLAIMS: &str = concat!(
        r#"{"attest":"A","dest":{"tn":["12155550131"]},"iat":1443208345,"#,
        r#""orig":{"tn":"12155550121"},"origid":"123e4567-e89b-12d3-a456-426655440000"}"#,
    );

    #[test]
    fn what_is_signed_has_its_one_canonical_form() {
        let unsigned = example().unsigned("https://cert.example.org/passport.cer");
        assert_eq!(unsigned, format!("{}.{}", part(HEADER), part(CLAIMS)));
    }

    #[test]
    fn a_token_is_read_whatever_else_its_signer_claims() {
        let passport = made(HEADER, CLAIMS).expect("a token");
        assert_eq!(passport.claims, example());
        assert_eq!(passport.certificate, "https://cert.example.org/passport.cer");
        assert_eq!(passport.signed, format!("{}.{}", part(HEADER), part(CLAIMS)));
        assert_eq!(passport.signature, [7; 64]);
        let more = CLAIMS.replace("\"iat\"", "\"rcd\":{\"nam\":\"X\"}, \"iat\"");
        assert_eq!(made(HEADER, &more).map(|it| it.claims), Ok(example()));
        let plus = CLAIMS.replace("\"12155550121\"", "\"+1 215-555.0121\"");
        assert_eq!(made(HEADER, &plus).map(|it| it.claims), Ok(example()));
    }

    #[test]
    fn a_token_that_says_too_little_or_two_things_is_refused() {
        let header = |from: &str, to: &str| made(&HEADER.replace(from, to), CLAIMS);
        for (from, to, flaw) in [
            ("ES256", "none", Flaw::Algorithm),
            ("ES256", "HS256", Flaw::Algorithm),
            ("shaken", "div", Flaw::Header),
            ("passport", "JWT", Flaw::Header),
            ("\"typ\"", "\"crit\":[\"x\"],\"typ\"", Flaw::Header),
            ("\"typ\"", "\"alg\":\"ES256\",\"typ\"", Flaw::Header),
            ("\"x5u\"", "\"x5c\"", Flaw::Header),
        ] {
            assert_eq!(header(from, to), Err(flaw), "{from} -> {to}");
        }
        let claims = |from: &str, to: &str| made(HEADER, &CLAIMS.replace(from, to));
        for (from, to) in [
            ("\"A\"", "\"D\""),
            ("1443208345", "\"1443208345\""),
            ("1443208345", "-1"),
            ("1443208345", "1e300"),
            ("[\"12155550131\"]", "[]"),
            ("[\"12155550131\"]", "\"12155550131\""),
            ("\"12155550121\"", "\"\""),
            ("\"12155550121\"", "\"sip:ann@example.com\""),
            ("{\"tn\":\"12155550121\"}", "{\"uri\":\"sip:ann@example.com\"}"),
            ("\"iat\":", "\"iat\":1,\"iat\":"),
            ("123e4567-e89b-12d3-a456-426655440000", "<script>"),
            ("\"origid\"", "\"other\""),
        ] {
            assert_eq!(claims(from, to), Err(Flaw::Claims), "{from} -> {to}");
        }
        let many = format!("[\"12155550131\"{}]", ",\"1\"".repeat(MOST_CALLED));
        assert_eq!(claims("[\"12155550131\"]", &many), Err(Flaw::Claims));
        let signed = format!("{}.{}", part(HEADER), part(CLAIMS));
        assert_eq!(Passport::parse(&token(&signed, &[7; 63])), Err(Flaw::Encoding));
        assert_eq!(Passport::parse(&format!("{signed}.{}=", part("x"))), Err(Flaw::Encoding));
        let nested = "[".repeat(2_000);
        assert_eq!(made(&nested, CLAIMS), Err(Flaw::Header));
        assert_eq!(made(HEADER, &" ".repeat(5_000)), Err(Flaw::Encoding));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn no_text_breaks_the_reader(text in "\\PC{0,80}", json in "[\\[\\]{}\":,a-z0-9]{0,60}") {
            Passport::parse(&text).ok();
            made(&json, CLAIMS).ok();
            made(HEADER, &json).ok();
        }

        #[test]
        fn what_is_written_is_read_again(
            caller in "[1-9][0-9]{3,14}",
            called in prop::collection::vec("[0-9*#]{1,15}", 1..5),
            issued in any::<u64>(),
            origin in any::<u128>(),
        ) {
            let origin = Uuid::from_u128(origin);
            let attestation = Attestation::Partial;
            let claims = Claims { attestation, called, issued, caller, origin };
            let certificate = "https://cert.example/a\"b.pem";
            let signed = claims.unsigned(certificate);
            let passport = Passport::parse(&token(&signed, &[1; 64])).expect("a token");
            prop_assert_eq!(passport.claims, claims);
            prop_assert_eq!(passport.certificate, certificate);
            prop_assert_eq!(passport.signed, signed);
        }
    }
}
