//! Bars for large files on their way.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::Global;
use super::output::{self, Stream};
use crate::engine::watched::{Sent, Watch};

/// The bars of a command, one for each file on its way to an account; on a terminal alone. What is still drawn goes with
/// the last who watches.
pub(super) struct Bars {
    all: Option<MultiProgress>,
}

impl Bars {
    /// None yet.
    pub(super) fn new(global: &Global) -> Self {
        let shown = !global.quiet && output::is_terminal(Stream::Stderr);
        Self { all: shown.then(MultiProgress::new) }
    }

    /// A sign of life of the command's own beside them, not drawn yet.
    pub(super) fn spinner(&self) -> ProgressBar {
        self.all.as_ref().map_or_else(ProgressBar::hidden, |all| all.add(ProgressBar::new_spinner()))
    }

    /// Who draws them. `None`: nobody looks, and the log tells it.
    pub(super) fn watch(&self) -> Option<Watch> {
        let all = self.all.clone()?;
        let bars: Mutex<HashMap<(String, String), ProgressBar>> = Mutex::default();
        Some(Arc::new(move |Sent { account, file, bytes, whole }| {
            let key = (account.to_owned(), file.to_owned());
            let mut bars = bars.lock().unwrap_or_else(PoisonError::into_inner);
            let bar = bars.entry(key.clone()).or_insert_with(|| all.add(new(account, file, whole)));
            bar.set_position(bytes);
            if bytes >= whole {
                bar.finish_and_clear();
                bars.remove(&key);
            }
        }))
    }
}

fn new(account: &str, file: &str, whole: u64) -> ProgressBar {
    let bar = ProgressBar::new(whole);
    if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes}, {eta} left") {
        bar.set_style(style);
    }
    bar.set_message(output::printable(&format!("{account}: {file}")));
    bar
}
