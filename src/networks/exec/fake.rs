//! A program that keeps the protocol, without a process.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::adapter::suite::{Fake, FakePost, Front, number, outside};
use crate::adapter::{Fault, Outside, ProgramCall, ProgramEnd, Programs};
use crate::model::{Account, AccountName};

/// The stand-in.
pub(super) struct Stand(Arc<World>);

struct World {
    number: u32,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    changes: u32,
    posts: Vec<FakePost>,
}

impl Stand {
    pub(super) fn new() -> Self {
        Self(Arc::new(World { number: number(), held: Mutex::default() }))
    }
}

impl World {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn token(&self) -> String {
        format!("stand-in-token-{}", self.changes)
    }
}

#[async_trait]
impl Fake for Stand {
    fn front(&self) -> Option<&Front> {
        None
    }

    fn account(&self) -> Account {
        let mut account = Account::new(AccountName::new("own"), "exec");
        account.settings.insert("command".to_owned(), json!(["/usr/local/bin/publish"]));
        account.settings.insert("repeat".to_owned(), json!("look-up"));
        account
    }

    fn secrets(&self) -> BTreeMap<&'static str, String> {
        BTreeMap::from([("token", self.0.held().token())])
    }

    async fn posts(&self) -> Vec<FakePost> {
        self.0.held().posts.clone()
    }

    fn publish_call(&self) -> Option<(&'static str, &'static str)> {
        None
    }

    fn change_secret(&self) {
        self.0.held().changes += 1;
    }

    fn outside(&self) -> Outside {
        let programs = Some(Arc::clone(&self.0) as Arc<dyn Programs>);
        Outside { programs, ..outside(self.secrets(), self.files()) }
    }
}

#[async_trait]
impl Programs for World {
    async fn run(&self, call: ProgramCall) -> Result<ProgramEnd, Fault> {
        let mut held = self.held();
        let known = call.variables.iter().any(|(_, secret)| secret.expose_secret() == held.token());
        let input: Value = serde_json::from_str(&call.input).expect("JSON goes to a program");
        let (status, output) = if known { self.answer(&mut held, &input) } else { (77, json!({"error": "who?"})) };
        Ok(ProgramEnd { status: Some(status), output: output.to_string().into_bytes(), said: String::new() })
    }
}

impl World {
    fn answer(&self, held: &mut Held, input: &Value) -> (i32, Value) {
        assert_eq!(input["smm"], 1, "the version of the protocol");
        let words = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let id = words(&input["id"]);
        let rendering = &input["rendering"];
        match input["action"].as_str() {
            Some("whoami") => (0, json!({"uid": self.number.to_string(), "name": "Own"})),
            Some("publish") => {
                let media = rendering["media"].as_array().cloned().unwrap_or_default();
                if words(&rendering["text"]).chars().count() > 10_000 || media.len() > 10 {
                    return (65, json!({"error": "too much"}));
                }
                held.posts.push(FakePost {
                    id: id.clone(),
                    text: words(&rendering["text"]),
                    parent: rendering["after"]["id"].as_str().map(str::to_owned),
                    alts: media.iter().map(|file| words(&file["alt"])).collect(),
                    key: Some(id.clone()),
                });
                (0, json!({"id": id}))
            }
            Some("look-up") => {
                let found = held.posts.iter().find(|post| post.id == id).map(|post| json!({"id": post.id}));
                (0, json!({"found": found}))
            }
            Some("delete") => {
                held.posts.retain(|post| post.id != id);
                (0, json!({}))
            }
            _ => (65, json!({"error": "no such action"})),
        }
    }
}
