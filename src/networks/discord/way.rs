//! The two ways in: a bot with its token, or a webhook whose address is the secret.

use secrecy::{ExposeSecret, SecretString};

use crate::adapter::http::Request;
use crate::adapter::{Fault, Refusal};

use super::Settings;
use super::profile::SERVER;
use super::wire::Snowflake;

/// How an account speaks to Discord.
#[derive(Debug, Clone)]
pub(super) enum Way {
    /// As a bot, in one channel.
    Bot {
        /// Its token.
        token: SecretString,
        /// The channel.
        channel: Snowflake,
    },
    /// By a webhook.
    Hook {
        /// Its number.
        id: Snowflake,
        /// What proves that we may.
        token: SecretString,
        /// The thread to post into.
        thread: Option<Snowflake>,
    },
}

impl Way {
    /// Tells which one a secret and settings mean.
    pub(super) fn of(secret: &SecretString, settings: &Settings) -> Result<Self, Fault> {
        let number = |value: &Option<String>| value.as_deref().and_then(Snowflake::parse);
        let no = |why: &str| Err(Fault::refused(Refusal::Secret, why));
        let text = secret.expose_secret().trim();
        if text.contains("://") {
            if settings.channel.is_some() {
                return no("the token is a webhook's address, which has its channel already: take `channel` out");
            }
            let Some((id, token)) = hook(text) else {
                return no("the token is no webhook's address: https://discord.com/api/webhooks/NUMBER/LETTERS");
            };
            return Ok(Self::Hook { id, token: SecretString::from(token), thread: number(&settings.thread) });
        }
        let Some(channel) = number(&settings.channel) else {
            return no(
                "the token is that of a bot, and the account has no `channel`: add the number of the one to post to",
            );
        };
        // People copy it with the word before it.
        let token = text.strip_prefix("Bot ").unwrap_or(text);
        let good = token.len() >= 8 && token.bytes().all(|byte| byte.is_ascii_graphic());
        if good {
            Ok(Self::Bot { token: SecretString::from(token), channel })
        } else {
            no("the token is no bot's token")
        }
    }

    /// The path of its messages.
    pub(super) fn messages(&self) -> String {
        match self {
            Self::Bot { channel, .. } => format!("/api/v10/channels/{channel}/messages"),
            Self::Hook { id, token, .. } => format!("/api/v10/webhooks/{id}/{}/messages", token.expose_secret()),
        }
    }

    /// The path where a message is made.
    pub(super) fn create(&self) -> String {
        match self {
            Self::Bot { .. } => self.messages(),
            Self::Hook { id, token, .. } => format!("/api/v10/webhooks/{id}/{}", token.expose_secret()),
        }
    }

    /// Proves to the server who it is, and hides what proves it.
    pub(super) fn signed(&self, request: Request) -> Request {
        match self {
            Self::Bot { token, .. } => {
                let header = SecretString::from(format!("Bot {}", token.expose_secret()));
                request.secret_header("authorization", header).hide(token.clone())
            }
            Self::Hook { token, .. } => request.hide(token.clone()),
        }
    }
}

/// Number and token of a webhook's address. Where it points to is not taken from it: the account's `server` says that, else
/// it must be Discord itself.
fn hook(text: &str) -> Option<(Snowflake, String)> {
    let url = url::Url::parse(text).ok()?;
    let parts: Vec<&str> = url.path_segments()?.filter(|part| !part.is_empty()).collect();
    let (id, token) = match parts.as_slice() {
        ["api", "webhooks", id, token] => (id, token),
        ["api", version, "webhooks", id, token] if version.starts_with('v') => (id, token),
        _ => return None,
    };
    let inside = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let good = token.len() >= 8 && token.bytes().all(inside);
    Some((Snowflake::parse(id)?, (*token).to_owned())).filter(|_| good)
}

/// A webhook's address leads to Discord, or the account has a `server` of its own that it leads to.
pub(super) fn leads_here(secret: &SecretString, server: Option<&str>) -> Result<(), Fault> {
    let text = secret.expose_secret().trim();
    if server.is_some() || !text.contains("://") {
        return Ok(());
    }
    let url = url::Url::parse(text).ok().filter(|url| url.scheme() == "https");
    let host = url.as_ref().and_then(url::Url::host_str).unwrap_or_default();
    let known = ["discord.com", "discordapp.com"].iter().any(|known| {
        host == *known || host.strip_suffix(known).is_some_and(|before| matches!(before, "ptb." | "canary."))
    });
    if known {
        return Ok(());
    }
    let why =
        format!("the webhook's address leads to `{host}`, not to {SERVER}; set the account's `server` if it is to");
    Err(Fault::refused(Refusal::Secret, why))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(secret: &str, settings: &Settings) -> Result<Way, Fault> {
        Way::of(&SecretString::from(secret), settings)
    }

    #[test]
    fn the_secret_tells_which_way() {
        let bot = Settings { channel: Some("20".to_owned()), ..Settings::default() };
        let hook = Settings { thread: Some("30".to_owned()), ..Settings::default() };
        let address = "https://discord.com/api/webhooks/10/abc-DEF_123";
        for address in [
            address,
            "https://canary.discord.com/api/v10/webhooks/10/abc-DEF_123/",
            " https://discordapp.com/api/webhooks/10/abc-DEF_123?wait=true\n",
        ] {
            let way = way(address, &hook).expect("a webhook");
            assert_eq!(way.create(), "/api/v10/webhooks/10/abc-DEF_123");
            assert!(!format!("{way:?}").contains("DEF"), "{way:?}");
            assert!(leads_here(&SecretString::from(address), None).is_ok());
        }
        for token in ["MTA.token.of-27", "Bot MTA.token.of-27"] {
            assert_eq!(way(token, &bot).expect("a bot").create(), "/api/v10/channels/20/messages");
        }
        assert!(way(address, &bot).is_err(), "two channels");
        assert!(way("MTA.token.of-27", &hook).is_err(), "no channel");
        for odd in [
            "",
            "x",
            "a b c d e f g h",
            "https://discord.com/api/webhooks/10",
            "https://discord.com/api/webhooks/10/a%2Fb/../c",
        ] {
            assert!(way(odd, &bot).is_err() && way(odd, &Settings::default()).is_err(), "{odd}");
        }
        let elsewhere = SecretString::from("https://discord.com.evil.example/api/webhooks/10/abcdefgh");
        assert!(leads_here(&elsewhere, None).is_err());
        assert!(leads_here(&SecretString::from("http://discord.com/api/webhooks/10/abcdefgh"), None).is_err());
        assert!(leads_here(&elsewhere, Some("https://discord.com.evil.example")).is_ok());
    }
}
