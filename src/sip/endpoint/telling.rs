//! INFO and MESSAGE within a session, both ways (RFC 6086, RFC 3428).

use std::time::Instant;

use super::{Endpoint, Use};
use crate::sip::dialog::arrival::Arrival;
use crate::sip::dialog::invite::{Phase, Session};
use crate::sip::event::{Ending, Event, Note, NoteKind};
use crate::sip::header::Name;
use crate::sip::method::Method;

impl Endpoint {
    /// Says something within a session. Before there is a dialog there is nobody to hear it.
    pub(super) fn tell(
        &mut self,
        session: &mut Session,
        note: &Note,
        now: Instant,
    ) -> Option<Ending> {
        let is_waiting = matches!(&session.phase, Phase::Up(up) if !up.is_confirmed);
        let Some((dialog, _)) = session.talk(None).filter(|_| !is_waiting) else {
            self.drop_input();
            return None;
        };
        let method = match note.kind {
            NoteKind::Info => Method::Info,
            NoteKind::Message => Method::Message,
        };
        let (request, key) = self.request_inside(dialog, &method);
        let bytes = request.finish_with(&note.content_type, &note.body);
        self.open_inside(dialog, (key, bytes), Use::Told, now);
        None
    }

    /// Takes an INFO.
    pub(super) fn informed(&mut self, session: &Session, request: &Arrival, now: Instant) {
        self.object(request, 200, now);
        let (body, content_type) = (request.body(), content_type(request));
        if !body.is_empty() {
            self.report(Event::Info { session: session.id, content_type, body });
        }
    }

    /// Takes a MESSAGE: text is read, and nothing else.
    pub(super) fn written_to(&mut self, session: &Session, request: &Arrival, now: Instant) {
        let (body, content_type) = (request.body(), content_type(request));
        if !is_readable(request) {
            return self.object_with(request, 415, &accepted(), now);
        }
        self.object(request, 200, now);
        if !body.is_empty() {
            self.report(Event::Written { session: session.id, content_type, body });
        }
    }
}

/// Whether a MESSAGE is text, or nothing at all.
pub(super) fn is_readable(request: &Arrival) -> bool {
    let is_text = |kind: &str| kind.eq_ignore_ascii_case("text/");
    request.body().is_empty() || content_type(request).get(..5).is_some_and(is_text)
}

/// What a MESSAGE may be.
pub(super) fn accepted() -> [(&'static str, String); 1] {
    [("Accept", "text/plain".to_owned())]
}

fn content_type(request: &Arrival) -> String {
    request.text(Name::ContentType).unwrap_or_default()
}
