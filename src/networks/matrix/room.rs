//! Finds the homeserver and the room. Nothing here changes anything but [`Client::ready`], which joins the room.

use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::adapter::http::{Answer, Body, Request, server_url};
use crate::adapter::{Fault, Refusal};

use super::api::Client;
use super::plan::Ready;
use super::wire::{ErrorBody, RoomAnswer, WellKnown, Whoami, segment};

impl Client {
    /// Where the client-server API is, without a trailing slash. Found once, without any credential.
    pub(super) async fn base(&self) -> Result<&str, Fault> {
        self.base.get_or_try_init(|| self.discover()).await.map(String::as_str)
    }

    pub(super) async fn origin(&self) -> Result<String, Fault> {
        let base = self.base().await?;
        Ok(url::Url::parse(base).map_or_else(|_| base.to_owned(), |url| url.origin().ascii_serialization()))
    }

    /// Asks the account's server where its API is (matrix-spec v1.19, server discovery, read 2026-11-23). One that has
    /// nothing to say of it is the homeserver itself.
    async fn discover(&self) -> Result<String, Fault> {
        let server = self.server.as_deref().map(|server| server.trim_end_matches('/'));
        let server = server.ok_or_else(|| Fault::NotSent("the account has no `server`".to_owned()))?;
        let answer = self.outside.http.call(Request::get(format!("{server}/.well-known/matrix/client"))).await?;
        let wrong = |why: String| {
            Fault::refused(Refusal::Invalid, format!("{server} does not say where its homeserver is: {why}"))
        };
        match answer.status {
            200 => {}
            // It is not followed: the token goes where that leads.
            300..400 => {
                let to = answer.header("location").unwrap_or("another address");
                return Err(wrong(format!("it leads on to {to}; write the server that answers itself as `server`")));
            }
            429 | 500.. => return Err(self.refusal(&answer, false)),
            _ => return Ok(server.to_owned()),
        }
        let said: WellKnown = answer.json().map_err(wrong)?;
        let base = server_url(&said.homeserver.base_url).map_err(wrong)?;
        if server.starts_with("https:") && !base.starts_with("https:") {
            return Err(wrong(format!("`{base}` is not safe to send a token to")));
        }
        Ok(base)
    }

    /// A path of the API.
    pub(super) async fn url(&self, path: &str) -> Result<String, Fault> {
        Ok(format!("{}{path}", self.base().await?))
    }

    pub(super) async fn token(&self) -> Result<SecretString, Fault> {
        self.outside.secrets.secret("token").await
    }

    /// A repeatable call with the account's token.
    pub(super) async fn call(&self, request: Request) -> Result<Answer, Fault> {
        self.outside.http.call(request.bearer(self.token().await?)).await
    }

    pub(super) async fn get(&self, path: &str) -> Result<Answer, Fault> {
        self.call(Request::get(self.url(path).await?)).await
    }

    /// What an answer that is no success means.
    pub(super) fn refusal(&self, answer: &Answer, irreversible: bool) -> Fault {
        let own = answer.json::<ErrorBody>().ok();
        let wait = own.as_ref().and_then(|own| own.retry_after_ms);
        let code = own.as_ref().map(|own| own.errcode.clone()).unwrap_or_default();
        match answer.fault(irreversible, own.map(|own| own.told()), self.now()) {
            // Servers before v1.10 say it in the body alone.
            Fault::Refused { refusal: Refusal::RateLimited, message, retry_at: None } => {
                let wait = wait
                    .map(|wait| chrono::TimeDelta::milliseconds(i64::from(u32::try_from(wait).unwrap_or(u32::MAX))));
                Fault::Refused { refusal: Refusal::RateLimited, message, retry_at: wait.map(|wait| self.now() + wait) }
            }
            Fault::Refused { refusal: Refusal::Credentials, message, retry_at } => {
                let message = format!("{message}; the token has ended or is none: make a new one");
                Fault::Refused { refusal: Refusal::Credentials, message, retry_at }
            }
            // Some servers say 403 of a token that is none.
            Fault::Refused { message, retry_at, .. } if code == "M_UNKNOWN_TOKEN" || code == "M_MISSING_TOKEN" => {
                Fault::Refused { refusal: Refusal::Credentials, message, retry_at }
            }
            fault => fault,
        }
    }

    /// A success, read.
    pub(super) fn read<T: DeserializeOwned>(&self, answer: &Answer) -> Result<T, Fault> {
        if !answer.is_success() {
            return Err(self.refusal(answer, false));
        }
        answer.json().map_err(|why| Fault::refused(Refusal::Busy, why))
    }

    /// Whom the token is of, and of which device.
    pub(super) async fn me(&self) -> Result<Whoami, Fault> {
        let who: Whoami = self.read(&self.get("/_matrix/client/v3/account/whoami").await?)?;
        let bare = who.user_id.strip_prefix('@').is_some_and(|rest| rest.contains(':') && !rest.contains(' '));
        if bare { Ok(who) } else { Err(Fault::refused(Refusal::Busy, format!("`{}` is not a user", who.user_id))) }
    }

    /// The id of the account's room.
    pub(super) async fn room(&self) -> Result<&str, Fault> {
        self.room.get_or_try_init(|| self.find_room()).await.map(String::as_str)
    }

    async fn find_room(&self) -> Result<String, Fault> {
        let named = self.named()?;
        if !named.starts_with('#') {
            return Ok(named.to_owned());
        }
        let answer = self.get(&format!("/_matrix/client/v3/directory/room/{}", segment(named))).await?;
        if answer.status == 404 {
            return Err(Fault::refused(Refusal::Gone, format!("there is no room {named}")));
        }
        let found: RoomAnswer = self.read(&answer)?;
        let good = found.room_id.starts_with('!') && super::wire::is_room(&found.room_id);
        if good {
            Ok(found.room_id)
        } else {
            Err(Fault::refused(Refusal::Busy, format!("`{}` is not a room", found.room_id)))
        }
    }

    /// The room as the account names it.
    fn named(&self) -> Result<&str, Fault> {
        self.room_name.as_deref().ok_or_else(|| Fault::NotSent("the account has no `room`".to_owned()))
    }

    /// Whether the room is encrypted. `None`: it cannot be seen, since we are not in it.
    pub(super) async fn is_encrypted(&self, room: &str) -> Result<Option<bool>, Fault> {
        let path = format!("/_matrix/client/v3/rooms/{}/state/m.room.encryption/", segment(room));
        let answer = self.get(&path).await?;
        let code = answer.json::<ErrorBody>().map(|own| own.errcode).unwrap_or_default();
        match (answer.status, code.as_str()) {
            (200, _) => Ok(Some(true)),
            (404, "M_NOT_FOUND") => Ok(Some(false)),
            (403, "M_FORBIDDEN") => Ok(None),
            _ => Err(self.refusal(&answer, false)),
        }
    }

    /// What is sent to an encrypted room in clear would be read by servers that were not to read it.
    pub(super) fn encrypted(&self) -> Fault {
        let room = self.room_name.as_deref().unwrap_or_default();
        Fault::refused(
            Refusal::Forbidden,
            format!(
                "the room {room} is encrypted, and smm cannot encrypt: use a room without encryption (it cannot be turned off)"
            ),
        )
    }

    /// Joins the room where we are not in it yet, and makes sure that it can be written to.
    pub(super) async fn ready(&self) -> Result<Ready, Fault> {
        let device = self.me().await?.device_id;
        let room = self.room().await?;
        let mut encrypted = self.is_encrypted(room).await?;
        if encrypted.is_none() {
            self.join().await?;
            encrypted = self.is_encrypted(room).await?;
        }
        match encrypted {
            Some(false) => Ok(Ready { device }),
            Some(true) => Err(self.encrypted()),
            None => Err(Fault::refused(Refusal::Forbidden, format!("the room {room} cannot be seen"))),
        }
    }

    async fn join(&self) -> Result<(), Fault> {
        let named = self.named()?;
        let url = self.url(&format!("/_matrix/client/v3/join/{}", segment(named))).await?;
        let answer = self.call(Request::post(url).body(Body::Json(json!({})))).await?;
        match self.read::<RoomAnswer>(&answer) {
            Ok(_) => Ok(()),
            Err(Fault::Refused { refusal: Refusal::Forbidden, message, .. }) => Err(Fault::refused(
                Refusal::Forbidden,
                format!("the account is not in the room {named} and may not join it ({message}); invite it"),
            )),
            Err(fault) => Err(fault),
        }
    }
}
