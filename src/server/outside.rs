//! A model outside has a call: its tools are run, what is said goes into the record, and it may send
//! the caller on or hang up.

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::agent::event::{Note, TurnId};
use crate::agent::tool::{Tool, ToolCall, ToolResult, names};
use crate::call::briefing::Refer;
use crate::call::event::Input;
use crate::call::outside::{Charge, News};
use crate::call::transfer;
use crate::engine::clock;
use crate::engine::entrusted::Trust;
use crate::providers::realtime::{Ends, Errand, Told};

/// One that leads a call.
struct Lead {
    trust: Trust,
    results: mpsc::Sender<ToolResult>,
    tools: JoinSet<ToolResult>,
    turn: u64,
}

/// Has a model take a call that waits there by this name, and stays with it to its end.
pub async fn lead(trust: Trust, there: String) {
    let crew = trust.crew.as_ref().and_then(|crew| crew.duplex.as_ref());
    let Some(model) = crew.and_then(|duplex| duplex.who.outside()) else {
        tracing::error!(agent = trust.charge.casting.name, "the agent takes no calls by SIP");
        return tell(&trust, News::Failed).await;
    };
    let (told, mut tells) = mpsc::channel(AHEAD);
    let (results, given) = mpsc::channel(AHEAD);
    let ends = Ends { told, results: given };
    let mut work = model.take(there, errand(&trust), ends);
    let mut lead = Lead { trust, results, tools: JoinSet::new(), turn: 0 };
    let gone = lead.trust.mailbox.clone();
    loop {
        tokio::select! {
            biased;
            () = gone.gone() => return,
            Some(told) = tells.recv() => lead.heard(told).await,
            Some(Ok(result)) = lead.tools.join_next() => lead.ran(result).await,
            ended = &mut work => {
                if let Err(why) = ended {
                    tracing::warn!(%why, "a model outside does not take a call");
                    tell(&lead.trust, News::Failed).await;
                }
                break;
            }
        }
    }
    // What it said last.
    while let Ok(told) = tells.try_recv() {
        lead.heard(told).await;
    }
}

impl Lead {
    async fn heard(&mut self, told: Told) {
        let now = clock::now();
        let news = match told {
            Told::Taken => News::Taken(self.trust.charge.casting.name.clone()),
            Told::Heard(text) => {
                self.turn += 1;
                let (turn, keys) = (TurnId(self.turn), String::new());
                News::Noted(Note::CallerSaid { turn, since: now, text, keys })
            }
            Told::Spoke { text, interrupted } => {
                let turn = TurnId(self.turn);
                News::Noted(Note::AgentSaid { turn, since: now, text, interrupted })
            }
            Told::Wants(call) => return self.wants(call).await,
            Told::Over => News::Over,
        };
        tell(&self.trust, news).await;
    }

    /// Runs a tool, or sends the caller on. What the model was not offered, it does not get.
    async fn wants(&mut self, call: ToolCall) {
        tell(&self.trust, News::Noted(Note::ToolCalled(call.clone()))).await;
        let charge = &self.trust.charge;
        if !offered(&self.trust).any(|tool| tool.name == call.name) {
            let result = call.failed("there is no such tool");
            return self.ran(result).await;
        }
        if call.name == names::TRANSFER_CALL {
            let result = match sent(charge, &call) {
                Ok(input) => {
                    self.trust.mailbox.deliver(input).await.ok();
                    call.done("the caller is being connected")
                }
                Err(result) => result,
            };
            return self.ran(result).await;
        }
        let work = self.trust.tools.used(call, charge.opening.scope.clone());
        self.tools.spawn(work.finished());
    }

    async fn ran(&mut self, result: ToolResult) {
        let note = Note::ToolDone { id: result.id.clone(), failed: result.failed };
        tell(&self.trust, News::Noted(note)).await;
        // One that is not led any more needs no result.
        self.results.send(result).await.ok();
    }
}

/// Where the caller goes, as one of the agent's own destinations.
fn sent(charge: &Charge, call: &ToolCall) -> Result<Input, ToolResult> {
    let assistant = &charge.casting.assistant;
    let (_, escort) = transfer::target(call, assistant, Refer::Never)?;
    let name = call.argument("to").unwrap_or_default();
    let to = assistant.transfers.get(&name).map(|transfer| transfer.to.clone());
    let to = to.ok_or_else(|| call.failed("nobody can be reached there"))?;
    Ok(Input::Send { to, escort })
}

fn errand(trust: &Trust) -> Errand {
    let Charge { casting, opening, .. } = &trust.charge;
    Errand {
        instructions: opening.instructions.clone(),
        first_message: opening.first_message.clone(),
        tools: offered(trust).cloned().collect(),
        language: casting.assistant.spoken_language(),
    }
}

/// The tools that a model outside may call: the operator's, but for those before which the caller
/// must be asked, and what every agent can.
fn offered(trust: &Trust) -> impl Iterator<Item = &Tool> {
    let Charge { casting, opening, .. } = &trust.charge;
    opening.tools.iter().filter(move |tool| {
        let is_asked = casting.handlings.get(&tool.name).is_some_and(|it| it.confirm.is_some());
        let is_ours = trust.tools.get(&tool.name).is_some() && !is_asked;
        is_ours || [names::END_CALL, names::TRANSFER_CALL].contains(&tool.name.as_str())
    })
}

async fn tell(trust: &Trust, news: News) {
    // A call that is gone needs no news.
    trust.mailbox.deliver(Input::Outside(news)).await.ok();
}

/// How much may wait on either side.
const AHEAD: usize = 64;
