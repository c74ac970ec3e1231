//! A shard and its peers over real sockets.

mod calling;
mod crowds;
mod peer;
mod secured;
mod web;
