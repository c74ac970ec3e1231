//! Stand-ins for vendors, over their real protocols: they check what we send.

pub mod chat_server;
