//! The only "now" of the program.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

/// A clock that is handed in, so that a simulator can hand in its own.
#[async_trait]
pub trait Clock: Send + Sync {
    /// The present.
    fn now(&self) -> DateTime<Utc>;

    /// Waits until the clock shows at least `at`. Never early; notices when the clock is set.
    async fn sleep_until(&self, at: DateTime<Utc>);
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        DateTime::<Utc>::from(std::time::SystemTime::now())
    }

    async fn sleep_until(&self, at: DateTime<Utc>) {
        // A minute at most at a time: a clock that is set, or a machine that slept, is noticed then.
        const LONGEST: std::time::Duration = std::time::Duration::from_secs(60);
        loop {
            let left = (at - self.now()).to_std().unwrap_or_default();
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.min(LONGEST)).await;
        }
    }
}
