//! `smm announce`: a release goes out once on every account, whatever is known of it and however often it is run.

mod facts;
mod git;
mod runs;
mod safety;

use crate::announcing::{announcing, calendar};
use crate::stand::{Kind, Stand};
use crate::support::Run;

/// Accounts of these kinds, and a calendar with one post for releases; `more` are further lines of it.
fn stand(kinds: &[Kind], more: &str) -> Stand {
    let stand = Stand::new(kinds);
    calendar(&stand, "{{ project }} {{ version }} is out. {{ url }}", more);
    stand
}

fn announce(stand: &Stand, more: &[&str]) -> Run {
    Run::from(announcing(stand.command(), more).output().expect("smm runs"))
}
