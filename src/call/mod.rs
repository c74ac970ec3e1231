//! The call: legs, dialplan and agent under one conductor.
