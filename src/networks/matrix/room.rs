//! Calls with the account's token, and the look for the room. Nothing here changes anything but [`Client::ready`], which joins
//! the room.

use serde::de::DeserializeOwned;
use serde_json::json;

use crate::adapter::http::{Answer, Body, Request};
use crate::adapter::{Fault, Refusal};

use super::api::Client;
use super::homeserver::{discover, read, refusal};
use super::plan::Ready;
use super::wire::{ErrorBody, Member, RoomAnswer, Whoami, segment};

impl Client {
    /// Where the client-server API is, without a trailing slash. Found once, without any credential.
    pub(super) async fn base(&self) -> Result<&str, Fault> {
        let found =
            self.base.get_or_try_init(|| discover(&self.outside.http, self.server.as_deref(), self.now())).await;
        found.map(String::as_str)
    }

    pub(super) async fn origin(&self) -> Result<String, Fault> {
        let base = self.base().await?;
        Ok(url::Url::parse(base).map_or_else(|_| base.to_owned(), |url| url.origin().ascii_serialization()))
    }

    /// A path of the API.
    pub(super) async fn url(&self, path: &str) -> Result<String, Fault> {
        Ok(format!("{}{path}", self.base().await?))
    }

    /// A repeatable call with the account's token, which is renewed once should it have ended.
    pub(super) async fn call(&self, request: Request) -> Result<Answer, Fault> {
        let refusal = |answer: &Answer| self.refusal(answer, false);
        self.outside.call(self.base().await?, || request.clone(), refusal).await
    }

    pub(super) async fn get(&self, path: &str) -> Result<Answer, Fault> {
        self.call(Request::get(self.url(path).await?)).await
    }

    /// What an answer that is no success means.
    pub(super) fn refusal(&self, answer: &Answer, irreversible: bool) -> Fault {
        refusal(answer, irreversible, self.now())
    }

    /// A success, read.
    pub(super) fn read<T: DeserializeOwned>(&self, answer: &Answer) -> Result<T, Fault> {
        read(answer, self.now())
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

    /// Whether the user is in the room. Rooms that everybody may read have to be joined as well before they are written to.
    async fn is_inside(&self, room: &str, user: &str) -> Result<bool, Fault> {
        let path = format!("/_matrix/client/v3/rooms/{}/state/m.room.member/{}", segment(room), segment(user));
        let answer = self.get(&path).await?;
        match answer.status {
            200 => Ok(self.read::<Member>(&answer)?.membership == "join"),
            403 | 404 => Ok(false),
            _ => Err(self.refusal(&answer, false)),
        }
    }

    /// Joins the room where we are not in it yet, and makes sure that it can be written to.
    pub(super) async fn ready(&self) -> Result<Ready, Fault> {
        let me = self.me().await?;
        let room = self.room().await?;
        if !self.is_inside(room, &me.user_id).await? {
            self.join().await?;
        }
        match self.is_encrypted(room).await? {
            Some(false) => Ok(Ready { device: me.device_id }),
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
