//! `voxtrunk sip trace`: what is said on the wire, as ladders, as whole messages, as JSON or as a
//! file for Wireshark.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::Value;

use crate::server::console::command::{self, Form, Target, Trouble};
use crate::server::console::ladder::Ladder;
use crate::server::console::paint::{Ink, Paint, harmless};
use crate::server::console::pcap::Pcap;
use crate::server::control::protocol::{Ask, Wish};
use crate::server::control::view::MessageView;

/// What is wanted, and where it goes.
#[derive(Debug, Clone)]
pub struct Order {
    /// Which messages.
    pub wish: Wish,
    /// The file for Wireshark, if it goes there.
    pub pcap: Option<PathBuf>,
}

/// Shows what was said, and then what is being said.
pub fn run(target: &Target, order: Order) -> ExitCode {
    match traced(target, order) {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => command::fail(&trouble),
    }
}

fn traced(target: &Target, order: Order) -> Result<(), Trouble> {
    let wish = Wish { raw: order.wish.raw || order.pcap.is_some(), ..order.wish.clone() };
    let mut client = target.connect()?;
    if let Some(path) = &order.pcap {
        return write(path, |take| Ok(client.stream(Ask::Trace(wish), take)?));
    }
    let paint = Paint::for_stdout();
    let (raw, follow) = (wish.raw, wish.follow);
    let ask = Ask::Trace(wish);
    let missed = match (target.form, raw, follow) {
        (Form::Json, _, _) => {
            client.stream(ask, &mut |message| command::print(&command::line(&message)))?
        }
        (Form::Text, true, _) => {
            client.stream(ask, &mut |message| command::print(&whole(&read(message)?, paint)))?
        }
        (Form::Text, false, true) => {
            let mut ladder = Ladder::new(paint);
            client.stream(ask, &mut |message| command::print(&ladder.draw(&read(message)?)))?
        }
        (Form::Text, false, false) => {
            let mut messages = Vec::new();
            let missed = client.stream(ask, &mut |message| {
                messages.push(read(message)?);
                Ok(())
            })?;
            // Whoever reads us may have enough.
            command::print(&ladders(&messages, paint)).ok();
            missed
        }
    };
    if missed > 0 {
        eprintln!("voxtrunk: {missed} messages came faster than they were shown, and are missing");
    }
    Ok(())
}

/// One ladder after the other, whatever was said meanwhile to others.
fn ladders(messages: &[MessageView], paint: Paint) -> String {
    if messages.is_empty() {
        return "No such message is remembered. `--all` also shows registrations and pings.\n"
            .to_owned();
    }
    let mut ladder = Ladder::new(paint);
    let mut groups: Vec<&str> = Vec::new();
    for message in messages {
        ladder.expect(message);
        if !groups.contains(&message.group.as_str()) {
            groups.push(&message.group);
        }
    }
    let mut drawn = String::new();
    for group in groups {
        for message in messages.iter().filter(|message| message.group == group) {
            drawn.push_str(&ladder.draw(message));
        }
    }
    drawn
}

/// A message as it was said, under a line that tells when and between whom.
fn whole(message: &MessageView, paint: Paint) -> String {
    let (local, remote) = (&message.local, &message.remote);
    let way = match message.direction.as_str() {
        "in" => format!("{remote} → {local}"),
        _ => format!("{local} → {remote}"),
    };
    let head = format!("── {}  {}  {way}", message.at, message.transport);
    let text = message.raw.as_deref().unwrap_or_default();
    let lines: String =
        text.lines().map(|line| harmless(line.trim_end_matches('\r')) + "\n").collect();
    format!("{}\n{lines}\n", paint.ink(&harmless(&head), Ink::Bold))
}

fn write(
    path: &Path,
    stream: impl FnOnce(&mut dyn FnMut(Value) -> io::Result<()>) -> Result<u64, Trouble>,
) -> Result<(), Trouble> {
    let failed = |why| Trouble::File { path: path.to_owned(), why };
    let mut pcap = Pcap::create(path).map_err(failed)?;
    let (mut count, mut broken) = (0_u64, None);
    stream(&mut |message| {
        count += 1;
        let added = pcap.add(&read(message)?);
        added.map_err(|why| {
            broken = Some(why);
            io::ErrorKind::BrokenPipe.into()
        })
    })?;
    if let Some(why) = broken {
        return Err(failed(why));
    }
    pcap.finish().map_err(failed)?;
    eprintln!("voxtrunk: {count} messages are in {}", path.display());
    Ok(())
}

fn read(message: Value) -> io::Result<MessageView> {
    serde_json::from_value(message).map_err(io::Error::other)
}
