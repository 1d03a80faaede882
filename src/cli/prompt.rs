//! Asks a person for a secret without showing it, or takes it from stdin where nobody sits at a terminal. The only file
//! that names `rpassword`. Ctrl-C ends every wait, and leaves the terminal as it was.

use std::io::{self, ErrorKind, IsTerminal, Read};
use std::pin::pin;
use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::oneshot;

use super::{Failure, output};
use crate::adapter::Login;

/// What is longer is no secret.
const LARGEST: u64 = 64 * 1024;

/// How long a terminal may take to be put back.
const BACK: Duration = Duration::from_secs(1);

/// Whether a person can be asked.
pub(super) fn is_attended() -> bool {
    io::stdin().is_terminal()
}

/// What a person types or pastes after `prompt`, without spaces around it and without showing it; without a terminal, all
/// that comes on stdin.
pub(super) async fn secret(prompt: &str) -> Result<SecretString, Failure> {
    if !is_attended() {
        return one(&on_a_thread(read_stdin).await?);
    }
    secret_or_none(prompt).await?.ok_or_else(nothing)
}

/// The same, of a person alone, who may press Enter without giving any.
pub(super) async fn secret_or_none(prompt: &str) -> Result<Option<SecretString>, Failure> {
    let prompt = prompt.to_owned();
    let text = on_a_thread(move || rpassword::prompt_password(prompt)).await?;
    if text.trim().is_empty() { Ok(None) } else { one(&text).map(Some) }
}

/// What comes on stdin, where nobody sits at a terminal: a line for each of these fields.
pub(super) async fn lines(fields: &[&str]) -> Result<Vec<SecretString>, Failure> {
    let text = on_a_thread(read_stdin).await?;
    if let [_] = fields {
        return one(&text).map(|secret| vec![secret]);
    }
    let given: Vec<SecretString> =
        text.lines().map(str::trim).filter(|line| !line.is_empty()).map(SecretString::from).collect();
    if given.is_empty() {
        return Err(nothing());
    }
    if given.len() != fields.len() {
        let (given, wanted) = (given.len(), fields.len());
        return Err(Failure::new(format!("{given} of {wanted} lines were given, and nothing was stored"))
            .hint(format!("give each in a line of its own, in this order: {}", fields.join(", "))));
    }
    Ok(given)
}

/// A secret in a text of one line.
fn one(text: &str) -> Result<SecretString, Failure> {
    match text.trim() {
        "" => Err(nothing()),
        text if text.contains('\n') => Err(Failure::new("more than one line was given, and nothing was stored")
            .hint("give the secret alone, without a name or a comment")),
        text => Ok(SecretString::from(text)),
    }
}

fn nothing() -> Failure {
    Failure::new("nothing was given, and nothing was stored").hint(if is_attended() {
        "run it again, and paste it when it is asked for"
    } else {
        "stdin is no terminal and has nothing in it: `smm login ACCOUNT --with paste < FILE`"
    })
}

/// A user's name, shown as it is typed, and a password, which is not; without a terminal, the two lines of stdin.
pub(super) async fn login() -> Result<Login, Failure> {
    let (user, password) = if is_attended() {
        output::stderr("User: ");
        let user = on_a_thread(|| {
            let mut line = String::new();
            io::stdin().read_line(&mut line).map(|_| line)
        });
        let user = user.await?;
        let password = if user.trim().is_empty() {
            String::new()
        } else {
            on_a_thread(|| rpassword::prompt_password("Password (it is not shown): ")).await?
        };
        (user, password)
    } else {
        let text = on_a_thread(read_stdin).await?;
        let (user, rest) = text.split_once('\n').unwrap_or((text.as_str(), ""));
        (user.to_owned(), rest.to_owned())
    };
    let (user, password) = (user.trim(), password.trim_end_matches(['\r', '\n']));
    if user.is_empty() || password.is_empty() || password.contains('\n') {
        let hint = if is_attended() {
            "run it again, and type both when they are asked for"
        } else {
            "stdin has two lines: `smm login ACCOUNT --with password < FILE`; for a secret that is pasted: `--with paste`"
        };
        return Err(
            Failure::new("a user's name and a password are wanted, one line each; nothing was stored").hint(hint)
        );
    }
    Ok(Login { user: user.to_owned(), password: SecretString::from(password) })
}

/// Waits for something, or until Ctrl-C.
pub(super) async fn or_cancelled<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    tokio::select! {
        biased;
        done = work => Ok(done),
        () = interrupted() => Err(cancelled()),
    }
}

fn cancelled() -> Failure {
    Failure::new("cancelled; nothing was stored").hint("run it again when you are ready")
}

async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        // Then it ends the program by itself.
        std::future::pending::<()>().await;
    }
}

/// Reads on a thread that may block: one that is still reading when the program ends is of no matter.
async fn on_a_thread(read: impl FnOnce() -> io::Result<String> + Send + 'static) -> Result<String, Failure> {
    let mut interrupted = pin!(interrupted());
    // Listening begins with the first look. Without it Ctrl-C would end the program while the terminal shows nothing of what
    // is typed, and leave it so.
    tokio::select! {
        biased;
        () = &mut interrupted => return Err(cancelled()),
        () = std::future::ready(()) => {}
    }
    let (tell, mut told) = oneshot::channel();
    std::thread::spawn(move || tell.send(read()));
    let read = tokio::select! {
        biased;
        read = &mut told => read,
        () = &mut interrupted => {
            // The thread has seen it as well, and puts the terminal back before it says so.
            let _ = tokio::time::timeout(BACK, told).await;
            return Err(cancelled());
        }
    };
    match read {
        Ok(Ok(text)) => Ok(text),
        Ok(Err(error)) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::UnexpectedEof) => Err(cancelled()),
        Ok(Err(error)) => Err(unreadable(&error)),
        Err(_) => Err(unreadable(&"the reading broke off")),
    }
}

fn unreadable(why: &dyn std::fmt::Display) -> Failure {
    Failure::new(format!("what was typed cannot be read: {why}; nothing was stored"))
        .hint("it can be given on stdin as well: `smm login ACCOUNT --with paste < FILE`")
}

fn read_stdin() -> io::Result<String> {
    let mut text = String::new();
    io::stdin().lock().take(LARGEST + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LARGEST {
        return Err(io::Error::other("it is too long for a secret"));
    }
    Ok(text)
}
