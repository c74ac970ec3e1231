//! What drives: clocks, sockets, threads and tasks around the pure machines.

pub mod campaigns;
pub mod changing;
pub mod clock;
pub mod conferences;
pub mod mailbox;

pub mod arrival;
pub mod deciding;
pub mod doors;
pub mod entrusted;
pub mod errands;
pub mod lookups;
pub mod sip_shard;
pub mod stir;
pub mod streams;

pub mod announcements;
pub mod inlets;
pub mod journal;

pub mod gauges;
pub mod media_shard;
pub mod recorder;
pub mod retention;
pub mod roll;
pub mod uploads;
pub mod web;

pub mod aftermath;
pub mod ai;
pub mod audio_streams;

pub mod bus;
pub mod call_task;
pub mod supervisor;

pub mod memories;
pub mod newest;
pub mod phone;
pub mod playbill;
pub mod queues;
pub mod reach;
pub mod voicemail;
