//! Networks that live in the simulator: what they hold is what is out, whatever anybody says.
//!
//! One of every class of repeat safety. A request that has left its process goes its own way: it arrives, it takes effect
//! at once or up to [`LATEST`] later, and the process may be dead by then. What a network holds is never changed by anything
//! but a request.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use smm::adapter::RepeatSafety;
use smm::model::{AccountName, DeliveryId};

use super::stage::{Stage, locked};

/// A request takes effect at most this long after it was sent. Less than the settle time, which is what that time is for.
pub(crate) const LATEST: Duration = Duration::from_secs(90);

/// A listing that lags shows what came in after at most so many seconds: two looks a settle time apart see everything.
const LAG: u64 = 60;

/// A key is kept for this long.
const WINDOW: u64 = 3600;

/// A kind of network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// The content is the name.
    Content,
    /// We choose the id; a second one with it is refused.
    Chosen,
    /// Keeps our key, reserved from the moment at which the request arrives.
    KeyAtomic,
    /// Keeps our key, looked at when the request arrives and set when it takes effect: two at once are two posts.
    KeyWeak,
    /// A container first, then its publication; the container's state tells. Published twice it is there twice.
    TwoStep,
    /// A listing that shows everything at once.
    LookFresh,
    /// A listing that lags.
    LookStale,
    /// Nothing to look at.
    Webhook,
}

impl Kind {
    pub(crate) const ALL: [Self; 8] = [
        Self::Content,
        Self::Chosen,
        Self::KeyAtomic,
        Self::KeyWeak,
        Self::TwoStep,
        Self::LookFresh,
        Self::LookStale,
        Self::Webhook,
    ];

    pub(crate) fn id(self) -> &'static str {
        match self {
            Self::Content => "content",
            Self::Chosen => "chosen",
            Self::KeyAtomic => "key-atomic",
            Self::KeyWeak => "key-weak",
            Self::TwoStep => "two-step",
            Self::LookFresh => "look-fresh",
            Self::LookStale => "look-stale",
            Self::Webhook => "webhook",
        }
    }

    pub(crate) fn of(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.id() == id)
    }

    pub(crate) fn repeat(self) -> RepeatSafety {
        match self {
            Self::Content => RepeatSafety::ContentAddressed,
            Self::Chosen => RepeatSafety::ChosenId,
            Self::KeyAtomic | Self::KeyWeak => RepeatSafety::Key { window_seconds: WINDOW },
            Self::TwoStep => RepeatSafety::TwoStep,
            Self::LookFresh | Self::LookStale => RepeatSafety::LookUp,
            Self::Webhook => RepeatSafety::None,
        }
    }

    /// A box in the middle that delivers a request twice does no harm. Elsewhere nobody could do anything about it, so it
    /// is not done there. (The weak key takes it too when the second comes after the first has taken effect.)
    pub(crate) fn takes_doubles(self) -> bool {
        matches!(self, Self::Content | Self::Chosen | Self::KeyAtomic | Self::KeyWeak)
    }

    /// Its adapter says that "too many" may mean "done" there.
    pub(crate) fn throttles_after_the_fact(self) -> bool {
        self == Self::TwoStep
    }
}

/// A request, on its way.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// Whose token it carries.
    pub(crate) uid: String,
    pub(crate) key: String,
    pub(crate) body: serde_json::Value,
    pub(crate) delivery: DeliveryId,
    pub(crate) part: u16,
}

/// A post that is out.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) id: String,
    pub(crate) request: Request,
    pub(crate) at: DateTime<Utc>,
}

/// What a network answers, if anybody hears it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It is out, under this id; also for a key, or content, that was known.
    Out(String),
    /// There is one with this id.
    Exists,
}

struct Key {
    since: DateTime<Utc>,
    /// `None`: reserved, and not in effect yet.
    id: Option<String>,
}

/// Who a token speaks for.
#[derive(Debug, Clone)]
struct Token {
    serial: u64,
    uid: String,
    valid: bool,
}

/// Is told of every request that arrives.
pub(crate) type Arrival = Arc<dyn Fn(&Request) + Send + Sync>;

/// A network.
pub(crate) struct Network {
    pub(crate) kind: Kind,
    stage: Arc<Stage>,
    held: Mutex<Vec<Held>>,
    keys: Mutex<BTreeMap<String, Key>>,
    /// Every token there ever was, by account: the last one is in the account's file.
    tokens: Mutex<BTreeMap<AccountName, Vec<Token>>>,
    /// Somebody wants to know what arrives.
    pub(crate) on_arrival: Mutex<Option<Arrival>>,
}

impl Network {
    pub(crate) fn new(kind: Kind, stage: Arc<Stage>) -> Arc<Self> {
        Arc::new(Self {
            kind,
            stage,
            held: Mutex::default(),
            keys: Mutex::default(),
            tokens: Mutex::default(),
            on_arrival: Mutex::default(),
        })
    }

    /// Everything that is out.
    pub(crate) fn held(&self) -> Vec<Held> {
        locked(&self.held).clone()
    }

    /// A post that is out, by its delivery and part: what a person sees who looks.
    pub(crate) fn find(&self, delivery: DeliveryId, part: u16) -> Option<Held> {
        locked(&self.held).iter().find(|held| held.request.delivery == delivery && held.request.part == part).cloned()
    }

    /// What of it a listing shows: what has been there for `lag`.
    pub(crate) fn listing(&self, uid: &str, lag: TimeDelta) -> Vec<Held> {
        let now = self.stage.now();
        locked(&self.held).iter().filter(|held| held.request.uid == uid && held.at + lag <= now).cloned().collect()
    }

    /// How far a listing lags just now.
    pub(crate) fn lag(&self) -> TimeDelta {
        let seconds = match self.kind {
            Kind::LookStale if !self.stage.is_calm() => self.stage.dice.below(LAG + 1),
            Kind::KeyAtomic | Kind::KeyWeak if !self.stage.is_calm() => self.stage.dice.below(20),
            _ => 0,
        };
        if seconds > 0 {
            self.stage.fault("stale listing");
        }
        TimeDelta::seconds(i64::try_from(seconds).expect("seconds"))
    }

    /// Lets a request arrive after `way`, and take effect after `work`.
    pub(crate) async fn take(self: Arc<Self>, request: Request, way: Duration, work: Duration) -> Answer {
        tokio::time::sleep(way).await;
        let told = locked(&self.on_arrival).clone();
        if let Some(told) = told {
            told(&request);
        }
        match self.kind {
            Kind::Content | Kind::Chosen => {
                tokio::time::sleep(work).await;
                let known = locked(&self.held).iter().find(|held| held.request.key == request.key).cloned();
                match known {
                    Some(held) if self.kind == Kind::Content => Answer::Out(held.id),
                    Some(_) => Answer::Exists,
                    None => self.put(request),
                }
            }
            Kind::KeyAtomic => {
                if !self.reserve(&request.key) {
                    return self.wait_for(&request.key).await;
                }
                tokio::time::sleep(work).await;
                self.put_keyed(request)
            }
            Kind::KeyWeak => {
                if let Some(id) = self.known(&request.key) {
                    return Answer::Out(id);
                }
                tokio::time::sleep(work).await;
                self.put_keyed(request)
            }
            Kind::TwoStep | Kind::LookFresh | Kind::LookStale | Kind::Webhook => {
                tokio::time::sleep(work).await;
                self.put(request)
            }
        }
    }

    fn put(&self, request: Request) -> Answer {
        let mut held = locked(&self.held);
        let id = format!("{}-{}", self.kind.id(), held.len() + 1);
        self.stage.say(format_args!(
            "   {} holds {id}: {} part {} as {}",
            self.kind.id(),
            request.delivery.short(),
            request.part + 1,
            request.uid
        ));
        self.stage.count("posts that networks hold");
        held.push(Held { id: id.clone(), request, at: self.stage.now() });
        Answer::Out(id)
    }

    fn put_keyed(&self, request: Request) -> Answer {
        let key = request.key.clone();
        let answer = self.put(request);
        if let Answer::Out(id) = &answer {
            locked(&self.keys).insert(key, Key { since: self.stage.now(), id: Some(id.clone()) });
        }
        answer
    }

    fn holds(&self, key: &Key) -> bool {
        self.stage.now() - key.since < TimeDelta::seconds(i64::try_from(WINDOW).expect("an hour"))
    }

    fn known(&self, key: &str) -> Option<String> {
        locked(&self.keys).get(key).filter(|key| self.holds(key)).and_then(|key| key.id.clone())
    }

    fn reserve(&self, key: &str) -> bool {
        let mut keys = locked(&self.keys);
        if keys.get(key).is_some_and(|key| self.holds(key)) {
            return false;
        }
        keys.insert(key.to_owned(), Key { since: self.stage.now(), id: None });
        true
    }

    async fn wait_for(&self, key: &str) -> Answer {
        loop {
            if let Some(id) = self.known(key) {
                return Answer::Out(id);
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// Puts a new token into an account's file; the ones before it are no good any more.
    pub(crate) fn issue(&self, account: &AccountName, uid: &str) {
        let mut tokens = locked(&self.tokens);
        let all = tokens.entry(account.clone()).or_default();
        for old in all.iter_mut() {
            old.valid = false;
        }
        all.push(Token { serial: all.len() as u64, uid: uid.to_owned(), valid: true });
    }

    /// The token in the file is no good from now on.
    pub(crate) fn expire(&self, account: &AccountName) {
        if let Some(last) = locked(&self.tokens).get_mut(account).and_then(|all| all.last_mut()) {
            last.valid = false;
        }
    }

    /// Somebody has an account of this name here.
    pub(crate) fn knows(&self, account: &AccountName) -> bool {
        locked(&self.tokens).contains_key(account)
    }

    /// The serial number of the token in the file.
    pub(crate) fn token(&self, account: &AccountName) -> u64 {
        locked(&self.tokens).get(account).and_then(|all| all.last()).map_or(0, |token| token.serial)
    }

    /// Who a token speaks for, if it is still good.
    pub(crate) fn owner(&self, account: &AccountName, serial: u64) -> Option<String> {
        let tokens = locked(&self.tokens);
        let token = tokens.get(account)?.iter().find(|token| token.serial == serial)?;
        token.valid.then(|| token.uid.clone())
    }
}
