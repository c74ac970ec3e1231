//! OpenAI's realtime models: one socket for each call.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::outside::OpenAiOutside;
use super::settings::Settings;
use super::talk::{ORDERS, OpenAiTalk};
use super::work::Work;
use crate::base::secret::ExposeSecret;
use crate::providers::error::ProviderError;
use crate::providers::http;
use crate::providers::realtime::{Outside, Realtime, Talk};
use crate::providers::transcriber::Context;
use crate::providers::websocket::{self, Dial};

/// A realtime model of OpenAI.
#[derive(Debug)]
pub struct OpenAiRealtime {
    settings: Arc<Settings>,
    client: reqwest::Client,
    dial: Dial,
    /// The work for each call.
    calls: Mutex<JoinSet<()>>,
}

impl OpenAiRealtime {
    /// Makes the model; nothing is sent.
    ///
    /// # Errors
    /// When TLS cannot be set up, or the address is none.
    pub fn new(settings: Settings) -> Result<Self, ProviderError> {
        let client = http::client(&settings.name)?;
        let Settings { name, base_url, model, api_key, headers, .. } = &settings;
        let query = [("model", model.clone())];
        let url = websocket::address(name, (base_url, "/realtime"), &query)?;
        let mut shown: Vec<_> =
            headers.iter().map(|(it, value)| (it.clone(), value.clone())).collect();
        if let Some(key) = api_key {
            let token = format!("Bearer {}", key.expose_secret());
            shown.push(("Authorization".to_owned(), token.into()));
        }
        let dial = Dial { provider: name.clone(), url, headers: shown };
        Ok(Self { settings: Arc::new(settings), client, dial, calls: Mutex::default() })
    }
}

impl Realtime for OpenAiRealtime {
    fn warm_up(&self) -> BoxFuture<'_, Result<(), ProviderError>> {
        let Settings { name, base_url, api_key, headers, .. } = &*self.settings;
        let request = self.client.get(http::url(base_url, "/models")).timeout(WARM_UP_WITHIN);
        Box::pin(http::warmed(name, http::authorised(request, headers, api_key.as_ref())))
    }

    fn begin(&self, context: Context) -> Arc<dyn Talk> {
        let (orders, inbox) = mpsc::channel(ORDERS);
        let work = Work::new((self.settings.clone(), context), self.dial.clone(), inbox);
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        while calls.try_join_next().is_some() {}
        calls.spawn(work.run());
        Arc::new(OpenAiTalk::new(&self.settings, self.identity(), orders))
    }

    fn outside(&self) -> Option<Arc<dyn Outside>> {
        let (settings, client) = (self.settings.clone(), self.client.clone());
        Some(Arc::new(OpenAiOutside { settings, client, shown: self.dial.headers.clone() }))
    }

    fn identity(&self) -> String {
        format!("{} {}", self.settings.model, self.settings.voice)
    }
}

/// How long the warm-up may take.
const WARM_UP_WITHIN: Duration = Duration::from_secs(5);
