//! Tells by mail. The only file that names `lettre`.

use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MessageBuilder};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{CertificateStore, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use secrecy::{ExposeSecret as _, SecretString};
use url::{Host, Url};

use super::webhook::is_loopback;
use super::{GIVE_UP, Message, Sender};
use crate::adapter::Secrets;

/// A mail server, whose address and password are one secret.
pub(super) struct Mail {
    to: Vec<String>,
    from: String,
    secrets: Arc<dyn Secrets>,
}

impl Mail {
    pub(super) fn new(to: Vec<String>, from: String, secrets: Arc<dyn Secrets>) -> Self {
        Self { to, from, secrets }
    }

    fn letter(&self, message: &Message) -> Result<lettre::Message, String> {
        let from = mailbox(&self.from)?;
        // The same for the same alerts: who gets them twice may drop one.
        let id = format!("<{}@{}>", message.id(), from.email.domain());
        let mut letter: MessageBuilder = lettre::Message::builder()
            .from(from)
            .subject(message.subject())
            .date(SystemTime::from(message.at))
            .message_id(Some(id))
            .header(ContentType::TEXT_PLAIN);
        for (name, value) in [("Auto-Submitted", "auto-generated"), ("X-Auto-Response-Suppress", "All")] {
            let name = HeaderName::new_from_ascii_str(name);
            letter = letter.raw_header(HeaderValue::new(name, value.to_owned()));
        }
        for to in &self.to {
            letter = letter.to(mailbox(to)?);
        }
        letter.body(message.text()).map_err(|error| format!("the mail cannot be written: {error}"))
    }
}

#[async_trait]
impl Sender for Mail {
    async fn send(&self, message: &Message) -> Result<(), String> {
        let letter = self.letter(message)?;
        let secret = self.secrets.secret("url").await.map_err(|fault| fault.to_string())?;
        let server = Server::parse(secret.expose_secret())?;
        let transport = server.transport()?;
        transport.send(letter).await.map_err(|error| {
            let mut text = error.to_string();
            for secret in [&server.password, &server.user].into_iter().flatten() {
                text = text.replace(secret.expose_secret(), "[secret]");
            }
            format!("{}: {text}", server.host)
        })?;
        Ok(())
    }
}

fn mailbox(text: &str) -> Result<Mailbox, String> {
    text.parse().map_err(|error| format!("`{text}` is not a mail address: {error}"))
}

/// `smtps://user:password@host:port`, or `smtp://…`, which goes over to TLS before anything is said.
struct Server {
    host: String,
    port: u16,
    tls: Security,
    user: Option<SecretString>,
    password: Option<SecretString>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Security {
    FromTheStart,
    Starttls,
    /// On this very machine alone.
    Plain,
}

impl Server {
    fn parse(text: &str) -> Result<Self, String> {
        // The text itself is a secret.
        let url = Url::parse(text).map_err(|error| format!("its address is not a URL: {error}"))?;
        // Of a scheme that it does not know, the parser takes every host for a name.
        let host =
            url.host_str().map(|host| Host::parse(host).map_err(|_| "its address has no good host")).transpose()?;
        let host = host.ok_or("its address has no host")?;
        let (tls, port) = match url.scheme() {
            "smtps" => (Security::FromTheStart, 465),
            "smtp" if is_loopback(&host) => (Security::Plain, 25),
            "smtp" => (Security::Starttls, 587),
            _ => return Err("its address does not begin with smtps:// or smtp://".to_owned()),
        };
        let secret = |text: &str| (!text.is_empty()).then(|| SecretString::from(decoded(text)));
        Ok(Self {
            host: url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned(),
            port: url.port().unwrap_or(port),
            tls,
            user: secret(url.username()),
            password: url.password().and_then(secret),
        })
    }

    fn transport(&self) -> Result<AsyncSmtpTransport<Tokio1Executor>, String> {
        let parameters = || {
            TlsParameters::builder(self.host.clone())
                .certificate_store(CertificateStore::WebpkiRoots)
                .build_rustls()
                .map_err(|error| format!("TLS cannot be set up: {error}"))
        };
        let tls = match self.tls {
            Security::FromTheStart => Tls::Wrapper(parameters()?),
            Security::Starttls => Tls::Required(parameters()?),
            Security::Plain => Tls::None,
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&self.host)
            .port(self.port)
            .tls(tls)
            .timeout(Some(GIVE_UP));
        if let (Some(user), Some(password)) = (&self.user, &self.password) {
            let (user, password) = (user.expose_secret().to_owned(), password.expose_secret().to_owned());
            builder = builder.credentials(Credentials::new(user, password));
        }
        Ok(builder.build())
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
    use super::super::super::samples::start;
    use super::*;
    use crate::model::AccountName;
    use crate::secrets::Chain;

    fn mail(to: &[&str], from: &str) -> Mail {
        let secrets = Chain::new(|_| None, None).account(&AccountName::new("x"));
        Mail::new(to.iter().map(|to| (*to).to_owned()).collect(), from.to_owned(), secrets)
    }

    #[test]
    fn a_letter() {
        let mail = mail(&["team@acme.example", "Ann <ann@acme.example>"], "smm <smm@acme.example>");
        let letter = mail.letter(&Message::test(start())).expect("a letter");
        let text = String::from_utf8(letter.formatted()).expect("text");
        for line in [
            "Subject: smm: this is a test: alerts of smm arrive here\r\n",
            "Date: Tue, 01 Dec 2026 09:00:00 +0000\r\n",
            "Auto-Submitted: auto-generated\r\n",
            "Content-Type: text/plain; charset=utf-8\r\n",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
        assert!(text.contains("To: team@acme.example, Ann <ann@acme.example>"), "{text}");
        assert!(text.contains("@acme.example>\r\n") && text.contains("Message-ID: <"), "{text}");
        assert!(self::mail(&["nobody"], "smm@acme.example").letter(&Message::test(start())).is_err());
    }

    #[test]
    fn servers() {
        let server = Server::parse("smtps://smm%40acme.example:p%25ss@mail.acme.example").expect("a server");
        assert_eq!((server.host.as_str(), server.port, server.tls), ("mail.acme.example", 465, Security::FromTheStart));
        assert_eq!(server.user.expect("a user").expose_secret(), "smm@acme.example");
        assert_eq!(server.password.expect("a password").expose_secret(), "p%ss");
        let tls = |text: &str| Server::parse(text).map(|server| (server.tls, server.port));
        assert_eq!(tls("smtp://mail.acme.example"), Ok((Security::Starttls, 587)));
        assert_eq!(tls("smtp://127.0.0.1:1025"), Ok((Security::Plain, 1025)));
        assert_eq!(tls("smtp://localhost"), Ok((Security::Plain, 25)));
        assert_eq!(tls("smtp://[::1]:1025"), Ok((Security::Plain, 1025)));
        for bad in ["https://u:secret@mail.example", "smtps://", "u:secret@mail.example", "smtp:secret"] {
            let why = Server::parse(bad).err().unwrap_or_else(|| panic!("{bad} is refused"));
            assert!(!why.contains("secret"), "{why}");
        }
    }
}
