//! What the signalling and the ports of the legs say, and to whom it matters.

use std::time::Instant;

use bytes::Bytes;

use super::{Conductor, Work};
use crate::agent;
use crate::agent::event::Progress;
use crate::agent::introduction::Answer;
use crate::base::id::PortId;
use crate::base::master_key::Suite;
use crate::call::cause::Cause;
use crate::call::dial::Dial;
use crate::call::drill::Happening;
use crate::call::event::Output;
use crate::call::keys;
use crate::call::leg::{Leg, State};
use crate::call::voicemail;
use crate::media;
use crate::media::event::Digit;
use crate::sip::event::{Command, Event, Note, NoteKind, SessionId};

impl Conductor {
    pub(super) fn signalled(&mut self, now: Instant, event: Event) {
        match event {
            Event::Confirmed { session, body } => self.confirmed(now, session, &body),
            Event::Reoffered { session, body } => self.reoffered(now, session, &body),
            Event::Progressed { session, body, from, .. } => {
                self.with(session, |leg, _| leg.heard_from(from));
                self.progressed(now, session, &body);
            }
            Event::Answered { session, body, headers, from } => {
                self.with(session, |leg, _| leg.heard_from(from));
                self.answered(now, session, (&body, &headers));
            }
            Event::Referred { session, status } if session == self.near => {
                self.refer_moved(now, status);
            }
            Event::ReferReceived { session, target, replaces, referred_by } => {
                let headers = [("Replaces", replaces), ("Referred-By", referred_by)];
                let headers =
                    headers.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
                self.asked_to_refer(now, (session, &target), headers.collect());
            }
            Event::Ended { session, ending } => self.leg_ended(now, session, &ending),
            Event::Info { session, content_type, body } => {
                if let Some(digit) = keys::read(&content_type, &body) {
                    self.signalled_key(now, session, digit);
                }
            }
            Event::Redirected { session, targets } => self.redirected(now, session, &targets),
            Event::Written { session, content_type, body } => {
                self.written(now, session, Note { kind: NoteKind::Message, content_type, body });
            }
            Event::OfferAnswered { session, outcome: Ok(body) } => {
                self.offer_answered(now, session, &body);
            }
            // An order of ours that nobody waits for, and what is said outside of calls.
            Event::OfferAnswered { outcome: Err(_), .. }
            | Event::Referred { .. }
            | Event::Incoming(_)
            | Event::Texted(_)
            | Event::Told { .. } => {}
        }
    }

    /// A key came by the signalling. The port knows whether it was heard on the line already.
    fn signalled_key(&mut self, now: Instant, session: SessionId, digit: Digit) {
        if self.leg(session).is_some_and(Leg::has_port) {
            let signalled = media::event::Command::Signalled(digit);
            self.with(session, |leg, out| leg.media(signalled, out));
        } else {
            self.pressed(now, session, digit);
        }
    }

    /// A text of somebody on the line goes to whom he talks with. An agent takes it for said.
    fn written(&mut self, now: Instant, session: SessionId, note: Note) {
        match (&self.work, self.across(session)) {
            (Work::Bridged, Some(other)) => {
                self.sip(Command::Tell { session: other, note: Box::new(note) });
            }
            (Work::Agent | Work::Consulting(_), _) if session == self.near => {
                let text = String::from_utf8_lossy(&note.body).into_owned();
                self.desk.tell(now, agent::event::Input::Wrote(text));
            }
            _ => {}
        }
    }

    /// The other side of a bridge.
    pub(super) fn across(&self, session: SessionId) -> Option<SessionId> {
        match (session == self.near, self.far) {
            (true, Some(far)) => Some(far),
            (false, Some(far)) if far == session => Some(self.near),
            (true, None) | (false, _) => None,
        }
    }

    /// A key of which only the signalling told: for whoever would hear it on the line.
    fn pressed(&mut self, now: Instant, session: SessionId, digit: Digit) {
        let other = self.across(session);
        match (&mut self.work, other) {
            (Work::Drill(drill), _) if session == self.near => {
                drill.handle(now, Happening::Key(digit));
            }
            (Work::Voicemail(leaving), _) if session == self.near => {
                leaving.voicemail.handle(now, voicemail::Happening::Key(digit));
            }
            (Work::Bridged, Some(other)) => {
                let dial = media::event::Command::Dial(vec![digit]);
                self.with(other, |leg, out| leg.media(dial, out));
            }
            (Work::Consulting(_), _) if session == self.near => {
                self.desk.tell(now, agent::event::Input::Digit(digit.key()));
            }
            (Work::Agent, _) if session == self.near => {
                if self.agrees_by(now, session, digit) {
                    return;
                }
                self.desk.tell(now, agent::event::Input::Digit(digit.key()));
            }
            (Work::Queued, _) if session == self.near => self.pressed_in_line(now, digit),
            (Work::Stream(_), _) if session == self.near => {
                self.is_for_stream(digit);
            }
            _ => {}
        }
    }

    /// A caller who made no offer has answered ours before we answer the call: what is to be heard
    /// until then is heard from now on.
    fn offer_answered(&mut self, now: Instant, session: SessionId, body: &Bytes) {
        if body.is_empty() {
            return;
        }
        match self.with(session, |leg, out| leg.confirm(body, out)) {
            Some(Ok(Some(agreement))) => {
                self.agreed(session, Some(agreement));
                self.rewire();
                self.check_hold(now, session);
                let early = self.dial.as_ref().and_then(Dial::early);
                match (&mut self.work, early) {
                    (Work::Drill(drill), _) => drill.handle(now, Happening::Early),
                    (Work::Dialling, Some(early)) => self.connect(early),
                    _ => {}
                }
            }
            Some(Err(_)) => self.end(now, Cause::IncompatibleMedia),
            Some(Ok(None)) | None => {}
        }
    }

    fn confirmed(&mut self, now: Instant, session: SessionId, body: &Bytes) {
        match self.with(session, |leg, out| leg.confirm(body, out)) {
            Some(Ok(agreement)) => {
                let opened = agreement.is_some();
                self.agreed(session, agreement);
                if opened {
                    self.rewire();
                    self.check_hold(now, session);
                }
                self.came_up(now, session);
            }
            Some(Err(_)) => self.end(now, Cause::IncompatibleMedia),
            None => {}
        }
    }

    /// The caller is there, once: at the ACK, or at the first packet when that comes before it.
    fn came_up(&mut self, now: Instant, session: SessionId) {
        let Some(leg) = self.leg_mut(session) else { return };
        if leg.state() != State::Answering {
            return;
        }
        leg.come_up();
        if session != self.incoming.session {
            // Who took another's place finds the call at work.
            return;
        }
        let fact = self.chronicle.answered(now);
        self.out.push_back(Output::Fact(fact));
        self.fork(now);
        self.begin(now);
    }

    /// The near side is there: what the call is about begins.
    pub(super) fn begin(&mut self, now: Instant) {
        match &mut self.work {
            Work::Agent => {
                if self.is_asking_consent() || !self.flow_begins(now) {
                    self.open_desk(now, None);
                }
                self.tell_of_hold(now);
            }
            Work::Drill(drill) => drill.handle(now, Happening::Up),
            Work::Queued => self.wait_in_line(now),
            Work::Stream(_) => self.begin_stream(),
            Work::Voicemail(leaving) => leaving.voicemail.handle(now, voicemail::Happening::Up),
            Work::Dialling
            | Work::Referring(_)
            | Work::Transferring
            | Work::Consulting(_)
            | Work::Bridged
            | Work::Conference(_)
            | Work::Ending(_)
            | Work::Over => {}
        }
    }

    pub(super) fn media_moved(&mut self, now: Instant, port: PortId, event: media::event::Event) {
        use media::event::Event as Media;
        let session = SessionId(port.0);
        let input = match event {
            Media::Heard { .. } => return self.came_up(now, session),
            Media::SpeechStarted { .. } => agent::event::Input::SpeechStarted,
            Media::SpeechFaded => agent::event::Input::SpeechFaded,
            Media::SpeechReturned => agent::event::Input::SpeechReturned,
            Media::SpeechEnded { last_voiced } => agent::event::Input::SpeechEnded { last_voiced },
            Media::Digit(digit) => {
                if let Work::Drill(drill) = &mut self.work {
                    return drill.handle(now, Happening::Key(digit));
                }
                if self.agrees_by(now, session, digit) {
                    return;
                }
                if self.is_near(port) && self.is_for_stream(digit) {
                    return;
                }
                if matches!(self.work, Work::Queued) && self.is_near(port) {
                    return self.pressed_in_line(now, digit);
                }
                if session == self.near {
                    self.tell_voicemail(now, voicemail::Happening::Key(digit));
                }
                agent::event::Input::Digit(digit.key())
            }
            Media::Beep { .. } => return self.beeped(now, port),
            Media::Signalled(digit) => return self.pressed(now, session, digit),
            Media::Started { utterance, at } => {
                agent::event::Input::Spoken { utterance, progress: Progress::Started { at } }
            }
            Media::Finished { utterance, at } => {
                if self.is_near(port) && self.is_of_stream(utterance) {
                    return;
                }
                agent::event::Input::Spoken { utterance, progress: Progress::Finished { at } }
            }
            Media::Flushed { heard, .. } => {
                let heard =
                    heard.iter().map(|played| (played.utterance, played.heard, played.total));
                agent::event::Input::Flushed { heard: heard.collect() }
            }
            Media::Silent { .. } => return self.fell_silent(now, session),
            Media::Secured(suite) => return self.was_secured(session, suite),
            Media::Unproven(_) => return self.was_unproven(now, session),
            Media::Condition(quality) => return self.note_quality(session, quality),
            Media::Quality(quality) => {
                self.note_quality(session, quality);
                self.with(session, |leg, _| leg.port_closed());
                return self.check_over(now);
            }
        };
        if self.is_detected(now, port, &input) || self.is_for_voicemail(now, port, &input) {
            return;
        }
        // What was cut may have been heard at the port of somebody who left.
        let was_cut = matches!(input, agent::event::Input::Flushed { .. });
        if self.is_near(port) || was_cut && self.why_not_taken(session).is_none() {
            self.desk.tell(now, input);
        }
    }

    fn note_quality(&mut self, session: SessionId, quality: media::event::Quality) {
        self.chronicle.quality(self.place_of(session), quality);
    }

    /// A browser has proven who it is, and keys are there.
    fn was_secured(&mut self, session: SessionId, suite: Suite) {
        self.chronicle.secured(self.place_of(session), suite);
    }

    /// A browser did not prove to be the one of its session description: nothing of it is heard.
    fn was_unproven(&mut self, now: Instant, session: SessionId) {
        if session == self.near || Some(session) == self.far {
            self.end(now, Cause::MediaUnproven);
        }
    }

    /// A peer sends nothing any more. One that still rings need not; and whoever listens to
    /// somebody silent is not silent itself.
    fn fell_silent(&mut self, now: Instant, session: SessionId) {
        let matters = session == self.near || Some(session) == self.far;
        if self.is_consulting() && session == self.near {
            return self.consulted(now, Answer::Unclear);
        }
        if matters && self.leg(session).is_some_and(|leg| leg.is_up()) {
            self.end(now, Cause::MediaTimeout);
        }
    }
}
