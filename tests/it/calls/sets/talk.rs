//! A session that hears the edges of a line and what was really said on it, in virtual time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use voxtrunk::agent::assistant::Assistant;
use voxtrunk::agent::conversation::pace;
use voxtrunk::agent::event::{
    Delta, Input, Note, Output, Progress, Transcript, Utterance, UtteranceId,
};
use voxtrunk::agent::session::{Opening, Session};

use super::line::{Edge, Heard};

/// How words come.
#[derive(Debug, Clone, Copy)]
pub struct Hearing {
    /// How long after a pause, in milliseconds.
    pub delay: u64,
    /// Whether words come while they are said, half a second late.
    pub partials: bool,
}

/// What is played.
#[derive(Debug)]
pub struct Script<'a> {
    pub assistant: Assistant,
    /// What the agent says first.
    pub first: &'a str,
    pub heard: &'a Heard,
    /// The words of each part.
    pub said: &'a [&'a str],
    pub hearing: Hearing,
    /// In milliseconds.
    pub until: u64,
}

/// All that a session wanted, and when.
#[derive(Debug)]
pub struct Log(Vec<(u64, Output)>);

impl Log {
    /// When each turn was taken, in milliseconds.
    pub fn taken(&self) -> Vec<u64> {
        let taken = |output: &Output| matches!(output, Output::Note(Note::CallerSaid { .. }));
        self.0.iter().filter(|(_, it)| taken(it)).map(|(at, _)| *at).collect()
    }

    pub fn first(&self, wanted: fn(&Output) -> bool) -> Option<u64> {
        self.0.iter().find(|(_, it)| wanted(it)).map(|(at, _)| *at)
    }

    pub fn count(&self, wanted: fn(&Output) -> bool) -> usize {
        self.0.iter().filter(|(_, it)| wanted(it)).count()
    }

    pub fn notes(&self) -> impl Iterator<Item = &Note> {
        self.0.iter().filter_map(|(_, output)| match output {
            Output::Note(note) => Some(note),
            _ => None,
        })
    }
}

/// Plays it.
pub fn play(script: Script<'_>) -> Log {
    let mut talk = Talk::new(&script);
    talk.tell(0, Input::Began);
    for now in 0..=script.until {
        while let Some(entry) = talk.agenda.first_entry().filter(|it| it.key().0 <= now) {
            let input = entry.remove();
            talk.tell(now, input);
        }
        if talk.session.deadline().is_some_and(|due| due <= talk.at(now)) {
            talk.session.tick(talk.at(now));
            talk.drain(now);
        }
        talk.speak(now);
    }
    Log(talk.log)
}

struct Talk<'a> {
    start: Instant,
    session: Session,
    heard: &'a Heard,
    said: &'a [&'a str],
    hearing: Hearing,
    agenda: BTreeMap<(u64, usize), Input>,
    count: usize,
    /// From where on the transcriber hears, in milliseconds, if it does.
    ear: Option<u64>,
    mouth: Vec<Line>,
    paused: bool,
    log: Vec<(u64, Output)>,
}

/// A line of the agent: how much of it was heard and how much there is, in milliseconds.
struct Line {
    utterance: Utterance,
    heard: u64,
    total: u64,
}

impl<'a> Talk<'a> {
    fn new(script: &Script<'a>) -> Self {
        let start = Instant::now();
        let first = Some(script.first.to_owned()).filter(|it| !it.is_empty());
        let opening = Opening { first_message: first, ..Opening::default() };
        let mut talk = Self {
            start,
            session: Session::new(Arc::new(script.assistant.clone()), opening, start),
            heard: script.heard,
            said: script.said,
            hearing: script.hearing,
            agenda: BTreeMap::new(),
            count: 0,
            ear: None,
            mouth: Vec::new(),
            paused: false,
            log: Vec::new(),
        };
        for (at, edge) in &script.heard.edges {
            let input = match edge {
                Edge::Started => Input::SpeechStarted,
                Edge::Faded => Input::SpeechFaded,
                Edge::Returned => Input::SpeechReturned,
                Edge::Ended(last) => Input::SpeechEnded { last_voiced: talk.at(*last) },
            };
            talk.later(*at, input);
        }
        talk
    }

    fn at(&self, millis: u64) -> Instant {
        self.start + Duration::from_millis(millis)
    }

    fn later(&mut self, at: u64, input: Input) {
        self.count += 1;
        self.agenda.insert((at, self.count), input);
    }

    fn tell(&mut self, now: u64, input: Input) {
        self.session.handle(self.at(now), input);
        self.drain(now);
    }

    fn drain(&mut self, now: u64) {
        while let Some(output) = self.session.poll() {
            self.log.push((now, output.clone()));
            self.obey(now, output);
        }
    }

    fn obey(&mut self, now: u64, output: Output) {
        match output {
            Output::Listen => {
                self.ear = Some(now.saturating_sub(500));
                self.will_hear_partials(now);
            }
            Output::Forget => self.ear = None,
            Output::Finalize(pause) => {
                let text = self.words(now);
                let transcript = Transcript::Final { text, confidence: None, complete: false };
                self.later(now + self.hearing.delay, Input::Transcript { pause, transcript });
            }
            Output::Think { thought, .. } => {
                let text = Delta::Text("Thank you, I have noted that.".to_owned());
                for (after, delta) in [(250, text), (300, Delta::Done)] {
                    self.later(now + after, Input::Thought { thought, delta });
                }
            }
            Output::Speak(utterance) => {
                let total = pace(&utterance.spoken).as_millis() as u64;
                let progress = Progress::Voiced { at: self.at(now + 120) };
                self.later(now + 120, Input::Spoken { utterance: utterance.id, progress });
                self.mouth.push(Line { utterance, heard: 0, total });
            }
            Output::Release { through } => {
                for line in self.mouth.iter_mut().filter(|it| it.utterance.id <= through) {
                    line.utterance.held = false;
                }
            }
            Output::Pause => self.paused = true,
            Output::Resume => self.paused = false,
            Output::Flush { through } => self.flush(now, through),
            Output::Judge(_)
            | Output::Abandon(_)
            | Output::Duck
            | Output::Run(_)
            | Output::Note(_)
            | Output::Over(_)
            | Output::Speaks(_) => {}
        }
    }

    /// What was said since the transcriber listens.
    fn words(&self, now: u64) -> String {
        let since = self.ear.unwrap_or(now);
        let parts = self.heard.parts.iter().zip(self.said);
        let said = parts.filter(|((from, to), _)| *to > since && *from < now);
        let words: Vec<&str> = said.map(|(_, words)| *words).collect();
        words.join(" ")
    }

    /// Half a second into each part its words are known.
    fn will_hear_partials(&mut self, now: u64) {
        if !self.hearing.partials {
            return;
        }
        let parts: Vec<(u64, u64)> = self.heard.parts.clone();
        for (at, (from, to)) in parts.into_iter().enumerate().filter(|(_, part)| part.1 > now) {
            let text = self.said.get(..=at).unwrap_or_default().join(" ");
            let known = (from + 350).min(to + self.hearing.delay).max(now);
            let partial = Transcript::Partial { text };
            let pause = voxtrunk::agent::event::PauseId::default();
            self.later(known, Input::Transcript { pause, transcript: partial });
        }
    }

    fn flush(&mut self, now: u64, through: UtteranceId) {
        let (dropped, left): (Vec<Line>, Vec<Line>) =
            self.mouth.drain(..).partition(|line| line.utterance.id <= through);
        self.mouth = left;
        let heard = dropped
            .iter()
            .filter(|line| line.heard > 0)
            .map(|line| {
                let total = Some(Duration::from_millis(line.total));
                (line.utterance.id, Duration::from_millis(line.heard), total)
            })
            .collect();
        self.later(now + 10, Input::Flushed { heard });
    }

    /// Says a millisecond of what is first.
    fn speak(&mut self, now: u64) {
        let at = self.at(now);
        let Some(line) = self.mouth.first_mut() else { return };
        if self.paused || line.utterance.held {
            return;
        }
        let utterance = line.utterance.id;
        line.heard += 1;
        let (starts, ends) = (line.heard == 1, line.heard >= line.total);
        if starts {
            self.tell(now, Input::Spoken { utterance, progress: Progress::Started { at } });
        }
        if ends {
            self.mouth.retain(|line| line.utterance.id != utterance);
            self.tell(now, Input::Spoken { utterance, progress: Progress::Finished { at } });
        }
    }
}
