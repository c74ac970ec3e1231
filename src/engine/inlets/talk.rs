//! A call that somebody brings: from the first word to the last, between the peer's connection and a
//! port of ours.

use std::net::IpAddr;

use crate::engine::inlets::peer::{Gone, Peer, Said};
use crate::engine::inlets::voice::{Heard, Unheard, Voice};
use crate::engine::sip_shard::visits::{News, Visit, Visitor};
use crate::engine::sip_shard::{SipHandle, until};

/// How a call ended that somebody brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The house hung up.
    ByUs,
    /// It was not taken: the status that SIP has for it, and why.
    Refused(u16, String),
    /// They hung up.
    ByPeer,
    /// They made no sense, or took nothing.
    Broken(&'static str),
}

/// What is needed to bring a call.
#[derive(Debug, Clone)]
pub struct House {
    /// The signalling.
    pub sip: SipHandle,
    /// Where the ports of media are bound.
    pub media: IpAddr,
}

/// Brings a call, and carries what is said until it ends. The peer is hung up then.
pub async fn carry<P: Peer>(house: &House, visit: Visit, peer: &mut P) -> End {
    let end = talk(house, visit, peer).await;
    peer.end().await;
    end
}

async fn talk<P: Peer>(house: &House, visit: Visit, peer: &mut P) -> End {
    let Ok(unheard) = Unheard::bind(house.media, peer.rate()).await else {
        return End::Refused(503, "no port is left".to_owned());
    };
    let visit = Visit { offer: unheard.offer().into(), ..visit };
    let visitor = match house.sip.visit(visit).await {
        Ok(visitor) => visitor,
        Err(refusal) => {
            let why = refusal.warning.map(|warning| warning.text);
            return End::Refused(refusal.status, why.unwrap_or_default());
        }
    };
    let mut talk = Talk { visitor, unheard: Some(unheard), voice: None };
    loop {
        if let Some(end) = talk.step(peer).await {
            return end;
        }
    }
}

struct Talk {
    visitor: Visitor,
    /// Until it is answered.
    unheard: Option<Unheard>,
    voice: Option<Voice>,
}

impl Talk {
    /// Waits until something happens, and sees to it; gives how it ended, when it did.
    async fn step<P: Peer>(&mut self, peer: &mut P) -> Option<End> {
        let deadline = self.voice.as_ref().and_then(Voice::deadline);
        let done = tokio::select! {
            news = self.visitor.news() => return self.learn(news),
            said = peer.receive() => self.said(said),
            heard = hear(&mut self.voice) => match heard {
                Heard::Sound(samples) => peer.sound(&samples).await,
                Heard::Key(key) => peer.key(key).await,
            },
            () = until(deadline) => Ok(()),
        };
        if let Err(gone) = done {
            return Some(match gone {
                Gone::HungUp => End::ByPeer,
                Gone::Broken(why) => End::Broken(why),
            });
        }
        if let Some(voice) = &mut self.voice {
            voice.send().await;
        }
        None
    }

    fn learn(&mut self, news: Option<News>) -> Option<End> {
        match news {
            None | Some(News::Ended) => Some(End::ByUs),
            Some(News::Refused(status, why)) => Some(End::Refused(status, why)),
            Some(News::Rings) => None,
            Some(News::Answered(answer)) => {
                let unheard = self.unheard.take()?;
                match unheard.answered(&answer) {
                    Ok(voice) => {
                        self.voice = Some(voice);
                        None
                    }
                    Err(_) => Some(End::Broken("no codec is spoken by both")),
                }
            }
        }
    }

    fn said(&mut self, said: Result<Said, Gone>) -> Result<(), Gone> {
        // What is said before anybody listens is heard by nobody.
        let (said, Some(voice)) = (said?, &mut self.voice) else { return Ok(()) };
        match said {
            Said::Sound(frame) => {
                // More than may wait is lost, as in any jitter buffer.
                voice.say(&frame);
            }
            Said::Key(key) => {
                voice.press(key);
            }
        }
        Ok(())
    }
}

/// What the port says, once there is one.
async fn hear(voice: &mut Option<Voice>) -> Heard {
    match voice {
        Some(voice) => voice.hear().await,
        None => std::future::pending().await,
    }
}
