//! The vault as a source: what is kept, what is refused, and that nothing is changed then.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use secrecy::ExposeSecret;

use super::*;
use crate::model::AccountName;

const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const OTHER_KEY: &str = "//////////////////////////////////////////8=";

/// A folder that only its owner may look into.
fn folder() -> tempfile::TempDir {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
    builder.tempdir().expect("a folder")
}

fn vault_with(state: &Path, key: Option<&'static str>) -> Vault {
    Vault::new(state, Arc::new(move |name| key.filter(|_| name == VARIABLE).map(str::to_owned)), None)
}

fn vault(state: &Path) -> Vault {
    vault_with(state, Some(KEY))
}

fn owner(name: &str, server: &str) -> Owner {
    Owner { name: AccountName::new(name), network: "some".to_owned(), server: server.to_owned() }
}

async fn read(vault: &Vault, owner: &Owner, field: &str) -> Result<Option<String>, String> {
    Ok(vault.read(owner, field).await?.map(|secret| secret.expose_secret().to_owned()))
}

/// Keeps two secrets and gives the file's text.
async fn filled(state: &Path) -> String {
    let vault = vault(state);
    vault.store(&owner("fedi", "https://a.example"), "token", &"one-secret".into()).await.expect("kept");
    vault.store(&owner("bsky", ""), "password", &"two-secret".into()).await.expect("kept");
    std::fs::read_to_string(state.join("vault")).expect("a file")
}

#[tokio::test]
async fn what_is_kept_is_read_back_by_its_whole_name_alone() {
    let state = folder();
    let vault = vault(state.path());
    let fedi = owner("fedi", "https://a.example");
    assert_eq!(read(&vault, &fedi, "token").await, Ok(None), "there is no file");
    let text = filled(state.path()).await;
    assert!(!text.contains("secret"), "{text}");
    assert_eq!(read(&vault, &fedi, "token").await, Ok(Some("one-secret".to_owned())));
    for other in [owner("fedi", "https://b.example"), owner("fed", "https://a.example"), owner("bsky", "")] {
        assert_eq!(read(&vault, &other, "token").await, Ok(None));
    }
    vault.store(&fedi, "token", &"three".into()).await.expect("kept");
    assert_eq!(read(&vault, &fedi, "token").await, Ok(Some("three".to_owned())));
    assert_eq!(vault.remove(&fedi, "token").await, Ok(true));
    assert_eq!(vault.remove(&fedi, "token").await, Ok(false));
    assert_eq!(read(&vault, &fedi, "token").await, Ok(None));
    assert_eq!(read(&vault, &owner("bsky", ""), "password").await, Ok(Some("two-secret".to_owned())));
}

#[tokio::test]
async fn the_same_secret_never_looks_the_same() {
    let state = folder();
    let vault = vault(state.path());
    let mut seen = BTreeSet::new();
    for _ in 0..10 {
        vault.store(&owner("fedi", ""), "token", &"the same".into()).await.expect("kept");
        let file: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(state.path().join("vault")).expect("a file")).expect("JSON");
        for text in [&file["nonce"], &file["rows"][0]["nonce"], &file["rows"][0]["sealed"]] {
            assert!(seen.insert(text.as_str().expect("a text").to_owned()), "{text} came twice");
        }
    }
}

#[tokio::test]
async fn any_changed_byte_is_refused_and_nothing_is_written() {
    let state = folder();
    let text = filled(state.path()).await;
    let path = state.path().join("vault");
    let vault = vault(state.path());
    let mut refused = 0;
    for at in 0..text.len() {
        let mut bytes = text.clone().into_bytes();
        bytes[at] ^= 1;
        std::fs::write(&path, &bytes).expect("a file");
        match read(&vault, &owner("fedi", "https://a.example"), "token").await {
            // Between JSON's signs a blank may become nothing that matters.
            Ok(found) => assert!(
                text.as_bytes()[at].is_ascii_whitespace() && found.as_deref() == Some("one-secret"),
                "byte {at} was changed unseen: {found:?}"
            ),
            Err(why) => {
                refused += 1;
                assert!(why.contains("nothing was changed") || why.contains("is damaged"), "{why}");
                assert!(!why.contains("secret"), "{why}");
            }
        }
        if at % 97 == 0 {
            let before = std::fs::read(&path).expect("a file");
            if vault.store(&owner("fedi", ""), "token", &"new".into()).await.is_err() {
                assert_eq!(std::fs::read(&path).expect("a file"), before, "byte {at}");
            }
        }
    }
    assert!(refused > text.len() / 2);
}

#[tokio::test]
async fn a_cut_file_is_refused_and_nothing_is_written() {
    let state = folder();
    let text = filled(state.path()).await;
    let path = state.path().join("vault");
    let vault = vault(state.path());
    for length in (0..text.len() - 1).step_by(7) {
        std::fs::write(&path, &text[..length]).expect("a file");
        let why = read(&vault, &owner("bsky", ""), "password").await.expect_err("cut");
        assert!(why.contains("is damaged"), "{why}");
        vault.store(&owner("bsky", ""), "password", &"new".into()).await.expect_err("cut");
        vault.remove(&owner("bsky", ""), "password").await.expect_err("cut");
        assert_eq!(std::fs::read_to_string(&path).expect("a file"), text[..length]);
    }
}

#[tokio::test]
async fn a_row_can_be_neither_moved_nor_renamed_nor_taken_out() {
    let state = folder();
    let text = filled(state.path()).await;
    let path = state.path().join("vault");
    let file: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let with = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut file = file.clone();
        change(&mut file);
        std::fs::write(&path, file.to_string()).expect("a file");
    };
    let vault = vault(state.path());
    // Written in another way it is the same vault.
    with(&|_| {});
    assert_eq!(read(&vault, &owner("bsky", ""), "password").await, Ok(Some("two-secret".to_owned())));
    let changes: &[&dyn Fn(&mut serde_json::Value)] = &[
        &|file| file["rows"][0]["server"] = "https://evil.example".into(),
        &|file| file["rows"][0]["account"] = "mallory".into(),
        &|file| file["rows"][1]["field"] = "token".into(),
        &|file| file["rows"][1]["first"] = true.into(),
        &|file| drop(file["rows"].as_array_mut().expect("rows").remove(0)),
        &|file| file["rows"].as_array_mut().expect("rows").swap(0, 1),
        &|file| file["rows"][0]["sealed"] = file["rows"][1]["sealed"].clone(),
    ];
    for (at, change) in changes.iter().enumerate() {
        with(*change);
        let why = read(&vault, &owner("bsky", ""), "password").await.expect_err("changed");
        assert!(why.contains("is damaged"), "{at}: {why}");
    }
}

#[test]
fn a_row_opens_under_its_own_names_alone() {
    // Without the seal of the whole, as one would be who has the key and mixes up rows.
    let state = folder();
    let key = vault(state.path()).need_key().expect("a key");
    let (one, two) = (owner("fedi", "https://a.example"), owner("fedi", "https://b.example"));
    let mut rows = Rows::default();
    rows.put(&one, "token", &Kept { secret: "mine".into(), first: false }, &key).expect("sealed");
    let moved = rows.seal(&key).expect("sealed").replace("a.example", "b.example");
    let mut file: serde_json::Value = serde_json::from_str(&moved).expect("JSON");
    let rows: Rows = Rows::unchecked(file["rows"].take());
    assert!(matches!(rows.get(&one, "token", &key), Ok(None)));
    assert!(matches!(rows.get(&two, "token", &key), Err(Broken::Damaged)));
}

#[tokio::test]
async fn another_key_is_told_from_damage() {
    let state = folder();
    let text = filled(state.path()).await;
    let vault = vault_with(state.path(), Some(OTHER_KEY));
    let why = read(&vault, &owner("bsky", ""), "password").await.expect_err("another key");
    assert!(why.contains("sealed with another key") && why.contains("sign in again"), "{why}");
    vault.store(&owner("bsky", ""), "password", &"new".into()).await.expect_err("another key");
    assert_eq!(std::fs::read_to_string(state.path().join("vault")).expect("a file"), text);
}

#[tokio::test]
async fn a_newer_version_is_left_alone() {
    let state = folder();
    let text = filled(state.path()).await.replace("\"version\": 1", "\"version\": 2");
    std::fs::write(state.path().join("vault"), &text).expect("a file");
    let why = read(&vault(state.path()), &owner("bsky", ""), "password").await.expect_err("newer");
    assert!(why.contains("of version 2, which is newer than this smm"), "{why}");
}

#[tokio::test]
async fn without_a_key_nothing_is_kept_and_nothing_is_made() {
    let state = folder();
    let vault = vault_with(&state.path().join("smm"), None);
    assert_eq!(read(&vault, &owner("bsky", ""), "password").await, Ok(None));
    let why = vault.store(&owner("bsky", ""), "password", &"new".into()).await.expect_err("no key");
    assert!(why.contains("SMM_VAULT_KEY") && why.contains("head -c 32 /dev/urandom | base64"), "{why}");
    assert!(!state.path().join("smm/vault").exists());

    filled(state.path()).await;
    let vault = vault_with(state.path(), None);
    read(&vault, &owner("bsky", ""), "password").await.expect_err("no key");
    assert_eq!(vault.remove(&owner("nobody", ""), "password").await, Ok(false), "what is not there needs no key");
    vault.remove(&owner("bsky", ""), "password").await.expect_err("no key");
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_may_look_into_it() {
    use std::os::unix::fs::PermissionsExt as _;

    let state = folder();
    let home = state.path().join("new/state");
    filled(&home).await;
    let mode = |path: &Path| std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    let path = home.join("vault");
    assert_eq!((mode(&home), mode(&path), mode(&home.join("vault.lock"))), (0o700, 0o600, 0o600));

    let vault = vault(&home);
    let set = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("set");
    set(&path, 0o640);
    let why = read(&vault, &owner("bsky", ""), "password").await.expect_err("others may read it");
    assert!(why.contains("chmod 600 ") && why.contains("its mode is 640"), "{why}");
    set(&path, 0o600);
    set(&home, 0o750);
    let why = read(&vault, &owner("bsky", ""), "password").await.expect_err("others may look");
    assert!(why.contains("chmod 700 ") && why.contains("StateDirectoryMode=0700"), "{why}");
    vault.store(&owner("bsky", ""), "password", &"new".into()).await.expect_err("others may look");
    let left: Vec<_> =
        std::fs::read_dir(&home).expect("a folder").map(|entry| entry.expect("an entry").file_name()).collect();
    assert_eq!(left.len(), 2, "no file is left over: {left:?}");
}

#[tokio::test]
async fn two_at_once_lose_nothing() {
    let state = folder();
    let mut work = tokio::task::JoinSet::new();
    for at in 0..24 {
        let vault = vault(state.path());
        work.spawn(async move {
            vault.store(&owner(&format!("a{at}"), ""), "token", &format!("value {at}").into()).await.expect("kept");
        });
    }
    while let Some(done) = work.join_next().await {
        done.expect("no panic");
    }
    for at in 0..24 {
        let found = read(&vault(state.path()), &owner(&format!("a{at}"), ""), "token").await;
        assert_eq!(found, Ok(Some(format!("value {at}"))));
    }
}
