//! The record of a call that ended, as the description for programs tells it: what
//! [`crate::store::call_files::document`] writes, field by field.

#![expect(dead_code, reason = "these types are read by whoever reads the description")]

use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::server::control::usage::MoneyView;
use crate::server::control::view::{CallView, PartyView};

/// A call: as it stands while it is up, and afterwards all that is kept of it.
#[derive(ToSchema)]
#[serde(untagged)]
pub enum CallDocument {
    /// It is up.
    Up(Box<CallView>),
    /// It ended.
    Ended(Box<RecordView>),
}

/// A call that ended. Times with `_ms` are milliseconds since it arrived.
#[derive(ToSchema)]
pub struct RecordView {
    /// Its identity.
    pub id: String,
    /// `inbound` or `outbound`.
    pub direction: String,
    /// `completed`, `busy`, `no_answer`, `canceled` or `failed`.
    pub status: String,
    /// Why it ended: `caller_hangup` and the like.
    pub end_reason: String,
    /// The same as a cause of Q.850.
    pub q850: u8,
    /// Who called. Personal data.
    pub from: PartyView,
    /// Whom.
    pub to: CalledView,
    /// By which trunk; empty for a phone of ours.
    pub trunk: String,
    /// Whose call it was.
    pub tenant: Option<String>,
    /// What the check of the caller's signature said.
    pub stir: Option<Map<String, Value>>,
    /// The route that took it.
    pub route: Option<String>,
    /// The agents that spoke, in order.
    pub agents: Vec<String>,
    /// The nodes of flows that it went through.
    pub nodes: Vec<Map<String, Value>>,
    /// Why its flow came to no end.
    pub flow_failed: Option<String>,
    /// When it arrived (RFC 3339).
    #[schema(format = DateTime)]
    pub started_at: String,
    /// When it was answered.
    #[schema(format = DateTime)]
    pub answered_at: Option<String>,
    /// When it ended.
    #[schema(format = DateTime)]
    pub ended_at: String,
    /// How long it was.
    pub duration_ms: u64,
    /// Whether it was recorded.
    pub recorded: bool,
    /// How the caller was told of that, and what it answered.
    pub recording_consent: Option<Map<String, Value>>,
    /// How the caller was told that an AI speaks.
    pub ai_disclosure: Option<Map<String, Value>>,
    /// When nothing was recorded.
    pub recording_pauses: Vec<Map<String, Value>>,
    /// How often the caller interrupted.
    pub interruptions: u32,
    /// How often that was nothing.
    pub false_interruptions: u32,
    /// The legs; the first is the caller's.
    pub legs: Vec<Map<String, Value>>,
    /// Which legs talked with each other.
    pub bridges: Vec<Map<String, Value>>,
    /// Who waited, and by whose wish.
    pub holds: Vec<Map<String, Value>>,
    /// The queues in which it waited.
    pub queues: Vec<Map<String, Value>>,
    /// The streams that had it, or listened.
    pub streams: Vec<Map<String, Value>>,
    /// The transfers, and what came of each.
    pub transfers: Vec<Map<String, Value>>,
    /// What was said.
    pub transcript: Vec<LineView>,
    /// The turns, with the time that each stage took.
    pub turns: Vec<Map<String, Value>>,
    /// Which providers failed, and who took over.
    pub provider_failures: Vec<Map<String, Value>>,
    /// The tools that were called.
    pub tools: Vec<ToolUseView>,
    /// The messages that the caller left.
    pub messages: Vec<Map<String, Value>>,
    /// Who answered a call of ours: a person or a machine.
    pub amd: Option<Map<String, Value>>,
    /// What came of a message at a voicemail.
    pub voicemail: Option<Map<String, Value>>,
    /// When the caller wants to be called back.
    pub callbacks: Vec<Map<String, Value>>,
    /// What providers did for it, and what that costs.
    pub cost: Option<CostView>,
    /// What was found out afterwards, once it is.
    pub analysis: Option<Map<String, Value>>,
    /// What programs call it, once they do.
    pub name: Option<String>,
    /// What programs keep with it, once they do.
    pub metadata: Option<Map<String, Value>>,
    /// That what was said is not kept any more.
    pub transcript_deleted: Option<bool>,
}

/// What providers did, and what it costs, in exact decimals.
#[derive(ToSchema)]
pub struct CostView {
    /// All together, where all prices are in one currency.
    pub total: Option<String>,
    /// That currency (ISO 4217).
    pub currency: Option<String>,
    /// All together in each currency.
    pub totals: Vec<MoneyView>,
    /// What was done.
    pub items: Vec<CostItemView>,
}

/// What one provider did.
#[derive(ToSchema)]
pub struct CostItemView {
    /// `stt`, `llm` or `tts`.
    pub stage: String,
    /// Its name in the files.
    pub provider: String,
    /// Its model, if that is known.
    pub model: Option<String>,
    /// What is counted: `input_tokens`, `cached_tokens`, `output_tokens`, `audio_input_tokens`,
    /// `audio_output_tokens`, `audio_ms` or `characters`.
    pub unit: String,
    /// How much of it.
    pub count: u64,
    /// What it costs; nothing, when the files do not say so.
    pub amount: Option<String>,
    /// In which currency.
    pub currency: Option<String>,
}

/// Who was called.
#[derive(ToSchema)]
pub struct CalledView {
    /// The number, or a name in the files. Personal data.
    pub number: String,
}

/// Something that was said, or keys that were pressed.
#[derive(ToSchema)]
pub struct LineView {
    /// `caller` or `agent`, and others by their name.
    pub role: String,
    /// When.
    pub start_ms: u64,
    /// The words that were heard. Personal data.
    pub text: String,
    /// The keys.
    pub keys: String,
    /// Whether somebody talked over it.
    pub interrupted: bool,
}

/// A tool that was called.
#[derive(ToSchema)]
pub struct ToolUseView {
    /// When.
    pub at_ms: u64,
    /// Which one.
    pub name: String,
    /// With what; nothing, when that is not kept any more.
    pub arguments: Option<String>,
    /// `done` or `failed`; nothing, when the call ended first.
    pub outcome: Option<String>,
    /// How long it took.
    pub took_ms: Option<u64>,
}
