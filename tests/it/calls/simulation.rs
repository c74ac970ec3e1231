//! Whole calls in virtual time: a scripted phone, a lossy network, the real server below its
//! sockets, and scripted minds. One clock, one seed; a minute of call costs milliseconds.

pub mod actor;
pub mod callee;
mod ear;
mod inside;
mod mouth;
pub mod network;
pub mod phone;
pub mod scene;
pub mod server;
pub mod tongue;

use std::time::Duration;

use voxtrunk::agent::assistant::{Assistant, Intent};
use voxtrunk::base::destination::Destination;
use voxtrunk::call::cause::Cause;
use voxtrunk::call::event::Fact;
use voxtrunk::call::record::{Record, Speaker};
use voxtrunk::dialplan::plan::Route;
use voxtrunk::sip::event::Ending;

use actor::Actor;
use callee::{Callee, Manner};
use network::Side;
use phone::{Act, Line, Moment, Phone, When};
use scene::{Job, Scene, side_of};
use server::Server;

/// A phone, a server and what is between them.
pub struct World {
    pub scene: Scene,
    pub phone: Phone,
    pub server: Server,
    /// Those whom the server may call, at 192.0.2.7 and the addresses behind it.
    pub callees: Vec<Callee>,
    /// When the server is told to drain, in milliseconds.
    pub wind_up: Option<u64>,
    /// When the server is told to go down, in milliseconds.
    pub shut_down: Option<u64>,
}

impl World {
    /// A world with these agents; the first takes every call.
    pub fn new(seed: u64, actors: Vec<Actor>) -> Self {
        let mut scene = Scene::new(seed);
        let phone = Phone::new(&mut scene);
        let mut server = Server::new(&mut scene);
        if let Some(first) = actors.first() {
            server.routes.push(Route::to(Destination::Agent(first.name.clone())));
        }
        server.actors = actors;
        let callees = Vec::new();
        Self { scene, phone, server, callees, wind_up: None, shut_down: None }
    }

    /// A world with the shop's agent, in fair weather.
    pub fn with_shop() -> Self {
        Self::new(1, vec![Actor::by_rules("desk", shop())])
    }

    /// A world whose server sends every call there.
    pub fn with_route(route: Route) -> Self {
        let mut world = Self::new(1, vec![Actor::by_rules("desk", shop())]);
        world.server.routes = vec![route];
        world
    }

    /// Adds somebody whom the server may call.
    pub fn with_callee(&mut self, manner: Manner) -> &mut Callee {
        let number = u8::try_from(self.callees.len()).expect("a few");
        let callee = Callee::new(&mut self.scene, 7 + number, manner);
        self.callees.push(callee);
        self.callees.last_mut().expect("it was pushed")
    }

    /// Adds a line to the script of the phone.
    pub fn then(&mut self, when: When, act: Act) -> &mut Self {
        self.phone.script.push_back(Line { when, act });
        self
    }

    /// The phone says something.
    pub fn say(&mut self, when: When, text: &str) -> &mut Self {
        self.then(when, Act::Say(text.to_owned()))
    }

    /// Lets the phone call, and everything happen until nothing is left to happen. Whatever the
    /// call was, it is over then on both sides and told exactly once.
    pub fn play(&mut self) {
        self.phone.call(&mut self.scene);
        while let Some(at) = self.next() {
            let length = at - self.scene.start;
            assert!(length < LONGEST, "something never ends:\n{}", self.ladder());
            self.step(at);
        }
        assert!(self.phone.is_idle(), "the phone keeps something:\n{}", self.ladder());
        for callee in &self.callees {
            assert!(callee.is_idle(), "a callee keeps something:\n{}", self.ladder());
        }
        assert!(self.server.is_idle(), "the server keeps something:\n{}", self.ladder());
        let endings = self.phone.moments.iter();
        let endings = endings.filter(|(_, moment)| matches!(moment, Moment::Ended(_))).count();
        assert_eq!(endings, 1, "the phone's call ends once:\n{}", self.ladder());
        let records = self.records();
        let sessions = self.server.facts.iter().map(|(_, id, _)| *id);
        let sessions: std::collections::BTreeSet<_> = sessions.collect();
        assert_eq!(records.len(), sessions.len(), "each call ends once");
    }

    fn next(&self) -> Option<std::time::Instant> {
        let told = [self.wind_up, self.shut_down].into_iter().flatten();
        let told = told.map(|at| self.scene.start + Duration::from_millis(at));
        let parts = [
            self.scene.next(),
            self.phone.deadline(&self.scene),
            self.server.deadline(self.scene.now),
        ];
        let callees = self.callees.iter().filter_map(|callee| callee.deadline(&self.scene));
        parts.into_iter().flatten().chain(told).chain(callees).min()
    }

    fn step(&mut self, at: std::time::Instant) {
        assert!(at >= self.scene.now, "a deadline lies in the past");
        self.scene.now = at;
        let millis = self.scene.millis(at);
        if self.wind_up.take_if(|due| *due <= millis).is_some() {
            self.server.wind_up(&mut self.scene);
        }
        if self.shut_down.take_if(|due| *due <= millis).is_some() {
            self.server.shut_down(&mut self.scene);
        }
        // What happens at one moment comes to rest in a few rounds.
        for _ in 0..MOST_ROUNDS {
            while let Some(job) = self.scene.take() {
                self.happen(job);
            }
            self.phone.tick(&mut self.scene);
            for callee in &mut self.callees {
                callee.tick(&mut self.scene);
            }
            self.server.tick(&mut self.scene);
            if self.next().is_none_or(|next| next > at) {
                return;
            }
        }
        panic!("time stands still at {millis} ms:\n{}", self.ladder());
    }

    fn happen(&mut self, job: Job) {
        match job {
            Job::Datagram { from, to, bytes } if side_of(to.ip()) == Side::Phone => {
                self.phone.receive(&mut self.scene, from, to, bytes);
            }
            Job::Datagram { from, to, bytes } if side_of(to.ip()) == Side::Callee => {
                let callee = self.callees.iter_mut().find(|callee| callee.address == to.ip());
                if let Some(callee) = callee {
                    callee.receive(&mut self.scene, (from, to), bytes);
                }
            }
            job => self.server.handle(&mut self.scene, job),
        }
    }
}

/// What came of it.
impl World {
    /// The records of the calls, in the order in which they ended.
    pub fn records(&self) -> Vec<&Record> {
        let ended = |fact: &'_ (u64, _, Fact)| matches!(fact.2, Fact::Ended { .. });
        let facts = self.server.facts.iter().filter(|fact| ended(fact));
        facts
            .filter_map(|(_, _, fact)| match fact {
                Fact::Ended { record, .. } => Some(&**record),
                _ => None,
            })
            .collect()
    }

    /// The record of the only call.
    pub fn record(&self) -> &Record {
        let records = self.records();
        assert_eq!(records.len(), 1, "one call:\n{}", self.ladder());
        records[0]
    }

    pub fn cause(&self) -> Cause {
        self.record().cause
    }

    /// How the call ended for the phone.
    pub fn ending(&self) -> &Ending {
        let ended = self.phone.moments.iter().find_map(|(_, moment)| match moment {
            Moment::Ended(ending) => Some(ending),
            _ => None,
        });
        ended.expect("the call ended")
    }

    /// When the phone began to say its line of that number, from 0.
    pub fn spoke(&self, number: usize) -> u64 {
        self.moment(&Moment::Spoke, number)
    }

    /// When the phone had said its line of that number, from 0.
    pub fn stopped(&self, number: usize) -> u64 {
        self.moment(&Moment::Said, number)
    }

    fn moment(&self, wanted: &Moment, number: usize) -> u64 {
        let found = self.phone.moments.iter().filter(|(_, moment)| moment == wanted);
        found.map(|(at, _)| *at).nth(number).expect("the phone came to it")
    }

    /// The words of the agent that really reached the phone.
    pub fn heard(&self) -> String {
        let words = self.phone.heard(&self.scene);
        words.into_iter().map(|word| word.text).collect::<Vec<_>>().join(" ")
    }

    /// When a word of the agent began to reach the phone, first.
    pub fn heard_at(&self, word: &str) -> u64 {
        let words = self.phone.heard(&self.scene);
        let found = words.iter().find(|heard| heard.text == word);
        let found = found.unwrap_or_else(|| panic!("{word} was not heard in: {}", self.heard()));
        self.scene.millis(found.since)
    }

    /// What the caller said, as the agent understood it.
    pub fn understood(&self) -> Vec<&str> {
        let lines = self.record().transcript.iter();
        lines
            .filter(|line| line.speaker == Speaker::Caller)
            .map(|line| line.text.as_str())
            .collect()
    }

    /// What the agent said, as far as the record knows that it was heard.
    pub fn said(&self) -> Vec<&str> {
        let lines = self.record().transcript.iter();
        lines.filter(|line| line.speaker == Speaker::Agent).map(|line| line.text.as_str()).collect()
    }

    /// When the server sent voice, between two times.
    pub fn voice_between(&self, since: u64, until: u64) -> Vec<u64> {
        let packets = self.server.packets.iter().filter(|packet| packet.is_voice);
        packets.map(|packet| packet.at).filter(|at| (since..until).contains(at)).collect()
    }

    /// When a message was first sent.
    pub fn sent_at(&self, side: Side, summary: &str) -> Option<u64> {
        let mut rungs = self.scene.ladder.iter();
        rungs.find(|rung| rung.from == side && rung.summary == summary).map(|rung| rung.at)
    }

    /// How often a message was sent.
    pub fn sent(&self, side: Side, summary: &str) -> usize {
        let rungs = self.scene.ladder.iter();
        rungs.filter(|rung| rung.from == side && rung.summary == summary).count()
    }

    /// The SIP messages with the milliseconds at which they were sent.
    pub fn ladder(&self) -> String {
        let rung = |rung: &scene::Rung| {
            let arrow = match (rung.from, rung.to) {
                (Side::Phone, _) => "phone --> server",
                (Side::Callee, _) => "          server <-- callee",
                (Side::Server, Side::Callee) => "          server --> callee",
                (Side::Server, _) => "phone <-- server",
            };
            let fate = match rung.copies {
                0 => " (lost)",
                1 => "",
                _ => " (twice)",
            };
            format!("{:>6}  {arrow}  {}{fate}", rung.at, rung.summary)
        };
        self.scene.ladder.iter().map(rung).collect::<Vec<_>>().join("\n")
    }

    /// What was said, with the milliseconds at which it was known; cut words end with a dash.
    pub fn transcript(&self) -> String {
        let line = |line: &voxtrunk::call::record::Line| {
            let who = match line.speaker {
                Speaker::Caller => "caller",
                Speaker::Agent => "agent",
            };
            let cut = if line.interrupted { " —" } else { "" };
            format!("{:>6}  {who}: {}{}{cut}", line.at.as_millis(), line.text, line.keys)
        };
        self.record().transcript.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

/// The agent of a small shop, that answers by its intents.
pub fn shop() -> Assistant {
    let intent = |id: &str, phrases: &[&str], say: &str| Intent {
        id: id.to_owned(),
        phrases: phrases.iter().map(|phrase| (*phrase).to_owned()).collect(),
        say: vec![say.to_owned()],
        ..Intent::default()
    };
    let hours = Intent {
        key: Some("1".to_owned()),
        label: Some("opening hours".to_owned()),
        ..intent("hours", &["[what are] your opening hours", "when are you open"], HOURS)
    };
    let address = Intent {
        key: Some("2".to_owned()),
        label: Some("our address".to_owned()),
        ..intent("address", &["where are you", "[what is] your address"], ADDRESS)
    };
    let farewell = Intent {
        action: Some("end_call".to_owned()),
        ..intent("farewell", &["goodbye", "that is all"], FAREWELL)
    };
    Assistant {
        first_message: Some(GREETING.to_owned()),
        intents: vec![hours, address, farewell],
        ..Assistant::default()
    }
}

/// What the shop says.
pub const GREETING: &str = "Hello, this is the bicycle shop. How can I help you?";
pub const HOURS: &str = "We are open from nine to six on weekdays, and until two on Saturdays.";
pub const ADDRESS: &str = "You find us at number twelve in Harbor Street.";
pub const FAREWELL: &str = "Thank you for your call. Have a nice day.";

/// No call lasts longer, with all that follows it.
const LONGEST: Duration = Duration::from_secs(1_200);

/// More rounds than any moment needs.
const MOST_ROUNDS: usize = 10_000;
