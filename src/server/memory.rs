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
pub fn show(config: &Path, caller: (&str, &str)) -> ExitCode {
    answer(found(config, caller).map(|(memories, number)| {
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
pub fn forget(config: &Path, caller: (&str, &str)) -> ExitCode {
    answer(found(config, caller).and_then(|(memories, number)| {
        let gone = memories.forget(&number).map_err(|why| why.to_string())?;
        println!("{}", if gone { "forgotten" } else { "nothing was known" });
        Ok(())
    }))
}

/// Where a caller of a tenant is kept; no tenant is an empty name.
fn found(config: &Path, (tenant, number): (&str, &str)) -> Result<(Memories, Number), String> {
    let environment = |name: &str| std::env::var(name).ok();
    let glance = Glance::at(config, &environment).map_err(|why| why.to_string())?;
    let data = tidied(&glance.folder().join(glance.data()));
    let number = Number::from_dialled(number);
    let number = number.ok_or("write the number with its country: +4971112345")?;
    Ok((Memories::new(data.join("memory")).of(tenant), number))
}
