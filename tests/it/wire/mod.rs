//! The running server, called over real sockets by phones of several makes.

mod caller;
mod certificates;
mod datagrams;
mod ear;
mod server;

mod attacks;
mod baresip;
mod bridging;
mod crowd;
mod door;
mod faults;
mod recording;
mod sipp;
mod speech;
mod transports;
