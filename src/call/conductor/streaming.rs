//! A stream has the line: somebody behind a WebSocket hears the near side and speaks with it. It is
//! there before the near side is answered; when it fails, the call goes on elsewhere.

use std::time::Instant;

use super::queueing::HOUSE;
use super::{Conductor, Work};
use crate::agent::tool::ToolCall;
use crate::base::id::{PortId, UtteranceId};
use crate::base::template;
use crate::call::briefing::Refer;
use crate::call::cause::Cause;
use crate::call::dial::{Dial, Round};
use crate::call::event::Output;
use crate::call::leg::{Leg, State};
use crate::call::stream::{End, News, Opening, Order, StreamId};
use crate::call::transfer::{self, Escort, Target};
use crate::media::event::{Attention, Command, Digit};
use crate::media::link::Links;

/// A stream on the line.
#[derive(Debug)]
pub(super) struct Streaming {
    name: String,
    stream: StreamId,
    place: Place,
    /// Where the call goes when it fails.
    otherwise: Option<Dial>,
    /// Where the operator sends the near side as soon as it lets go.
    then: Option<(Target, Escort)>,
}

impl Streaming {
    /// Its name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Which stream of the call it is.
    pub(super) fn id(&self) -> StreamId {
        self.stream
    }

    /// The near side goes there when this one has let go.
    pub(super) fn leave_for(&mut self, way: (Target, Escort)) {
        self.then = Some(way);
    }
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Not asked for: the near side has no port yet.
    Away,
    /// It is being opened.
    Opening,
    /// Somebody is there; the near side is not, yet.
    Open,
    /// Both hear each other.
    Begun,
}

impl Conductor {
    /// The near side comes to a stream, once somebody is there. When it fails, what is left of
    /// the route is tried.
    pub(super) fn stream(&mut self, now: Instant, name: String, otherwise: Option<Dial>) {
        if !self.briefing.streams.contains_key(&name) {
            return self.end(now, Cause::NoRoute);
        }
        self.hops += 1;
        self.end_flow();
        self.leave_desk(now);
        self.media(Command::NoMusic);
        self.media(Command::Connect(Links::default()));
        self.stream = self.stream.next();
        let (stream, place) = (self.stream, Place::Away);
        self.work =
            Work::Stream(Box::new(Streaming { name, stream, place, otherwise, then: None }));
        self.ready_near(now);
    }

    /// The near side has a port: whoever is to speak with it is called.
    pub(super) fn open_stream(&mut self, now: Instant) {
        let Work::Stream(streaming) = &mut self.work else { return };
        if streaming.place != Place::Away {
            return;
        }
        streaming.place = Place::Opening;
        let (name, stream) = (streaming.name.clone(), streaming.stream);
        let Some(opening) = self.opening(&name) else { return };
        let fact = self.chronicle.streams(now, (stream, &name), false);
        self.out.push_back(Output::Fact(fact));
        self.out.push_back(Output::Stream(stream, Order::Open(Box::new(opening))));
        let near = self.near;
        self.with(near, |leg, out| leg.ring(out));
    }

    /// Lets whoever the route says listen to the call from now on.
    pub(super) fn fork(&mut self, now: Instant) {
        let Some(name) = self.route_forks.take() else { return };
        let Some(opening) = self.opening(&name) else { return };
        self.stream = self.stream.next();
        let fact = self.chronicle.streams(now, (self.stream, &name), true);
        self.out.push_back(Output::Fact(fact));
        self.out.push_back(Output::Stream(self.stream, Order::Listen(Box::new(opening))));
    }

    /// What a stream is told of the call, if there is one of that name.
    fn opening(&self, name: &str) -> Option<Opening> {
        let terms = self.briefing.streams.get(name)?;
        let variables = self.variables();
        let told = terms.parameters.iter().map(|(name, text)| {
            let value = template::render(text, &variables).unwrap_or_default();
            (name.clone(), value.chars().take(LONGEST_VALUE).collect())
        });
        let record = self.chronicle.record();
        Some(Opening {
            stream: name.to_owned(),
            port: PortId(self.near.0),
            after: self.desk.last_utterance(),
            from: record.from.clone(),
            to: record.to.clone(),
            parameters: told.collect(),
        })
    }

    /// Something happened on a stream.
    pub(super) fn streamed(&mut self, now: Instant, stream: StreamId, news: News) {
        let Work::Stream(streaming) = &mut self.work else {
            return self.only_listened(now, stream, &news);
        };
        if streaming.stream != stream {
            return self.only_listened(now, stream, &news);
        }
        match news {
            News::Open => {
                if streaming.place == Place::Opening {
                    streaming.place = Place::Open;
                }
                match self.leg(self.near).map(Leg::state) {
                    Some(State::Up) => self.begin_stream(),
                    Some(State::Calling | State::Ringing | State::Early) => self.answer_near(now),
                    _ => {}
                }
            }
            News::Dial(digits) => self.media(Command::Dial(digits)),
            News::Ended { end, last } => {
                self.desk.count_past(last);
                self.media(Command::Flush { through: last });
                let fact = self.chronicle.streamed(now, stream, &end);
                self.out.extend(fact.map(Output::Fact));
                self.out.push_back(Output::Stream(stream, Order::End));
                if let Some(way) = self.stream_lets_go() {
                    return self.go_on(now, way);
                }
                match end {
                    End::Done | End::Left => self.end(now, Cause::AgentEnded),
                    End::MaxDuration => self.end(now, Cause::MaxDuration),
                    End::Failed(_) => self.stream_failed(now),
                }
            }
        }
    }

    /// Somebody who only listened is gone: the call goes on.
    fn only_listened(&mut self, now: Instant, stream: StreamId, news: &News) {
        if let News::Ended { end, .. } = news {
            let fact = self.chronicle.streamed(now, stream, end);
            self.out.extend(fact.map(Output::Fact));
        }
    }

    /// The call is over for those who still listen.
    pub(super) fn leave_forks(&mut self, now: Instant) {
        while let Some(stream) = self.chronicle.listens() {
            let fact = self.chronicle.streamed(now, stream, &End::Left);
            self.out.extend(fact.map(Output::Fact));
        }
    }

    /// The near side is there: it hears the stream and is heard by it.
    pub(super) fn begin_stream(&mut self) {
        let Work::Stream(streaming) = &mut self.work else { return };
        if streaming.place != Place::Open {
            return;
        }
        streaming.place = Place::Begun;
        let stream = streaming.stream;
        self.attend_stream();
        self.out.push_back(Output::Stream(stream, Order::Begin));
    }

    /// Lets the stream hear the near side, unless that holds us: nobody wants to hear its music.
    pub(super) fn attend_stream(&mut self) {
        let is_held = self.leg(self.near).is_some_and(Leg::is_held);
        let attention = if is_held { Attention::Keys } else { Attention::Ear };
        self.media(Command::Attend(attention));
    }

    /// The near side pressed a key, and a stream has it; false when none has.
    pub(super) fn is_for_stream(&mut self, digit: Digit) -> bool {
        let Work::Stream(streaming) = &self.work else { return false };
        self.out.push_back(Output::Stream(streaming.stream, Order::Digit(digit)));
        true
    }

    /// An utterance was heard, and a stream said it; false when none has the line.
    pub(super) fn is_of_stream(&mut self, utterance: UtteranceId) -> bool {
        let Work::Stream(streaming) = &self.work else { return false };
        self.out.push_back(Output::Stream(streaming.stream, Order::Heard(utterance)));
        true
    }

    /// Nobody has to do with the stream any more.
    pub(super) fn leave_stream(&mut self, now: Instant, streaming: &Streaming) {
        let fact = self.chronicle.streamed(now, streaming.stream, &End::Left);
        self.out.extend(fact.map(Output::Fact));
        self.out.push_back(Output::Stream(streaming.stream, Order::End));
    }

    /// The stream is over; gives where the operator sends the near side, if it does.
    fn stream_lets_go(&mut self) -> Option<(Target, Escort)> {
        let Work::Stream(streaming) = &mut self.work else { return None };
        streaming.then.take()
    }

    /// Whoever was there is gone, or never came: the call goes to what comes after.
    fn stream_failed(&mut self, now: Instant) {
        let Work::Stream(streaming) = std::mem::replace(&mut self.work, Work::Dialling) else {
            return;
        };
        let own = self.briefing.streams.get(&streaming.name);
        let own = own.and_then(|terms| terms.otherwise.clone());
        let is_up = self.leg(self.near).is_some_and(Leg::is_up);
        let left = streaming.otherwise.filter(Dial::has_rounds);
        let left = left.or_else(|| Some(Dial::in_turn(vec![own?])));
        let Some(mut left) = left.filter(|_| self.hops <= MOST_STREAMS) else {
            return self.end(now, Cause::ProviderError);
        };
        if !is_up {
            self.dial = Some(left);
            return self.next_round(now);
        }
        let to = match left.next_round() {
            Some(Round::Go(to)) => Some(to),
            Some(Round::Call(to)) => to.into_iter().next(),
            None => None,
        };
        self.work = Work::Agent;
        self.give_back_to_agent();
        match to.and_then(|to| transfer::way(&to, Refer::Never)) {
            Some(target) => {
                let call = ToolCall::transfer(HOUSE, "");
                self.carry_out(now, call, (target, Escort::default()));
            }
            None => self.end(now, Cause::ProviderError),
        }
    }
}

/// The longest value that a stream is told, in letters.
const LONGEST_VALUE: usize = 500;

/// How often a call goes from one stream to the next.
const MOST_STREAMS: u32 = super::serving::MOST_HOPS;
