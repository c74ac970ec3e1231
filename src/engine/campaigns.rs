//! Those who run the campaigns, and what begins by itself at its time: one task that has their files,
//! has calls begin, and is told what came of each.

pub mod journal;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinSet, spawn_blocking};
use tokio_util::sync::CancellationToken;

use crate::base::destination::Destination;
use crate::base::number::Number;
use crate::call::campaign::entry::{Entry, Fate, Outcome};
use crate::call::campaign::{self, Campaign, Counts, Dial, Output, State, Terms, rows};
use crate::call::origination::{Detect, Origination};
use crate::call::timetable::{self, Schedule, Timetable};
use crate::engine::announcements::{Announcement, Announcer};
use crate::engine::clock;
use crate::engine::playbill::{Drive, Playbill};
use crate::engine::roll::{Given, Question};
use crate::engine::sip_shard::until;

use journal::Journal;

/// What is asked of those who run campaigns.
#[derive(Debug)]
pub enum Order {
    /// The campaigns as they stand in the files from now on.
    Know(Arc<Playbill>),
    /// An operator wants something of one.
    Do(String, campaign::Order, oneshot::Sender<Result<Look, Refused>>),
    /// An operator wants to see all.
    Look(oneshot::Sender<Vec<Look>>),
    /// An operator wants rows after a line, so many at most.
    Rows(String, (u64, usize), oneshot::Sender<Result<Vec<RowLook>, Refused>>),
    /// An operator wants to see what begins by itself.
    Timetable(oneshot::Sender<BTreeMap<String, timetable::Entry>>),
    /// Nobody calls a number any more.
    Refuse(Number, oneshot::Sender<Result<(), Refused>>),
}

/// Why it cannot be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// There is none of that name; these are there.
    Unknown(Vec<String>),
    /// For this reason.
    Impossible(String),
}

/// How a campaign stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    /// Its name.
    pub name: String,
    /// How it stands.
    pub state: State,
    /// How many stand where.
    pub counts: Counts,
    /// Why it cannot go on, if it cannot.
    pub problem: Option<String>,
}

/// How a row stands.
#[derive(Debug, Clone, PartialEq)]
pub struct RowLook {
    /// The line in the file.
    pub line: u64,
    /// The number. Personal data.
    pub number: Option<String>,
    /// How it stands, in a word.
    pub state: &'static str,
    /// How often it was called.
    pub tries: u32,
    /// When the last outcome came, since the Unix epoch, and which.
    pub outcome: Option<(Duration, Outcome)>,
    /// Why the row is bad.
    pub why: Option<String>,
}

/// The way to them.
pub type CampaignsHandle = mpsc::Sender<Order>;

/// The owner of all campaigns.
#[derive(Debug)]
pub struct Canvassers {
    folder: PathBuf,
    playbill: Arc<Playbill>,
    announcer: Announcer,
    /// No call begins after it.
    wind_up: CancellationToken,
    orders: mpsc::Receiver<Order>,
    runs: BTreeMap<String, Run>,
    /// What begins by itself.
    timetable: Timetable,
    /// Its calls that are about to begin: by which schedule, and why there is none.
    begun: JoinSet<(String, Result<(), String>)>,
    /// Calls that are up: the campaign, the place in it, and what came of it.
    calls: JoinSet<(String, usize, Outcome)>,
}

/// One campaign at work.
#[derive(Debug)]
struct Run {
    drive: Arc<Drive>,
    /// Without it there is a problem.
    work: Result<(Campaign, Journal), String>,
}

impl Canvassers {
    /// Takes the folder of the campaigns; gives the way to their owner. No call begins after
    /// `wind_up`.
    pub fn new(
        folder: PathBuf,
        playbill: Arc<Playbill>,
        (announcer, wind_up): (Announcer, CancellationToken),
    ) -> (Self, CampaignsHandle) {
        let (sender, orders) = mpsc::channel(ORDERS);
        let (runs, timetable) = (BTreeMap::new(), Timetable::default());
        let (begun, calls) = (JoinSet::new(), JoinSet::new());
        let canvassers =
            Self { folder, playbill, announcer, wind_up, orders, runs, timetable, begun, calls };
        (canvassers, sender)
    }

    /// Runs until `stop`; `calls` begins calls.
    pub async fn run(mut self, calls: mpsc::Sender<Question>, stop: CancellationToken) {
        self.know(self.playbill.clone()).await;
        let (mut goes_down, wind_up) = (false, self.wind_up.clone());
        loop {
            self.drain(&calls).await;
            let deadline = self.deadline();
            tokio::select! {
                order = self.orders.recv() => match order {
                    Some(order) => self.obey(order).await,
                    None => return,
                },
                Some(done) = self.calls.join_next(), if !self.calls.is_empty() => {
                    if let Ok((name, place, outcome)) = done {
                        self.with(&name, |campaign, now| campaign.came(now, place, outcome));
                    }
                }
                Some(done) = self.begun.join_next(), if !self.begun.is_empty() => {
                    if let Ok((name, Err(why))) = done {
                        tracing::warn!(schedule = name, why, "nobody is called");
                        self.timetable.failed(&name, why);
                    }
                }
                () = until(deadline) => {
                    self.keep_time(&calls).await;
                    let now = clock::since_epoch();
                    let works = self.runs.values_mut().filter_map(|run| run.work.as_mut().ok());
                    works.for_each(|(campaign, _)| campaign.tick(now));
                }
                () = wind_up.cancelled(), if !goes_down => {
                    goes_down = true;
                    let works = self.runs.values_mut().filter_map(|run| run.work.as_mut().ok());
                    works.for_each(|(campaign, _)| campaign.hold());
                }
                () = stop.cancelled() => return,
            }
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let works = self.runs.values().filter_map(|run| run.work.as_ref().ok());
        let due = works.filter_map(|(campaign, _)| campaign.deadline());
        let due = due.chain(self.timetable.deadline()).min()?;
        Some(clock::now() + due.saturating_sub(clock::since_epoch()))
    }

    fn with(&mut self, name: &str, act: impl FnOnce(&mut Campaign, Duration)) {
        if let Some(Run { work: Ok((campaign, _)), .. }) = self.runs.get_mut(name) {
            act(campaign, clock::since_epoch());
        }
    }

    async fn obey(&mut self, order: Order) {
        // Who asked may have gone meanwhile.
        match order {
            Order::Know(playbill) => self.know(playbill).await,
            Order::Do(name, order, asker) => {
                asker.send(self.do_order(&name, order).await).ok();
            }
            Order::Look(asker) => {
                asker.send(self.runs.iter().map(look).collect()).ok();
            }
            Order::Timetable(asker) => {
                asker.send(self.timetable.entries().clone()).ok();
            }
            Order::Rows(name, (after, most), asker) => {
                asker.send(self.rows(&name, after, most)).ok();
            }
            Order::Refuse(number, asker) => {
                asker.send(self.refuse(number).await).ok();
            }
        }
    }

    /// Takes the campaigns as they stand in the files. One that runs goes on with its rows.
    async fn know(&mut self, playbill: Arc<Playbill>) {
        self.playbill = playbill.clone();
        let here = playbill.briefing.plan.zone.clone();
        self.timetable.know(&playbill.schedules, &here, clock::since_epoch());
        let is_up = |run: &Run| matches!(&run.work, Ok((it, _)) if it.counts().active > 0);
        self.runs.retain(|name, run| playbill.campaigns.contains_key(name) || is_up(run));
        for (name, drive) in &playbill.campaigns {
            let terms = Terms::of(&drive.written, &here);
            if let Some(Run { work: Ok((campaign, _)), drive: own }) = self.runs.get_mut(name)
                && (campaign.state() == State::Running || campaign.counts().active > 0)
            {
                campaign.know(clock::since_epoch(), terms);
                *own = drive.clone();
                continue;
            }
            let work = self.open(name, drive).await;
            if let Err(why) = &work {
                tracing::error!(campaign = name, why, "a campaign cannot be run");
            }
            self.runs.insert(name.clone(), Run { drive: drive.clone(), work });
        }
        // What has a time at which it begins needs nobody who says so.
        let idle = self.runs.values_mut().filter(|run| run.drive.written.start.is_some());
        for (campaign, _) in idle.filter_map(|run| run.work.as_mut().ok()) {
            if campaign.state() == State::Idle {
                campaign.order(clock::since_epoch(), campaign::Order::Start).ok();
            }
        }
    }

    /// Reads the rows of a campaign, and what was written down of it.
    async fn open(&self, name: &str, drive: &Arc<Drive>) -> Result<(Campaign, Journal), String> {
        let briefing = self.playbill.briefing.clone();
        let (folder, name, drive) = (self.folder.clone(), name.to_owned(), drive.clone());
        let opening = spawn_blocking(move || {
            let text = read(Path::new(&drive.written.csv_path))?;
            let number = |text: &str| briefing.numbering.read(text).parse().ok();
            let rows = rows::read(&text, &drive.written.number, number)?;
            let terms = Terms::of(&drive.written, &briefing.plan.zone);
            let wrong = |why: std::io::Error| format!("its journal: {why}");
            let refused = journal::refused(&folder).map_err(wrong)?;
            let (journal, entries) = Journal::open(&folder, &name).map_err(wrong)?;
            let mut campaign = Campaign::new(terms, rows, entries, clock::since_epoch());
            refused.into_iter().for_each(|number| campaign.refuse(number));
            Ok((campaign, journal))
        });
        opening.await.map_err(|_| "its files could not be read; this is a bug".to_owned())?
    }

    /// Begins what is due.
    async fn keep_time(&mut self, calls: &mpsc::Sender<Question>) {
        let here = self.playbill.briefing.plan.zone.clone();
        for (name, schedule) in self.timetable.due(&here, clock::since_epoch()) {
            if self.wind_up.is_cancelled() {
                self.timetable.failed(&name, "the server is going down".to_owned());
                continue;
            }
            tracing::info!(schedule = name, calls = schedule.call.len(), "a schedule is due");
            if let Some(campaign) = &schedule.campaign
                && let Err(why) = self.do_order(campaign, campaign::Order::Start).await
            {
                let why = match why {
                    Refused::Unknown(_) => format!("there is no campaign `{campaign}`"),
                    Refused::Impossible(why) => why,
                };
                tracing::warn!(schedule = name, why, "a campaign does not begin");
                self.timetable.failed(&name, why);
            }
            for callee in &schedule.call {
                let (order, calls) = (by_itself(&schedule, callee), calls.clone());
                let name = name.clone();
                self.begun.spawn(async move { (name, begins(order, &calls).await) });
            }
        }
    }

    async fn do_order(&mut self, name: &str, order: campaign::Order) -> Result<Look, Refused> {
        let Some(run) = self.runs.get(name) else { return Err(self.unknown()) };
        let rests = match &run.work {
            Ok((campaign, _)) => {
                !matches!(campaign.state(), State::Running | State::Paused)
                    && campaign.counts().active == 0
            }
            Err(_) => true,
        };
        if order == campaign::Order::Start && rests {
            // The file of those who are called may have grown since.
            let drive = run.drive.clone();
            let work = self.open(name, &drive).await;
            self.runs.insert(name.to_owned(), Run { drive, work });
        }
        let Some(run) = self.runs.get_mut(name) else { return Err(self.unknown()) };
        let (campaign, _) = match &mut run.work {
            Ok(work) => work,
            Err(why) => return Err(Refused::Impossible(why.clone())),
        };
        let done = campaign.order(clock::since_epoch(), order);
        done.map_err(|why| Refused::Impossible(format!("campaign `{name}`: {why}")))?;
        tracing::info!(campaign = name, ?order, "an operator changes a campaign");
        Ok(look((&name.to_owned(), run)))
    }

    fn rows(&self, name: &str, after: u64, most: usize) -> Result<Vec<RowLook>, Refused> {
        let Some(run) = self.runs.get(name) else { return Err(self.unknown()) };
        let (campaign, _) = run.work.as_ref().map_err(|why| Refused::Impossible(why.clone()))?;
        let rows = campaign.results(after, most).into_iter().map(|row| RowLook {
            line: row.line,
            number: row.number.map(|number| number.to_e164().to_owned()),
            state: row.state,
            tries: row.tries,
            outcome: row.outcome.cloned(),
            why: row.why.map(str::to_owned),
        });
        Ok(rows.collect())
    }

    async fn refuse(&mut self, number: Number) -> Result<(), Refused> {
        for (campaign, _) in self.runs.values_mut().filter_map(|run| run.work.as_mut().ok()) {
            campaign.refuse(number.clone());
        }
        let folder = self.folder.clone();
        let added = spawn_blocking(move || journal::refuse(&folder, &number)).await;
        match added {
            Ok(Ok(())) => Ok(()),
            Ok(Err(why)) => Err(Refused::Impossible(format!("the list cannot be written: {why}"))),
            Err(_) => Err(Refused::Impossible("the list cannot be written".to_owned())),
        }
    }

    fn unknown(&self) -> Refused {
        Refused::Unknown(self.runs.keys().cloned().collect())
    }

    /// Does what the campaigns want: nobody is called before that is on the disk.
    async fn drain(&mut self, calls: &mpsc::Sender<Question>) {
        let names: Vec<String> = self.runs.keys().cloned().collect();
        for name in names {
            let Some(run) = self.runs.get_mut(&name) else { continue };
            let drive = run.drive.clone();
            let Ok((campaign, _)) = &mut run.work else { continue };
            let outputs: Vec<Output> = std::iter::from_fn(|| campaign.poll()).collect();
            let entries = |output: &Output| match output {
                Output::Write(entry) => Some(entry.clone()),
                Output::Dial(_) | Output::Told(_) => None,
            };
            let entries: Vec<Entry> = outputs.iter().filter_map(entries).collect();
            if !entries.is_empty() {
                run.work =
                    write(std::mem::replace(&mut run.work, Err(String::new())), entries).await;
                if let Err(why) = &run.work {
                    tracing::error!(campaign = name, why, "a campaign calls nobody any more");
                    continue;
                }
            }
            for output in outputs {
                match output {
                    Output::Write(_) => {}
                    Output::Told(event) => {
                        let campaign: Arc<str> = name.as_str().into();
                        self.announcer.tell(Announcement::Campaign { campaign, event });
                    }
                    Output::Dial(dial) => {
                        let (place, order) = (dial.place, origination(&drive, dial));
                        let (calls, wind_up) = (calls.clone(), self.wind_up.clone());
                        let name = name.clone();
                        self.calls.spawn(async move {
                            (name, place, called(order, &calls, &wind_up).await)
                        });
                    }
                }
            }
        }
    }
}

/// Writes lines down, beside the calls.
async fn write(
    work: Result<(Campaign, Journal), String>,
    entries: Vec<Entry>,
) -> Result<(Campaign, Journal), String> {
    let (campaign, mut journal) = work?;
    let written = spawn_blocking(move || journal.add(&entries).map(|()| journal)).await;
    let journal = written.map_err(|_| "its journal cannot be written".to_owned())?;
    Ok((campaign, journal.map_err(|why| format!("its journal cannot be written: {why}"))?))
}

/// Has a call begin, and waits for what comes of it.
async fn called(
    order: Origination,
    calls: &mpsc::Sender<Question>,
    wind_up: &CancellationToken,
) -> Outcome {
    let reason = || "server_shutdown".to_owned();
    let going_down = || Outcome { reason: reason(), ..Outcome::of(Fate::Interrupted) };
    if wind_up.is_cancelled() {
        return going_down();
    }
    let ((asker, begun), (reporter, outcome)) = (oneshot::channel(), oneshot::channel());
    let given = Given { reporter: Some(reporter), playbill: None };
    let question = Question::Originate(Box::new(order), asker, given);
    if calls.send(question).await.is_err() {
        return going_down();
    }
    match begun.await {
        Ok(Ok(_)) => {
            outcome.await.unwrap_or_else(|_| Outcome::unbegun("internal_error".to_owned()))
        }
        Ok(Err(why)) => Outcome::unbegun(why),
        Err(_) => going_down(),
    }
}

/// Has a call begin of which nobody waits for the end.
async fn begins(order: Origination, calls: &mpsc::Sender<Question>) -> Result<(), String> {
    let (asker, begun) = oneshot::channel();
    let given = Given { reporter: None, playbill: None };
    let question = Question::Originate(Box::new(order), asker, given);
    let going_down = || "the server is going down".to_owned();
    calls.send(question).await.map_err(|_| going_down())?;
    let call = begun.await.map_err(|_| going_down())??;
    tracing::info!(%call, "a schedule begins a call");
    Ok(())
}

fn by_itself(schedule: &Schedule, callee: &Destination) -> Origination {
    Origination {
        to: vec![callee.clone()],
        from: schedule.from.clone(),
        name: None,
        // `check` has seen that it is there.
        then: schedule.to.clone().unwrap_or_else(|| callee.clone()),
        variables: schedule.set.clone(),
        ring: schedule.ring,
        tenant: Arc::from(""),
        amd: None,
        place: None,
        parent: None,
    }
}

fn origination(drive: &Drive, dial: Dial) -> Origination {
    let written = &drive.written;
    let to = match &written.trunk {
        Some(trunk) => {
            Destination::Trunk { trunk: trunk.clone(), number: dial.number.to_e164().to_owned() }
        }
        None => Destination::Tel(dial.number),
    };
    let detect = |terms: &_| Detect { terms: Clone::clone(terms), sound: drive.sound.clone() };
    Origination {
        to: vec![to],
        from: written.from.clone(),
        name: None,
        then: written.to.clone(),
        variables: dial.variables,
        ring: written.ring,
        tenant: Arc::from(""),
        amd: written.amd.as_ref().map(detect),
        place: None,
        parent: None,
    }
}

fn look((name, run): (&String, &Run)) -> Look {
    match &run.work {
        Ok((campaign, _)) => Look {
            name: name.clone(),
            state: campaign.state(),
            counts: campaign.counts(),
            problem: None,
        },
        Err(why) => Look {
            name: name.clone(),
            state: State::Idle,
            counts: Counts::default(),
            problem: Some(why.clone()),
        },
    }
}

/// Reads a file of those who are called.
fn read(path: &Path) -> Result<String, String> {
    let wrong = |why: std::io::Error| format!("{}: {why}", path.display());
    let length = std::fs::metadata(path).map_err(wrong)?.len();
    if length > LARGEST {
        return Err(format!("{} is larger than {} MiB", path.display(), LARGEST >> 20));
    }
    std::fs::read_to_string(path).map_err(wrong)
}

/// Orders that wait for their turn.
const ORDERS: usize = 64;

/// The largest file of those who are called, in octets.
const LARGEST: u64 = 64 << 20;
