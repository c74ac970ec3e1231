//! Adapters of models that hear and speak.

mod track;

pub mod settings;

mod event;
mod items;
mod turn;

mod session;

mod asking;
mod heeding;

mod talk;

mod beside;
mod outside;

mod work;

pub mod openai;
