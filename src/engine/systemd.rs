//! What the service manager is told: `sd_notify`. Where there is none, nothing happens.

#[cfg(target_os = "linux")]
use std::os::linux::net::SocketAddrExt as _;
#[cfg(target_os = "linux")]
use std::os::unix::net::{SocketAddr, UnixDatagram};
#[cfg(target_os = "linux")]
use std::sync::OnceLock;
use std::time::Duration;

use sd_notify::NotifyState;

/// The service manager's socket, when it is an abstract one: `sd-notify` 0.5.0 takes its name for a file's.
#[cfg(target_os = "linux")]
static ABSTRACT: OnceLock<UnixDatagram> = OnceLock::new();

/// Takes note of `$NOTIFY_SOCKET`, once, before the daemon runs: one that begins with `@` is an abstract socket
/// (`sd_notify(3)`, 2026-11-22), as other service managers than systemd use it.
pub fn service_manager(socket: Option<&str>) {
    #[cfg(target_os = "linux")]
    if let Some(name) = socket.and_then(|socket| socket.strip_prefix('@')) {
        let connected = SocketAddr::from_abstract_name(name).and_then(|address| {
            let socket = UnixDatagram::unbound()?;
            socket.connect_addr(&address)?;
            Ok(socket)
        });
        match connected {
            Ok(socket) => drop(ABSTRACT.set(socket)),
            Err(error) => tracing::warn!(%error, "the service manager cannot be told"),
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = socket;
}

/// How often the service manager wants to be told that all is well: half of its patience. `None`: never.
pub(super) fn beat() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|patience| patience / 2)
}

/// The lock is held and the calendar is loaded; also the end of a reload.
pub(super) fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// Calendar and settings are read again; [`ready`] ends it.
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => tracing::debug!(%error, "the service manager is not told of the reload"),
    }
}

/// Nothing more is begun.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
}

/// One line for people.
pub(super) fn status(status: &str) {
    tell(&[NotifyState::Status(status)]);
}

/// All is well.
pub(super) fn alive() {
    tell(&[NotifyState::Watchdog]);
}

fn tell(state: &[NotifyState<'_>]) {
    #[cfg(target_os = "linux")]
    let told = match ABSTRACT.get() {
        Some(socket) => {
            let lines: String = state.iter().fold(String::new(), |lines, state| lines + &state.to_string() + "\n");
            socket.send(lines.as_bytes()).map(drop)
        }
        None => sd_notify::notify(state),
    };
    #[cfg(not(target_os = "linux"))]
    let told = sd_notify::notify(state);
    if let Err(error) = told {
        tracing::debug!(%error, "the service manager cannot be told");
    }
}
