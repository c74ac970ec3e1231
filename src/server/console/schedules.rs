//! `voxtrunk schedule`: what begins by itself at its time.

use std::process::ExitCode;

use crate::server::console::command::Target;
use crate::server::console::paint::{Ink, Paint};
use crate::server::console::table::{Cell, Table};
use crate::server::control::protocol::Ask;
use crate::server::control::schedules::ScheduleView;
use crate::server::control::view::List;

/// Shows every schedule.
pub fn list(target: &Target) -> ExitCode {
    target.run(Ask::Schedules, |schedules: &List<ScheduleView>, paint| {
        (table(&schedules.data, paint), ExitCode::SUCCESS)
    })
}

fn table(schedules: &[ScheduleView], paint: Paint) -> String {
    if schedules.is_empty() {
        return "There is no schedule: the dialplan has no [schedules.NAME].\n".to_owned();
    }
    let mut table = Table::new(&["SCHEDULE", "WHEN", "NEXT", "LAST", "BEGINS", "PROBLEM"]);
    for schedule in schedules {
        let begins = match (&schedule.campaign, schedule.call.as_slice()) {
            (Some(campaign), _) => format!("campaign {campaign}"),
            (None, [callee]) => callee.clone(),
            (None, several) => format!("{} calls", several.len()),
        };
        table.row(vec![
            Cell::new(&schedule.name),
            Cell::new(&schedule.when),
            Cell::maybe(schedule.next_at.as_deref()),
            Cell::maybe(schedule.last_at.as_deref()),
            Cell::new(begins),
            match &schedule.problem {
                Some(why) => Cell::painted(why, Ink::Red),
                None => Cell::maybe(None::<&str>),
            },
        ]);
    }
    table.print(paint)
}
