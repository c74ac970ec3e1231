//! A ladder of messages: a column for each peer and one for us, an arrow for each message.
//!
//! ```text
//!               127.0.0.1:5070        voxtrunk         101
//!                      │                  │             │
//!        0 ms          │─── INVITE sdp ──▶│             │
//! ```

use std::collections::BTreeMap;

use crate::server::console::paint::{Ink, Paint, harmless};
use crate::server::control::view::MessageView;

/// Draws messages one after the other.
#[derive(Debug)]
pub struct Ladder {
    paint: Paint,
    /// The columns of each thing that is drawn, by its group.
    sheets: BTreeMap<String, Sheet>,
    /// What was drawn last.
    current: Option<String>,
}

/// The columns of one group.
#[derive(Debug)]
struct Sheet {
    /// Our peers, in the order in which they appeared; the first stands left of us.
    peers: Vec<Peer>,
    began_us: u64,
    title: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Peer {
    address: String,
    name: Option<String>,
}

/// A line of letters in which a part is painted.
#[derive(Debug)]
struct Row {
    letters: Vec<char>,
}

impl Ladder {
    /// An empty ladder.
    pub fn new(paint: Paint) -> Self {
        Self { paint, sheets: BTreeMap::new(), current: None }
    }

    /// The peers that will appear in a group, so that their columns are there from the beginning.
    pub fn expect(&mut self, message: &MessageView) {
        self.sheet(message);
    }

    /// The lines for a message: with a head when it belongs to something else than the one before,
    /// or when its peer is new.
    pub fn draw(&mut self, message: &MessageView) -> String {
        let paint = self.paint;
        let is_other = self.current.as_ref() != Some(&message.group);
        let is_first = self.current.is_none();
        let (sheet, is_new) = self.sheet(message);
        let mut drawn = String::new();
        if is_other && !is_first {
            drawn.push('\n');
        }
        if is_other {
            drawn.push_str(&paint.ink(&harmless(&sheet.title), Ink::Bold));
            drawn.push_str("\n\n");
        }
        if is_other || is_new {
            drawn.push_str(&sheet.head(paint));
        }
        drawn.push_str(&sheet.arrow(message, paint));
        self.current = Some(message.group.clone());
        drawn
    }

    /// The columns of a group, and whether one was added for this message.
    fn sheet(&mut self, message: &MessageView) -> (&Sheet, bool) {
        if self.sheets.len() >= MOST_SHEETS && !self.sheets.contains_key(&message.group) {
            self.sheets.clear();
        }
        let sheet = self.sheets.entry(message.group.clone()).or_insert_with(|| Sheet {
            peers: Vec::new(),
            began_us: message.at_us,
            title: title(message),
        });
        let known = sheet.peers.iter_mut().find(|peer| peer.address == message.remote);
        let is_new = known.is_none();
        match known {
            Some(peer) if peer.name.is_none() => peer.name.clone_from(&message.peer),
            Some(_) => {}
            None => {
                let peer = Peer { address: message.remote.clone(), name: message.peer.clone() };
                sheet.peers.push(peer);
            }
        }
        (sheet, is_new)
    }
}

impl Sheet {
    /// Names and addresses above the columns, and the first piece of the life lines.
    fn head(&self, paint: Paint) -> String {
        let addresses = self.columns().map(|column| match self.peer_at(column) {
            Some(peer) => peer.address.clone(),
            None => String::new(),
        });
        let names = self.columns().map(|column| match self.peer_at(column) {
            Some(peer) => peer.name.clone().unwrap_or_default(),
            None => "voxtrunk".to_owned(),
        });
        let (names, addresses): (Vec<String>, Vec<String>) = (names.collect(), addresses.collect());
        let mut head = String::new();
        for (texts, ink) in [(names, Ink::Bold), (addresses, Ink::Faint)] {
            let mut row = Row::blank(self.width());
            for (column, text) in texts.iter().enumerate() {
                row.centre(self.place(column), &cut(&harmless(text), SPACING - 2));
            }
            head.push_str(&paint.ink(&row.text(), ink));
            head.push('\n');
        }
        head.push_str(&self.lives().text());
        head.push('\n');
        head
    }

    /// An arrow with its label and the time.
    fn arrow(&self, message: &MessageView, paint: Paint) -> String {
        let peer = self.peers.iter().position(|peer| peer.address == message.remote);
        let (ours, theirs) = (self.our_place(), self.place(column_of(peer.unwrap_or_default())));
        let is_in = message.direction == "in";
        let (from, to) = if is_in { (theirs, ours) } else { (ours, theirs) };
        let (left, right) = (from.min(to), from.max(to));
        let mut row = self.lives();
        let shaft = if message.repeat > 0 { '╌' } else { '─' };
        for at in left + 1..right {
            let crosses = row.letters.get(at) == Some(&'│');
            row.put(at, if crosses { '┼' } else { shaft });
        }
        let (tail, head, tip) =
            if to > from { ('├', right - 1, '▶') } else { ('┤', left + 1, '◀') };
        row.put(from, tail);
        row.put(head, tip);
        // The label stands in the gap beside us, where every arrow passes.
        let gap = if theirs < ours { ours - SPACING } else { ours };
        let label = cut(&label(message), SPACING - 6);
        let start = row.centre(gap + SPACING / 2, &format!(" {label} "));
        let end = start + label.chars().count() + 2;
        row.painted(start, end, ink_of(message), (paint, &time(message.at_us, self.began_us)))
    }

    /// The life lines.
    fn lives(&self) -> Row {
        let mut row = Row::blank(self.width());
        for column in self.columns() {
            row.put(self.place(column), '│');
        }
        row
    }

    fn columns(&self) -> std::ops::RangeInclusive<usize> {
        0..=self.peers.len().max(1)
    }

    fn place(&self, column: usize) -> usize {
        MARGIN + FIRST + column * SPACING
    }

    fn our_place(&self) -> usize {
        self.place(OUR_COLUMN)
    }

    fn width(&self) -> usize {
        self.place(self.peers.len().max(1)) + SPACING / 2
    }

    fn peer_at(&self, column: usize) -> Option<&Peer> {
        match column {
            0 => self.peers.first(),
            OUR_COLUMN => None,
            other => self.peers.get(other - 1),
        }
    }
}

impl Row {
    fn blank(width: usize) -> Self {
        Self { letters: vec![' '; width] }
    }

    fn put(&mut self, at: usize, letter: char) {
        if let Some(place) = self.letters.get_mut(at) {
            *place = letter;
        }
    }

    /// Writes a text with its middle at a place; tells where it begins.
    fn centre(&mut self, at: usize, text: &str) -> usize {
        let start = at.saturating_sub(text.chars().count() / 2);
        for (offset, letter) in text.chars().enumerate() {
            self.put(start + offset, letter);
        }
        start
    }

    fn text(&self) -> String {
        self.letters.iter().collect::<String>().trim_end().to_owned()
    }

    /// The line with a part in another ink, and the time before it.
    fn painted(&self, start: usize, end: usize, ink: Ink, (paint, time): (Paint, &str)) -> String {
        let part = |from: usize, to: usize| -> String {
            self.letters.iter().skip(from).take(to.saturating_sub(from)).collect()
        };
        let rest = part(end, self.letters.len());
        format!(
            "{}{}{}{}\n",
            paint.ink(&format!("{time:>width$}  ", width = MARGIN - 2), Ink::Faint),
            part(MARGIN, start),
            paint.ink(&part(start, end), ink),
            rest.trim_end()
        )
    }
}

/// We stand behind the first peer: who called is left of us.
const OUR_COLUMN: usize = 1;

fn column_of(peer: usize) -> usize {
    if peer == 0 { 0 } else { peer + 1 }
}

fn title(message: &MessageView) -> String {
    let (from, to) = (&message.from, &message.to);
    let date = message.at.replace('T', " ");
    let date = date.get(..19).unwrap_or(&date);
    let way = match (from.is_empty(), to.is_empty()) {
        (true, true) => String::new(),
        _ => format!("   {from} → {to}"),
    };
    format!("{}{way}   {date} UTC", message.group)
}

fn label(message: &MessageView) -> String {
    let sdp = if message.sdp { " sdp" } else { "" };
    let again = match message.repeat {
        0 => String::new(),
        1 => " (again)".to_owned(),
        more => format!(" (again, {more})"),
    };
    harmless(&format!("{}{sdp}{again}", message.label))
}

fn ink_of(message: &MessageView) -> Ink {
    match message.status {
        _ if message.repeat > 0 => Ink::Faint,
        None => Ink::Cyan,
        Some(100..=199) => Ink::Yellow,
        Some(200..=299) => Ink::Green,
        Some(300..=399) => Ink::Magenta,
        // To be asked for a password is the ordinary way.
        Some(401 | 407) => Ink::Yellow,
        Some(_) => Ink::Red,
    }
}

fn time(at_us: u64, began_us: u64) -> String {
    format!("{} ms", at_us.saturating_sub(began_us) / 1_000)
}

/// A text of at most so many letters.
fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

/// How wide the time is.
const MARGIN: usize = 12;

/// Where the first column is behind it.
const FIRST: usize = 8;

/// How far columns are from each other.
const SPACING: usize = 34;

/// How many groups are drawn side by side while somebody looks on.
const MOST_SHEETS: usize = 1_000;

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn message(number: u64, remote: &str, label: &str, is_in: bool) -> MessageView {
        let status = label.split(' ').next().and_then(|word| word.parse().ok());
        MessageView {
            number,
            at: "2026-11-21T10:15:30.123456Z".to_owned(),
            at_us: number * 1_250,
            direction: if is_in { "in" } else { "out" }.to_owned(),
            transport: "udp".to_owned(),
            local: "192.0.2.1:5060".to_owned(),
            remote: remote.to_owned(),
            peer: (remote == "192.0.2.77:5060").then(|| "carrier".to_owned()),
            group: "call_1".to_owned(),
            call_id: "a@h".to_owned(),
            from: "+4971@h".to_owned(),
            to: "101@h".to_owned(),
            method: "INVITE".to_owned(),
            status,
            label: label.to_owned(),
            sdp: label == "INVITE",
            repeat: 0,
            octets: 400,
            raw: None,
        }
    }

    #[test]
    fn a_call_through_us_is_a_ladder_with_us_in_the_middle() {
        let (a, b) = ("192.0.2.77:5060", "192.0.2.9:5060");
        let again = MessageView { repeat: 1, ..message(3, b, "INVITE", false) };
        let messages = [
            message(0, a, "INVITE", true),
            message(1, a, "100 Trying", false),
            message(2, b, "INVITE", false),
            again,
            message(4, b, "200 OK", true),
            message(5, a, "200 OK", false),
        ];
        let mut ladder = Ladder::new(Paint::Plain);
        for message in &messages {
            ladder.expect(message);
        }
        let drawn: String = messages.iter().map(|it| ladder.draw(it)).collect();
        insta::assert_snapshot!(drawn);
    }

    #[test]
    fn a_long_label_is_cut_and_nothing_moves_the_cursor() {
        let hostile =
            message(1, "h:1", "486 Busy \u{1b}[2J and far too much text for a column", true);
        let drawn = Ladder::new(Paint::Plain).draw(&hostile);
        assert!(!drawn.contains('\u{1b}') && drawn.contains('…'), "{drawn}");
        let widest = drawn.lines().map(|line| line.chars().count()).max();
        assert!(widest < Some(100), "{drawn}");
    }
}
