//! What a program of Twilio's wants done with a call: the verbs of its XML (TwiML) that have a meaning
//! for a call that is up.

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use crate::base::destination::Destination;

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verb {
    /// The call ends.
    HangUp,
    /// The caller goes there.
    Send(Destination),
    /// The caller goes to the stream with this address.
    Stream(String),
}

/// Reads what is wanted: one verb, and perhaps a `Hangup` after it.
///
/// # Errors
/// What cannot be done, in words.
pub fn read(text: &str) -> Result<Verb, String> {
    if text.len() > LONGEST {
        return Err(format!("TwiML has at most {LONGEST} characters"));
    }
    let mut reader = Reader::from_str(text);
    reader.config_mut().trim_text(true);
    let (mut path, mut verb, mut said): (Vec<String>, Option<Verb>, String) = Default::default();
    loop {
        match reader.read_event().map_err(|why| format!("this is no XML: {why}"))? {
            Event::Start(start) => {
                path.push(name(&start));
                enter(&path, &start, &mut verb)?;
                said.clear();
            }
            Event::Empty(start) => {
                path.push(name(&start));
                enter(&path, &start, &mut verb)?;
                path.pop();
            }
            Event::Text(text) => {
                said.push_str(&text.decode().map_err(|_| "this is no UTF-8".to_owned())?);
            }
            Event::End(_) => {
                if let Some(to) = called(&path, said.trim())? {
                    verb = Some(to);
                }
                said.clear();
                path.pop();
            }
            Event::DocType(_) => return Err("a document type has no place in TwiML".to_owned()),
            Event::GeneralRef(_) => return Err("references have no place here".to_owned()),
            Event::Eof => break,
            Event::CData(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
        }
    }
    verb.ok_or_else(|| "there is no verb in <Response> that says what is to be done".to_owned())
}

/// An element begins.
fn enter(path: &[String], start: &BytesStart<'_>, verb: &mut Option<Verb>) -> Result<(), String> {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    match path.as_slice() {
        ["Response"] => Ok(()),
        ["Response", "Hangup"] => {
            verb.get_or_insert(Verb::HangUp);
            Ok(())
        }
        ["Response", "Dial" | "Connect"] if verb.is_some() => {
            Err("one verb is carried out; only <Hangup> may follow it".to_owned())
        }
        ["Response", "Dial" | "Connect"]
        | ["Response", "Dial", "Number" | "Sip" | "Queue" | "Conference"]
        | ["Response", "Connect", "Stream", "Parameter"] => Ok(()),
        ["Response", "Connect", "Stream"] => {
            let url = attribute(start, b"url")?;
            let url = url.ok_or_else(|| "<Stream> has no `url`".to_owned())?;
            *verb = Some(Verb::Stream(url));
            Ok(())
        }
        ["Response", other] | ["Response", _, other] | ["Response", _, _, other] => Err(format!(
            "<{other}> cannot be carried out here; there are <Hangup>, <Dial> and <Connect><Stream>"
        )),
        _ => Err("TwiML begins with <Response>".to_owned()),
    }
}

/// Who is to be called, when an element that says so ends.
fn called(path: &[String], said: &str) -> Result<Option<Verb>, String> {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let written = match path.as_slice() {
        ["Response", "Dial"] if said.is_empty() => return Ok(None),
        ["Response", "Dial"] | ["Response", "Dial", "Number"] => {
            format!("tel:{}", said.replace([' ', '-', '(', ')'], ""))
        }
        ["Response", "Dial", "Sip"] => {
            let uri = said.split_once('?').map_or(said, |(uri, _)| uri);
            if uri.starts_with("sip:") { uri.to_owned() } else { format!("sip:{uri}") }
        }
        ["Response", "Dial", "Queue"] => format!("queue:{said}"),
        ["Response", "Dial", "Conference"] => format!("conference:{said}"),
        _ => return Ok(None),
    };
    written.parse().map(Verb::Send).map(Some).map_err(|why| format!("{why}"))
}

fn name(start: &BytesStart<'_>) -> String {
    String::from_utf8_lossy(start.local_name().as_ref()).into_owned()
}

fn attribute(start: &BytesStart<'_>, key: &[u8]) -> Result<Option<String>, String> {
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|why| format!("this is no XML: {why}"))?;
        if attribute.key.as_ref() == key {
            let value = attribute.normalized_value(XmlVersion::Implicit1_0);
            return value.map(|it| Some(it.into_owned())).map_err(|why| format!("{why}"));
        }
    }
    Ok(None)
}

/// The longest text that is read, in octets; Twilio takes 4,000 letters.
const LONGEST: usize = 16_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(text: &str) -> Result<Verb, String> {
        read(&format!("<?xml version=\"1.0\"?><Response>{text}</Response>"))
    }

    fn to(text: &str) -> Verb {
        Verb::Send(text.parse().expect("a destination"))
    }

    #[test]
    fn what_ends_and_moves_a_call_is_understood() {
        assert_eq!(sent("<Hangup/>"), Ok(Verb::HangUp));
        assert_eq!(sent("<Dial>+49 711 1234-0</Dial>"), Ok(to("tel:+4971112340")));
        let number = "<Dial timeout=\"10\"><Number>+4971112340</Number></Dial><Hangup/>";
        assert_eq!(sent(number), Ok(to("tel:+4971112340")));
        assert_eq!(
            sent("<Dial><Sip>sales@pbx.example.com?x=1</Sip></Dial>"),
            Ok(to("sip:sales@pbx.example.com"))
        );
        assert_eq!(sent("<Dial><Queue>sales</Queue></Dial>"), Ok(to("queue:sales")));
        let stream = "<Connect><Stream url=\"wss://a.example/x?a=1&amp;b=2\">\
                      <Parameter name=\"a\" value=\"b\"/></Stream></Connect>";
        assert_eq!(sent(stream), Ok(Verb::Stream("wss://a.example/x?a=1&b=2".to_owned())));
    }

    #[test]
    fn what_cannot_be_done_is_named() {
        for (text, told) in [
            ("<Say>Hello</Say>", "<Say>"),
            ("<Dial><Client>joe</Client></Dial>", "<Client>"),
            ("<Dial>+4971112340</Dial><Dial>+4971112341</Dial>", "one verb"),
            ("<Dial>nobody</Dial>", "nobody"),
            ("<Connect><Stream/></Connect>", "url"),
            ("", "no verb"),
            ("<Dial>", "no XML"),
        ] {
            let why = sent(text).expect_err(text);
            assert!(why.contains(told), "{text}: {why}");
        }
        assert!(read("<Hangup/>").expect_err("no Response").contains("<Response>"));
        assert!(read("<!DOCTYPE a [<!ENTITY b 'c'>]><Response/>").is_err());
        assert!(read(&"<".repeat(LONGEST + 1)).is_err());
        assert!(read(&"<a>".repeat(5_000)).is_err());
    }
}
