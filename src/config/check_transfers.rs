//! How callers are brought to somebody: whether a destination can be reached so.

use crate::agent::transfer::Transfer;
use crate::base::destination::{Destination, Mode};
use crate::config::check_templates::not_a_template;
use crate::config::diagnostic::Diagnostic;
use crate::config::subject::Subject;

/// A transfer as it is written: where to, how, and what is told there.
pub struct Written<'a> {
    /// Where to.
    pub to: &'a Destination,
    /// How.
    pub mode: Mode,
    /// What whoever answers is told.
    pub brief: Option<&'a str>,
}

impl<'a> From<&'a Transfer> for Written<'a> {
    fn from(transfer: &'a Transfer) -> Self {
        let brief = transfer.brief.as_deref();
        Self { to: &transfer.to, mode: transfer.mode, brief }
    }
}

/// What is wrong with a transfer, whose table stands under `path`.
pub fn all(subject: &Subject<'_>, written: &Written<'_>, path: &str) -> Vec<Diagnostic> {
    let place = |key: &str| subject.place(&format!("{path}.{key}"));
    let unfit = (!written.mode.fits(written.to)).then(|| {
        let message = format!("nobody is called at `{}`", written.to);
        Diagnostic::error("transfer.mode", message)
            .at(place("mode"), "there is nobody to be asked")
            .help("leave `mode` out; it is for phones, groups, numbers, trunks and SIP addresses, and `warm` for queues, too")
    });
    let idle = (written.brief.is_some() && written.mode != Mode::Warm).then(|| {
        Diagnostic::error("transfer.brief", "nobody hears this `brief`")
            .at(place("brief"), "told in a warm transfer only")
            .help("add mode = \"warm\"")
    });
    let brief = written.brief;
    let text = brief.and_then(|text| not_a_template(subject, &format!("{path}.brief"), text));
    [unfit, idle, text].into_iter().flatten().collect()
}
