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
            if let Some(password) = &server.password {
                text = text.replace(password.expose_secret(), "[secret]");
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
    user: Option<String>,
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
        Ok(Self {
            host: url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned(),
            port: url.port().unwrap_or(port),
            tls,
            user: (!url.username().is_empty()).then(|| decoded(url.username())),
            password: url.password().map(|password| SecretString::from(decoded(password))),
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
            builder = builder.credentials(Credentials::new(user.clone(), password.expose_secret().to_owned()));
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
    use std::time::Duration;

    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
    use tokio::net::TcpListener;
    use tokio::task::JoinHandle;

    use super::super::super::samples::start;
    use super::*;
    use crate::secrets::{Chain, Owner};

    fn mail(to: &[&str], from: &str) -> Mail {
        let secrets = Chain::new(|_| None, None).of(Owner::alert("x"));
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
        assert_eq!(server.user.as_deref(), Some("smm@acme.example"));
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

    /// A server that takes one mail. `trouble`: a command, and what is answered to it instead; nothing: no answer.
    async fn server(trouble: Option<(&'static str, &'static str)>) -> (u16, JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let served = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.expect("a caller");
            let (read, mut write) = stream.into_split();
            let mut lines = BufReader::new(read).lines();
            let (mut said, mut in_data) = (Vec::new(), false);
            write.write_all(b"220 mail.example ESMTP\r\n").await.expect("written");
            while let Ok(Some(line)) = lines.next_line().await {
                let command = line.split([' ', ':']).next().unwrap_or_default().to_owned();
                let answer = if in_data {
                    in_data = line != ".";
                    if in_data { None } else { Some("250 taken") }
                } else {
                    in_data = command == "DATA";
                    Some(match command.as_str() {
                        "EHLO" => "250-mail.example\r\n250-8BITMIME\r\n250 AUTH PLAIN LOGIN",
                        "AUTH" => "235 welcome",
                        "DATA" => "354 go on",
                        "QUIT" => "221 bye",
                        _ => "250 ok",
                    })
                };
                let answer = match trouble {
                    Some((at, instead)) if at == command => {
                        in_data = false;
                        Some(instead)
                    }
                    _ => answer,
                };
                said.push(line);
                if answer == Some("") {
                    std::future::pending::<()>().await;
                }
                let answer = answer.map(|answer| format!("{answer}\r\n")).unwrap_or_default();
                if write.write_all(answer.as_bytes()).await.is_err() {
                    break;
                }
            }
            said
        });
        (port, served)
    }

    fn mail_to(port: u16) -> Mail {
        let url = format!("smtp://smm:canary-password@127.0.0.1:{port}");
        let secrets =
            Chain::new(move |name| (name == "SMM_ALERT_A_URL").then(|| url.clone()), None).of(Owner::alert("a"));
        Mail { secrets, ..mail(&["team@acme.example"], "smm@acme.example") }
    }

    #[tokio::test]
    async fn a_server_takes_it() {
        let (port, served) = server(None).await;
        mail_to(port).send(&Message::test(start())).await.expect("told");
        let said = served.await.expect("it ends").join("\n");
        for line in [
            "AUTH PLAIN",
            "MAIL FROM:<smm@acme.example>",
            "RCPT TO:<team@acme.example>",
            "Auto-Submitted: auto-generated",
        ] {
            assert!(said.contains(line), "{line} is not in\n{said}");
        }
        assert!(said.contains("this is a test"), "{said}");
        assert!(!said.contains("canary"), "the password is no text");
    }

    #[tokio::test]
    async fn what_a_server_says_instead_is_told_without_the_password() {
        for (at, answer, expected) in [
            ("AUTH", "535 no such user smm with canary-password", "535"),
            ("RCPT", "450 mailbox busy", "mailbox busy"),
            ("DATA", "554 no", "554"),
            ("MAIL", "421 go away", "go away"),
        ] {
            let (port, served) = server(Some((at, answer))).await;
            let why = mail_to(port).send(&Message::test(start())).await.expect_err("refused");
            assert!(why.contains(expected) && !why.contains("canary"), "{at}: {why}");
            served.abort();
        }
        let closed =
            std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
        let why = mail_to(closed).send(&Message::test(start())).await.expect_err("nobody is there");
        assert!(!why.contains("canary") && why.starts_with("127.0.0.1: "), "{why}");
    }

    #[tokio::test]
    async fn a_server_that_says_nothing_keeps_nobody_waiting() {
        let (port, served) = server(Some(("MAIL", ""))).await;
        let mail = mail_to(port);
        let message = Message::test(start());
        let sent = tokio::time::timeout(Duration::from_millis(300), mail.send(&message)).await;
        assert!(sent.is_err(), "it waits until it is given up");
        served.abort();
    }

    #[tokio::test]
    async fn nothing_is_said_in_clear_to_a_server_elsewhere() {
        let (port, served) = server(None).await;
        let server = Server::parse(&format!("smtp://smm:canary-password@127.0.0.1:{port}")).expect("a server");
        // As if it were not this very machine.
        let server = Server { tls: Security::Starttls, ..server };
        let letter =
            mail(&["team@acme.example"], "smm@acme.example").letter(&Message::test(start())).expect("a letter");
        assert!(server.transport().expect("a transport").send(letter).await.is_err());
        let said = served.await.expect("it ends");
        assert!(said.iter().all(|line| line.starts_with("EHLO") || line == "QUIT"), "{said:?}");
    }
}
