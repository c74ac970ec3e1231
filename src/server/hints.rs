//! What an operator can do about a socket that cannot be had.

use crate::engine::doors::DoorError;

/// About a socket of SIP.
pub fn door_hint(why: &DoorError) -> String {
    match why {
        DoorError::Bind { why, .. } => hint(
            why,
            "another program has it (a PBX? a second voxtrunk?): stop that one, or choose another \
             port under [[sip.listen]] in conf/server.toml",
        ),
        DoorError::Tls(_) => String::new(),
    }
}

/// About any; `taken`: when somebody else has it.
pub fn hint(why: &std::io::Error, taken: &str) -> String {
    match why.kind() {
        std::io::ErrorKind::AddrInUse => format!("\n  {taken}"),
        std::io::ErrorKind::AddrNotAvailable => {
            "\n  this machine does not have that address: `ip addr` lists those that it has"
                .to_owned()
        }
        std::io::ErrorKind::PermissionDenied => {
            "\n  ports below 1024 need a privilege: choose one above".to_owned()
        }
        _ => String::new(),
    }
}
