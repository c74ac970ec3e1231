//! `voxtrunk queue`: who waits, and who serves.

use std::process::ExitCode;

use crate::server::console::command::Target;
use crate::server::console::paint::{Ink, Paint};
use crate::server::console::table::{Cell, Table};
use crate::server::console::time::span;
use crate::server::control::protocol::{Ask, PauseMember};
use crate::server::control::queue_view::{PausedView, QueueView};
use crate::server::control::view::List;

/// Shows every queue, with a line for each member.
pub fn list(target: &Target) -> ExitCode {
    target.run(Ask::Queues, |queues: &List<QueueView>, paint| {
        (table(&queues.data, paint), ExitCode::SUCCESS)
    })
}

/// A member takes no callers from now on, or takes them again.
pub fn pause(target: &Target, member: String, paused: bool) -> ExitCode {
    target.run(Ask::PauseMember(PauseMember { member, paused }), |done: &PausedView, _| {
        let does = if done.paused { "takes no callers" } else { "takes callers" };
        (format!("{} {does}.\n", done.member), ExitCode::SUCCESS)
    })
}

fn table(queues: &[QueueView], paint: Paint) -> String {
    if queues.is_empty() {
        return "There is no queue: the dialplan has no [queues.NAME].\n".to_owned();
    }
    let mut table = Table::new(&["QUEUE", "WAITING", "LONGEST", "MEMBER", "STATE"]);
    for queue in queues {
        let longest = (queue.waiting > 0).then(|| span(queue.longest_wait_s));
        let mut own = vec![
            Cell::new(&queue.name),
            Cell::new(queue.waiting.to_string()),
            Cell::maybe(longest.as_deref()),
        ];
        for member in &queue.members {
            let ink = match member.state.as_str() {
                "free" => Ink::Green,
                "paused" => Ink::Yellow,
                _ => Ink::Faint,
            };
            let state = Cell::painted(&member.state, ink);
            table.row(own.drain(..).chain([Cell::new(&member.to), state]).collect());
            own = vec![Cell::none(), Cell::none(), Cell::none()];
        }
    }
    table.print(paint)
}
