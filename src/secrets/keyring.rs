//! The system's keyring: Secret Service (GNOME Keyring, KWallet, KeePassXC), macOS's Keychain, Windows' Credential
//! Manager.
//!
//! A keyring may hang, and one that is locked waits for a person. It is therefore asked on a thread of its own (it also
//! runs an executor inside, which may not stand inside another), given up on after [`PATIENCE`], and not asked again
//! until that question has come to an end. The thread starts with the first question.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use ::keyring::{Entry, Error};
use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::oneshot;

use super::{Owner, Source};

/// The service that all entries are under.
const SERVICE: &str = "smm";

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(3);

/// What to do when the keyring is of no use.
const WAYS: &str = "unlock it and try again, or keep secrets in the vault (set SMM_VAULT_KEY, or the systemd credential \
                    smm-vault-key), or give the secret in the environment; SMM_KEYRING=off leaves the keyring alone";

/// A store of secrets by name, as the system gives it. It may block for ever.
trait Ring: Send + Sync {
    fn get(&self, user: &str) -> Result<Option<SecretString>, Trouble>;
    fn set(&self, user: &str, secret: &SecretString) -> Result<(), Trouble>;
    /// `false`: there was none.
    fn delete(&self, user: &str) -> Result<bool, Trouble>;
}

/// Why there is no answer.
#[derive(Debug, Clone)]
enum Trouble {
    /// There is no keyring for this process.
    Absent(String),
    /// There is one, and it does not do it.
    Failed(String),
}

/// The keyring of this system and user.
struct System;

impl System {
    fn entry(user: &str) -> Result<Entry, Trouble> {
        if let Err(error) = Entry::store_status() {
            return Err(Trouble::Absent(error.to_string()));
        }
        Entry::new(SERVICE, user).map_err(|error| trouble(&error))
    }
}

impl Ring for System {
    fn get(&self, user: &str) -> Result<Option<SecretString>, Trouble> {
        match Self::entry(user)?.get_password() {
            Ok(text) => Ok(Some(SecretString::from(text))),
            Err(Error::NoEntry) => Ok(None),
            Err(error) => Err(trouble(&error)),
        }
    }

    fn set(&self, user: &str, secret: &SecretString) -> Result<(), Trouble> {
        Self::entry(user)?.set_password(secret.expose_secret()).map_err(|error| trouble(&error))
    }

    fn delete(&self, user: &str) -> Result<bool, Trouble> {
        match Self::entry(user)?.delete_credential() {
            Ok(()) => Ok(true),
            Err(Error::NoEntry) => Ok(false),
            Err(error) => Err(trouble(&error)),
        }
    }
}

/// An error of the crate in words. Some of its errors hold what the keyring gave: that is never shown.
fn trouble(error: &Error) -> Trouble {
    match error {
        Error::NoDefaultStore => Trouble::Absent("there is none".to_owned()),
        Error::NoStorageAccess(why) => {
            Trouble::Failed(format!("the keyring is locked, or gives no access ({why}); {WAYS}"))
        }
        Error::BadEncoding(_) | Error::BadDataFormat(..) => {
            Trouble::Failed("what the keyring has is no text".to_owned())
        }
        Error::Ambiguous(entries) => {
            Trouble::Failed(format!("the keyring has {} entries of this name; remove all but one", entries.len()))
        }
        Error::TooLong(what, most) => {
            Trouble::Failed(format!("the keyring takes no {what} of more than {most} characters; {WAYS}"))
        }
        error => Trouble::Failed(format!("the keyring failed ({error}); {WAYS}")),
    }
}

/// A question.
enum Ask {
    Get,
    Set(SecretString),
    Delete,
}

/// An answer: what was found, for [`Ask::Get`]; whether there was one, for [`Ask::Delete`].
struct Answer {
    found: Option<SecretString>,
    was_there: bool,
}

type Answered = Result<Answer, Trouble>;

struct Job {
    user: String,
    ask: Ask,
    answer: oneshot::Sender<Answered>,
}

/// Where questions are put.
struct Desk {
    ring: Arc<dyn Ring>,
    jobs: Mutex<Option<Sender<Job>>>,
    /// A question has been given up on, and has not come to its end.
    stuck: Arc<AtomicBool>,
    /// Why there is no keyring, once that has been seen.
    absent: Mutex<Option<String>>,
}

impl Desk {
    fn new(ring: Arc<dyn Ring>) -> Self {
        Self { ring, jobs: Mutex::default(), stuck: Arc::default(), absent: Mutex::default() }
    }

    async fn ask(&self, user: String, ask: Ask) -> Answered {
        if self.stuck.load(Ordering::Acquire) {
            return Err(given_up());
        }
        let (answer, mut answered) = oneshot::channel();
        self.put(Job { user, ask, answer })?;
        let outcome = if let Ok(outcome) = tokio::time::timeout(PATIENCE, &mut answered).await {
            outcome.ok()
        } else {
            self.stuck.store(true, Ordering::Release);
            answered.close();
            // It may have come in the meantime: the thread has then seen no reason to take the mark away.
            let Ok(late) = answered.try_recv() else {
                tracing::warn!("the keyring did not answer within {} s, and is left alone", PATIENCE.as_secs());
                return Err(given_up());
            };
            self.stuck.store(false, Ordering::Release);
            Some(late)
        };
        let outcome = outcome.unwrap_or_else(|| Err(Trouble::Failed(format!("the keyring broke off; {WAYS}"))));
        if let Err(Trouble::Absent(why)) = &outcome {
            tracing::debug!("there is no keyring: {why}");
            *self.absent.lock().unwrap_or_else(PoisonError::into_inner) = Some(why.clone());
        }
        outcome
    }

    /// Hands a question to the thread, which is started for the first.
    fn put(&self, job: Job) -> Result<(), Trouble> {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let sender = match &*jobs {
            Some(sender) => sender,
            None => jobs.insert(self.start()?),
        };
        sender.send(job).map_err(|_| Trouble::Failed(format!("the keyring broke off before; {WAYS}")))
    }

    /// Starts the thread. Nobody waits for its end: it may never come.
    fn start(&self) -> Result<Sender<Job>, Trouble> {
        let (sender, jobs) = mpsc::channel::<Job>();
        let (ring, stuck) = (Arc::clone(&self.ring), Arc::clone(&self.stuck));
        let work = move || {
            for job in jobs {
                if !job.answer.is_closed() {
                    let answer = answer(&*ring, &job);
                    let _ = job.answer.send(answer);
                }
                stuck.store(false, Ordering::Release);
            }
        };
        std::thread::Builder::new()
            .name("keyring".to_owned())
            .spawn(work)
            .map_err(|error| Trouble::Failed(format!("the keyring cannot be asked: {error}")))?;
        Ok(sender)
    }
}

/// Does what is asked. A secret that is stored too late is taken back: it was kept elsewhere in the meantime, or the user
/// was told that it was not kept.
fn answer(ring: &dyn Ring, job: &Job) -> Answered {
    let nothing = Answer { found: None, was_there: false };
    match &job.ask {
        Ask::Get => Ok(Answer { found: ring.get(&job.user)?, ..nothing }),
        Ask::Delete => Ok(Answer { was_there: ring.delete(&job.user)?, ..nothing }),
        Ask::Set(secret) => {
            let before = ring.get(&job.user)?;
            if job.answer.is_closed() {
                return Ok(nothing);
            }
            ring.set(&job.user, secret)?;
            if job.answer.is_closed() {
                match before {
                    Some(before) => ring.set(&job.user, &before)?,
                    None => drop(ring.delete(&job.user)?),
                }
            }
            Ok(nothing)
        }
    }
}

fn given_up() -> Trouble {
    Trouble::Failed(format!(
        "the keyring did not answer within {} s: it hangs, or it is locked and waits for a person; {WAYS}",
        PATIENCE.as_secs()
    ))
}

/// The one of this process: what was seen of the keyring holds for all of it.
static DESK: LazyLock<Arc<Desk>> = LazyLock::new(|| Arc::new(Desk::new(Arc::new(System))));

/// The keyring, as a source of secrets.
pub(super) struct Keyring {
    desk: Arc<Desk>,
}

impl Keyring {
    /// The system's. Asks nothing yet.
    pub(super) fn system() -> Self {
        Self { desk: Arc::clone(&DESK) }
    }

    /// The entry's name: what was kept for one server is not found for another.
    fn user(owner: &Owner, field: &str) -> String {
        let Owner { name, network, server } = owner;
        match (network.as_str(), server.as_str()) {
            ("", _) => format!("{name}.{field}"),
            (network, "") => format!("{name}.{field}@{network}"),
            (network, server) => format!("{name}.{field}@{network} {server}"),
        }
    }
}

#[async_trait]
impl Source for Keyring {
    fn name(&self) -> &'static str {
        "keyring"
    }

    fn place(&self, owner: &Owner, field: &str) -> String {
        format!("the keyring's entry `{}` of the service `{SERVICE}`", Self::user(owner, field))
    }

    async fn read(&self, owner: &Owner, field: &str) -> Result<Option<SecretString>, String> {
        match self.desk.ask(Self::user(owner, field), Ask::Get).await {
            Ok(answer) => Ok(answer.found.filter(|secret| !secret.expose_secret().is_empty())),
            Err(Trouble::Absent(_)) => Ok(None),
            Err(Trouble::Failed(why)) => Err(why),
        }
    }

    async fn store(&self, owner: &Owner, field: &str, secret: &SecretString) -> Result<(), String> {
        match self.desk.ask(Self::user(owner, field), Ask::Set(secret.clone())).await {
            Ok(_) => Ok(()),
            Err(Trouble::Absent(why)) => Err(format!("there is no keyring ({why})")),
            Err(Trouble::Failed(why)) => Err(why),
        }
    }

    async fn remove(&self, owner: &Owner, field: &str) -> Result<bool, String> {
        match self.desk.ask(Self::user(owner, field), Ask::Delete).await {
            Ok(answer) => Ok(answer.was_there),
            Err(Trouble::Absent(_)) => Ok(false),
            Err(Trouble::Failed(why)) => Err(why),
        }
    }

    fn is_store(&self) -> bool {
        true
    }

    fn absent(&self) -> Option<String> {
        let why = self.desk.absent.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        Some(format!("there is no keyring ({why})"))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Condvar;

    use super::*;
    use crate::model::AccountName;

    /// A keyring that answers while its door is open.
    #[derive(Default)]
    struct Doored {
        shut: Mutex<bool>,
        opened: Condvar,
        kept: Mutex<BTreeMap<String, String>>,
        absent: bool,
    }

    impl Doored {
        fn set_shut(&self, shut: bool) {
            *self.shut.lock().unwrap() = shut;
            self.opened.notify_all();
        }

        fn pass(&self) -> Result<(), Trouble> {
            let shut = self.shut.lock().unwrap();
            drop(self.opened.wait_while(shut, |shut| *shut).unwrap());
            if self.absent { Err(Trouble::Absent("no bus".to_owned())) } else { Ok(()) }
        }

        fn kept(&self) -> BTreeMap<String, String> {
            self.kept.lock().unwrap().clone()
        }
    }

    impl Ring for Doored {
        fn get(&self, user: &str) -> Result<Option<SecretString>, Trouble> {
            self.pass()?;
            Ok(self.kept.lock().unwrap().get(user).map(|text| SecretString::from(text.as_str())))
        }

        fn set(&self, user: &str, secret: &SecretString) -> Result<(), Trouble> {
            self.pass()?;
            self.kept.lock().unwrap().insert(user.to_owned(), secret.expose_secret().to_owned());
            Ok(())
        }

        fn delete(&self, user: &str) -> Result<bool, Trouble> {
            self.pass()?;
            Ok(self.kept.lock().unwrap().remove(user).is_some())
        }
    }

    fn owner(server: &str) -> Owner {
        Owner { name: AccountName::new("fedi"), network: "some".to_owned(), server: server.to_owned() }
    }

    fn keyring(ring: &Arc<Doored>) -> Keyring {
        Keyring { desk: Arc::new(Desk::new(Arc::clone(ring) as Arc<dyn Ring>)) }
    }

    #[tokio::test]
    async fn what_is_kept_for_one_server_is_not_found_for_another() {
        let ring = Arc::new(Doored::default());
        let keyring = keyring(&ring);
        let (here, there) = (owner("https://a.example"), owner("https://b.example"));
        keyring.store(&here, "token", &"mine".into()).await.expect("kept");
        let found = keyring.read(&here, "token").await.expect("asked").expect("there");
        assert_eq!(found.expose_secret(), "mine");
        assert!(keyring.read(&there, "token").await.expect("asked").is_none());
        assert!(keyring.read(&owner(""), "token").await.expect("asked").is_none());
        assert!(!keyring.remove(&there, "token").await.expect("asked"));
        assert!(keyring.remove(&here, "token").await.expect("asked"));
        assert!(ring.kept().is_empty());
        assert_eq!(Keyring::user(&Owner::alert("ops"), "url"), "alert-ops.url");
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_hangs_is_waited_for_once_and_used_again_when_it_answers() {
        let ring = Arc::new(Doored::default());
        ring.set_shut(true);
        let keyring = keyring(&ring);
        let began = tokio::time::Instant::now();
        let why = keyring.read(&owner(""), "token").await.expect_err("it hangs");
        assert!(why.contains("within 3 s") && why.contains("SMM_VAULT_KEY"), "{why}");
        for _ in 0..20 {
            keyring.read(&owner(""), "token").await.expect_err("it hangs");
        }
        assert_eq!(began.elapsed(), PATIENCE);
        ring.set_shut(false);
        while keyring.desk.stuck.load(Ordering::Acquire) {
            std::thread::yield_now();
        }
        tokio::time::resume();
        assert!(keyring.read(&owner(""), "token").await.expect("it answers").is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_secret_that_was_given_up_on_is_not_kept_later() {
        let ring = Arc::new(Doored::default());
        ring.kept.lock().unwrap().insert("fedi.token@some".to_owned(), "old".to_owned());
        ring.set_shut(true);
        let keyring = keyring(&ring);
        keyring.store(&owner(""), "token", &"new".into()).await.expect_err("it hangs");
        ring.set_shut(false);
        while keyring.desk.stuck.load(Ordering::Acquire) {
            std::thread::yield_now();
        }
        assert_eq!(ring.kept().values().collect::<Vec<_>>(), ["old"]);
    }

    #[tokio::test]
    async fn a_machine_without_one_has_nothing_and_says_so_when_asked_to_keep() {
        let keyring = keyring(&Arc::new(Doored { absent: true, ..Doored::default() }));
        assert!(keyring.absent().is_none(), "it was not asked");
        assert!(keyring.read(&owner(""), "token").await.expect("no mistake").is_none());
        assert!(!keyring.remove(&owner(""), "token").await.expect("no mistake"));
        let why = keyring.store(&owner(""), "token", &"new".into()).await.expect_err("nowhere");
        assert_eq!(why, "there is no keyring (no bus)");
        assert_eq!(keyring.absent(), Some(why));
    }
}
