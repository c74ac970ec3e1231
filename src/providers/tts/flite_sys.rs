//! libflite and its voices, loaded at run time; the only place of its unsafe code.
//!
//! Declared after the headers of flite 2.2, which Debian and Ubuntu ship as `libflite1`. A voice
//! is static data of its library that synthesis only reads: what belongs to one utterance, such
//! as where its samples go, is hung on the utterance and not, as is usual, on the voice.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::mem::ManuallyDrop;
use std::ptr::{self, NonNull};
use std::sync::{Mutex, PoisonError};

use libloading::Library;

/// A voice, ready to speak.
pub struct Voice {
    library: Functions,
    voice: NonNull<c_void>,
}

// SAFETY: the voice is never written to after `load`, and has no tie to a thread. It is not
// `Sync`: one thread at a time speaks with it.
unsafe impl Send for Voice {}

/// Samples of an utterance and their rate in samples per second; answers whether to go on.
pub type Listener<'a> = dyn FnMut(u32, &[i16]) -> bool + 'a;

impl Voice {
    /// Loads a voice by its short name: `slt`. The libraries stay loaded until the process ends.
    pub fn load(name: &str) -> Result<Self, libloading::Error> {
        // Registering writes to static data of the libraries, which all voices share.
        static READY: Mutex<bool> = Mutex::new(false);
        let mut ready = READY.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: the initialisers of the libraries do nothing. The types of the symbols are those
        // of flite.h and of the voices' `register_…(const char *voxdir)`, which gives the same
        // voice each time and takes null for "no folder". The libraries are never unloaded, so
        // what is taken from them stays where it is.
        unsafe {
            let library = ManuallyDrop::new(Library::new("libflite.so.1")?);
            let voices = Library::new(format!("libflite_cmu_us_{name}.so.1"))?;
            let voices = ManuallyDrop::new(voices);
            let flite_init: unsafe extern "C" fn() -> c_int = *library.get(b"flite_init\0")?;
            if !std::mem::replace(&mut *ready, true) {
                flite_init();
            }
            let register: unsafe extern "C" fn(*const c_char) -> *mut c_void =
                *voices.get(format!("register_cmu_us_{name}\0").as_bytes())?;
            let functions = Functions::of(&library)?;
            let voice = NonNull::new(register(ptr::null()))
                .expect("a voice is static data, its registration cannot fail");
            Ok(Self { library: functions, voice })
        }
    }

    /// Speaks `text` and hands each piece of `piece` samples (the last may be shorter) to
    /// `listener`. `stretch` is how much longer than usual the sounds last.
    pub fn speak(&mut self, text: &CStr, manner: Manner, listener: &mut Listener<'_>) {
        let library = &self.library;
        // A pointer to a wide pointer: what fits into the one word that the library carries.
        let mut listener: *mut Listener<'_> = ptr::from_mut(listener);
        // SAFETY: the utterance is made, filled, spoken and deleted here, and nothing of it is
        // kept. Its features own the streaming information, whose fields are those of
        // cst_audio.h; `userdata` points to `listener`, which outlives the call. The names of
        // features are static. `utt_synth` gives null when it failed; it then leaves the
        // utterance to us.
        unsafe {
            let utterance = (library.new_utterance)();
            (library.utt_set_input_text)(utterance, text.as_ptr());
            (library.utt_init)(utterance, self.voice.as_ptr());
            let streaming = (library.new_audio_streaming_info)();
            (*streaming).min_buffsize = manner.piece;
            (*streaming).asc = Some(hand_over);
            (*streaming).userdata = (&raw mut listener).cast();
            let features = (*utterance).features;
            let streaming = (library.audio_streaming_info_val)(streaming);
            (library.feat_set)(features, c"streaming_info".as_ptr(), streaming);
            (library.feat_set_float)(features, c"duration_stretch".as_ptr(), manner.stretch);
            (library.utt_synth)(utterance);
            (library.delete_utterance)(utterance);
        }
    }
}

/// How to speak.
#[derive(Debug, Clone, Copy)]
pub struct Manner {
    /// How many samples are handed over at once, at least.
    pub piece: c_int,
    /// How much longer than usual the sounds last: 1.0.
    pub stretch: f32,
}

/// Takes a piece of the wave: `cst_audio_stream_callback` of cst_audio.h. Negative means stop.
extern "C" fn hand_over(
    wave: *const Wave,
    start: c_int,
    size: c_int,
    _last: c_int,
    streaming: *mut Streaming,
) -> c_int {
    // SAFETY: the library passes a wave with at least `start + size` samples and the streaming
    // information that `speak` made, whose user data points to its listener.
    unsafe {
        let listener: &mut Listener<'_> = &mut **(*streaming).userdata.cast::<*mut Listener<'_>>();
        let (Ok(start), Ok(size)) = (usize::try_from(start), usize::try_from(size)) else {
            return -1;
        };
        let samples = (*wave).samples;
        if samples.is_null() {
            return 0;
        }
        let samples = std::slice::from_raw_parts(samples.add(start), size);
        if listener((*wave).sample_rate.unsigned_abs(), samples) { 0 } else { -1 }
    }
}

struct Functions {
    new_utterance: unsafe extern "C" fn() -> *mut Utterance,
    delete_utterance: unsafe extern "C" fn(*mut Utterance),
    utt_set_input_text: unsafe extern "C" fn(*mut Utterance, *const c_char) -> c_int,
    utt_init: unsafe extern "C" fn(*mut Utterance, *mut c_void) -> *mut Utterance,
    utt_synth: unsafe extern "C" fn(*mut Utterance) -> *mut Utterance,
    feat_set: unsafe extern "C" fn(*mut c_void, *const c_char, *const c_void),
    feat_set_float: unsafe extern "C" fn(*mut c_void, *const c_char, f32),
    new_audio_streaming_info: unsafe extern "C" fn() -> *mut Streaming,
    audio_streaming_info_val: unsafe extern "C" fn(*const Streaming) -> *mut c_void,
}

impl Functions {
    /// Takes the functions from the library.
    ///
    /// # Safety
    /// The library is libflite 2 and is never unloaded.
    unsafe fn of(library: &Library) -> Result<Self, libloading::Error> {
        // SAFETY: the types are those of cst_utterance.h, cst_synth.h, cst_features.h and
        // cst_audio.h.
        unsafe {
            Ok(Self {
                new_utterance: *library.get(b"new_utterance\0")?,
                delete_utterance: *library.get(b"delete_utterance\0")?,
                utt_set_input_text: *library.get(b"utt_set_input_text\0")?,
                utt_init: *library.get(b"utt_init\0")?,
                utt_synth: *library.get(b"utt_synth\0")?,
                feat_set: *library.get(b"feat_set\0")?,
                feat_set_float: *library.get(b"feat_set_float\0")?,
                new_audio_streaming_info: *library.get(b"new_audio_streaming_info\0")?,
                audio_streaming_info_val: *library.get(b"audio_streaming_info_val\0")?,
            })
        }
    }
}

/// The beginning of `cst_utterance`.
#[repr(C)]
struct Utterance {
    features: *mut c_void,
}

/// `cst_wave`.
#[repr(C)]
struct Wave {
    kind: *const c_char,
    sample_rate: c_int,
    num_samples: c_int,
    num_channels: c_int,
    samples: *const i16,
}

/// `cst_audio_streaming_info`.
#[repr(C)]
struct Streaming {
    min_buffsize: c_int,
    asc: Option<extern "C" fn(*const Wave, c_int, c_int, c_int, *mut Streaming) -> c_int>,
    utterance: *const c_void,
    item: *const c_void,
    userdata: *mut c_void,
}
