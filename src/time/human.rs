//! Dates as people say them: `tomorrow 9:00`, `fri 14:30`, `in 3 hours`, `2026-12-01 09:00`.

use chrono::NaiveDateTime;

/// A time that was not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a time that smm understands; write for example `tomorrow 9:00`, `fri 14:30`, `in 2 hours` or `2026-12-01 09:00`"
)]
pub struct HumanError {
    /// As written.
    pub text: String,
}

/// Reads a time. `now` is the present in the zone that the text is meant in; so is the answer.
pub fn parse(text: &str, now: NaiveDateTime) -> Result<NaiveDateTime, HumanError> {
    let _ = (text, now);
    todo!()
}
