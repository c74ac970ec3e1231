//! Puts the house together and takes it down.

pub mod control;
pub mod history;
pub mod http;
mod records;
mod reload;
pub mod routes;
pub mod routing;
pub mod running;

pub mod assembly;
pub mod casting;
pub mod codecs;
pub mod door;
pub mod hosts;
pub mod inspection;
mod listening;
pub mod music;
pub mod phones;
pub mod preset;
pub mod recordings;
pub mod secrets;
pub mod stir;
pub mod tools;
pub mod trial;
pub mod trunks;
pub mod verify;

pub mod bench;
pub mod check;
pub mod console;
pub mod decrypt;
pub mod demo;
pub mod dial;
pub mod fakes;
pub mod flows;
pub mod keys;
pub mod memory;
pub mod models;
pub mod providers;
mod reach;
pub mod schema;
pub mod serve;
pub mod telling;
pub mod tool;
pub mod voicemail;
