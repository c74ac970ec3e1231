//! A call that an operator wants to begin.

use std::sync::Arc;
use std::time::Duration;

use crate::base::destination::Destination;
use crate::base::template;
use crate::call::origination::{Detect, Origination};
use crate::dialplan::amd::{self, Amd};
use crate::server::control::protocol::{Fault, FaultCode, Originate};

/// What is wanted, if it can be understood.
///
/// # Errors
/// With what is wrong, for the operator.
pub fn wanted(order: &Originate) -> Result<Origination, Fault> {
    let impossible = |text: String| Fault::new(FaultCode::Impossible, text);
    // A number is written as people write it.
    let to = if order.to.starts_with('+') { format!("tel:{}", order.to) } else { order.to.clone() };
    let to: Destination = to.parse().map_err(|why| impossible(format!("to: {why}")))?;
    let then: Destination = order.then.parse().map_err(|why| impossible(format!("then: {why}")))?;
    let fits = |text: &str| text.len() <= LONGEST && !text.chars().any(char::is_control);
    let texts = order.variables.iter().flat_map(|(name, value)| [name, value]);
    if !fits(&order.from) || !order.name.as_deref().is_none_or(fits) {
        return Err(impossible(
            "from and name are one line each, and no longer than 256".to_owned(),
        ));
    }
    if order.variables.len() > MOST_VARIABLES || texts.map(String::len).any(|it| it > LONGEST_VALUE)
    {
        return Err(impossible("that are too many variables, or too long ones".to_owned()));
    }
    let amd = detection(order).map_err(impossible)?;
    let ring = order.ring_s.map(Duration::from_secs);
    if ring.is_some_and(|ring| !(LEAST_RING..=MOST_RING).contains(&ring)) {
        return Err(impossible("a call rings for 5 to 180 seconds".to_owned()));
    }
    Ok(Origination {
        to: vec![to],
        from: order.from.clone(),
        name: order.name.clone(),
        then,
        variables: order.variables.clone().into_iter().collect(),
        ring,
        tenant: Arc::from(""),
        amd: amd.map(|terms| Detect { terms, sound: None }),
        place: None,
        // One that cannot be read is none: the standard wants a new trace then.
        parent: order.traceparent.as_deref().and_then(|it| it.parse().ok()),
    })
}

/// How it is to be found out who answers. A message is a text: no file of this machine is named from
/// outside.
fn detection(order: &Originate) -> Result<Option<Amd>, String> {
    let Some(amd) = &order.amd else { return Ok(None) };
    let terms = amd::setting(amd).map_err(|why| format!("amd: {why}"))?;
    let texts = terms.iter().flat_map(|amd| [&amd.message, &amd.screening]).flatten();
    if texts.clone().any(|text| text.len() > LONGEST_VALUE) {
        return Err("amd: the message is too long".to_owned());
    }
    if terms.as_ref().is_some_and(|amd| amd.sound().is_some()) {
        return Err("amd: `message` is a text here; sound files are played by campaigns".to_owned());
    }
    for text in texts {
        template::names(text).map_err(|why| format!("amd: a template cannot be read: {why}"))?;
    }
    Ok(terms)
}

/// The longest number or name, in octets.
const LONGEST: usize = 256;

/// How many variables a call may begin with.
const MOST_VARIABLES: usize = 100;

/// The longest of them, in octets.
const LONGEST_VALUE: usize = 4_000;

/// For how long a call may ring.
const LEAST_RING: Duration = Duration::from_secs(5);
const MOST_RING: Duration = Duration::from_secs(180);
