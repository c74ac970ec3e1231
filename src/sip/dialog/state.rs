//! A dialog (RFC 3261 12): what two user agents must remember to speak within it.

use serde::{Deserialize, Serialize};

use crate::sip::event::Flow;

/// The identity of a dialog: Call-ID and both tags (T7).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DialogId {
    /// The Call-ID header.
    pub call_id: String,
    /// Our tag.
    pub local_tag: String,
    /// The peer's tag; empty when a peer of RFC 2543 has none.
    pub remote_tag: String,
}

/// The state of a dialog.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Dialog {
    /// Who is in it.
    pub id: DialogId,
    /// From of our requests, with our tag.
    pub local: String,
    /// To of our requests, with the peer's tag.
    pub remote: String,
    /// CSeq of our last request.
    pub local_sequence: u32,
    /// CSeq of the peer's last request.
    pub remote_sequence: Option<u32>,
    /// The route set: values of Route in the order in which they are sent.
    pub routes: Vec<String>,
    /// The peer's Contact: the Request-URI of our requests.
    pub target: String,
    /// Where our requests go. A route or Contact never leads elsewhere (T5).
    pub flow: Flow,
}

/// A request whose CSeq is lower than that of one before: to be answered with 500 (12.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the CSeq is lower than that of an earlier request")]
pub struct OutOfOrder;

impl Dialog {
    /// Counts a request of the peer.
    ///
    /// # Errors
    /// When it comes after one that was sent later.
    pub fn count(&mut self, sequence: u32) -> Result<(), OutOfOrder> {
        if self.remote_sequence.is_some_and(|last| sequence < last) {
            return Err(OutOfOrder);
        }
        self.remote_sequence = Some(sequence);
        Ok(())
    }

    /// The CSeq of our next request.
    pub fn next_sequence(&mut self) -> u32 {
        self.local_sequence = self.local_sequence.saturating_add(1);
        self.local_sequence
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dialog() -> Dialog {
        Dialog {
            id: DialogId {
                call_id: "c".to_owned(),
                local_tag: "l".to_owned(),
                remote_tag: "r".to_owned(),
            },
            local: "<sip:us@192.0.2.1>;tag=l".to_owned(),
            remote: "<sip:peer@192.0.2.9>;tag=r".to_owned(),
            local_sequence: 1,
            remote_sequence: None,
            routes: Vec::new(),
            target: "sip:peer@192.0.2.9".to_owned(),
            flow: Flow::udp("192.0.2.1:5060".parse().unwrap(), "192.0.2.9:5060".parse().unwrap()),
        }
    }

    #[test]
    fn a_lower_sequence_is_out_of_order() {
        let mut dialog = dialog();
        assert_eq!(dialog.count(7), Ok(()));
        assert_eq!(dialog.count(9), Ok(()));
        assert_eq!(dialog.count(8), Err(OutOfOrder));
        assert_eq!(dialog.next_sequence(), 2);
    }
}
