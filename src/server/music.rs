//! From what the operator's files say of music to the tapes that are played.

use std::path::Path;
use std::sync::Arc;

use crate::agent::assistant::Assistant;
use crate::agent::mailbox::Mailbox;
use crate::audio::mix;
use crate::call::briefing::Tapes;
use crate::config::external::Fault;
use crate::config::settings::Server;
use crate::dialplan::campaign::Campaign;
use crate::media::music::{RATES, Tape};
use crate::providers::sound_file::{self, Unplayable};

/// What is played over and over: read and decoded once for all calls.
///
/// # Errors
/// When the file of the hold music cannot be played.
pub fn tapes(server: &Server) -> Result<Tapes, Unplayable> {
    let Some(path) = &server.media.hold_music else { return Ok(Tapes::default()) };
    let sides = sound_file::read(path, &RATES)?;
    Ok(Tapes { hold: Arc::new(Tape::of_sides(sides)), ..Tapes::default() })
}

/// What is heard behind an agent, read and decoded once for all its calls.
///
/// # Errors
/// When its file cannot be played.
pub fn ambience(agent: &Assistant) -> Result<Option<Arc<Tape>>, Unplayable> {
    let Some(path) = &agent.ambience else { return Ok(None) };
    let mut sides = sound_file::read(Path::new(path), &RATES)?;
    for side in &mut sides {
        mix::gain(&mut side.samples, agent.ambience_volume);
    }
    Ok(Some(Arc::new(Tape::of_sides(sides))))
}

/// The sounds behind an agent that cannot be played.
pub fn ambience_faults(agent: &Assistant) -> Option<Fault> {
    let path = Path::new(agent.ambience.as_deref()?);
    let why = sound_file::look(path).err()?;
    Some(fault(("ambience", "sound"), path, &why))
}

/// A greeting that cannot be played.
pub fn greeting_faults(file: &str) -> Option<Fault> {
    let path = Path::new(file);
    // That it is missing was said where it was looked for.
    let why = sound_file::look(path).err().filter(|_| !file.is_empty())?;
    Some(fault(("greeting", "greeting"), path, &why))
}

/// What a voicemail plays before the tone, read and decoded once for all calls.
///
/// # Errors
/// When its file cannot be played.
pub fn greeting(mailbox: &Mailbox) -> Result<Option<Arc<Tape>>, Unplayable> {
    let Some(path) = &mailbox.sound else { return Ok(None) };
    let sides = sound_file::read(Path::new(path), &RATES)?;
    Ok(Some(Arc::new(Tape::of_sides(sides))))
}

/// What a campaign leaves with machines, read and decoded once for all calls.
///
/// # Errors
/// When its file cannot be played.
pub fn dropped(campaign: &Campaign) -> Result<Option<Arc<Tape>>, Unplayable> {
    let Some(path) = &campaign.sound else { return Ok(None) };
    let sides = sound_file::read(Path::new(path), &RATES)?;
    Ok(Some(Arc::new(Tape::of_sides(sides))))
}

/// Music that cannot be played.
pub fn faults(server: &Server) -> Option<Fault> {
    let path = server.media.hold_music.as_deref()?;
    let why = sound_file::look(path).err()?;
    Some(fault(("media.hold_music", "hold music"), path, &why))
}

fn fault((key, what): (&str, &str), path: &Path, why: &Unplayable) -> Fault {
    let message = format!("the {what} `{}` cannot be played: {why}", path.display());
    let mut fault = Fault::error("music.unplayable", key, message);
    fault.label = "this file".to_owned();
    fault.help = Some(match why {
        Unplayable::File(_) => "write the path of a WAV, FLAC, Ogg Vorbis or MP3 file".to_owned(),
        Unplayable::TooLong => "cut it: it is played over and over".to_owned(),
        Unplayable::Unknown(_)
        | Unplayable::Empty
        | Unplayable::Broken { .. }
        | Unplayable::Changes(..)
        | Unplayable::Rate(_) => "save it once more as WAV, FLAC, Ogg Vorbis or MP3".to_owned(),
    });
    fault
}
