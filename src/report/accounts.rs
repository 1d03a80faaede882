//! Accounts: who they are, where their secrets come from, until when, and what is planned beyond.

use std::fmt::Write as _;

use chrono::{DateTime, Datelike as _, NaiveDateTime, SecondsFormat, Utc};
use serde::Serialize;

use super::status::{civil, duration};
use super::{HoldOffView, PauseView, printable};
use crate::adapter::{Credential, Fault, Identity, Profile, Refusal, SignIn};
use crate::ledger::AccountRecord;
use crate::model::{Account, AccountName, Grade, Health, PostId};
use crate::oauth::GrantInfo;
use crate::schedule::Beyond;

/// What `smm accounts --format json` writes. Fields are added, never renamed.
#[derive(Debug, Serialize)]
pub struct AccountList {
    /// Every account can publish, as far as was looked.
    pub ok: bool,
    /// The accounts, by name.
    pub accounts: Vec<AccountView>,
}

/// An account as programs see it. Fields are added, never renamed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AccountView {
    /// Its name in `smm.toml`.
    pub account: AccountName,
    /// The network's id.
    pub network: String,
    /// The server, where one is set.
    pub server: Option<String>,
    /// Who the ledger knows it as; `null`: nobody yet.
    pub identity: Option<IdentityView>,
    /// Where each secret is, by field. Never a value.
    pub secrets: Vec<SecretView>,
    /// What its credential may do; `null`: not known, or there are no scopes.
    pub scopes: Option<Vec<String>>,
    /// The scopes that publishing needs and that it was not granted.
    pub missing_scopes: Vec<&'static str>,
    /// When somebody has to sign in again at the latest; `null`: never, or not known.
    pub ends: Option<EndView>,
    /// It is renewed without a person; `null`: it is not one that is renewed.
    pub renewable: Option<bool>,
    /// What is planned for it after that; `null`: nothing.
    pub planned_after: Option<BeyondView>,
    /// It is paused.
    pub paused: Option<PauseView>,
    /// Nothing is sent to it for a while.
    pub held_off: Option<HoldOffView>,
    /// How many deliveries wait for credentials.
    pub waiting: usize,
    /// Who its server says that it is (`--online`); `null`: it was not asked, or did not say.
    pub online: Option<IdentityView>,
    /// The worst of [`AccountView::health`].
    pub grade: Grade,
    /// What is wrong, or will be, the worst first.
    pub health: Vec<Health>,
}

/// An identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IdentityView {
    /// What people call it.
    pub handle: String,
    /// The network's immutable id.
    pub id: String,
    /// Scheme, host and port.
    pub host: String,
}

/// Where a secret is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SecretView {
    /// The field.
    pub field: String,
    /// The source that has it; `null`: none has.
    pub source: Option<&'static str>,
    /// Where it was looked for, in order.
    pub places: Vec<String>,
    /// Why it cannot be read.
    pub error: Option<String>,
}

/// What ends, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EndView {
    /// `refresh token` or `token`.
    pub what: &'static str,
    /// When.
    pub at: DateTime<Utc>,
}

/// What is planned after an end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BeyondView {
    /// The first post after it.
    pub post: PostId,
    /// When that is due.
    pub due: DateTime<Utc>,
    /// The same, as its calendar has it.
    pub civil: NaiveDateTime,
    /// How many posts are planned after it; a series counts as one.
    pub posts: usize,
    /// How many of them are series.
    pub series: usize,
}

impl From<&Beyond> for BeyondView {
    fn from(beyond: &Beyond) -> Self {
        let Beyond { post, due, civil, posts, series } = beyond.clone();
        Self { post, due, civil, posts, series }
    }
}

/// What was found out about an account.
#[derive(Debug)]
pub struct AccountFacts<'a> {
    /// The account.
    pub account: &'a Account,
    /// Its network; `None`: it is not known.
    pub profile: Option<&'static Profile>,
    /// It cannot publish without a secret.
    pub needs_secret: bool,
    /// What the ledger knows of it.
    pub record: AccountRecord,
    /// Its secrets, with the grant of a sign-in by OAuth.
    pub secrets: Vec<SecretView>,
    /// The grant; `Err`: why it cannot be read.
    pub grant: Result<Option<GrantInfo>, String>,
    /// Everything is paused.
    pub all_paused: Option<(DateTime<Utc>, String)>,
    /// How many deliveries wait for credentials.
    pub waiting: usize,
    /// What its server said; `None`: it was not asked.
    pub asked: Option<Asked>,
}

/// What a server said of an account; `Err`: it did not, or must not be asked.
pub type Asked = Result<(Identity, Credential), Trouble>;

/// Why an account could not be asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Trouble {
    /// The network, or a secret.
    Fault(Fault),
    /// It leads to another server than the ledger knows: no credential was sent there.
    Host(String),
    /// Anything else.
    Other(String),
}

impl AccountFacts<'_> {
    /// When the credential ends for good, by what is kept of it and by what its server says.
    pub fn ends(&self) -> Option<EndView> {
        if let Ok(Some(grant)) = &self.grant {
            let what = if grant.renewable && !grant.doubtful { "refresh token" } else { "token" };
            return grant.ends().map(|at| EndView { what, at });
        }
        let said = self.asked.as_ref().and_then(|asked| asked.as_ref().ok());
        said.and_then(|(_, credential)| credential.expires).map(|at| EndView { what: "token", at })
    }

    /// As it is shown. `beyond`: what is planned after [`AccountFacts::ends`].
    pub fn view(self, beyond: Option<&Beyond>, now: DateTime<Utc>) -> AccountView {
        let said = self.asked.as_ref().and_then(|asked| asked.as_ref().ok());
        let kept = self.grant.as_ref().ok().and_then(Option::as_ref);
        let scopes = said
            .and_then(|(_, credential)| credential.scopes.clone())
            .or_else(|| kept.map(|grant| grant.scopes.clone()));
        let oauth = self.profile.into_iter().flat_map(|profile| profile.sign_in).find_map(|way| match way {
            SignIn::OAuth(oauth) => Some(*oauth),
            SignIn::Paste(_) | SignIn::Password(_) => None,
        });
        let missing_scopes: Vec<&'static str> = match (oauth, &scopes) {
            (Some(oauth), Some(scopes)) => {
                oauth.missing(scopes).into_iter().filter(|scope| scope.needed).map(|scope| scope.name).collect()
            }
            _ => Vec::new(),
        };
        let ends = self.ends();
        let mut health = self.troubles(ends.as_ref(), &missing_scopes, beyond, now);
        health.sort_by_key(|health| std::cmp::Reverse(health.grade));
        let name = self.account.name.clone();
        let pause = |(since, reason): (DateTime<Utc>, String), account| PauseView { account, since, reason };
        AccountView {
            network: self.account.network.clone(),
            server: self.account.server.clone(),
            identity: self.record.binding.as_ref().map(|known| IdentityView {
                handle: known.handle.clone(),
                id: known.uid.clone(),
                host: known.host.clone(),
            }),
            online: said.map(|(identity, _)| IdentityView {
                handle: identity.handle.clone(),
                id: identity.uid.clone(),
                host: identity.host.clone(),
            }),
            renewable: kept.map(|grant| grant.renewable),
            scopes,
            missing_scopes,
            ends,
            planned_after: beyond.map(BeyondView::from),
            paused: match (self.record.paused, self.all_paused) {
                (Some(own), _) => Some(pause(own, Some(name.clone()))),
                (None, all) => all.map(|all| pause(all, None)),
            },
            held_off: self.record.hold_off.filter(|(until, _)| *until > now).map(|(until, reason)| HoldOffView {
                account: name.clone(),
                until,
                reason,
            }),
            waiting: self.waiting,
            secrets: self.secrets,
            grade: health.iter().map(|health| health.grade).max().unwrap_or(Grade::Ok),
            health,
            account: name,
        }
    }

    fn troubles(
        &self,
        ends: Option<&EndView>,
        missing_scopes: &[&str],
        beyond: Option<&Beyond>,
        now: DateTime<Utc>,
    ) -> Vec<Health> {
        let (mut found, name) = (Vec::new(), &self.account.name);
        let sign_in = format!("sign in with `smm login {name}`");
        let Some(profile) = self.profile else {
            let message = format!("`{}` is not a network that smm knows", self.account.network);
            return vec![Health::error(message, "`smm networks` lists them")];
        };
        found.extend(self.of_secrets(profile, &sign_in));
        let kept = self.grant.as_ref().ok().and_then(Option::as_ref);
        if kept.is_some_and(|grant| grant.doubtful) {
            let message = "the answer to a renewal of its token was lost, so it may not be renewed any more";
            found.push(Health::error(message, sign_in.clone()));
        }
        if let Some(end) = ends {
            let day = day(end.at, now);
            match beyond {
                _ if end.at <= now => {
                    found.push(Health::error(format!("its {} ended {day}", end.what), sign_in.clone()));
                }
                Some(beyond) => {
                    found.push(Health::warning(format!("{} ends {day}; {}", end.what, beyond.told()), sign_in.clone()));
                }
                None => {}
            }
        }
        if !missing_scopes.is_empty() {
            let message = format!("it was not granted what publishing needs: {}", missing_scopes.join(", "));
            found.push(Health::error(message, format!("{sign_in}, and agree to all of it")));
        }
        if self.waiting > 0 {
            let message = format!("{} for credentials", many(self.waiting, "delivery waits", "deliveries wait"));
            found.push(Health::error(message, format!("{sign_in}; they go on by themselves then")));
        }
        match &self.asked {
            None => {}
            Some(Ok((identity, _))) => found.extend(self.of_identity(identity)),
            Some(Err(Trouble::Host(host))) => found.push(self.bound_elsewhere(&format!("now leads to {host}"))),
            Some(Err(Trouble::Other(why))) => found.push(Health::error(why.clone(), "mend its settings in smm.toml")),
            Some(Err(Trouble::Fault(fault))) => {
                // A secret that is missing was told before, with where it was looked for.
                let told = matches!(fault, Fault::Refused { refusal: Refusal::Secret, .. });
                if !(told && found.iter().any(|health| health.grade == Grade::Error)) {
                    found.push(of_fault(fault, &sign_in));
                }
            }
        }
        found
    }

    /// Whether one of the ways to sign in has what it needs.
    fn of_secrets(&self, profile: &Profile, sign_in: &str) -> Vec<Health> {
        let mut found = Vec::new();
        for secret in &self.secrets {
            if let Some(error) = &secret.error {
                found.push(Health::error(format!("its {} cannot be read: {error}", secret.field), sign_in));
            }
        }
        if let Err(error) = &self.grant {
            found.push(Health::error(format!("what it was granted cannot be read: {error}"), sign_in));
        }
        let has = |field: &str| self.secrets.iter().any(|secret| secret.field == field && secret.source.is_some());
        let ways = profile.sign_in;
        let granted = matches!(&self.grant, Ok(Some(_)));
        let enough = match ways {
            [] => profile.secrets.iter().all(|field| has(field.name)),
            ways => granted || ways.iter().any(|way| has(way.field())),
        };
        if !enough && self.needs_secret && found.is_empty() {
            let looked = |field: &str| {
                let places =
                    self.secrets.iter().find(|secret| secret.field == field).map(|it| it.places.join(", then "));
                format!("its {field} is not there; looked for {}", places.unwrap_or_default())
            };
            let field =
                ways.first().map_or_else(|| profile.secrets.first().map_or("", |field| field.name), |way| way.field());
            found.push(Health::error(looked(field), sign_in));
        }
        found
    }

    fn of_identity(&self, identity: &Identity) -> Option<Health> {
        let known = self.record.binding.as_ref()?;
        let same = known.network == self.account.network && known.host == identity.host && known.uid == identity.uid;
        (!same).then(|| {
            self.bound_elsewhere(&format!("now leads to {} ({}) at {}", identity.handle, identity.uid, identity.host))
        })
    }

    fn bound_elsewhere(&self, now: &str) -> Health {
        let name = &self.account.name;
        let known = self.record.binding.as_ref();
        let was = known.map_or_else(String::new, |it| format!("was {} ({}) at {}, and ", it.handle, it.uid, it.host));
        let help = format!("mend its settings; or, if that is meant, `smm resume {name} --accept-change`");
        Health::error(format!("it {was}{now}: nothing is sent to it"), help)
    }
}

fn of_fault(fault: &Fault, sign_in: &str) -> Health {
    match fault {
        Fault::Refused { refusal: Refusal::Credentials | Refusal::Secret, message, .. } => {
            Health::error(format!("its credentials were refused: {message}"), sign_in)
        }
        Fault::Refused { refusal: Refusal::Busy | Refusal::RateLimited, message, .. } => {
            Health::warning(format!("its server asks to wait: {message}"), "try again later")
        }
        Fault::Refused { message, .. } => {
            Health::error(format!("its server refuses it: {message}"), "look at the account on its network")
        }
        Fault::NotSent(message) | Fault::Unknown(message) => {
            Health::warning(format!("its server could not be asked: {message}"), "see whether it can be reached")
        }
    }
}

fn many(count: usize, one: &str, more: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { more })
}

/// A day as people say it: with its year where that is not this one.
pub fn day(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    at.format(if at.year() == now.year() { "%-d %B" } else { "%-d %B %Y" }).to_string()
}

impl AccountList {
    /// These accounts.
    pub fn new(accounts: Vec<AccountView>) -> Self {
        Self { ok: accounts.iter().all(|account| account.grade != Grade::Error), accounts }
    }

    /// For people. `mark`: how a grade is written, in colour or not.
    pub fn human(&self, now: DateTime<Utc>, mark: impl Fn(Grade) -> String) -> String {
        if self.accounts.is_empty() {
            return "there are no accounts; `smm init` writes a starter smm.toml\n".to_owned();
        }
        let mut text = String::new();
        for view in &self.accounts {
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(&view.human(now, &mark));
        }
        text
    }
}

impl AccountView {
    fn human(&self, now: DateTime<Utc>, mark: impl Fn(Grade) -> String) -> String {
        let mut text = format!("{} on {}", self.account, self.network);
        if let Some(server) = &self.server {
            let _ = write!(text, ", {server}");
        }
        let _ = writeln!(text, ": {}", mark(self.grade));
        let mut line = |what: &str, says: String| {
            let _ = writeln!(text, "  {what:<9} {}", printable(&says));
        };
        match (&self.online, &self.identity) {
            (Some(it), _) => line("who", format!("{} ({}) at {}, as its server says", it.handle, it.id, it.host)),
            (None, Some(it)) => line("who", format!("{} ({}) at {}", it.handle, it.id, it.host)),
            // Where nobody signs in there is nobody to be known.
            (None, None) if self.secrets.is_empty() => {}
            (None, None) => line("who", "not known before its first post".to_owned()),
        }
        for secret in &self.secrets {
            let field = &secret.field;
            line(
                "secret",
                match (secret.source, &secret.error) {
                    (Some(source), _) => format!("{field}, from the {source}"),
                    (None, Some(error)) => format!("{field} cannot be read: {error}"),
                    (None, None) => format!("{field} not found; looked for {}", secret.places.join(", then ")),
                },
            );
        }
        if let Some(scopes) = self.scopes.as_ref().filter(|scopes| !scopes.is_empty()) {
            line("scopes", scopes.join(" "));
        }
        if let Some(end) = &self.ends {
            let first = self.planned_after.as_ref().map_or_else(
                || "; nothing is planned after that".to_owned(),
                |it| format!("; after that `{}` comes first, due {}", it.post, civil(it.civil)),
            );
            let word = if end.at > now { "ends" } else { "ended" };
            line("ends", format!("its {} {word} {}{first}", end.what, day(end.at, now)));
        }
        if let Some(pause) = &self.paused {
            let since = pause.since.to_rfc3339_opts(SecondsFormat::Secs, true);
            let what = if pause.account.is_some() { "" } else { "with everything, " };
            line("paused", format!("{what}since {since}: {}", pause.reason));
        }
        if let Some(hold) = &self.held_off {
            let left = u64::try_from((hold.until - now).num_seconds()).unwrap_or(0);
            line("held off", format!("for {}: {}", duration(left), hold.reason));
        }
        for health in &self.health {
            // A mark in a colour is longer than it looks.
            let gap = 9_usize.saturating_sub(health.grade.as_str().len());
            let _ = writeln!(text, "  {}{:gap$} {}", mark(health.grade), "", printable(&health.message));
            if let Some(help) = &health.help {
                let _ = writeln!(text, "  {:<9} {}", "", printable(help));
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::Network;
    use crate::model::{Binding, LimitOverrides};
    use crate::networks;

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    fn now() -> DateTime<Utc> {
        utc("2026-05-01T00:00:00Z")
    }

    fn secret(source: Option<&'static str>) -> SecretView {
        SecretView { field: "token".to_owned(), source, places: vec!["SMM_FEDI_TOKEN".to_owned()], error: None }
    }

    fn facts(account: &Account) -> AccountFacts<'_> {
        AccountFacts {
            account,
            profile: networks::find(&account.network).map(Network::profile),
            needs_secret: true,
            record: AccountRecord::default(),
            secrets: vec![secret(Some("keyring"))],
            grant: Ok(None),
            all_paused: None,
            waiting: 0,
            asked: None,
        }
    }

    fn fedi() -> Account {
        Account::new(AccountName::new("fedi"), "mastodon")
    }

    fn grant(ends: &str) -> GrantInfo {
        GrantInfo {
            scopes: vec!["read".to_owned(), "write".to_owned()],
            access_ends: Some(utc("2026-05-01T02:00:00Z")),
            refresh_ends: Some(utc(ends)),
            renewable: true,
            doubtful: false,
            source: "vault",
        }
    }

    fn beyond(posts: usize, series: usize) -> Beyond {
        let due = utc("2026-05-20T09:00:00Z");
        Beyond { post: PostId::new("launch"), due, civil: due.naive_utc(), posts, series }
    }

    fn said(view: &AccountView) -> Vec<(Grade, &str)> {
        view.health.iter().map(|health| (health.grade, health.message.as_str())).collect()
    }

    #[test]
    fn an_end_before_planned_posts_is_a_warning() {
        let account = fedi();
        let facts = AccountFacts { grant: Ok(Some(grant("2026-05-14T12:00:00Z"))), ..facts(&account) };
        let view = facts.view(Some(&beyond(6, 0)), now());
        assert_eq!(said(&view), [(Grade::Warning, "refresh token ends 14 May; 6 posts are planned after that")]);
        let text = AccountList::new(vec![view]).human(now(), |grade| grade.as_str().to_owned());
        assert!(text.starts_with("fedi on mastodon: warning\n"), "{text}");
        assert!(text.contains("after that `launch` comes first, due 2026-05-20 09:00"), "{text}");
        assert!(text.contains("`smm login fedi`"), "{text}");
        assert_eq!(beyond(1, 0).told(), "1 post is planned after that");
        assert_eq!(beyond(3, 1).told(), "3 posts are planned after that, 1 of them series");
    }

    #[test]
    fn an_end_with_nothing_after_it_is_fine_and_a_past_one_is_not() {
        let account = fedi();
        let of = |ends| AccountFacts { grant: Ok(Some(grant(ends))), ..facts(&account) }.view(None, now());
        assert_eq!(said(&of("2026-05-14T12:00:00Z")), []);
        let ended = of("2025-04-30T12:00:00Z");
        assert_eq!(said(&ended), [(Grade::Error, "its refresh token ended 30 April 2025")]);
        assert!(!AccountList::new(vec![ended]).ok);
    }

    #[test]
    fn a_renewal_whose_answer_was_lost_needs_somebody() {
        let account = fedi();
        let doubtful = GrantInfo { doubtful: true, ..grant("2026-06-01T00:00:00Z") };
        let view = AccountFacts { grant: Ok(Some(doubtful)), ..facts(&account) }.view(None, now());
        assert_eq!((view.grade, view.ends.map(|end| end.what)), (Grade::Error, Some("token")));
    }

    #[test]
    fn a_missing_secret_says_where_it_was_looked_for() {
        let account = fedi();
        let view = AccountFacts { secrets: vec![secret(None)], ..facts(&account) }.view(None, now());
        assert_eq!(said(&view), [(Grade::Error, "its token is not there; looked for SMM_FEDI_TOKEN")]);
        let in_colour = view.human(now(), |grade| format!("\u{1b}[1m{}\u{1b}[0m", grade.as_str()));
        assert!(in_colour.contains("\n  \u{1b}[1merror\u{1b}[0m     its token"), "{in_colour}");
        let without = AccountFacts { secrets: vec![secret(None)], needs_secret: false, ..facts(&account) };
        assert_eq!(said(&without.view(None, now())), [], "not every account needs one");
        // A grant stands for it.
        let granted = Ok(Some(grant("2027-01-01T00:00:00Z")));
        let view = AccountFacts { secrets: vec![secret(None)], grant: granted, ..facts(&account) }.view(None, now());
        assert_eq!(said(&view), []);
        let site = Account::new(AccountName::new("site"), "feed");
        let view = AccountFacts { secrets: Vec::new(), ..facts(&site) }.view(None, now());
        assert_eq!(said(&view), [], "it needs none");
    }

    #[test]
    fn what_its_server_says_is_held_against_what_is_known() {
        let account = fedi();
        let known = Binding {
            network: "mastodon".to_owned(),
            host: "https://f.example".to_owned(),
            uid: "1".to_owned(),
            handle: "@a".to_owned(),
        };
        let record = AccountRecord { binding: Some(known), ..AccountRecord::default() };
        let identity = |uid: &str| Identity {
            uid: uid.to_owned(),
            handle: "@b".to_owned(),
            host: "https://f.example".to_owned(),
            limits: LimitOverrides::default(),
            repeat: None,
        };
        let of = |asked: Asked| {
            AccountFacts { record: record.clone(), asked: Some(asked), ..facts(&account) }.view(None, now())
        };
        assert_eq!(said(&of(Ok((identity("1"), Credential::default())))), []);
        let other = of(Ok((identity("2"), Credential::default())));
        assert!(other.grade == Grade::Error && other.health[0].message.contains("@b (2)"), "{:?}", other.health);
        assert!(other.health[0].help.as_ref().is_some_and(|help| help.contains("--accept-change")));
        let scopes = Some(vec!["read".to_owned()]);
        let narrow = of(Ok((identity("1"), Credential { scopes, expires: None })));
        assert!(narrow.missing_scopes.iter().any(|scope| scope.starts_with("write")), "{narrow:?}");
        let grade = |fault| of(Err(Trouble::Fault(fault))).grade;
        assert_eq!(grade(Fault::refused(Refusal::Credentials, "no")), Grade::Error);
        assert_eq!(grade(Fault::NotSent("no route".to_owned())), Grade::Warning);
        assert_eq!(of(Err(Trouble::Host("https://evil.example".to_owned()))).grade, Grade::Error);
        let soon = Credential { scopes: None, expires: Some(utc("2026-05-02T00:00:00Z")) };
        assert_eq!(of(Ok((identity("1"), soon))).ends.map(|end| end.what), Some("token"));
    }
}
