//! How the stand-in speaks: the sounds and words of its answers, in pieces, and how it falls silent.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{Fault, Item, PIECE, Piece, RATE, Talk};
use crate::audio::frame::{Frame, Rate};
use crate::audio::{g711, resample};

impl Talk {
    /// Puts the sound and the words of an answer into the queue.
    pub(super) fn speak(&mut self, response: &str, text: &str, is_kept: bool) {
        if text.is_empty() {
            return;
        }
        let id = self.name("item");
        if is_kept {
            let mut item = Item::new(id.clone(), ("message", "assistant"), text.to_owned());
            item.sound = Some(0);
            self.items.push(item);
        }
        let item = json!({ "id": id, "type": "message", "role": "assistant", "content": [] });
        self.queue_event(
            response,
            json!({ "type": "response.output_item.added",
            "response_id": response, "output_index": 0, "item": item }),
        );
        let sound = (self.script.throat)(text);
        let words: Vec<&str> = text.split_inclusive(' ').collect();
        let pieces: Vec<&[i16]> = sound.chunks(PIECE).collect();
        for at in 0..pieces.len().max(words.len()) {
            // The words run ahead of the sound, two for each piece.
            for word in words.iter().skip(at * 2).take(2) {
                self.queue_event(
                    response,
                    json!({ "response_id": response, "item_id": id,
                    "type": "response.output_audio_transcript.delta", "content_index": 0,
                    "delta": word }),
                );
            }
            let Some(piece) = pieces.get(at) else { continue };
            let delta = STANDARD.encode(self.encode(piece));
            let value = json!({ "type": "response.output_audio.delta", "response_id": response,
                "item_id": id, "output_index": 0, "content_index": 0, "delta": delta });
            let sound = Some((id.clone(), piece.len()));
            self.queue.push_back(Piece { response: response.to_owned(), value, sound });
        }
        self.queue_event(
            response,
            json!({ "type": "response.output_audio.done",
            "response_id": response, "item_id": id }),
        );
        self.queue_event(
            response,
            json!({ "type": "response.output_item.done",
            "response_id": response, "output_index": 0, "item": item }),
        );
    }

    pub(super) fn uses(&mut self, response: &str, tool: &str, arguments: &str) {
        let (id, call) = (self.name("item"), self.name("call"));
        let tools = self.session["tools"].as_array();
        let is_offered = tools.is_some_and(|all| all.iter().any(|it| it["name"] == tool));
        self.notes.want(is_offered, || format!("`{tool}` is not offered"));
        let item = json!({ "id": id, "type": "function_call", "call_id": call, "name": tool,
            "arguments": arguments });
        self.queue_event(
            response,
            json!({ "type": "response.output_item.added",
            "response_id": response, "output_index": 1, "item": item }),
        );
        self.queue_event(
            response,
            json!({ "type": "response.function_call_arguments.done",
            "response_id": response, "item_id": id, "call_id": call, "name": tool,
            "arguments": arguments }),
        );
        self.queue_event(
            response,
            json!({ "type": "response.output_item.done",
            "response_id": response, "output_index": 1, "item": item }),
        );
        let mut known = Item::new(id, ("function_call", ""), String::new());
        known.call = call;
        self.items.push(known);
    }

    pub(super) fn finish(&mut self, response: &str, mut end: Value) {
        end["id"] = json!(response);
        end["usage"] = json!({ "total_tokens": 9 });
        self.queue_event(response, json!({ "type": "response.done", "response": end }));
    }

    pub(super) fn queue_event(&mut self, response: &str, value: Value) {
        self.queue.push_back(Piece { response: response.to_owned(), value, sound: None });
    }

    /// Sends up to the next piece of sound.
    pub(super) fn give(&mut self) -> Option<()> {
        while let Some(piece) = self.queue.pop_front() {
            if piece.value["type"] == "response.done"
                && self.active.as_ref() == Some(&piece.response)
            {
                self.active = None;
            }
            self.say(piece.value);
            let Some((id, samples)) = piece.sound else { continue };
            if let Some(item) = self.items.iter_mut().find(|item| item.id == id) {
                item.sound = Some(item.sound.unwrap_or(0) + samples);
            }
            self.sent += 1;
            if matches!(self.fault, Fault::CutsAfter(most) if self.sent > most) {
                return None;
            }
            break;
        }
        Some(())
    }

    pub(super) fn stops(&mut self, value: &Value) {
        let named = value["response_id"].as_str().map(str::to_owned);
        let Some(response) = named.or_else(|| self.active.clone()) else { return };
        // What crosses our last words on the way is no mistake.
        if !self.queue.iter().any(|piece| piece.response == response) {
            return;
        }
        self.queue.retain(|piece| piece.response != response);
        self.active.take_if(|active| *active == response);
        self.notes.hear("stops");
        let details = json!({ "type": "cancelled", "reason": "client_cancelled" });
        self.say(json!({ "type": "response.done", "response": { "id": response,
            "status": "cancelled", "status_details": details } }));
    }

    fn encode(&self, samples: &[i16]) -> Vec<u8> {
        let narrow =
            || resample::convert(&Frame::new(RATE, samples.to_vec()), Rate::NARROW).samples;
        match self.session["audio"]["output"]["format"]["type"].as_str().unwrap_or_default() {
            "audio/pcmu" => narrow().iter().map(|it| g711::linear_to_ulaw(*it)).collect(),
            "audio/pcma" => narrow().iter().map(|it| g711::linear_to_alaw(*it)).collect(),
            _ => samples.iter().flat_map(|it| it.to_le_bytes()).collect(),
        }
    }
}
