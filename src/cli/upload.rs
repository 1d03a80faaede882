//! A bar for large files on their way.

use std::sync::{Arc, Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressStyle};

use super::Global;
use super::output::{self, Stream};
use crate::engine::outside::Watch;

/// Who draws the bar, on a terminal. `None`: nobody looks, and the log tells it.
pub(super) fn watch(global: &Global) -> Option<Watch> {
    if global.quiet || !output::is_terminal(Stream::Stderr) {
        return None;
    }
    let bar: Mutex<Option<ProgressBar>> = Mutex::default();
    Some(Arc::new(move |file: &str, bytes: u64, whole: u64| {
        let mut bar = bar.lock().unwrap_or_else(PoisonError::into_inner);
        let shown = bar.get_or_insert_with(|| new(whole));
        shown.set_length(whole);
        shown.set_message(file.to_owned());
        shown.set_position(bytes);
        if bytes >= whole {
            shown.finish_and_clear();
            *bar = None;
        }
    }))
}

fn new(whole: u64) -> ProgressBar {
    let bar = ProgressBar::new(whole);
    if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes}, {eta} left") {
        bar.set_style(style);
    }
    bar
}
