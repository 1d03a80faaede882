//! Mail as adapters and alerts may send it. The only folder that names `lettre`.
//!
//! What an error means was read in RFC 5321 (2026-11-23): until the end of the data a mail has not been taken, whatever
//! happens (4.1.1.4), so everything before is definite. Once the last dot is on its way, only an answer tells (4.5.3.2.6
//! and RFC 1047): without one the outcome is unknown.

mod letter;
mod server;

pub use letter::{Inline, Letter, address_of};
pub use server::MailServer;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, CertificateStore, TlsParameters};
use lettre::transport::smtp::commands::{Data, Ehlo, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, MailParameter};
use lettre::transport::smtp::response::{Response, Severity};
use secrecy::ExposeSecret as _;

use self::server::Security;
use super::redact::redacted;
use super::{Fault, Refusal};

/// Bytes of a mail that are handed to the connection at once.
const CHUNK: usize = 64 * 1024;

/// How long a mail and its answer are waited for (RFC 5321, 4.5.3.2.6, 2026-11-23).
const PATIENCE: Duration = Duration::from_mins(10);

/// How long a server is waited for to say goodbye: the mail is with it by then.
const GOODBYE: Duration = Duration::from_secs(2);

/// Sends mail. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Mailer {
    timeout: Duration,
    patience: Duration,
}

/// What a server says of itself to those who sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Greeting {
    /// The largest mail that it takes, in bytes (RFC 1870). `None`: it does not say.
    pub size: Option<u64>,
}

/// How far a conversation is: what a "no" means follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Connecting, greeting, TLS.
    Greeting,
    SigningIn,
    /// Sender and recipients.
    Envelope,
    /// The mail itself, before its end.
    Data,
}

/// A connection that is signed in.
struct Session<'a> {
    connection: AsyncSmtpConnection,
    server: &'a MailServer,
    size: Option<u64>,
}

impl Mailer {
    /// With this time limit of a conversation until the mail itself, and the same for the mail and its answer.
    pub fn new(timeout: Duration) -> Self {
        Self { timeout, patience: timeout }
    }

    /// With the time for a mail and its answer that RFC 5321 wants (4.5.3.2.6): a server looks at a mail before it answers,
    /// and who does not wait for that cannot know whether it was taken.
    #[must_use]
    pub fn patient(self) -> Self {
        Self { patience: PATIENCE, ..self }
    }

    /// Signs in and goes, without sending anything.
    pub async fn greet(&self, server: &MailServer) -> Result<Greeting, Fault> {
        let work = async {
            let session = Session::open(server).await?;
            let greeting = Greeting { size: session.size };
            session.close().await;
            Ok(greeting)
        };
        tokio::time::timeout(self.timeout, work).await.unwrap_or_else(|_| Err(silent(server)))
    }

    /// Sends a mail: one attempt. Every recipient is taken, or nothing is sent. Gives what the server answered at last.
    pub async fn send(&self, server: &MailServer, letter: &Letter) -> Result<String, Fault> {
        let written = letter.written().map_err(|why| Fault::refused(Refusal::Invalid, why))?;
        let begin = async {
            let mut session = Session::open(server).await?;
            session.begin(&written).await?;
            Ok(session)
        };
        let mut session = tokio::time::timeout(self.timeout, begin).await.unwrap_or_else(|_| Err(silent(server)))?;
        // Whether the dot that ends the mail may be on its way.
        let ended = AtomicBool::new(false);
        match tokio::time::timeout(self.patience, session.send(&written, &ended)).await {
            Ok(Ok(answer)) => {
                session.close().await;
                Ok(answer)
            }
            Ok(Err(fault)) => Err(fault),
            Err(_) if ended.load(Ordering::SeqCst) => {
                Err(Fault::Unknown(format!("{}: no answer in time after the whole mail was sent", server.origin())))
            }
            Err(_) => Err(silent(server)),
        }
    }
}

fn silent(server: &MailServer) -> Fault {
    Fault::NotSent(format!("{}: no answer in time", server.origin()))
}

impl<'a> Session<'a> {
    async fn open(server: &'a MailServer) -> Result<Self, Fault> {
        let name = ClientId::default();
        let tls = || {
            TlsParameters::builder(server.host.clone())
                .certificate_store(CertificateStore::WebpkiRoots)
                .build_rustls()
                .map_err(|error| Fault::NotSent(format!("TLS cannot be set up: {error}")))
        };
        let at = |stage| move |error: Error| fault(server, stage, &error);
        let first = if server.security == Security::FromTheStart { Some(tls()?) } else { None };
        let address = (server.host.as_str(), server.port);
        let mut connection = AsyncSmtpConnection::connect_tokio1(address, None, &name, first, None)
            .await
            .map_err(at(Stage::Greeting))?;
        if server.security == Security::Starttls {
            if !connection.can_starttls() {
                connection.abort().await;
                let message = format!("{}: it offers no STARTTLS, and nothing is said in clear", server.origin());
                return Err(Fault::refused(Refusal::Forbidden, message));
            }
            connection.starttls(tls()?, &name).await.map_err(at(Stage::Greeting))?;
        }
        // The library reads no SIZE, so it is asked for again.
        let hello = connection.command(Ehlo::new(name)).await.map_err(at(Stage::Greeting))?;
        if let Some(login) = &server.login {
            let offered = connection.server_info();
            if offered.get_auth_mechanism(&[Mechanism::Plain, Mechanism::Login]).is_none() {
                connection.abort().await;
                let message = format!("{}: it offers no way to sign in (AUTH PLAIN or LOGIN)", server.origin());
                return Err(Fault::refused(Refusal::Forbidden, message));
            }
            let credentials = Credentials::new(login.user.clone(), login.password.expose_secret().to_owned());
            let signed = connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials).await;
            signed.map_err(at(Stage::SigningIn))?;
        }
        Ok(Self { connection, server, size: size(&hello) })
    }

    /// Everything before the mail itself.
    async fn begin(&mut self, written: &letter::Written) -> Result<(), Fault> {
        let length = written.bytes.len();
        if let Some(size) = self.size
            && u64::try_from(length).is_ok_and(|length| length > size)
        {
            let server = self.server.origin();
            let message =
                format!("the mail has {length} bytes, and {server} takes at most {size}; use smaller pictures");
            return Err(Fault::refused(Refusal::Invalid, message));
        }
        let parameters = if self.size.is_some() { vec![MailParameter::Size(length)] } else { Vec::new() };
        self.say(Mail::new(written.from.clone(), parameters), Stage::Envelope).await?;
        for to in &written.to {
            self.say(Rcpt::new(to.clone(), Vec::new()), Stage::Envelope).await?;
        }
        self.say(Data, Stage::Data).await
    }

    /// The mail itself, and what the server says to it.
    async fn send(&mut self, written: &letter::Written, ended: &AtomicBool) -> Result<String, Fault> {
        let mut chunks = written.bytes.chunks(CHUNK);
        let pieces = std::iter::from_fn(|| {
            let piece = chunks.next();
            // Asked for more when there is none: the dot is written next.
            ended.store(piece.is_none(), Ordering::SeqCst);
            piece
        });
        match self.connection.message_iter(pieces).await {
            Ok(answer) if answer.code().severity == Severity::PositiveCompletion => Ok(self.told(&answer)),
            Ok(answer) => {
                Err(Fault::Unknown(format!("{}: an answer out of place: {}", self.server.origin(), self.told(&answer))))
            }
            Err(error) if error.status().is_none() && ended.load(Ordering::SeqCst) => {
                let why = redacted(error.to_string(), &self.server.hidden());
                Err(Fault::Unknown(format!("{}: no answer after the whole mail was sent: {why}", self.server.origin())))
            }
            Err(error) => Err(fault(self.server, Stage::Data, &error)),
        }
    }

    async fn say(&mut self, command: impl std::fmt::Display, stage: Stage) -> Result<(), Fault> {
        match self.connection.command(command).await {
            Ok(_) => Ok(()),
            Err(error) => {
                let fault = fault(self.server, stage, &error);
                let _ = tokio::time::timeout(GOODBYE, self.connection.abort()).await;
                Err(fault)
            }
        }
    }

    fn told(&self, answer: &Response) -> String {
        redacted(format!("{} {}", answer.code(), answer.message().collect::<Vec<_>>().join(" ")), &self.server.hidden())
    }

    async fn close(mut self) {
        let _ = tokio::time::timeout(GOODBYE, self.connection.quit()).await;
    }
}

/// What `SIZE` of an answer to EHLO says; 0 and nothing are no limit (RFC 1870, section 4).
fn size(hello: &Response) -> Option<u64> {
    let mut words = hello.message().filter_map(|line| line.trim().split_once(' '));
    let (_, size) = words.find(|(word, _)| word.eq_ignore_ascii_case("SIZE"))?;
    size.trim().parse().ok().filter(|size| *size > 0)
}

/// What an error before the end of the mail means: nothing was sent.
fn fault(server: &MailServer, stage: Stage, error: &Error) -> Fault {
    let message = redacted(format!("{}: {error}", server.origin()), &server.hidden());
    let Some(status) = error.status() else { return Fault::NotSent(message) };
    let refusal = match (status.severity, stage) {
        (Severity::TransientNegativeCompletion, _) => Refusal::Busy,
        (_, Stage::SigningIn) => Refusal::Credentials,
        // "Authentication required" (RFC 4954, section 6).
        _ if u16::from(status) == 530 => Refusal::Credentials,
        // "Message size exceeds" (RFC 1870, section 6.1), of a server that had not told its limit.
        _ if u16::from(status) == 552 => Refusal::Invalid,
        // Sender and recipient are settings of the account.
        (_, Stage::Greeting | Stage::Envelope) => Refusal::Forbidden,
        (_, Stage::Data) => Refusal::Invalid,
    };
    Fault::refused(refusal, message)
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use super::super::suite::{MailFront, MailStage, MailTrouble};
    use super::*;

    fn letter() -> Letter {
        Letter {
            id: "0123".to_owned(),
            from: "News <news@acme.example>".to_owned(),
            to: vec!["a@acme.example".to_owned(), "b@acme.example".to_owned()],
            reply_to: None,
            subject: "Hi".to_owned(),
            at: "2026-12-01T09:00:00Z".parse().expect("a date"),
            headers: Vec::new(),
            text: "One\n.\n..two\n".to_owned() + &"x".repeat(200_000),
            html: None,
            pictures: Vec::new(),
        }
    }

    fn server(front: &MailFront) -> MailServer {
        MailServer::parse(front.url()).expect("a server").with_login("news", "canary-password".into())
    }

    fn mailer() -> Mailer {
        Mailer::new(Duration::from_millis(1500))
    }

    async fn front() -> MailFront {
        MailFront::serve("news", "canary-password").await
    }

    #[tokio::test]
    async fn a_mail_arrives_as_it_was_written() {
        let front = front().await;
        assert_eq!(mailer().greet(&server(&front)).await, Ok(Greeting { size: Some(10_000_000) }));
        assert!(front.mails().is_empty(), "who asks sends nothing");
        let answer = mailer().send(&server(&front), &letter()).await.expect("taken");
        assert_eq!(answer, "250 2.0.0 taken");
        let mails = front.mails();
        let [mail] = mails.as_slice() else { panic!("one mail: {mails:?}") };
        assert_eq!(
            (mail.from.as_str(), mail.to.join(" ").as_str()),
            ("news@acme.example", "a@acme.example b@acme.example")
        );
        let sent = String::from_utf8(letter().written().expect("a letter").bytes).expect("text");
        assert_eq!(mail.text.trim_end(), sent.trim_end(), "dots too");
        assert!(front.said().iter().any(|line| line.starts_with("MAIL FROM:<news@acme.example> SIZE=")));
    }

    /// One conversation for each way in which it may go wrong.
    #[tokio::test]
    async fn what_goes_wrong_before_the_end_of_the_mail_is_definite() {
        use MailStage::{Data, End, From, Goodbye, Greeting, Hello, SignIn, To};
        use MailTrouble::{Drop, Say, Silence, TakeAndDrop, TakeInSilence};
        let refused = |refusal| format!("{:?}", Some(refusal));
        let (not_sent, unknown) = ("not sent".to_owned(), "unknown".to_owned());
        let busy = refused(Refusal::Busy);
        let cases = [
            (Greeting, Say("554 5.3.2 no service"), refused(Refusal::Forbidden)),
            (Greeting, Say("421 4.3.2 too busy"), busy.clone()),
            (Greeting, Drop, not_sent.clone()),
            (Greeting, Silence, not_sent.clone()),
            (Hello, Say("nonsense"), not_sent.clone()),
            (Hello, Drop, not_sent.clone()),
            (SignIn, Say("535 5.7.8 no canary-password"), refused(Refusal::Credentials)),
            (SignIn, Say("454 4.7.0 later"), busy.clone()),
            (SignIn, Drop, not_sent.clone()),
            (From, Say("530 5.7.0 sign in first"), refused(Refusal::Credentials)),
            (From, Say("550 5.7.1 not you"), refused(Refusal::Forbidden)),
            (From, Say("552 5.3.4 too large"), refused(Refusal::Invalid)),
            (From, Say("451 4.3.0 later"), busy.clone()),
            (From, Silence, not_sent.clone()),
            (To, Say("550 5.1.1 nobody"), refused(Refusal::Forbidden)),
            (To, Say("450 4.2.1 later"), busy.clone()),
            (To, Drop, not_sent.clone()),
            (Data, Say("554 5.6.0 no"), refused(Refusal::Invalid)),
            (Data, Say("451 4.3.0 later"), busy.clone()),
            (Data, Drop, not_sent.clone()),
            (Data, Silence, not_sent.clone()),
            (End, Say("554 5.7.1 spam"), refused(Refusal::Invalid)),
            (End, Say("452 4.3.1 full"), busy.clone()),
            (End, Say("354 what?"), unknown.clone()),
            (End, Say("nonsense"), unknown.clone()),
            (End, Drop, unknown.clone()),
            (End, Silence, unknown.clone()),
            (End, TakeAndDrop, unknown.clone()),
            (End, TakeInSilence, unknown.clone()),
            (Goodbye, Say("500 no"), "taken".to_owned()),
            (Goodbye, Drop, "taken".to_owned()),
            (Goodbye, Silence, "taken".to_owned()),
        ];
        let runs = cases.into_iter().map(|(stage, trouble, expected)| async move {
            let front = front().await;
            front.trouble(stage, trouble);
            let outcome = Mailer::new(Duration::from_secs(3)).send(&server(&front), &letter()).await;
            let seen = match &outcome {
                Ok(_) => "taken".to_owned(),
                Err(Fault::NotSent(_)) => "not sent".to_owned(),
                Err(Fault::Unknown(_)) => "unknown".to_owned(),
                Err(Fault::Refused { refusal, .. }) => format!("{:?}", Some(refusal)),
            };
            assert_eq!(seen, expected, "{stage:?} {trouble:?}: {outcome:?}");
            assert!(!format!("{outcome:?}").contains("canary"), "{outcome:?}");
            let taken = matches!(trouble, TakeAndDrop | TakeInSilence) || stage == Goodbye;
            assert_eq!(front.mails().len(), usize::from(taken), "{stage:?} {trouble:?}");
        });
        // Side by side: each silence is waited for.
        let mut all = tokio::task::JoinSet::new();
        for run in runs {
            all.spawn(run);
        }
        while let Some(done) = all.join_next().await {
            done.expect("as it should be");
        }
    }

    #[tokio::test]
    async fn a_mail_that_breaks_off_was_not_sent() {
        let front = front().await;
        front.trouble(MailStage::Body, MailTrouble::Drop);
        // More than the sockets between the two hold.
        let letter = Letter { text: ("y".repeat(70) + "\n").repeat(120_000), ..letter() };
        let outcome = Mailer::new(Duration::from_secs(20)).send(&server(&front), &letter).await;
        // The limit of the fake is 10 MB, and this is less.
        assert!(matches!(outcome, Err(Fault::NotSent(_))), "{outcome:?}");
        assert!(front.mails().is_empty());
    }

    #[tokio::test]
    async fn a_mail_that_is_too_large_is_never_begun() {
        let front = front().await;
        front.limit(1000);
        let outcome = mailer().send(&server(&front), &letter()).await;
        assert!(
            matches!(&outcome, Err(Fault::Refused { refusal: Refusal::Invalid, message, .. }) if message.contains("at most 1000")),
            "{outcome:?}"
        );
        assert!(!front.said().iter().any(|line| line.starts_with("MAIL")), "{:?}", front.said());
        front.limit(0);
        mailer().send(&server(&front), &letter()).await.expect("it says no limit");
    }

    #[tokio::test]
    async fn nobody_listens() {
        let closed =
            std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
        let server = MailServer::parse(&format!("smtp://127.0.0.1:{closed}")).expect("a server");
        assert!(matches!(mailer().send(&server, &letter()).await, Err(Fault::NotSent(_))));
    }

    #[tokio::test]
    async fn nothing_is_said_in_clear_to_a_server_elsewhere() {
        let front = front().await;
        // As if it were not this very machine.
        for security in [Security::Starttls, Security::FromTheStart] {
            let server = MailServer { security, ..server(&front) };
            assert!(mailer().send(&server, &letter()).await.is_err());
        }
        let said = front.said();
        assert!(
            said.iter().all(|line| line.starts_with("EHLO")
                || line == "QUIT"
                || !line.is_ascii()
                || line.contains('\u{FFFD}')),
            "{said:?}"
        );
        assert!(!said.join("\n").contains("AUTH") && front.mails().is_empty(), "{said:?}");
    }
}
