//! `voxtrunk reload`: the server reads its files again.

use std::process::ExitCode;

use crate::server::console::command::Target;
use crate::server::console::paint::{Ink, Paint, harmless};
use crate::server::control::protocol::{Ask, Reload};
use crate::server::control::view::ReloadView;

/// Has the files read, or only told what would be changed.
pub fn run(target: &Target, dry: bool) -> ExitCode {
    target.run(Ask::Reload(Reload { dry }), |view: &ReloadView, paint| {
        (told(view, paint), ExitCode::SUCCESS)
    })
}

fn told(view: &ReloadView, paint: Paint) -> String {
    let mut text = String::new();
    for change in &view.changed {
        let ink = match change.how.as_str() {
            "added" => Ink::Green,
            "removed" => Ink::Red,
            _ => Ink::Cyan,
        };
        let how = paint.ink(&format!("{:<8}", harmless(&change.how)), ink);
        text.push_str(&format!("  {how} {}\n", harmless(&change.what)));
    }
    let sum = match (view.dry, view.changed.is_empty()) {
        (true, true) => "nothing would be changed",
        (true, false) => "this would count for calls that begin; nothing was changed yet",
        (false, true) => "the files were read; nothing has changed for calls",
        (false, false) => "this counts for calls that begin from now on",
    };
    text.push_str(&format!("{sum}\n"));
    if !view.restart.is_empty() {
        let keys = view.restart.iter().map(|key| harmless(key)).collect::<Vec<_>>().join(", ");
        let line = format!("changed since the start, and counts after a restart only: {keys}");
        text.push_str(&format!("{}\n", paint.ink(&line, Ink::Yellow)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::control::view::ChangeView;

    #[test]
    fn people_are_told_what_counts_and_what_does_not() {
        let change =
            |what: &str, how: &str| ChangeView { what: what.to_owned(), how: how.to_owned() };
        let view = ReloadView {
            changed: vec![change("agents.reception", "changed"), change("hours.office", "added")],
            restart: vec!["sip.listen".to_owned()],
            dry: false,
        };
        assert_eq!(
            told(&view, Paint::Plain),
            "  changed  agents.reception\n  added    hours.office\n\
             this counts for calls that begin from now on\n\
             changed since the start, and counts after a restart only: sip.listen\n"
        );
        let nothing = ReloadView { changed: Vec::new(), restart: Vec::new(), dry: true };
        assert_eq!(told(&nothing, Paint::Plain), "nothing would be changed\n");
    }
}
