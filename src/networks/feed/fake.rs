//! A feed in memory, for the behaviour suite.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;

use crate::adapter::Files;
use crate::adapter::suite::{Fake, FakePost, Front, MemoryFiles, number};
use crate::model::{Account, AccountName};

use super::wire::{Entry, receipt_id};

/// The folder.
pub(super) struct FakeFeed {
    folder: String,
    files: Arc<MemoryFiles>,
}

impl FakeFeed {
    /// In a folder that no other one has.
    pub(super) fn start() -> Self {
        Self::at(format!("site-{}", number()))
    }

    /// In this folder.
    pub(super) fn at(folder: impl Into<String>) -> Self {
        Self { folder: folder.into(), files: Arc::default() }
    }

    /// All files, by path.
    #[cfg(test)]
    pub(super) fn all(&self) -> BTreeMap<String, Vec<u8>> {
        self.files.all()
    }
}

#[async_trait]
impl Fake for FakeFeed {
    fn front(&self) -> Option<&Front> {
        None
    }

    fn account(&self) -> Account {
        let mut account = Account::new(AccountName::new("site"), "feed");
        account.settings.insert("folder".to_owned(), self.folder.clone().into());
        account.settings.insert("link".to_owned(), "https://acme.example/news".into());
        account
    }

    fn secrets(&self) -> BTreeMap<&'static str, String> {
        BTreeMap::new()
    }

    async fn posts(&self) -> Vec<FakePost> {
        let mut entries: Vec<Entry> = self
            .files
            .all()
            .iter()
            .filter(|(path, _)| path.ends_with("/entry.json"))
            .filter_map(|(_, bytes)| serde_json::from_slice(bytes).ok())
            .collect();
        entries.sort_by_key(Entry::published);
        let posts = entries.iter().flat_map(|entry| {
            entry.parts.iter().map(|part| FakePost {
                id: receipt_id(&entry.key, part.part),
                text: part.says.text.clone(),
                parent: part.part.checked_sub(1).map(|before| receipt_id(&entry.key, before)),
                alts: part.media.iter().map(|media| media.alt.clone()).collect(),
                key: Some(receipt_id(&entry.key, part.part)),
            })
        });
        posts.collect()
    }

    fn publish_call(&self) -> Option<(&'static str, &'static str)> {
        None
    }

    fn change_secret(&self) {}

    fn files(&self) -> Arc<dyn Files> {
        Arc::<MemoryFiles>::clone(&self.files)
    }
}
