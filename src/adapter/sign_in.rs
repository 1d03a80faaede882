//! How one signs in to a network, as data: what `smm login` does follows from it.

/// A way to sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignIn {
    /// A secret that a person makes on the network's pages and pastes: an app password, a token, a webhook's address.
    Paste(&'static Paste),
    /// OAuth 2: a person agrees in a browser.
    OAuth(&'static OAuth),
}

impl SignIn {
    /// What it is, in a few words: `an app password`, `OAuth in a browser`.
    pub fn what(self) -> &'static str {
        match self {
            Self::Paste(paste) => paste.what,
            Self::OAuth(_) => "OAuth in a browser",
        }
    }

    /// The secret field that an adapter asks for.
    pub fn field(self) -> &'static str {
        match self {
            Self::Paste(paste) => paste.field,
            Self::OAuth(oauth) => oauth.field,
        }
    }

    /// What a person does on the network's pages, step by step.
    pub fn steps(self) -> &'static [&'static str] {
        match self {
            Self::Paste(paste) => paste.steps,
            Self::OAuth(oauth) => oauth.steps,
        }
    }
}

/// A secret that is pasted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paste {
    /// What it is: `an app password`.
    pub what: &'static str,
    /// The secret field that it becomes, as in [`super::Profile::secrets`].
    pub field: &'static str,
    /// What to make where, step by step.
    pub steps: &'static [&'static str],
    /// What to do on the network's pages so that it is no longer valid.
    pub undo: &'static str,
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

/// Where OAuth is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthServer {
    /// At the account's own server. What it says of itself (RFC 8414) holds; these paths where it says nothing.
    OfAccount(Endpoints),
    /// The same for everybody: whole addresses.
    Fixed(Endpoints),
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

/// How the answer comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Redirect {
    /// `http://127.0.0.1:PORT/` with any port is accepted (RFC 8252, section 7.3). `Some(0)`: any port; another: this port
    /// alone. `None`: the network refuses loopback.
    pub loopback: Option<u16>,
    /// The address where the code is to be read and pasted from, such as `urn:ietf:wg:oauth:2.0:oob`; `None`: the address
    /// of the page that cannot be reached is pasted.
    pub paste: Option<&'static str>,
}
