//! `voxtrunk memory`: what is kept of a caller for the next call.

use std::path::Path;
use std::process::ExitCode;

use crate::base::calendar::Date;
use crate::base::number::Number;
use crate::config::glance::Glance;
use crate::config::paths::tidied;
use crate::engine::clock;
use crate::engine::memories::Memories;
use crate::server::secrets::answer;

/// Shows it.
pub fn show(config: &Path, number: &str) -> ExitCode {
    answer(found(config, number).map(|(memories, number)| {
        let known = memories.recall(&number, clock::since_epoch());
        for call in &known {
            let day = Date::at(call.at).map(|day| day.to_string()).unwrap_or_default();
            println!("{day}  {}: {}", call.agent, call.summary);
        }
        if known.is_empty() {
            println!("nothing is known of {}", number.to_e164());
        }
    }))
}

/// Forgets it.
pub fn forget(config: &Path, number: &str) -> ExitCode {
    answer(found(config, number).and_then(|(memories, number)| {
        let gone = memories.forget(&number).map_err(|why| why.to_string())?;
        println!("{}", if gone { "forgotten" } else { "nothing was known" });
        Ok(())
    }))
}

fn found(config: &Path, number: &str) -> Result<(Memories, Number), String> {
    let environment = |name: &str| std::env::var(name).ok();
    let glance = Glance::at(config, &environment).map_err(|why| why.to_string())?;
    let data = tidied(&glance.folder().join(glance.data()));
    let number = Number::from_dialled(number);
    let number = number.ok_or("write the number with its country: +4971112345")?;
    Ok((Memories::new(data.join("memory")), number))
}
