//! How the caller's turn sounds: the part of the ear that keeps its last seconds and asks the turn
//! model about them.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::mpsc;

use crate::agent::event::PauseId;
use crate::agent::judgement::Judgement;
use crate::audio::frame::Frame;
use crate::providers::turn_model::{Judging, LONGEST, TurnModel};

/// Asks for one call.
pub struct Judge {
    judging: Option<Box<dyn Judging>>,
    /// The end of the present turn, at 16 kHz.
    turn: VecDeque<i16>,
    answers: mpsc::Sender<Judgement>,
    judgements: mpsc::Receiver<Judgement>,
}

impl Default for Judge {
    fn default() -> Self {
        let (answers, judgements) = mpsc::channel(ANSWERS);
        Self { judging: None, turn: VecDeque::new(), answers, judgements }
    }
}

impl Judge {
    /// Another agent takes over, perhaps without a turn model.
    pub fn engage(&mut self, model: Option<&Arc<dyn TurnModel>>) {
        self.forget();
        self.judging = model.map(|model| model.open(self.answers.clone()));
    }

    /// Keeps a frame of the turn.
    pub fn hear(&mut self, frame: &Frame) {
        if self.judging.is_none() {
            return;
        }
        self.turn.extend(&frame.samples);
        self.turn.drain(..self.turn.len().saturating_sub(LONGEST));
    }

    /// Asks about a pause.
    pub fn ask(&mut self, pause: PauseId) {
        if let Some(judging) = &mut self.judging {
            judging.ask(pause, self.turn.iter().copied().collect());
        }
    }

    /// The turn is over: its sound goes, and with it the question.
    pub fn forget(&mut self) {
        // Eight seconds are a quarter of a megabyte: nobody keeps them while the agent speaks.
        self.turn = VecDeque::new();
        if let Some(judging) = &mut self.judging {
            judging.forget();
        }
    }

    /// Waits for the next answer.
    pub async fn answer(&mut self) -> Option<Judgement> {
        self.judgements.recv().await
    }
}

/// How many answers may wait for the ear.
const ANSWERS: usize = 4;

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::agent::judgement::Likelihood;
    use crate::audio::frame::Rate;

    /// Answers every question at once, and keeps the turns that it was asked about.
    #[derive(Default)]
    struct Sure(Arc<Mutex<Vec<Vec<i16>>>>);

    struct Call(Arc<Mutex<Vec<Vec<i16>>>>, mpsc::Sender<Judgement>);

    impl TurnModel for Sure {
        fn open(&self, answers: mpsc::Sender<Judgement>) -> Box<dyn Judging> {
            Box::new(Call(self.0.clone(), answers))
        }
    }

    impl Judging for Call {
        fn ask(&mut self, pause: PauseId, turn: Vec<i16>) {
            self.0.lock().unwrap().push(turn);
            self.1.try_send(Judgement { pause, complete: Likelihood::of(0.9) }).unwrap();
        }

        fn forget(&mut self) {}
    }

    fn frame(sample: i16) -> Frame {
        Frame::new(Rate::WIDE, vec![sample; 320])
    }

    #[tokio::test]
    async fn the_model_hears_the_last_eight_seconds_of_the_turn_and_nothing_of_the_one_before() {
        let asked = Arc::default();
        let model: Arc<dyn TurnModel> = Arc::new(Sure(Arc::clone(&asked)));
        let mut judge = Judge::default();
        judge.engage(Some(&model));
        judge.hear(&frame(1));
        judge.forget();
        judge.hear(&frame(2));
        judge.ask(PauseId(4));
        for _ in 0..400 {
            judge.hear(&frame(3));
        }
        judge.ask(PauseId(5));
        assert_eq!(judge.answer().await.map(|it| it.pause), Some(PauseId(4)));
        assert_eq!(judge.answer().await.map(|it| it.pause), Some(PauseId(5)));
        assert_eq!(*asked.lock().unwrap(), [vec![2; 320], vec![3; LONGEST]]);
    }

    #[test]
    fn without_a_model_nothing_is_kept() {
        let mut judge = Judge::default();
        judge.hear(&frame(1));
        judge.ask(PauseId(1));
        assert!(judge.turn.is_empty() && judge.judgements.try_recv().is_err());
    }
}
