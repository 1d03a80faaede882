//! A mail server's address.

use std::fmt;

use secrecy::SecretString;
use url::{Host, Url};

use super::super::http::is_loopback;

/// `smtps://user:password@host:port`, or `smtp://…`, which goes over to TLS before anything is said.
#[derive(Clone)]
pub struct MailServer {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) security: Security,
    pub(super) login: Option<Login>,
}

/// Who signs in.
#[derive(Clone)]
pub(super) struct Login {
    pub(super) user: String,
    pub(super) password: SecretString,
}

/// How what is said is kept from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Security {
    FromTheStart,
    Starttls,
    /// On this very machine alone.
    Plain,
}

impl MailServer {
    /// Reads an address. It may be a secret itself, so no message holds it. Ports that are not written: 465, 587 (RFC 8314,
    /// 3.2 and 3.3, 2026-11-23), and 25 on this machine.
    pub fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|error| format!("its address is not a URL: {error}"))?;
        // Of a scheme that it does not know, the parser takes every host for a name.
        let host =
            url.host_str().map(|host| Host::parse(host).map_err(|_| "its address has no good host")).transpose()?;
        let host = host.ok_or("its address has no host")?;
        let (security, port) = match url.scheme() {
            "smtps" => (Security::FromTheStart, 465),
            "smtp" if is_loopback(&host) => (Security::Plain, 25),
            "smtp" => (Security::Starttls, 587),
            _ => return Err("its address does not begin with smtps:// or smtp://".to_owned()),
        };
        if !matches!(url.path(), "" | "/") {
            return Err("its address ends with the host or the port".to_owned());
        }
        let login = match url.password() {
            Some(password) if !url.username().is_empty() => {
                Some(Login { user: decoded(url.username()), password: SecretString::from(decoded(password)) })
            }
            _ => None,
        };
        let host = match host {
            Host::Domain(name) => name,
            Host::Ipv4(address) => address.to_string(),
            Host::Ipv6(address) => address.to_string(),
        };
        Ok(Self { host, port: url.port().unwrap_or(port), security, login })
    }

    /// The same server, signed in to.
    #[must_use]
    pub fn with_login(self, user: impl Into<String>, password: SecretString) -> Self {
        Self { login: Some(Login { user: user.into(), password }), ..self }
    }

    /// Scheme, host and port, without user and password.
    pub fn origin(&self) -> String {
        let scheme = if self.security == Security::FromTheStart { "smtps" } else { "smtp" };
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        format!("{scheme}://{host}:{}", self.port)
    }

    /// What must not be shown.
    pub(super) fn hidden(&self) -> Vec<SecretString> {
        self.login.iter().map(|login| login.password.clone()).collect()
    }
}

impl fmt::Debug for MailServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin())
    }
}

/// `%40` is `@`.
fn decoded(text: &str) -> String {
    let hex = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == b'%'
            && let (Some(high), Some(low)) = (hex(bytes.get(at + 1)), hex(bytes.get(at + 2)))
            && let Ok(byte) = u8::try_from(high * 16 + low)
        {
            decoded.push(byte);
            at += 3;
        } else {
            decoded.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn servers() {
        let server = MailServer::parse("smtps://smm%40acme.example:p%25ss@mail.acme.example").expect("a server");
        assert_eq!(
            (server.host.as_str(), server.port, server.security),
            ("mail.acme.example", 465, Security::FromTheStart)
        );
        let login = server.login.as_ref().expect("a login");
        assert_eq!((login.user.as_str(), login.password.expose_secret()), ("smm@acme.example", "p%ss"));
        assert_eq!((server.origin(), format!("{server:?}")), {
            let origin = "smtps://mail.acme.example:465".to_owned();
            (origin.clone(), origin)
        });
        let of = |text: &str| MailServer::parse(text).map(|server| (server.security, server.origin()));
        assert_eq!(of("smtp://mail.acme.example"), Ok((Security::Starttls, "smtp://mail.acme.example:587".to_owned())));
        assert_eq!(of("smtp://127.0.0.1:1025"), Ok((Security::Plain, "smtp://127.0.0.1:1025".to_owned())));
        assert_eq!(of("smtp://localhost"), Ok((Security::Plain, "smtp://localhost:25".to_owned())));
        assert_eq!(of("smtp://[::1]:1025"), Ok((Security::Plain, "smtp://[::1]:1025".to_owned())));
        for bad in
            ["https://u:secret@mail.example", "smtps://", "u:secret@mail.example", "smtp:secret", "smtps://a.b/secret"]
        {
            let why = MailServer::parse(bad).err().unwrap_or_else(|| panic!("{bad} is refused"));
            assert!(!why.contains("secret"), "{why}");
        }
    }
}
