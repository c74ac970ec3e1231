//! The running server, called over real sockets by phones of several makes.

mod caller;
mod certificates;
mod datagrams;
mod ear;
mod line;
mod server;

mod attacks;
mod baresip;
mod bridging;
mod codecs;
mod control;
mod crowd;
mod door;
mod echo;
mod faults;
mod kamailio;
mod peers;
mod phones;
mod recording;
mod sipp;
mod speech;
mod transports;
