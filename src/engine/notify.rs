//! What the service manager is told: `sd_notify`. Where there is none, nothing happens.

use std::time::Duration;

use sd_notify::NotifyState;

/// The service manager, if there is one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manager {
    watchdog: Option<Duration>,
}

impl Manager {
    /// Asks what it wants.
    pub(super) fn new() -> Self {
        Self { watchdog: sd_notify::watchdog_enabled() }
    }

    /// How often it wants to be told that all is well: half of its patience. `None`: never.
    pub(super) fn beat(self) -> Option<Duration> {
        self.watchdog.map(|patience| patience / 2)
    }

    /// The lock is held and the calendar is loaded.
    pub(super) fn ready(self, status: &str) {
        tell(&[NotifyState::Ready, NotifyState::Status(status)]);
    }

    /// Calendar and settings are read again; [`Manager::ready`] ends it.
    pub(super) fn reloading(self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => tell(&[NotifyState::Reloading, now]),
            Err(error) => tracing::debug!(%error, "the service manager is not told of the reload"),
        }
    }

    /// Nothing more is begun.
    pub(super) fn stopping(self) {
        tell(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
    }

    /// One line for people.
    pub(super) fn status(self, status: &str) {
        tell(&[NotifyState::Status(status)]);
    }

    /// All is well.
    pub(super) fn alive(self) {
        tell(&[NotifyState::Watchdog]);
    }
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(%error, "the service manager cannot be told");
    }
}
