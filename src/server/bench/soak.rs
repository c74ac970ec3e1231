//! `voxtrunk bench soak`: good calls and hostile traffic against a server of its own, for as long
//! as somebody likes; it tells whether a call was lost and whether anything grew.

mod good;
mod hostile;
mod house;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep_until;

use self::house::{House, Reading};
use super::{Figure, median};
use crate::engine::clock;

/// What happened so far, counted by whoever does it.
#[derive(Debug, Default)]
pub struct Tally {
    /// Calls that were answered and ended as they should.
    pub whole: AtomicU64,
    /// Calls that were not.
    pub lost: AtomicU64,
    /// Hostile datagrams, connections and half calls.
    pub hostile: AtomicU64,
}

impl Tally {
    fn add(count: &AtomicU64) {
        count.fetch_add(1, Ordering::Relaxed);
    }

    fn of(count: &AtomicU64) -> u64 {
        count.load(Ordering::Relaxed)
    }
}

/// Lets calls and hostility go on for `span`, prints a line now and then, and gives the figures.
///
/// # Errors
/// When the server does not start or dies: one sentence.
pub async fn measure(span: Duration, tell: fn(&str)) -> Result<Vec<Figure>, String> {
    let house = House::start().await?;
    let tally = Arc::new(Tally::default());
    // What the first call loads stays loaded.
    good::converse(&house.target()?, &tally).await?;
    let end = clock::now() + span;
    let mut work = JoinSet::new();
    for at in 0..2_u8 {
        work.spawn(good::conversations(house.target()?, tally.clone(), end, at));
    }
    work.spawn(good::signalling(house.address(), tally.clone(), end));
    hostile::begin(&mut work, house.address(), &tally, end);

    let step = (span / 20).max(Duration::from_secs(1));
    let mut readings = Vec::new();
    tell("     s   whole   lost   hostile    MB  sockets  files  threads");
    let began = clock::now();
    while clock::now() < end {
        sleep_until((clock::now() + step).min(end).into()).await;
        let reading = house.read()?;
        tell(&line(began.elapsed(), &tally, &reading));
        readings.push(reading);
    }
    while work.join_next().await.is_some() {}
    let after = quiet(&house).await?;
    tell(&line(began.elapsed(), &tally, &after));
    good::converse(&house.target()?, &tally).await?;
    Ok(figures(&tally, &readings, &after))
}

/// Waits until every call is over, at most three minutes: a call that nobody acknowledges or feeds
/// ends by its timers.
async fn quiet(house: &House) -> Result<Reading, String> {
    let limit = clock::now() + Duration::from_secs(180);
    loop {
        let reading = house.read()?;
        if reading.sockets <= 1 || clock::now() > limit {
            return Ok(reading);
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

fn line(at: Duration, tally: &Tally, reading: &Reading) -> String {
    let [whole, lost, hostile] = [&tally.whole, &tally.lost, &tally.hostile].map(Tally::of);
    let Reading { memory, sockets, files, threads } = reading;
    let seconds = at.as_secs();
    format!(
        "{seconds:>6}{whole:>8}{lost:>7}{hostile:>10}{memory:>6.0}{sockets:>9}{files:>7}{threads:>9}"
    )
}

fn figures(tally: &Tally, readings: &[Reading], after: &Reading) -> Vec<Figure> {
    let memory: Vec<f64> = readings.iter().map(|it| it.memory).collect();
    let quarter = (memory.len() / 4).max(1);
    let early = median(memory.get(quarter..quarter * 2).unwrap_or(&memory));
    let late = median(memory.get(memory.len().saturating_sub(quarter)..).unwrap_or(&memory));
    let whole = Tally::of(&tally.whole) as f64;
    let detail = format!("{early:.0} MB in the second quarter, {late:.0} MB in the last");
    vec![
        Figure::new("soak.calls_whole", whole, "calls"),
        Figure::new("soak.calls_lost", Tally::of(&tally.lost) as f64, "calls").at_most(0.0),
        Figure::new("soak.hostile", Tally::of(&tally.hostile) as f64, "acts"),
        Figure::new("soak.memory_growth", late - early, "MB").at_most(8.0).told(detail),
        Figure::new("soak.media_sockets_left", after.sockets as f64 - 1.0, "sockets")
            .at_most(0.0)
            .told("UDP sockets beside the one for signalling, when everybody has gone"),
        Figure::new("soak.files_left", after.files as f64, "open").told("files and sockets"),
    ]
}
