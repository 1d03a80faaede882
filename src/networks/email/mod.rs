//! Mail: a newsletter by SMTP. See the README beside this file.
//!
//! `profile.rs` holds the limits, `plan.rs` makes steps from a draft, `page.rs` writes the text and the HTML, `api.rs` sends
//! it, `wire.rs` is what is frozen of a mail.

mod api;
#[cfg(feature = "testing")]
mod fake;
mod page;
mod plan;
mod profile;
mod wire;

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::adapter::mail::{MailServer, address_of};
use crate::adapter::{Api, Draft, Network, Outside, Plan, Profile};
use crate::model::{Account, Place, Problem, codes};

/// Mail.
pub(super) struct Email;

/// How an address is written.
const ADDRESS: &str = "write `news@acme.example`, or `Acme News <news@acme.example>`";

/// Most addresses that one account writes to. They are for lists: who writes to people one by one has a list server.
const MOST: usize = 20;

/// An account's own settings.
#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// Who writes: `news@acme.example`, or `Acme News <news@acme.example>`.
    from: String,
    /// Who gets it: the address of a mailing list, or several. Each gets a mail of its own, one after the other.
    to: OneOrMany,
    /// Who gets answers. Who writes, when absent.
    #[serde(default)]
    reply_to: Option<String>,
    /// Who signs in to the server, with the secret `password`. Without it nobody signs in.
    #[serde(default)]
    user: Option<String>,
    /// Where readers leave the list: an `https:` address, a `mailto:` address, or both.
    unsubscribe: OneOrMany,
    /// Whether a mail provider may take a reader off the list by itself, with a POST to the `https:` address of
    /// `unsubscribe` (RFC 8058); `true` when absent.
    #[serde(default = "yes")]
    one_click: bool,
    /// The list's name for ever, such as `news.acme.example` (RFC 2919). Servers of mailing lists write their own.
    #[serde(default)]
    list_id: Option<String>,
    /// Plain text below every mail, such as who publishes it.
    #[serde(default)]
    footer: Option<String>,
}

fn yes() -> bool {
    true
}

/// One, or several.
#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    fn all(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

impl Settings {
    /// Who gets a mail, in the order in which it goes out.
    fn recipients(account: &Account) -> Vec<String> {
        let to = account.settings.get("to").cloned().unwrap_or_default();
        serde_json::from_value::<OneOrMany>(to).map(|to| to.all().to_vec()).unwrap_or_default()
    }

    /// What is wrong: key, what, and how to mend it.
    fn problems(&self) -> Vec<(&'static str, String, &'static str)> {
        let mut problems = Vec::new();
        let mut wrong = |key, what: String, help| problems.push((key, what, help));
        if let Err(why) = address_of(&self.from) {
            wrong("from", why, ADDRESS);
        }
        if let Some(Err(why)) = self.reply_to.as_deref().map(address_of) {
            wrong("reply_to", why, ADDRESS);
        }
        let mut seen = BTreeSet::new();
        for to in self.to.all() {
            match address_of(to) {
                Err(why) => wrong("to", why, ADDRESS),
                Ok(address) if !seen.insert(address.to_lowercase()) => {
                    wrong("to", format!("`{address}` is there twice"), "name each list once");
                }
                Ok(_) => {}
            }
        }
        match self.to.all().len() {
            0 => wrong("to", "there is nobody to write to".to_owned(), "name the address of a mailing list"),
            1..=MOST => {}
            many => wrong(
                "to",
                format!("{many} addresses, at most {MOST}"),
                "an account writes to lists; let the server of a mailing list send to people",
            ),
        }
        for address in self.unsubscribe.all() {
            if let Err(why) = is_way_out(address) {
                wrong("unsubscribe", why, "write `https://acme.example/leave`, or `mailto:leave@acme.example`");
            }
        }
        if self.unsubscribe.all().iter().filter(|address| address.starts_with("https:")).count() > 1 {
            let help = "keep the one that takes readers off the list; a `mailto:` address may stand beside it";
            wrong("unsubscribe", "several https addresses".to_owned(), help);
        }
        if self.unsubscribe.all().is_empty() {
            let help = "write `https://acme.example/leave`, or `mailto:leave@acme.example`";
            wrong("unsubscribe", "readers have no way to leave the list".to_owned(), help);
        }
        if self.user.as_deref().is_some_and(|user| user.trim().is_empty() || user.contains(char::is_control)) {
            wrong("user", "this is no user".to_owned(), "leave it out where nobody has to sign in");
        }
        if self.list_id.as_deref().is_some_and(|id| !is_list_id(id)) {
            wrong("list_id", "a list's id is a name with dots".to_owned(), "write `news.acme.example`");
        }
        if self.footer.as_deref().is_some_and(|footer| footer.len() > 4000) {
            wrong("footer", "a footer has at most 4000 bytes".to_owned(), "link to what is longer");
        }
        problems
    }
}

/// An address that `List-Unsubscribe` may hold.
fn is_way_out(address: &str) -> Result<(), String> {
    let shown = address.escape_debug();
    // It stands between angle brackets, in a header that cannot be longer than a line.
    if !address.is_ascii() || address.len() > 900 || address.contains(|c: char| c.is_control() || " <>,\"".contains(c))
    {
        return Err(format!("`{shown}` cannot stand in a header"));
    }
    match url::Url::parse(address) {
        Ok(url) if url.scheme() == "https" && url.has_host() => Ok(()),
        Ok(url) if url.scheme() == "mailto" => address_of(url.path()).map(drop),
        _ => Err(format!("`{shown}` is neither an https nor a mailto address")),
    }
}

/// RFC 2919, section 2: a name with dots, without the host's rules.
fn is_list_id(id: &str) -> bool {
    let good = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    id.len() <= 200 && id.contains('.') && id.split('.').all(good)
}

impl Network for Email {
    fn profile(&self) -> &'static Profile {
        &profile::PROFILE
    }

    fn also_called(&self) -> &'static [&'static str] {
        &["e-mail", "mail", "newsletter", "smtp"]
    }

    fn readme(&self) -> &'static str {
        include_str!("README.md")
    }

    fn schemes(&self) -> &'static [(&'static str, bool)] {
        // `smtp` goes over to TLS before anything is said, unless the server is this machine.
        &[("smtps", false), ("smtp", false)]
    }

    fn needs_secret(&self, account: &Account) -> bool {
        account.setting("user").is_some()
    }

    fn check_account(&self, account: &Account, problems: &mut Vec<Problem>) {
        let mut wrong = |key: &'static str, message: String, help: &str| {
            problems.push(Problem::error(codes::ACCOUNT_SETTING, Place::Key { key }, message).help(help));
        };
        match account.server.as_deref().map(MailServer::parse) {
            None => {
                wrong("server", "mail needs its `server`".to_owned(), "add `server = \"smtps://mail.acme.example\"`");
            }
            Some(Err(why)) => wrong("server", why, "write it as `smtps://mail.acme.example`"),
            Some(Ok(_)) => {}
        }
        for (key, help) in [
            ("from", "add `from = \"Acme News <news@acme.example>\"`"),
            ("to", "add `to = \"news@lists.acme.example\"`, the address of the mailing list"),
            ("unsubscribe", "add `unsubscribe = \"https://acme.example/leave\"`: where readers leave the list"),
        ] {
            if !account.settings.contains_key(key) {
                wrong(key, format!("mail needs `{key}`"), help);
            }
        }
        match account.read_settings::<Settings>() {
            Ok(settings) => {
                settings.problems().into_iter().for_each(|(key, message, help)| wrong(key, message, help));
            }
            Err(error) if problems.is_empty() => {
                problems.push(Problem::error(codes::ACCOUNT_SETTING, Place::Post, error));
            }
            Err(_) => {}
        }
    }

    fn settings_schema(&self) -> schemars::Schema {
        schemars::schema_for!(Settings)
    }

    fn check(&self, draft: &Draft<'_>, problems: &mut Vec<Problem>) {
        plan::check(draft, problems);
    }

    fn plan(&self, draft: &Draft<'_>) -> Result<Plan, Vec<Problem>> {
        plan::plan(draft)
    }

    fn connect(&self, account: &Account, outside: Outside) -> Box<dyn Api> {
        Box::new(api::Post::new(account, outside))
    }

    #[cfg(feature = "testing")]
    fn fake(&self) -> crate::adapter::suite::Starting {
        Box::pin(async { Some(Box::new(fake::FakeMail::start().await) as Box<dyn crate::adapter::suite::Fake>) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::AccountName;

    fn problems(server: Option<&str>, settings: &serde_json::Value) -> Vec<&'static str> {
        let mut account = Account::new(AccountName::new("news"), "email");
        account.server = server.map(str::to_owned);
        account.settings = settings.as_object().expect("a table").clone();
        let mut problems = Vec::new();
        Email.check_account(&account, &mut problems);
        problems.into_iter().map(|problem| if let Place::Key { key } = problem.place { key } else { "" }).collect()
    }

    #[test]
    fn who_does_not_sign_in_needs_no_password() {
        let mut account = Account::new(AccountName::new("news"), "email");
        assert!(!Email.needs_secret(&account));
        account.settings.insert("user".to_owned(), "news".into());
        assert!(Email.needs_secret(&account));
    }

    #[test]
    fn settings_are_checked() {
        let good = serde_json::json!({
            "from": "Acme News <news@acme.example>",
            "to": ["a@lists.example", "b@lists.example"],
            "unsubscribe": ["https://acme.example/leave?list=a&x=%20", "mailto:leave@acme.example?subject=leave"],
            "list_id": "news.acme.example",
            "user": "news",
            "reply_to": "team@acme.example",
            "footer": "Acme, 1 Main Street",
        });
        let server = Some("smtps://mail.acme.example");
        assert!(problems(server, &good).is_empty());
        assert_eq!(problems(None, &serde_json::json!({})), ["server", "from", "to", "unsubscribe"]);
        assert_eq!(problems(Some("https://mail.acme.example"), &good), ["server"]);
        let with = |key: &str, value: serde_json::Value| {
            let mut settings = good.clone();
            settings[key] = value;
            problems(server, &settings)
        };
        for (key, bad) in [
            ("from", serde_json::json!("nobody")),
            ("from", serde_json::json!("a@b.example\r\nBcc: c@d.example")),
            ("to", serde_json::json!([])),
            ("to", serde_json::json!(["a@b.example", "A <A@b.example>"])),
            ("to", serde_json::json!(["a@b.example", "x"])),
            ("reply_to", serde_json::json!("")),
            ("unsubscribe", serde_json::json!([])),
            ("unsubscribe", serde_json::json!("http://acme.example/leave")),
            ("unsubscribe", serde_json::json!("https://acme.example/>\r\nBcc: a@b.example")),
            ("unsubscribe", serde_json::json!("mailto:nobody")),
            ("unsubscribe", serde_json::json!(["https://acme.example/a", "https://acme.example/b"])),
            ("list_id", serde_json::json!("news")),
            ("list_id", serde_json::json!("news..example")),
            ("user", serde_json::json!(" ")),
        ] {
            assert_eq!(with(key, bad.clone()), [key], "{bad}");
        }
        assert_eq!(with("too", serde_json::json!("x")), [""]);
        let many: Vec<String> = (0..21).map(|number| format!("l{number}@b.example")).collect();
        assert_eq!(with("to", serde_json::json!(many)), ["to"]);
    }
}
