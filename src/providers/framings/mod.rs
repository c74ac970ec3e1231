//! Audio over WebSockets, as others expect it: small serializers, one for each way of framing.

pub mod forms;
pub mod framing;
mod linear;
pub mod settings;
mod twilio;
