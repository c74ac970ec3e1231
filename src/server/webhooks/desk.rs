//! What operators see of webhooks, and do with them.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;
use tokio::sync::watch;

use crate::config::webhook::{Format, SECRET};
use crate::engine::clock;
use crate::net::web::Web;
use crate::server::control::protocol::{Fault, FaultCode, Replay, WebhookLog};
use crate::server::control::times::timestamp;
use crate::server::control::webhook_view::{
    DeliveryView, ReplayedView, WebhookTestView, WebhookView,
};
use crate::server::webhooks::endpoint::{Endpoint, Message};
use crate::server::webhooks::{in_retell, in_vapi};
use crate::store::database::DatabaseError;
use crate::store::outbox::{Outbox, Standing};
use crate::store::spool::Event;

/// What operators see of webhooks.
#[derive(Debug, Clone)]
pub struct Desk {
    /// All of them.
    pub endpoints: Arc<[Endpoint]>,
    /// What they are told.
    pub outbox: Outbox,
    /// How they are reached.
    pub web: Web,
    /// Their couriers are told here that there is something to do.
    pub arrived: Arc<watch::Sender<()>>,
    /// Whether the database has its shape.
    pub shaped: Arc<watch::Sender<bool>>,
}

impl Desk {
    /// All of them.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn list(&self) -> Result<Vec<WebhookView>, Fault> {
        let mut views = Vec::new();
        let outbox = self.outbox().await;
        for endpoint in self.endpoints.iter() {
            let tally = outbox.tally(&endpoint.name).await.map_err(unanswered)?;
            views.push(WebhookView {
                name: endpoint.name.to_string(),
                url: endpoint.url.clone(),
                events: endpoint.events.clone(),
                format: endpoint.format.name().to_owned(),
                disabled_since: tally.disabled.map(stamp),
                pending: u64::try_from(tally.pending).unwrap_or_default(),
                dead: u64::try_from(tally.dead).unwrap_or_default(),
            });
        }
        Ok(views)
    }

    /// Tells one something that did not happen. If it takes it, it is told everything again.
    ///
    /// # Errors
    /// When there is none of this name.
    pub async fn test(&self, name: &str) -> Result<WebhookTestView, Fault> {
        let (endpoint, at) = (self.named(name)?, clock::since_epoch());
        let id = Event::named(at, &mut clock::random());
        let body = match endpoint.format {
            Format::Standard => json!({
                "id": id,
                "type": "webhook.test",
                "timestamp": timestamp(at),
                "data": { "webhook": name },
            }),
            Format::Vapi => in_vapi::test(at.as_millis() as u64),
            Format::Retell => in_retell::test(),
        };
        let (body, traceparent) = (body.to_string(), None);
        let message = Message { id: &id, body: &body, at, traceparent };
        let told = endpoint.tell(&message, &self.web).await;
        let took_ms = clock::since_epoch().saturating_sub(at).as_millis() as u64;
        let (status, error) = match told {
            Ok(answer) => (Some(answer.status), None),
            Err(why) => (None, Some(why.to_string())),
        };
        let delivered = status.is_some_and(|status| (200..300).contains(&status));
        let enabled = delivered && self.outbox().await.enable(name).await.map_err(unanswered)?;
        if enabled {
            tracing::info!(webhook = name, "this webhook is told what happens again");
            self.arrived.send_replace(());
        }
        Ok(WebhookTestView { id, delivered, status, error, took_ms, enabled })
    }

    /// How the last events stand at one.
    ///
    /// # Errors
    /// When there is none of this name, or the database does not answer.
    pub async fn log(&self, wanted: &WebhookLog) -> Result<Vec<DeliveryView>, Fault> {
        self.named(&wanted.name)?;
        let state = wanted.state.as_deref();
        if state.is_some_and(|state| !STATES.contains(&state)) {
            let text = format!("an event is one of: {}", STATES.join(", "));
            return Err(Fault::new(FaultCode::Impossible, text));
        }
        let limit = wanted.limit.unwrap_or(USUAL).clamp(1, MOST);
        let log = self.outbox().await.log(&wanted.name, state, limit).await.map_err(unanswered)?;
        Ok(log.into_iter().map(view).collect())
    }

    /// Has one told again what is named, or all that was given up.
    ///
    /// # Errors
    /// When there is none of this name, no such event, or the database does not answer.
    pub async fn replay(&self, order: &Replay) -> Result<ReplayedView, Fault> {
        self.named(&order.name)?;
        let (event, now) = (order.event.as_deref(), clock::since_epoch());
        let outbox = self.outbox().await;
        let replayed = outbox.replay(&order.name, event, now).await.map_err(unanswered)?;
        if let (0, Some(event)) = (replayed, event) {
            let text = format!("`{}` was never told of `{event}`", order.name);
            return Err(Fault::new(FaultCode::NotFound, text));
        }
        tracing::info!(webhook = order.name, replayed, "an operator has events told again");
        self.arrived.send_replace(());
        Ok(ReplayedView { replayed })
    }

    /// The outbox, when the database has its shape: a server that has only begun gives it a moment.
    async fn outbox(&self) -> &Outbox {
        let mut shaped = self.shaped.subscribe();
        // What is not in shape by then says so itself.
        tokio::time::timeout(SHAPED_WITHIN, shaped.wait_for(|it| *it)).await.ok();
        &self.outbox
    }

    fn named(&self, name: &str) -> Result<&Endpoint, Fault> {
        let found = self.endpoints.iter().find(|endpoint| &*endpoint.name == name);
        found.ok_or_else(|| {
            let names: Vec<&str> = self.endpoints.iter().map(|it| &*it.name).collect();
            let text = match names.as_slice() {
                [] => format!("there is no webhook `{name}`: the settings name none"),
                names => format!("there is no webhook `{name}`; there are: {}", names.join(", ")),
            };
            Fault::new(FaultCode::NotFound, text)
        })
    }
}

fn view(standing: Standing) -> DeliveryView {
    DeliveryView {
        event: standing.id,
        kind: standing.kind,
        call_id: standing.call,
        state: standing.state,
        attempts: u64::try_from(standing.attempts).unwrap_or_default(),
        happened_at: stamp(standing.at),
        tried_at: standing.tried.map(stamp),
        next_at: standing.due.map(stamp),
        status: standing.status.and_then(|status| u16::try_from(status).ok()),
        error: standing.failure,
    }
}

fn stamp(millis: i64) -> String {
    timestamp(Duration::from_millis(u64::try_from(millis).unwrap_or_default()))
}

fn unanswered(why: DatabaseError) -> Fault {
    tracing::warn!(%why, "an operator asked the database in vain");
    Fault::new(FaultCode::Busy, "the database does not answer: the log says why")
}

/// A new secret of a webhook.
pub fn secret() -> String {
    let mut key = [0; 32];
    clock::random().fill(&mut key);
    format!("{SECRET}{}", BASE64_STANDARD.encode(key))
}

const STATES: &[&str] = &["pending", "delivered", "dead"];

/// How long the database is waited for: it is given its shape when the server begins.
const SHAPED_WITHIN: Duration = Duration::from_secs(3);

const USUAL: usize = 20;

const MOST: usize = 1_000;
