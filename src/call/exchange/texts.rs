//! Texts outside of calls (RFC 3428): each goes where a call to the same number would ring, if that
//! is at phones of ours, and the word of whoever reads it goes back. Nothing is kept of it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::lines::MOST_HOPS;
use super::phones::MOST_FORKS;
use super::{Exchange, Output};
use crate::call::admission::Badge;
use crate::call::briefing::Briefing;
use crate::call::identity;
use crate::call::placement::Caller;
use crate::dialplan::runner::Call;
use crate::sip::event::{AskId, Asking, Command, Incoming, Reach, SessionId};
use crate::sip::method::Method;

/// The texts on their way.
#[derive(Debug, Default)]
pub(super) struct Texts {
    /// Where calls ring; without it nobody takes texts.
    briefing: Option<Arc<Briefing>>,
    relayed: HashMap<SessionId, Relayed>,
    asked: HashMap<AskId, SessionId>,
}

/// A text on its way to every place of its reader.
#[derive(Debug, Default)]
struct Relayed {
    /// How many places have not said a word.
    open: usize,
    /// The best answer so far.
    best: Option<Answer>,
}

/// A final answer: its status and what is said with it.
type Answer = (u16, Vec<(String, String)>);

impl Exchange {
    /// Relays texts to those phones where the routes let calls ring.
    pub fn brief(&mut self, briefing: Arc<Briefing>) {
        self.texts.briefing = Some(briefing);
    }

    /// Relays a text of somebody who may write; its answer is given in time, or never.
    /// `at` is when it came, since the Unix epoch.
    pub fn relay(&mut self, badge: &Badge, mut text: Box<Incoming>, at: Duration) {
        let session = text.session;
        let caller = self.writer(badge, &mut text);
        let reaches = match self.readers(badge, &text, at) {
            Ok(reaches) => reaches,
            Err(status) => return self.answer_text(session, (status, Vec::new())),
        };
        let relayed = Relayed { open: reaches.len(), best: None };
        self.texts.relayed.insert(session, relayed);
        for reach in reaches {
            let id = self.next_ask();
            self.texts.asked.insert(id, session);
            let (from, own) = self.spoken_of(&caller, reach.flow);
            let asking = copy(&text, id, (reach, from, own));
            self.outputs.push_back(Output::Command(Command::Ask(Box::new(asking))));
        }
    }

    /// Who writes, as the reader shall see it: the phone that proved itself, or whom the trunk says.
    fn writer(&self, badge: &Badge, text: &mut Incoming) -> Caller {
        let said = self.trunks.get(&badge.name);
        if let Some(said) = said.map(|trunk| identity::read(&trunk.settings().profile, text)) {
            text.called_user = said.called;
            text.calling_user = said.caller;
            text.calling_name = said.name;
        }
        let number = text.calling_user.clone();
        let anonymous = number.is_empty() || number.eq_ignore_ascii_case("anonymous");
        Caller { number, name: text.calling_name.clone(), anonymous, diverted_by: None }
    }

    /// Where those are who read a text.
    ///
    /// # Errors
    /// With 404 when nobody there takes texts, 480 when the phone is not to be reached.
    fn readers(&self, badge: &Badge, text: &Incoming, at: Duration) -> Result<Vec<Reach>, u16> {
        let briefing = self.texts.briefing.as_ref().ok_or(404_u16)?;
        let terms = briefing.trunks.get(&badge.name);
        if terms.is_some_and(|terms| !terms.may_deliver(&text.called_user)) {
            return Err(404);
        }
        let call = Call {
            did: &text.called_user,
            caller: &text.calling_user,
            trunk: &badge.name,
            context: &badge.context,
            tenant: &badge.tenant,
            headers: &text.headers,
            at: Some(at),
            ..Call::default()
        };
        let route = briefing.plan.route(&call).ok_or(404_u16)?;
        let to: Vec<_> = route.to.iter().map(|to| to.for_extension(call.did)).collect();
        let phones: Vec<Vec<&Reach>> = to.iter().filter_map(|to| self.phones.behind(to)).collect();
        if phones.is_empty() {
            return Err(404);
        }
        let reaches: Vec<Reach> = phones.into_iter().flatten().take(MOST_FORKS).cloned().collect();
        if reaches.is_empty() { Err(480) } else { Ok(reaches) }
    }

    /// Takes the answer of one place; tells whether it was one to a text.
    pub(super) fn text_answered(
        &mut self,
        id: AskId,
        (status, headers): (u16, &[(String, String)]),
    ) -> bool {
        let Some(session) = self.texts.asked.remove(&id) else { return false };
        // Somebody else has read it already.
        let Some(relayed) = self.texts.relayed.get_mut(&session) else { return true };
        relayed.open = relayed.open.saturating_sub(1);
        let answer = passed_back(status).map(|status| (status, remarks(headers)));
        let is_read = answer.as_ref().is_some_and(|(status, _)| *status < 300);
        let rank = |answer: &Option<Answer>| answer.as_ref().map_or(u16::MAX, |it| rank(it.0));
        if rank(&answer) < rank(&relayed.best) {
            relayed.best = answer;
        }
        if is_read || relayed.open == 0 {
            let best = self.texts.relayed.remove(&session).and_then(|relayed| relayed.best);
            if let Some(best) = best {
                self.answer_text(session, best);
            }
        }
        true
    }

    fn answer_text(&mut self, session: SessionId, (status, headers): Answer) {
        let command = Command::AnswerText { session, status, headers };
        self.outputs.push_back(Output::Command(command));
    }
}

/// The same text to one place, from a writer as that place shall see it.
fn copy(
    text: &Incoming,
    id: AskId,
    (reach, from, own): (Reach, String, Vec<(String, String)>),
) -> Asking {
    let header = |name: &str| {
        let found = text.headers.iter().find(|(found, _)| found.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.clone())
    };
    let hops = header("Max-Forwards").and_then(|hops| hops.trim().parse::<u8>().ok());
    let carried = CARRIED.iter().filter_map(|name| Some(((*name).to_owned(), header(name)?)));
    Asking {
        id,
        method: Method::Message,
        to: format!("<{}>", reach.uri),
        target: reach.uri,
        from,
        flow: reach.flow,
        routes: reach.routes,
        max_forwards: hops.unwrap_or(MOST_HOPS).saturating_sub(1),
        // A text makes no dialog, and has no Contact (RFC 3428 4).
        contact: None,
        series: None,
        headers: own.into_iter().chain(carried).collect(),
        content_type: header("Content-Type"),
        body: text.body.clone(),
        account: None,
    }
}

/// What of a place's answer its writer is told. Silence is not told: the writer has given up by
/// then (RFC 4320 4.2). A challenge is none of its business, and nobody sends it elsewhere.
fn passed_back(status: u16) -> Option<u16> {
    match status {
        408 => None,
        401 | 407 => Some(403),
        200..=299 | 400..=502 | 504..=699 => Some(status),
        // RFC 3261 16.7: that one place is overloaded says nothing of us.
        503 => Some(500),
        _ => Some(480),
    }
}

/// Which answer counts more: that somebody read it, a word that speaks for all, the lowest class
/// (RFC 3261 16.7).
fn rank(status: u16) -> u16 {
    match status {
        0..=299 => 0,
        600.. => 1,
        300..=599 => status / 100,
    }
}

fn remarks(headers: &[(String, String)]) -> Vec<(String, String)> {
    let is_told = |name: &str| TOLD.iter().any(|told| told.eq_ignore_ascii_case(name));
    headers.iter().filter(|(name, _)| is_told(name)).take(MOST_REMARKS).cloned().collect()
}

/// What goes along with a text.
const CARRIED: [&str; 3] = ["Subject", "Date", "Expires"];

/// What goes back with its answer.
const TOLD: [&str; 3] = ["Accept", "Retry-After", "Warning"];

/// How many headers go back.
const MOST_REMARKS: usize = 8;

#[cfg(test)]
mod tests;
