//! URLs whose parts are filled in: whatever stands in a value, it leads nowhere else.

use std::fmt::Write as _;
use std::str::FromStr;

use minijinja::{Environment, Error, ErrorKind, Output, State, UndefinedBehavior, Value};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use crate::base::scope::Scope;
use crate::base::template::TemplateError;
use crate::base::units;

/// A text as one part of a URL: everything but unreserved characters is escaped (RFC 3986 2.3).
pub fn encoded(text: &str) -> String {
    let plain = |octet: u8| octet.is_ascii_alphanumeric() || b"-_.~".contains(&octet);
    let mut part = String::with_capacity(text.len());
    for octet in text.bytes() {
        match plain(octet) {
            true => part.push(char::from(octet)),
            false => {
                let _ = write!(part, "%{octet:02X}");
            }
        }
    }
    part
}

/// Renders a URL; each value in it is escaped, and none can lead out of its folder.
///
/// # Errors
/// When the template does not parse, or a step of the path is nothing but dots.
pub fn render(template: &str, scope: &Scope) -> Result<String, TemplateError> {
    let failed = |why: Error| TemplateError(why.to_string());
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    environment.set_fuel(Some(10_000));
    environment.set_formatter(escaped);
    let rendered = environment.render_str(template, minijinja::value::Serde(scope));
    let rendered = rendered.map_err(failed)?;
    let path = rendered.split(['?', '#']).next().unwrap_or_default();
    let climbs = |step: &str| {
        let step = step.to_ascii_lowercase().replace("%2e", ".");
        matches!(step.as_str(), "." | "..")
    };
    if path.split('/').any(climbs) {
        return Err(TemplateError("a step of its path is nothing but dots".to_owned()));
    }
    Ok(rendered)
}

fn escaped(out: &mut Output<'_>, _: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    if value.is_undefined() || value.is_none() {
        return Ok(());
    }
    let told = out.write_str(&encoded(&value.to_string()));
    told.map_err(|_| Error::new(ErrorKind::WriteFailure, "it cannot be written"))
}

/// A host that may be reached wherever it is: `10.0.0.5`, `calendar.internal`, `127.0.0.1:8080`.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[schemars(with = "String")]
pub struct Host {
    /// Its name or address, in lower case and without brackets.
    pub name: String,
    /// Its port; without one, any.
    pub port: Option<u16>,
}

/// Why a text is not a host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no host: write a name or an address, with a port if only that one is meant")]
pub struct NotAHost(String);

impl Host {
    /// Whether this is the host and the port.
    pub fn is(&self, name: &str, port: u16) -> bool {
        let name = name.trim_matches(['[', ']']);
        self.name.eq_ignore_ascii_case(name) && self.port.is_none_or(|own| own == port)
    }
}

impl FromStr for Host {
    type Err = NotAHost;

    fn from_str(text: &str) -> Result<Self, NotAHost> {
        let wrong = || NotAHost(text.to_owned());
        let is_bare_v6 = text.parse::<std::net::Ipv6Addr>().is_ok();
        let (name, port) = match text.rsplit_once(':') {
            Some((name, port)) if !is_bare_v6 && !text.ends_with(']') => {
                (name, Some(port.parse().map_err(|_| wrong())?))
            }
            _ => (text, None),
        };
        let name = name.trim_matches(['[', ']']).to_ascii_lowercase();
        let fits = |c: char| c.is_ascii_alphanumeric() || "-._:".contains(c);
        if name.is_empty() || !name.chars().all(fits) {
            return Err(wrong());
        }
        Ok(Self { name, port })
    }
}

impl<'de> Deserialize<'de> for Host {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        units::parsed(source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_one_part_of_a_url() {
        let mut scope = Scope::default();
        scope.set("args.id", "../ä?x=1#&y");
        let url = render("https://a.test/slots/{{ args.id }}/x", &scope);
        let expected = "https://a.test/slots/..%2F%C3%A4%3Fx%3D1%23%26y/x";
        assert_eq!(url, Ok(expected.to_owned()));
        assert_eq!(render("https://a.test/{{ no.such }}", &scope), Ok("https://a.test/".into()));
        for climbs in ["..", ".", "%2e%2E"] {
            scope.set("args.id", climbs);
            let url = render("https://a.test/slots/{{ args.id }}", &scope);
            assert!(url.is_err() || url.is_ok_and(|url| url.contains("%252e")), "{climbs}");
        }
    }

    #[test]
    fn a_host_is_told_by_its_name_and_perhaps_its_port() {
        let host = |text: &str| text.parse::<Host>();
        assert!(host("10.0.0.5").is_ok_and(|it| it.is("10.0.0.5", 1) && !it.is("10.0.0.6", 1)));
        assert!(host("A.test:8080").is_ok_and(|it| it.is("a.TEST", 8_080) && !it.is("a.test", 1)));
        assert!(host("[::1]:80").is_ok_and(|it| it.is("[::1]", 80) && !it.is("::1", 81)));
        assert!(host("::1").is_ok_and(|it| it.is("[::1]", 81)));
        for wrong in ["", "a b", "http://a", "a:", "a:99999", "*.a"] {
            assert!(host(wrong).is_err(), "{wrong}");
        }
    }
}
