//! What browsers write into a description: ICE (RFC 8839), the fingerprint of their certificate
//! (RFC 8122), who begins the handshake (RFC 5763) and what shares a port (RFC 8843).

use std::net::IpAddr;

use sdp_types::{Media, Session};

use crate::base::webrtc::{Credentials, Fingerprint, Own};
use crate::sdp::refusal::Refusal;
use crate::sdp::session::{MUX, in_force, values};

/// The end of a browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Theirs {
    /// By what it is asked.
    pub credentials: Credentials,
    /// The certificate that it shows.
    pub fingerprint: Fingerprint,
}

/// Who begins the handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setup {
    /// The other side.
    Passive,
    /// Whoever answers says so.
    Either,
}

/// Reads what a session of WebRTC needs. We wait for the handshake and for the checks of ICE, so
/// the other side must be one that begins both.
///
/// # Errors
/// When something of it is missing.
pub fn read(session: &Session, media: &Media) -> Result<Theirs, Refusal> {
    let all = |name: &'static str| {
        let named = in_force(session, media).filter(|it| it.attribute.eq_ignore_ascii_case(name));
        named.map(|it| it.value.as_deref().unwrap_or_default().trim())
    };
    let one = |name| all(name).next().ok_or(Refusal::WEB);
    let credentials = Credentials::new(one(NAME)?, one(PASSWORD)?).ok_or(Refusal::WEB)?;
    let fingerprint = all(FINGERPRINT).find_map(Fingerprint::read).ok_or(Refusal::WEB)?;
    let begins = matches!(one(SETUP)?, "actpass" | "active");
    let is_whole = all(LITE).next().is_none() && values(&media.attributes, MUX).next().is_some();
    let is_good = begins && is_whole;
    is_good.then_some(Theirs { credentials, fingerprint }).ok_or(Refusal::WEB)
}

/// Writes our end.
pub fn write((session, media): (&mut Session, &mut Media), own: &Own, setup: Setup) {
    session.add_attribute_from_str(LITE);
    media.add_attribute_with_value(NAME, own.credentials.name());
    media.add_attribute_with_value(PASSWORD, own.credentials.password());
    media.add_attribute_with_value(FINGERPRINT, own.fingerprint);
    let setup = match setup {
        Setup::Passive => "passive",
        Setup::Either => "actpass",
    };
    media.add_attribute_with_value(SETUP, setup);
    // A stream for pages that look for one.
    media.add_attribute_with_value("msid", "voxtrunk voice");
}

/// Writes where we are: at one place, and at no other that the machine may have (T37).
pub fn write_place(media: &mut Media, own: &Own, address: IpAddr) {
    media.port = own.port.unwrap_or(media.port);
    let candidate = format!("1 1 udp {HOST} {address} {} typ host", media.port);
    media.add_attribute_with_value("candidate", candidate);
    media.add_attribute_from_str("end-of-candidates");
}

/// Repeats the name of the line, and that it stands in a group where it does.
pub fn mirror((offer, theirs): (&Session, &Media), (answer, ours): (&mut Session, &mut Media)) {
    let Some(name) = values(&theirs.attributes, MID).next() else { return };
    ours.add_attribute_with_value(MID, name);
    let is_grouped = values(&offer.attributes, GROUP).any(|group| {
        let mut words = group.split_ascii_whitespace();
        words.next() == Some("BUNDLE") && words.any(|word| word == name)
    });
    if is_grouped {
        answer.add_attribute_with_value(GROUP, format!("BUNDLE {name}"));
    }
}

/// The protocol of a line of ours.
pub const PROTOCOL: &str = "UDP/TLS/RTP/SAVPF";

/// The name of a line.
pub const MID: &str = "mid";

/// The attribute of lines that share a port.
pub const GROUP: &str = "group";

const LITE: &str = "ice-lite";
const NAME: &str = "ice-ufrag";
const PASSWORD: &str = "ice-pwd";
const FINGERPRINT: &str = "fingerprint";
const SETUP: &str = "setup";

/// The priority of a host's only candidate (RFC 8445 5.1.2.2).
const HOST: u32 = 2_130_706_431;
