//! Signing in with a password (matrix-spec v1.19, client authentication, legacy API, read 2026-11-23). A session is a device.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::adapter::http::{Answer, Body, Http, Request};
use crate::adapter::{Fault, Login, Refusal, Session, Sessions};
use crate::model::Account;

use super::Matrix;
use super::homeserver::{discover, is_of_token, read, refusal};
use super::wire::{LoginFlows, Tokens};

/// Where one signs in.
const LOGIN: &str = "/_matrix/client/v3/login";

/// What we call our device. People see it in the list of their sessions.
const DEVICE: &str = "smm";

/// The way of signing in that takes a password.
const PASSWORD: &str = "m.login.password";

#[async_trait]
impl Sessions for Matrix {
    /// A device that goes on keeps its transaction ids; its earlier tokens end.
    async fn open(
        &self,
        http: &Http,
        account: &Account,
        login: &Login,
        again: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<Session, Fault> {
        let base = discover(http, account.server.as_deref(), now).await?;
        let url = format!("{base}{LOGIN}");
        takes_passwords(&http.call(Request::get(url.as_str())).await?, &base, now)?;
        let mut body = json!({
            "type": PASSWORD,
            "identifier": {"type": "m.id.user", "user": login.user},
            "password": login.password.expose_secret(),
            "initial_device_display_name": DEVICE,
            "refresh_token": true,
        });
        if let Some(device) = again {
            body["device_id"] = json!(device);
        }
        let request = Request::post(url).hide(login.password.clone()).body(Body::Json(body));
        let answer = http.call(request).await?;
        if !answer.is_success() {
            return Err(match refusal(&answer, false, now) {
                Fault::Refused { refusal: Refusal::Forbidden, message, retry_at } => Fault::Refused {
                    refusal: Refusal::Credentials,
                    message: format!("{base} does not take the user's name and the password ({message})"),
                    retry_at,
                },
                fault => fault,
            });
        }
        let given: Tokens = tokens(&answer)?;
        let Some(name) = given.device_id.clone() else {
            return Err(Fault::refused(Refusal::Busy, format!("{base} does not say which device it has signed in")));
        };
        Ok(session(given, name, base, now))
    }

    async fn renew(&self, http: &Http, session: &Session, now: DateTime<Utc>) -> Result<Session, Fault> {
        let over = |why: &str| Fault::refused(Refusal::Credentials, why);
        let Some(refresh) = &session.refresh else { return Err(over("there is nothing to renew the token with")) };
        let url = format!("{}/_matrix/client/v3/refresh", session.base);
        let body = json!({"refresh_token": refresh.expose_secret()});
        let answer = http.call(Request::post(url).hide(refresh.clone()).body(Body::Json(body))).await?;
        if !answer.is_success() {
            return Err(match refusal(&answer, false, now) {
                Fault::Refused { refusal: Refusal::Forbidden | Refusal::Gone, message, .. } => over(&message),
                fault => fault,
            });
        }
        let given: Tokens = tokens(&answer)?;
        let mut new = self::session(given, session.name.clone(), session.base.clone(), now);
        // Where no other comes the one that was used stays good.
        new.refresh = new.refresh.or_else(|| Some(refresh.clone()));
        Ok(new)
    }

    async fn close(&self, http: &Http, session: &Session, now: DateTime<Utc>) -> Result<(), Fault> {
        let mut token = session.token.clone();
        for renewed in [false, true] {
            let url = format!("{}/_matrix/client/v3/logout", session.base);
            let answer = http.call(Request::post(url).bearer(token.clone()).body(Body::Json(json!({})))).await?;
            if answer.is_success() {
                return Ok(());
            }
            if !is_of_token(&answer) {
                return Err(refusal(&answer, false, now));
            }
            // The token has ended, and the device may be there still.
            if renewed || session.refresh.is_none() {
                break;
            }
            match self.renew(http, session, now).await {
                Ok(new) => token = new.token,
                Err(Fault::Refused { refusal: Refusal::Credentials, .. }) => break,
                Err(fault) => return Err(fault),
            }
        }
        Ok(())
    }
}

/// Makes sure that the server lets users sign in with a password, by its answer to what ways it has.
fn takes_passwords(answer: &Answer, base: &str, now: DateTime<Utc>) -> Result<(), Fault> {
    let ways: Vec<String> = match answer.status {
        404 | 405 => Vec::new(),
        _ => read::<LoginFlows>(answer, now)?.flows.into_iter().map(|flow| flow.kind).collect(),
    };
    if ways.iter().any(|way| way == PASSWORD) {
        return Ok(());
    }
    let offers = if ways.is_empty() { "nothing that smm knows".to_owned() } else { ways.join(", ") };
    Err(Fault::refused(
        Refusal::Invalid,
        format!(
            "{base} lets nobody sign in with a password (it offers {offers}): make an access token with a client, and paste it"
        ),
    ))
}

/// The tokens in an answer. No word of it is shown.
fn tokens<T: DeserializeOwned>(answer: &Answer) -> Result<T, Fault> {
    answer.json().map_err(|_| Fault::refused(Refusal::Busy, "the homeserver's answer holds no token"))
}

fn session(given: Tokens, name: String, base: String, now: DateTime<Utc>) -> Session {
    let ends = given.expires_in_ms.filter(|life| *life > 0).and_then(TimeDelta::try_milliseconds);
    Session {
        name,
        base,
        token: SecretString::from(given.access_token),
        ends: ends.and_then(|life| now.checked_add_signed(life)),
        refresh: given.refresh_token.filter(|token| !token.is_empty()).map(SecretString::from),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::Network;
    use crate::adapter::suite::{Fake, Front, Rule};
    use crate::networks::matrix::fake::{Homeserver, SECRET};

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).expect("a time")
    }

    fn login(password: &str) -> Login {
        Login { user: "acme".to_owned(), password: password.into() }
    }

    async fn open(fake: &Homeserver, password: &str, again: Option<&str>) -> Result<Session, Fault> {
        Matrix.open(&fake.outside().http, &fake.account(), &login(password), again, now()).await
    }

    fn front(fake: &Homeserver) -> &Front {
        fake.front().expect("it has one")
    }

    /// What the session's token is worth.
    async fn is_good(fake: &Homeserver, session: &Session) -> bool {
        let secrets = std::collections::BTreeMap::from([("token", session.token.expose_secret().to_owned())]);
        let outside = crate::adapter::suite::outside(secrets, fake.files());
        Matrix.connect(&fake.account(), outside).whoami().await.is_ok()
    }

    #[tokio::test]
    async fn a_device_is_opened_renewed_and_closed() {
        let fake = Homeserver::start().await;
        let http = fake.outside().http;
        let first = open(&fake, SECRET, None).await.expect("opened");
        assert_eq!((first.name.as_str(), first.base.as_str()), ("DEVICE1", front(&fake).url()));
        assert_eq!(first.ends, Some(now() + TimeDelta::minutes(5)));
        assert!(is_good(&fake, &first).await);
        let renewed = Matrix.renew(&http, &first, now()).await.expect("renewed");
        assert_ne!(renewed.token.expose_secret(), first.token.expose_secret());
        assert_eq!(renewed.name, first.name, "the same device");
        assert!(is_good(&fake, &renewed).await && !is_good(&fake, &first).await);
        let again = open(&fake, SECRET, Some("DEVICE1")).await.expect("opened");
        assert_eq!(again.name, "DEVICE1");
        assert!(!is_good(&fake, &renewed).await, "its earlier token has ended");
        // With a token that has ended it is renewed first, or the device would stay.
        let ended = Session { token: "syt_ended".into(), ..again.clone() };
        Matrix.close(&http, &ended, now()).await.expect("closed");
        assert!(!is_good(&fake, &again).await);
        Matrix.close(&http, &again, now()).await.expect("closed already");
        let fault = Matrix.renew(&http, &again, now()).await.map(drop).expect_err("it is over");
        assert!(matches!(fault, Fault::Refused { refusal: Refusal::Credentials, .. }), "{fault:?}");
    }

    #[tokio::test]
    async fn a_server_says_no() {
        let fake = Homeserver::start().await;
        let fault = open(&fake, "not the password", None).await.map(drop).expect_err("a wrong one");
        assert!(
            matches!(&fault, Fault::Refused { refusal: Refusal::Credentials, message, .. }
                if message.contains("M_FORBIDDEN") && !message.contains("not the password")),
            "{fault:?}"
        );
        for (status, body, told) in [
            (
                200,
                r#"{"flows": [{"type": "m.login.sso"}, {"type": "m.login.token"}]}"#,
                "it offers m.login.sso, m.login.token",
            ),
            (404, r#"{"errcode": "M_UNRECOGNIZED"}"#, "paste it"),
            (429, r#"{"errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": 2000.5}"#, "M_LIMIT_EXCEEDED"),
        ] {
            front(&fake).rule(Rule::answer(status, body).on("GET", LOGIN));
            let before = front(&fake).seen().len();
            let fault = open(&fake, SECRET, None).await.map(drop).expect_err("no password is taken");
            assert!(fault.to_string().contains(told), "{fault}");
            let after = &front(&fake).seen()[before..];
            assert!(after.iter().all(|seen| seen.method == "GET"), "the password is not sent");
        }
        // A server with tokens that do not end, and one that answers with nothing.
        front(&fake)
            .rule(Rule::answer(200, r#"{"user_id": "@a:b", "access_token": "t", "device_id": "D"}"#).on("POST", LOGIN));
        let plain = open(&fake, SECRET, None).await.expect("opened");
        assert!(plain.ends.is_none() && plain.refresh.is_none());
        front(&fake).rule(Rule::answer(200, "{}").on("POST", LOGIN));
        assert!(open(&fake, SECRET, None).await.is_err());
    }
}
