//! A delivery: one occurrence × one account, the unit that is scheduled, claimed and settled.
//!
//! A [`Delivery`] is the whole row: [`crate::engine::core`] computes the next one from the present one and an event, and
//! the ledger stores it if nobody was faster ([`Delivery::version`]).

use std::fmt;

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{AccountName, CalendarName, DeliveryId, OccurrenceName, PostId};

/// Where a delivery is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Waits for its time, or for its next attempt.
    Planned,
    /// A worker has it; nothing irreversible was sent.
    Claimed,
    /// The intent is durable; the one irreversible call may be under way.
    Sending,
    /// It is out. Final.
    Published,
    /// A definite no, and no earlier attempt is unresolved. Final.
    Failed,
    /// Sent, outcome not known: only a look-up or a person may settle it.
    Unknown,
    /// Waits for a person (see [`Delivery::reason`]).
    Held,
    /// Its time went by and it was not to be published late. Final.
    Missed,
    /// Taken back before it was sent. Final.
    Cancelled,
}

impl State {
    /// All states, in the order of a delivery's life.
    pub const ALL: [Self; 9] = [
        Self::Planned,
        Self::Claimed,
        Self::Sending,
        Self::Published,
        Self::Failed,
        Self::Unknown,
        Self::Held,
        Self::Missed,
        Self::Cancelled,
    ];

    /// The word in JSON, in the ledger and in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Claimed => "claimed",
            Self::Sending => "sending",
            Self::Published => "published",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::Held => "held",
            Self::Missed => "missed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Reads the word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Nothing changes it any more by itself.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Published | Self::Failed | Self::Missed | Self::Cancelled)
    }

    /// A person has to look: `smm status` exits with 1.
    pub fn needs_person(self) -> bool {
        matches!(self, Self::Failed | Self::Unknown | Self::Held | Self::Missed)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why a delivery is where it is, as a word for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReasonCode {
    /// The account's name now leads to another identity or host than the ledger knows.
    AccountChanged,
    /// The credentials were refused.
    Credentials,
    /// The ledger met this calendar for the first time with more overdue posts than it publishes unasked.
    FirstRun,
    /// It waits for its network: a failed attempt that may be repeated.
    Retry,
    /// Its time went by (held, or missed by the post's own `late`).
    Late,
    /// The account, or everything, is paused.
    Paused,
    /// A person did it.
    Person,
    /// The network refused the content, or the account.
    Refused,
    /// It is no longer in the calendar.
    Removed,
    /// The calendar's post has errors, so it cannot be composed any more.
    Invalid,
    /// A secret is missing or cannot be read.
    Secret,
    /// A later occurrence of its series took its place after downtime.
    Superseded,
    /// The network asked to come later.
    Throttled,
    /// Sent, and the answer was lost.
    LostAnswer,
    /// An earlier delivery had brought the same occurrence to the same identity.
    Already,
    /// The ledger was older than what had been seen: it may be out already.
    LedgerOlder,
    /// The machine's clock has jumped, and nothing confirms where to.
    Clock,
    /// The account's blackout hours.
    Blackout,
}

/// Why a delivery is where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// For programs.
    pub code: ReasonCode,
    /// For people. Holds no secret; control characters are the printer's business.
    pub message: String,
}

impl Reason {
    /// A reason.
    pub fn new(code: ReasonCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

/// Where the post of a delivery is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// In a calendar: edits and removals reach it.
    Calendar,
    /// In the ledger, from `smm post`.
    Command,
}

/// Who an account turned out to be: what its name is bound to at the first who-am-I.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// The network's id.
    pub network: String,
    /// Scheme, host and port that the calls go to.
    pub host: String,
    /// Who the account is, for ever, and unique in the whole network: a DID, or a number with the server that gave it.
    /// Never a handle. The ledger keeps one receipt for a part of an occurrence and a `uid`.
    pub uid: String,
    /// What people call it, such as `@acme@fedi.example`. May change.
    pub handle: String,
}

/// What a repeatable step gave: an upload's id, a link card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prepared {
    /// Index of the step in the plan.
    pub step: usize,
    /// The adapter's own value.
    pub value: serde_json::Value,
    /// When.
    pub at: DateTime<Utc>,
}

/// The exact irreversible request of one part, put together from its step and what came before. It holds no secret:
/// credentials are added when it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frozen {
    /// The part, from 0.
    pub part: u16,
    /// Idempotency key or client-chosen id.
    pub key: String,
    /// The adapter's own request: the same value gives the same bytes.
    pub request: serde_json::Value,
}

/// The durable record written before the one call that cannot be taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// What is sent.
    pub frozen: Frozen,
    /// To whom.
    pub binding: Binding,
    /// The attempt of this delivery, from 1.
    pub attempt: u32,
    /// When the first attempt with this key was about to begin: the key's window is counted from here.
    pub first_at: DateTime<Utc>,
    /// When this attempt was about to begin.
    pub at: DateTime<Utc>,
}

/// What the network answered for a part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The part, from 0.
    pub part: u16,
    /// The network's id of it.
    pub id: String,
    /// Where people see it.
    pub url: Option<String>,
    /// When.
    pub at: DateTime<Utc>,
    /// What the adapter needs later, such as a content hash for replies.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub data: serde_json::Value,
}

impl Receipt {
    /// What a program or a server of the operator's own says of a part that is out. `None`: that is no id: it is empty, longer
    /// than 500 bytes, or has control characters in it. An address that is none is left out.
    pub fn told(part: u16, id: &str, url: Option<&str>, at: DateTime<Utc>) -> Option<Self> {
        let plain = |text: &str, most: usize| (1..=most).contains(&text.len()) && !text.contains(char::is_control);
        let web = |url: &&str| url.starts_with("https://") || url.starts_with("http://");
        let url = url.filter(web).filter(|url| plain(url, 2000)).map(str::to_owned);
        plain(id, 500).then(|| Self { part, id: id.to_owned(), url, at, data: serde_json::Value::Null })
    }
}

/// What is known of an unknown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unknown {
    /// Since when.
    pub since: DateTime<Utc>,
    /// Look-ups that found nothing so far.
    pub looks: u32,
    /// When it is looked up next; `None`: only a person can settle it.
    pub next_look: Option<DateTime<Utc>>,
    /// The same request was sent again once already.
    pub repeated: bool,
    /// The sender itself has told that its call ended without an answer, so nothing of it is on its way any more. Not so
    /// when somebody else took the delivery over.
    #[serde(default)]
    pub witnessed: bool,
}

/// One occurrence × one account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Its name.
    pub id: DeliveryId,
    /// The calendar.
    pub calendar: CalendarName,
    /// The post.
    pub post: PostId,
    /// The occurrence.
    pub occurrence: OccurrenceName,
    /// The account.
    pub account: AccountName,
    /// The account's network.
    pub network: String,
    /// Where the post is kept.
    pub origin: Origin,
    /// When it is due.
    pub due: DateTime<Utc>,
    /// The civil time that `due` was derived from, in the calendar's zone.
    pub civil: NaiveDateTime,
    /// What happens when its time has gone by, as at the last look at the calendar.
    pub late: super::Late,
    /// Where it is in its life.
    pub state: State,
    /// Why.
    pub reason: Option<Reason>,
    /// Not claimed before this, for retries.
    pub not_before: Option<DateTime<Utc>>,
    /// Released although it is late, by a person or by the first run: the late rule no longer applies.
    pub released: bool,
    /// Goes out in its account's blackout hours too: a person has said so.
    #[serde(default)]
    pub any_hour: bool,
    /// Irreversible calls so far.
    pub attempts: u32,
    /// Attempts in a row that ended without an answer of the network's, for the back-off.
    pub failures: u32,
    /// Rises only when a person says "post again": gives new keys.
    pub generation: u32,
    /// Rises with every write; a write with an old one is refused.
    pub version: u64,
    /// Rises with every claim.
    pub fence: u64,
    /// The process that has it.
    pub owner: Option<String>,
    /// Which of the post's `texts`, settled at the occurrence's first claim.
    pub variation: Option<u32>,
    /// The plan, frozen with the first intent, as the adapter made it.
    pub plan: Option<serde_json::Value>,
    /// What the repeatable steps gave.
    pub prepared: Vec<Prepared>,
    /// To whom its first part was sent: the others go to nobody else.
    #[serde(default)]
    pub binding: Option<Box<Binding>>,
    /// The open intent, while sending or unknown. In a box, as what it is bound to: few rows have one, and a calendar's
    /// rows are read all at once.
    pub intent: Option<Box<Intent>>,
    /// What is out, by part.
    pub receipts: Vec<Receipt>,
    /// What is known of an unknown.
    pub unknown: Option<Unknown>,
    /// When the last part went out.
    pub published_at: Option<DateTime<Utc>>,
    /// An earlier run had published it; set on rows handed out, never stored.
    #[serde(skip)]
    pub already: bool,
}

impl Delivery {
    /// A planned delivery, not yet stored (version 0).
    #[allow(clippy::too_many_arguments, reason = "each is a different noun and all are required")]
    pub fn planned(
        calendar: CalendarName,
        post: PostId,
        occurrence: OccurrenceName,
        account: AccountName,
        network: impl Into<String>,
        origin: Origin,
        due: DateTime<Utc>,
        civil: NaiveDateTime,
        late: super::Late,
    ) -> Self {
        Self {
            id: DeliveryId::derive(&calendar, &occurrence, &account),
            calendar,
            post,
            occurrence,
            account,
            network: network.into(),
            origin,
            due,
            civil,
            late,
            state: State::Planned,
            reason: None,
            not_before: None,
            released: false,
            any_hour: false,
            attempts: 0,
            failures: 0,
            generation: 0,
            version: 0,
            fence: 0,
            owner: None,
            variation: None,
            plan: None,
            prepared: Vec::new(),
            binding: None,
            intent: None,
            receipts: Vec::new(),
            unknown: None,
            published_at: None,
            already: false,
        }
    }

    /// When it may be claimed: its due time, or later when it was told to wait.
    pub fn ready_at(&self) -> DateTime<Utc> {
        self.not_before.map_or(self.due, |wait| wait.max(self.due))
    }

    /// Something irreversible was sent for it, so edits no longer reach it.
    pub fn is_frozen(&self) -> bool {
        self.intent.is_some() || !self.receipts.is_empty()
    }
}

/// A line of a delivery's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at: DateTime<Utc>,
    /// Of which delivery.
    pub delivery: DeliveryId,
    /// What happened, one word: `planned`, `claimed`, `intent`, `receipt`, `unknown`, …
    pub kind: String,
    /// The state after it.
    pub state: State,
    /// More, for people. Holds no secret.
    pub detail: String,
    /// Who: `smm` itself, or the person's login name for a command.
    pub actor: String,
}
