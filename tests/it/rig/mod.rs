//! The process rig: the real program killed to the step, stopped in the middle of a call, started twice, and left with a
//! disk that does not keep its word.

mod frozen;
mod pair;
mod points;
mod spoiled;
mod twins;

pub(crate) use frozen::postgres;
