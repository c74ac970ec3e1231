//! Speech as vendors send it over HTTP: raw samples in chunks that are cut anywhere.

use std::time::Duration;

use futures_util::stream::{self, BoxStream, StreamExt as _};
use reqwest::header::CONTENT_TYPE;
use reqwest::{RequestBuilder, Response};
use tokio::time::timeout;

use crate::audio::frame::{Frame, Rate};
use crate::providers::error::ProviderError;
use crate::providers::http;

/// Samples of 16 bits, little end first, out of octets that are cut anywhere.
#[derive(Debug, Default)]
pub(super) struct Samples {
    odd: Option<u8>,
}

impl Samples {
    /// The samples that are complete with these octets.
    pub fn push(&mut self, octets: &[u8]) -> Vec<i16> {
        let mut samples = Vec::with_capacity(octets.len() / 2 + 1);
        let mut rest = octets;
        if let (Some(low), [high, after @ ..]) = (self.odd, rest) {
            samples.push(i16::from_le_bytes([low, *high]));
            self.odd = None;
            rest = after;
        }
        let pairs = rest.chunks_exact(2);
        if let [odd] = pairs.remainder() {
            self.odd = Some(*odd);
        }
        samples.extend(pairs.map(|pair| i16::from_le_bytes([pair[0], pair[1]])));
        samples
    }
}

/// Who is asked, at which rate it speaks, and how long it may keep silent.
#[derive(Debug, Clone)]
pub(super) struct Speaker {
    pub provider: String,
    pub rate: Rate,
    pub timeout: Duration,
}

/// Sends a request and gives its answer as frames.
pub(super) fn frames(
    request: RequestBuilder,
    speaker: Speaker,
) -> BoxStream<'static, Result<Frame, ProviderError>> {
    let asking = async move {
        let silent = || ProviderError::passing(&speaker.provider, "no answer in time");
        let sent = timeout(speaker.timeout, request.send()).await.map_err(|_| silent())?;
        let response = sent.map_err(|why| http::broken(&speaker.provider, &why))?;
        if !response.status().is_success() {
            return Err(http::refused(&speaker.provider, response).await);
        }
        if is_text(&response) {
            let what = "answers with a text instead of sound: check its `base_url`";
            return Err(ProviderError::passing(&speaker.provider, what));
        }
        let body = response.bytes_stream().boxed();
        Ok((speaker, body, Samples::default(), 0))
    };
    stream::once(asking)
        .flat_map(|asked| match asked {
            Err(why) => stream::iter([Err(why)]).boxed(),
            Ok(reading) => stream::unfold(Some(reading), |reading| async {
                let (speaker, mut body, mut samples, octets) = reading?;
                let chunk = match timeout(speaker.timeout, body.next()).await {
                    Ok(Some(Ok(chunk))) => chunk,
                    Ok(None) => return None,
                    Ok(Some(Err(why))) => {
                        return Some((Err(http::broken(&speaker.provider, &why)), None));
                    }
                    Err(_) => {
                        let why = ProviderError::passing(&speaker.provider, "no answer in time");
                        return Some((Err(why), None));
                    }
                };
                let octets = octets + chunk.len();
                if octets > LARGEST_SPEECH {
                    let why = ProviderError::passing(&speaker.provider, "the speech is endless");
                    return Some((Err(why), None));
                }
                let frame = Frame::new(speaker.rate, samples.push(&chunk));
                Some((Ok(frame), Some((speaker, body, samples, octets))))
            })
            .boxed(),
        })
        .boxed()
}

/// Whether an answer is a page or an error in the shape of a success.
fn is_text(response: &Response) -> bool {
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("text/") || kind.starts_with("application/json"))
}

/// The most octets of one clause: some three minutes.
const LARGEST_SPEECH: usize = 8 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn samples_are_the_same_however_they_are_cut(
            spoken in proptest::collection::vec(proptest::num::i16::ANY, 0..100),
            cuts in proptest::collection::vec(0_usize..7, 0..100),
        ) {
            let octets: Vec<u8> = spoken.iter().flat_map(|it| it.to_le_bytes()).collect();
            let (mut rest, mut samples) = (octets.as_slice(), Samples::default());
            let mut heard = Vec::new();
            for cut in cuts {
                let (piece, after) = rest.split_at(cut.min(rest.len()));
                heard.extend(samples.push(piece));
                rest = after;
            }
            heard.extend(samples.push(rest));
            proptest::prop_assert_eq!(heard, spoken);
        }
    }
}
