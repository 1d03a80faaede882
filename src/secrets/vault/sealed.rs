//! What stands in the vault's file, sealed with XChaCha20-Poly1305.
//!
//! ```json
//! {"version": 1, "key_id": "…", "nonce": "…", "seal": "…",
//!  "rows": [{"account": "fedi", "field": "token", "network": "mastodon", "server": "https://fedi.example",
//!            "first": false, "nonce": "…", "sealed": "…"}]}
//! ```
//!
//! Names may be read, secrets may not. A row is bound to its names and to the version, so that it opens nowhere else;
//! `seal` covers all of the file, so that no row can be changed, taken out or put in without the key. `key_id` tells a
//! wrong key from damage. What is not seen: a whole older file put in the place of the newer.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::super::Owner;
use super::key::Key;
use crate::model::hex;

/// The version that this program writes and reads.
const VERSION: u32 = 1;

const NONCE: usize = 24;

/// The opened vault.
#[derive(Debug, Default, Clone)]
pub(super) struct Rows(Vec<Row>);

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    account: String,
    field: String,
    network: String,
    server: String,
    /// It is asked for before any other store is.
    first: bool,
    nonce: String,
    sealed: String,
}

/// A row's secret.
#[derive(Debug)]
pub(super) struct Kept {
    pub secret: SecretString,
    /// It is asked for before any other store is.
    pub first: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    key_id: String,
    nonce: String,
    seal: String,
    rows: Vec<Row>,
}

/// All that is read of a file before it is known to be ours.
#[derive(Deserialize)]
struct Version {
    version: u32,
}

/// Why a vault cannot be opened.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// It is cut, changed, or no vault.
    Damaged,
    /// A newer smm wrote it.
    Newer(u32),
    /// It was sealed with another key: its id, and the id of the one at hand.
    OtherKey { sealed: String, at_hand: String },
}

/// What a row is called.
fn names<'a>(owner: &'a Owner, field: &'a str) -> [&'a str; 4] {
    [owner.name.as_str(), field, &owner.network, &owner.server]
}

impl Row {
    fn names(&self) -> [&str; 4] {
        [&self.account, &self.field, &self.network, &self.server]
    }
}

/// What a row's seal is bound to. JSON keeps the names apart: no two rows have the same bytes.
fn bound(names: [&str; 4], first: bool) -> Vec<u8> {
    serde_json::to_vec(&("smm vault row", VERSION, names, first)).expect("texts become JSON")
}

/// What the seal of the whole covers.
fn covered(key_id: &str, rows: &[Row]) -> Vec<u8> {
    serde_json::to_vec(&("smm vault", VERSION, key_id, rows)).expect("texts become JSON")
}

impl Rows {
    /// Opens a file's text, having seen that nothing in it was changed.
    pub(super) fn open(text: &str, key: &Key) -> Result<Self, Broken> {
        let Version { version } = serde_json::from_str(text).map_err(|_| Broken::Damaged)?;
        if version != VERSION {
            return Err(if version > VERSION { Broken::Newer(version) } else { Broken::Damaged });
        }
        let file: File = serde_json::from_str(text).map_err(|_| Broken::Damaged)?;
        let opened = opened(key, &file.nonce, &file.seal, &covered(&file.key_id, &file.rows));
        match opened {
            Some(_) => Ok(Self(file.rows)),
            None if file.key_id == key.id() => Err(Broken::Damaged),
            None => Err(Broken::OtherKey { sealed: file.key_id, at_hand: key.id() }),
        }
    }

    /// The file's text. `Err`: the system has no randomness.
    pub(super) fn seal(&self, key: &Key) -> Result<String, String> {
        let key_id = key.id();
        let (nonce, seal) = sealed(key, b"", &covered(&key_id, &self.0))?;
        let file = File { version: VERSION, key_id, nonce, seal, rows: self.0.clone() };
        let mut text = serde_json::to_string_pretty(&file).expect("texts become JSON");
        text.push('\n');
        Ok(text)
    }

    /// The secret of a row; `None`: there is no such row.
    pub(super) fn get(&self, owner: &Owner, field: &str, key: &Key) -> Result<Option<Kept>, Broken> {
        let Some(row) = self.0.iter().find(|row| row.names() == names(owner, field)) else { return Ok(None) };
        let bytes = opened(key, &row.nonce, &row.sealed, &bound(row.names(), row.first)).ok_or(Broken::Damaged)?;
        let text = String::from_utf8(bytes).map_err(|_| Broken::Damaged)?;
        Ok(Some(Kept { secret: SecretString::from(text), first: row.first }))
    }

    /// Puts a secret in, in the place of the one that is there. `Err`: the system has no randomness.
    pub(super) fn put(&mut self, owner: &Owner, field: &str, kept: &Kept, key: &Key) -> Result<(), String> {
        let (names, first) = (names(owner, field), kept.first);
        let (nonce, sealed) = sealed(key, kept.secret.expose_secret().as_bytes(), &bound(names, first))?;
        let [account, field, network, server] = names.map(str::to_owned);
        let row = Row { account, field, network, server, first, nonce, sealed };
        match self.0.iter_mut().find(|old| old.names() == row.names()) {
            Some(old) => *old = row,
            None => self.0.push(row),
        }
        Ok(())
    }

    /// Whether a file's text names such a row, as anybody may read it there. What is no vault names everything.
    pub(super) fn names(text: &str, owner: &Owner, field: &str) -> bool {
        serde_json::from_str::<File>(text)
            .map_or(true, |file| file.rows.iter().any(|row| row.names() == names(owner, field)))
    }

    /// Rows whose seal nobody has looked at.
    #[cfg(test)]
    pub(super) fn unchecked(rows: serde_json::Value) -> Self {
        Self(serde_json::from_value(rows).expect("rows"))
    }

    /// Takes a row out; `false`: it was not there.
    pub(super) fn take(&mut self, owner: &Owner, field: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|row| row.names() != names(owner, field));
        self.0.len() < before
    }
}

/// Seals a text under a random nonce: both in hex.
fn sealed(key: &Key, plain: &[u8], bound: &[u8]) -> Result<(String, String), String> {
    let mut nonce = [0; NONCE];
    getrandom::fill(&mut nonce).map_err(|error| format!("this system gives no random numbers: {error}"))?;
    let sealed = cipher(key)
        .encrypt(&XNonce::from(nonce), Payload { msg: plain, aad: bound })
        .map_err(|_| "it is too long to be sealed".to_owned())?;
    Ok((hex(&nonce), hex(&sealed)))
}

fn opened(key: &Key, nonce: &str, sealed: &str, bound: &[u8]) -> Option<Vec<u8>> {
    let nonce: [u8; NONCE] = unhex(nonce)?.try_into().ok()?;
    cipher(key).decrypt(&XNonce::from(nonce), Payload { msg: &unhex(sealed)?, aad: bound }).ok()
}

fn cipher(key: &Key) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(&(*key.bytes()).into())
}

/// Small hex digits alone, so that a text has one form.
fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    if !text.len().is_multiple_of(2) {
        return None;
    }
    text.as_bytes().chunks_exact(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}
