//! `voxtrunk bench signalling`: what a call costs a server from INVITE to BYE, how many it carries
//! in a second on one core, whether the cost grows with the calls that stand, and what 100,000
//! calls leave behind. The server is a process of its own on a core of its own; its callers send no
//! media, but every answer opens a media session as for any call.

pub mod caller;

use std::time::Duration;

use rustix::process::{Resource, getrlimit};
use tokio::time::sleep;

use self::caller::{Caller, Course, Tally};
use super::Figure;
use super::apart::Cores;
use super::soak::house::{House, Plan, Reading};
use crate::engine::clock;
use crate::server::console::client::{self, Client};
use crate::server::control::protocol::Ask;
use crate::server::control::view::StatusView;

/// The server and its caller.
struct Stand {
    house: House,
    caller: Caller,
    tell: fn(&str),
}

/// What calls cost.
#[derive(Debug, Clone, Copy)]
struct Cost {
    /// Processor time of the server for one call, in milliseconds.
    each: f64,
    /// Calls in a second of the clock.
    pace: f64,
    tally: Tally,
}

/// What the server holds.
#[derive(Debug, Clone)]
struct Rest {
    reading: Reading,
    sessions: u64,
    transactions: u64,
}

/// Measures.
///
/// # Errors
/// When the server does not start or dies: one sentence.
pub async fn measure(tell: fn(&str)) -> Result<Vec<Figure>, String> {
    let mut stand = Stand::raise(tell).await?;
    // What the first calls load stays loaded.
    stand.calls(2_000, Course::Whole).await?;
    let mut figures = stand.standing().await?;
    figures.extend(stand.many().await?);
    Ok(figures)
}

impl Stand {
    async fn raise(tell: fn(&str)) -> Result<Self, String> {
        let house = House::start(PLAN).await?;
        let caller = Caller::open(house.address()).map_err(|why| why.to_string())?;
        Ok(Self { house, caller, tell })
    }

    /// Makes calls, and tells what they cost the server.
    async fn calls(&mut self, count: usize, course: Course) -> Result<Cost, String> {
        let before = self.house.server.processor_time()?;
        let began = clock::now();
        let tally = self.with_caller(move |caller| caller.make(count, AT_ONCE, course)).await?;
        let lasted = began.elapsed();
        let spent = self.house.server.processor_time()?.saturating_sub(before);
        let whole = tally.whole.max(1) as f64;
        let cost = Cost {
            each: spent.as_secs_f64() * 1_000.0 / whole,
            pace: whole / lasted.as_secs_f64(),
            tally,
        };
        (self.tell)(&format!(
            "  {count:>7} calls ({course:?}): {:.3} ms each, {:.0} a second, {} lost, {} repeated",
            cost.each, cost.pace, tally.lost, tally.repeated
        ));
        Ok(cost)
    }

    /// The caller is a thread of its own while it works.
    async fn with_caller<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Caller) -> T + Send + 'static,
    ) -> Result<T, String> {
        let closed = Caller::open(self.house.address()).map_err(|why| why.to_string())?;
        let mut caller = std::mem::replace(&mut self.caller, closed);
        let worked = tokio::task::spawn_blocking(move || {
            let made = work(&mut caller);
            (caller, made)
        });
        let (caller, made) = worked.await.map_err(|why| why.to_string())?;
        self.caller = caller;
        Ok(made)
    }

    /// The cost of calls beside few and beside many that stand.
    async fn standing(&mut self) -> Result<Vec<Figure>, String> {
        let refused = self.calls(5_000, Course::Refused).await?;
        let few = self.beside(FEW).await?;
        let most = most_standing();
        let many = self.beside(most - FEW).await?;
        self.with_caller(|caller| caller.end_standing(AT_ONCE)).await?;
        let ratio = many.each / few.each;
        let lost = refused.tally.lost + few.tally.lost + many.tally.lost;
        Ok(vec![
            Figure::new("signalling.refusal", refused.each, "ms CPU").told("INVITE 486 ACK"),
            Figure::new("signalling.call", few.each, "ms CPU").at_most(0.3).told(format!(
                "INVITE 100 200 ACK BYE 200 with a media session, beside {FEW} that ring"
            )),
            Figure::new("signalling.call_beside_many", many.each, "ms CPU")
                .told(format!("beside {most} that ring")),
            Figure::new("signalling.growth", ratio, "times").at_most(1.2),
            Figure::new("signalling.calls_lost", lost as f64, "calls").at_most(0.0),
        ])
    }

    /// The cost of calls while so many more stand, without what those that stand cost by themselves.
    async fn beside(&mut self, more: usize) -> Result<Cost, String> {
        let made =
            self.with_caller(move |caller| caller.make(more, AT_ONCE, Course::Stand)).await?;
        if made.lost > 0 {
            return Err(format!("{} of {more} calls could not be made to stand", made.lost));
        }
        let idle = self.idle().await?;
        let began = clock::now();
        let cost = self.calls(MEASURED, Course::Whole).await?;
        let own = idle * began.elapsed().as_secs_f64() * 1_000.0 / MEASURED as f64;
        (self.tell)(&format!("          those that stand cost {:.1} % of a core", idle * 100.0));
        Ok(Cost { each: (cost.each - own).max(0.0), ..cost })
    }

    /// The share of a core that the server uses when nothing happens.
    async fn idle(&self) -> Result<f64, String> {
        sleep(Duration::from_secs(1)).await;
        let before = self.house.server.processor_time()?;
        let began = clock::now();
        sleep(Duration::from_secs(5)).await;
        let spent = self.house.server.processor_time()?.saturating_sub(before);
        Ok(spent.as_secs_f64() / began.elapsed().as_secs_f64())
    }

    /// What many calls leave behind, and how many there are in a second.
    async fn many(&mut self) -> Result<Vec<Figure>, String> {
        // As fast as it goes; the tables and the heap grow to the size that this needs.
        let fast = self.calls(MANY / 2, Course::Whole).await?;
        let before = self.rest().await?;
        // Each call leaves two transactions for 32 seconds: no faster than the server remembers.
        self.caller.pace(STEADY);
        let cost = self.calls(MANY, Course::Whole).await?;
        let busy = self.house.read()?;
        let after = self.rest().await?;
        let left = |after: u64, before: u64| after as f64 - before as f64;
        let grown = after.reading.memory - before.reading.memory;
        let told = format!("{:.0} MB at rest, {:.0} MB at work", after.reading.memory, busy.memory);
        let files = after.reading.files as f64 - before.reading.files as f64;
        Ok(vec![
            Figure::new("signalling.pace", fast.pace, "calls/s").at_least(2_000.0).told(format!(
                "{} calls on one core, {AT_ONCE} at once; {:.3} ms each",
                MANY / 2,
                fast.each
            )),
            Figure::new("signalling.steady", cost.each, "ms CPU")
                .told(format!("{MANY} calls, {:.0} a second", cost.pace)),
            Figure::new("signalling.lost", cost.tally.lost as f64, "calls").at_most(0.0),
            Figure::new("signalling.memory_left", grown, "MB").at_most(8.0).told(told),
            Figure::new("signalling.files_left", files, "open").at_most(0.0),
            Figure::new("signalling.sessions_left", left(after.sessions, 0), "sessions")
                .at_most(0.0),
            Figure::new("signalling.timers_left", left(after.transactions, 0), "transactions")
                .at_most(0.0),
        ])
    }

    /// Waits until every timer of the calls ran out (32 s, RFC 3261 17), and looks what is left.
    async fn rest(&self) -> Result<Rest, String> {
        let limit = clock::now() + Duration::from_secs(60);
        loop {
            let status = self.status()?;
            let is_quiet = status.sip.transactions == 0 && status.sip.sessions == 0;
            if is_quiet || clock::now() > limit {
                let (sessions, transactions) = (status.sip.sessions, status.sip.transactions);
                return Ok(Rest { reading: self.house.read()?, sessions, transactions });
            }
            sleep(Duration::from_secs(1)).await;
        }
    }

    fn status(&self) -> Result<StatusView, String> {
        let path = self.house.path("control.sock");
        let mut client = Client::connect(&path).map_err(|why| why.to_string())?;
        let answer = client.ask(Ask::Status).map_err(|why| why.to_string())?;
        client::read(answer).map_err(|why| why.to_string())
    }
}

/// How many calls may stand: two sockets each, as far as there may be open files, with room for
/// those that are measured beside them.
fn most_standing() -> usize {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let fitting = usize::try_from(limit.saturating_sub(2_000) / 2).unwrap_or(MANY_STANDING);
    fitting.clamp(FEW + 1, MANY_STANDING)
}

/// Few standing calls.
const FEW: usize = 100;

/// Many standing calls.
const MANY_STANDING: usize = 10_000;

/// How many calls are measured beside those that stand.
const MEASURED: usize = 10_000;

/// How many calls must leave nothing behind.
const MANY: usize = 100_000;

/// How many of them begin in a second.
const STEADY: usize = 2_200;

/// How many calls are under way at any time.
const AT_ONCE: usize = 64;

const PLAN: Plan = Plan {
    name: "calls",
    settings: r#"
[server]
name      = "voxtrunk-calls"
data_dir  = "../data"
dialplans = "../dialplans"
models    = MODELS

[sip]
max_calls = 15000

[[sip.listen]]
transport = "udp"
bind      = "ADDRESS"

[rtp]
ports   = "2000-31999"
timeout = "1h"

[control]
socket = "../control.sock"

[trunks.carrier]
inbound = { allow = ["127.0.0.1"] }
"#,
    dialplan: r#"
[[route]]
did = "echo"
to  = "echo"

[[route]]
did = "ring"
to  = "noanswer"

[[route]]
to  = "busy"
"#,
    cores: Cores::First,
};
