//! Conferences: who is in which room. Each member hears all others of its room; what that means
//! for the ports is said by the calls themselves.

use std::collections::BTreeMap;

use crate::base::id::PortId;

/// All rooms with somebody in them.
#[derive(Debug, Default)]
pub struct Conferences {
    rooms: BTreeMap<String, Vec<PortId>>,
}

/// No more than `MOST_MEMBERS` fit into a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the room is full")]
pub struct Full;

impl Conferences {
    /// A port comes into a room, which is made if nobody is in it; a second time changes nothing.
    /// Gives who is in it now, that port included.
    ///
    /// # Errors
    /// When the room is full.
    pub fn join(&mut self, room: &str, port: PortId) -> Result<&[PortId], Full> {
        let members = self.rooms.entry(room.to_owned()).or_default();
        if !members.contains(&port) {
            if members.len() >= MOST_MEMBERS {
                return Err(Full);
            }
            members.push(port);
        }
        Ok(members)
    }

    /// A port leaves the room where it is. Gives who is still there; nobody when it was in none.
    pub fn leave(&mut self, port: PortId) -> Vec<PortId> {
        let mut left = Vec::new();
        self.rooms.retain(|_, members| {
            if let Some(place) = members.iter().position(|member| *member == port) {
                members.remove(place);
                left.clone_from(members);
            }
            !members.is_empty()
        });
        left
    }

    /// Whether nobody is in any room.
    pub fn is_empty(&self) -> bool {
        self.rooms.is_empty()
    }
}

/// Everybody but one.
pub fn others(members: &[PortId], one: PortId) -> Vec<PortId> {
    members.iter().copied().filter(|member| *member != one).collect()
}

/// The most members of a room. Each of them hears a mix of its own, so that the work grows with
/// the square: 16 who speak Opus take a tenth of a core.
pub const MOST_MEMBERS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_is_there_as_long_as_somebody_is_in_it() {
        let mut conferences = Conferences::default();
        assert_eq!(conferences.join("board", PortId(1)), Ok(&[PortId(1)][..]));
        assert_eq!(conferences.join("board", PortId(2)), Ok(&[PortId(1), PortId(2)][..]));
        assert_eq!(conferences.join("sales", PortId(3)), Ok(&[PortId(3)][..]));
        assert_eq!(conferences.leave(PortId(1)), [PortId(2)]);
        assert_eq!(conferences.leave(PortId(1)), [], "it was gone");
        assert_eq!(conferences.leave(PortId(2)), []);
        assert_eq!(conferences.leave(PortId(3)), []);
        assert!(conferences.is_empty());
    }

    #[test]
    fn a_full_room_takes_only_those_who_are_in_it() {
        let mut conferences = Conferences::default();
        for port in 0..MOST_MEMBERS as u64 {
            conferences.join("board", PortId(port)).expect("there is room");
        }
        assert_eq!(conferences.join("board", PortId(99)), Err(Full));
        assert_eq!(conferences.join("board", PortId(3)).map(<[PortId]>::len), Ok(MOST_MEMBERS));
        assert!(conferences.join("sales", PortId(99)).is_ok());
        assert_eq!(others(&[PortId(1), PortId(2)], PortId(1)), [PortId(2)]);
    }
}
