//! Signals: SIGTERM and SIGINT stop, SIGHUP reloads. Where there are none of them, Ctrl-C stops.

use std::io;

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// To stop.
    Stop,
    /// To read calendar and settings again.
    Reload,
}

/// The signals of this process. While it lives they no longer end the process by themselves.
#[derive(Debug)]
pub struct Signals {
    #[cfg(unix)]
    term: Signal,
    #[cfg(unix)]
    int: Signal,
    #[cfg(unix)]
    hup: Signal,
}

impl Signals {
    /// Begins to listen.
    pub fn listen() -> io::Result<Self> {
        #[cfg(unix)]
        return Ok(Self {
            term: signal(SignalKind::terminate())?,
            int: signal(SignalKind::interrupt())?,
            hup: signal(SignalKind::hangup())?,
        });
        #[cfg(not(unix))]
        Ok(Self {})
    }

    /// Waits for the next one.
    pub async fn next(&mut self) -> Asked {
        #[cfg(unix)]
        tokio::select! {
            biased;
            _ = self.term.recv() => Asked::Stop,
            _ = self.int.recv() => Asked::Stop,
            _ = self.hup.recv() => Asked::Reload,
        }
        #[cfg(not(unix))]
        {
            // Without a handler there is nobody to ask: then nothing is ever asked.
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
            Asked::Stop
        }
    }

    /// Waits until it is asked to stop.
    pub async fn stop(&mut self) {
        while self.next().await != Asked::Stop {}
    }
}
