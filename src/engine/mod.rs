//! What drives: clocks, sockets, threads and tasks around the pure machines.
