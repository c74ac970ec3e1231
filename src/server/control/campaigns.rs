//! Campaigns, as operators see and order them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use utoipa::ToSchema;

use crate::base::number::Number;
use crate::call::campaign;
use crate::engine::campaigns::{CampaignsHandle, Look, Order, Refused, RowLook};
use crate::server::control::asking::going_down;
use crate::server::control::protocol::{
    Action, CampaignOrder, Fault, FaultCode, NoCalls, RowsWanted,
};
use crate::server::control::times::timestamp;

/// One campaign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CampaignView {
    /// Its name.
    pub name: String,
    /// `idle`, `running`, `paused`, `stopped`, `finished` or `failed`.
    pub state: String,
    /// Why it is over, or cannot go on.
    pub reason: Option<String>,
    /// All rows of the file, the bad ones among them.
    pub rows: usize,
    /// Rows by which nobody can be called.
    pub bad_rows: usize,
    /// Those who were not called yet.
    pub pending: usize,
    /// Those who are called just now.
    pub active: usize,
    /// Those who are called again later.
    pub again: usize,
    /// How many calls began.
    pub calls: u32,
    /// Those who are called no more, by what came of it.
    pub results: BTreeMap<String, usize>,
}

/// How one row stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CampaignRowView {
    /// The line in the file.
    pub line: u64,
    /// The number.
    pub number: Option<String>,
    /// `pending`, `calling`, `again`, or what came of it: `answered`, `machine`, `message_left`,
    /// `screening`, `busy`, `no_answer`, `failed`, `blocked`, `do_not_call`, `interrupted`,
    /// `bad_row`.
    pub result: String,
    /// Why: the end reason of the call, or what is wrong with the row.
    pub reason: Option<String>,
    /// The status by which the call was refused.
    pub sip_status: Option<u16>,
    /// Who answered, if that was to be found out.
    pub amd: Option<String>,
    /// How often it was called.
    pub tries: u32,
    /// The last call.
    pub call_id: Option<String>,
    /// When something came of it last.
    pub at: Option<String>,
    /// How long that call lasted after the answer.
    pub talked_ms: u64,
}

/// A number that nobody calls from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NoCallsView {
    /// The number.
    pub number: String,
}

/// All campaigns.
///
/// # Errors
/// When there is nobody to ask any more.
pub async fn list(campaigns: &CampaignsHandle) -> Result<Vec<CampaignView>, Fault> {
    let looks = asked(campaigns, Order::Look).await?;
    Ok(looks.into_iter().map(view).collect())
}

/// One campaign.
///
/// # Errors
/// When there is none of that name.
pub async fn show(campaigns: &CampaignsHandle, name: &str) -> Result<CampaignView, Fault> {
    let all = list(campaigns).await?;
    let names: Vec<String> = all.iter().map(|it| it.name.clone()).collect();
    let found = all.into_iter().find(|it| it.name == name);
    found.ok_or_else(|| refused(Refused::Unknown(names), name))
}

/// Does what an operator wants of one.
///
/// # Errors
/// When there is none of that name, or it makes no sense now.
pub async fn order(
    campaigns: &CampaignsHandle,
    CampaignOrder { name, action }: &CampaignOrder,
) -> Result<CampaignView, Fault> {
    let order = match action {
        Action::Start => campaign::Order::Start,
        Action::Pause => campaign::Order::Pause,
        Action::Resume => campaign::Order::Resume,
        Action::Stop => campaign::Order::Stop,
    };
    let done = asked(campaigns, |asker| Order::Do(name.clone(), order, asker)).await?;
    done.map(view).map_err(|why| refused(why, name))
}

/// Rows of one.
///
/// # Errors
/// When there is none of that name.
pub async fn rows(
    campaigns: &CampaignsHandle,
    RowsWanted { name, after, limit }: &RowsWanted,
) -> Result<Vec<CampaignRowView>, Fault> {
    let page = (*after, (*limit).clamp(1, MOST_ROWS));
    let rows = asked(campaigns, |asker| Order::Rows(name.clone(), page, asker)).await?;
    Ok(rows.map_err(|why| refused(why, name))?.into_iter().map(row).collect())
}

/// Nobody calls a number any more.
///
/// # Errors
/// When it is no number, or cannot be written down.
pub async fn no_calls(
    campaigns: &CampaignsHandle,
    NoCalls { number }: &NoCalls,
) -> Result<NoCallsView, Fault> {
    let number: Number = number
        .parse()
        .map_err(|why| Fault::new(FaultCode::Impossible, format!("`{number}` is {why}")))?;
    let written = number.to_e164().to_owned();
    let done = asked(campaigns, |asker| Order::Refuse(number, asker)).await?;
    done.map_err(|why| refused(why, ""))?;
    Ok(NoCallsView { number: written })
}

/// Asks those who run the campaigns.
///
/// # Errors
/// When there is nobody to ask any more.
pub(super) async fn asked<T>(
    campaigns: &CampaignsHandle,
    order: impl FnOnce(oneshot::Sender<T>) -> Order,
) -> Result<T, Fault> {
    let (asker, answer) = oneshot::channel();
    // Those who run the campaigns go when the server does.
    campaigns.send(order(asker)).await.ok();
    answer.await.map_err(|_| going_down())
}

fn refused(why: Refused, name: &str) -> Fault {
    match why {
        Refused::Impossible(why) => Fault::new(FaultCode::Impossible, why),
        Refused::Unknown(names) if names.is_empty() => {
            let text = "there is no campaign: the dialplan has no [campaigns.NAME]";
            Fault::new(FaultCode::NotFound, text)
        }
        Refused::Unknown(names) => {
            let text = format!("there is no campaign `{name}`, only: {}", names.join(", "));
            Fault::new(FaultCode::NotFound, text)
        }
    }
}

fn view(look: Look) -> CampaignView {
    let Look { name, state, counts, problem } = look;
    let over = match state {
        campaign::State::Finished(why) => Some(why.name().to_owned()),
        _ => None,
    };
    let state = if problem.is_some() { "failed" } else { state.name() };
    CampaignView {
        name,
        state: state.to_owned(),
        reason: problem.or(over),
        rows: counts.rows,
        bad_rows: counts.bad,
        pending: counts.pending,
        active: counts.active,
        again: counts.again,
        calls: counts.dials,
        results: counts.done.into_iter().map(|(name, count)| (name.to_owned(), count)).collect(),
    }
}

fn row(look: RowLook) -> CampaignRowView {
    let (at, outcome) = look.outcome.map_or((None, None), |(at, it)| (Some(at), Some(it)));
    let reason = outcome.as_ref().map(|it| it.reason.clone()).filter(|it| !it.is_empty());
    CampaignRowView {
        line: look.line,
        number: look.number,
        result: look.state.to_owned(),
        reason: look.why.or(reason),
        sip_status: outcome.as_ref().and_then(|it| it.sip_status),
        amd: outcome.as_ref().and_then(|it| it.amd.clone()),
        tries: look.tries,
        call_id: outcome.as_ref().and_then(|it| it.call.clone()),
        at: at.map(timestamp),
        talked_ms: outcome.map_or(0, |it| it.lasted_ms),
    }
}

/// The most rows of an answer.
pub const MOST_ROWS: usize = 1_000;
