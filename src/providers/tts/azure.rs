//! Azure's voices: a clause over HTTP, in SSML.

use reqwest::{Client, RequestBuilder};

use super::over_http::{Counter, OverHttp};
use super::plain::printable;
use crate::audio::frame::Rate;

pub use super::settings::Settings;

/// A voice of Azure.
pub type AzureVoice = OverHttp<Azure>;

/// How it is asked.
#[derive(Debug, Clone)]
pub struct Azure(Settings);

impl From<Settings> for Azure {
    fn from(settings: Settings) -> Self {
        Self(settings)
    }
}

impl Azure {
    fn ssml(&self, text: &str) -> String {
        let text = escaped(text);
        let text = match self.0.has_pace() {
            true => {
                format!("<prosody rate=\"{:.2}\">{text}</prosody>", self.0.speed.clamp(0.5, 2.0))
            }
            false => text,
        };
        format!(
            "<speak version=\"1.0\" xmlns=\"http://www.w3.org/2001/10/synthesis\" \
             xml:lang=\"{}\"><voice name=\"{}\">{text}</voice></speak>",
            escaped(&self.0.locale()),
            escaped(&self.0.voice),
        )
    }
}

impl Counter for Azure {
    const RATE: Rate = Rate::WIDE;
    // The vendor counts letters after they are escaped.
    const LONGEST: usize = 4_000;

    fn settings(&self) -> &Settings {
        &self.0
    }

    fn check(&self, client: &Client) -> RequestBuilder {
        let url = self.0.url("/cognitiveservices/voices/list");
        self.0.in_header(client.get(url), KEY)
    }

    fn say(&self, client: &Client, text: &str) -> RequestBuilder {
        let request = self.0.in_header(client.post(self.0.url("/cognitiveservices/v1")), KEY);
        request
            .header("Content-Type", "application/ssml+xml")
            .header("X-Microsoft-OutputFormat", "raw-16khz-16bit-mono-pcm")
            .body(self.ssml(text))
    }
}

/// A text as it stands in XML 1.0: nothing in it is markup, and nothing is forbidden there.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len() + 16);
    for letter in printable(text).chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&apos;"),
            '\u{FFFE}' | '\u{FFFF}' => safe.push(' '),
            letter => safe.push(letter),
        }
    }
    safe
}

/// The header of the key.
const KEY: &str = "Ocp-Apim-Subscription-Key";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_model_says_is_markup() {
        let said = "Müller & Söhne <break time=\"9s\"/> 'x'\u{7}\u{FFFF}";
        let safe = "Müller &amp; Söhne &lt;break time=&quot;9s&quot;/&gt; &apos;x&apos;  ";
        assert_eq!(escaped(said), safe);
    }
}
