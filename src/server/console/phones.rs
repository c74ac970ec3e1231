//! `voxtrunk phone`: where phones can be reached.

use std::process::ExitCode;

use crate::server::console::command::Target;
use crate::server::console::paint::{Ink, Paint};
use crate::server::console::table::{Cell, Table};
use crate::server::console::time::span;
use crate::server::control::protocol::Ask;
use crate::server::control::view::{List, PhoneView};

/// Shows every phone, with a line for each place where it rings.
pub fn list(target: &Target) -> ExitCode {
    target.run(Ask::Phones, |phones: &List<PhoneView>, paint| {
        (table(&phones.data, paint), ExitCode::SUCCESS)
    })
}

fn table(phones: &[PhoneView], paint: Paint) -> String {
    if phones.is_empty() {
        return "No phone may register: conf/server.toml names none.\n".to_owned();
    }
    let heads = ["PHONE", "NAME", "EXPIRES", "FROM", "BY", "USER AGENT", "CONTACT", "PATH"];
    let mut table = Table::new(&heads);
    for phone in phones {
        let who = [Cell::new(&phone.name), Cell::maybe(phone.display.as_deref())];
        if phone.bindings.is_empty() {
            let nothing = std::iter::repeat_with(Cell::none).take(5);
            let away = Cell::painted("not registered", Ink::Faint);
            table.row(who.iter().cloned().chain([away]).chain(nothing).collect());
        }
        for binding in &phone.bindings {
            let place = [
                Cell::painted(format!("in {}", span(binding.expires_in_s)), Ink::Green),
                Cell::new(&binding.from),
                Cell::new(&binding.transport),
                Cell::maybe(binding.user_agent.as_deref()),
                Cell::new(&binding.contact),
                Cell::maybe(Some(binding.path.join(", "))),
            ];
            table.row(who.iter().cloned().chain(place).collect());
        }
    }
    table.print(paint)
}
