//! A mail server in this very process: it keeps what it takes, and fails where it is told to.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// A server on a free port of this machine, without TLS. It lives as long as the value.
pub struct MailFront {
    url: String,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

struct Shared {
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    login: (String, String),
    size: u64,
    troubles: Vec<(MailStage, MailTrouble)>,
    mails: Vec<TakenMail>,
    said: Vec<String>,
}

/// A mail that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenMail {
    /// The envelope's sender.
    pub from: String,
    /// The envelope's recipients.
    pub to: Vec<String>,
    /// The mail, lines ended by CRLF, without the dots of the transport.
    pub text: String,
}

/// Where a conversation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailStage {
    /// Somebody has connected.
    Greeting,
    /// `EHLO`.
    Hello,
    /// `AUTH`.
    SignIn,
    /// `MAIL FROM`.
    From,
    /// `RCPT TO`.
    To,
    /// `DATA`.
    Data,
    /// The first line of the mail.
    Body,
    /// The dot at its end.
    End,
    /// `QUIT`.
    Goodbye,
}

/// What goes wrong there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailTrouble {
    /// This is said instead; at [`MailStage::End`] the mail is not taken.
    Say(&'static str),
    /// The connection ends.
    Drop,
    /// Nothing is said any more.
    Silence,
    /// The mail is taken, and then the connection ends.
    TakeAndDrop,
    /// The mail is taken, and then nothing is said any more.
    TakeInSilence,
}

impl MailFront {
    /// Serves those who sign in with this user and this password.
    pub async fn serve(user: &str, password: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port on this machine");
        let url = format!("smtp://{}", listener.local_addr().expect("a bound socket has an address"));
        let held = Held { login: (user.to_owned(), password.to_owned()), size: 10_000_000, ..Held::default() };
        let shared = Arc::new(Shared { held: Mutex::new(held) });
        let for_server = Arc::clone(&shared);
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&for_server);
                tokio::spawn(async move {
                    // An error is a caller who went away.
                    let _ = converse(stream, &shared).await;
                });
            }
        });
        Self { url, shared, server }
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The next conversation that gets there goes wrong.
    pub fn trouble(&self, at: MailStage, trouble: MailTrouble) {
        self.shared.held().troubles.push((at, trouble));
    }

    /// Another password from now on.
    pub fn change_password(&self, password: &str) {
        password.clone_into(&mut self.shared.held().login.1);
    }

    /// Another limit for the size of a mail; 0: it says none.
    pub fn limit(&self, size: u64) {
        self.shared.held().size = size;
    }

    /// The mails that were taken, oldest first.
    pub fn mails(&self) -> Vec<TakenMail> {
        self.shared.held().mails.clone()
    }

    /// All lines that it was told outside of mails.
    pub fn said(&self) -> Vec<String> {
        self.shared.held().said.clone()
    }
}

impl Drop for MailFront {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Shared {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What goes wrong here, once.
    fn take(&self, at: MailStage) -> Option<MailTrouble> {
        let mut held = self.held();
        let index = held.troubles.iter().position(|(stage, _)| *stage == at)?;
        Some(held.troubles.remove(index).1)
    }

    fn knows(&self, initial: &str) -> bool {
        let held = self.held();
        let expected = STANDARD.encode(format!("\0{}\0{}", held.login.0, held.login.1));
        initial == expected
    }
}

async fn converse(stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    let mut mail = TakenMail { from: String::new(), to: Vec::new(), text: String::new() };
    let mut signed_in = false;
    let mut next = Some((MailStage::Greeting, "220 mail.example ESMTP".to_owned()));
    loop {
        if let Some((stage, answer)) = next.take() {
            let answer = match shared.take(stage) {
                None => answer,
                Some(MailTrouble::Say(instead)) => instead.to_owned(),
                Some(MailTrouble::Drop | MailTrouble::TakeAndDrop) => return Ok(()),
                Some(MailTrouble::Silence | MailTrouble::TakeInSilence) => std::future::pending().await,
            };
            write.write_all(format!("{answer}\r\n").as_bytes()).await?;
            if stage == MailStage::Goodbye {
                return Ok(());
            }
            if answer.starts_with("354") {
                match body(&mut lines, shared, &mut mail).await? {
                    Some(answer) => write.write_all(format!("{answer}\r\n").as_bytes()).await?,
                    None => return Ok(()),
                }
            }
        }
        let Some(line) = lines.next_line().await? else { return Ok(()) };
        let command = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        let path = line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
        let (stage, answer) = match command.as_str() {
            "EHLO" => {
                let size = shared.held().size;
                let size = if size > 0 { format!("250-SIZE {size}\r\n") } else { String::new() };
                (MailStage::Hello, format!("250-mail.example\r\n{size}250-8BITMIME\r\n250 AUTH PLAIN LOGIN"))
            }
            "AUTH" => {
                signed_in = line.strip_prefix("AUTH PLAIN ").is_some_and(|initial| shared.knows(initial));
                let answer = if signed_in { "235 2.7.0 welcome" } else { "535 5.7.8 wrong user or password" };
                (MailStage::SignIn, answer.to_owned())
            }
            "MAIL" if !signed_in => (MailStage::From, "530 5.7.0 sign in first".to_owned()),
            "MAIL" => {
                mail = TakenMail { from: path, to: Vec::new(), text: String::new() };
                (MailStage::From, "250 ok".to_owned())
            }
            "RCPT" => {
                mail.to.push(path);
                (MailStage::To, "250 ok".to_owned())
            }
            "DATA" => (MailStage::Data, "354 go on".to_owned()),
            "QUIT" => (MailStage::Goodbye, "221 bye".to_owned()),
            _ => (MailStage::Hello, "500 what?".to_owned()),
        };
        shared.held().said.push(line);
        next = Some((stage, answer));
    }
}

/// Reads a mail to its end. `None`: the connection ends.
async fn body(
    lines: &mut tokio::io::Lines<BufReader<tokio::net::tcp::OwnedReadHalf>>,
    shared: &Shared,
    mail: &mut TakenMail,
) -> std::io::Result<Option<String>> {
    match shared.take(MailStage::Body) {
        Some(MailTrouble::Silence) => std::future::pending().await,
        Some(_) => {
            lines.next_line().await?;
            return Ok(None);
        }
        None => {}
    }
    loop {
        let Some(line) = lines.next_line().await? else { return Ok(None) };
        if line == "." {
            break;
        }
        mail.text.push_str(line.strip_prefix('.').unwrap_or(&line));
        mail.text.push_str("\r\n");
    }
    let trouble = shared.take(MailStage::End);
    let taken = matches!(trouble, None | Some(MailTrouble::TakeAndDrop | MailTrouble::TakeInSilence));
    if taken {
        shared.held().mails.push(mail.clone());
    }
    match trouble {
        None => Ok(Some("250 2.0.0 taken".to_owned())),
        Some(MailTrouble::Say(instead)) => Ok(Some(instead.to_owned())),
        Some(MailTrouble::Drop | MailTrouble::TakeAndDrop) => Ok(None),
        Some(MailTrouble::Silence | MailTrouble::TakeInSilence) => std::future::pending().await,
    }
}
