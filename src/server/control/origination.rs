//! A call that an operator wants to begin.

use std::sync::Arc;
use std::time::Duration;

use crate::base::destination::Destination;
use crate::call::origination::Origination;
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
        place: None,
    })
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
