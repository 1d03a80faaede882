//! Signatures as Standard Webhooks have them (standard-webhooks, spec/standard-webhooks.md, 2026-11-23).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// What stands before a key.
const PREFIX: &str = "whsec_";

/// Fewest bytes of a key.
const SHORTEST: usize = 24;

/// The header `webhook-signature`: one signature for each key. `Err`: why a key is none; it says nothing of the key.
pub(super) fn signature(keys: &SecretString, id: &str, seconds: i64, body: &str) -> Result<String, &'static str> {
    let signed: Result<Vec<String>, &'static str> = keys
        .expose_secret()
        .split_whitespace()
        .map(|key| {
            let mut mac = Hmac::<Sha256>::new_from_slice(&bytes(key)?).map_err(|_| "the key cannot be used")?;
            mac.update(format!("{id}.{seconds}.{body}").as_bytes());
            Ok(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
        })
        .collect();
    let signed = signed?;
    if signed.is_empty() { Err("the key is empty") } else { Ok(signed.join(" ")) }
}

/// A new key of these bytes: the standard asks for 24 to 64 random ones.
pub(super) fn new_key(random: [u8; 32]) -> SecretString {
    SecretString::from(format!("{PREFIX}{}", STANDARD.encode(random)))
}

fn bytes(key: &str) -> Result<Vec<u8>, &'static str> {
    let text = key.strip_prefix(PREFIX).ok_or("the key does not begin with `whsec_`")?;
    let bytes = STANDARD.decode(text).map_err(|_| "what follows `whsec_` in the key is not base64")?;
    if bytes.len() < SHORTEST {
        Err("the key is too short: 24 bytes at least, in base64 32 letters")
    } else {
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(keys: &str) -> Result<String, &'static str> {
        let body = r#"{"test": 2432232314}"#;
        signature(&SecretString::from(keys), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body)
    }

    /// The sample that the libraries of the standard are tested with.
    #[test]
    fn the_sample_of_the_standard() {
        let signed = of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a signature");
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        let both = of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").expect("two");
        assert!(both.starts_with(&format!("{signed} v1,")), "{both}");
    }

    #[test]
    fn a_new_key_is_one() {
        let key = new_key([0xfb; 32]);
        assert_eq!(key.expose_secret(), "whsec_+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/s=");
        assert!(of(key.expose_secret()).is_ok());
    }

    #[test]
    fn a_key_that_is_none() {
        for odd in ["", " ", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_MfKQ", "whsec_!!!!9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]
        {
            let why = of(odd).expect_err("no key");
            assert!(!why.contains("MfKQ"), "{why}");
        }
    }
}
