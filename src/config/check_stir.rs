//! Checks of what the settings say of signatures of calls.

use std::time::Duration;

use crate::config::diagnostic::Diagnostic;
use crate::config::stir::StirPolicy;
use crate::config::subject::Subject;

/// Checks the signatures of every trunk.
pub fn signatures(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (name, trunk) in &subject.server.trunks {
        let path = format!("trunks.{name}.stir");
        found.extend(authorities(subject, trunk.stir.inbound, &path));
        found.extend(signing(subject, name, &path));
    }
    found.extend(freshness(subject));
    found
}

/// A signature that no authority stands behind proves nothing.
fn authorities(subject: &Subject<'_>, policy: StirPolicy, path: &str) -> Option<Diagnostic> {
    let lacks = policy != StirPolicy::Off && subject.server.security.stir.authorities.is_none();
    lacks.then(|| {
        Diagnostic::error("stir.no_authorities", "there is nobody to believe a signature of")
            .at(subject.place(&format!("{path}.inbound")), "to be checked against what?")
            .help(
                "set [security.stir] authorities to a PEM file with the certificates of the \
                 authorities, such as the list of the STI-PA",
            )
    })
}

/// Who signs needs a key and a certificate that others can find.
fn signing(subject: &Subject<'_>, name: &str, path: &str) -> Vec<Diagnostic> {
    let Some(stir) = subject.server.trunks.get(name).map(|trunk| &trunk.stir) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    if stir.attest.is_some() {
        for (key, is_there, help) in [
            ("key", stir.key.is_some(), "add key = \"stir-key.pem\": a key on P-256"),
            (
                "x5u",
                stir.x5u.is_some(),
                "add x5u = \"https://…\": where others find the certificate",
            ),
        ] {
            if !is_there {
                let message = format!("trunk `{name}` cannot sign its calls without `{key}`");
                found.push(
                    Diagnostic::error("stir.incomplete", message)
                        .at(subject.place(&format!("{path}.attest")), "to be signed")
                        .help(help),
                );
            }
        }
    } else if let Some(key) = ["key", "x5u"]
        .into_iter()
        .zip([stir.key.is_some(), stir.x5u.is_some()])
        .find_map(|(key, is_there)| is_there.then_some(key))
    {
        found.push(
            Diagnostic::warning("stir.unused", format!("calls by trunk `{name}` are not signed"))
                .at(subject.place(&format!("{path}.{key}")), "not used")
                .help("add attest = \"A\", \"B\" or \"C\""),
        );
    }
    if let Some(url) = &stir.x5u
        && !is_findable(url)
    {
        found.push(
            Diagnostic::error(
                "value.invalid",
                format!("nobody fetches a certificate from `{url}`"),
            )
            .at(subject.place(&format!("{path}.x5u")), "expected https://host/path")
            .help("https, without user, query or fragment (ATIS-1000074)"),
        );
    }
    found
}

fn is_findable(url: &str) -> bool {
    let Some((host, path)) = url.strip_prefix("https://").and_then(|rest| rest.split_once('/'))
    else {
        return false;
    };
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"<>\"\\?#@".contains(&byte);
    !host.is_empty() && !path.is_empty() && url.bytes().all(is_plain)
}

fn freshness(subject: &Subject<'_>) -> Option<Diagnostic> {
    let within = Duration::from_secs(5)..=Duration::from_secs(600);
    (!within.contains(&subject.server.security.stir.freshness)).then(|| {
        Diagnostic::error("value.range", "`freshness` must be from 5s to 10m")
            .at(subject.place("security.stir.freshness"), "out of range")
            .help("\"60s\" is what carriers expect")
    })
}

#[cfg(test)]
mod tests {
    use crate::config::external::FilesOnly;
    use crate::config::load::{Loaded, Origin, Request, load};
    use crate::config::report::{self, Format};

    fn loaded(settings: &str) -> Loaded {
        let text = |name: &str, text: &str| Origin::Text { name: name.into(), text: text.into() };
        let carrier = "[trunks.carrier]\nhost = \"192.0.2.1\"\n";
        let request = Request {
            server: Some(text("conf/server.toml", &format!("{carrier}{settings}"))),
            dialplans: vec![text("dialplans/main.toml", "[[route]]\nto = \"busy\"\n")],
            ..Request::default()
        };
        load(&request, &|_| None, &FilesOnly)
    }

    fn codes(settings: &str) -> Vec<&'static str> {
        loaded(settings).diagnostics.iter().map(|it| it.code).collect()
    }

    #[test]
    fn a_trunk_that_signs_or_checks_says_with_what() {
        let sound = "[trunks.carrier.stir]\ninbound = \"require\"\nattest = \"A\"\n\
                     key = \"k.pem\"\nx5u = \"https://cert.example/a.pem\"\n\
                     [security.stir]\nauthorities = \"ca.pem\"\n";
        assert_eq!(codes(sound), Vec::<&str>::new());
        let stir = &loaded(sound).server.trunks["carrier"].stir;
        assert_eq!(stir.key.as_deref(), Some(std::path::Path::new("conf/k.pem")));
        for (from, to, code) in [
            ("key = \"k.pem\"\n", "", "stir.incomplete"),
            ("x5u = \"https://cert.example/a.pem\"\n", "", "stir.incomplete"),
            ("attest = \"A\"\n", "", "stir.unused"),
            ("attest = \"A\"", "attest = \"a\"", "value.invalid"),
            ("https:", "http:", "value.invalid"),
            ("a.pem\"\n[", "a.pem?x=1\"\n[", "value.invalid"),
            ("authorities = \"ca.pem\"\n", "", "stir.no_authorities"),
            ("authorities", "freshness = \"1s\"\nauthorities", "value.range"),
        ] {
            let settings = sound.replace(from, to);
            assert!(codes(&settings).contains(&code), "{settings}\n{:?}", codes(&settings));
        }
    }

    #[test]
    fn what_is_missing_is_shown_where_it_is_missed() {
        let found = loaded("[trunks.carrier.stir]\ninbound = \"verify\"\n");
        let report = report::render(&found.diagnostics, &found.sources, Format::Plain);
        for words in ["conf/server.toml:4:11", "to be checked against what?", "STI-PA"] {
            assert!(report.contains(words), "{words}:\n{report}");
        }
    }
}
