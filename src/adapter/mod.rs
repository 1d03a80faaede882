//! The contract between `smm` and a network.
//!
//! Two halves. The pure one ([`Network`]) serves `check`, `preview` and snapshot tests: facts as data, a plan from a
//! draft. The other ([`Api`]) is the only one that touches the outside, and everything that it may use is handed in
//! ([`Outside`]). It never retries by itself and decides nothing: what a lost answer leads to is the engine's business,
//! told by [`RepeatSafety`] and [`Fault`].
//!
//! The life of a part: every `prepare` step (repeatable: uploads, link cards) of the whole plan is run first, but for those
//! that need the receipt of the part before theirs ([`Api::follows`]); then, part by part, those of the part are run,
//! [`Api::freeze`] puts the exact request together from the step and what came before, the engine makes that request
//! durable (the intent), and [`Api::publish`] sends it once.

pub mod card;
pub mod check;
pub mod graph;
pub mod http;
pub mod mail;
pub mod socket;

mod bearer;
mod content;
mod draft;
mod enclosure;
mod fault;
mod looks;
mod outside;
mod plan;
mod price;
mod profile;
mod programs;
mod redact;
mod session;
mod sign_in;
#[cfg(feature = "testing")]
pub mod suite;

pub use content::{Content, MediaFile, MediaHead, Unread};
pub use draft::{Draft, DraftMedia, DraftPart, is_language};
pub use enclosure::{Enclosing, Enclosure, Sealed};
pub use fault::{Fault, Refusal};
pub use looks::Looks;
pub use outside::{Files, MediaBytes, MediaHost, MediaSource, Outside, Secrets};
pub use plan::{Plan, Progress, Step, StepKind, refused, thawed};
pub use price::Price;
pub use profile::{
    AltRule, CardSupport, DocumentRule, Fact, ImageRule, Limits, MediaRules, PollRules, Profile, RepeatSafety,
    SecretField, TextLimit, TextRules, VideoRule, WarningSupport,
};
pub use programs::{ProgramCall, ProgramEnd, Programs};
pub use session::{Login, Session, Sessions};
pub use sign_in::{AuthServer, ClientId, Endpoints, LongLived, OAuth, Password, Paste, Redirect, Scope, SignIn};

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::model::{Account, Frozen, LimitOverrides, Problem, Receipt};

/// The pure half of an adapter: no clock, no I/O, no secret.
pub trait Network: Send + Sync + 'static {
    /// What the network allows and promises, as data.
    fn profile(&self) -> &'static Profile;

    /// Checks an account's settings of its own (such as `handle` or `folder`), as written in `smm.toml`.
    /// [`Problem::place`] is [`crate::model::Place::Key`].
    fn check_account(&self, account: &Account, problems: &mut Vec<Problem>);

    /// Other names that people have for it, and kin that speak the same: lower case, none of them another network's.
    fn also_called(&self) -> &'static [&'static str] {
        &[]
    }

    /// What people should know of it beyond its profile, Markdown: the README in its folder. Empty: nothing.
    fn readme(&self) -> &'static str {
        ""
    }

    /// Whether an account like this cannot publish without a secret.
    fn needs_secret(&self, account: &Account) -> bool {
        let _ = account;
        true
    }

    /// The folder that an account's posts are written into as files, relative to the calendar's folder. `None`: nothing is.
    fn folder<'a>(&self, account: &'a Account) -> Option<&'a str> {
        let _ = account;
        None
    }

    /// Whether it fetches media by their public address, so that `smm.toml` has to name a place for them
    /// ([`Outside::host`]). Refused by checking where there is none and a post has media.
    fn needs_media_host(&self) -> bool {
        false
    }

    /// How it opens sessions for a user's name and a password; `None`: it does not. Goes with [`SignIn::Password`].
    fn sessions(&self) -> Option<&dyn Sessions> {
        None
    }

    /// What the account's settings lack for posts with files: what is wrong, and what to write. `None`: nothing. Checking
    /// refuses such posts at their first file.
    fn lacks_for_files(&self, account: &Account) -> Option<[&'static str; 2]> {
        let _ = account;
        None
    }

    /// The schemes that the address of an account's server may have, the usual one first, and whether such an address is
    /// for this very machine alone.
    fn schemes(&self) -> &'static [(&'static str, bool)] {
        &[("https", false), ("http", true)]
    }

    /// Something that the network takes only so long, whatever the credential: a version of its API. `None`: nothing is known
    /// to end. Who has a clock tells it in time.
    fn ends(&self, account: &Account) -> Option<Ending> {
        let _ = account;
        None
    }

    /// How much of a part's text limit, in its unit, is kept for what [`Network::plan`] adds to the text: for each file, and
    /// for what is quoted. Only what is fitted into the room that is left has to know it.
    fn kept(&self, files: u64, quotes: bool) -> u64 {
        let _ = (files, quotes);
        0
    }

    /// An account of it runs a program of the operator's: only a trusted `smm.toml` may have one.
    fn runs_programs(&self) -> bool {
        false
    }

    /// What is safe to repeat for an account with these settings, before its server was asked ([`Identity::repeat`]).
    fn repeat(&self, account: &Account) -> RepeatSafety {
        let _ = account;
        self.profile().repeat
    }

    /// A new value of a secret that nobody else makes, of these random bytes. `None`: it comes from elsewhere.
    fn new_secret(&self, field: &str, random: [u8; 32]) -> Option<SecretString> {
        let _ = (field, random);
        None
    }

    /// Whether a post may have one comment of its author's (`first_comment`), as one more part, though there are no threads.
    /// Everywhere with threads it is the last part of one.
    fn comments(&self) -> bool {
        self.profile().threads
    }

    /// JSON Schema of the account's own settings, for `smm schema` and for unknown keys.
    fn settings_schema(&self) -> schemars::Schema;

    /// Only what the profile's data cannot say. The generic checks ([`check::check`]) have run before. Places are those
    /// of the draft, as explained there. What is found must not depend on the account but for its limits, since accounts
    /// of one network with the same limits are checked once: settings are for [`Network::check_account`]. Everything that
    /// [`Network::plan`] would refuse is an error here: `smm check` asks no more than this.
    fn check(&self, draft: &Draft<'_>, problems: &mut Vec<Problem>) {
        let _ = (draft, problems);
    }

    /// It takes money for posts: [`Network::price`] says how much.
    fn is_paid(&self) -> bool {
        false
    }

    /// What publishing the draft costs, by the price list that the README names. `None`: nothing, or nobody knows.
    fn price(&self, draft: &Draft<'_>) -> Option<Price> {
        let _ = draft;
        None
    }

    /// The ordered steps that publish the draft. Same draft, same bytes; no secret in it. A draft without errors has a
    /// plan; one with errors may be refused or not.
    fn plan(&self, draft: &Draft<'_>) -> Result<Plan, Vec<Problem>>;

    /// The half that touches the outside. Opens nothing by itself.
    fn connect(&self, account: &Account, outside: Outside) -> Box<dyn Api>;

    /// A stand-in for the network, in this very process, for the behaviour suite: it refuses every network of the
    /// registry that has none.
    #[cfg(feature = "testing")]
    fn fake(&self) -> suite::Starting {
        Box::pin(async { None })
    }
}

/// The other half: calls to the network. Never retries by itself.
#[async_trait]
pub trait Api: Send + Sync {
    /// Scheme, host and port that the credentials would be sent to, found without sending any. The engine compares it
    /// with what the ledger knows before it calls [`Api::whoami`], so that no token reaches another host. It is the same as
    /// [`Identity::host`]. `None`: there is nothing to be sent to anybody.
    async fn host(&self) -> Result<Option<String>, Fault>;

    /// Who the credentials belong to, and what this server says of its limits and of repeats.
    async fn whoami(&self) -> Result<Identity, Fault>;

    /// What the server says of the credential itself. Read only. By default it says nothing.
    async fn credential(&self) -> Result<Credential, Fault> {
        Ok(Credential::default())
    }

    /// Runs a repeatable step. Its value is kept and handed to later steps in [`Progress`].
    async fn prepare(&self, step: &Step, progress: &Progress) -> Result<serde_json::Value, Fault>;

    /// Whether a repeatable step needs the receipt of the part before its own, such as a container that names the post that
    /// it answers. It is run when that part is out, all others before anything is.
    fn follows(&self, step: &Step) -> bool {
        let _ = step;
        false
    }

    /// Puts the exact irreversible request of a `publish` step together. Pure: no I/O, and the same input gives the same
    /// [`Frozen`]. `at` is when the intent is written, to be used where a network wants a date in the post: what is sent
    /// again is the frozen request itself, so the date stays.
    fn freeze(&self, step: &Step, progress: &Progress, identity: &Identity, at: DateTime<Utc>)
    -> Result<Frozen, Fault>;

    /// How much more than the usual time limit the one call of this request may take, for the files that travel with it
    /// ([`Sealed::time`]).
    fn more_time(&self, frozen: &Frozen) -> Duration {
        let _ = frozen;
        Duration::ZERO
    }

    /// The one irreversible call: one attempt, a fresh connection, no redirect, no retry, a total time limit.
    async fn publish(&self, frozen: &Frozen) -> Result<Receipt, Fault>;

    /// Looks whether the request has arrived. Read only. `started` is when its first attempt began.
    async fn reconcile(&self, frozen: &Frozen, started: DateTime<Utc>) -> Result<Verdict, Fault>;

    /// Numbers of a published part.
    async fn metrics(&self, receipt: &Receipt) -> Result<Metrics, Fault>;

    /// Answers to a published part, oldest first.
    async fn replies(&self, receipt: &Receipt) -> Result<Vec<Reply>, Fault>;

    /// Takes a published part back. Gone already is success.
    async fn delete(&self, receipt: &Receipt) -> Result<(), Fault>;
}

/// Who the credentials belong to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Who the account is, for ever, and unique in the whole network: a DID; a number with the server that gave it
    /// (`109348@fedi.example`), for other servers give the same numbers. Never a handle. Two accounts with one `uid` are
    /// taken for one person, who gets each post once. Where nothing leaves the machine, it is unique in its calendar.
    pub uid: String,
    /// What people call it.
    pub handle: String,
    /// Scheme, host and port that the calls go to.
    pub host: String,
    /// Limits that this server states and that differ from the built-in ones.
    pub limits: LimitOverrides,
    /// How repeats are safe on this very server. `None`: as the profile says.
    pub repeat: Option<RepeatSafety>,
}

/// Something that a network takes only so long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// What: `version 202609 of …`.
    pub what: String,
    /// Its last day, UTC.
    pub on: NaiveDate,
    /// What to do about it.
    pub help: &'static str,
}

impl Ending {
    /// It is told unasked so many days before its last one.
    const SOON: i64 = 60;

    /// Days from the day of `at` to its last one; below 0: it has ended by then.
    pub fn days_left(&self, at: DateTime<Utc>) -> i64 {
        (self.on - at.date_naive()).num_days()
    }

    /// It has ended, or does so soon that people are to be told.
    pub fn is_near(&self, now: DateTime<Utc>) -> bool {
        self.days_left(now) <= Self::SOON
    }
}

/// What a server says of a credential.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// The scopes that it was granted. `None`: the server does not say.
    pub scopes: Option<Vec<String>>,
    /// When it ends. `None`: the server does not say, or never.
    pub expires: Option<DateTime<Utc>>,
}

/// What a look at the network says of a request whose answer was lost.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// It is out.
    Done(Receipt),
    /// It is not there (now).
    NotDone,
    /// Looking cannot tell.
    CannotTell {
        /// Why not.
        why: String,
    },
}

/// Numbers of a published part. `None`: the network does not say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metrics {
    /// Likes, favourites.
    pub likes: Option<u64>,
    /// Reposts, boosts.
    pub reposts: Option<u64>,
    /// Answers.
    pub replies: Option<u64>,
    /// Quotes.
    pub quotes: Option<u64>,
    /// Views.
    pub views: Option<u64>,
}

/// An answer to a published part. Foreign text: escape it before it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// The network's id of it.
    pub id: String,
    /// Who wrote it.
    pub author: String,
    /// What it says, as plain text.
    pub text: String,
    /// When.
    pub at: Option<DateTime<Utc>>,
    /// Where.
    pub url: Option<String>,
}
