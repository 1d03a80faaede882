//! What a test may switch off or break: guards and fail points. A release build has none of it: each question is
//! answered by a constant.
//!
//! A guard that no test misses protects nothing. So each one can be turned off in a test build, by name, and the test
//! that is named beside it in `tests/guards.toml` has to go red then. A fail point is a place at which a process can be
//! killed or stopped, to the step.

mod guard;
mod point;

pub use guard::Guard;
pub use point::{POINTS, point};
