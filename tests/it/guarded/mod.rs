//! For each guard a test that misses it: `tests/guards.toml` names it, and `guards.rs` sees it go red when its guard is off.

mod core;
mod process;
mod sync;

pub(crate) use sync::strace;
