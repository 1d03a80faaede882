//! Record keys: a TID derived from the delivery.
//!
//! A post's key must have the form of a TID: 64 bits in thirteen characters of a sortable base 32, the top bit 0, then 53
//! bits of microseconds since 1970, then 10 bits that tell clocks apart (the AT Protocol's specification of TIDs, verified
//! 2026-11-22). Nobody checks that the time is the present, and ours is not: a ledger that was lost must arrive at the same
//! key again, so every bit comes from the delivery's id. 56 bits are free; the rest puts the time between 2023-01-01 and
//! 2025-03-25, always in the past, since some readers mistrust keys from the future. What a reader shows as the post's
//! time is its `createdAt`.

use crate::model::DeliveryId;

/// The base 32 of TIDs: its order is that of ASCII.
const ALPHABET: &[u8; 32] = b"234567abcdefghijklmnopqrstuvwxyz";

/// 2023-01-01T00:00:00Z in microseconds.
const EPOCH: u64 = 1_672_531_200_000_000;

/// How many bits of the time are derived.
const TIME_BITS: u32 = 46;

/// The key of one part of a delivery.
pub(super) fn record_key(delivery: DeliveryId, part: u16, generation: u32) -> String {
    let derived = delivery.derive_bytes("bluesky record key", part, generation);
    let mut bits = 0_u64;
    for byte in &derived[..8] {
        bits = bits << 8 | u64::from(*byte);
    }
    let micros = EPOCH + (bits >> 10 & ((1 << TIME_BITS) - 1));
    tid(micros, bits & 0x3ff)
}

fn tid(micros: u64, clock: u64) -> String {
    let value = (micros & ((1 << 53) - 1)) << 10 | (clock & 0x3ff);
    (0..13).rev().map(|place| char::from(ALPHABET[(value >> (place * 5) & 31) as usize])).collect()
}

/// The form of a TID.
pub(super) fn is_tid(text: &str) -> bool {
    text.len() == 13
        && text.bytes().all(|byte| ALPHABET.contains(&byte))
        && text.bytes().next().is_some_and(|first| ALPHABET[..16].contains(&first))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{AccountName, CalendarName, OccurrenceName, PostId};

    fn delivery(post: &str) -> DeliveryId {
        DeliveryId::derive(
            &CalendarName::new("acme"),
            &OccurrenceName::once(&PostId::new(post)),
            &AccountName::new("bsky"),
        )
    }

    #[test]
    fn a_tid_has_the_form_of_the_specification() {
        // From the specification's own examples and rules.
        for good in ["3jzfcijpj2z2a", "7777777777777", "2222222222222"] {
            assert!(is_tid(good), "{good}");
        }
        for bad in
            ["3jzfcijpj2z21", "0000000000000", "3jzfcijpj2z2aa", "3jzfcijpj2z2", "3jzf-cij-pj2z-2a", "zzzzzzzzzzzzz"]
        {
            assert!(!is_tid(bad), "{bad}");
        }
        assert_eq!(tid(0, 0), "2222222222222");
    }

    #[test]
    fn a_key_is_the_same_for_ever() {
        // Changing this value would publish every post of every calendar again, should a ledger be lost.
        let key = record_key(delivery("launch-2-0"), 0, 0);
        assert_eq!(key, "3ljxlhp27pikh");
        assert_ne!(key, record_key(delivery("launch-2-0"), 1, 0));
        assert_ne!(key, record_key(delivery("launch-2-0"), 0, 1));
    }

    proptest! {
        #[test]
        fn every_key_is_a_tid_from_the_past(post in "[a-z]{1,12}", part in any::<u16>(), generation in any::<u32>()) {
            let key = record_key(delivery(&post), part, generation);
            prop_assert!(is_tid(&key));
            prop_assert!(key.as_str() >= tid(EPOCH, 0).as_str());
            prop_assert!(key.as_str() < tid(EPOCH + (1 << TIME_BITS), 0).as_str());
        }
    }
}
