//! The seam of turn models: how a turn sounded in, how likely it is complete out.

use tokio::sync::mpsc;

use crate::agent::event::PauseId;
use crate::agent::judgement::Judgement;

/// Tells from the sound of a caller's turn whether it is complete; shared by all calls.
pub trait TurnModel: Send + Sync {
    /// Begins to judge for one call. Answers go to `answers`, which is bounded: one that finds it
    /// full is dropped.
    fn open(&self, answers: mpsc::Sender<Judgement>) -> Box<dyn Judging>;
}

/// One call being judged. Every method returns at once: the work is done elsewhere. A question may
/// stay without an answer, when there is too much to do. Dropping it ends the work.
pub trait Judging: Send {
    /// Asks about a pause. `turn` is the sound of the turn until now at 16 kHz, the silence since
    /// the last word included; of more than [`LONGEST`] samples the last ones count. A question
    /// that still waits is replaced.
    fn ask(&mut self, pause: PauseId, turn: Vec<i16>);

    /// Nobody waits for an answer any more.
    fn forget(&mut self);
}

/// How much of a turn is heard: 8 s at 16 kHz.
pub const LONGEST: usize = 8 * 16_000;
