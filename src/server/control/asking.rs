//! How the owners of a server are asked.

use serde::Serialize;
use serde_json::Value;
use tokio::sync::oneshot;

use crate::engine::sip_shard::{Order, Question, SipHandle};
use crate::server::control::protocol::{Fault, FaultCode};

/// Asks the SIP shard.
///
/// # Errors
/// When it is there no more.
pub async fn ask_shard<T>(
    sip: &SipHandle,
    question: impl FnOnce(oneshot::Sender<T>) -> Question,
) -> Result<T, Fault> {
    let (asker, answer) = oneshot::channel();
    sip.order(Order::Ask(question(asker))).await;
    answer.await.map_err(|_| going_down())
}

/// There is nobody to answer any more.
pub fn going_down() -> Fault {
    Fault::new(FaultCode::Busy, "the server is going down")
}

/// The JSON of what is shown.
pub fn json(view: &impl Serialize) -> Value {
    serde_json::to_value(view).expect("a view has text for keys and no number that is none")
}
