//! Who it is that was signed in to, whether it is the account that is meant, and whether what was granted is enough. All of
//! it before anything is stored.

use std::collections::HashMap;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};

use super::super::{Failure, prompt, workspace};
use super::Desk;
use super::gain::Gained;
use crate::adapter::{Api, Credential, Fault, Identity, OAuth, Refusal, Scope, SignIn};
use crate::engine::{Connector, Folders, Networks};
use crate::model::Binding;
use crate::secrets::Chain;

/// What was seen.
pub(super) struct Seen {
    /// Who it is.
    pub(super) identity: Identity,
    /// The scopes granted; `None`: the server does not say.
    pub(super) scopes: Option<Vec<String>>,
    /// The scopes that are not granted, and that publishing can do without.
    pub(super) missing: Vec<&'static Scope>,
    /// When a person has to sign in again; `None`: never, or not known.
    pub(super) ends: Option<DateTime<Utc>>,
}

/// Before anything is asked for: the account leads to the host that the ledger knows, so that no secret goes to another.
pub(super) async fn host(desk: &Desk<'_>, bound: Option<&Binding>) -> Result<(), Failure> {
    let Some(bound) = bound else { return Ok(()) };
    if bound.network != desk.account.network {
        return Err(other(desk, bound, &format!("is an account of {} now", desk.account.network)));
    }
    let api = connect(desk, &Chain::new(|_| None, None))?;
    match prompt::or_cancelled(api.host()).await? {
        Ok(Some(host)) if host != bound.host => Err(other(desk, bound, &format!("leads to {host} now"))),
        // Where the secret itself leads there, who it is tells later.
        Ok(_) | Err(Fault::Refused { refusal: Refusal::Secret, .. }) => Ok(()),
        Err(fault) => Err(refused(desk, &fault)),
    }
}

/// Who it is, with what was gained alone: whatever else is set or stored does not count.
pub(super) async fn who(desk: &Desk<'_>, gained: &Gained, bound: Option<&Binding>) -> Result<Seen, Failure> {
    let (field, _) = gained.token();
    let given: HashMap<String, SecretString> =
        gained.secrets().into_iter().map(|(field, secret)| (desk.variable(field), secret.clone())).collect();
    let candidate = Chain::new(move |name| given.get(name).map(|secret| secret.expose_secret().to_owned()), None);
    let api = connect(desk, &candidate)?;
    let asked = async {
        let identity = api.whoami().await?;
        // A server that cannot be asked this does not say.
        Ok((identity, api.credential().await.unwrap_or_default()))
    };
    let (identity, credential): (Identity, Credential) =
        prompt::or_cancelled(asked).await?.map_err(|fault| refused(desk, &fault))?;
    if let Some(bound) = bound.filter(|bound| (&bound.host, &bound.uid) != (&identity.host, &identity.uid)) {
        let to = format!("would be {} ({}) at {}", identity.handle, identity.uid, identity.host);
        return Err(other(desk, bound, &to));
    }
    let (granted, ends) = match gained {
        Gained::Secret { .. } => (None, credential.expires),
        // A session that a password has opened may do all that its user may.
        Gained::Grant { grant, .. } => (grant.session.is_none().then(|| grant.scopes.clone()), grant.info("").ends()),
    };
    // What came with the grant is of this very token.
    let scopes = granted.or(credential.scopes);
    let missing = match (&scopes, scopes_of(desk.profile.sign_in, field)) {
        (Some(scopes), Some(oauth)) => oauth.missing(scopes),
        _ => Vec::new(),
    };
    let needed: Vec<&Scope> = missing.iter().copied().filter(|scope| scope.needed).collect();
    if !needed.is_empty() {
        return Err(too_little(desk, &identity, gained, &needed));
    }
    Ok(Seen { identity, scopes, missing, ends })
}

/// The one that asks for scopes with this field: a token that was made by hand needs the same.
fn scopes_of(ways: &[SignIn], field: &str) -> Option<&'static OAuth> {
    ways.iter().find_map(|way| match way {
        SignIn::OAuth(oauth) if oauth.field == field => Some(*oauth),
        _ => None,
    })
}

fn connect(desk: &Desk<'_>, secrets: &Chain) -> Result<Box<dyn Api>, Failure> {
    let tools = &desk.tools;
    let networks = Networks::new(secrets.clone(), desk.http.clone(), tools.state.clone(), tools.clock.clone())
        .with_programs(workspace::environment());
    // Nothing is read or written there: only questions are asked.
    let nowhere = || PathBuf::from(".");
    let folders = Folders { media: nowhere(), files: nowhere() };
    networks.connect(desk.account, &folders).map_err(Failure::new)
}

/// It is bound to somebody else.
pub(super) fn other(desk: &Desk<'_>, bound: &Binding, how: &str) -> Failure {
    let name = &desk.account.name;
    Failure::new(format!(
        "`{name}` is {} ({}) at {} by what was published so far, and {how}; nothing was stored",
        bound.handle, bound.uid, bound.host
    ))
    .hint(format!("sign in as {}, or mend the account's settings in smm.toml", bound.handle))
    .hint(format!(
        "if it is meant to be somebody else from now on: `smm resume {name} --accept-change`, then `smm login {name}`"
    ))
}

fn refused(desk: &Desk<'_>, fault: &Fault) -> Failure {
    let name = &desk.account.name;
    let failure = Failure::new(format!("`{name}` is not signed in to: {fault}"));
    match fault {
        Fault::Refused { refusal: Refusal::Credentials | Refusal::Forbidden | Refusal::Secret, .. } => failure.hint(format!(
            "nothing was stored; look whether all of it was pasted, and whether the settings of `{name}` in smm.toml are \
             right; else make a new one, and run `smm login {name}` again"
        )),
        _ => failure.hint(format!("nothing was stored; try `smm login {name}` again once the server can be asked")),
    }
}

fn too_little(desk: &Desk<'_>, identity: &Identity, gained: &Gained, needed: &[&Scope]) -> Failure {
    let name = &desk.account.name;
    let lacks: Vec<String> = needed.iter().map(|scope| format!("`{}` ({})", scope.name, scope.why)).collect();
    let failure = Failure::new(format!(
        "what was granted for {} is not enough: {} {} missing; nothing was stored",
        identity.handle,
        lacks.join(", "),
        if lacks.len() == 1 { "is" } else { "are" }
    ));
    failure.hint(match gained {
        Gained::Grant { .. } => format!("`smm login {name}` again, and agree to all that is asked for"),
        Gained::Secret { .. } => {
            let names: Vec<&str> = scopes_of(desk.profile.sign_in, gained.token().0)
                .map(|oauth| oauth.scopes.iter().map(|scope| scope.name).collect())
                .unwrap_or_default();
            format!("make another one with the scopes {}, and run `smm login {name}` again", names.join(", "))
        }
    })
}
