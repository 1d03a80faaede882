//! Tells by mail.

use std::sync::Arc;

use async_trait::async_trait;
use secrecy::ExposeSecret as _;

use super::{GIVE_UP, Message, Sender};
use crate::adapter::Secrets;
use crate::adapter::mail::{Letter, MailServer, Mailer};

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

    fn letter(&self, message: &Message) -> Letter {
        Letter {
            // The same for the same alerts: who gets them twice may drop one.
            id: message.id(),
            from: self.from.clone(),
            to: self.to.clone(),
            reply_to: None,
            subject: message.subject(),
            at: message.at,
            headers: vec![
                ("Auto-Submitted", "auto-generated".to_owned()),
                ("X-Auto-Response-Suppress", "All".to_owned()),
            ],
            text: message.text(),
            html: None,
            pictures: Vec::new(),
        }
    }
}

#[async_trait]
impl Sender for Mail {
    async fn send(&self, message: &Message) -> Result<(), String> {
        let secret = self.secrets.secret("url").await.map_err(|fault| fault.to_string())?;
        let server = MailServer::parse(secret.expose_secret())?;
        Mailer::new(GIVE_UP).send(&server, &self.letter(message)).await.map_err(|fault| fault.to_string())?;
        Ok(())
    }
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

    #[tokio::test]
    async fn a_letter() {
        let (port, served) = server(None).await;
        let letter = mail(&["team@acme.example", "Ann <ann@acme.example>"], "smm <smm@acme.example>");
        Mail { secrets: mail_to(port).secrets, ..letter }.send(&Message::test(start())).await.expect("told");
        let text = served.await.expect("it ends").join("\n");
        for line in [
            "Subject: smm: this is a test: alerts of smm arrive here",
            "Date: Tue, 01 Dec 2026 09:00:00 +0000",
            "Auto-Submitted: auto-generated",
            "Content-Type: text/plain; charset=utf-8",
            "To: team@acme.example, Ann <ann@acme.example>",
            "RCPT TO:<ann@acme.example>",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
        assert!(text.contains("Message-ID: <") && text.contains("@acme.example>"), "{text}");
        assert!(self::mail(&["nobody"], "smm@acme.example").send(&Message::test(start())).await.is_err());
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
        assert!(!why.contains("canary") && why.starts_with(&format!("smtp://127.0.0.1:{closed}: ")), "{why}");
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
}
