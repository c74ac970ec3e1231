//! How calls that begin are given another playbill.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};

use crate::engine::campaigns::{self, CampaignsHandle};
use crate::engine::playbill::Playbill;
use crate::engine::queues::{self, QueuesHandle};
use crate::engine::roll::Question;
use crate::engine::sip_shard::{Order, SipHandle};

/// Those who hold a playbill.
#[derive(Debug, Clone)]
pub struct Holders {
    /// The supervisor.
    pub calls: mpsc::Sender<Question>,
    /// The signalling, which routes texts.
    pub sip: SipHandle,
    /// Those who hold the queues.
    pub queues: QueuesHandle,
    /// Those who run campaigns.
    pub campaigns: CampaignsHandle,
    /// Who brings messages.
    pub postman: watch::Sender<Arc<Playbill>>,
}

impl Holders {
    /// Gives them another playbill: when this returns, the next call begins with it.
    pub async fn give(&self, playbill: Arc<Playbill>) {
        let (asker, done) = oneshot::channel();
        self.sip.order(Order::Brief(playbill.briefing.clone())).await;
        let queues = queues::Order::Know(playbill.briefing.clone());
        self.queues.send(queues).await.ok();
        self.campaigns.send(campaigns::Order::Know(playbill.clone())).await.ok();
        self.postman.send_replace(playbill.clone());
        // A server that goes down takes no calls any more.
        if self.calls.send(Question::Change(playbill, asker)).await.is_ok() {
            done.await.ok();
        }
    }
}
