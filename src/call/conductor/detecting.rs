//! Who answered a call of ours is found out before anything else begins: a person has the agent,
//! a machine has a message left, or nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Conductor, Work};
use crate::agent::assistant::Assistant;
use crate::agent::event::{Input, Output as Mind, PauseId, Transcript};
use crate::agent::session::Opening;
use crate::agent::tool::{ToolCall, names};
use crate::base::id::PortId;
use crate::call::amd::{Action, Amd, Happening, Verdict};
use crate::call::briefing::Casting;
use crate::call::cause::Cause;
use crate::call::event::Output;
use crate::call::origination::Detect;
use crate::dialplan::amd::OnMachine;
use crate::media::event::Command;

/// Who answers is found out.
#[derive(Debug)]
pub(super) struct Detection {
    wanted: Detect,
    /// Nobody has answered before it is there.
    amd: Option<Amd>,
    stage: Stage,
    /// Whether the words are being written down for us.
    listens: bool,
    /// How often they were asked for.
    pauses: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing has begun before it is known who answered.
    Deciding,
    /// What the call is about has begun.
    Begun,
    /// A machine reads its greeting, and is waited for.
    Waiting,
    /// A message is left; a sound is over then.
    Leaving(Option<Instant>),
}

impl Detection {
    pub(super) fn new(wanted: Detect) -> Self {
        Self { wanted, amd: None, stage: Stage::Deciding, listens: false, pauses: 0 }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let over = match self.stage {
            Stage::Leaving(until) => until,
            Stage::Deciding | Stage::Begun | Stage::Waiting => None,
        };
        [over, self.amd.as_ref().and_then(Amd::deadline)].into_iter().flatten().min()
    }

    /// What the ear is to do: the text at each pause is that of all since the first word.
    fn ear_order(&mut self, happening: &Happening) -> Option<Mind> {
        match happening {
            Happening::SpeechStarted => {
                let listens = std::mem::replace(&mut self.listens, true);
                (!listens).then_some(Mind::Listen)
            }
            Happening::SpeechEnded { .. } => {
                self.pauses += 1;
                Some(Mind::Finalize(PauseId(u64::MAX - self.pauses)))
            }
            Happening::Beep | Happening::Words(_) | Happening::Text(_) | Happening::Asked => None,
        }
    }

    /// Whether nobody else is to hear what is said at the other end.
    fn hears_alone(&self) -> bool {
        self.stage != Stage::Begun
    }
}

impl Conductor {
    /// Whom we called has answered: true if it is to be found out first who that is.
    pub(super) fn detects(&mut self, now: Instant) -> bool {
        let Some(detection) = &mut self.detection else { return false };
        let terms = detection.wanted.terms.clone();
        // What asks who calls, and an office, sound like a machine at first.
        let wait = if terms.message.is_some() { terms.wait } else { HANG_UP_AFTER };
        detection.amd = Some(Amd::new(terms, wait, now));
        self.work = Work::Agent;
        self.give_back_to_agent();
        self.media(Command::HearBeeps);
        true
    }

    /// Takes what the port of the near side says; true if it is for nobody else.
    pub(super) fn is_detected(&mut self, now: Instant, port: PortId, input: &Input) -> bool {
        if !self.is_near(port) {
            return false;
        }
        let Some(detection) = self.detection.as_mut().filter(|it| it.amd.is_some()) else {
            return false;
        };
        let alone = detection.hears_alone();
        let happening = match input {
            Input::SpeechStarted => Happening::SpeechStarted,
            Input::SpeechEnded { last_voiced } => {
                Happening::SpeechEnded { last_voiced: *last_voiced }
            }
            Input::SpeechFaded | Input::SpeechReturned => return alone,
            _ => return false,
        };
        if alone && !matches!(detection.stage, Stage::Leaving(_)) {
            // Nobody sits at the desk who would have the words written down.
            let order = detection.ear_order(&happening);
            let is_asked = matches!(order, Some(Mind::Finalize(_)));
            self.out.extend(order.map(Output::Mind));
            self.detect(now, happening);
            if is_asked && self.desk.casting().is_some() {
                self.detect(now, Happening::Asked);
            }
            return alone;
        }
        self.detect(now, happening);
        alone
    }

    /// A tone was heard.
    pub(super) fn beeped(&mut self, now: Instant, port: PortId) {
        if self.is_near(port) {
            self.detect(now, Happening::Beep);
        }
    }

    /// Takes the words of whoever answered; true if they are for nobody else.
    pub(super) fn words_detected(&mut self, now: Instant, input: &Input) -> bool {
        let Some(detection) = &self.detection else { return false };
        let (alone, Input::Transcript { transcript, .. }) = (detection.hears_alone(), input) else {
            return false;
        };
        let happening = match transcript {
            Transcript::Partial { text } | Transcript::Judged { text, .. } => {
                Happening::Words(text.clone())
            }
            Transcript::Final { text, .. } => Happening::Text(text.clone()),
            Transcript::Failed => Happening::Text(String::new()),
        };
        self.detect(now, happening);
        alone
    }

    fn detect(&mut self, now: Instant, happening: Happening) {
        if self.is_consulting() {
            // Somebody else is the near side meanwhile.
            return;
        }
        if let Some(amd) = self.detection.as_mut().and_then(|it| it.amd.as_mut()) {
            amd.handle(now, happening);
        }
    }

    pub(super) fn detection_ticks(&mut self, now: Instant) {
        let Some(detection) = &mut self.detection else { return };
        if let Some(amd) = &mut detection.amd {
            amd.tick(now);
        }
        if let Stage::Leaving(Some(until)) = detection.stage
            && until <= now
        {
            self.media(Command::NoMusic);
            self.end(now, Cause::Voicemail);
        }
    }

    pub(super) fn drain_detection(&mut self, now: Instant) {
        while !matches!(self.work, Work::Ending(_) | Work::Over)
            && let Some(action) =
                self.detection.as_mut().and_then(|it| it.amd.as_mut()).and_then(Amd::poll)
        {
            match action {
                Action::Verdict { verdict, after } => self.judged(now, verdict, after),
                Action::Ready => self.machine_is_ready(now),
            }
        }
    }

    /// It is known who answered, or known better.
    fn judged(&mut self, now: Instant, verdict: Verdict, after: Duration) {
        let fact = self.chronicle.answerer(verdict, after);
        self.out.push_back(Output::Fact(fact));
        self.route_sets.insert(VARIABLE.to_owned(), verdict.name().to_owned());
        let is_alone = self.far.is_none() && !self.is_consulting();
        let Some(detection) = &mut self.detection else { return };
        let (stage, terms) = (detection.stage, &detection.wanted.terms);
        let goes_on = verdict != Verdict::Machine
            || (terms.machine == OnMachine::Continue && terms.message.is_none());
        match (goes_on, stage) {
            (true, Stage::Deciding | Stage::Waiting) => {
                (detection.stage, detection.listens) = (Stage::Begun, false);
                let screening = terms.screening.clone().filter(|_| verdict == Verdict::Screening);
                self.out.push_back(Output::Mind(Mind::Forget));
                if let Some(text) = screening {
                    self.introduce(&text);
                }
                self.reach_target(now);
            }
            (false, Stage::Deciding) => detection.stage = Stage::Waiting,
            (false, Stage::Begun) if is_alone => {
                detection.stage = Stage::Waiting;
                self.end_flow();
                self.desk.leave(now);
                self.silence_agent();
            }
            // Somebody else talks there already, or a message is being left.
            (true, Stage::Begun | Stage::Leaving(_))
            | (false, Stage::Begun | Stage::Waiting | Stage::Leaving(_)) => {}
        }
    }

    /// A machine takes a message from now on, or has been heard for long enough.
    fn machine_is_ready(&mut self, now: Instant) {
        let Some(detection) = &mut self.detection else { return };
        if detection.stage != Stage::Waiting {
            return;
        }
        let (sound, words) = (detection.wanted.sound.clone(), detection.wanted.terms.words());
        let words = words.map(ToOwned::to_owned);
        detection.stage = Stage::Leaving(sound.as_ref().map(|sound| now + sound.lasts()));
        match (sound, words) {
            (Some(sound), _) => self.media(Command::Music(sound)),
            (None, Some(words)) if self.desk.casting().is_some() => {
                let line = self.rendered(&words);
                let said = names::SAID.to_owned();
                let then = ToolCall { id: said.clone(), name: said, arguments: "{}".to_owned() };
                let (first_message, then) = (Some(line), Some(then));
                let today = self.chronicle.today();
                self.desk.begin(now, Opening { first_message, then, today, ..Opening::default() });
            }
            (None, _) => return self.end(now, Cause::Voicemail),
        }
        self.chronicle.message_dropped();
    }

    /// Takes the word that the message was said.
    pub(super) fn is_of_detection(&mut self, now: Instant, call: &ToolCall) -> bool {
        let stage = self.detection.as_ref().map(|it| it.stage);
        let leaves = matches!(stage, Some(Stage::Leaving(_))) && call.name == names::SAID;
        if leaves {
            self.end(now, Cause::Voicemail);
        }
        leaves
    }

    /// The agent says this first, to whoever asks who calls.
    fn introduce(&mut self, text: &str) {
        let line = self.rendered(text);
        let Some(post) = self.desk.casting().cloned() else { return };
        let assistant = Assistant { first_message: Some(line), ..(*post.assistant).clone() };
        let casting = Arc::new(Casting { assistant: Arc::new(assistant), ..(*post).clone() });
        self.desk.reseat(casting);
    }
}

/// What templates call it.
const VARIABLE: &str = "amd";

/// So long what sounds like a machine is heard before it is hung up.
const HANG_UP_AFTER: Duration = Duration::from_secs(5);
