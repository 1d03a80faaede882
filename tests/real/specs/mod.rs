//! Every request that an adapter makes, and every answer that its stand-in gives, held against the network's own
//! machine-readable specification.
//!
//! The adapters are driven against their stand-ins (`drive.rs`) with posts that use all that they can send; the front's log
//! is then checked (`openapi.rs`). What a specification and an adapter disagree on stands in `decided.toml`, each with its
//! reason: an entry that is no longer needed is a failure, and so is a field that is sent and not listed there. Two readings
//! hold for all: `oneOf` is `anyOf` (see `openapi.rs`), and Discord's `payload_json` is the message that it holds, as the
//! documentation has it; the specification knows only the files beside it.
//!
//! The specifications are data that others publish. They are looked for in `$SMM_SPECS`, else in `target/real/specs`:
//! `telegram/api.json` (or `telegram/schema.json`, as the Python package `aiogram` brings it), `discord/openapi.json`,
//! `mastodon/abraham-schema.json`, and `matrix/` with `client-server/` and `event-schemas/`.

mod drive;
mod openapi;
mod telegram;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;

use serde::Deserialize;
use serde_json::{Value, json};
use smm::adapter::suite::Seen;

use crate::servers::real;
use drive::Way;
use openapi::Specification;

/// Something that is not as the specification has it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    /// `POST /channels/{channel_id}/messages`; empty: there is no such operation.
    at: String,
    says: String,
}

/// `decided.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Decided {
    /// Where specification and adapter disagree.
    disagreement: Vec<Disagreement>,
    /// Network → operation → the fields that are sent, all that there are.
    sent: BTreeMap<String, BTreeMap<String, BTreeSet<String>>>,
}

/// A decision.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Disagreement {
    network: String,
    /// The operation; `*`: any.
    at: String,
    /// A part of what is found.
    says: String,
    /// Why it is so and stays so.
    why: String,
}

/// Where the specifications are.
fn folder() -> PathBuf {
    std::env::var_os("SMM_SPECS").map_or_else(|| real().join("specs"), PathBuf::from)
}

/// Whether that of a network is there.
pub fn installed(network: &str) -> bool {
    let folder = folder().join(network);
    match network {
        "telegram" => folder.join("api.json").is_file() || folder.join("schema.json").is_file(),
        "discord" => folder.join("openapi.json").is_file(),
        "mastodon" => folder.join("abraham-schema.json").is_file(),
        _ => folder.join("client-server").is_dir() && smm::networks::find(network).is_some(),
    }
}

fn read(path: &str) -> Value {
    let path = folder().join(path);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Telegram's Bot API.
pub async fn telegram() {
    let api = if folder().join("telegram/api.json").is_file() {
        telegram::openapi(&read("telegram/api.json"))
    } else {
        telegram::openapi(&telegram::of_aiogram(&read("telegram/schema.json")))
    };
    let all = json!({"silent": true, "protect": true, "topic": 5, "preview": "large"});
    let off = json!({"preview": "off"});
    let ways = [Way::plain(), Way::with(all), Way::with(off)];
    hold("telegram", &Specification::new(vec![("", api)]), &ways).await;
}

/// Discord's API, as a bot and by a webhook.
pub async fn discord() {
    let spec = Specification::new(vec![("/api/v10", read("discord/openapi.json"))]).unpacking("payload_json");
    let loud = json!({"silent": true, "no_embeds": true, "mentions": ["everyone", "roles", "users"]});
    let hook = || {
        BTreeMap::from([(
            "token",
            "https://discord.com/api/webhooks/800000000000000003/stand-in_token-of-a-webhook".to_owned(),
        )])
    };
    let by_hook = |settings: Value| {
        let mut way = Way::with(settings).with_secrets(hook());
        way.settings.insert("channel".to_owned(), Value::Null);
        way
    };
    let ways = [
        Way::plain(),
        Way::with(loud),
        by_hook(json!({})),
        by_hook(json!({"forum": true, "silent": true})),
        by_hook(json!({"thread": "800000000000000004"})),
    ];
    hold("discord", &spec, &ways).await;
}

/// Mastodon's API.
pub async fn mastodon() {
    let spec = Specification::new(vec![("", read("mastodon/abraham-schema.json"))]);
    hold("mastodon", &spec, &[Way::plain()]).await;
}

/// Matrix's client-server API, and the events that are sent with it.
pub async fn matrix() {
    // YAML, in files that refer to each other.
    let flatten = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/real/specs/flatten.py");
    let done = Command::new("python3")
        .arg(flatten)
        .arg(folder().join("matrix"))
        .env("PYTHONPATH", real().join("ci/python"))
        .output()
        .expect("python3");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let mut read: Value = serde_json::from_slice(&done.stdout).expect("JSON");
    let docs = read["docs"].as_array_mut().expect("documents").drain(..);
    let docs = docs.map(|mut doc| (doc["base"].as_str().expect("a base").to_owned(), doc["doc"].take())).collect();
    let spec = Specification::new(docs).with_events(read["events"].take());
    hold("matrix", &spec, &[Way::plain()]).await;
}

/// Drives a network's adapter and holds what went over the wire against the specification.
async fn hold(network: &str, spec: &Specification, ways: &[Way]) {
    let adapter = smm::networks::find(network).expect("a network of the registry");
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/real/specs/decided.toml");
    let decided = std::fs::read_to_string(path).expect("decided.toml");
    let decided: Decided = toml::from_str(&decided).expect("decided.toml");
    let decisions: Vec<_> = decided.disagreement.iter().filter(|one| one.network == network).collect();
    let (mut used, mut wrong) = (vec![false; decisions.len()], BTreeSet::new());
    let mut sent: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut seen: Vec<Seen> = Vec::new();
    for way in ways {
        seen.extend(drive::drive(adapter, way).await);
    }
    assert!(seen.len() >= 10, "{network}: next to nothing was sent");
    for seen in &seen {
        let mut findings = Vec::new();
        if let Some((at, fields)) = spec.check(seen, &mut findings) {
            sent.entry(at).or_default().extend(fields);
        }
        for finding in findings {
            let known = decisions
                .iter()
                .position(|one| (one.at == "*" || one.at == finding.at) && finding.says.contains(&one.says));
            match known {
                Some(index) => used[index] = true,
                None => {
                    wrong.insert(finding);
                }
            }
        }
    }
    let told: Vec<_> = wrong.iter().map(|finding| format!("{}: {}", finding.at, finding.says)).collect();
    assert!(told.is_empty(), "{network} and its specification disagree:\n{}", told.join("\n"));
    for (decision, used) in decisions.iter().zip(used) {
        assert!(used, "decided, and no longer needed: {decision:?}");
        assert!(decision.why.len() > 20, "a decision has a reason: {decision:?}");
    }
    let listed = decided.sent.get(network).cloned().unwrap_or_default();
    let shown = toml::to_string(&BTreeMap::from([("sent", BTreeMap::from([(network, &sent)]))])).expect("TOML");
    assert!(!sent.is_empty(), "{network}: nothing was sent");
    assert!(
        listed == sent,
        "{network}: the fields that are sent are not those listed in decided.toml; they are\n{shown}"
    );
}

/// The checker itself: each thing that is wrong is found, and what is right is not.
pub fn finds_what_is_wrong() {
    use smm::adapter::suite::SeenAnswer;

    let message = json!({
        "type": "object", "required": ["text"],
        "properties": {"text": {"type": "string", "maxLength": 5}, "tags": {"type": "array", "items": {"$ref": "#/components/schemas/Tag"}}},
    });
    let tag =
        json!({"allOf": [{"type": "object", "properties": {"name": {"type": "string"}}}, {"required": ["name"]}]});
    let content = json!({"application/json": {"schema": message}, "multipart/form-data": {"schema": message}});
    let operation = json!({
        "parameters": [{"name": "wait", "in": "query", "schema": {"type": "boolean"}}, {"name": "key", "in": "header", "required": true}],
        "requestBody": {"required": true, "content": content},
        "responses": {"200": {"content": {"application/json": {"schema": {"type": "object", "properties": {"id": {"type": "string"}}}}}}},
    });
    let doc = json!({"paths": {"/chats/{id}": {"post": operation}}, "components": {"schemas": {"Tag": tag}}});
    let spec = Specification::new(vec![("/api", doc)]);
    let found = |change: &dyn Fn(&mut Seen)| {
        let mut seen = Seen {
            method: "POST".to_owned(),
            path: "/api/chats/7".to_owned(),
            query: "wait=true".to_owned(),
            headers: [("content-type", "application/json"), ("key", "k")]
                .map(|(a, b)| (a.to_owned(), b.to_owned()))
                .to_vec(),
            body: r#"{"text": "One", "tags": [{"name": "a"}]}"#.into(),
            answer: Some(SeenAnswer { status: 200, body: r#"{"id": "1"}"#.into() }),
        };
        change(&mut seen);
        let mut findings = Vec::new();
        spec.check(&seen, &mut findings);
        findings.into_iter().map(|finding| finding.says).collect::<Vec<_>>().join("; ")
    };
    let with_body = |body: &'static str| found(&move |seen: &mut Seen| seen.body = body.into());
    assert_eq!(found(&|_| {}), "");
    assert!(found(&|seen| "/api/chat/7".clone_into(&mut seen.path)).contains("no such operation"));
    assert!(found(&|seen| "wait=maybe".clone_into(&mut seen.query)).contains("query wait"));
    assert!(
        found(&|seen| "hurry=true".clone_into(&mut seen.query)).contains("query hurry: it is not in the specification")
    );
    assert!(found(&|seen| seen.headers.truncate(1)).contains("key: required"));
    assert!(with_body("").contains("no body"));
    assert!(with_body("{}").contains("required property"));
    assert!(with_body(r#"{"text": "One", "colour": 1}"#).contains("/colour: it is not in the specification"));
    assert!(with_body(r#"{"text": "too long"}"#).contains("longer than 5"));
    assert!(with_body(r#"{"text": "One", "tags": [{"name": "a", "size": 1}]}"#).contains("/size: it is not"));
    assert!(with_body(r#"{"text": "One", "tags": [{}]}"#).contains("required property"));
    let form = |names: [&str; 2]| {
        let part = |name: &str, text: &str| {
            format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n")
        };
        let body = part(names[0], "One") + &part(names[1], r#"[{"name": "a"}]"#) + "--b--\r\n";
        found(&move |seen: &mut Seen| {
            "multipart/form-data; boundary=b".clone_into(&mut seen.headers[0].1);
            seen.body = body.clone().into();
        })
    };
    assert_eq!(form(["text", "tags"]), "");
    assert!(form(["text", "labels"]).contains("/labels: it is not in the specification"));
    let answered = |status: u16, body: &'static str| {
        found(&move |seen: &mut Seen| seen.answer = Some(SeenAnswer { status, body: body.into() }))
    };
    assert!(answered(201, "{}").contains("the specification has none"));
    assert!(answered(200, r#"{"id": 1}"#).contains("not of type"));
    assert!(answered(200, r#"{"name": "x"}"#).contains("/name: it is not in the specification"));
    assert!(answered(200, "").contains("no body"));
    assert!(found(&|seen| seen.answer = None).contains("never answered"));
}
