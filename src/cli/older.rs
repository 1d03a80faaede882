//! A ledger that is older than what this machine has seen of it: said by every command that shows what will go out, and a
//! refusal by those that send.

use super::output::{self, Stream, Style};
use super::{Failure, Global};
use crate::ledger::{Age, Ledger};

/// What to do about it.
const HELP: &str = "put the right ledger back in its place; or take this one as it is with `smm ledger adopt`, which holds \
                    what may be out already";

/// Refuses to send anything from a ledger that does not know what is out.
pub(super) async fn refuse(ledger: &dyn Ledger) -> Result<(), Failure> {
    match ledger.age().await?.doubt() {
        None => Ok(()),
        Some(doubt) => Err(Failure::new(format!("nothing was sent: {doubt}")).hint(HELP)),
    }
}

/// Says it beside a listing.
pub(super) fn warn(age: &Age, global: &Global) {
    if let Some(doubt) = age.doubt().filter(|_| !global.quiet) {
        let warning = output::paint(Stream::Stderr, Style::Warning, "warning:");
        output::stderr(&format!("{warning} nothing is sent: {doubt}\n"));
        hint(global);
    }
}

/// Says what to do.
pub(super) fn hint(global: &Global) {
    if !global.quiet {
        let hint = output::paint(Stream::Stderr, Style::Hint, "hint:");
        output::stderr(&format!("{hint} {HELP}\n"));
    }
}
