//! What an operator makes of a call that is up: it is sent somewhere, or waits, its agent says
//! something, keys are pressed.

use crate::base::destination::{Destination, Mode};
use crate::call::event::Input;
use crate::call::overview::{Doing, Overview};
use crate::call::transfer::{Brief, Escort};
use crate::media::event::Digit;
use crate::server::control::clerk::{Clerk, ended, inquire};
use crate::server::control::protocol::{Fault, FaultCode, Hold, Press, Say, Transfer};
use crate::server::control::view::{HeldView, PressedView, SentView, ToldView};

impl Clerk {
    /// Sends the near side of a call somewhere.
    pub(super) async fn transfer(&self, order: &Transfer) -> Result<SentView, Fault> {
        let (to, escort) = wanted(order)?;
        let (call, mailbox) = self.find(&order.id).await?;
        let overview = inquire(&mailbox).await.ok_or_else(|| ended(call))?;
        if let Some(why) = objection(&overview, escort.mode) {
            return Err(impossible(format!("{call}: {why}")));
        }
        let written = to.to_string();
        tracing::info!(%call, pii.to = written, "an operator sends a caller somewhere");
        mailbox.deliver(Input::Send { to, escort }).await.map_err(|_| ended(call))?;
        Ok(SentView { id: call.to_string(), to: written })
    }

    /// Lets the near side of a call wait, with music, or takes it back.
    pub(super) async fn hold(&self, order: &Hold) -> Result<HeldView, Fault> {
        let (call, mailbox) = self.find(&order.id).await?;
        let overview = inquire(&mailbox).await.ok_or_else(|| ended(call))?;
        if !matches!(overview.doing, Doing::Agent | Doing::Bridged) {
            let doing = overview.doing.name();
            return Err(impossible(format!("{call}: nobody talks in it who could wait ({doing})")));
        }
        let on_hold = order.on_hold;
        tracing::info!(%call, on_hold, "an operator lets a caller wait, or takes it back");
        mailbox.deliver(Input::Hold(on_hold)).await.map_err(|_| ended(call))?;
        let overview = inquire(&mailbox).await.ok_or_else(|| ended(call))?;
        match overview.on_hold == on_hold {
            true => Ok(HeldView { id: call.to_string(), on_hold }),
            false => Err(impossible(format!("{call}: it is not up, or on its way elsewhere"))),
        }
    }

    /// Has the agent of a call say something.
    pub(super) async fn say(&self, order: &Say) -> Result<ToldView, Fault> {
        let text = order.text.trim().to_owned();
        if text.is_empty() || text.chars().count() > LONGEST_LINE {
            return Err(impossible(format!("what is said has 1 to {LONGEST_LINE} letters")));
        }
        let (call, mailbox) = self.find(&order.id).await?;
        let overview = inquire(&mailbox).await.ok_or_else(|| ended(call))?;
        let Some(agent) = overview.agent.filter(|_| overview.doing == Doing::Agent) else {
            let doing = overview.doing.name();
            return Err(impossible(format!("{call}: no agent has the line ({doing})")));
        };
        tracing::info!(%call, ends = order.end, "an operator has an agent say something");
        let input = Input::Say { text, ends: order.end };
        mailbox.deliver(input).await.map_err(|_| ended(call))?;
        Ok(ToldView { id: call.to_string(), agent })
    }

    /// Presses keys in a call.
    pub(super) async fn press(&self, order: &Press) -> Result<PressedView, Fault> {
        let digits: Option<Vec<Digit>> = order.digits.chars().map(Digit::new).collect();
        let fits = |digits: &Vec<Digit>| (1..=MOST_KEYS).contains(&digits.len());
        let Some(digits) = digits.filter(fits) else {
            let text = format!("keys are 0 to 9, *, # and A to D, and 1 to {MOST_KEYS} of them");
            return Err(impossible(text));
        };
        let (call, mailbox) = self.find(&order.id).await?;
        let pressed = digits.len();
        tracing::info!(%call, pressed, "an operator presses keys");
        mailbox.deliver(Input::Press(digits)).await.map_err(|_| ended(call))?;
        Ok(PressedView { id: call.to_string(), digits: pressed })
    }
}

/// Where a call is to go, and how.
fn wanted(order: &Transfer) -> Result<(Destination, Escort), Fault> {
    let text = order.to.trim();
    let is_named = text.contains(':') || WHOLE.contains(&text);
    let written = if is_named { text.to_owned() } else { format!("phone:{text}") };
    let to: Destination = written.parse().map_err(|why| impossible(format!("{why}")))?;
    if matches!(to, Destination::Webhook(_) | Destination::Drill(_)) {
        return Err(impossible(format!("`{text}` is nothing that takes over a call")));
    }
    if !order.mode.fits(&to) {
        return Err(impossible(format!("nobody could be asked at `{text}`")));
    }
    let brief = order.brief.as_deref().map(str::trim).filter(|brief| !brief.is_empty());
    if brief.is_some_and(|brief| brief.chars().count() > LONGEST_LINE) {
        return Err(impossible(format!("`brief` has {LONGEST_LINE} letters at most")));
    }
    let escort = Escort::new(order.mode, brief.map(str::to_owned), None);
    if brief.is_some() && !matches!(escort.brief, Some(Brief::Words(_))) {
        return Err(impossible("`brief` is told in a warm transfer only".to_owned()));
    }
    Ok((to, escort))
}

/// Why a call cannot be sent anywhere now.
fn objection(overview: &Overview, mode: Mode) -> Option<String> {
    match overview.doing {
        Doing::Bridged if mode == Mode::Warm => {
            Some("two people talk: only an agent or a queue tells who is calling".to_owned())
        }
        Doing::Agent
        | Doing::Bridged
        | Doing::Conference
        | Doing::Queued
        | Doing::Stream
        | Doing::Voicemail => None,
        Doing::Dialling | Doing::Referring | Doing::Transferring | Doing::Drill | Doing::Ending => {
            let doing = overview.doing.name();
            Some(format!("it is on its way already, or nobody has it ({doing})"))
        }
    }
}

fn impossible(text: String) -> Fault {
    Fault::new(FaultCode::Impossible, text)
}

/// Destinations of one word.
const WHOLE: [&str; 3] = ["busy", "hangup", "reject"];

/// How many letters an agent is given to say at once.
const LONGEST_LINE: usize = 1_000;

/// How many keys are pressed at once.
const MOST_KEYS: usize = 64;
