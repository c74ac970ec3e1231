//! OpenAI's realtime models as they take calls by SIP: a call is accepted over HTTP, and led by a
//! socket beside it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::beside::Beside;
use super::items;
use super::settings::Settings;
use crate::agent::tool::ToolResult;
use crate::base::secret::Secret;
use crate::providers::error::{ProviderError, Retry};
use crate::providers::http;
use crate::providers::realtime::{Ends, Errand, Outside, Told};
use crate::providers::websocket::{self, Dial, Received, Socket};

/// A realtime model of OpenAI, as it takes calls.
#[derive(Debug, Clone)]
pub(super) struct OpenAiOutside {
    pub settings: Arc<Settings>,
    pub client: reqwest::Client,
    /// What is shown at a socket.
    pub shown: Vec<(String, Secret)>,
}

impl Outside for OpenAiOutside {
    fn take(
        &self,
        call: String,
        errand: Errand,
        ends: Ends,
    ) -> BoxFuture<'static, Result<(), ProviderError>> {
        let own = self.clone();
        Box::pin(async move {
            own.accept(&call, &errand).await?;
            // Who wants to know nothing any more has hung up.
            if ends.told.send(Told::Taken).await.is_ok() {
                own.lead(&call, &errand, ends).await;
            }
            Ok(())
        })
    }
}

impl OpenAiOutside {
    async fn accept(&self, call: &str, errand: &Errand) -> Result<(), ProviderError> {
        let Settings { name, base_url, api_key, headers, .. } = &*self.settings;
        let path = format!("/realtime/calls/{}/accept", http::in_path(call));
        let request = self.client.post(http::url(base_url, &path)).timeout(ACCEPT_WITHIN);
        let request = http::authorised(request, headers, api_key.as_ref());
        let sent = request.json(&self.session(errand)).send().await;
        let response = sent.map_err(|why| http::broken(name, &why))?;
        match response.status().is_success() {
            true => Ok(()),
            false => Err(http::refused(name, response).await),
        }
    }

    /// What the model is to be. When a turn is over is the vendor's to say.
    fn session(&self, errand: &Errand) -> Value {
        let settings = &*self.settings;
        let transcription =
            json!({ "model": items::TRANSCRIBER, "language": errand.language.primary() });
        let mut output = json!({ "voice": settings.voice });
        if let Some(speed) = settings.speed {
            output["speed"] = json!(speed);
        }
        let mut session = json!({
            "type": "realtime",
            "model": settings.model,
            "instructions": errand.instructions,
            "audio": { "input": { "transcription": transcription }, "output": output },
            "tools": items::tools(&errand.tools),
            "tool_choice": "auto",
            "truncation": { "type": "retention_ratio", "retention_ratio": 0.8 },
        });
        if let Some(most) = settings.max_tokens {
            session["max_output_tokens"] = json!(most);
        }
        session
    }

    /// Leads a call until it is over. A socket that breaks is opened again; without one the model
    /// goes on by itself, and its tools do not work.
    async fn lead(&self, call: &str, errand: &Errand, mut ends: Ends) {
        let mut beside = Beside::default();
        for broken in 0..=MOST_BROKEN {
            let why = match self.open(call).await {
                Ok(socket) => {
                    beside.opened(errand.first_message.as_deref());
                    match converse(socket, &mut beside, &mut ends).await {
                        Ok(()) => return,
                        Err(why) => why,
                    }
                }
                Err(why) => why,
            };
            let is_last = why.retry == Retry::Never || broken == MOST_BROKEN;
            tracing::warn!(%why, is_last, "a model outside is not led any more");
            if is_last {
                return;
            }
            sleep(AGAIN_AFTER).await;
        }
    }

    async fn open(&self, call: &str) -> Result<Socket, ProviderError> {
        let name = &self.settings.name;
        let query = [("call_id", call.to_owned())];
        let url = websocket::address(name, (&self.settings.base_url, "/realtime"), &query)?;
        websocket::open(&Dial { provider: name.clone(), url, headers: self.shown.clone() }).await
    }
}

/// Hears and says what there is on a socket, until the call is over.
async fn converse(
    mut socket: Socket,
    beside: &mut Beside,
    ends: &mut Ends,
) -> Result<(), ProviderError> {
    loop {
        for message in std::mem::take(&mut beside.out) {
            socket.send(message).await?;
        }
        for told in std::mem::take(&mut beside.tell) {
            let is_last = told == Told::Over;
            if ends.told.send(told).await.is_err() || is_last {
                return Ok(());
            }
        }
        tokio::select! {
            received = socket.receive() => match received {
                Some(Ok(Received::Text(text))) => beside.hear(&text),
                Some(Ok(Received::Binary(_))) => {}
                Some(Err(why)) => return Err(why),
                // The vendor closes it with the call.
                None => return Ok(()),
            },
            result = given(&mut ends.results) => match result {
                Some(result) => beside.given(&result),
                None => return Ok(()),
            },
            () = sleep(FAREWELL), if beside.leaves() => {
                ends.told.send(Told::Over).await.ok();
                return Ok(());
            }
        }
    }
}

async fn given(results: &mut mpsc::Receiver<ToolResult>) -> Option<ToolResult> {
    results.recv().await
}

/// How long it may take to accept a call.
const ACCEPT_WITHIN: Duration = Duration::from_secs(10);

/// How often a socket may break.
const MOST_BROKEN: u32 = 3;

/// How long is waited before another one is opened.
const AGAIN_AFTER: Duration = Duration::from_millis(500);

/// The longest silence of the vendor in which a goodbye may still be heard.
const FAREWELL: Duration = Duration::from_secs(10);
