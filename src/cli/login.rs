//! `smm login`.

mod account;
mod check;
mod gain;
mod told;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use super::output::{self, Stream, Style};
use super::workspace::{self, Settings};
use super::{Exit, Failure, Format, Global, change};
use crate::adapter::http::{Http, HttpSettings};
use crate::adapter::{Network, Profile, SignIn};
use crate::ledger::{Ledger, OpenMode};
use crate::model::{Account, Binding, LimitOverrides};
use crate::networks;
use crate::oauth::{self, Grant, Keeper, Tools};
use crate::secrets::{Chain, Owner};
use crate::time::{Clock as _, SystemClock};

pub(super) use account::AccountArg;
use check::Seen;
use gain::Gained;
use told::{IdentityView, MissingView, SignedIn};

/// Sign in to an account, and keep what it takes to publish as it
///
/// Says what to make where, asks for it without showing it (or reads it from stdin; of a user's name and password one line
/// each), looks who it is, and keeps it in the
/// keyring or in the vault. Nothing is kept that was refused, that belongs to somebody else than the account published as
/// so far, or that may do too little. What was held for want of credentials goes on.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    account: AccountArg,
    /// How to sign in; the network's best way without it
    #[arg(long, value_enum, value_name = "WAY")]
    with: Option<With>,
    /// The browser is on another machine: its answer is pasted
    #[arg(long)]
    paste: bool,
    /// Open no browser; its address is printed
    #[arg(long)]
    no_browser: bool,
    /// Where the secret is kept; the first of them that can without it
    #[arg(long, value_enum, value_name = "PLACE")]
    store: Option<Store>,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// How to sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum With {
    /// Agree in a browser
    #[value(name = "oauth")]
    OAuth,
    /// Type a short code on any device
    Device,
    /// Give a user's name and password, which is used once and not kept
    Password,
    /// Paste a secret that is made on the network's pages: an app password, a token
    Paste,
}

/// A place that secrets are kept in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Store {
    /// The system's keyring
    Keyring,
    /// The sealed file in the state folder
    Vault,
}

impl Store {
    fn name(self) -> &'static str {
        match self {
            Self::Keyring => "keyring",
            Self::Vault => "vault",
        }
    }
}

/// What all of a sign-in works with.
struct Desk<'a> {
    args: &'a Args,
    account: &'a Account,
    profile: &'static Profile,
    tools: Tools,
    http: HttpSettings,
}

impl Desk<'_> {
    fn keeper(&self) -> Keeper {
        Keeper::new(self.tools.clone(), self.account)
    }

    /// The variable that a field of the account may stand in.
    fn variable(&self, field: &str) -> String {
        let given = Chain::new(|_| None, None);
        given.places(&Owner::account(self.account), field).into_iter().next().unwrap_or_default()
    }
}

pub(super) fn run(args: &Args, global: &Global) -> Result<Exit, Failure> {
    let (settings, account) = args.account.find(global)?;
    let network = network(&account)?;
    let profile = network.profile();
    if profile.sign_in.is_empty() {
        return tell(&SignedIn::nothing(&account.name, profile.id), args.format);
    }
    let way = gain::choose(profile.sign_in, args.with, args.paste).ok_or_else(|| no_such_way(profile))?;
    let (tools, http) = tools(&settings)?;
    let desk = Desk { args, account: &account, profile, tools, http };
    // For reading: until it is clear who it is, nothing is made.
    let ledger = settings.ledger(OpenMode::ReadOnly)?;
    let (gained, seen) = workspace::block_on(async {
        let bound = ledger.account(&account.name).await?.binding;
        check::host(&desk, bound.as_ref()).await?;
        let gained = gain::gain(&desk, way).await?;
        match check::who(&desk, &gained, bound.as_ref()).await {
            Ok(seen) => Ok((gained, seen)),
            Err(failure) => {
                gained.give_back(&desk).await;
                Err(failure)
            }
        }
    })?;
    drop(ledger);
    let kept = settings.ledger(OpenMode::ReadWrite).and_then(|ledger| {
        workspace::block_on(async {
            let source = keep(&desk, &*ledger, &gained, &seen).await?;
            Ok((ledger, source))
        })
    });
    match kept {
        Ok((ledger, source)) => workspace::block_on(finish(&desk, &*ledger, &gained, &seen, source, global)),
        Err(failure) => {
            workspace::block_on(async {
                gained.give_back(&desk).await;
                Ok(())
            })?;
            Err(failure)
        }
    }
}

/// The account's network.
pub(super) fn network(account: &Account) -> Result<&'static dyn Network, Failure> {
    networks::find(&account.network)
        .ok_or_else(|| Failure::new(format!("`{}` is not a network that smm knows", account.network)))
}

/// What secrets are handled with.
pub(super) fn tools(settings: &Settings) -> Result<(Tools, HttpSettings), Failure> {
    let delivery = settings.config()?.delivery;
    let http = HttpSettings { timeout: delivery.timeout, private_pages: delivery.private_pages };
    let state: PathBuf = workspace::state_folder()?;
    let tools =
        Tools { secrets: workspace::secrets(), http: Http::new(http.clone()), clock: Arc::new(SystemClock), state };
    Ok((tools, http))
}

fn no_such_way(profile: &Profile) -> Failure {
    let ways: Vec<String> = profile
        .sign_in
        .iter()
        .map(|way| match way {
            SignIn::Paste(paste) => format!("`--with paste` ({})", paste.what),
            SignIn::Password(_) => "`--with password`".to_owned(),
            SignIn::OAuth(_) => "`--with oauth`".to_owned(),
        })
        .collect();
    Failure::usage(format!("{} is not signed in to that way", profile.name))
        .hint(format!("it is with {}", ways.join(", ")))
}

/// Binds the account to who it is, and keeps the secret. Gives the store's name.
async fn keep(desk: &Desk<'_>, ledger: &dyn Ledger, gained: &Gained, seen: &Seen) -> Result<&'static str, Failure> {
    let (name, identity) = (&desk.account.name, &seen.identity);
    let binding = Binding {
        network: desk.account.network.clone(),
        host: identity.host.clone(),
        uid: identity.uid.clone(),
        handle: identity.handle.clone(),
    };
    let bound = ledger.bind(name, &binding).await?;
    if (&bound.network, &bound.host, &bound.uid) != (&binding.network, &binding.host, &binding.uid) {
        let to = format!("would be {} ({}) at {}", identity.handle, identity.uid, identity.host);
        return Err(check::other(desk, &bound, &to));
    }
    if identity.limits != LimitOverrides::default() {
        ledger.put_limits(name, &identity.limits, SystemClock.now()).await?;
    }
    let into = desk.args.store.map(Store::name);
    let kept = match gained {
        Gained::Secret { field, secret, more } => {
            let (secrets, owner) = (&desk.tools.secrets, Owner::account(desk.account));
            let mut kept = secrets.store(&owner, field, secret, into).await;
            for (field, secret) in more {
                if kept.is_ok() {
                    kept = secrets.store(&owner, field, secret, into).await;
                }
            }
            kept
        }
        Gained::Grant { grant, .. } => desk.keeper().keep(grant, into).await,
    };
    kept.map_err(|why| nowhere(desk, gained, seen, &why))
}

/// There is no place to keep it in.
fn nowhere(desk: &Desk<'_>, gained: &Gained, seen: &Seen, why: &str) -> Failure {
    let field = gained.kept_as();
    let failure = Failure::new(format!("this is {}, but the {field} could not be kept: {why}", seen.identity.handle));
    desk.without_store(failure, field)
}

/// Forgets what an earlier way has left, lets go on what waited, and says what came of it.
async fn finish(
    desk: &Desk<'_>,
    ledger: &dyn Ledger,
    gained: &Gained,
    seen: &Seen,
    source: &'static str,
    global: &Global,
) -> Result<Exit, Failure> {
    let name = &desk.account.name;
    let forgotten = forget_others(desk, gained).await;
    let shadowed_by = shadows(&desk.tools.secrets, desk.account, desk.profile).await;
    let (released, told) = change::signed_in(ledger, name).await?;
    change::ring(ledger).await;
    if !global.quiet {
        output::stderr(&output::printable(&(forgotten + &told)));
        for place in &shadowed_by {
            let label = output::paint(Stream::Stderr, Style::Warning, "warning:");
            let text = format!(
                "{place} has another secret for `{name}`, and is asked first: take it away, or what was kept now is not used"
            );
            output::stderr(&format!("{label} {}\n", output::printable(&text)));
        }
    }
    let identity = &seen.identity;
    let told = SignedIn {
        account: name,
        network: desk.profile.id,
        identity: Some(IdentityView { handle: &identity.handle, uid: &identity.uid, host: &identity.host }),
        scopes: seen.scopes.as_deref(),
        missing: seen.missing.iter().map(|scope| MissingView { scope: scope.name, why: scope.why }).collect(),
        field: Some(gained.kept_as()),
        source: Some(source),
        shadowed_by,
        ends: seen.ends,
        renewable: matches!(gained, Gained::Grant { grant, .. } if grant.refresh.is_some()),
        released,
    };
    tell(&told, desk.args.format)
}

fn tell(told: &SignedIn<'_>, format: Format) -> Result<Exit, Failure> {
    match format {
        Format::Json => output::json(told)?,
        Format::Human => output::stdout(&output::printable(&told.human())),
    }
    Ok(Exit::Done)
}

/// All fields that something may be kept in for an account of a network.
pub(super) fn fields(profile: &Profile) -> Vec<&'static str> {
    profile.secrets.iter().map(|secret| secret.name).chain([oauth::FIELD]).collect()
}

/// Forgets what another way has stored, so that it neither wins nor lies about. Says what was done.
async fn forget_others(desk: &Desk<'_>, gained: &Gained) -> String {
    let (owner, secrets) = (Owner::account(desk.account), &desk.tools.secrets);
    let mut text = String::new();
    // Of the ways' own fields: an app's secret, for one, belongs to no single way.
    let mut others: Vec<&str> = desk.profile.sign_in.iter().map(|way| way.field()).chain([oauth::FIELD]).collect();
    let kept = gained.kept();
    others.retain(|field| !kept.contains(field));
    others.dedup();
    for field in others {
        let old = match secrets.stored(&owner, field).await {
            Ok(None) => continue,
            Ok(Some(found)) if field == oauth::FIELD => Grant::read(&found.secret).ok(),
            _ => None,
        };
        let forgotten = match field {
            oauth::FIELD => desk.keeper().forget().await,
            field => secrets.remove(&owner, field).await,
        };
        match forgotten {
            Ok(had) if had.is_empty() => {}
            Ok(had) => {
                let _ =
                    writeln!(text, "the {field} of an earlier sign-in was forgotten in the {}", had.join(" and the "));
                if let Some(old) = old
                    && let Err(fault) = desk.keeper().give_back(&old).await
                {
                    let _ = writeln!(text, "it could not be given back, and may still be valid: {fault}");
                }
            }
            Err(why) => {
                let _ = writeln!(text, "the {field} of an earlier sign-in could not be forgotten: {why}");
            }
        }
    }
    text
}

/// The places of the operator's that have a secret of the account: they are asked before any store.
pub(super) async fn shadows(secrets: &Chain, account: &Account, profile: &Profile) -> Vec<String> {
    let owner = Owner::account(account);
    let mut places = Vec::new();
    for field in fields(profile) {
        let Ok(Some(found)) = secrets.read(&owner, field).await else { continue };
        if !secrets.is_store(found.source) {
            places.extend(secrets.place(&owner, field, found.source));
        }
    }
    places
}
