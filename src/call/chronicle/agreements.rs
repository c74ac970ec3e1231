//! What is noted of the media of a leg.

use super::Chronicle;
use crate::base::master_key::Suite;
use crate::call::leg::Agreement;

impl Chronicle {
    /// The media of a leg was agreed.
    pub fn media_agreed(&mut self, leg: usize, agreement: Agreement) {
        self.record.recorded |= agreement.recording;
        if let Some(leg) = self.record.legs.get_mut(leg) {
            leg.codec = Some(agreement.codec.name());
            // What was hidden once stays so; the suite of a browser is told by its handshake.
            leg.srtp = agreement.srtp.map(Suite::name).or(leg.srtp);
        }
    }

    /// The handshake of a leg chose a suite.
    pub fn secured(&mut self, leg: usize, suite: Suite) {
        if let Some(leg) = self.record.legs.get_mut(leg) {
            leg.srtp = Some(suite.name());
        }
    }
}
