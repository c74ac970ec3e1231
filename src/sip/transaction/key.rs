//! What makes a message part of a transaction (RFC 3261 17.1.3 and 17.2.3).

/// The name of a transaction: branch, sent-by and method, and our role in it, since an endpoint
/// may call itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    role: Role,
    branch: Box<str>,
    sent_by: Box<str>,
    method: Box<str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Role {
    Client,
    Server,
}

impl Key {
    /// Names a transaction that we began: the branch is ours and unique. `method` is that of CSeq.
    pub fn client(branch: &str, method: &str) -> Self {
        Self {
            role: Role::Client,
            branch: branch.into(),
            sent_by: "".into(),
            method: method.into(),
        }
    }

    /// Names a transaction that a peer began, from its topmost Via. An ACK has its INVITE's name.
    pub fn server(branch: &str, sent_by: &str, method: &str) -> Self {
        let method = if method == "ACK" { "INVITE" } else { method };
        Self {
            role: Role::Server,
            branch: branch.into(),
            sent_by: sent_by.to_ascii_lowercase().into(),
            method: method.into(),
        }
    }

    /// Whether it is that of an INVITE.
    pub fn is_invite(&self) -> bool {
        &*self.method == "INVITE"
    }

    /// The INVITE that a CANCEL with this name is about.
    pub fn cancelled(&self) -> Self {
        Self { method: "INVITE".into(), ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ack_has_its_invites_name_and_a_cancel_its_own() {
        let invite = Key::server("z9hG4bKx", "Host:5060", "INVITE");
        assert_eq!(Key::server("z9hG4bKx", "host:5060", "ACK"), invite);
        let cancel = Key::server("z9hG4bKx", "host:5060", "CANCEL");
        assert_ne!(cancel, invite);
        assert_eq!(cancel.cancelled(), invite);
        assert_ne!(Key::server("z9hG4bKx", "other:5060", "INVITE"), invite);
    }
}
