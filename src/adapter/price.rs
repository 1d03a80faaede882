//! What a network takes for a post, where it takes money.

use std::fmt;
use std::iter::Sum;
use std::ops::Add;

use serde::{Serialize, Serializer};

/// An amount of US dollars, exact to a tenth of a cent: no network has another currency or finer prices.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Price {
    mills: u64,
}

impl Price {
    /// So many tenths of a cent: 15 is $0.015.
    pub const fn mills(mills: u64) -> Self {
        Self { mills }
    }

    /// So many times this.
    #[must_use]
    pub const fn times(self, count: u64) -> Self {
        Self { mills: self.mills.saturating_mul(count) }
    }
}

impl Add for Price {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { mills: self.mills.saturating_add(other.mills) }
    }
}

impl Sum for Price {
    fn sum<I: Iterator<Item = Self>>(prices: I) -> Self {
        prices.fold(Self::default(), Add::add)
    }
}

/// `$0.015`, `$0.20`.
impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (dollars, rest) = (self.mills / 1000, self.mills % 1000);
        if rest.is_multiple_of(10) {
            write!(f, "${dollars}.{:02}", rest / 10)
        } else {
            write!(f, "${dollars}.{rest:03}")
        }
    }
}

/// As a decimal number in text, in dollars, so that nothing is rounded on the way: `"0.015"`.
impl Serialize for Price {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}.{:03}", self.mills / 1000, self.mills % 1000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact() {
        let sum: Price = [Price::mills(200), Price::mills(15), Price::mills(5).times(3)].into_iter().sum();
        assert_eq!(sum.to_string(), "$0.23");
        assert_eq!(Price::mills(1015).to_string(), "$1.015");
        assert_eq!(serde_json::to_string(&sum).expect("JSON"), "\"0.230\"");
        assert_eq!(Price::mills(u64::MAX) + Price::mills(1), Price::mills(u64::MAX));
    }
}
