//! Looking again and again at what a network still works on.

use std::time::Duration;

use super::{Fault, Refusal};

/// So many looks at something that a network works on, with a wait after each.
#[derive(Debug, Clone)]
pub struct Looks {
    wait: Duration,
    longest: Duration,
    left: u32,
}

impl Looks {
    /// `count` looks. After the first one `first` is waited, after each further one twice as long, up to `longest`.
    pub const fn new(first: Duration, longest: Duration, count: u32) -> Self {
        Self { wait: first, longest, left: count }
    }

    /// Waits until the next look. [`Refusal::Busy`] with `busy`: that was the last one.
    pub async fn pause(&mut self, busy: &str) -> Result<(), Fault> {
        let wait = self.wait;
        self.wait = (wait * 2).min(self.longest);
        self.pause_for(wait, busy).await
    }

    /// Waits for as long as the network asks until the next look. [`Refusal::Busy`] with `busy`: that was the last one.
    pub async fn pause_for(&mut self, wait: Duration, busy: &str) -> Result<(), Fault> {
        self.left = self.left.saturating_sub(1);
        if self.left == 0 {
            return Err(Fault::refused(Refusal::Busy, busy));
        }
        tokio::time::sleep(wait.min(self.longest)).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn waits_grow_and_end() {
        let started = tokio::time::Instant::now();
        let mut looks = Looks::new(Duration::from_secs(1), Duration::from_secs(3), 5);
        let mut waited = Vec::new();
        let fault = loop {
            let before = tokio::time::Instant::now();
            match looks.pause("still at it").await {
                Ok(()) => waited.push(before.elapsed().as_secs()),
                Err(fault) => break fault,
            }
        };
        assert_eq!(waited, [1, 2, 3, 3], "the fifth look was the last");
        assert_eq!(fault, Fault::refused(Refusal::Busy, "still at it"));
        let mut looks = Looks::new(Duration::from_secs(1), Duration::from_secs(3), 2);
        looks.pause_for(Duration::from_secs(99), "x").await.expect("one more");
        assert_eq!(started.elapsed().as_secs(), 9 + 3, "never longer than the longest");
    }
}
