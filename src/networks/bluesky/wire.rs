//! What goes over the wire: the answers that are read, and the record that is written.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The collection that posts are in.
pub(super) const POSTS: &str = "app.bsky.feed.post";

/// The address of a method.
pub(super) fn xrpc(server: &str, method: &str) -> String {
    format!("{server}/xrpc/{method}")
}

/// An error, as every server of the AT Protocol words it.
#[derive(Debug, Default, Deserialize)]
pub(super) struct ErrorBody {
    /// A word for programs.
    pub(super) error: String,
    /// Words for people.
    #[serde(default)]
    pub(super) message: String,
}

impl ErrorBody {
    /// `InvalidRequest: Record/text must not be longer than 300 graphemes`.
    pub(super) fn told(&self) -> String {
        if self.message.is_empty() { self.error.clone() } else { format!("{}: {}", self.error, self.message) }
    }
}

/// Answer of `createSession` and `refreshSession`. Holds secrets: no `Debug`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SessionAnswer {
    pub(super) access_jwt: String,
    pub(super) refresh_jwt: String,
    pub(super) did: String,
    pub(super) handle: String,
    pub(super) did_doc: Option<Value>,
    pub(super) active: Option<bool>,
    pub(super) status: Option<String>,
}

/// Answer of `getSession`.
#[derive(Debug, Deserialize)]
pub(super) struct WhoAnswer {
    pub(super) did: String,
    pub(super) handle: String,
}

/// Answer of `describeServer`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServerAnswer {
    pub(super) blob_upload_limit: Option<u64>,
}

/// A record's address and the hash of its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StrongRef {
    pub(super) uri: String,
    pub(super) cid: String,
}

/// Answer of `getRecord`.
#[derive(Debug, Deserialize)]
pub(super) struct RecordAnswer {
    pub(super) uri: String,
    pub(super) cid: Option<String>,
    pub(super) value: Value,
}

/// Answer of `uploadBlob`: the blob goes into the record unchanged.
#[derive(Debug, Deserialize)]
pub(super) struct BlobAnswer {
    pub(super) blob: Value,
}

/// Answer of `getServiceAuth`.
#[derive(Deserialize)]
pub(super) struct ServiceTokenAnswer {
    pub(super) token: String,
}

/// Answer of `app.bsky.video.startUpload`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PartsAnswer {
    pub(super) job_id: String,
    pub(super) part_size_bytes: u64,
}

/// Answer of `app.bsky.video.finishUpload`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FinishedAnswer {
    pub(super) completed_job_id: String,
}

/// Answer of `app.bsky.video.getJobStatus`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct JobAnswer {
    pub(super) job_status: JobStatus,
}

/// How far the video service is.
#[derive(Debug, Deserialize)]
pub(super) struct JobStatus {
    pub(super) state: String,
    pub(super) blob: Option<Value>,
    pub(super) error: Option<String>,
    pub(super) message: Option<String>,
}

/// Answer of `resolveHandle`.
#[derive(Debug, Deserialize)]
pub(super) struct DidAnswer {
    pub(super) did: String,
}

/// A DID document, as far as it is needed.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DidDocument {
    pub(super) id: String,
    #[serde(default)]
    pub(super) also_known_as: Vec<String>,
    #[serde(default)]
    pub(super) service: Vec<Service>,
}

/// A service of a DID document.
#[derive(Debug, Deserialize)]
pub(super) struct Service {
    pub(super) id: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(rename = "serviceEndpoint")]
    pub(super) endpoint: Value,
}

impl DidDocument {
    /// The address of the account's server, as it stands there.
    pub(super) fn server(&self) -> Option<&str> {
        self.service
            .iter()
            .find(|service| service.id.ends_with("#atproto_pds") && service.kind == "AtprotoPersonalDataServer")?
            .endpoint
            .as_str()
    }

    /// The document says that it goes by this handle.
    pub(super) fn names(&self, handle: &str) -> bool {
        self.also_known_as
            .iter()
            .any(|name| name.strip_prefix("at://").is_some_and(|name| name.eq_ignore_ascii_case(handle)))
    }
}

/// Answer of `getPosts`.
#[derive(Debug, Deserialize)]
pub(super) struct PostsAnswer {
    pub(super) posts: Vec<PostView>,
}

/// A post as an app view shows it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PostView {
    pub(super) uri: String,
    pub(super) author: Author,
    pub(super) record: Value,
    pub(super) like_count: Option<u64>,
    pub(super) repost_count: Option<u64>,
    pub(super) reply_count: Option<u64>,
    pub(super) quote_count: Option<u64>,
}

/// A post's author.
#[derive(Debug, Deserialize)]
pub(super) struct Author {
    pub(super) did: String,
    pub(super) handle: String,
}

/// Answer of `getPostThread`.
#[derive(Debug, Deserialize)]
pub(super) struct ThreadAnswer {
    pub(super) thread: Thread,
}

/// A thread. Blocked and deleted posts have no `post`.
#[derive(Debug, Deserialize)]
pub(super) struct Thread {
    pub(super) post: Option<PostView>,
    #[serde(default)]
    pub(super) replies: Vec<Thread>,
}

/// The form of a DID.
pub(super) fn is_did(text: &str) -> bool {
    text.strip_prefix("did:").and_then(|rest| rest.split_once(':')).is_some_and(|(method, id)| {
        !method.is_empty()
            && method.bytes().all(|byte| byte.is_ascii_lowercase())
            && !id.is_empty()
            && text.len() <= 2048
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._:%-".contains(&byte))
            && !id.ends_with([':', '%'])
    })
}

/// A post's address, taken apart. The repository is a DID, or a handle as people write it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PostRef {
    /// DID or handle.
    pub(super) repo: String,
    /// Record key.
    pub(super) key: String,
}

impl PostRef {
    /// Reads `at://<did or handle>/app.bsky.feed.post/<key>` or `https://bsky.app/profile/<did or handle>/post/<key>`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (repo, key) = if let Some(rest) = text.strip_prefix("at://") {
            let (repo, rest) = rest.split_once('/')?;
            (repo, rest.strip_prefix(POSTS)?.strip_prefix('/')?)
        } else {
            let rest = text.strip_prefix("https://bsky.app/profile/")?;
            let (repo, rest) = rest.split_once('/')?;
            (repo, rest.strip_prefix("post/")?.split(['?', '#']).next()?.trim_end_matches('/'))
        };
        let repo = repo.strip_prefix('@').unwrap_or(repo);
        let good = (is_did(repo) || super::facets::is_handle(repo)) && super::key::is_tid(key);
        good.then(|| Self { repo: repo.to_owned(), key: key.to_owned() })
    }
}

/// `at://did/app.bsky.feed.post/key`.
pub(super) fn at_uri(did: &str, key: &str) -> String {
    format!("at://{did}/{POSTS}/{key}")
}

/// Where people see a post. By DID, so that it stays right when the handle changes.
pub(super) fn web_url(did: &str, key: &str) -> String {
    format!("https://bsky.app/profile/{did}/post/{key}")
}

/// The body of `putRecord`: writes the record only if there is none under its key yet.
pub(super) fn put_record(did: &str, key: &str, record: &Value) -> Value {
    json!({
        "repo": did,
        "collection": POSTS,
        "rkey": key,
        "validate": true,
        "record": record,
        "swapRecord": null,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn posts_are_found_by_both_addresses() {
        let by_did = Some(PostRef { repo: "did:plc:abc".to_owned(), key: "3jzfcijpj2z2a".to_owned() });
        assert_eq!(PostRef::parse("at://did:plc:abc/app.bsky.feed.post/3jzfcijpj2z2a"), by_did);
        assert_eq!(PostRef::parse("https://bsky.app/profile/did:plc:abc/post/3jzfcijpj2z2a?x#y"), by_did);
        let by_handle = PostRef::parse("https://bsky.app/profile/acme.example/post/3jzfcijpj2z2a/");
        assert_eq!(by_handle.map(|found| found.repo).as_deref(), Some("acme.example"));
        for bad in [
            "",
            "at://",
            "at://did:plc:abc/app.bsky.feed.like/3jzfcijpj2z2a",
            "at://did:plc:abc/app.bsky.feed.post/hello",
            "https://bsky.app.evil.example/profile/acme.example/post/3jzfcijpj2z2a",
            "https://bsky.app/profile/acme.example",
        ] {
            assert_eq!(PostRef::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_did_document_leads_to_a_server() {
        let document: DidDocument = serde_json::from_value(json!({
            "id": "did:plc:abc",
            "alsoKnownAs": ["at://Acme.Example"],
            "service": [
                {"id": "#other", "type": "Other", "serviceEndpoint": {"uri": "https://other.example"}},
                {"id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": "https://pds.example"},
            ],
        }))
        .expect("a document");
        assert_eq!(document.server(), Some("https://pds.example"));
        assert!(document.names("acme.example") && !document.names("evil.example"));
    }
}
