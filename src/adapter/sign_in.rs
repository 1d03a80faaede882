//! How one signs in to a network, as data: what `smm login` does follows from it.

/// What stands for the address of the account's server, without a trailing slash, in [`Paste::page`] and in steps.
const SERVER: &str = "{server}";

/// A way to sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignIn {
    /// A secret that a person makes on the network's pages and pastes: an app password, a token, a webhook's address.
    Paste(&'static Paste),
    /// A user's name and password, given once for a session of our own ([`super::Network::sessions`]).
    Password(&'static Password),
    /// OAuth 2: a person agrees in a browser.
    OAuth(&'static OAuth),
}

impl SignIn {
    /// What it is, in a few words: `an app password`, `OAuth in a browser`.
    pub fn what(self) -> &'static str {
        match self {
            Self::Paste(paste) => paste.what,
            Self::Password(_) => "a user's name and password",
            Self::OAuth(_) => "OAuth in a browser",
        }
    }

    /// What is pasted.
    pub fn paste(self) -> Option<&'static Paste> {
        match self {
            Self::Paste(paste) => Some(paste),
            Self::Password(_) | Self::OAuth(_) => None,
        }
    }

    /// The secret field that an adapter asks for.
    pub fn field(self) -> &'static str {
        match self {
            Self::Paste(paste) => paste.field,
            Self::Password(password) => password.field,
            Self::OAuth(oauth) => oauth.field,
        }
    }

    /// Whether a grant comes of it, which is kept as one, renewed and given back; else it is the secret itself.
    pub fn grants(self) -> bool {
        match self {
            Self::Paste(_) => false,
            Self::Password(_) | Self::OAuth(_) => true,
        }
    }

    /// What a person does on the network's pages, step by step, with the address of the account's server filled in.
    pub fn steps(self, server: Option<&str>) -> Vec<String> {
        let steps = match self {
            Self::Paste(paste) => paste.steps,
            Self::Password(password) => password.steps,
            Self::OAuth(oauth) => oauth.steps,
        };
        steps.iter().map(|step| step.replace(SERVER, server.unwrap_or("your server"))).collect()
    }
}

/// A secret that is pasted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paste {
    /// What it is: `an app password`.
    pub what: &'static str,
    /// The secret field that it becomes, as in [`super::Profile::secrets`].
    pub field: &'static str,
    /// The page where it is made, to be opened in a browser; `{server}` stands for the account's server. `None`: it is not
    /// the same everywhere.
    pub page: Option<&'static str>,
    /// What to make where, step by step; `{server}` stands for the account's server.
    pub steps: &'static [&'static str],
    /// What to do on the network's pages so that it is no longer valid.
    pub undo: &'static str,
}

impl Paste {
    /// The page where it is made, of an account with this server. `None`: it cannot be told.
    pub fn page(&self, server: Option<&str>) -> Option<String> {
        match (self.page?, server) {
            (page, Some(server)) => Some(page.replace(SERVER, server)),
            (page, None) => (!page.contains(SERVER)).then(|| page.to_owned()),
        }
    }
}

/// A user's name and a password. The password is used once, and kept nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Password {
    /// The secret field that the session's token stands for, as in [`super::Profile::secrets`].
    pub field: &'static str,
    /// What to do before the first sign-in, step by step; `{server}` stands for the account's server; empty: nothing.
    pub steps: &'static [&'static str],
}

/// OAuth 2 (RFC 6749), always with PKCE (RFC 7636, S256), as a native app (RFC 8252).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OAuth {
    /// The secret field that the access token stands for, as in [`super::Profile::secrets`].
    pub field: &'static str,
    /// Where it is done.
    pub server: AuthServer,
    /// Where the client's id comes from.
    pub client: ClientId,
    /// What is asked for.
    pub scopes: &'static [Scope],
    /// What comes back to us, and how.
    pub redirect: Redirect,
    /// What to make where before the first sign-in, step by step; empty: nothing.
    pub steps: &'static [&'static str],
}

impl OAuth {
    /// The scopes of [`OAuth::scopes`] that these do not cover.
    pub fn missing(&self, granted: &[String]) -> Vec<&'static Scope> {
        self.scopes.iter().filter(|scope| !granted.iter().any(|granted| scope.is_covered(granted))).collect()
    }
}

/// Where OAuth is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthServer {
    /// At the account's own server. What it says of itself (RFC 8414) holds; these paths where it says nothing.
    OfAccount(Endpoints),
    /// The same for everybody: whole addresses.
    Fixed(Endpoints),
    /// The same for everybody, with whole addresses (of an account with a `server`, the same paths there); and there are no
    /// refresh tokens: the access token that a code is good for is exchanged at once for one that lives long, and that one
    /// for a newer one before it ends.
    LongLived(Endpoints, LongLived),
}

/// How Meta's long-lived tokens are come by. Both are GETs with `grant_type` and `access_token`, answered as RFC 6749,
/// section 5.1, has it (`fbsamples/threads_api`, Postman collection, folder Authorization, read 2026-11-23).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LongLived {
    /// Where a short-lived token is exchanged, with the app's secret beside it as `client_secret`.
    pub exchange: &'static str,
    /// The `grant_type` of that.
    pub exchange_grant: &'static str,
    /// Where a long-lived token is exchanged for a newer one.
    pub refresh: &'static str,
    /// The `grant_type` of that.
    pub refresh_grant: &'static str,
}

/// The addresses (or paths) of an authorization server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpoints {
    /// Where a person agrees.
    pub authorize: &'static str,
    /// Where tokens are handed out.
    pub token: &'static str,
    /// Where a token is given back (RFC 7009).
    pub revoke: Option<&'static str>,
    /// Where a device begins (RFC 8628).
    pub device: Option<&'static str>,
}

/// Where the client's id comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientId {
    /// The server gives one to anybody who asks at this path with the form of Mastodon's `POST /api/v1/apps`.
    Apps(&'static str),
    /// A person has made an app: the account's setting `client_id`; with this secret field where the app has a secret.
    Setting {
        /// The field of the app's secret, as in [`super::Profile::secrets`]; `None`: a public client.
        secret: Option<&'static str>,
    },
}

/// A scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope {
    /// As the server calls it.
    pub name: &'static str,
    /// What for.
    pub why: &'static str,
    /// Publishing does not work without it.
    pub needed: bool,
}

impl Scope {
    /// Whether a scope that was granted stands for this one: it is the same, or the one that this is a part of, as `write`
    /// is for `write:media` (mastodon/documentation, api/oauth-scopes.md, 2026-11-22).
    pub fn is_covered(&self, granted: &str) -> bool {
        self.name.strip_prefix(granted).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
    }
}

/// How the answer comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Redirect {
    /// `http://127.0.0.1:PORT/` with any port is accepted (RFC 8252, section 7.3). `Some(0)`: any port; another: this port
    /// alone. `None`: the network refuses loopback.
    pub loopback: Option<u16>,
    /// The address where the code is to be read and pasted from, such as `urn:ietf:wg:oauth:2.0:oob`; `None`: the address
    /// of the page that cannot be reached is pasted. The account's setting `redirect_uri` comes before it, for networks where
    /// a person registers an address of their own.
    pub paste: Option<&'static str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn scope(name: &'static str, needed: bool) -> Scope {
        Scope { name, why: "", needed }
    }

    #[test]
    fn a_wider_scope_stands_for_its_parts() {
        let nowhere = Endpoints { authorize: "", token: "", revoke: None, device: None };
        let oauth = OAuth {
            field: "token",
            server: AuthServer::Fixed(nowhere),
            client: ClientId::Setting { secret: None },
            scopes: const { &[scope("read", true), scope("write:media", true), scope("write:statuses", false)] },
            redirect: Redirect { loopback: None, paste: None },
            steps: &[],
        };
        let missing = |granted: &[&str]| {
            let granted: Vec<String> = granted.iter().map(|&scope| scope.to_owned()).collect();
            oauth.missing(&granted).into_iter().map(|scope| scope.name).collect::<Vec<_>>()
        };
        assert_eq!(missing(&["read", "write"]), [""; 0]);
        assert_eq!(missing(&["read", "write:media"]), ["write:statuses"]);
        // A part does not stand for the whole, nor a scope for one whose name only begins so.
        assert_eq!(missing(&["read:accounts", "writ", "write:statuses"]), ["read", "write:media"]);
        assert_eq!(missing(&[]), ["read", "write:media", "write:statuses"]);
    }

    #[test]
    fn the_server_is_filled_in() {
        static PASTE: Paste =
            Paste { what: "", field: "", page: None, steps: &["Sign in to {server}.", "Make one."], undo: "" };
        let paste = Paste {
            what: "a token",
            field: "token",
            page: Some("{server}/tokens"),
            steps: &["Sign in to {server}.", "Make one."],
            undo: "",
        };
        assert_eq!(paste.page(Some("https://a.example")).as_deref(), Some("https://a.example/tokens"));
        assert_eq!(paste.page(None), None);
        assert_eq!(Paste { page: Some("https://b.example"), ..paste }.page(None).as_deref(), Some("https://b.example"));
        assert_eq!(
            SignIn::Paste(&PASTE).steps(Some("https://a.example")),
            ["Sign in to https://a.example.", "Make one."]
        );
        assert_eq!(SignIn::Paste(&PASTE).steps(None)[0], "Sign in to your server.");
    }
}
