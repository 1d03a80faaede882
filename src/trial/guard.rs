//! The guards that keep a post from going out twice, or to the wrong place.

/// A guard. In a release build all of them hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// The intent is durable before the call.
    Intent,
    /// A row is written only over the version that the writer has read, by the one who has claimed it.
    Fence,
    /// A call is not begun when the lease may end before it does.
    Deadline,
    /// A lost answer is looked up only after the settle time.
    Settle,
    /// An empty look is believed only when the sender is surely done.
    Witness,
    /// A commit is on the disk when it returns.
    Sync,
    /// One process publishes from an embedded ledger.
    Lock,
    /// A key is sent again only while its window lasts.
    KeyWindow,
    /// Redirects are not followed.
    Redirect,
    /// An account's name leads to the identity that the ledger knows.
    Binding,
    /// A ledger that is new to a calendar does not publish its past.
    FirstRun,
    /// What is sent is what the intent says, whatever the calendar says by then.
    Freeze,
    /// A ledger that is older than what this machine has seen sends nothing.
    Age,
    /// Nothing goes out before its time.
    Early,
    /// `failed` is not written while an earlier attempt is unresolved.
    Unresolved,
    /// An announcement is looked for before it is first sent from a ledger that cannot know of it.
    Forgotten,
    /// A ledger in git is changed only while it is what the change was worked out over.
    Expected,
    /// What is begun has a ref of its own in a ledger in git, made where there is none.
    OwnRef,
}

impl Guard {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::Intent,
        Self::Fence,
        Self::Deadline,
        Self::Settle,
        Self::Witness,
        Self::Sync,
        Self::Lock,
        Self::KeyWindow,
        Self::Redirect,
        Self::Binding,
        Self::FirstRun,
        Self::Freeze,
        Self::Age,
        Self::Early,
        Self::Unresolved,
        Self::Forgotten,
        Self::Expected,
        Self::OwnRef,
    ];

    /// Its name in `tests/guards.toml` and in `SMM_TRIAL_OFF`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Intent => "intent",
            Self::Fence => "fence",
            Self::Deadline => "deadline",
            Self::Settle => "settle",
            Self::Witness => "witness",
            Self::Sync => "sync",
            Self::Lock => "lock",
            Self::KeyWindow => "key-window",
            Self::Redirect => "redirect",
            Self::Binding => "binding",
            Self::FirstRun => "first-run",
            Self::Freeze => "freeze",
            Self::Age => "age",
            Self::Early => "early",
            Self::Unresolved => "unresolved",
            Self::Forgotten => "forgotten",
            Self::Expected => "expected",
            Self::OwnRef => "own-ref",
        }
    }

    /// Whether it holds.
    #[cfg(not(feature = "testing"))]
    #[inline]
    pub const fn holds(self) -> bool {
        true
    }

    /// Whether it holds: unless `SMM_TRIAL_OFF` names it, or a test has turned it off.
    #[cfg(feature = "testing")]
    pub fn holds(self) -> bool {
        switch::off().load(std::sync::atomic::Ordering::Relaxed) & self.bit() == 0
    }

    /// Turns it off, or on again, in the whole process.
    #[cfg(feature = "testing")]
    pub fn set(self, holds: bool) {
        let off = switch::off();
        if holds {
            off.fetch_and(!self.bit(), std::sync::atomic::Ordering::Relaxed);
        } else {
            off.fetch_or(self.bit(), std::sync::atomic::Ordering::Relaxed);
        }
    }

    #[cfg(feature = "testing")]
    fn bit(self) -> u32 {
        1 << (self as u32)
    }
}

#[cfg(feature = "testing")]
mod switch {
    use std::sync::OnceLock;
    use std::sync::atomic::AtomicU32;

    use super::Guard;

    /// The guards that are off, as bits.
    pub(super) fn off() -> &'static AtomicU32 {
        static OFF: OnceLock<AtomicU32> = OnceLock::new();
        OFF.get_or_init(|| {
            let named = std::env::var("SMM_TRIAL_OFF").unwrap_or_default();
            let bits = named.split(',').filter(|name| !name.is_empty()).map(|name| {
                let guard = Guard::ALL.into_iter().find(|guard| guard.as_str() == name);
                guard.unwrap_or_else(|| panic!("SMM_TRIAL_OFF names no guard: {name}")).bit()
            });
            AtomicU32::new(bits.fold(0, |all, bit| all | bit))
        })
    }
}
