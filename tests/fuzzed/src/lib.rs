//! What a fuzzer is let loose on: a function for each target, which takes any bytes and panics where a promise does not hold.
//!
//! That nothing panics is the least of it. What was acknowledged is read by decoders that share no code with ours and compared; what was refused has left
//! nothing behind; what is rendered reads back, and what is accepted is reproduced. `tests/fuzz` drives these targets with libFuzzer, and
//! `tests/corpus.rs` replays what it found on any compiler.

mod address;
mod amounts;
#[path = "../../src/canonical.rs"]
pub mod canonical;
mod choices;
mod contents;
mod event_grid;
mod event_hubs;
mod invocation;
mod journal;
mod journal_model;
mod key;
mod layout;
mod line;
mod moment;
pub mod mutation;
#[path = "../../src/naming.rs"]
pub mod naming;
mod push_unwrapped;
mod push_wrapped;
mod record;
mod round_trip;
mod seeds;
mod selector;
mod service_bus;
mod serving;
mod template;

pub use address::address;
pub use amounts::amounts;
pub use event_grid::event_grid;
pub use event_hubs::event_hubs;
pub use journal::journal;
pub use key::key;
pub use layout::layout;
pub use line::line;
pub use moment::moment;
pub use push_unwrapped::push_unwrapped;
pub use push_wrapped::push_wrapped;
pub use record::record;
pub use round_trip::round_trip;
pub use seeds::seeds;
pub use selector::selector;
pub use service_bus::service_bus;
pub use template::template;

/// A target: any bytes in, a panic where something does not hold.
pub type Target = fn(&[u8]);

/// Every target by its name, which is that of its file in `tests/fuzz/targets` and of its folder in `tests/fuzz/corpus`.
pub const TARGETS: [(&str, Target); 16] = [
    ("address", address),
    ("amounts", amounts),
    ("event_grid", event_grid),
    ("event_hubs", event_hubs),
    ("journal", journal),
    ("key", key),
    ("layout", layout),
    ("line", line),
    ("moment", moment),
    ("push_unwrapped", push_unwrapped),
    ("push_wrapped", push_wrapped),
    ("record", record),
    ("round_trip", round_trip),
    ("selector", selector),
    ("service_bus", service_bus),
    ("template", template),
];

/// What stands before the first line end, and what behind it; everything is the first line where there is none.
fn first_line(data: &[u8]) -> (&[u8], &[u8]) {
    match data.iter().position(|byte| *byte == b'\n') {
        Some(at) => (&data[..at], &data[at + 1..]),
        None => (data, &[]),
    }
}
