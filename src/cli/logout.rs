//! `smm logout`.

use std::fmt::Write as _;

use serde::Serialize;

use super::login::{self, AccountArg};
use super::output::{self, Stream, Style};
use super::{Exit, Failure, Format, Global, workspace};
use crate::adapter::{Fault, Profile, Refusal, SignIn};
use crate::ledger::{Ledger, OpenMode, Query};
use crate::model::{Account, AccountName, State};
use crate::oauth::{self, Keeper, Tools};
use crate::secrets::Owner;

/// Give back what an account was signed in to with, and forget it
///
/// What was agreed to in a browser, or opened with a password, is given back to the network, so that it is no longer valid.
/// What was pasted is only forgotten here, and it is said where to end it.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    account: AccountArg,
    /// Only forget it here: the network is not asked
    #[arg(long)]
    no_revoke: bool,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What came of it, for programs. Fields are added, never renamed.
#[derive(Debug, Serialize)]
struct SignedOut<'a> {
    account: &'a AccountName,
    network: &'a str,
    /// Whether it was given back to the network. `null`: there was nothing that could be.
    revoked: Option<bool>,
    /// Where it was forgotten.
    removed: Vec<&'static str>,
    /// Places of the operator's that still have a secret of it.
    left: Vec<String>,
    /// What to do on the network's pages.
    undo: Vec<&'static str>,
    /// Deliveries that are still to come.
    planned: usize,
}

pub(super) fn run(args: &Args, global: &Global) -> Result<Exit, Failure> {
    let (settings, account) = args.account.find(global)?;
    let profile = login::network(&account)?.profile();
    let (tools, _) = login::tools(&settings)?;
    let ledger = settings.ledger(OpenMode::ReadOnly)?;
    workspace::block_on(async {
        let keeper = Keeper::new(tools.clone(), &account);
        let revoked = if args.no_revoke { None } else { give_back(&keeper, &account).await? };
        let removed = forget(&keeper, &tools, &account, profile).await?;
        let left = login::shadows(&tools.secrets, &account, profile).await;
        let planned = to_come(&*ledger, &account.name).await?;
        let had = revoked.is_some() || !removed.is_empty() || !left.is_empty();
        let undo = if had && revoked != Some(true) { undo(profile) } else { Vec::new() };
        let told = SignedOut { account: &account.name, network: profile.id, revoked, removed, left, undo, planned };
        match args.format {
            Format::Json => output::json(&told)?,
            Format::Human => output::stdout(&output::printable(&told.human())),
        }
        if !global.quiet {
            for warning in told.warnings() {
                let label = output::paint(Stream::Stderr, Style::Warning, "warning:");
                output::stderr(&format!("{label} {}\n", output::printable(&warning)));
            }
        }
        Ok(Exit::Done)
    })
}

/// Gives the grant back. `None`: there is none. What cannot be asked now is an error, and nothing was forgotten: without the
/// grant nobody could ask later.
async fn give_back(keeper: &Keeper, account: &Account) -> Result<Option<bool>, Failure> {
    let name = &account.name;
    let failed = |why: &dyn std::fmt::Display| {
        Failure::new(format!("`{name}` could not be signed out of, and nothing was forgotten: {why}"))
            .hint(format!("try again, or only forget it here: `smm logout {name} --no-revoke`"))
    };
    let Some(grant) = keeper.grant().await.map_err(|why| failed(&why))? else { return Ok(None) };
    match keeper.give_back(&grant).await {
        Ok(revoked) => Ok(Some(revoked)),
        // A "no" of its own: it does not know the token any more, or gives none back to this client.
        Err(fault @ Fault::Refused { retry_at: None, .. }) if !is_passing(&fault) => Ok(Some(false)),
        Err(fault) => Err(failed(&fault)),
    }
}

/// It may go away by itself.
fn is_passing(fault: &Fault) -> bool {
    matches!(fault, Fault::Refused { refusal: Refusal::Busy | Refusal::RateLimited, .. })
}

/// Forgets all that is stored. Gives the names of the stores that had something.
async fn forget(
    keeper: &Keeper,
    tools: &Tools,
    account: &Account,
    profile: &Profile,
) -> Result<Vec<&'static str>, Failure> {
    let owner = Owner::account(account);
    let (mut had, mut unasked) = (Vec::new(), Vec::new());
    for field in login::fields(profile) {
        let forgotten = match field {
            // Nobody has to be waited for where there is none.
            oauth::FIELD if !matches!(tools.secrets.stored(&owner, field).await, Ok(None)) => keeper.forget().await,
            field => tools.secrets.remove(&owner, field).await,
        };
        match forgotten {
            Ok(from) => had.extend(from),
            Err(why) => unasked.push(why),
        }
    }
    had.sort_unstable();
    had.dedup();
    unasked.dedup();
    if unasked.is_empty() {
        return Ok(had);
    }
    Err(Failure::new(format!("`{}` may not be forgotten everywhere: {}", account.name, unasked.join("; ")))
        .hint("run it again once all places can be asked"))
}

/// How many deliveries of the account are still to come.
async fn to_come(ledger: &dyn Ledger, account: &AccountName) -> Result<usize, Failure> {
    let states = State::ALL.into_iter().filter(|state| !state.is_final()).collect();
    let query = Query { account: Some(account.clone()), states, ..Query::default() };
    Ok(ledger.deliveries(&query).await?.len())
}

/// What ends a secret that was pasted.
fn undo(profile: &Profile) -> Vec<&'static str> {
    let pasted = profile.sign_in.iter().filter_map(|way| match way {
        SignIn::Paste(paste) => Some(paste.undo),
        SignIn::Password(_) | SignIn::OAuth(_) => None,
    });
    pasted.collect()
}

impl SignedOut<'_> {
    /// For people.
    fn human(&self) -> String {
        let name = self.account;
        let mut text = match (self.revoked, self.removed.as_slice()) {
            (None | Some(false), []) => format!("nothing was kept for `{name}`\n"),
            (revoked, removed) => {
                let mut said = Vec::new();
                if revoked == Some(true) {
                    said.push("the sign-in was given back, and is no longer valid".to_owned());
                }
                if !removed.is_empty() {
                    said.push(format!("it is forgotten in the {}", removed.join(" and the ")));
                }
                format!("signed out of `{name}`: {}\n", said.join("; "))
            }
        };
        for undo in &self.undo {
            let _ = writeln!(text, "on the network it may still be valid: {undo}");
        }
        text
    }

    /// What is not as one may think.
    fn warnings(&self) -> Vec<String> {
        let name = self.account;
        let left =
            |place: &String| format!("{place} still has a secret of `{name}`, and is used: take it away yourself");
        let mut warnings: Vec<String> = self.left.iter().map(left).collect();
        if self.planned > 0 {
            let (posts, held) = match self.planned {
                1 => ("1 post is".to_owned(), "it is held when it is"),
                many => (format!("{many} posts are"), "they are held when they are"),
            };
            warnings.push(format!(
                "{posts} still planned for `{name}`; without credentials {held} due. A daemon that is signed in may go on \
                 for a while: `smm pause {name}`"
            ));
        }
        warnings
    }
}
