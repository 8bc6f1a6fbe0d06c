//! Writes the seeds of every target below a folder, for a fuzzer to start from: `cargo run -p persistor-fuzzed --example seeds -- FOLDER`.

use std::fs;
use std::path::Path;

use persistor_fuzzed::{TARGETS, seeds};

fn main() -> std::io::Result<()> {
    let Some(folder) = std::env::args_os().nth(1) else {
        return Err(std::io::Error::other("say where to: `seeds FOLDER`"));
    };
    for (target, _) in TARGETS {
        let folder = Path::new(&folder).join(target);
        fs::create_dir_all(&folder)?;
        for (name, input) in seeds(target) {
            fs::write(folder.join(name), input)?;
        }
    }
    Ok(())
}
