//! What keeps a release from being announced twice on an account, when a job is run again. Said before anything is sent.

use crate::adapter::RepeatSafety;
use crate::model::AccountName;

/// What the word of the ledger is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Witness {
    /// All runs share it.
    pub(super) shared: bool,
    /// What keeps it.
    pub(super) kind: &'static str,
}

/// Whether nothing but this machine knows what was sent.
pub(super) fn is_alone(witness: Witness, class: RepeatSafety) -> bool {
    !witness.shared && class == RepeatSafety::None
}

/// A line for an account.
pub(super) fn line(account: &AccountName, witness: Witness, class: RepeatSafety) -> String {
    if witness.shared {
        return format!("{account}: announced once by the ledger that all runs share ({})", witness.kind);
    }
    let by = match class {
        RepeatSafety::ContentAddressed | RepeatSafety::ChosenId => "the post's key: the network keeps one of it",
        RepeatSafety::Key { .. } => "a look at its latest posts, and the key that its server remembers for a while",
        RepeatSafety::TwoStep => "a look at how far the network has come with it",
        RepeatSafety::LookUp => "a look at its latest posts",
        RepeatSafety::None => {
            return format!("{account}: nothing but this machine's ledger keeps it from being announced twice");
        }
    };
    format!("{account}: announced once by {by}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_account_is_told_what_its_safety_rests_on() {
        let account = AccountName::new("a");
        let own = Witness { shared: false, kind: "SQLite" };
        let shared = Witness { shared: true, kind: "PostgreSQL" };
        let classes = [
            RepeatSafety::ContentAddressed,
            RepeatSafety::ChosenId,
            RepeatSafety::Key { window_seconds: 3600 },
            RepeatSafety::TwoStep,
            RepeatSafety::LookUp,
            RepeatSafety::None,
        ];
        for class in classes {
            assert_eq!(
                line(&account, shared, class),
                "a: announced once by the ledger that all runs share (PostgreSQL)"
            );
            assert!(!is_alone(shared, class));
            assert_eq!(is_alone(own, class), class == RepeatSafety::None);
            assert_eq!(line(&account, own, class).contains("nothing but"), class == RepeatSafety::None);
        }
    }
}
