//! Methods of requests: those we know, and any other token.

use std::fmt;

use super::lexer::is_token;

/// Defines the known methods once.
macro_rules! methods {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// The method of a request. Methods compare by octets: `invite` is not INVITE (RFC 3261
        /// 7.1). A method that we do not know is a value, so that it can be answered with 501.
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Method {
            $($(#[$doc])* $name,)*
            /// Any other token.
            Other(OtherMethod),
        }

        impl Method {
            /// Reads a method; `None` when the text is no token.
            pub fn from_token(text: &[u8]) -> Option<Self> {
                $(if text == $text.as_bytes() {
                    return Some(Self::$name);
                })*
                if text.is_empty() || !text.iter().all(|byte| is_token(*byte)) {
                    return None;
                }
                let text = std::str::from_utf8(text).ok()?;
                Some(Self::Other(OtherMethod(text.into())))
            }

            /// The method as it stands on the wire.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$name => $text,)*
                    Self::Other(OtherMethod(text)) => text,
                }
            }
        }
    };
}

methods! {
    /// Begins a session, or changes one.
    Invite = "INVITE",
    /// Confirms a final answer to INVITE; is never answered.
    Ack = "ACK",
    /// Ends a session.
    Bye = "BYE",
    /// Ends an INVITE that has no final answer yet.
    Cancel = "CANCEL",
    /// Asks what the peer can do.
    Options = "OPTIONS",
    /// Binds an address of record to contacts.
    Register = "REGISTER",
    /// Confirms a provisional answer (RFC 3262).
    Prack = "PRACK",
    /// Asks for notifications (RFC 6665).
    Subscribe = "SUBSCRIBE",
    /// Brings one (RFC 6665).
    Notify = "NOTIFY",
    /// Publishes event state (RFC 3903).
    Publish = "PUBLISH",
    /// Carries something within a session (RFC 6086).
    Info = "INFO",
    /// Asks the peer to call somebody (RFC 3515).
    Refer = "REFER",
    /// Carries a text (RFC 3428).
    Message = "MESSAGE",
    /// Changes a session without INVITE (RFC 3311).
    Update = "UPDATE",
}

/// A method that has no name here. It cannot be made from the text of one that has.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OtherMethod(Box<str>);

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_compare_by_octets_and_unknown_ones_are_values() {
        assert_eq!(Method::from_token(b"INVITE"), Some(Method::Invite));
        let lower = Method::from_token(b"invite").expect("a token");
        assert_ne!(lower, Method::Invite);
        assert_eq!(lower.as_str(), "invite");
        assert_eq!(Method::from_token(b"IN VITE"), None);
        assert_eq!(Method::from_token(b""), None);
    }
}
