//! Certificates of an authority of our own, and signatures by their keys.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, ExtendedKeyUsagePurpose,
    IsCa, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384,
};

use super::authorities::Authorities;
use super::credential::{Credential, CredentialError};
use super::key::Key;
use super::list::{Entitlement, NotAList};
use crate::sip::passport::{self, Passport};

/// A service provider code as RFC 8226 9 has it: 709J.
const PROVIDER: &[u8] = &[0x30, 0x08, 0xa0, 0x06, 0x16, 0x04, b'7', b'0', b'9', b'J'];

/// The middle of what its certificates are good for, since the Unix epoch.
const NOW: Duration = Duration::from_secs(1_800_000_000);

struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Self { issuer: CertifiedIssuer::self_signed(params, key).expect("an authority") }
    }

    fn believed(&self) -> Authorities {
        Authorities::read(self.issuer.pem().as_bytes()).expect("a certificate")
    }

    /// A certificate for a key, with that list of numbers, as PEM.
    fn certify(
        &self,
        key: &KeyPair,
        list: &[u8],
        change: impl FnOnce(&mut CertificateParams),
    ) -> String {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        let list = CustomExtension::from_oid_content(&[1, 3, 6, 1, 5, 5, 7, 1, 26], list.to_vec());
        params.custom_extensions = vec![list];
        change(&mut params);
        params.signed_by(key, &self.issuer).expect("a certificate").pem()
    }
}

fn key_of(pair: &KeyPair) -> Key {
    Key::read(pair.serialize_pem().as_bytes()).expect("a key on P-256")
}

fn credential() -> (Credential, Key) {
    let (authority, pair) = (Authority::new(), KeyPair::generate().expect("a key"));
    let pem = authority.certify(&pair, PROVIDER, |_| {});
    let credential = authority.believed().judge(pem.as_bytes(), NOW).expect("it is good");
    (credential, key_of(&pair))
}

#[test]
fn a_certificate_of_an_authority_that_we_believe_is_good() {
    let (authority, pair) = (Authority::new(), KeyPair::generate().expect("a key"));
    let pem = authority.certify(&pair, PROVIDER, |_| {});
    let chain = format!("{pem}{}", authority.issuer.pem());
    let (_, der) = x509_parser::pem::parse_x509_pem(pem.as_bytes()).expect("PEM");
    for fetched in [pem.as_bytes(), chain.as_bytes(), &der.contents] {
        let credential = authority.believed().judge(fetched, NOW).expect("it is good");
        assert_eq!(credential.holder(), "709J");
        assert!(credential.speaks_for("4971112345") && credential.is_good_at(NOW));
        let signature = key_of(&pair).sign(b"message").expect("randomness");
        assert!(credential.signed(b"message", &signature));
        assert!(!credential.signed(b"massage", &signature));
    }
}

#[test]
fn a_certificate_with_anything_wrong_is_refused_with_the_reason() {
    let (authority, pair) = (Authority::new(), KeyPair::generate().expect("a key"));
    let judge = |pem: &str| authority.believed().judge(pem.as_bytes(), NOW).err();
    let good = authority.certify(&pair, PROVIDER, |_| {});
    let stranger = Authority::new().certify(&pair, PROVIDER, |_| {});
    let p384 = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).expect("a key");
    let expired =
        |params: &mut CertificateParams| params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    let early =
        |params: &mut CertificateParams| params.not_before = rcgen::date_time_ymd(2040, 1, 1);
    let web = |params: &mut CertificateParams| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    };
    let bare = |params: &mut CertificateParams| params.custom_extensions.clear();
    for (pem, why) in [
        (stranger, CredentialError::Untrusted),
        (authority.certify(&pair, PROVIDER, expired), CredentialError::Outdated),
        (authority.certify(&pair, PROVIDER, early), CredentialError::Outdated),
        (authority.certify(&pair, PROVIDER, web), CredentialError::Untrusted),
        (authority.certify(&pair, PROVIDER, bare), CredentialError::NoList),
        (authority.certify(&pair, b"\x30\x00", |_| {}), CredentialError::List(NotAList)),
        (authority.certify(&p384, PROVIDER, |_| {}), CredentialError::Key),
        (good.repeat(9), CredentialError::TooLong),
        (good.replace("MII", "MIJ"), CredentialError::Unreadable),
        (String::new(), CredentialError::None),
        ("0".to_owned(), CredentialError::Unreadable),
    ] {
        assert_eq!(judge(&pem), Some(why), "{pem}");
    }
    assert_eq!(Authorities::default().judge(good.as_bytes(), NOW), Err(CredentialError::Untrusted));
}

#[test]
fn a_list_of_numbers_speaks_for_those_only() {
    // A range of 100 numbers from 12155550100 on, and the number 4971112345.
    let range =
        [&[0xa1, 0x12, 0x30, 0x10, 0x16, 0x0b][..], b"12155550100", &[0x02, 0x01, 100]].concat();
    let one = [&[0xa2, 0x0c, 0x16, 0x0a][..], b"4971112345"].concat();
    let inside = [range.clone(), one].concat();
    let head = [0x30, u8::try_from(inside.len()).expect("short")];
    let list = Entitlement::read(&[&head[..], &inside].concat()).expect("a list");
    assert!(list.providers().is_empty());
    for (number, is_in) in [
        ("12155550100", true),
        ("12155550199", true),
        ("12155550200", false),
        ("12155550099", false),
        ("012155550100", false),
        ("4971112345", true),
        ("4971112346", false),
        ("", false),
        ("+12155550100", false),
    ] {
        assert_eq!(list.holds(number), is_in, "{number}");
    }
    for broken in [
        &b""[..],
        b"\x30\x00",
        b"\x30\x80\x00\x00",
        b"\x30\x84\xff\xff\xff\xff",
        b"\x30\x06\x16\x04709J",
        b"\x30\x08\xa3\x06\x16\x04709J",
        b"\x30\x08\xa0\x06\x16\x04709\x1b",
        b"\x30\x04\xa0\x02\x16\x00",
        b"\x30\x08\xa0\x06\x16\x04709Jx",
    ] {
        assert_eq!(Entitlement::read(broken), Err(NotAList), "{broken:02x?}");
    }
}

#[test]
fn the_example_of_rfc_7515_is_right() {
    // Appendix A.3: the key as SEC 1, and as PKCS #8 for those who know nothing else.
    let key = Key::read(EXAMPLE_SEC1.as_bytes()).expect("SEC 1");
    let pair = KeyPair::from_pkcs8_pem_and_sign_algo(EXAMPLE_PKCS8, &PKCS_ECDSA_P256_SHA256);
    let (authority, pair) = (Authority::new(), pair.expect("the same key"));
    let pem = authority.certify(&pair, PROVIDER, |_| {});
    let credential = authority.believed().judge(pem.as_bytes(), NOW).expect("it is good");
    assert!(credential.signed(b"message", &key.sign(b"message").expect("randomness")));
    let signed = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6\
                  Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let signature = URL_SAFE_NO_PAD.decode(
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
    );
    assert!(credential.signed(signed.as_bytes(), &signature.expect("base64url")));
}

#[test]
fn a_key_that_is_none_is_refused() {
    let p384 = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).expect("a key").serialize_pem();
    for pem in ["", "hello", p384.as_str(), Authority::new().issuer.pem().as_str()] {
        assert!(Key::read(pem.as_bytes()).is_err(), "{pem}");
    }
    assert!(Authorities::read(p384.as_bytes()).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_signed_is_right_and_with_any_bit_changed_it_is_not(
        caller in "[1-9][0-9]{6,14}",
        bit in any::<prop::sample::Index>(),
    ) {
        let (credential, key) = credential();
        let claims = passport::Claims {
            attestation: crate::base::attestation::Attestation::Full,
            called: vec!["4971112345".to_owned()],
            issued: NOW.as_secs(),
            caller,
            origin: uuid::Uuid::from_u128(1),
        };
        let signed = claims.unsigned("https://cert.example/a.pem");
        let signature = key.sign(signed.as_bytes()).expect("randomness");
        let token = passport::token(&signed, &signature);
        let read = Passport::parse(&token).expect("a token");
        prop_assert!(credential.signed(read.signed.as_bytes(), &read.signature));
        let mut octets = token.into_bytes();
        let at = bit.index(octets.len() * 8);
        octets[at / 8] ^= 1 << (at % 8);
        let changed = String::from_utf8_lossy(&octets);
        let holds = Passport::parse(&changed)
            .is_ok_and(|it| credential.signed(it.signed.as_bytes(), &it.signature));
        prop_assert!(!holds);
    }

    #[test]
    fn no_octets_break_the_readers(octets in prop::collection::vec(any::<u8>(), 0..200)) {
        let authorities = Authorities::default();
        authorities.judge(&octets, NOW).ok();
        authorities.judge(&[&[0x30][..], &octets].concat(), NOW).ok();
        Entitlement::read(&octets).ok();
        Key::read(&octets).ok();
    }
}

/// The key of RFC 7515 A.3 as OpenSSL writes it in both ways.
const EXAMPLE_SEC1: &str = "-----BEGIN EC PRIVATE KEY-----
MHcCAQEEII6bEJ5xkJi/mASH3x9dd+nLKWBuvtImO19XwhPfhPSyoAoGCCqGSM49
AwEHoUQDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEXH8UTNG72b
focs3+257rn0s2ldbqkLJK2KRiMohYjlrQ==
-----END EC PRIVATE KEY-----
";

const EXAMPLE_PKCS8: &str = "-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgjpsQnnGQmL+YBIff
H1136cspYG6+0iY7X1fCE9+E9LKhRANCAAR/zc4ncPbEXUGDy+5v20t7WAczNXvp
7xO6z248e9FURcfxRM0bvZt+hyzf7bnuufSzaV1uqQskrYpGIyiFiOWt
-----END PRIVATE KEY-----
";
