//! What begins by itself at its time, as operators see it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::call::timetable::Entry;
use crate::engine::campaigns::{CampaignsHandle, Order};
use crate::server::control::campaigns::asked;
use crate::server::control::protocol::Fault;
use crate::server::control::times::timestamp;

/// One schedule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ScheduleView {
    /// Its name.
    pub name: String,
    /// When, as `crontab` has it.
    pub cron: String,
    /// The same in words.
    pub when: String,
    /// By which clock, if not the server's.
    pub timezone: Option<String>,
    /// Who is called. Personal data.
    pub call: Vec<String>,
    /// Where whoever answers comes to.
    pub to: Option<String>,
    /// The campaign that begins in place of calls.
    pub campaign: Option<String>,
    /// When it is due next.
    pub next_at: Option<String>,
    /// When it was due last, since the server began.
    pub last_at: Option<String>,
    /// Why nothing came of it then, if nothing did.
    pub problem: Option<String>,
}

/// All schedules.
///
/// # Errors
/// When there is nobody to ask any more.
pub async fn list(campaigns: &CampaignsHandle) -> Result<Vec<ScheduleView>, Fault> {
    let entries = asked(campaigns, Order::Timetable).await?;
    Ok(entries.into_iter().map(view).collect())
}

fn view((name, entry): (String, Entry)) -> ScheduleView {
    let Entry { written, due, last, problem } = entry;
    ScheduleView {
        name,
        cron: written.cron.to_string(),
        when: written.cron.in_words(),
        timezone: written.timezone.as_ref().map(|zone| zone.name().to_owned()),
        call: written.call.iter().map(ToString::to_string).collect(),
        to: written.to.as_ref().map(ToString::to_string),
        campaign: written.campaign.clone(),
        next_at: due.map(timestamp),
        last_at: last.map(timestamp),
        problem,
    }
}
