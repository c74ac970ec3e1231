//! The desk of an agent in a call: who sits there, and the session at work.

use std::sync::Arc;
use std::time::Instant;

use crate::agent::conversation::Conversation;
use crate::agent::event::{Input, Output, UtteranceId};
use crate::agent::memory;
use crate::agent::session::{Opening, Session};
use crate::agent::squad::{self, Handoff, Inheritance, Squad};
use crate::agent::tool::ToolCall;
use crate::base::calendar::Date;
use crate::base::scope::Scope;
use crate::base::template;
use crate::call::briefing::{Casting, Post};
use crate::dialplan::flow::NOBODY_YET;

/// Where an agent sits, or nobody.
#[derive(Debug, Default)]
pub struct Desk {
    casting: Option<Arc<Casting>>,
    /// The squad in which it works.
    squad: Option<Arc<Squad>>,
    session: Option<Session>,
    /// What was said at the nodes of a flow before this one.
    past: Conversation,
    /// Since when a flow is at work.
    began: Option<Instant>,
    /// The agent is gone: only what was heard of its last words still counts, and what the caller
    /// said last.
    left: bool,
    /// The last utterance that somebody else said where the agent speaks.
    others: UtteranceId,
}

impl Desk {
    /// Seats an agent; its session begins with `open`.
    pub fn seat(&mut self, post: Post) {
        (self.casting, self.squad) = (Some(post.casting), post.squad);
    }

    /// The same agent with another definition; whoever hears and speaks stays.
    pub fn reseat(&mut self, casting: Arc<Casting>) {
        self.casting = Some(casting);
    }

    /// The agent that is at work, as somebody takes it up again.
    pub fn post(&self) -> Option<Post> {
        let casting = self.casting.clone().filter(|_| self.is_open())?;
        Some(Post { casting, squad: self.squad.clone() })
    }

    /// The way on which the agent hands the caller over by a call of its tool, and who goes with it.
    pub fn way(&self, call: &ToolCall) -> Option<(Arc<Squad>, Handoff)> {
        let (squad, casting) = (self.squad.as_ref()?, self.casting.as_ref()?);
        let to = call.argument("to")?;
        let way = squad.ways_of(&casting.name).find(|way| way.to == to)?.clone();
        Some((squad.clone(), way))
    }

    /// The conversation for whoever takes over by a call of a tool; `None`: it begins anew.
    pub fn bequeath(&self, call: &ToolCall) -> Option<Inheritance> {
        self.session.as_ref().and_then(|session| session.bequeath(call))
    }

    /// Who sits there.
    pub fn casting(&self) -> Option<&Arc<Casting>> {
        self.casting.as_ref()
    }

    /// Whether an agent is at work.
    pub fn is_open(&self) -> bool {
        self.session.is_some() && !self.left
    }

    /// Lets the agent of a node of a flow begin. What was said at the nodes before goes along.
    pub fn begin(&mut self, now: Instant, opening: Opening) {
        let Some(casting) = self.casting.clone() else { return };
        if let Some(before) = &self.session {
            self.past.append(before.conversation());
        }
        let opening = Opening {
            tools: casting.tools.clone(),
            handlings: casting.handlings.clone(),
            name: casting.name.clone(),
            began: Some(*self.began.get_or_insert(now)),
            ..opening
        };
        self.seat_session(now, &casting, opening);
    }

    /// Goes aside for somebody who is asked something meanwhile: gives the desk for that. Both count
    /// on, so that nothing of the one is mistaken for the other's.
    pub fn stand_in(&self, now: Instant, post: Post, opening: Opening) -> Self {
        let casting = post.casting;
        let opening = Opening {
            tools: casting.tools.clone(),
            handlings: casting.handlings.clone(),
            name: casting.name.clone(),
            ..opening
        };
        let assistant = casting.assistant.clone();
        let mut session = match &self.session {
            Some(before) => Session::after(before, assistant, opening, now),
            None => Session::new(assistant, opening, now),
        };
        session.count_past(self.others);
        session.handle(now, Input::Began);
        Self { casting: Some(casting), session: Some(session), ..Self::default() }
    }

    /// Is back after another stood in.
    pub fn come_back(&mut self, stood_in: &Self) {
        if let (Some(session), Some(other)) = (&mut self.session, &stood_in.session) {
            session.count_on(other);
        }
    }

    /// What was said in the flow, for whoever goes on with it.
    pub fn past(&self) -> Inheritance {
        let mut past = self.past.clone();
        if let Some(session) = &self.session {
            past.append(session.conversation());
        }
        let from = self.casting.as_ref().map(|casting| casting.name.clone()).unwrap_or_default();
        let told = past.last_words();
        let known = past.handed_on(usize::MAX, &|_| false);
        let conversation = known.unwrap_or_else(|| {
            past.caller(NOBODY_YET.to_owned(), String::new());
            past.handed_on(usize::MAX, &|_| false).unwrap_or_default()
        });
        Inheritance { from, conversation, told, summary: None, seen: Vec::new() }
    }

    /// Somebody else spoke where the agent speaks, up to this utterance: it counts on from there.
    pub fn count_past(&mut self, last: UtteranceId) {
        self.others = self.others.max(last);
        if let Some(session) = &mut self.session {
            session.count_past(last);
        }
    }

    fn seat_session(&mut self, now: Instant, casting: &Casting, opening: Opening) {
        let mut session = match &self.session {
            Some(before) => Session::after(before, casting.assistant.clone(), opening, now),
            None => Session::new(casting.assistant.clone(), opening, now),
        };
        session.count_past(self.others);
        session.handle(now, Input::Began);
        self.session = Some(session);
        self.left = false;
    }

    /// Lets the agent begin, or go on with what it inherits from the one before. What templates may
    /// name stands in `variables`, and for tools in `scope`.
    pub fn open(
        &mut self,
        now: Instant,
        today: Option<Date>,
        (variables, scope): (&template::Variables, Scope),
        inherits: Option<Inheritance>,
    ) {
        let Some(casting) = self.casting.clone() else { return };
        let mut opening = opening(&casting, today, (variables, scope));
        let ways = self.squad.iter().flat_map(|squad| squad.ways_of(&casting.name));
        let say = |text: &Option<String>| text.as_deref().map(|it| rendered(it, variables));
        let handoffs: Vec<Handoff> =
            ways.map(|way| Handoff { say: say(&way.say), ..way.clone() }).collect();
        opening.tools.extend(squad::tool(&handoffs));
        let opening = Opening { handoffs, inherits, ..opening };
        self.seat_session(now, &casting, opening);
    }

    /// Tells the agent something, if one is at work.
    pub fn tell(&mut self, now: Instant, input: Input) {
        let counts = matches!(input, Input::Flushed { .. } | Input::Transcript { .. });
        let counts = counts || !self.left;
        if let Some(session) = self.session.as_mut().filter(|_| counts) {
            session.handle(now, input);
        }
    }

    /// The agent leaves; what it was saying is cut.
    pub fn leave(&mut self, now: Instant) {
        self.tell(now, Input::HungUp);
        self.left = true;
    }

    /// The last utterance that was ordered so far; 0 before the first.
    pub fn last_utterance(&self) -> UtteranceId {
        self.session.as_ref().map_or(self.others, Session::last_utterance)
    }

    /// Whether the caller's last words are still to come.
    pub fn wants_last_words(&self) -> bool {
        self.session.as_ref().is_some_and(Session::wants_last_words)
    }

    /// Waits for nothing any more.
    pub fn close(&mut self, now: Instant) {
        if let Some(session) = &mut self.session {
            session.close(now);
        }
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Instant) {
        if let Some(session) = &mut self.session {
            session.tick(now);
        }
    }

    /// What the agent wants next; of one that left, only what it notes and still asks.
    pub fn poll(&mut self) -> Option<Output> {
        let session = self.session.as_mut()?;
        loop {
            match session.poll()? {
                output @ (Output::Note(_) | Output::Finalize(_)) => return Some(output),
                _ if self.left => {}
                output => return Some(output),
            }
        }
    }

    /// When `tick` wants to be called.
    pub fn deadline(&self) -> Option<Instant> {
        self.session.as_ref().and_then(Session::deadline)
    }

    /// Nobody sits there any more.
    pub fn clear(&mut self) {
        self.session = None;
    }
}

/// What an agent is given when it begins. What templates may name stands in `variables`, and for
/// tools in `scope`.
pub fn opening(
    casting: &Casting,
    today: Option<Date>,
    (variables, scope): (&template::Variables, Scope),
) -> Opening {
    let assistant = &casting.assistant;
    let text = |text: &Option<String>| text.as_deref().map(|it| rendered(it, variables));
    Opening {
        instructions: memory::with_memory(
            text(&assistant.prompt).unwrap_or_default(),
            assistant.prompt.as_deref().is_some_and(|it| it.contains(memory::VARIABLE)),
            variables.get(memory::VARIABLE).map(String::as_str).unwrap_or_default(),
        ),
        first_message: text(&assistant.first_message),
        tools: casting.tools.clone(),
        handlings: casting.handlings.clone(),
        scope,
        today,
        name: casting.name.clone(),
        ..Opening::default()
    }
}

/// A template that fails was refused by `check`; its plain text is better than silence.
fn rendered(text: &str, variables: &template::Variables) -> String {
    template::render(text, variables).unwrap_or_else(|_| text.to_owned())
}
