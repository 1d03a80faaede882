//! A mail server that takes mail for a list, and reads what it took.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::adapter::suite::{Fake, FakePost, Front, Lost, MailFront, MailStage, MailTrouble, number};
use crate::model::{Account, AccountName};

use super::page::SIGNATURE;

/// The server, and an account that nobody else has.
pub(super) struct FakeMail {
    front: MailFront,
    number: u32,
    changes: AtomicU32,
}

impl FakeMail {
    pub(super) async fn start() -> Self {
        let front = MailFront::serve("news", &password(0)).await;
        Self { front, number: number(), changes: AtomicU32::new(0) }
    }

    /// The server itself.
    #[cfg(test)]
    pub(super) fn front(&self) -> &MailFront {
        &self.front
    }
}

fn password(changes: u32) -> String {
    format!("password-{changes}-of-news")
}

#[async_trait]
impl Fake for FakeMail {
    fn front(&self) -> Option<&Front> {
        None
    }

    fn account(&self) -> Account {
        let mut account = Account::new(AccountName::new("news"), "email");
        account.server = Some(self.front.url().to_owned());
        for (key, value) in [
            ("from", format!("Acme News <news-{}@acme.example>", self.number)),
            ("to", "list@acme.example".to_owned()),
            ("user", "news".to_owned()),
            ("unsubscribe", "https://acme.example/leave".to_owned()),
        ] {
            account.settings.insert(key.to_owned(), value.into());
        }
        account
    }

    fn secrets(&self) -> BTreeMap<&'static str, String> {
        BTreeMap::from([("password", password(self.changes.load(Ordering::SeqCst)))])
    }

    async fn posts(&self) -> Vec<FakePost> {
        self.front.mails().iter().map(|mail| post(&mail.text)).collect()
    }

    fn publish_call(&self) -> Option<(&'static str, &'static str)> {
        None
    }

    fn change_secret(&self) {
        let changes = self.changes.fetch_add(1, Ordering::SeqCst) + 1;
        self.front.change_password(&password(changes));
    }

    fn takes_back(&self) -> bool {
        false
    }

    fn lose(&self, lost: Lost) -> bool {
        self.front.trouble(
            MailStage::End,
            match lost {
                Lost::Request => MailTrouble::Drop,
                Lost::Answer => MailTrouble::TakeAndDrop,
            },
        );
        true
    }
}

/// What a mail says.
fn post(mail: &str) -> FakePost {
    let mut leaves = Vec::new();
    let head = read(mail, &mut leaves);
    let leaf = |kind: &str| leaves.iter().find(|(of, _)| of.starts_with(kind)).map(|(_, text)| text.as_str());
    let mut alts = Vec::new();
    for piece in leaf("text/html").unwrap_or_default().split(" alt=\"").skip(1) {
        let alt = piece.split('"').next().unwrap_or_default();
        alts.push(alt.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"));
    }
    let text = leaf("text/plain").unwrap_or_default().replace("\r\n", "\n");
    let mut lines: Vec<&str> = text.split(SIGNATURE).next().unwrap_or_default().trim_end().lines().collect();
    while lines.last().is_some_and(|line| line.is_empty() || alts.iter().any(|alt| *line == format!("[{alt}]"))) {
        lines.pop();
    }
    let id = header(&head, "message-id").trim_matches(['<', '>']).to_owned();
    FakePost { key: Some(id.clone()), id, text: lines.join("\n"), parent: None, alts }
}

/// Reads a mail or a part of one: gives its head, unfolded, and puts what is no multipart into `leaves`, by its type.
fn read(part: &str, leaves: &mut Vec<(String, String)>) -> String {
    let (head, body) = part.split_once("\r\n\r\n").unwrap_or((part, ""));
    let head = head.replace("\r\n ", " ").replace("\r\n\t", " ");
    let kind = header(&head, "content-type");
    if let Some((_, boundary)) = kind.split_once("boundary=\"") {
        let boundary = format!("--{}", boundary.split('"').next().unwrap_or_default());
        for piece in body.split(&boundary).skip(1).filter(|piece| !piece.starts_with("--")) {
            read(piece.strip_prefix("\r\n").unwrap_or(piece), leaves);
        }
        return head;
    }
    let bytes = match header(&head, "content-transfer-encoding").as_str() {
        "base64" => STANDARD.decode(body.split_whitespace().collect::<String>()).unwrap_or_default(),
        "quoted-printable" => quoted_printable(body),
        _ => body.as_bytes().to_vec(),
    };
    leaves.push((kind, String::from_utf8_lossy(&bytes).into_owned()));
    head
}

fn header(head: &str, name: &str) -> String {
    let mut lines = head.split("\r\n").filter_map(|line| line.split_once(':'));
    lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
}

fn quoted_printable(body: &str) -> Vec<u8> {
    let joined = body.replace("=\r\n", "");
    let mut bytes = Vec::with_capacity(joined.len());
    let mut rest = joined.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        let code = tail.get(..2).and_then(|code| std::str::from_utf8(code).ok());
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) if *first == b'=' => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            _ => bytes.push(*first),
        }
    }
    bytes
}
