//! What calls cost that only carry audio, beside an echo that does nothing else; whether their
//! packets leave in time, beside a timer that does nothing else; and whether it grows as they do.

mod bare;
mod stream;

use std::time::Duration;

use self::bare::{Echo, Timer};
use self::stream::{Heard, Stream};
use super::apart::Cores;
use super::calls::caller::{Caller, Course};
use super::soak::house::{House, Plan};
use super::{Figure, quantile};
use crate::engine::clock;

/// What one crowd cost.
#[derive(Debug)]
struct Crowd {
    calls: usize,
    /// The share of a core.
    share: f64,
    heard: Heard,
}

/// Measures.
///
/// # Errors
/// When the server does not start or dies: one sentence.
pub async fn measure() -> Result<Vec<Figure>, String> {
    let bare = bare(MANY)?;
    let mut crowds = Vec::new();
    let mut house = House::start(PLAN).await?;
    let (empty, idle) = standing(&mut house, MOST).await?;
    let mut echoes = crowd(&mut house, (Course::Echo, MANY)).await?;
    let mut timer = Timer::start();
    for calls in STEPS {
        crowds.push(crowd(&mut house, (Course::Tone, calls)).await?);
    }
    let beside = timer.stop();
    let hundred = crowds.iter().position(|crowd| crowd.calls == MANY).ok_or("no crowd")?;
    let fit = Fit::of(&crowds);
    let tone = &mut crowds[hundred];
    let late = quantile(&tone.heard.late, 0.999);
    let per_call = |share: f64, calls: usize| 100.0 * share / calls as f64;
    let per_packet = |crowd: &Crowd| crowd.share / crowd.heard.packets.max(1) as f64;
    Ok(vec![
        Figure::new("media.bare_echo", per_call(bare.share, MANY), "% of a core")
            .told(format!("a call of a single thread that sends {MANY} streams back")),
        Figure::new("media.leg", per_call(tone.share, MANY), "% of a core")
            .told(format!("G.711 with playout, no VAD; {MANY} calls, the server on one core")),
        Figure::new("media.leg_ratio", per_packet(tone) / per_packet(&bare), "times")
            .at_most(1.6)
            .told("a leg with playout against the bare echo"),
        Figure::new("media.echo_ratio", per_packet(&echoes) / per_packet(&bare), "times")
            .told("an echo by the server against the bare echo"),
        Figure::new("media.turnaround", quantile(&echoes.heard.turned(), 0.5), "ms")
            .at_most(1.0)
            .told("a packet to the server's echo and back, median"),
        Figure::new("media.late_p999", late, "ms")
            .told(format!("of {} packets, at the caller's", tone.heard.late.len())),
        Figure::new("media.late_ratio", late / quantile(&beside, 0.999), "times")
            .at_most(1.5)
            .told(format!(
                "against a bare timer beside it: {:.2} ms at p99.9",
                quantile(&beside, 0.999)
            )),
        Figure::new("media.idle_call", idle, "KB").at_most(100.0).told(format!(
            "resident memory of each of {MOST} calls without audio; {empty:.0} MB before"
        )),
        Figure::new("media.fit_slope", fit.slope * 100.0, "% of a core").told(fit.in_words()),
        Figure::new("media.fit_r2", fit.r2, "").at_least(0.99),
    ])
}

/// The cost of a bare echo for so many streams.
fn bare(calls: usize) -> Result<Crowd, String> {
    let echo = Echo::start(calls).map_err(|why| why.to_string())?;
    let mut stream = Stream::open().map_err(|why| why.to_string())?;
    let heard = stream.run(echo.ports(), LASTS);
    Ok(Crowd { calls, share: echo.stop().as_secs_f64() / LASTS.as_secs_f64(), heard })
}

/// The memory without calls in MB, and that of each of so many calls without audio in KB.
async fn standing(house: &mut House, calls: usize) -> Result<(f64, f64), String> {
    let (mut caller, stream) = guests(house)?;
    // The heap grows once for the tables of so many.
    let address = stream.port();
    let worked = tokio::task::spawn_blocking(move || {
        let ports = caller.invite(calls, (Course::Echo, address));
        (caller, ports)
    });
    let before = house.server.memory()?;
    let (mut caller, ports) = worked.await.map_err(|why| why.to_string())?;
    let grown = (house.server.memory()? - before) * 1_024.0 / ports.len().max(1) as f64;
    tokio::task::spawn_blocking(move || caller.end_talks()).await.map_err(|why| why.to_string())?;
    Ok((before, grown))
}

/// The cost of so many calls that send and hear audio.
async fn crowd(house: &mut House, (course, calls): (Course, usize)) -> Result<Crowd, String> {
    let (mut caller, mut stream) = guests(house)?;
    let address = stream.port();
    let worked = tokio::task::spawn_blocking(move || {
        let ports = caller.invite(calls, (course, address));
        (caller, ports)
    });
    let (mut caller, ports) = worked.await.map_err(|why| why.to_string())?;
    if ports.len() < calls {
        return Err(format!("{} of {calls} calls were answered", ports.len()));
    }
    let (before, began) = (house.server.processor_time()?, clock::now());
    let heard = tokio::task::spawn_blocking(move || stream.run(ports, LASTS));
    let heard = heard.await.map_err(|why| why.to_string())?;
    let spent = house.server.processor_time()?.saturating_sub(before);
    let share = spent.as_secs_f64() / began.elapsed().as_secs_f64();
    tokio::task::spawn_blocking(move || caller.end_talks()).await.map_err(|why| why.to_string())?;
    Ok(Crowd { calls, share, heard })
}

fn guests(house: &House) -> Result<(Caller, Stream), String> {
    let caller = Caller::open(house.address()).map_err(|why| why.to_string())?;
    Ok((caller, Stream::open().map_err(|why| why.to_string())?))
}

/// A straight line through what the crowds cost.
#[derive(Debug, Clone, Copy)]
struct Fit {
    slope: f64,
    base: f64,
    /// How much of the differences it explains, 0 to 1.
    r2: f64,
}

impl Fit {
    /// The line of least squares.
    fn of(crowds: &[Crowd]) -> Self {
        let points = crowds.iter().map(|crowd| (crowd.calls as f64, crowd.share));
        let points: Vec<(f64, f64)> = points.collect();
        let count = points.len().max(1) as f64;
        let mean_x = points.iter().map(|(x, _)| x).sum::<f64>() / count;
        let mean_y = points.iter().map(|(_, y)| y).sum::<f64>() / count;
        let xx: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
        let xy: f64 = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
        let yy: f64 = points.iter().map(|(_, y)| (y - mean_y).powi(2)).sum();
        let slope = xy / xx;
        Self { slope, base: mean_y - slope * mean_x, r2: xy * xy / (xx * yy) }
    }

    fn in_words(self) -> String {
        let steps: Vec<String> = STEPS.iter().map(usize::to_string).collect();
        format!(
            "a call more, from {} calls; {:.2} % without any",
            steps.join(", "),
            self.base * 100.0
        )
    }
}

/// The crowd whose figures are told.
const MANY: usize = 100;

/// The crowds that make the line.
const STEPS: [usize; 5] = [1, 30, MANY, 300, MOST];

/// The largest.
const MOST: usize = 1_000;

/// How long each is heard.
const LASTS: Duration = Duration::from_secs(10);

const PLAN: Plan = Plan {
    name: "crowd",
    settings: r#"
[server]
name      = "voxtrunk-crowd"
data_dir  = "../data"
dialplans = "../dialplans"
models    = MODELS

[sip]
max_calls = 2000

[[sip.listen]]
transport = "udp"
bind      = "ADDRESS"

[rtp]
ports   = "2000-31999"
timeout = "1h"

[trunks.carrier]
inbound = { allow = ["127.0.0.1"] }
"#,
    dialplan: r#"
[[route]]
did = "tone"
to  = "tone"

[[route]]
to  = "echo"
"#,
    cores: Cores::First,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_through_points_on_a_line_is_that_line() {
        let crowd = |calls: usize| Crowd {
            calls,
            share: 0.01 + 0.002 * calls as f64,
            heard: Heard::default(),
        };
        let fit = Fit::of(&[crowd(1), crowd(10), crowd(100)]);
        assert!((fit.slope - 0.002).abs() < 1e-9 && (fit.base - 0.01).abs() < 1e-9, "{fit:?}");
        assert!(fit.r2 > 0.999_999, "{fit:?}");
    }
}
