//! The examples of the RFCs, and what hostile headers do.

use bytes::Bytes;
use proptest::prelude::*;

use super::*;

const NONCE_7616: &str = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";
const CNONCE_7616: &str = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";

fn credentials(username: &str, password: &str) -> Credentials {
    Credentials { username: username.into(), password: password.to_owned().into() }
}

fn response(challenge: &str, by: &Credentials, signed: &Signed<'_>, cnonce: &str) -> String {
    let challenge = Challenge::read(challenge.as_bytes()).remove(0);
    let answer = challenge.answer(by, signed, Turn { number: 1, cnonce });
    Authorization::read(answer.as_bytes()).expect("what we write can be read").response
}

#[test]
fn the_examples_of_rfc_7616_come_out() {
    let mufasa = credentials("Mufasa", "Circle of Life");
    let signed = Signed { method: "GET", uri: "/dir/index.html", body: b"" };
    for (algorithm, expected) in [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ] {
        let challenge = format!(
            "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", \
             algorithm={algorithm}, nonce=\"{NONCE_7616}\", \
             opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
        );
        assert_eq!(response(&challenge, &mufasa, &signed, CNONCE_7616), expected);
    }
}

/// The value printed in the RFC itself is wrong: this one is of its erratum 4897.
#[test]
fn the_sha_512_256_example_of_rfc_7616_comes_out_as_corrected() {
    let doe = credentials("J\u{e4}s\u{f8}n Doe", "Secret, or not?");
    let challenge = "Digest realm=\"api@example.org\", qop=\"auth\", algorithm=SHA-512-256, \
                     nonce=\"5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK\"";
    let signed = Signed { method: "GET", uri: "/doe.json", body: b"" };
    let found = response(challenge, &doe, &signed, "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v");
    assert_eq!(found, "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5");
}

#[test]
fn the_example_of_rfc_2617_and_its_elder_without_qop_come_out() {
    let mufasa = credentials("Mufasa", "Circle Of Life");
    let signed = Signed { method: "GET", uri: "/dir/index.html", body: b"" };
    let nonce = "realm=\"testrealm@host.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\"";
    let with = response(&format!("Digest {nonce}, qop=auth"), &mufasa, &signed, "0a4f113b");
    assert_eq!(with, "6629fae49393a05397450978507c4ef1");
    let without = response(&format!("Digest {nonce}"), &mufasa, &signed, "0a4f113b");
    assert_eq!(without, "670fd8c2df070c60b045671b8b24ff02");
}

#[test]
fn an_answer_fits_only_its_own_secret_method_and_body() {
    let ann = credentials("ann", "s3cret");
    for algorithm in ["MD5", "MD5-sess", "SHA-256", "SHA-256-sess", "SHA-512-256"] {
        for qop in ["", ", qop=\"auth\"", ", qop=\"auth-int\""] {
            let text = format!("Digest realm=\"r\", nonce=\"n\", algorithm={algorithm}{qop}");
            let challenge = Challenge::read(text.as_bytes()).remove(0);
            let signed = Signed { method: "REGISTER", uri: "sip:h", body: b"body" };
            let turn = Turn { number: 7, cnonce: "c" };
            let answer = challenge.answer(&ann, &signed, turn);
            let read = Authorization::read(answer.as_bytes()).expect(&answer);
            let hash = challenge.algorithm().hash;
            let right = Ha1::new(hash, ["ann", "r", "s3cret"]);
            assert!(read.is_made_with(&right, "REGISTER", b"body"), "{answer}");
            let wrong = Ha1::new(hash, ["ann", "r", "s3cres"]);
            assert!(!read.is_made_with(&wrong, "REGISTER", b"body"));
            assert!(!read.is_made_with(&right, "INVITE", b"body"));
            let covers_body = qop.contains("int");
            assert_eq!(!read.is_made_with(&right, "REGISTER", b"other"), covers_body);
            assert_eq!(read.count.map(|count| count.number), (!qop.is_empty()).then_some(7));
        }
    }
}

#[test]
fn of_each_realm_the_strongest_challenge_is_chosen() {
    let message = Bytes::from_static(
        b"SIP/2.0 401 Unauthorized\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\n\
          WWW-Authenticate: Digest realm=\"a\", nonce=\"1\", algorithm=MD5, qop=\"auth\"\r\n\
          WWW-Authenticate: Digest realm=\"a\", nonce=\"2\", algorithm=SHA-256, qop=\"auth\"\r\n\
          WWW-Authenticate: Digest realm=\"a\", nonce=\"3\", algorithm=SHA-3\r\n\
          WWW-Authenticate: Basic realm=\"a\"\r\n\
          WWW-Authenticate: Digest realm=\"b\", nonce=\"4\", Digest realm=\"c\", nonce=\"5\"\r\n\
          Proxy-Authenticate: Digest realm=\"a\", nonce=\"6\", stale=TRUE\r\n\
          Content-Length: 0\r\n\r\n",
    );
    let message = Message::parse_datagram(&message).expect("a response");
    let chosen = strongest(&message);
    let nonces: Vec<&str> = chosen.iter().map(|(_, challenge)| challenge.nonce.as_str()).collect();
    assert_eq!(nonces, ["2", "4", "5", "6"]);
    assert_eq!(chosen.last().map(|(side, last)| (*side, last.stale)), Some((Side::Proxy, true)));
}

#[test]
fn a_challenge_reads_what_it_writes() {
    let challenge = Challenge {
        realm: "voxtrunk".into(),
        nonce: "abc".into(),
        opaque: Some("o".into()),
        algorithm: Some(Algorithm::SHA256),
        qualities: vec![Quality::Auth, Quality::AuthInt],
        stale: true,
    };
    assert_eq!(Challenge::read(challenge.to_string().as_bytes()), [challenge]);
}

#[test]
fn doubled_fields_and_broken_quotes_are_refused() {
    for wrong in [
        "Digest realm=\"a\", realm=\"b\", nonce=\"n\"",
        "Digest realm=\"a, nonce=\"n\"",
        "Digest nonce=\"n\"",
        "Digest realm=\"a\", nonce=\"n\", qop=\"conf\"",
        "Digest",
        "",
        "=,=",
    ] {
        assert_eq!(Challenge::read(wrong.as_bytes()), [], "{wrong}");
    }
    let no_count = "Digest username=\"a\", realm=\"r\", nonce=\"n\", uri=\"u\", response=\"x\", \
                    qop=auth, nc=1";
    assert_eq!(Authorization::read(no_count.as_bytes()), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_octets_break_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        Challenge::read(&bytes);
        Authorization::read(&bytes);
    }

    #[test]
    fn whatever_the_user_is_called_the_answer_reads_back(
        username in "[ -~]{1,12}", password in "\\PC{0,12}", number in any::<u32>(),
    ) {
        let challenge = Challenge::read(b"Digest realm=\"r\", nonce=\"n\", qop=auth").remove(0);
        let by = credentials(&username, &password);
        let signed = Signed { method: "INVITE", uri: "sip:h", body: b"" };
        let answer = challenge.answer(&by, &signed, Turn { number, cnonce: "c" });
        let read = Authorization::read(answer.as_bytes()).expect("it is ours");
        prop_assert_eq!(&read.username, &username);
        let ha1 = Ha1::new(Hash::Md5, [&username, "r", &password]);
        prop_assert!(read.is_made_with(&ha1, "INVITE", b""));
    }
}
