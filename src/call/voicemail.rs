//! A caller leaves a message: a greeting, a tone, the caller's words, and a line that says what
//! became of them. It has no clock and no port: the conductor plays, speaks and records.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::agent::mailbox::Line;
use crate::media::event::Digit;

/// A caller at a voicemail.
#[derive(Debug)]
pub struct Voicemail {
    settings: Settings,
    step: Step,
    /// Whether the caller speaks just now.
    speaks: bool,
    due: Option<Instant>,
    out: VecDeque<Action>,
}

/// How a voicemail is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Whether something is said first.
    pub speaks: bool,
    /// How long the sound lasts that is played after that, if there is one.
    pub plays: Option<Duration>,
    /// The longest message.
    pub max_length: Duration,
    /// What is shorter is not kept.
    pub min_length: Duration,
    /// A silence that ends the message.
    pub silence: Duration,
}

/// What happened to the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happening {
    /// The caller is there.
    Up,
    /// Whether there is room for another message.
    Room(bool),
    /// The line was heard.
    Said,
    /// A key was pressed.
    Key(Digit),
    /// The caller began to speak.
    SpeechStarted,
    /// The caller stopped.
    SpeechEnded {
        /// When the last of it came.
        last_voiced: Instant,
    },
    /// The call is over.
    Gone,
}

/// What is to be done with the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Say the greeting: `Happening::Said`.
    Greet,
    /// Play the sound that is the greeting.
    Play,
    /// Say or play nothing more.
    Hush,
    /// Let the tone be heard.
    Beep,
    /// Record what the caller says.
    Record,
    /// Record no more; this came of it.
    Stop(Fate),
    /// Say this: `Happening::Said`.
    Say(Line),
    /// It is over.
    HangUp,
}

/// What came of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is kept; so long was recorded.
    Kept(Duration),
    /// Nothing was said, or too little.
    TooShort,
    /// There was no room for it.
    Full,
}

impl Fate {
    /// As it stands in the record.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kept(_) => "kept",
            Self::TooShort => "too_short",
            Self::Full => "full",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// For the caller, and for word of whether there is room.
    Waiting {
        up: bool,
        room: Option<bool>,
    },
    /// Until the greeting was said.
    Greeting,
    /// Until it was played.
    Playing,
    /// Until the tone is over.
    Beeping,
    /// The caller speaks, or is to.
    Recording {
        since: Instant,
        heard: Option<Instant>,
    },
    /// Until the last line was said.
    Closing,
    Over,
}

impl Voicemail {
    /// Waits for a caller.
    pub fn new(settings: Settings) -> Self {
        let step = Step::Waiting { up: false, room: None };
        Self { settings, step, speaks: false, due: None, out: VecDeque::new() }
    }

    /// Takes what happened.
    pub fn handle(&mut self, now: Instant, happening: Happening) {
        match happening {
            Happening::SpeechStarted => self.speaks = true,
            Happening::SpeechEnded { .. } => self.speaks = false,
            Happening::Up
            | Happening::Room(_)
            | Happening::Said
            | Happening::Key(_)
            | Happening::Gone => {}
        }
        match (self.step, happening) {
            (Step::Waiting { room, .. }, Happening::Up) => self.wait(now, (true, room)),
            (Step::Waiting { up, .. }, Happening::Room(room)) => self.wait(now, (up, Some(room))),
            (Step::Greeting, Happening::Said) => self.greeted(now),
            (Step::Greeting | Step::Playing, Happening::Key(key)) if key.key() == ENDS => {
                self.out.push_back(Action::Hush);
                self.beep(now);
            }
            (Step::Recording { .. }, Happening::Key(key)) if key.key() == ENDS => self.stop(now),
            (Step::Recording { since, heard }, Happening::SpeechStarted) => {
                self.listen(since, heard);
            }
            (Step::Recording { since, .. }, Happening::SpeechEnded { last_voiced }) => {
                self.listen(since, Some(last_voiced.max(since)));
            }
            (Step::Recording { since, heard }, Happening::Gone) => {
                self.step = Step::Over;
                self.due = None;
                self.out.push_back(Action::Stop(self.fate(now, (since, heard))));
            }
            (_, Happening::Gone) => {
                self.step = Step::Over;
                self.due = None;
            }
            (Step::Closing, Happening::Said) => self.hang_up(),
            (_, Happening::Up | Happening::Room(_) | Happening::Said | Happening::Key(_)) => {}
            (_, Happening::SpeechStarted | Happening::SpeechEnded { .. }) => {}
        }
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Instant) {
        if self.due.take_if(|due| *due <= now).is_none() {
            return;
        }
        match self.step {
            // Nobody says it: the message counts more.
            Step::Greeting => {
                self.out.push_back(Action::Hush);
                self.greeted(now);
            }
            Step::Playing => {
                self.out.push_back(Action::Hush);
                self.beep(now);
            }
            Step::Beeping => {
                self.out.push_back(Action::Hush);
                self.out.push_back(Action::Record);
                self.listen(now, None);
            }
            Step::Recording { .. } => self.stop(now),
            Step::Closing => self.hang_up(),
            Step::Waiting { .. } | Step::Over => {}
        }
    }

    /// Gives what is to be done next.
    pub fn poll(&mut self) -> Option<Action> {
        self.out.pop_front()
    }

    /// When `tick` has something to do.
    pub fn deadline(&self) -> Option<Instant> {
        self.due
    }

    fn wait(&mut self, now: Instant, (up, room): (bool, Option<bool>)) {
        self.step = Step::Waiting { up, room };
        match (up, room) {
            (true, Some(true)) if self.settings.speaks => {
                self.step = Step::Greeting;
                self.due = Some(now + LONGEST_GREETING);
                self.out.push_back(Action::Greet);
            }
            (true, Some(true)) => self.greeted(now),
            (true, Some(false)) => {
                self.out.push_back(Action::Stop(Fate::Full));
                self.close(now, Line::Full);
            }
            (false, _) | (_, None) => {}
        }
    }

    /// What was to be said first is said.
    fn greeted(&mut self, now: Instant) {
        let Some(lasts) = self.settings.plays else { return self.beep(now) };
        self.step = Step::Playing;
        self.due = Some(now + lasts);
        self.out.push_back(Action::Play);
    }

    fn beep(&mut self, now: Instant) {
        self.step = Step::Beeping;
        self.due = Some(now + BEEP);
        self.out.push_back(Action::Beep);
    }

    /// Waits for the end of a message that began then and of which this was heard last.
    fn listen(&mut self, since: Instant, heard: Option<Instant>) {
        self.step = Step::Recording { since, heard };
        let longest = since + self.settings.max_length;
        let silent = heard.unwrap_or(since) + self.settings.silence;
        self.due = Some(if self.speaks { longest } else { longest.min(silent) });
    }

    /// The message has ended, and the caller is still there.
    fn stop(&mut self, now: Instant) {
        let Step::Recording { since, heard } = self.step else { return };
        let fate = self.fate(now, (since, heard));
        self.out.push_back(Action::Stop(fate));
        let line = match fate {
            Fate::Kept(_) => Line::Kept,
            Fate::TooShort => Line::TooShort,
            Fate::Full => Line::Full,
        };
        self.close(now, line);
    }

    fn close(&mut self, now: Instant, line: Line) {
        self.step = Step::Closing;
        self.due = Some(now + LONGEST_LINE);
        self.out.push_back(Action::Say(line));
    }

    fn hang_up(&mut self) {
        self.step = Step::Over;
        self.due = None;
        self.out.push_back(Action::HangUp);
    }

    /// What becomes of a message that ends now. What follows the last word does not count.
    fn fate(&self, now: Instant, (since, heard): (Instant, Option<Instant>)) -> Fate {
        let last = if self.speaks { Some(now) } else { heard };
        let said = last.map_or(Duration::ZERO, |last| last.saturating_duration_since(since));
        if said.is_zero() || said < self.settings.min_length {
            return Fate::TooShort;
        }
        Fate::Kept(now.saturating_duration_since(since))
    }
}

/// The key that skips the greeting and ends the message.
const ENDS: char = '#';

/// How long the tone is heard.
const BEEP: Duration = Duration::from_millis(400);

/// A greeting that nobody comes to the end of.
const LONGEST_GREETING: Duration = Duration::from_secs(120);

/// A last line that nobody comes to the end of.
const LONGEST_LINE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: Settings = Settings {
        speaks: true,
        plays: None,
        max_length: Duration::from_secs(60),
        min_length: Duration::from_secs(2),
        silence: Duration::from_secs(5),
    };

    /// A voicemail in virtual time.
    struct Stage {
        voicemail: Voicemail,
        start: Instant,
        now: Instant,
    }

    impl Stage {
        fn new(settings: Settings) -> Self {
            let start = Instant::now();
            Self { voicemail: Voicemail::new(settings), start, now: start }
        }

        /// At the beginning of the recording.
        fn recording() -> Self {
            let mut stage = Self::new(SETTINGS);
            stage.tell(Happening::Room(true));
            stage.tell(Happening::Up);
            stage.tell(Happening::Said);
            assert_eq!(stage.waits(), [Action::Hush, Action::Record]);
            stage.start = stage.now;
            stage
        }

        fn tell(&mut self, happening: Happening) -> Vec<Action> {
            self.voicemail.handle(self.now, happening);
            self.all()
        }

        /// Lets so much time go by.
        fn passes(&mut self, millis: u64) -> Vec<Action> {
            self.now += Duration::from_millis(millis);
            self.voicemail.tick(self.now);
            self.all()
        }

        /// Lets time go by until something is due.
        fn waits(&mut self) -> Vec<Action> {
            self.now = self.voicemail.deadline().expect("something is due");
            self.voicemail.tick(self.now);
            self.all()
        }

        fn all(&mut self) -> Vec<Action> {
            std::iter::from_fn(|| self.voicemail.poll()).collect()
        }

        /// The caller speaks for so long.
        fn speaks(&mut self, millis: u64) {
            assert_eq!(self.tell(Happening::SpeechStarted), []);
            assert_eq!(self.passes(millis), []);
            assert_eq!(self.tell(Happening::SpeechEnded { last_voiced: self.now }), []);
        }

        fn since_start(&self) -> Duration {
            self.now.saturating_duration_since(self.start)
        }
    }

    fn key(key: char) -> Happening {
        Happening::Key(Digit::new(key).expect("a key"))
    }

    #[test]
    fn a_message_is_left_after_the_greeting_and_the_tone() {
        let mut stage = Stage::new(SETTINGS);
        assert_eq!(stage.tell(Happening::Up), [], "whether there is room is not known");
        assert_eq!(stage.tell(Happening::Room(true)), [Action::Greet]);
        assert_eq!(stage.tell(Happening::Said), [Action::Beep]);
        assert_eq!(stage.passes(399), []);
        assert_eq!(stage.passes(1), [Action::Hush, Action::Record]);
        stage.start = stage.now;
        stage.speaks(3_000);
        assert_eq!(stage.passes(1_000), []);
        stage.speaks(2_000);
        assert_eq!(stage.passes(4_999), []);
        let kept = Action::Stop(Fate::Kept(Duration::from_secs(11)));
        assert_eq!(stage.passes(1), [kept, Action::Say(Line::Kept)]);
        assert_eq!(stage.tell(Happening::Said), [Action::HangUp]);
        assert_eq!(stage.voicemail.deadline(), None);
    }

    #[test]
    fn a_key_skips_the_greeting_whether_it_is_said_or_played() {
        let plays = Settings { plays: Some(Duration::from_secs(9)), ..SETTINGS };
        let mut stage = Stage::new(plays.clone());
        stage.tell(Happening::Up);
        assert_eq!(stage.tell(Happening::Room(true)), [Action::Greet]);
        assert_eq!(stage.tell(key('1')), [], "that is another key");
        assert_eq!(stage.tell(key('#')), [Action::Hush, Action::Beep]);
        assert_eq!(stage.tell(Happening::Said), [], "that was cut");

        let mut stage = Stage::new(Settings { speaks: false, ..plays.clone() });
        stage.tell(Happening::Up);
        assert_eq!(stage.tell(Happening::Room(true)), [Action::Play]);
        assert_eq!(stage.passes(4_000), []);
        assert_eq!(stage.tell(key('#')), [Action::Hush, Action::Beep]);

        let mut stage = Stage::new(plays);
        stage.tell(Happening::Up);
        stage.tell(Happening::Room(true));
        assert_eq!(stage.tell(Happening::Said), [Action::Play]);
        assert_eq!(stage.passes(9_000), [Action::Hush, Action::Beep]);
    }

    #[test]
    fn a_message_ends_by_key_by_silence_by_its_length_and_by_the_end_of_the_call() {
        let kept = |stage: &Stage| Action::Stop(Fate::Kept(stage.since_start()));
        let mut stage = Stage::recording();
        stage.speaks(2_500);
        assert_eq!(stage.tell(key('#')), [kept(&stage), Action::Say(Line::Kept)]);

        let mut stage = Stage::recording();
        stage.tell(Happening::SpeechStarted);
        assert_eq!(stage.passes(59_999), [], "whoever speaks is not cut off before");
        assert_eq!(stage.passes(1), [kept(&stage), Action::Say(Line::Kept)]);

        let mut stage = Stage::recording();
        stage.tell(Happening::SpeechStarted);
        stage.passes(2_000);
        assert_eq!(stage.tell(Happening::Gone), [kept(&stage)]);
        assert_eq!(stage.voicemail.deadline(), None);
    }

    #[test]
    fn what_is_too_short_is_not_kept_and_that_is_said() {
        let short = [Action::Stop(Fate::TooShort), Action::Say(Line::TooShort)];
        let mut stage = Stage::recording();
        assert_eq!(stage.waits(), short, "nobody said anything");
        assert_eq!(stage.since_start(), Duration::from_secs(5));

        let mut stage = Stage::recording();
        stage.speaks(1_999);
        assert_eq!(stage.passes(2_000), []);
        assert_eq!(stage.tell(key('#')), short, "silence makes no message longer");

        let mut stage = Stage::recording();
        stage.speaks(1_000);
        assert_eq!(stage.tell(Happening::Gone), [Action::Stop(Fate::TooShort)]);
    }

    #[test]
    fn a_caller_for_whom_there_is_no_room_is_told() {
        let mut stage = Stage::new(SETTINGS);
        stage.tell(Happening::Room(false));
        let told = [Action::Stop(Fate::Full), Action::Say(Line::Full)];
        assert_eq!(stage.tell(Happening::Up), told);
        assert_eq!(stage.waits(), [Action::HangUp], "also when nobody can say it");
    }

    #[test]
    fn a_voice_that_fails_costs_the_greeting_and_not_the_message() {
        let mut stage = Stage::new(SETTINGS);
        stage.tell(Happening::Up);
        stage.tell(Happening::Room(true));
        assert_eq!(stage.waits(), [Action::Hush, Action::Beep]);
    }

    #[test]
    fn whoever_goes_before_the_tone_leaves_nothing() {
        let mut stage = Stage::new(SETTINGS);
        stage.tell(Happening::Up);
        stage.tell(Happening::Room(true));
        assert_eq!(stage.tell(Happening::Gone), []);
        assert_eq!(stage.tell(Happening::Said), []);
        assert_eq!(stage.voicemail.deadline(), None);
    }

    #[test]
    fn who_speaks_into_the_tone_is_heard_to_the_end() {
        let mut stage = Stage::new(SETTINGS);
        stage.tell(Happening::Up);
        stage.tell(Happening::Room(true));
        stage.tell(Happening::Said);
        stage.tell(Happening::SpeechStarted);
        stage.passes(400);
        stage.start = stage.now;
        assert_eq!(stage.passes(20_000), []);
        stage.tell(Happening::SpeechEnded { last_voiced: stage.now });
        let kept = Action::Stop(Fate::Kept(Duration::from_secs(25)));
        assert_eq!(stage.waits(), [kept, Action::Say(Line::Kept)]);
    }
}
