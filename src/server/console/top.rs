//! `voxtrunk call top`: the calls that are up, as they come and go; how fast agents answer, how lines sound,
//! how trunks stand. Keys choose a call, show what is said in it, and hang it up.

mod board;
mod picture;

use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use ratatui::crossterm::event::{self, Event, KeyEventKind};
use serde_json::Value;

use crate::engine::clock;
use crate::server::console::client::{self, Client, ClientError};
use crate::server::console::command::{Target, Trouble, fail};
use crate::server::control::protocol::{Ask, HangUp};
use crate::server::control::view::{CallView, List, StatusView, TrunkView};

use self::board::{Board, Wish};

/// Shows them until somebody leaves.
pub fn run(target: &Target) -> ExitCode {
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        eprintln!(
            "voxtrunk: `call top` is for terminals; `voxtrunk call list --json` is for programs"
        );
        return ExitCode::from(2);
    }
    let opened = target.connect().and_then(|client| Ok((client, events(target)?)));
    let (client, events) = match opened {
        Ok(opened) => opened,
        Err(trouble) => return fail(&trouble),
    };
    let shown = ratatui::run(|terminal| {
        let mut watch = Watch { client, events, board: Board::default(), asked: None };
        loop {
            watch.look()?;
            terminal.draw(|frame| picture::draw(frame, &watch.board)).map_err(Left::Terminal)?;
            if watch.keys()? {
                return Ok(());
            }
        }
    });
    match shown {
        Ok(()) => ExitCode::SUCCESS,
        Err(Left::Server(why)) => fail(&Trouble::Client(why)),
        Err(Left::Terminal(why)) => {
            eprintln!("voxtrunk: the terminal cannot be drawn to: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Why nothing is shown any more.
enum Left {
    Server(ClientError),
    Terminal(io::Error),
}

impl From<ClientError> for Left {
    fn from(why: ClientError) -> Self {
        Self::Server(why)
    }
}

/// Somebody who looks on.
struct Watch {
    client: Client,
    events: Receiver<Value>,
    board: Board,
    asked: Option<Instant>,
}

impl Watch {
    /// Takes what has happened; once a second, how everything stands.
    fn look(&mut self) -> Result<(), Left> {
        while let Ok(event) = self.events.try_recv() {
            self.board.happened(&event);
        }
        let now = clock::now();
        if self.asked.is_some_and(|asked| now.saturating_duration_since(asked) < EVERY) {
            return Ok(());
        }
        self.asked = Some(now);
        let calls: List<CallView> = client::read(self.client.ask(Ask::Calls)?)?;
        let trunks: List<TrunkView> = client::read(self.client.ask(Ask::Trunks)?)?;
        let status: StatusView = client::read(self.client.ask(Ask::Status)?)?;
        self.board.stands(status, calls.data, trunks.data);
        Ok(())
    }

    /// Heeds keys for a moment; tells whether it is enough.
    fn keys(&mut self) -> Result<bool, Left> {
        if !event::poll(PATIENCE).map_err(Left::Terminal)? {
            return Ok(false);
        }
        let Event::Key(key) = event::read().map_err(Left::Terminal)? else { return Ok(false) };
        if key.kind == KeyEventKind::Release {
            return Ok(false);
        }
        match self.board.pressed(key) {
            Wish::None => {}
            Wish::Leave => return Ok(true),
            Wish::HangUp(id) => {
                let ask = Ask::HangUp(HangUp { id, q850: NORMAL });
                // It may have ended meanwhile.
                match self.client.ask(ask) {
                    Ok(_) | Err(ClientError::Refused(_)) => self.asked = None,
                    Err(why) => return Err(why.into()),
                }
            }
        }
        Ok(false)
    }
}

/// What happens, from a connection of its own.
fn events(target: &Target) -> Result<Receiver<Value>, Trouble> {
    let mut client = target.connect()?;
    let (out, events) = mpsc::sync_channel(AHEAD);
    thread::spawn(move || {
        let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
        // When the server goes, whoever asks it for calls says so.
        client.stream(Ask::Events, &mut |event| out.send(event).map_err(gone)).ok();
    });
    Ok(events)
}

/// How often it is asked how everything stands.
const EVERY: Duration = Duration::from_secs(1);

/// How long keys are waited for before it is drawn anew.
const PATIENCE: Duration = Duration::from_millis(200);

/// How many events may wait.
const AHEAD: usize = 1_024;

/// Q.850: normal call clearing.
const NORMAL: u8 = 16;

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
    use serde_json::json;

    use super::*;

    fn board() -> Board {
        let call = |id: &str, from: &str, agent: Option<&str>, mos: Option<f64>| {
            json!({
                "id": id, "direction": "inbound", "status": "in-progress", "doing": "agent",
                "from": { "number": from, "name": null }, "to": { "number": "901", "name": null },
                "trunk": "local", "phone": null, "route": null, "agent": agent,
                "started_at": "2026-11-23T10:00:00Z", "age_ms": 65_000, "answered_ms": 20,
                "recorded": false,
                "legs": [{ "to": null, "state": "up", "trunk": "local", "codec": "PCMU",
                    "peer": null, "user_agent": null, "sip_call_id": null, "start_ms": 0,
                    "answered_ms": 20,
                    "quality": mos.map(|mos| json!({ "mos": mos, "received": 1, "lost": 0,
                        "loss_percent": 0.0, "jitter_ms": 0.0, "round_trip_ms": null })) }],
            })
        };
        let calls = json!({ "data": [
            call("call_1", "+491701234567", Some("reception"), Some(4.38)),
            call("call_2", "evil\u{1b}[31m\nname", None, Some(2.9)),
        ] });
        let calls: List<CallView> = serde_json::from_value(calls).expect("calls");
        let mut board = Board::of(calls.data);
        for event in [
            json!({ "type": "transcript.updated", "call_id": "call_1",
                "data": { "role": "caller", "text": "Are you open?" } }),
            json!({ "type": "transcript.updated", "call_id": "call_1",
                "data": { "role": "agent", "text": "Until six." } }),
            json!({ "type": "turn.completed", "call_id": "call_1", "data": { "latency_ms": 612 } }),
            json!({ "type": "call.updated" }),
        ] {
            board.happened(&event);
        }
        board
    }

    fn drawn(board: &Board) -> String {
        let mut terminal = Terminal::new(TestBackend::new(110, 24)).expect("a terminal");
        terminal.draw(|frame| picture::draw(frame, board)).expect("drawn");
        let text = terminal.backend().to_string();
        text.lines().map(|line| line.trim_matches('"').trim_end()).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn calls_are_shown_with_what_was_heard_of_them() {
        insta::assert_snapshot!(drawn(&board()));
    }

    #[test]
    fn keys_choose_and_hang_up_and_leave() {
        let mut board = board();
        let mut press = |code| board.pressed(KeyEvent::new(code, KeyModifiers::NONE));
        assert_eq!(press(KeyCode::Char('h')), Wish::None);
        assert_eq!(press(KeyCode::Char('n')), Wish::None, "it was not meant");
        assert_eq!(press(KeyCode::Char('y')), Wish::None);
        press(KeyCode::Down);
        press(KeyCode::Down);
        press(KeyCode::Char('h'));
        assert_eq!(press(KeyCode::Char('y')), Wish::HangUp("call_2".to_owned()));
        assert_eq!(press(KeyCode::Char('q')), Wish::Leave);
        board.happened(&json!({ "type": "call.ended", "call_id": "call_1" }));
        assert_eq!(board.heard("call_1"), board::Heard::default());
    }

    #[test]
    fn a_terminal_of_any_size_is_drawn_to() {
        for (width, height) in [(1, 1), (5, 3), (40, 10), (300, 100)] {
            let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal");
            terminal.draw(|frame| picture::draw(frame, &board())).expect("drawn");
        }
    }
}
