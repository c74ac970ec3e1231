//! The running server, called over real sockets by phones of several makes.

mod caller;
mod certificates;
mod datagrams;
mod deskphone;
mod ear;
mod line;
mod proxy;
mod server;
mod softphone;
mod store;

mod attacks;
mod baresip;
mod bridging;
mod codecs;
mod control;
mod crowd;
mod dialogs;
mod door;
mod echo;
mod ends;
mod faults;
mod kamailio;
mod keys;
mod peers;
mod phones;
mod recording;
mod recordings;
mod signatures;
mod sipp;
mod soak;
mod speech;
mod srtp;
mod story;
mod transports;
mod values;
