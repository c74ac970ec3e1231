//! Trials: an operator wants to know now whether a trunk answers, and whether it registers us.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::lines::Asked;
use super::{Exchange, Output};
use crate::call::trunk::{Input, Purpose};

/// What came of a trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// The trunk.
    pub trunk: Arc<str>,
    /// Every request that was sent, in the order of the answers.
    pub steps: Vec<Step>,
}

/// A request, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What it was for.
    pub purpose: Purpose,
    /// Where it was to go: a SIP URI.
    pub hop: String,
    /// Where it went; nowhere, when the name leads to no address.
    pub remote: Option<SocketAddr>,
    /// The final status; 408 is silence.
    pub status: u16,
    /// How long it took.
    pub after: Duration,
    /// What else the answer says, by name and value: who sent it, and why.
    pub remarks: Vec<(String, String)>,
}

/// Why a trunk cannot be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Untried {
    /// There is none of that name.
    #[error("there is no such trunk")]
    Unknown,
    /// Calls only come from it.
    #[error("it has no host: calls only come from it, and there is nobody to ask")]
    Silent,
}

/// The trials that run.
#[derive(Debug, Default)]
pub(super) struct Trials {
    running: BTreeMap<Arc<str>, Running>,
}

#[derive(Debug)]
struct Running {
    began: Instant,
    until: Instant,
    is_asked: bool,
    registers: bool,
    steps: Vec<Step>,
}

impl Exchange {
    /// Tries a trunk: asks by OPTIONS whether it is there, and has it registered anew if it is to
    /// be. `Output::Tried` follows; a trial that already runs is joined.
    ///
    /// # Errors
    /// When there is nobody to ask.
    pub fn try_trunk(&mut self, name: &str, now: Instant) -> Result<(), Untried> {
        let trunk = self.trunks.get_mut(name).ok_or(Untried::Unknown)?;
        let name = trunk.settings().name.clone();
        let errand = trunk.question();
        if errand.hop.is_empty() {
            return Err(Untried::Silent);
        }
        if self.trials.running.contains_key(&name) {
            return Ok(());
        }
        let running = Running {
            began: now,
            until: now + TRIAL_LASTS,
            is_asked: false,
            registers: trunk.settings().registration.is_some(),
            steps: Vec::new(),
        };
        self.trials.running.insert(name.clone(), running);
        trunk.handle(now, Input::Renew);
        self.drain_trunks(now);
        self.begin(name, Purpose::Trial, Box::new(errand), now);
        Ok(())
    }

    /// A request of a trunk has its answer, from one of perhaps several hosts.
    pub(super) fn note_answer(
        &mut self,
        asked: &Asked,
        (status, headers): (u16, &[(String, String)]),
        now: Instant,
    ) {
        let Some(running) = self.trials.running.get_mut(&asked.trunk) else { return };
        if !matches!(asked.purpose, Purpose::Trial | Purpose::Register)
            || running.steps.len() >= MOST_STEPS
        {
            return;
        }
        let is_remark =
            |(name, _): &&(String, String)| REMARKS.iter().any(|it| it.eq_ignore_ascii_case(name));
        running.steps.push(Step {
            purpose: asked.purpose,
            hop: asked.errand.hop.clone(),
            remote: asked.flow.map(|flow| flow.remote),
            status,
            after: now.saturating_duration_since(asked.since.max(running.began)),
            remarks: headers.iter().filter(is_remark).cloned().collect(),
        });
    }

    /// Ends the trial of a trunk when there is nothing more to wait for.
    pub(super) fn check_trial(&mut self, asked: &Asked) {
        let Some(running) = self.trials.running.get_mut(&asked.trunk) else { return };
        running.is_asked |= asked.purpose == Purpose::Trial;
        let is_registering =
            self.trunks.get(&asked.trunk).is_some_and(|trunk| trunk.is_registering());
        if running.is_asked && !(running.registers && is_registering) {
            self.end_trial(&asked.trunk);
        }
    }

    /// Ends trials that nobody answers.
    pub(super) fn tick_trials(&mut self, now: Instant) {
        let overdue = self.trials.running.iter().filter(|(_, running)| running.until <= now);
        let overdue: Vec<Arc<str>> = overdue.map(|(name, _)| name.clone()).collect();
        for name in overdue {
            for purpose in [Purpose::Trial, Purpose::Register] {
                let id = self.current.get(&(name.clone(), purpose));
                let waiting = id.and_then(|id| self.asked.get(id)).cloned();
                if let Some(asked) = waiting {
                    self.note_answer(&asked, (SILENCE, &[]), now);
                }
            }
            if let Some(id) = self.current.remove(&(name.clone(), Purpose::Trial)) {
                self.asked.remove(&id);
            }
            self.end_trial(&name);
        }
    }

    pub(super) fn trials_deadline(&self) -> Option<Instant> {
        self.trials.running.values().map(|running| running.until).min()
    }

    fn end_trial(&mut self, name: &Arc<str>) {
        if let Some(running) = self.trials.running.remove(name) {
            let trial = Trial { trunk: name.clone(), steps: running.steps };
            self.outputs.push_back(Output::Tried(Box::new(trial)));
        }
    }
}

/// The status of no answer.
const SILENCE: u16 = 408;

/// How long an operator waits: a little longer than a registrar has to answer.
const TRIAL_LASTS: Duration = Duration::from_secs(9);

/// How many requests of a trial are told.
const MOST_STEPS: usize = 32;

/// What an answer says of who sent it and why.
const REMARKS: [&str; 8] =
    ["Server", "User-Agent", "Warning", "Reason", "Retry-After", "Min-Expires", "Allow", "Contact"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::Random;
    use crate::call::admission::Badge;
    use crate::call::exchange::Settings;
    use crate::call::identity::Profile;
    use crate::call::trunk;
    use crate::sip::event::{AskId, Command, Event, Transport};
    use crate::sip::method::Method;
    use crate::sip::registration;
    use crate::sip::route::Sockets;

    struct Bench {
        exchange: Exchange,
        now: Instant,
    }

    impl Bench {
        fn new(peers: &[&str], registers: bool) -> Self {
            let peers: Vec<String> = peers.iter().map(|peer| format!("sip:{peer}")).collect();
            let registration = registration::Settings {
                registrars: peers.clone(),
                domain: "sip:carrier.example".into(),
                address: "<sip:us@carrier.example>".into(),
                contact_user: "vt-1".into(),
                is_proxied: false,
                expires: Duration::from_secs(60),
            };
            let trunk = trunk::Settings {
                name: "carrier".into(),
                peers,
                is_proxied: false,
                profile: Profile { domain: "carrier.example".into(), ..Profile::default() },
                account: None,
                registration: registers.then_some(registration),
                ping_every: None,
                max_calls: None,
                failover: None,
                signing: None,
            };
            let badge = Badge { name: "carrier".into(), ..Badge::default() };
            let socket = "192.0.2.1:5060".parse().expect("an address");
            let sockets = Sockets::new([(Transport::Udp, socket)]);
            let settings = Settings { sockets, trunks: vec![(badge, trunk)] };
            let now = Instant::now();
            Self { exchange: Exchange::new(settings, Random::repeatable(1), now), now }
        }

        /// What is asked, and what is told.
        fn drain(&mut self) -> (Vec<(Method, AskId)>, Option<Trial>) {
            let (mut asked, mut told) = (Vec::new(), None);
            while let Some(output) = self.exchange.poll() {
                match output {
                    Output::Command(Command::Ask(asking)) => {
                        asked.push((asking.method.clone(), asking.id));
                    }
                    Output::Tried(trial) => told = Some(*trial),
                    _ => {}
                }
            }
            (asked, told)
        }

        fn answer(&mut self, id: AskId, status: u16) -> Option<Trial> {
            let headers = vec![("Server".to_owned(), "x".to_owned())];
            let body = bytes::Bytes::new();
            self.exchange.hear(self.now, Event::Told { id, status, headers, body });
            self.drain().1
        }
    }

    #[test]
    fn a_trial_ends_when_the_trunk_has_answered_and_has_registered_us() {
        let mut bench = Bench::new(&["192.0.2.9"], true);
        assert_eq!(bench.exchange.try_trunk("nobody", bench.now), Err(Untried::Unknown));
        assert_eq!(bench.exchange.try_trunk("carrier", bench.now), Ok(()));
        assert_eq!(bench.exchange.try_trunk("carrier", bench.now), Ok(()), "it is joined");
        let (asked, _) = bench.drain();
        let methods: Vec<&Method> = asked.iter().map(|(method, _)| method).collect();
        assert_eq!(methods, [&Method::Register, &Method::Options]);
        bench.now += Duration::from_millis(20);
        assert_eq!(bench.answer(asked[1].1, 200), None, "it is still registering");
        let trial = bench.answer(asked[0].1, 403).expect("it is over");
        let steps = trial.steps.iter().map(|step| (step.purpose, step.status));
        assert_eq!(steps.collect::<Vec<_>>(), [(Purpose::Trial, 200), (Purpose::Register, 403)]);
        assert_eq!(trial.steps[0].after, Duration::from_millis(20));
        assert_eq!(
            trial.steps[0].remote.map(|it| it.to_string()).as_deref(),
            Some("192.0.2.9:5060")
        );
        assert_eq!(trial.steps[0].remarks, [("Server".to_owned(), "x".to_owned())]);
    }

    #[test]
    fn silence_ends_a_trial_too_and_a_late_answer_harms_nothing() {
        let mut bench = Bench::new(&["192.0.2.9"], false);
        bench.exchange.try_trunk("carrier", bench.now).expect("it can be tried");
        let (asked, _) = bench.drain();
        bench.now = bench.exchange.deadline(bench.now).expect("it ends some time");
        bench.exchange.tick(bench.now);
        let trial = bench.drain().1.expect("it is over");
        assert_eq!(trial.steps[0].status, SILENCE);
        assert_eq!(bench.answer(asked[0].1, 200), None);
        assert_eq!(bench.exchange.deadline(bench.now), None);
    }

    #[test]
    fn a_trunk_that_only_calls_us_cannot_be_tried() {
        let mut bench = Bench::new(&[], false);
        assert_eq!(bench.exchange.try_trunk("carrier", bench.now), Err(Untried::Silent));
    }
}
