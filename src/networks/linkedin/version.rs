//! How long a version of the API lives.

use chrono::NaiveDate;

/// The last day of a version `YYYYMM`: the 15th of its month, one year later, as `LinkedIn` announced it for each so far
/// (learn.microsoft.com, linkedin/marketing/integrations/recent-changes: 202304 until 2024-04-15; read 2026-11-23). `None`: that
/// is no version.
pub(super) fn ends(version: &str) -> Option<NaiveDate> {
    let (year, month) = version.split_at_checked(4).filter(|_| version.len() == 6)?;
    if !version.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // The first version is of June 2022.
    let year = year.parse::<i32>().ok().filter(|year| *year >= 2022)?;
    NaiveDate::from_ymd_opt(year + 1, month.parse().ok()?, 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_lives_for_a_year() {
        assert_eq!(ends("202304"), NaiveDate::from_ymd_opt(2024, 4, 15));
        assert_eq!(ends("202612"), NaiveDate::from_ymd_opt(2027, 12, 15));
        for bad in ["", "2026", "202613", "202600", "2026-9", "20260901", "199901", "2026é"] {
            assert_eq!(ends(bad), None, "{bad}");
        }
        assert!(ends(super::super::profile::VERSION).is_some());
    }
}
