//! How it looks.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Cell, Paragraph, Row, Sparkline, Table, TableState, Wrap};

use crate::server::console::paint::harmless;
use crate::server::console::time::span;
use crate::server::control::view::{CallView, TrunkView};

use super::board::Board;

/// Draws it.
pub fn draw(frame: &mut Frame<'_>, board: &Board) {
    let [head, middle, words, foot] = Layout::vertical([
        Constraint::Length(2),
        Constraint::Min(6),
        Constraint::Length(9),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    let [calls, side] =
        Layout::horizontal([Constraint::Min(70), Constraint::Length(30)]).areas(middle);
    let [trunks, crowd] = Layout::vertical([Constraint::Min(3), Constraint::Length(6)]).areas(side);
    frame.render_widget(header(board), head);
    table(frame, calls, board);
    frame.render_widget(lines(&board.trunks), trunks);
    let most: Vec<u64> = board.crowd.iter().copied().collect();
    let width = usize::from(crowd.width.saturating_sub(2));
    let shown = most.get(most.len().saturating_sub(width)..).unwrap_or_default();
    let line = Sparkline::default().data(shown).block(Block::bordered().title(" calls "));
    frame.render_widget(line.style(Color::Cyan), crowd);
    frame.render_widget(said(board), words);
    frame.render_widget(footer(board), foot);
}

fn header(board: &Board) -> Paragraph<'static> {
    let Some(status) = &board.status else { return Paragraph::new("…") };
    let calls = &status.calls;
    let memory = status.memory.map_or(0, |octets| octets / 1_000_000);
    let first = Line::from(vec![
        Span::from(format!("voxtrunk {}", status.version)).bold(),
        Span::from(format!("  up {}  {memory} MB", span(status.uptime_s))),
    ]);
    let second = format!(
        "{} of {} calls  {} taken  {} refused   trunks {} up, {} down   phones {}   late ports {}",
        calls.active,
        calls.most,
        calls.taken,
        calls.refused,
        status.trunks.up,
        status.trunks.down,
        status.phones.reachable,
        status.media.late
    );
    Paragraph::new(vec![first, Line::from(second)])
}

fn table(frame: &mut Frame<'_>, area: Rect, board: &Board) {
    let rows = board.calls.iter().map(|call| row(call, board));
    let widths = [
        Constraint::Min(14),
        Constraint::Min(14),
        Constraint::Length(12),
        Constraint::Length(12),
        Constraint::Length(8),
        Constraint::Length(10),
        Constraint::Length(4),
    ];
    let heads = ["FROM", "TO", "AGENT", "DOING", "TIME", "ANSWERS", "MOS"];
    let table = Table::new(rows, widths)
        .header(Row::new(heads).style(Modifier::BOLD))
        .row_highlight_style(Style::new().reversed())
        .block(Block::bordered().title(format!(" {} calls ", board.calls.len())));
    let mut state = TableState::default().with_selected(board.place());
    frame.render_stateful_widget(table, area, &mut state);
}

fn row(call: &CallView, board: &Board) -> Row<'static> {
    let party = |name: Option<&String>, number: &String| {
        harmless(name.filter(|it| !it.is_empty()).unwrap_or(number))
    };
    let agent = call.agent.as_deref().or(call.stream.as_deref()).unwrap_or("–");
    let seconds = call.age_ms / 1_000;
    let quality = call.legs.iter().filter_map(|leg| leg.quality.as_ref()?.mos);
    let mos = quality.reduce(f64::min);
    let turns = board.heard(&call.id).turns;
    let answers = turns.back().map_or("–".into(), |last| format!("{last} ms"));
    let answers = Cell::from(answers).style(speed(turns.back().copied()));
    let sound = mos.map_or("–".into(), |mos| format!("{mos:.1}"));
    let sound = Cell::from(sound).style(match mos {
        Some(mos) if mos < BAD => Color::Red,
        Some(mos) if mos < FAIR => Color::Yellow,
        Some(_) => Color::Green,
        None => Color::Reset,
    });
    Row::new(vec![
        Cell::from(party(call.from.name.as_ref(), &call.from.number)),
        Cell::from(party(call.to.name.as_ref(), &call.to.number)),
        Cell::from(harmless(agent)),
        Cell::from(harmless(&call.doing)),
        Cell::from(format!("{}:{:02}", seconds / 60, seconds % 60)),
        answers,
        sound,
    ])
}

/// How it looks how long a caller waited.
fn speed(millis: Option<u64>) -> Color {
    match millis {
        None => Color::Reset,
        Some(..=800) => Color::Green,
        Some(801..=1_500) => Color::Yellow,
        Some(_) => Color::Red,
    }
}

fn lines(trunks: &[TrunkView]) -> Paragraph<'static> {
    let line = |trunk: &TrunkView| {
        let ink = match trunk.state.as_str() {
            "up" | "inbound" => Color::Green,
            "down" => Color::Red,
            _ => Color::Yellow,
        };
        let now = trunk.calls.inbound + trunk.calls.outbound;
        Line::from(vec![
            Span::from("● ").fg(ink),
            Span::from(format!("{:<16}", harmless(&trunk.name))),
            Span::from(format!("{now:>4} calls")),
        ])
    };
    let lines: Vec<Line<'_>> = trunks.iter().map(line).collect();
    Paragraph::new(lines).block(Block::bordered().title(" trunks "))
}

fn said(board: &Board) -> Paragraph<'static> {
    let chosen = board.place().and_then(|place| board.calls.get(place));
    let title = chosen.map_or(" ".to_owned(), |call| format!(" {} ", call.id));
    let words = chosen.map(|call| board.heard(&call.id).words).unwrap_or_default();
    let newest = words.into_iter().rev().take(SHOWN).collect::<Vec<_>>().into_iter().rev();
    let lines = newest.map(|(role, text)| {
        let ink = if role == "caller" { Color::Yellow } else { Color::Cyan };
        Line::from(vec![Span::from(format!("{role:>7}  ")).fg(ink), Span::from(text)])
    });
    let lines: Vec<Line<'_>> = lines.collect();
    Paragraph::new(lines).wrap(Wrap { trim: false }).block(Block::bordered().title(title))
}

fn footer(board: &Board) -> Line<'static> {
    match board.asks {
        true => Line::from("hang up this call?  y: yes   any other key: no").fg(Color::Red).bold(),
        false => Line::from("↑ ↓ choose   h hang up   q leave").dim(),
    }
}

/// A mean opinion score below which people complain.
const FAIR: f64 = 3.6;

/// One below which they hang up.
const BAD: f64 = 3.1;

/// So many lines of what is said have room.
const SHOWN: usize = 7;
