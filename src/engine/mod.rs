//! Delivers: claims, runs, settles, and follows the calendar. A pure core ([`core`]) decides, the rest carries out.

pub mod core;
