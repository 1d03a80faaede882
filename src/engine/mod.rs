//! Delivers: claims, runs, settles, and follows the calendar. A pure core ([`core`]) decides, the rest carries out.

pub mod core;
pub mod outside;

mod person;

#[cfg(test)]
mod model_check;
#[cfg(test)]
mod samples;

pub use person::{PersonCommand, person};
