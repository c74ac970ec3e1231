//! A call is given to a model outside: it is called like anybody else, with a word by which it is
//! known again, and what was said is told from beside.

use std::time::Instant;

use super::{CALL_HEADER, Conductor};
use crate::base::destination::Destination;
use crate::call::cause::Cause;
use crate::call::desk;
use crate::call::event::Output;
use crate::call::leg::Leg;
use crate::call::outside::{Charge, News};

impl Conductor {
    /// Whom to call in the place of a destination, and what is said there besides. A model outside
    /// is told what it is to be before it is called.
    pub(super) fn reach(
        &mut self,
        destination: Destination,
        headers: &mut Vec<(String, String)>,
    ) -> Result<Destination, Cause> {
        let Destination::OpenAi(agent) = &destination else { return Ok(destination) };
        let casting = self.briefing.agents.get(agent).cloned().ok_or(Cause::NoRoute)?;
        let casting = self.with_disclosure(casting);
        let uri = self.briefing.openai.clone().ok_or(Cause::NoRoute)?;
        let (today, variables) = (self.chronicle.today(), self.variables());
        let opening = desk::opening(&casting, today, (&variables, self.scope()));
        // Callers are told what their call is called; who leads it must know more.
        let token = self.random.token(TOKEN);
        let known_by = format!("{}.{token}", self.chronicle.call());
        headers.push((CALL_HEADER.to_owned(), known_by));
        self.out.push_back(Output::Entrust(Box::new(Charge { casting, opening, token })));
        Ok(Destination::Sip(uri))
    }

    /// Something is heard from beside.
    pub(super) fn outside(&mut self, now: Instant, news: News) {
        match news {
            News::Taken(agent) => {
                let fact = self.chronicle.agent_changed(now, &agent);
                self.out.push_back(Output::Fact(fact));
            }
            News::Noted(note) => self.note(now, note),
            News::Over => self.end(now, Cause::AgentEnded),
            News::Failed => {
                let is_asked = |leg: &&Leg| {
                    matches!(leg.destination(), Some(Destination::OpenAi(_))) && !leg.is_up()
                };
                let Some(session) = self.legs.iter().find(is_asked).map(Leg::session) else {
                    return;
                };
                self.drop_leg(session, Cause::Canceled);
                self.attempt_failed(now, session, Cause::ProviderError);
            }
        }
    }
}

/// How many letters the word has by which a call is known again: 160 bits.
const TOKEN: usize = 32;
