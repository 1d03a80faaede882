//! A sign-in by OAuth, from the person's first step to the grant.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::browser::Browser;
use super::client::Client;
use super::device::Device;
use super::grant::Grant;
use super::loopback::Bound;
use super::server::Server;
use super::token::Tokens;
use crate::adapter::http::Http;
use crate::adapter::{ClientId, Fault, OAuth, Refusal};
use crate::model::Account;
use crate::secrets::{Chain, Owner};
use crate::time::Clock;

/// A way to agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// In a browser on this machine: the answer comes back by itself.
    Loopback,
    /// In a browser anywhere: the answer is pasted.
    Paste,
    /// On any device, with a short code (RFC 8628).
    Device,
}

/// A sign-in, once the account's authorization server is found.
pub struct SigningIn {
    setting: Setting,
    ways: Vec<Way>,
}

/// What every way of signing in works with.
#[derive(Clone)]
pub(super) struct Setting {
    pub(super) http: Http,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) server: Server,
    /// The account's server, as set; empty: none is.
    pub(super) account_server: String,
    /// What is asked for.
    pub(super) scopes: Vec<&'static str>,
    oauth: &'static OAuth,
    /// `None`: the server is asked for one.
    client: Option<Client>,
    /// The address that the browser ends at, to be pasted; `None`: one of this machine.
    paste: Option<String>,
}

impl SigningIn {
    /// Finds the authorization server and what it offers. No secret is sent.
    pub async fn begin(
        http: Http,
        account: &Account,
        oauth: &'static OAuth,
        secrets: &Chain,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Fault> {
        let server = Server::find(&http, oauth.server, account.server.as_deref(), clock.now()).await?;
        let client = match oauth.client {
            ClientId::Apps(_) => None,
            ClientId::Setting { secret } => Some(own_client(account, secret, secrets, &server).await?),
        };
        let knows = |name: &str| server.scopes.as_ref().is_none_or(|scopes| scopes.iter().any(|scope| scope == name));
        let scopes = oauth.scopes.iter().filter(|scope| scope.needed || knows(scope.name));
        let scopes = scopes.map(|scope| scope.name).collect();
        let redirect = oauth.redirect;
        let mut ways = Vec::new();
        ways.extend(redirect.loopback.map(|_| Way::Loopback));
        let paste = account.setting("redirect_uri").or(redirect.paste).map(str::to_owned);
        ways.extend((redirect.loopback.is_some() || paste.is_some()).then_some(Way::Paste));
        ways.extend(server.device.as_ref().map(|_| Way::Device));
        let account_server = account.server.clone().unwrap_or_default();
        if ways.is_empty() {
            let message = format!(
                "the account `{}` has no `redirect_uri`; set the https address that you have registered in your app",
                account.name
            );
            return Err(Fault::refused(Refusal::Invalid, message));
        }
        Ok(Self { setting: Setting { http, clock, server, account_server, scopes, oauth, client, paste }, ways })
    }

    /// The ways that this server offers, the most comfortable first.
    pub fn ways(&self) -> &[Way] {
        &self.ways
    }

    /// Begins in a browser. `listen`: on this machine, and the answer is waited for ([`Way::Loopback`]); else it is pasted
    /// ([`Way::Paste`]).
    pub async fn browser(&self, listen: bool) -> Result<Browser, Fault> {
        let redirect = self.setting.oauth.redirect;
        match (redirect.loopback, &self.setting.paste) {
            (Some(port), _) if listen => {
                let bound = Bound::take(port).await?;
                Browser::begin(self.setting.clone(), bound.url.clone(), Some(bound)).await
            }
            (_, Some(paste)) => Browser::begin(self.setting.clone(), paste.clone(), None).await,
            // The browser is sent to an address that nobody listens at, and shows it all the same.
            (Some(port), None) => {
                let url = match port {
                    0 => Bound::take(0).await?.url,
                    port => format!("http://127.0.0.1:{port}/"),
                };
                Browser::begin(self.setting.clone(), url, None).await
            }
            (None, None) => Err(Fault::refused(Refusal::Invalid, "there is no sign-in in a browser here")),
        }
    }

    /// Begins with a code for another device ([`Way::Device`]).
    pub async fn device(&self) -> Result<Device, Fault> {
        // A client has an address to come back to, whether it is used or not.
        let redirect = self.setting.oauth.redirect.paste.unwrap_or("http://127.0.0.1/");
        Device::begin(self.setting.clone(), redirect).await
    }
}

impl Setting {
    /// The client: the account's own, or one that the server gives us for this sign-in.
    pub(super) async fn client(&self, redirect: &str) -> Result<Client, Fault> {
        match (&self.client, self.oauth.client) {
            (Some(client), _) => Ok(client.clone()),
            (None, ClientId::Apps(path)) => {
                let url = format!("{}{path}", self.account_server.trim_end_matches('/'));
                let now = self.clock.now();
                Client::register(&self.http, &url, self.server.auth, redirect, &self.scopes, now).await
            }
            (None, ClientId::Setting { .. }) => Err(Fault::NotSent("the account has no `client_id`".to_owned())),
        }
    }

    /// What has come of it.
    pub(super) fn grant(&self, client: Client, tokens: Tokens, now: DateTime<Utc>) -> Grant {
        let again = self.server.long_lived.as_ref().map(|exchange| &exchange.again);
        Grant {
            refresh: if again.is_some() { Some(tokens.access.clone()) } else { tokens.refresh },
            access: tokens.access,
            access_ends: tokens.access_ends,
            refresh_ends: tokens.refresh_ends,
            scopes: tokens.scopes.unwrap_or_else(|| self.scopes.iter().map(|&scope| scope.to_owned()).collect()),
            client,
            server: self.account_server.clone(),
            token_url: again.map_or_else(|| self.server.token.clone(), |(url, _)| url.clone()),
            exchanged_by: again.map(|(_, grant_type)| (*grant_type).to_owned()),
            revoke_url: self.server.revoke.clone(),
            session: None,
            issuer: self.server.issuer.clone(),
            obtained: now,
            begun: None,
            seed: None,
        }
    }
}

/// The client that a person has made: the account's setting, and its secret where it has one.
async fn own_client(
    account: &Account,
    secret: Option<&'static str>,
    secrets: &Chain,
    server: &Server,
) -> Result<Client, Fault> {
    let Some(id) = account.setting("client_id") else {
        let message =
            format!("the account `{}` has no `client_id`; set the one of the app that you made", account.name);
        return Err(Fault::refused(Refusal::Invalid, message));
    };
    let secret = match secret {
        Some(field) => Some(secrets.of(Owner::account(account)).secret(field).await?),
        None => None,
    };
    Ok(Client { id: id.to_owned(), secret, auth: server.auth })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use secrecy::{ExposeSecret, SecretString};
    use serde_json::json;
    use url::Url;

    use super::super::fake::{Act, LIFE, Server as Fake, SetClock, Store, http};
    use super::super::revoke::revoke;
    use super::*;
    use crate::adapter::http::Request;
    use crate::adapter::{AuthServer, Endpoints, Redirect, Scope};

    const SCOPES: &[Scope] = &[
        Scope { name: "read", why: "look", needed: true },
        Scope { name: "push", why: "nothing", needed: false },
        Scope { name: "write", why: "publish", needed: true },
    ];
    const AT_SERVER: AuthServer = AuthServer::OfAccount(Endpoints {
        authorize: "/oauth/authorize",
        token: "/oauth/token",
        revoke: Some("/oauth/revoke"),
        device: None,
    });
    const BASE: OAuth = OAuth {
        field: "token",
        server: AT_SERVER,
        client: ClientId::Apps("/api/v1/apps"),
        scopes: SCOPES,
        redirect: Redirect { loopback: Some(0), paste: Some("urn:ietf:wg:oauth:2.0:oob") },
        steps: &[],
    };
    static REGISTERED: OAuth = BASE;
    static OWN_APP: OAuth = OAuth {
        client: ClientId::Setting { secret: Some("client_secret") },
        redirect: Redirect { loopback: Some(0), paste: None },
        ..BASE
    };
    const PATIENCE: Duration = Duration::from_secs(10);

    async fn begin(fake: &Fake, oauth: &'static OAuth, secrets: Store) -> Result<SigningIn, Fault> {
        let mut account = fake.account();
        account.settings.insert("client_id".to_owned(), json!("mine"));
        let secrets = Chain::of_sources(vec![Box::new(secrets)]);
        SigningIn::begin(http(), &account, oauth, &secrets, SetClock::new()).await
    }

    async fn registered(fake: &Fake) -> SigningIn {
        begin(fake, &REGISTERED, Store::new("store", true)).await.expect("begun")
    }

    /// A parameter of the address that a browser is sent to.
    fn parameter(browser: &Browser, name: &str) -> String {
        let url = Url::parse(browser.url()).expect("an address");
        url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
    }

    /// Opens an address as a browser does: status and page.
    async fn open(url: &str) -> (u16, String) {
        let answer = http().call(Request::get(url)).await.expect("it answers");
        (answer.status, String::from_utf8(answer.body).expect("text"))
    }

    fn message<T>(outcome: Result<T, Fault>) -> String {
        outcome.err().expect("refused").to_string()
    }

    #[tokio::test]
    async fn the_browser_comes_back_by_itself() {
        let fake = Fake::start().await;
        let signing = registered(&fake).await;
        assert_eq!(signing.ways(), [Way::Loopback, Way::Paste]);
        let browser = signing.browser(true).await.expect("it listens");
        let back = parameter(&browser, "redirect_uri");
        let state = parameter(&browser, "state");
        assert!(back.starts_with("http://127.0.0.1:") && back.ends_with('/'), "{back}");
        assert!(browser.url().starts_with(&format!("{}/oauth/authorize?response_type=code&client_id=given", fake.url)));
        assert_eq!(parameter(&browser, "scope"), "read push write");
        assert_eq!(parameter(&browser, "code_challenge_method"), "S256");
        let app = &fake.posted("/api/v1/apps")[0];
        assert_eq!((app["client_name"].as_str(), app["redirect_uris"].as_str()), ("smm", back.as_str()));
        assert_eq!(app["scopes"], "read push write");
        // Others are sent away, and do not end it.
        assert_eq!(open(&format!("{back}?code=c&state=guessed")).await.0, 400);
        assert_eq!(open(&format!("{back}?code=c")).await.0, 400);
        assert_eq!(open(&format!("{back}favicon.ico")).await.0, 404);
        let soon = Duration::from_millis(20);
        assert!(message(browser.wait(soon).await).contains("in time"));
        let (status, page) = open(&format!("{back}?code=the-code&state={state}")).await;
        assert!(status == 200 && page.contains("may be closed"), "{status} {page}");
        assert_eq!(open(&format!("{back}?code=another&state={state}")).await.0, 410);
        let code = browser.wait(PATIENCE).await.expect("it came back");
        assert_eq!(format!("{code:?}"), "Code(8 characters)");
        let challenge = parameter(&browser, "code_challenge");
        let grant = browser.redeem(code).await.expect("a grant");
        let sent = &fake.asked()[0];
        assert_eq!((sent["code"].as_str(), sent["redirect_uri"].as_str()), ("the-code", back.as_str()));
        assert_eq!((sent["client_id"].as_str(), sent["client_secret"].as_str()), ("given", "given-secret"));
        assert_ne!(sent["code_verifier"], challenge);
        assert_eq!(grant.access.expose_secret(), "access-1");
        assert_eq!(grant.access_ends, Some(grant.obtained + chrono::TimeDelta::seconds(LIFE)));
        assert_eq!(grant.refresh.as_ref().map(ExposeSecret::expose_secret), Some("refresh-1"));
        assert_eq!(grant.scopes, ["read", "push", "write"]);
        assert_eq!((grant.server.as_str(), grant.client.id.as_str()), (fake.url.as_str(), "given"));
        let again = Grant::read(&grant.written()).expect("it can be read");
        assert_eq!(again.written().expose_secret(), grant.written().expose_secret());
        assert!(http().call(Request::get(&back)).await.is_err(), "nobody listens any more");
    }

    #[tokio::test]
    async fn an_answer_is_pasted() {
        let fake = Fake::start().await;
        let signing = registered(&fake).await;
        let browser = signing.browser(false).await.expect("begun");
        assert_eq!(parameter(&browser, "redirect_uri"), "urn:ietf:wg:oauth:2.0:oob");
        let state = parameter(&browser, "state");
        let code = |text: &str| browser.pasted(text).map(|code| format!("{code:?}")).map_err(|fault| fault.to_string());
        let good = Ok("Code(8 characters)".to_owned());
        for text in [
            " the-code\n".to_owned(),
            format!("http://127.0.0.1:1/?code=the-code&state={state}"),
            format!("http://127.0.0.1:1/?state={state}&code=the%2Dcode#_=_"),
            format!("code=the-code&state={state}"),
        ] {
            assert_eq!(code(&text), good, "{text}");
        }
        for (text, why) in [
            ("", "nothing was pasted"),
            ("http://127.0.0.1:1/?code=the-code&state=other", "not the answer to this sign-in"),
            ("http://127.0.0.1:1/?code=the-code", "not the answer to this sign-in"),
            ("http://127.0.0.1:1/", "no code in this address"),
            ("two words", "no code in this address"),
        ] {
            let told = code(text).expect_err(text);
            assert!(told.contains(why), "{text}: {told}");
        }
        let told = code(&format!("http://x/?error=access_denied&error_description=She+said+no%1b[2J&state={state}"));
        assert_eq!(
            told,
            Err("the server refuses to sign in (access_denied: She said no[2J); nothing was granted".to_owned())
        );
        let told = code(&format!("http://x/?code=c&iss=https://evil.example&state={state}")).expect_err("another's");
        assert!(told.contains("the answer is of `https://evil.example`"), "{told}");
        let code = browser.pasted("the-code").expect("a code");
        fake.deny("invalid_grant");
        let told = message(browser.redeem(code).await);
        assert_eq!(
            told,
            "the server refuses to sign in: HTTP 400: invalid_grant: as a test wants it; begin the sign-in again"
        );
    }

    #[tokio::test]
    async fn a_server_that_names_itself_has_to() {
        let fake = Fake::start().await;
        fake.describe(json!({
            "authorization_response_iss_parameter_supported": true, "scopes_supported": ["read", "write"],
            "authorization_endpoint": format!("{}/elsewhere?tenant=1", fake.url),
        }));
        let browser = registered(&fake).await.browser(false).await.expect("begun");
        assert!(browser.url().starts_with(&format!("{}/elsewhere?tenant=1&response_type=code", fake.url)));
        assert_eq!(parameter(&browser, "scope"), "read write", "what it does not know and is not needed is left out");
        let state = parameter(&browser, "state");
        let told = message(browser.pasted(&format!("http://x/?code=c&state={state}")));
        assert!(told.contains("says that all of its answers do"), "{told}");
        browser.pasted(&format!("http://x/?code=c&state={state}&iss={}", fake.url)).expect("its own name");
        fake.describe(json!({"issuer": "http://evil.example"}));
        let told = message(begin(&fake, &REGISTERED, Store::new("store", true)).await);
        assert!(told.contains("http://evil.example"), "{told}");
    }

    #[tokio::test]
    async fn an_app_of_ones_own_signs_in_the_header() {
        let fake = Fake::start().await;
        fake.describe(json!({}));
        let secrets = Store::new("store", true);
        let told = message(begin(&fake, &OWN_APP, secrets.clone()).await);
        assert!(told.contains("client_secret"), "{told}");
        secrets.put("client_secret", "s3cret+with spaces");
        let signing = begin(&fake, &OWN_APP, secrets).await.expect("begun");
        let browser = signing.browser(false).await.expect("begun");
        assert_eq!(parameter(&browser, "client_id"), "mine");
        assert!(parameter(&browser, "redirect_uri").starts_with("http://127.0.0.1:"));
        let code = browser.pasted("c").expect("a code");
        browser.redeem(code).await.expect("a grant");
        // mine:s3cret%2Bwith+spaces
        assert_eq!(fake.asked()[0]["authorization"], "Basic bWluZTpzM2NyZXQlMkJ3aXRoK3NwYWNlcw==");
        assert_eq!(fake.posted("/api/v1/apps"), [] as [super::super::fake::Fields; 0]);
    }

    #[tokio::test]
    async fn another_device_agrees() {
        let fake = Fake::start().await;
        fake.describe(json!({"device_authorization_endpoint": format!("{}/device", fake.url)}));
        let signing = registered(&fake).await;
        assert_eq!(signing.ways(), [Way::Loopback, Way::Paste, Way::Device]);
        let device = signing.device().await.expect("a code");
        assert_eq!((device.user_code.as_str(), device.url.as_str()), ("ABCD-EFGH", "https://id.example/device"));
        for error in ["authorization_pending", "slow_down", "authorization_pending"] {
            fake.deny(error);
        }
        // What is in between is asked again as well.
        fake.next([Act::Answer(502, "<h1>Bad gateway".to_owned()), Act::Lose]);
        let grant = device.finish().await.expect("a grant");
        assert_eq!(grant.access.expose_secret(), "access-2");
        let asked = fake.asked();
        assert_eq!(asked.len(), 6);
        assert!(asked.iter().all(|form| form["device_code"] == "device-secret"));
        let device = signing.device().await.expect("a code");
        fake.deny("access_denied");
        assert!(message(device.finish().await).ends_with("; nothing was granted"));
    }

    #[tokio::test]
    async fn a_code_for_another_device_runs_out() {
        let fake = Fake::start().await;
        fake.describe(json!({"device_authorization_endpoint": format!("{}/device", fake.url)}));
        let clock = SetClock::new();
        let (account, secrets) = (fake.account(), Chain::of_sources(Vec::new()));
        let signing = SigningIn::begin(http(), &account, &REGISTERED, &secrets, Arc::clone(&clock) as Arc<dyn Clock>);
        let device = signing.await.expect("begun").device().await.expect("a code");
        clock.pass(300);
        assert_eq!(message(device.finish().await), "nobody agreed in time; begin the sign-in again");
        assert_eq!(fake.asked().len(), 0);
    }

    #[tokio::test]
    async fn a_grant_is_given_back() {
        let fake = Fake::start().await;
        let now = SetClock::new().now();
        let mut grant = fake.grant(now);
        assert_eq!(revoke(&http(), &grant, now).await, Ok(true));
        let given: Vec<String> =
            fake.posted("/oauth/revoke").into_iter().map(|mut form| form.remove("token").unwrap_or_default()).collect();
        assert_eq!(given, ["refresh-0", "access-0"]);
        fake.next([Act::Answer(400, r#"{"error": "unsupported_token_type"}"#.to_owned())]);
        assert_eq!(revoke(&http(), &grant, now).await, Ok(true));
        fake.deny("invalid_client");
        assert!(message(revoke(&http(), &grant, now).await).contains("invalid_client: as a test wants it"));
        grant.revoke_url = None;
        assert_eq!(revoke(&http(), &grant, now).await, Ok(false));
    }

    #[test]
    fn a_grant_that_cannot_be_read_shows_nothing() {
        for text in ["", "access-secret", "{\"version\": 1, \"access\": 7}", "{\"version\": \"access-secret\"}"] {
            let told = Grant::read(&SecretString::from(text)).expect_err(text);
            assert!(told.starts_with("the grant cannot be read") && !told.contains("secret"), "{told}");
        }
        let told = Grant::read(&SecretString::from("{\"version\": 2}")).expect_err("newer");
        assert!(told.contains("newer smm"), "{told}");
    }

    static LONG_LIVED: OAuth = OAuth {
        server: AuthServer::LongLived(
            Endpoints {
                authorize: "https://threads.example/oauth/authorize",
                token: "https://graph.threads.example/oauth/token",
                revoke: None,
                device: None,
            },
            crate::adapter::LongLived {
                exchange: "https://graph.threads.example/access_token",
                exchange_grant: "th_exchange_token",
                refresh: "https://graph.threads.example/refresh_access_token",
                refresh_grant: "th_refresh_token",
            },
        ),
        client: ClientId::Setting { secret: Some("client_secret") },
        redirect: Redirect { loopback: None, paste: None },
        ..BASE
    };

    #[tokio::test]
    async fn a_short_lived_token_is_exchanged_at_once() {
        let fake = Fake::start().await;
        let secrets = Store::new("store", true);
        secrets.put("client_secret", "s3cret-of-the-app");
        let told = message(begin(&fake, &LONG_LIVED, secrets.clone()).await);
        assert!(told.contains("`redirect_uri`"), "{told}");
        let mut account = fake.account();
        account.settings.insert("client_id".to_owned(), json!("mine"));
        account.settings.insert("redirect_uri".to_owned(), json!("https://acme.example/back"));
        let chain = Chain::of_sources(vec![Box::new(secrets)]);
        let clock = SetClock::new();
        let begun = SigningIn::begin(http(), &account, &LONG_LIVED, &chain, Arc::clone(&clock) as Arc<dyn Clock>).await;
        let signing = begun.expect("begun");
        assert_eq!(signing.ways(), [Way::Paste]);
        let browser = signing.browser(false).await.expect("begun");
        assert_eq!(parameter(&browser, "redirect_uri"), "https://acme.example/back");
        let state = parameter(&browser, "state");
        let code = browser.pasted(&format!("https://acme.example/back?code=c&state={state}#_")).expect("a code");
        let grant = browser.redeem(code).await.expect("a grant");
        let sent = &fake.posted("/access_token")[0];
        assert_eq!(
            (sent["grant_type"].as_str(), sent["client_secret"].as_str()),
            ("th_exchange_token", "s3cret-of-the-app")
        );
        assert_eq!(sent["access_token"], "access-1");
        assert_eq!(grant.access.expose_secret(), "longer-2");
        assert_eq!(grant.access_ends, Some(clock.now() + chrono::TimeDelta::days(60)));
        assert_eq!(grant.token_url, format!("{}/refresh_access_token", fake.url));
        let again = Grant::read(&grant.written()).expect("it can be read");
        assert_eq!(again.exchanged_by.as_deref(), Some("th_refresh_token"));
        assert!(again.info("").renewable);
    }
}
