//! What is asked of the person: to make a secret on the network's pages and paste it, or to agree in a browser.

use std::fmt::Write as _;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use super::super::{Failure, browser, output, prompt};
use super::{Desk, Store, With};
use crate::adapter::{Fault, OAuth, Password, Paste, SignIn};
use crate::oauth::{self, Browser, Device, Grant, SigningIn, Way};
use crate::secrets::Owner;

/// How long the browser's answer is waited for.
const PATIENCE: Duration = Duration::from_mins(10);

/// What signing in gave.
pub(super) enum Gained {
    /// A secret that was pasted.
    Secret {
        /// Its field.
        field: &'static str,
        /// The secret.
        secret: SecretString,
        /// Those that belong to it.
        more: Vec<(&'static str, SecretString)>,
    },
    /// A grant: by OAuth, or a session that a password has opened.
    Grant {
        /// The field that its access token stands for.
        field: &'static str,
        /// The grant.
        grant: Box<Grant>,
    },
}

impl Gained {
    /// The field that an adapter asks for, and its value now.
    pub(super) fn token(&self) -> (&'static str, &SecretString) {
        match self {
            Self::Secret { field, secret, .. } => (field, secret),
            Self::Grant { field, grant } => (field, &grant.access),
        }
    }

    /// All that an adapter asks for.
    pub(super) fn secrets(&self) -> Vec<(&'static str, &SecretString)> {
        let more = if let Self::Secret { more, .. } = self { more.as_slice() } else { &[] };
        std::iter::once(self.token()).chain(more.iter().map(|(field, secret)| (*field, secret))).collect()
    }

    /// All fields that it is kept in.
    pub(super) fn kept(&self) -> Vec<&'static str> {
        match self {
            Self::Secret { .. } => self.secrets().into_iter().map(|(field, _)| field).collect(),
            Self::Grant { .. } => vec![oauth::FIELD],
        }
    }

    /// The field that it is kept in; of several, the first.
    pub(super) fn kept_as(&self) -> &'static str {
        match self {
            Self::Secret { field, .. } => field,
            Self::Grant { .. } => oauth::FIELD,
        }
    }

    /// It is not kept: a grant is given back, so that nothing is left that is valid and that nobody knows of.
    pub(super) async fn give_back(&self, desk: &Desk<'_>) {
        if let Self::Grant { grant, .. } = self {
            // What has gone wrong before matters more.
            let _ = prompt::or_cancelled(desk.keeper().give_back(grant)).await;
        }
    }
}

/// Which of the network's ways is gone.
pub(super) fn choose(ways: &[SignIn], with: Option<With>, paste: bool) -> Option<SignIn> {
    let find = |is: fn(&SignIn) -> bool| ways.iter().copied().find(is);
    let (oauth, pasted) = (find(|way| matches!(way, SignIn::OAuth(_))), find(|way| matches!(way, SignIn::Paste(_))));
    match with {
        Some(With::Password) => find(|way| matches!(way, SignIn::Password(_))),
        Some(With::Paste) => pasted,
        Some(With::OAuth | With::Device) => oauth,
        None if paste => oauth.or(pasted),
        None => ways.first().copied(),
    }
}

/// Asks for it.
pub(super) async fn gain(desk: &Desk<'_>, way: SignIn) -> Result<Gained, Failure> {
    match way {
        SignIn::Paste(paste) => pasted(desk, paste).await,
        SignIn::Password(password) => {
            let grant = Box::new(opened(desk, password).await?);
            Ok(Gained::Grant { field: password.field, grant })
        }
        SignIn::OAuth(oauth) => {
            let grant = Box::new(agreed(desk, oauth).await?);
            Ok(Gained::Grant { field: oauth.field, grant })
        }
    }
}

/// Asks for a secret, and for those that belong to it.
async fn pasted(desk: &Desk<'_>, first: &'static Paste) -> Result<Gained, Failure> {
    let pastes: Vec<&'static Paste> = desk.profile.sign_in.iter().filter_map(|way| way.paste()).collect();
    let more: Vec<&'static Paste> = pastes.into_iter().filter(|paste| paste.field != first.field).collect();
    if !prompt::is_attended() {
        let fields: Vec<&str> = std::iter::once(first).chain(more.iter().copied()).map(|paste| paste.field).collect();
        let mut lines = prompt::lines(&fields).await?.into_iter();
        let secret = lines.next().unwrap_or_default();
        let more = more.iter().map(|paste| paste.field).zip(lines).collect();
        return Ok(Gained::Secret { field: first.field, secret, more });
    }
    desk.can_keep(first.field).await?;
    let secret = asked(desk, first).await?;
    let mut given = Vec::new();
    for paste in more {
        given.push((paste.field, asked(desk, paste).await?));
    }
    Ok(Gained::Secret { field: first.field, secret, more: given })
}

/// Says what to make where, and takes it. Where it can be made here, Enter alone makes a new one.
async fn asked(desk: &Desk<'_>, paste: &'static Paste) -> Result<SecretString, Failure> {
    let server = desk.account.server.as_deref();
    let mut text = format!("Signing in to {} with {}:\n\n", desk.name(), paste.what);
    steps(&mut text, &SignIn::Paste(paste).steps(server));
    let page = paste.page(server);
    if let Some(page) = &page {
        let _ = writeln!(text, "\n  {page}");
    }
    output::stderr(&(output::printable(&text) + "\n"));
    if let Some(page) = page {
        desk.open(&page);
    }
    let random = oauth::random_bytes().map_err(|fault| Failure::new(fault.to_string()))?;
    let Some(new) = super::network(desk.account)?.new_secret(paste.field, random) else {
        return prompt::secret("Paste it here and press Enter; it is not shown: ").await;
    };
    let question = "Paste it here and press Enter, or press Enter alone for a new one; it is not shown: ";
    if let Some(given) = prompt::secret_or_none(question).await? {
        return Ok(given);
    }
    // The one time that it is shown: whoever is at the other end needs it, too.
    output::stderr(&format!(
        "\nThe new {}, to be given to the other end; it is not shown again:\n\n  {}\n\n",
        paste.field,
        new.expose_secret()
    ));
    Ok(new)
}

/// Opens a session with a user's name and password. One that is kept goes on: what the network knows by its name, it knows on.
async fn opened(desk: &Desk<'_>, password: &'static Password) -> Result<Grant, Failure> {
    let Some(sessions) = super::network(desk.account)?.sessions() else {
        return Err(Failure::new(format!("{} opens no session for a password", desk.profile.name)));
    };
    desk.can_keep(oauth::FIELD).await?;
    let server = desk.account.server.as_deref();
    if prompt::is_attended() {
        let mut text = format!(
            "Signing in to {} with a user's name and password, which is used once and not kept.\n",
            desk.name()
        );
        steps(&mut text, &SignIn::Password(password).steps(server));
        output::stderr(&(output::printable(&text) + "\n"));
    }
    let login = prompt::login().await?;
    // One that cannot be read is as good as none.
    let before = desk.keeper().grant().await.ok().flatten();
    let before = before.filter(|grant| Some(grant.server.as_str()) == server).and_then(|grant| grant.session);
    let (http, now) = (&desk.tools.http, desk.tools.clock.now());
    let session = sessions.open(http, desk.account, &login, before.as_deref(), now);
    let session = prompt::or_cancelled(session).await?.map_err(|fault| {
        let failure = desk.not_agreed(&fault);
        match choose(desk.profile.sign_in, Some(With::Paste), false) {
            Some(way) => {
                failure.hint(format!("or, with {}: `smm login {} --with paste`", way.what(), desk.account.name))
            }
            None => failure,
        }
    })?;
    Ok(Grant::of_session(session, server, now))
}

/// Numbered.
fn steps(text: &mut String, steps: &[String]) {
    for (number, step) in steps.iter().enumerate() {
        let _ = writeln!(text, "  {}. {step}", number + 1);
    }
}

async fn agreed(desk: &Desk<'_>, oauth: &'static OAuth) -> Result<Grant, Failure> {
    let tools = &desk.tools;
    desk.can_keep(oauth::FIELD).await?;
    let headless = browser::missing();
    if desk.args.with.is_none() && !desk.args.paste && headless.is_some() && !prompt::is_attended() {
        let mut failure =
            Failure::new(format!("signing in to `{}` needs a person, and nobody can be asked here", desk.account.name))
                .hint("run it in a terminal");
        if let Some(way) = choose(desk.profile.sign_in, Some(With::Paste), false) {
            failure = failure.hint(format!(
                "or give {} on stdin: `smm login {} --with paste < FILE`",
                way.what(),
                desk.account.name
            ));
        }
        return Err(failure);
    }
    let own = SignIn::OAuth(oauth).steps(desk.account.server.as_deref());
    if !own.is_empty() {
        let mut text = "Before the first time:\n\n".to_owned();
        steps(&mut text, &own);
        output::stderr(&(text + "\n"));
    }
    let begun = SigningIn::begin(tools.http.clone(), desk.account, oauth, &tools.secrets, tools.clock.clone());
    let signing_in = prompt::or_cancelled(begun).await?.map_err(|fault| desk.not_agreed(&fault))?;
    let (way, note) = path(signing_in.ways(), desk.args.with, desk.args.paste, headless)
        .map_err(|why| Failure::new(format!("{why}; nothing was stored")).hint(desk.other_ways(signing_in.ways())))?;
    if let Some(note) = note {
        output::stderr(&format!("{note}\n\n"));
    }
    match way {
        Way::Device => {
            let device = prompt::or_cancelled(signing_in.device()).await?.map_err(|fault| desk.not_agreed(&fault))?;
            by_device(desk, device).await
        }
        Way::Paste => by_paste(desk, &signing_in).await,
        Way::Loopback => match prompt::or_cancelled(signing_in.browser(true)).await? {
            Ok(browser) => by_loopback(desk, browser).await,
            Err(fault) if signing_in.ways().contains(&Way::Paste) => {
                let text =
                    format!("This machine cannot wait for the browser's answer ({fault}), so it has to be pasted.\n\n");
                output::stderr(&output::printable(&text));
                by_paste(desk, &signing_in).await
            }
            Err(fault) => Err(desk.not_agreed(&fault)),
        },
    }
}

/// How the answer comes back, and what is to be said of that. `Err` says why not at all.
fn path(
    ways: &[Way],
    with: Option<With>,
    paste: bool,
    headless: Option<&'static str>,
) -> Result<(Way, Option<String>), String> {
    let has = |way| ways.contains(&way);
    if with == Some(With::Device) {
        return if has(Way::Device) {
            Ok((Way::Device, None))
        } else {
            Err("the server has no codes for other devices".to_owned())
        };
    }
    if paste {
        return if has(Way::Paste) {
            Ok((Way::Paste, None))
        } else {
            Err("the server has no answer that could be pasted".to_owned())
        };
    }
    if has(Way::Loopback) && headless.is_none() {
        return Ok((Way::Loopback, None));
    }
    let because = match headless {
        Some(why) if has(Way::Loopback) => why.to_owned(),
        _ => "The network does not send its answer to a program on this machine".to_owned(),
    };
    let because = because[..1].to_uppercase() + &because[1..];
    if with.is_none() && headless.is_some() && has(Way::Device) {
        return Ok((Way::Device, Some(format!("{because}: agree on any other device."))));
    }
    if has(Way::Paste) {
        return Ok((Way::Paste, Some(format!("{because}, so the answer has to be pasted."))));
    }
    if has(Way::Loopback) {
        return Ok((
            Way::Loopback,
            Some(format!("{because}: the address has to be opened in a browser on this machine.")),
        ));
    }
    if has(Way::Device) {
        return Ok((Way::Device, None));
    }
    Err("the server has no way of signing in that smm knows".to_owned())
}

async fn by_loopback(desk: &Desk<'_>, browser: Browser) -> Result<Grant, Failure> {
    output::stderr(&output::printable(&format!(
        "Signing in to {} in a browser: look who you are signed in as there, and agree.\n\n  {}\n\n",
        desk.name(),
        browser.url()
    )));
    desk.open(browser.url());
    output::stderr("Waiting for your answer there; Ctrl-C gives up.\n");
    let code = prompt::or_cancelled(browser.wait(PATIENCE)).await?.map_err(|fault| {
        desk.not_agreed(&fault)
            .hint(format!("where the browser is on another machine: `smm login {} --paste`", desk.account.name))
    })?;
    prompt::or_cancelled(browser.redeem(code)).await?.map_err(|fault| desk.not_agreed(&fault))
}

async fn by_paste(desk: &Desk<'_>, signing_in: &SigningIn) -> Result<Grant, Failure> {
    let browser = prompt::or_cancelled(signing_in.browser(false)).await?.map_err(|fault| desk.not_agreed(&fault))?;
    output::stderr(&output::printable(&format!(
        "Signing in to {} in a browser on any machine:\n\n  1. Open this address, look who you are signed in as, and agree.\n\n     {}\n\n  \
         2. Copy the code that is shown then; or, where the page cannot be reached, its whole address.\n\n",
        desk.name(),
        browser.url()
    )));
    desk.open(browser.url());
    let text = prompt::secret("Paste it here and press Enter; it is not shown: ").await?;
    let code = browser.pasted(text.expose_secret()).map_err(|fault| desk.not_agreed(&fault))?;
    prompt::or_cancelled(browser.redeem(code)).await?.map_err(|fault| desk.not_agreed(&fault))
}

async fn by_device(desk: &Desk<'_>, device: Device) -> Result<Grant, Failure> {
    let url = device.url_with_code.as_deref().unwrap_or(&device.url).to_owned();
    output::stderr(&output::printable(&format!(
        "Signing in to {} on any device:\n\n  1. Open {}\n  2. Type the code {} there, and agree.\n\n",
        desk.name(),
        device.url,
        device.user_code,
    )));
    desk.open(&url);
    output::stderr(&format!("Waiting until {}; Ctrl-C gives up.\n", device.ends.format("%H:%M UTC")));
    prompt::or_cancelled(device.finish()).await?.map_err(|fault| desk.not_agreed(&fault))
}

impl Desk<'_> {
    /// There is a place to keep it in: looked for before a person goes through all of it for nothing.
    async fn can_keep(&self, field: &str) -> Result<(), Failure> {
        let into = self.args.store.map(Store::name);
        let Err(why) = self.tools.secrets.can_store(&Owner::account(self.account), into).await else { return Ok(()) };
        let failure =
            Failure::new(format!("there is no place to keep the {field} of `{}` in: {why}", self.account.name));
        Err(self.without_store(failure, field))
    }

    /// What to do where nothing can be kept.
    pub(super) fn without_store(&self, failure: Failure, field: &str) -> Failure {
        let name = &self.account.name;
        let failure = failure.hint(format!("nothing was stored; run `smm login {name}` again once there is a place"));
        if field == oauth::FIELD {
            return failure;
        }
        failure.hint(format!(
            "or give the {field} itself to what publishes, as {} in its environment or as the systemd credential \
             `{name}.{field}`: `smm login` is not needed then",
            self.variable(field)
        ))
    }

    /// The account, for steps.
    fn name(&self) -> String {
        format!("`{}`", self.account.name)
    }

    /// Opens a page where a browser is and is wanted. The address was printed before: what goes wrong is no matter.
    fn open(&self, url: &str) {
        if self.args.no_browser || browser::missing().is_some() {
            return;
        }
        output::stderr(&match browser::show(url) {
            Ok(()) => "It opens in your browser.\n\n".to_owned(),
            Err(why) => {
                output::printable(&format!("It could not be opened in a browser ({why}); open it yourself.\n\n"))
            }
        });
    }

    /// The person or the server did not agree, or did not answer.
    fn not_agreed(&self, fault: &Fault) -> Failure {
        let name = &self.account.name;
        Failure::new(format!("`{name}` is not signed in to: {fault}"))
            .hint(format!("nothing was stored; `smm login {name}` begins anew"))
    }

    /// What there is besides.
    fn other_ways(&self, ways: &[Way]) -> String {
        let mut known: Vec<String> = Vec::new();
        if ways.contains(&Way::Loopback) {
            known.push("`--with oauth`".to_owned());
        }
        if ways.contains(&Way::Paste) {
            known.push("`--paste`".to_owned());
        }
        if ways.contains(&Way::Device) {
            known.push("`--with device`".to_owned());
        }
        if let Some(way) = choose(self.profile.sign_in, Some(With::Paste), false) {
            known.push(format!("`--with paste` ({})", way.what()));
        }
        format!("there is {}", known.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Way; 3] = [Way::Loopback, Way::Paste, Way::Device];
    const SSH: Option<&str> = Some("you are here over ssh");

    fn gone(ways: &[Way], with: Option<With>, paste: bool, headless: Option<&'static str>) -> Option<Way> {
        path(ways, with, paste, headless).ok().map(|(way, _)| way)
    }

    #[test]
    fn the_answer_comes_back_where_it_can() {
        assert_eq!(path(&ALL, None, false, None), Ok((Way::Loopback, None)));
        assert_eq!(gone(&ALL, None, true, None), Some(Way::Paste));
        assert_eq!(gone(&ALL, Some(With::Device), false, None), Some(Way::Device));
        // Without a browser here.
        assert_eq!(gone(&ALL, None, false, SSH), Some(Way::Device));
        assert_eq!(gone(&ALL, Some(With::OAuth), false, SSH), Some(Way::Paste));
        let (way, note) = path(&[Way::Loopback, Way::Paste], None, false, SSH).expect("a way");
        assert_eq!(way, Way::Paste);
        assert!(note.expect("an explanation").starts_with("You are here over ssh, so"));
        assert_eq!(gone(&[Way::Loopback], None, false, SSH), Some(Way::Loopback));
        // A network that refuses loopback.
        let (way, note) = path(&[Way::Paste], None, false, None).expect("a way");
        assert_eq!(way, Way::Paste);
        assert!(note.expect("an explanation").starts_with("The network does not send"));
        assert_eq!(gone(&[Way::Device], None, false, None), Some(Way::Device));
        // What is not there is not replaced in silence.
        assert!(path(&[Way::Loopback, Way::Paste], Some(With::Device), false, None).is_err());
        assert!(path(&[Way::Loopback], None, true, None).is_err());
        assert!(path(&[], None, false, None).is_err());
    }

    #[test]
    fn the_best_way_is_gone_unless_another_is_asked_for() {
        static PASTE: Paste = Paste { what: "", field: "token", page: None, steps: &[], undo: "" };
        static PASSWORD: Password = Password { field: "token", steps: &[] };
        let only = [SignIn::Paste(&PASTE)];
        assert_eq!(choose(&only, None, false), Some(only[0]));
        assert_eq!(choose(&only, None, true), Some(only[0]));
        assert_eq!(choose(&only, Some(With::OAuth), false), None);
        assert_eq!(choose(&only, Some(With::Device), false), None);
        assert_eq!(choose(&[], None, false), None);
        let both = [SignIn::Password(&PASSWORD), only[0]];
        assert_eq!(choose(&both, None, false), Some(both[0]));
        assert_eq!(choose(&both, Some(With::Password), false), Some(both[0]));
        for (with, paste) in [(Some(With::Paste), false), (None, true)] {
            assert_eq!(choose(&both, with, paste), Some(both[1]));
        }
        assert_eq!(choose(&only, Some(With::Password), false), None);
    }
}
