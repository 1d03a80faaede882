//! What nobody can guess: the `state` of a request, and the proof that its answer is for us (PKCE, RFC 7636, S256).

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::adapter::Fault;

/// Bytes of randomness in a verifier or a state: 43 characters, the fewest that RFC 7636 (section 4.1) allows.
const BYTES: usize = 32;

/// A proof of PKCE: what is sent at the end, and what is shown of it at the beginning.
pub(super) struct Proof {
    /// `code_verifier`.
    pub(super) verifier: SecretString,
    /// `code_challenge`, by the method S256.
    pub(super) challenge: String,
}

impl Proof {
    /// A new one.
    pub(super) fn new() -> Result<Self, Fault> {
        Ok(Self::of(SecretString::from(random()?)))
    }

    fn of(verifier: SecretString) -> Self {
        let challenge = base64url(&Sha256::digest(verifier.expose_secret().as_bytes()));
        Self { verifier, challenge }
    }
}

/// A text that nobody can guess.
pub(super) fn random() -> Result<String, Fault> {
    Ok(base64url(&random_bytes()?))
}

/// Bytes that nobody can guess.
pub fn random_bytes() -> Result<[u8; BYTES], Fault> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).map_err(|error| Fault::NotSent(format!("no random numbers: {error}")))?;
    Ok(bytes)
}

/// Base 64 for addresses, without padding (RFC 4648, section 5).
fn base64url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let bits = three.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        let digits = (0..=three.len()).map(|place| (bits >> (18 - 6 * place)) & 63);
        text.extend(digits.map(|digit| char::from(ALPHABET[digit as usize])));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_standard() {
        let proof = Proof::of(SecretString::from("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"));
        assert_eq!(proof.challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn base64_without_padding() {
        for (bytes, text) in [("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg")] {
            assert_eq!(base64url(bytes.as_bytes()), text);
        }
        assert_eq!(base64url(&[0xfb, 0xff]), "-_8");
    }

    #[test]
    fn no_two_are_the_same() {
        let (one, other) = (random().expect("randomness"), random().expect("randomness"));
        assert_eq!((one.len(), other.len()), (43, 43));
        assert_ne!(one, other);
    }
}
