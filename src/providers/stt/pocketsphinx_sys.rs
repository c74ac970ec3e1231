//! libpocketsphinx, loaded at run time; the only place of its unsafe code.
//!
//! Declared after the headers of version 0.8+5prealpha, which is what Debian and Ubuntu ship as
//! `libpocketsphinx3`. A decoder is used by one thread at a time; two decoders share nothing.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::Path;
use std::ptr::{self, NonNull};
use std::sync::Arc;

use libloading::Library;

/// The functions of the library.
pub struct PocketSphinx {
    ps_args: unsafe extern "C" fn() -> *const c_void,
    cmd_ln_parse_r:
        unsafe extern "C" fn(*mut c_void, *const c_void, i32, *mut *mut c_char, i32) -> *mut c_void,
    cmd_ln_free_r: unsafe extern "C" fn(*mut c_void) -> c_int,
    ps_init: unsafe extern "C" fn(*mut c_void) -> *mut c_void,
    ps_free: unsafe extern "C" fn(*mut c_void) -> c_int,
    ps_add_word: unsafe extern "C" fn(*mut c_void, *const c_char, *const c_char, c_int) -> c_int,
    ps_set_jsgf_string: unsafe extern "C" fn(*mut c_void, *const c_char, *const c_char) -> c_int,
    ps_set_allphone_file: unsafe extern "C" fn(*mut c_void, *const c_char, *const c_char) -> c_int,
    ps_set_search: unsafe extern "C" fn(*mut c_void, *const c_char) -> c_int,
    ps_start_stream: unsafe extern "C" fn(*mut c_void) -> c_int,
    ps_start_utt: unsafe extern "C" fn(*mut c_void) -> c_int,
    ps_process_raw: unsafe extern "C" fn(*mut c_void, *const i16, usize, c_int, c_int) -> c_int,
    ps_end_utt: unsafe extern "C" fn(*mut c_void) -> c_int,
    ps_get_hyp: unsafe extern "C" fn(*mut c_void, *mut i32) -> *const c_char,
    ps_seg_iter: unsafe extern "C" fn(*mut c_void) -> *mut c_void,
    ps_seg_next: unsafe extern "C" fn(*mut c_void) -> *mut c_void,
    ps_seg_word: unsafe extern "C" fn(*mut c_void) -> *const c_char,
    ps_seg_frames: unsafe extern "C" fn(*mut c_void, *mut c_int, *mut c_int),
    ps_seg_prob: unsafe extern "C" fn(*mut c_void, *mut i32, *mut i32, *mut i32) -> i32,
    /// Keeps the functions above where they are; dropped last.
    _library: Library,
}

/// What the decoder made of an utterance.
#[derive(Debug, Clone, PartialEq)]
pub struct Hypothesis {
    /// The words, a whole path through the grammar.
    pub text: String,
    /// How well all of it fits the sound.
    pub fit: Fit,
}

/// Acoustic scores for each frame of 10 ms: at most 0, and lower the worse the sound fits. They
/// are relative to the sounds that fit best at each moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fit {
    /// Of the words, silence and noise between them left out.
    pub words: f32,
    /// Of everything.
    pub whole: f32,
}

impl PocketSphinx {
    /// Loads the library and silences its log.
    pub fn load(name: &str) -> Result<Arc<Self>, libloading::Error> {
        // SAFETY: the library's initialisers only set up its own tables. The types of the symbols
        // are those of pocketsphinx.h, cmd_ln.h and err.h, where int32 is i32 and size_t usize.
        unsafe {
            let library = Library::new(name)?;
            // sphinxbase is a dependency of the library, so its symbols are found through it.
            let err_set_logfp: unsafe extern "C" fn(*mut c_void) =
                *library.get(b"err_set_logfp\0")?;
            err_set_logfp(ptr::null_mut());
            Ok(Arc::new(Self {
                ps_args: *library.get(b"ps_args\0")?,
                cmd_ln_parse_r: *library.get(b"cmd_ln_parse_r\0")?,
                cmd_ln_free_r: *library.get(b"cmd_ln_free_r\0")?,
                ps_init: *library.get(b"ps_init\0")?,
                ps_free: *library.get(b"ps_free\0")?,
                ps_add_word: *library.get(b"ps_add_word\0")?,
                ps_set_jsgf_string: *library.get(b"ps_set_jsgf_string\0")?,
                ps_set_allphone_file: *library.get(b"ps_set_allphone_file\0")?,
                ps_set_search: *library.get(b"ps_set_search\0")?,
                ps_start_stream: *library.get(b"ps_start_stream\0")?,
                ps_start_utt: *library.get(b"ps_start_utt\0")?,
                ps_process_raw: *library.get(b"ps_process_raw\0")?,
                ps_end_utt: *library.get(b"ps_end_utt\0")?,
                ps_get_hyp: *library.get(b"ps_get_hyp\0")?,
                ps_seg_iter: *library.get(b"ps_seg_iter\0")?,
                ps_seg_next: *library.get(b"ps_seg_next\0")?,
                ps_seg_word: *library.get(b"ps_seg_word\0")?,
                ps_seg_frames: *library.get(b"ps_seg_frames\0")?,
                ps_seg_prob: *library.get(b"ps_seg_prob\0")?,
                _library: library,
            }))
        }
    }
}

/// A decoder with an acoustic model and no words yet.
pub struct Decoder {
    library: Arc<PocketSphinx>,
    decoder: NonNull<c_void>,
}

// SAFETY: a decoder has no tie to the thread that made it, and it is not `Sync`: one thread at a
// time uses it.
unsafe impl Send for Decoder {}

impl Decoder {
    /// Makes a decoder from the acoustic model in a folder; `None` when the library refuses it.
    pub fn new(library: &Arc<PocketSphinx>, acoustic_model: &Path) -> Option<Self> {
        let folder = CString::new(acoustic_model.to_str()?).ok()?;
        let mut arguments = [c"voxtrunk".as_ptr(), c"-hmm".as_ptr(), folder.as_ptr()]
            .into_iter()
            .chain(TUNING.map(CStr::as_ptr))
            .map(<*const c_char>::cast_mut)
            .collect::<Vec<_>>();
        let count = i32::try_from(arguments.len()).ok()?;
        // SAFETY: the arguments are `count` strings that end in NUL and outlive the call; the
        // library copies them and writes to none. `ps_init` takes its own reference of the
        // configuration, so ours is given back.
        unsafe {
            let configuration = (library.cmd_ln_parse_r)(
                ptr::null_mut(),
                (library.ps_args)(),
                count,
                arguments.as_mut_ptr(),
                1,
            );
            if configuration.is_null() {
                return None;
            }
            let decoder = NonNull::new((library.ps_init)(configuration));
            (library.cmd_ln_free_r)(configuration);
            let decoder = Self { library: library.clone(), decoder: decoder? };
            let sounds = (library.ps_set_allphone_file)(
                decoder.decoder.as_ptr(),
                SOUNDS.as_ptr(),
                ptr::null(),
            );
            (sounds == 0).then_some(decoder)
        }
    }

    /// Adds a word: `hello`, `HH AH L OW`. A further pronunciation is called `hello(2)`. Says
    /// whether the library took it.
    pub fn add_word(&mut self, word: &str, phones: &str) -> bool {
        let (Ok(word), Ok(phones)) = (CString::new(word), CString::new(phones)) else {
            return false;
        };
        // SAFETY: both strings end in NUL; the library copies them.
        unsafe {
            (self.library.ps_add_word)(self.decoder.as_ptr(), word.as_ptr(), phones.as_ptr(), 0)
                >= 0
        }
    }

    /// Compiles a grammar under a name; one that had the name is replaced. Says whether the
    /// library understood it and knows all its words.
    pub fn add_grammar(&mut self, name: &str, grammar: &str) -> bool {
        let (Ok(name), Ok(grammar)) = (CString::new(name), CString::new(grammar)) else {
            return false;
        };
        // SAFETY: both strings end in NUL; the library copies them. A replaced grammar may be the
        // chosen one, so the new one is chosen before anything is decoded.
        unsafe {
            (self.library.ps_set_jsgf_string)(
                self.decoder.as_ptr(),
                name.as_ptr(),
                grammar.as_ptr(),
            ) == 0
                && (self.library.ps_set_search)(self.decoder.as_ptr(), name.as_ptr()) == 0
        }
    }

    /// Chooses a grammar that was added before.
    pub fn choose_grammar(&mut self, name: &str) -> bool {
        let Ok(name) = CString::new(name) else { return false };
        // SAFETY: the string ends in NUL; a name that is unknown is refused.
        unsafe { (self.library.ps_set_search)(self.decoder.as_ptr(), name.as_ptr()) == 0 }
    }

    /// Decodes a whole utterance at 16 kHz against the chosen grammar; `None` when no path
    /// through the grammar fits or nothing but silence was there.
    pub fn decode(&mut self, samples: &[i16]) -> Option<Hypothesis> {
        if !self.listen(samples) {
            return None;
        }
        // SAFETY: `ps_get_hyp` gives a string of the decoder that lives until the next utterance
        // and is copied here.
        let text = unsafe {
            let text = (self.library.ps_get_hyp)(self.decoder.as_ptr(), ptr::null_mut());
            if text.is_null() {
                return None;
            }
            CStr::from_ptr(text).to_string_lossy().into_owned()
        };
        (!text.is_empty()).then(|| Hypothesis { text, fit: self.fit() })
    }

    /// How well the best sequence of any sounds of the language fits an utterance: what a
    /// hypothesis is measured against. The grammar must be chosen again afterwards.
    pub fn fit_of_any_sounds(&mut self, samples: &[i16]) -> Option<f32> {
        // SAFETY: the name ends in NUL and was given when the decoder was made.
        let chosen =
            unsafe { (self.library.ps_set_search)(self.decoder.as_ptr(), SOUNDS.as_ptr()) };
        (chosen == 0 && self.listen(samples)).then(|| self.fit().whole)
    }

    /// Lets the chosen search hear a whole utterance.
    fn listen(&mut self, samples: &[i16]) -> bool {
        let decoder = self.decoder.as_ptr();
        // SAFETY: the samples outlive the call and are only read. The steps are those that the
        // header prescribes. A new stream forgets the noise of the caller before.
        unsafe {
            if (self.library.ps_start_stream)(decoder) < 0
                || (self.library.ps_start_utt)(decoder) < 0
            {
                return false;
            }
            (self.library.ps_process_raw)(decoder, samples.as_ptr(), samples.len(), 0, 1);
            (self.library.ps_end_utt)(decoder) >= 0
        }
    }

    /// Weighs how well what was decoded last fits.
    fn fit(&mut self) -> Fit {
        let (mut words, mut whole) = (Mean::default(), Mean::default());
        // SAFETY: the iterator is valid until `ps_seg_next` gives null, which also frees it; the
        // word is a string of the dictionary.
        unsafe {
            let mut segment = (self.library.ps_seg_iter)(self.decoder.as_ptr());
            while !segment.is_null() {
                let (mut begin, mut end) = (0, 0);
                let (mut acoustic, mut language, mut back) = (0, 0, 0);
                (self.library.ps_seg_frames)(segment, &raw mut begin, &raw mut end);
                (self.library.ps_seg_prob)(
                    segment,
                    &raw mut acoustic,
                    &raw mut language,
                    &raw mut back,
                );
                let word = (self.library.ps_seg_word)(segment);
                // Fillers are written <sil>, [NOISE] and ++UH++; (NULL) joins rules.
                let filler = word.is_null()
                    || CStr::from_ptr(word).to_bytes().first().is_none_or(|c| b"<[+(".contains(c));
                let frames = f64::from(end.saturating_sub(begin)) + 1.0;
                whole.add(acoustic, frames);
                if !filler {
                    words.add(acoustic, frames);
                }
                segment = (self.library.ps_seg_next)(segment);
            }
        }
        Fit { words: words.value(), whole: whole.value() }
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        // SAFETY: the decoder was made by `ps_init` and nothing else refers to it.
        unsafe {
            (self.library.ps_free)(self.decoder.as_ptr());
        }
    }
}

/// A mean over frames.
#[derive(Default)]
struct Mean {
    score: f64,
    frames: f64,
}

impl Mean {
    fn add(&mut self, score: i32, frames: f64) {
        self.score += f64::from(score);
        self.frames += frames;
    }

    fn value(&self) -> f32 {
        if self.frames > 0.0 { (self.score / self.frames) as f32 } else { f32::NEG_INFINITY }
    }
}

/// The search that knows no words, only sounds.
const SOUNDS: &CStr = c"any sounds";

/// The ways through a grammar are equally likely, so their odds need no weight. Sounds without
/// their neighbours suffice to measure a hypothesis and take half the time.
const TUNING: [&CStr; 4] = [c"-lw", c"1.0", c"-allphone_ci", c"yes"];
