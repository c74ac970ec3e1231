//! The postman: has messages written down, brings them by e-mail, and takes old ones away. What is
//! still to be done stands in the notes: a mail server that is down, or a restart, loses nothing.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::sync::{Notify, watch};
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use crate::agent::mailbox::Mailbox;
use crate::agent::masking::redactor::Redactor;
use crate::agent::masking::terms::Terms;
use crate::agent::tools::letter::{self, Letter};
use crate::audio::wav;
use crate::base::destination::Destination;
use crate::base::sealed::Key;
use crate::call::exchange::waiting::Messages;
use crate::engine::clock;
use crate::engine::playbill::Playbill;
use crate::engine::recorder::mend;
use crate::engine::recorder::unseal::unseal;
use crate::engine::sip_shard::{Order, SipHandle};
use crate::engine::voicemail::dictation;
use crate::engine::voicemail::note::{Job, Note, State};
use crate::engine::voicemail::shelf::Shelf;
use crate::providers::tools::email::{Enclosure, Undelivered};

/// The postman at work.
#[derive(Debug)]
pub struct Postman {
    shelf: Shelf,
    /// With what sounds are sealed, if they are.
    key: Option<Key>,
    /// What calls are given now, and so what messages are.
    playbill: watch::Receiver<Arc<Playbill>>,
    bell: Arc<Notify>,
    /// Phones are told by it what waits for them.
    sip: SipHandle,
    /// When we began, since the Unix epoch: what stands open from before is written by nobody.
    began: Duration,
}

/// Where messages are put, and how the postman is called.
#[derive(Debug, Clone)]
pub struct Postbox {
    /// The messages.
    pub shelf: Shelf,
    bell: Arc<Notify>,
}

impl Postbox {
    /// There is something to be done.
    pub fn ring(&self) {
        self.bell.notify_one();
    }
}

impl Postman {
    /// Makes a postman for the messages of a shelf.
    pub fn new(
        shelf: Shelf,
        key: Option<Key>,
        (playbill, sip): (watch::Receiver<Arc<Playbill>>, SipHandle),
    ) -> (Self, Postbox) {
        let bell = Arc::new(Notify::new());
        let postbox = Postbox { shelf: shelf.clone(), bell: bell.clone() };
        (Self { shelf, key, playbill, bell, sip, began: clock::since_epoch() }, postbox)
    }

    /// Works until `stop`; what is under way then is finished, if that does not take long.
    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            self.playbill.mark_unchanged();
            let wait = {
                let round = self.round();
                tokio::pin!(round);
                tokio::select! {
                    wait = &mut round => wait,
                    () = stop.cancelled() => {
                        tokio::time::timeout(LAST_ROUND, round).await.ok();
                        return;
                    }
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.bell.notified() => {}
                // Whoever gives it goes when the server stops.
                Ok(()) = self.playbill.changed() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Does what is due with all messages; tells when to look again.
    async fn round(&self) -> Duration {
        let shelf = self.shelf.clone();
        let notes = spawn_blocking(move || shelf.notes(None)).await.unwrap_or_default();
        let playbill = self.playbill.borrow().clone();
        self.tell_phones(&playbill, &notes).await;
        let attended = futures_util::stream::iter(notes)
            .map(|note| self.attend(&playbill, note))
            .buffer_unordered(AT_ONCE);
        let due: Vec<Option<Duration>> = attended.collect().await;
        let now = clock::since_epoch();
        let next = due.into_iter().flatten().min().map(|due| due.saturating_sub(now));
        next.unwrap_or(LOOK_AGAIN).clamp(SOONEST, LOOK_AGAIN)
    }

    /// Tells phones how many messages stand in each voicemail.
    async fn tell_phones(&self, playbill: &Playbill, notes: &[Note]) {
        for mailbox in playbill.briefing.letterboxes.keys() {
            let there = notes.iter();
            let there = there.filter(|it| it.mailbox == *mailbox && it.state != State::Open);
            let read = there.clone().filter(|note| note.read).count();
            let count = Messages { unread: there.count() - read, read };
            self.sip.order(Order::Waiting(mailbox.clone(), count)).await;
        }
    }

    /// Does what is due with one message; tells when there is more to be done.
    async fn attend(&self, playbill: &Playbill, note: Note) -> Option<Duration> {
        let terms = playbill.briefing.letterboxes.get(&note.mailbox).map(|it| &it.terms);
        let mut note = self.adopted(note).await?;
        if self.is_too_old(&note, terms) {
            tracing::info!(mailbox = note.mailbox, "a message was kept long enough and is deleted");
            self.changes(move |shelf| shelf.delete(&note).map(|()| None)).await;
            return None;
        }
        let now = clock::since_epoch();
        if note.transcription.due().is_some_and(|due| due <= now) {
            note = self.write_down(playbill, note).await?;
        }
        // Who reads the mail reads what was said, if that comes to anything.
        if !note.transcription.is_pending() && note.mail.due().is_some_and(|due| due <= now) {
            note = self.send(playbill, terms, note).await?;
        }
        let mail = note.mail.due().filter(|_| !note.transcription.is_pending());
        note.transcription.due().or(mail)
    }

    /// A message that is over; one that was being left when the server was killed is taken up.
    async fn adopted(&self, note: Note) -> Option<Note> {
        if note.state != State::Open {
            return Some(note);
        }
        if Duration::from_secs(note.since_epoch + 1) >= self.began {
            return None;
        }
        let key = self.key.clone();
        self.changes(move |shelf| {
            let mended = mend::one(&shelf.sound(&note), (note.is_sealed(), true), key.as_ref());
            let lasts = match mended {
                Ok(lasts) if !lasts.is_zero() || note.is_sealed() => lasts,
                // Nothing of it came so far.
                Ok(_) | Err(_) => return shelf.delete(&note).map(|()| None),
            };
            tracing::warn!(mailbox = note.mailbox, "a message was interrupted; it is mended");
            shelf.change(&note, |note| note.end(State::Interrupted, lasts))
        })
        .await
    }

    fn is_too_old(&self, note: &Note, terms: Option<&Mailbox>) -> bool {
        let Some(keep) = terms.and_then(|terms| terms.retention) else { return false };
        Duration::from_secs(note.since_epoch) + keep < clock::since_epoch()
    }

    /// Has a message written down by the first who can.
    async fn write_down(&self, playbill: &Playbill, note: Note) -> Option<Note> {
        let post = Destination::Voicemail(note.mailbox.clone()).to_string();
        let crew = playbill.crews.get(&post);
        let transcribers = crew.and_then(|crew| crew.transcribers.as_ref());
        let mut why = "nobody is there to write it down".to_owned();
        if let Some((lineup, context)) = transcribers {
            let sound = self.sound(&note).await;
            let sound = sound.and_then(|octets| wav::read(&octets).map_err(|why| why.to_string()));
            for member in lineup.iter() {
                let written = match &sound {
                    Ok(sound) => dictation::write_down(&*member.who, context, &sound.samples).await,
                    Err(why) => Err(why.clone()),
                };
                match written {
                    Ok(text) => {
                        let text = covered(playbill, &note, &text);
                        let done = move |note: &mut Note| {
                            note.transcript = Some(text);
                            note.transcription = Job::Done;
                        };
                        return self.changes(move |shelf| shelf.change(&note, done)).await;
                    }
                    Err(trouble) => why = trouble,
                }
            }
        }
        tracing::warn!(mailbox = note.mailbox, why, "a message could not be written down");
        let now = clock::since_epoch();
        self.changes(move |shelf| {
            shelf.change(&note, |note| note.transcription.failed(now, why, soon))
        })
        .await
    }

    /// Sends a message to whom it is to go.
    async fn send(&self, playbill: &Playbill, terms: Option<&Mailbox>, note: Note) -> Option<Note> {
        let to = terms.and_then(|terms| terms.email.as_deref());
        let sent = match (to, &playbill.relay) {
            (Some(to), Some(relay)) => match self.sound(&note).await {
                Ok(octets) => {
                    let (letter, enclosure) = written(&note, to, octets);
                    relay.deliver(&letter, enclosure, (&note.id, clock::since_epoch())).await
                }
                Err(why) => Err(Undelivered::Refused(why)),
            },
            // Who wrote the dialplan may think better of it.
            _ => Err(Undelivered::Later("nobody is named who would get it".to_owned())),
        };
        let now = clock::since_epoch();
        let outcome = match sent {
            Ok(()) => {
                tracing::info!(mailbox = note.mailbox, "a message was sent by e-mail");
                None
            }
            Err(why) => {
                tracing::warn!(mailbox = note.mailbox, %why, "a message could not be sent yet");
                Some(why)
            }
        };
        self.changes(move |shelf| {
            shelf.change(&note, |note| match outcome {
                None => note.mail = Job::Done,
                Some(Undelivered::Later(why)) => note.mail.failed(now, why, ever_later),
                Some(Undelivered::Refused(why)) => note.mail.failed(now, why, a_few_times),
            })
        })
        .await
    }

    /// The sound of a message as a WAV file.
    async fn sound(&self, note: &Note) -> Result<Vec<u8>, String> {
        let (path, key, is_sealed) = (self.shelf.sound(note), self.key.clone(), note.is_sealed());
        let read = spawn_blocking(move || match (is_sealed, key) {
            (false, _) => std::fs::read(&path).map_err(|why| why.to_string()),
            (true, None) => Err("it is sealed, and the key is not there".to_owned()),
            (true, Some(key)) => {
                let source = File::open(&path).map_err(|why| why.to_string())?;
                let mut octets = Vec::new();
                unseal(source, &mut octets, &key).map_err(|why| why.to_string())?;
                if let Some((head, sound)) = octets.split_first_chunk_mut() {
                    wav::complete(head, u32::try_from(sound.len()).unwrap_or(wav::ENDLESS));
                }
                Ok(octets)
            }
        });
        read.await.unwrap_or_else(|_| Err("it could not be read; this is a bug".to_owned()))
    }

    /// Works on the shelf, beside the calls; nothing when the message is gone.
    async fn changes(
        &self,
        change: impl FnOnce(&Shelf) -> io::Result<Option<Note>> + Send + 'static,
    ) -> Option<Note> {
        let shelf = self.shelf.clone();
        match spawn_blocking(move || change(&shelf)).await {
            Ok(Ok(note)) => note,
            Ok(Err(why)) => {
                tracing::error!(%why, "the note of a message could not be changed");
                None
            }
            Err(_) => None,
        }
    }
}

/// What was said as it may be kept: as the server, the tenant and the agent of the call want it.
fn covered(playbill: &Playbill, note: &Note, text: &str) -> String {
    let briefing = &playbill.briefing;
    let post = Destination::Voicemail(note.mailbox.clone()).to_string();
    let assistant = briefing.agents.get(&post).map(|casting| &casting.assistant);
    let own = assistant.map(|assistant| assistant.mask.iter().copied().collect());
    let masks = briefing.privacy.of(&note.tenant).and(own.unwrap_or_default());
    let country = briefing.numbering.country;
    let terms = assistant.map(|assistant| {
        Terms::new(&assistant.spoken_language(), assistant.country.unwrap_or(country))
    });
    Redactor::new(masks, terms.unwrap_or_default()).text(text)
}

/// The mail of a message, and its sound unless that is too large for a mail.
fn written(note: &Note, to: &str, octets: Vec<u8>) -> (Letter, Option<Enclosure>) {
    let caller = note.caller();
    let subject = format!("Voicemail from {caller}, {}", note.length());
    let mut text = format!(
        "{caller} left a message at {}.\nLength: {}\nVoicemail: {}\nMessage: {}\n",
        note.at,
        note.length(),
        note.mailbox,
        note.id
    );
    match (&note.transcript, &note.transcription) {
        (Some(said), _) if said.is_empty() => text.push_str("\nNothing was understood.\n"),
        (Some(said), _) => text.push_str(&format!("\n{said}\n")),
        (None, Job::Failed { .. }) => text.push_str("\nIt could not be written down.\n"),
        (None, Job::None | Job::Pending { .. } | Job::Done) => {}
    }
    let fits = octets.len() <= LARGEST_ENCLOSURE;
    if !fits {
        text.push_str("\nThe recording is too large for a mail: it is kept on the server.\n");
    }
    let name = format!("voicemail-{}.wav", note.id);
    let enclosure = fits.then_some(Enclosure { name, octets });
    let to = letter::addresses(to).map(str::to_owned).collect();
    (Letter::plain(to, &subject, &text), enclosure)
}

/// Whoever writes down is asked again a few times.
fn soon(tries: u32) -> Option<Duration> {
    [2, 15, 60].get(tries as usize - 1).map(|seconds| Duration::from_secs(*seconds))
}

/// A mail server that is away is asked ever more seldom, and always again.
fn ever_later(tries: u32) -> Option<Duration> {
    Some(Duration::from_secs(1 << tries.min(11)).min(LONGEST))
}

/// One that refuses may have been told wrong things of us: it is asked a few times.
fn a_few_times(tries: u32) -> Option<Duration> {
    (tries <= MOST_REFUSALS).then_some(LONGEST)
}

/// The longest time between two tries.
const LONGEST: Duration = Duration::from_secs(1_800);

/// How often a mail server may refuse a mail.
const MOST_REFUSALS: u32 = 10;

/// How many messages are worked on at once.
const AT_ONCE: usize = 4;

/// It is not looked more often, and at least so often.
const SOONEST: Duration = Duration::from_secs(1);
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// What is under way when the server stops may take so long.
const LAST_ROUND: Duration = Duration::from_secs(3);

/// What mail servers take, with what base64 adds: 20 MB.
const LARGEST_ENCLOSURE: usize = 15 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::CallId;
    use crate::base::random::Random;
    use crate::call::event::Word;

    fn note(name: &str) -> Note {
        let at = Duration::from_secs(1_795_262_400);
        let call = CallId::new(at, &mut Random::repeatable(1));
        let word = Word {
            mailbox: "office".to_owned(),
            from: "+4971112345".to_owned(),
            name: Some(name.to_owned()),
            at,
        };
        let mut note = Note::begin(call, word, false, (Job::Done, Job::wanted(true)));
        note.end(State::Complete, Duration::from_secs(12));
        note
    }

    #[test]
    fn a_mail_says_who_and_what_and_no_name_adds_to_its_head() {
        let mut note = note("Eve\r\nBcc: all@b.test\r\n\r\nx");
        note.transcript = Some("Please call me back.".to_owned());
        let (letter, enclosure) = written(&note, "a@b.test, c@d.test", vec![1, 2]);
        assert_eq!(letter.to, ["a@b.test", "c@d.test"]);
        assert_eq!(letter.subject, "Voicemail from Eve Bcc: all@b.test x (+4971112345), 0:12");
        assert!(letter.text.contains("\n\nPlease call me back."), "{}", letter.text);
        let enclosure = enclosure.expect("it fits");
        assert_eq!(enclosure.name, format!("voicemail-{}.wav", note.id));
        assert_eq!(enclosure.octets, [1, 2]);
    }

    #[test]
    fn what_is_too_large_stays_here_and_what_was_not_written_down_is_told() {
        let mut note = note("");
        note.transcription = Job::Failed { why: "no".to_owned() };
        let (letter, enclosure) = written(&note, "a@b.test", vec![0; LARGEST_ENCLOSURE + 1]);
        assert!(enclosure.is_none());
        assert!(letter.text.contains("could not be written down"), "{}", letter.text);
        assert!(letter.text.contains("too large for a mail"), "{}", letter.text);
        assert!(letter.subject.starts_with("Voicemail from +4971112345,"), "{}", letter.subject);
    }

    #[test]
    fn waits_grow_and_a_server_that_is_away_is_never_given_up() {
        let waits: Vec<u64> = (1..14).filter_map(ever_later).map(|wait| wait.as_secs()).collect();
        assert_eq!(waits[..4], [2, 4, 8, 16]);
        assert!(waits.is_sorted() && waits.last() == Some(&1_800), "{waits:?}");
        assert_eq!((soon(3), soon(4)), (Some(Duration::from_secs(60)), None));
        assert_eq!((a_few_times(10), a_few_times(11)), (Some(LONGEST), None));
    }
}
