//! The operator's files: settings of the machine, dialplans and agents, checked before use.
