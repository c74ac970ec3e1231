//! What operators are shown of webhooks.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One who is told what happens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WebhookView {
    /// Its name in the settings.
    pub name: String,
    /// Where it is.
    pub url: String,
    /// Of what it is told.
    pub events: Vec<String>,
    /// In which form: `standard`, `vapi` or `retell`.
    pub format: String,
    /// Since when it is told nothing, because it said that it is gone (410).
    pub disabled_since: Option<String>,
    /// How many events are still to be told.
    pub pending: u64,
    /// How many were given up; they can be replayed.
    pub dead: u64,
}

/// What came of telling a webhook something that did not happen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WebhookTestView {
    /// The identity of the event.
    pub id: String,
    /// Whether it was taken.
    pub delivered: bool,
    /// The status of the answer, if there was one.
    pub status: Option<u16>,
    /// Why there was none.
    pub error: Option<String>,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// Whether the webhook was told nothing before, and is again.
    pub enabled: bool,
}

/// How an event stands at a webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeliveryView {
    /// The identity of the event.
    pub event: String,
    /// `call.ended` and the like.
    #[serde(rename = "type")]
    pub kind: String,
    /// The call, if it was in one.
    pub call_id: Option<String>,
    /// `pending`, `delivered` or `dead`.
    pub state: String,
    /// How often it was tried.
    pub attempts: u64,
    /// When it happened.
    pub happened_at: String,
    /// When it was tried last.
    pub tried_at: Option<String>,
    /// When it is tried next, while it is pending.
    pub next_at: Option<String>,
    /// The status of the last answer.
    pub status: Option<u16>,
    /// Why the last attempt failed.
    pub error: Option<String>,
}

/// How many events are told again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReplayedView {
    /// So many.
    pub replayed: u64,
}
