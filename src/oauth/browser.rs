//! Agreeing in a browser: the authorization code with PKCE (RFC 6749, RFC 7636).

use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use url::Url;
use url::form_urlencoded;

use super::client::Client;
use super::form::Form;
use super::grant::Grant;
use super::loopback::{Bound, Loopback};
use super::pkce::{Proof, random};
use super::server::Exchange;
use super::signing_in::Setting;
use super::token::{Tokens, ask, exchange, shown};
use crate::adapter::{Fault, Refusal};

/// A sign-in in a browser, waiting for its answer.
pub struct Browser {
    setting: Setting,
    client: Client,
    proof: Proof,
    redirect: String,
    url: String,
    expected: Arc<Expected>,
    loopback: Option<Loopback>,
}

/// The code that a browser brought back. Good for one try.
pub struct Code(SecretString);

/// What an address that a browser was sent to says.
pub(super) enum Heard {
    /// The answer.
    Code(Code),
    /// The answer is "no".
    Refused(Fault),
    /// It is no answer to this sign-in.
    Foreign,
}

/// What the answer to a sign-in is known by.
struct Expected {
    state: String,
    /// What the server calls itself; where it does not say, its address.
    issuer: String,
    names_itself: bool,
}

impl Browser {
    /// Begins: with the address that the browser comes back to, and whether it is listened at.
    pub(super) async fn begin(setting: Setting, redirect: String, bound: Option<Bound>) -> Result<Self, Fault> {
        let client = setting.client(&redirect).await?;
        let proof = Proof::new()?;
        let server = &setting.server;
        let expected = Arc::new(Expected {
            state: random()?,
            issuer: server.issuer.clone().unwrap_or_else(|| setting.account_server.clone()),
            names_itself: server.names_itself,
        });
        let mut url = Url::parse(&server.authorize)
            .map_err(|error| Fault::NotSent(format!("`{}` is not a URL: {error}", server.authorize)))?;
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &client.id)
            .append_pair("redirect_uri", &redirect)
            .append_pair("scope", &setting.scopes.join(" "))
            .append_pair("state", &expected.state)
            .append_pair("code_challenge", &proof.challenge)
            .append_pair("code_challenge_method", "S256");
        let loopback = bound.map(|bound| {
            let expected = Arc::clone(&expected);
            bound.listen(Arc::new(move |query: &str| expected.heard(query)))
        });
        Ok(Self { setting, client, proof, redirect, url: url.into(), expected, loopback })
    }

    /// The address to be opened. It holds no secret that is of use to anybody else.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Waits for the browser to come back, at most so long. It may be given up and called again. Without a listener nobody
    /// comes back.
    pub async fn wait(&self, patience: Duration) -> Result<Code, Fault> {
        let Some(loopback) = &self.loopback else {
            return Err(Fault::NotSent("nothing is listened at: paste what the browser shows at the end".to_owned()));
        };
        tokio::time::timeout(patience, loopback.answer()).await.unwrap_or_else(|_| {
            let message = "the browser did not come back in time; begin again, or paste the address that it ends at";
            Err(Fault::NotSent(message.to_owned()))
        })
    }

    /// What a person has pasted: the whole address that the browser was sent to, or the code alone.
    pub fn pasted(&self, text: &str) -> Result<Code, Fault> {
        let text = text.trim();
        let refused = |message: &str| Err(Fault::refused(Refusal::Invalid, message));
        if text.is_empty() {
            return refused("nothing was pasted");
        }
        let query = match text.split_once('?') {
            Some((_, query)) => Some(query.split('#').next().unwrap_or_default()),
            None if text.starts_with("code=") || text.contains("&code=") => Some(text),
            None => None,
        };
        match query.map(|query| self.expected.heard(query)) {
            Some(Heard::Code(code)) => Ok(code),
            Some(Heard::Refused(fault)) => Err(fault),
            Some(Heard::Foreign) => refused(
                "this address is not the answer to this sign-in; open the address above again, and paste where it ends",
            ),
            // Nothing says whose it is; without the proof that we hold it is worth nothing to anybody.
            None if text.contains("://") || text.contains(char::is_whitespace) => {
                refused("there is no code in this address; paste the whole of the one that the browser ends at")
            }
            None => Ok(Code(SecretString::from(text))),
        }
    }

    /// Turns the code into a grant.
    pub async fn redeem(self, code: Code) -> Result<Grant, Fault> {
        let form = Form::new()
            .field("grant_type", "authorization_code")
            .secret("code", &code.0)
            .field("redirect_uri", &self.redirect)
            .secret("code_verifier", &self.proof.verifier);
        let now = self.setting.clock.now();
        let http = &self.setting.http;
        let tokens = ask(http, &self.setting.server.token, &self.client, form, now).await;
        if let Some(loopback) = self.loopback {
            loopback.close().await;
        }
        let mut tokens = tokens.map_err(super::token::NoTokens::into_fault)?;
        if let Some(Exchange { first: (url, grant_type), .. }) = &self.setting.server.long_lived {
            let secret = self.client.secret.as_ref();
            let longer = exchange(http, (url, grant_type), &tokens.access, secret, now).await;
            let longer = longer.map_err(super::token::NoTokens::into_fault)?;
            tokens = Tokens { scopes: longer.scopes.or(tokens.scopes), ..longer };
        }
        Ok(self.setting.grant(self.client, tokens, now))
    }
}

impl Expected {
    /// Reads the query of an address that a browser was sent to.
    fn heard(&self, query: &str) -> Heard {
        let value = |name: &str| {
            let mut pairs = form_urlencoded::parse(query.as_bytes());
            pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
        };
        if value("state").as_deref() != Some(&self.state) {
            return Heard::Foreign;
        }
        // Another server's answer may have been led here (RFC 9207): its code is not for this one.
        match value("iss") {
            Some(issuer) if issuer.trim_end_matches('/') != self.issuer.trim_end_matches('/') => {
                return Heard::Refused(Fault::refused(
                    Refusal::Invalid,
                    shown(&format!("the answer is of `{issuer}`, not of `{}`; nothing was sent there", self.issuer)),
                ));
            }
            None if self.names_itself => {
                return Heard::Refused(Fault::refused(
                    Refusal::Invalid,
                    format!(
                        "the answer does not say that it is of `{}`, which says that all of its answers do",
                        self.issuer
                    ),
                ));
            }
            _ => {}
        }
        if let Some(error) = value("error") {
            let words = value("error_description").map_or_else(|| error.clone(), |said| format!("{error}: {said}"));
            let advice = if error == "access_denied" { "; nothing was granted" } else { "" };
            let message = format!("the server refuses to sign in ({}){advice}", shown(&words));
            return Heard::Refused(Fault::refused(Refusal::Credentials, message));
        }
        match value("code").filter(|code| !code.is_empty()) {
            Some(code) => Heard::Code(Code(SecretString::from(code))),
            None => Heard::Foreign,
        }
    }
}

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Code({} characters)", self.0.expose_secret().len())
    }
}
