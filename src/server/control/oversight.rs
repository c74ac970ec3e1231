//! What is wanted of somebody who oversees a call, and what can be said against it.

use crate::base::destination::Destination;
use crate::call::leg::State;
use crate::call::overview::{Doing, LegView, Overview};
use crate::call::record;
use crate::server::control::protocol::{Fault, FaultCode, Oversee, Role};
use crate::server::control::view::OverseenView;

/// How, and who is to be called for it.
///
/// # Errors
/// When nobody could be called.
pub fn wanted(order: &Oversee) -> Result<(record::Role, Destination), Fault> {
    let role = match order.role {
        Role::Listen => record::Role::Listen,
        Role::Whisper => record::Role::Whisper,
        Role::Barge => record::Role::Barge,
    };
    Ok((role, destination(&order.phone)?))
}

/// What came of it; nothing, when the call went another way meanwhile.
pub fn arranged(overview: &Overview, role: record::Role) -> Option<OverseenView> {
    let leg = overseer(overview).filter(|leg| leg.role == Some(role))?;
    Some(OverseenView {
        id: overview.call.to_string(),
        role: role.name().to_owned(),
        phone: leg.to.clone().unwrap_or_default(),
        on_the_line: leg.state == State::Up,
    })
}

/// Who is to be called: a phone by its name, or a destination.
///
/// # Errors
/// When nobody could be called there.
pub fn destination(text: &str) -> Result<Destination, Fault> {
    let written = if text.contains(':') { text.to_owned() } else { format!("phone:{text}") };
    let impossible = |text: String| Fault::new(FaultCode::Impossible, text);
    let destination: Destination = written.parse().map_err(|why| impossible(format!("{why}")))?;
    match destination.is_called() {
        true => Ok(destination),
        false => Err(impossible(format!("`{text}` is nobody who could be called"))),
    }
}

/// Why a call cannot be overseen so.
pub fn objection(overview: &Overview, role: record::Role, phone: &Destination) -> Option<String> {
    let whispers = role == record::Role::Whisper;
    match overview.doing {
        Doing::Agent if whispers => {
            return Some("an agent of ours cannot be whispered to: listen, or barge in".to_owned());
        }
        Doing::Agent | Doing::Bridged => {}
        Doing::Dialling
        | Doing::Referring
        | Doing::Transferring
        | Doing::Conference
        | Doing::Queued
        | Doing::Stream
        | Doing::Voicemail
        | Doing::Drill
        | Doing::Ending => {
            return Some(format!(
                "nobody talks in it that could be overseen ({})",
                overview.doing.name()
            ));
        }
    }
    let other = overseer(overview)?;
    let is_same = other.to.as_deref() == Some(&*phone.to_string());
    (!is_same).then(|| format!("{} oversees it already", other.to.as_deref().unwrap_or_default()))
}

/// The leg of whoever oversees a call.
fn overseer(overview: &Overview) -> Option<&LegView> {
    overview.legs.iter().find(|leg| leg.role.is_some())
}
