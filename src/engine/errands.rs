//! Errands: work that is begun in a call and finished when the call is over, because half of it
//! would be worse. Each ends by itself; a server that stops waits for them a little.

use futures_util::future::BoxFuture;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Something to be finished.
pub type Errand = BoxFuture<'static, ()>;

/// Who runs errands.
#[derive(Debug)]
pub struct Errands(mpsc::Receiver<Errand>);

/// Where errands are given.
#[derive(Debug, Clone)]
pub struct ErrandsHandle(mpsc::Sender<Errand>);

impl ErrandsHandle {
    /// Gives an errand; gives it back when there are too many.
    ///
    /// # Errors
    /// With the errand: whoever has it runs it as long as it can.
    pub fn give(&self, errand: Errand) -> Result<(), Errand> {
        self.0.try_send(errand).map_err(mpsc::error::TrySendError::into_inner)
    }
}

impl Errands {
    /// Makes somebody who runs errands.
    pub fn new() -> (Self, ErrandsHandle) {
        let (sender, receiver) = mpsc::channel(WAITING);
        (Self(receiver), ErrandsHandle(sender))
    }

    /// Runs errands until it is told to stop, and those that are under way to their end.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut running = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(done) = running.join_next(), if !running.is_empty() => told(done),
                errand = self.0.recv(), if running.len() < AT_ONCE => match errand {
                    Some(errand) => {
                        running.spawn(errand);
                    }
                    None => break,
                },
            }
        }
        while let Some(done) = running.join_next().await {
            told(done);
        }
    }
}

fn told(done: Result<(), tokio::task::JoinError>) {
    if let Err(why) = done {
        tracing::error!(%why, "an errand of a call broke");
    }
}

/// How many errands run at once.
const AT_ONCE: usize = 256;

/// How many may wait.
const WAITING: usize = 256;

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn an_errand_is_finished_although_it_is_time_to_stop() {
        let (errands, handle) = Errands::new();
        let stop = CancellationToken::new();
        let (begun, has_begun) = oneshot::channel();
        let (go, may_go) = oneshot::channel::<()>();
        let (done, is_done) = oneshot::channel();
        let errand = async move {
            begun.send(()).ok();
            may_go.await.ok();
            done.send(7).ok();
        };
        assert!(handle.give(errand.boxed()).is_ok());
        let running = tokio::spawn(errands.run(stop.clone()));
        has_begun.await.expect("it begins");
        stop.cancel();
        go.send(()).expect("it waits");
        running.await.expect("it ends");
        assert_eq!(is_done.await, Ok(7));
        assert!(handle.give(std::future::ready(()).boxed()).is_err(), "nobody is there");
    }
}
