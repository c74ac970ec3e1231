//! ONNX Runtime, which is loaded at run time.

use std::env;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use ort::environment::{Environment, GlobalThreadPoolOptions};
use ort::session::Session;

/// Loads the library that `ORT_DYLIB_PATH` names, or `libonnxruntime.so` beside the model, and with
/// it the model. It computes on the thread that asks.
///
/// # Errors
/// When the library or the model is missing or does not fit; the text names the file.
pub(super) fn session(model: &Path) -> Result<Session, String> {
    let library = env::var_os("ORT_DYLIB_PATH").map(PathBuf::from);
    let library = library.unwrap_or_else(|| model.with_file_name("libonnxruntime.so"));
    let environment = environment(&library)
        .map_err(|why| format!("{}: {why}; `./dev setup` fetches it", library.display()))?;
    // Without it, weights of eight bits overflow where the processor has no VNNI: a network would
    // hear other things there.
    Session::builder(environment)
        .and_then(|builder| Ok(builder.with_precise_qmm()?))
        .and_then(|mut builder| builder.commit_from_file(model))
        .map_err(|why| format!("{}: {why}", model.display()))
}

/// The library allows one environment in a process, so the first library that is loaded serves
/// every model, and stays.
fn environment(library: &Path) -> Result<&'static Environment, String> {
    static ENVIRONMENT: OnceLock<Result<Environment, String>> = OnceLock::new();
    let made = ENVIRONMENT.get_or_init(|| {
        let builder = ort::init_from(library).map_err(|why| why.to_string())?;
        // One thread and no spinning: whoever asks has a thread for it.
        let threads = GlobalThreadPoolOptions::default()
            .with_intra_threads(1)
            .and_then(|threads| threads.with_spin_control(false))
            .map_err(|why| why.to_string())?;
        builder.with_global_thread_pool(threads).build().map_err(|why| why.to_string())
    });
    made.as_ref().map_err(Clone::clone)
}
