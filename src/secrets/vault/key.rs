//! The key of the vault: 32 random bytes, as base64 or hex, from the environment or a systemd credential.
//!
//! No password: what a person can remember can be guessed, and a service has nobody to type it.

use std::io::ErrorKind;
use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretBox, SecretString};
use sha2::{Digest, Sha256};

use super::super::{Lookup, trimmed};

/// The variable that it is in.
pub(super) const VARIABLE: &str = "SMM_VAULT_KEY";
/// The systemd credential that it is in.
pub(super) const CREDENTIAL: &str = "smm-vault-key";
/// How one is made.
pub(super) const RECIPE: &str = "make one with `head -c 32 /dev/urandom | base64`";

/// No key is longer than this, however it is written.
const LARGEST: u64 = 4096;

/// A key.
pub(super) struct Key(SecretBox<[u8; 32]>);

impl Key {
    /// Reads what stands in the variable or the credential. `Err` names neither the text nor a part of it.
    fn parse(text: &str) -> Result<Self, String> {
        let mut bytes = decoded(text).ok_or_else(|| format!("is not 32 bytes as base64 or hex; {RECIPE}"))?;
        let mut key = SecretBox::new(Box::new([0; 32]));
        secrecy::ExposeSecretMut::expose_secret_mut(&mut key).copy_from_slice(&bytes);
        bytes.fill(0);
        Ok(Self(key))
    }

    /// Its bytes.
    pub(super) fn bytes(&self) -> &[u8; 32] {
        self.0.expose_secret()
    }

    /// Tells keys apart and nothing else: the key is random, so that its hash gives nothing away.
    pub(super) fn id(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(b"smm vault key id\0");
        hash.update(self.bytes());
        crate::model::hex(&hash.finalize()[..8])
    }
}

/// Where the key is looked for.
#[derive(Clone)]
pub(super) struct KeySource {
    env: Lookup,
    credentials: Option<PathBuf>,
}

impl KeySource {
    pub(super) fn new(env: Lookup, credentials: Option<PathBuf>) -> Self {
        Self { env, credentials }
    }

    /// The key: from the environment, else from the credential. `None`: there is none. Reads a file: not for async code.
    pub(super) fn read(&self) -> Result<Option<Key>, String> {
        if let Some(text) = (self.env)(VARIABLE).as_deref().and_then(trimmed) {
            return Key::parse(text.expose_secret()).map(Some).map_err(|why| format!("{VARIABLE} {why}"));
        }
        let Some(path) = self.credentials.as_ref().map(|folder| folder.join(CREDENTIAL)) else { return Ok(None) };
        let unreadable =
            |why: &dyn std::fmt::Display| format!("the vault's key {} cannot be read: {why}", path.display());
        match std::fs::metadata(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(&error)),
            Ok(facts) if facts.len() > LARGEST => return Err(unreadable(&"it is larger than a key")),
            Ok(_) => {}
        }
        let text = std::fs::read_to_string(&path).map(SecretString::from).map_err(|error| unreadable(&error))?;
        let Some(text) = trimmed(text.expose_secret()) else { return Ok(None) };
        Key::parse(text.expose_secret()).map(Some).map_err(|why| format!("the vault's key {} {why}", path.display()))
    }
}

/// 32 bytes from hex, or from base64 of either alphabet, with or without its padding.
fn decoded(text: &str) -> Option<[u8; 32]> {
    let text = text.trim();
    let bits = if text.len() == 64 { 4 } else { 6 };
    let digits = if bits == 4 { text } else { text.strip_suffix('=').unwrap_or(text) };
    if bits == 6 && digits.len() != 43 {
        return None;
    }
    let (mut bytes, mut filled) = ([0; 32], 0);
    let (mut pending, mut held) = (0_u32, 0);
    for digit in digits.bytes() {
        let value = if bits == 4 { char::from(digit).to_digit(16) } else { sextet(digit) }?;
        pending = (pending << bits) | value;
        held += bits;
        if held >= 8 {
            held -= 8;
            *bytes.get_mut(filled)? = u8::try_from((pending >> held) & 0xff).ok()?;
            filled += 1;
        }
        pending &= (1 << held) - 1;
    }
    // What base64 leaves over at the end is zero, or the text was cut or mistyped.
    (filled == 32 && pending == 0).then_some(bytes)
}

fn sextet(digit: u8) -> Option<u32> {
    let value = match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    };
    Some(u32::from(value))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn base64_and_hex_are_the_same_key() {
        // `head -c 32 /dev/zero | tr '\0' '\377' | base64`, and of the bytes 0 to 31.
        let ones = decoded("//////////////////////////////////////////8=");
        assert_eq!(ones, Some([0xff; 32]));
        assert_eq!(decoded(&"f".repeat(64)), ones);
        let counted = decoded("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").expect("a key");
        assert!(counted.iter().copied().eq(0..32));
        assert_eq!(decoded("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n"), Some(counted));
        assert_eq!(decoded("__________________________________________8"), ones);
        assert_eq!(decoded("000102030405060708090A0b0c0d0e0f101112131415161718191a1b1c1d1e1f"), Some(counted));
    }

    #[test]
    fn all_else_is_refused_without_showing_it() {
        let bad = [
            "correct horse battery staple",
            "",
            &"f".repeat(62),
            &"g".repeat(64),
            "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9=",
            "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHhw==",
        ];
        for text in bad {
            let why = Key::parse(text).err().unwrap_or_else(|| panic!("{text} is taken"));
            assert!(why.contains("head -c 32 /dev/urandom | base64"), "{why}");
            assert!(text.is_empty() || !why.contains(text), "{why}");
        }
    }

    #[test]
    fn the_environment_is_asked_before_the_credential() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join(CREDENTIAL), "f".repeat(64) + "\n").expect("a file");
        let with = |env: Option<String>| {
            let env = Arc::new(move |name: &str| env.clone().filter(|_| name == VARIABLE));
            KeySource::new(env, Some(folder.path().to_owned())).read()
        };
        assert_eq!(with(None).expect("readable").expect("a key").bytes(), &[0xff; 32]);
        assert_eq!(with(Some("0".repeat(64))).expect("readable").expect("a key").bytes(), &[0; 32]);
        let why = with(Some("short".to_owned())).err().expect("refused");
        assert!(why.starts_with("SMM_VAULT_KEY is not 32 bytes"), "{why}");
        let none = KeySource::new(Arc::new(|_: &str| None), None).read().expect("readable");
        assert!(none.is_none());
    }

    #[test]
    fn an_id_tells_keys_apart() {
        let (one, two) = (Key::parse(&"0".repeat(64)).unwrap(), Key::parse(&"1".repeat(64)).unwrap());
        assert_ne!(one.id(), two.id());
        assert_eq!(one.id().len(), 16);
    }
}
