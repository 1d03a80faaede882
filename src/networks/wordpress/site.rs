//! Where a site's API is.

use serde::Deserialize;
use url::Url;

use crate::adapter::http::{Answer, Http, Request};
use crate::adapter::{Fault, Refusal};

/// What `rel` says of the API in a `Link` header (WP-API/docs, using-the-rest-api/discovery.md, 2026-11-23).
const REL: &str = "https://api.w.org/";

/// The usual place.
const PRETTY: &str = "/wp-json";

/// Where it is when the site has plain permalinks.
const PLAIN: &str = "/?rest_route=";

/// Where the API is, below the address of the site: a path, or one that ends with `?rest_route=`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Root(String);

#[derive(Deserialize)]
struct Index {
    #[serde(default)]
    namespaces: Vec<String>,
    /// Some sites show their index to those alone who are signed in: an error of the API's own is one, too.
    #[serde(default)]
    code: String,
}

impl Root {
    /// One that was found before.
    pub(super) fn new(written: impl Into<String>) -> Self {
        Self(written.into())
    }

    /// As it is stored.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// The address of a route such as `/wp/v2/posts`.
    pub(super) fn url(&self, server: &str, route: &str) -> String {
        format!("{server}{}{route}", self.0)
    }

    /// Finds it, without a credential: in the usual place, where plain permalinks have it, or where the site says.
    pub(super) async fn find(http: &Http, server: &str) -> Result<Self, Fault> {
        let mut answers = Vec::new();
        for root in [PRETTY, PLAIN] {
            let root = Self(root.to_owned());
            let answer = root.ask(http, server).await?;
            if is_index(&answer) {
                return Ok(root);
            }
            answers.push(answer);
        }
        let home = http.call(Request::get(format!("{server}/"))).await?;
        if let Some(root) = home.header("link").and_then(|link| linked(link, server))
            && is_index(&root.ask(http, server).await?)
        {
            return Ok(root);
        }
        answers.push(home);
        // No credential follows a redirect, so the address has to be the last one.
        let moved = |answer: &Answer| {
            (300..400).contains(&answer.status).then(|| answer.header("location").map(str::to_owned)).flatten()
        };
        if let Some(place) = answers.iter().find_map(moved) {
            let message = format!("{server} sends on to {place}; write in `server` where readers end up");
            return Err(Fault::refused(Refusal::Forbidden, message));
        }
        // A site that is down is not a site without an API.
        if let Some(answer) = answers.iter().find(|answer| answer.status == 429 || answer.status >= 500) {
            let message = format!("{server} answers HTTP {}", answer.status);
            return Err(Fault::refused(Refusal::Busy, message));
        }
        let message = format!(
            "{server} has no WordPress API in the usual places (`{PRETTY}`, `{PLAIN}/`); is it the address that readers \
             open, and is the API turned on?"
        );
        Err(Fault::refused(Refusal::Forbidden, message))
    }

    async fn ask(&self, http: &Http, server: &str) -> Result<Answer, Fault> {
        http.call(Request::get(self.url(server, "/")).query("_fields", "namespaces")).await
    }
}

fn is_index(answer: &Answer) -> bool {
    answer.json::<Index>().is_ok_and(|index| {
        if answer.is_success() {
            index.namespaces.iter().any(|name| name == "wp/v2")
        } else {
            index.code.starts_with("rest_") || (matches!(answer.status, 401 | 403) && !index.code.is_empty())
        }
    })
}

/// The root in a `Link` header, where it is below the address of the site: no credential goes elsewhere.
fn linked(header: &str, server: &str) -> Option<Root> {
    for link in header.split(',') {
        let (target, rest) = link.trim().strip_prefix('<')?.split_once('>')?;
        if !rest.contains(&format!("rel=\"{REL}\"")) {
            continue;
        }
        let (target, server) = (Url::parse(target).ok()?, Url::parse(&format!("{server}/")).ok()?);
        let below = target.as_str().strip_prefix(server.as_str())?;
        return Some(Root(format!("/{}", below.trim_end_matches('/'))));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_api_is_where_the_site_says_and_nowhere_else() {
        let of = |header: &str| linked(header, "https://blog.example/news").map(|root| root.0);
        let rel = "rel=\"https://api.w.org/\"";
        assert_eq!(of(&format!("<https://blog.example/news/wp-json/>; {rel}")).as_deref(), Some("/wp-json"));
        assert_eq!(
            of(&format!("<https://blog.example/news/x>; rel=\"alternate\", <https://blog.example/news/index.php?rest_route=/>; {rel}")).as_deref(),
            Some("/index.php?rest_route=")
        );
        assert_eq!(of(&format!("<https://blog.example/news/api/>; {rel}")).as_deref(), Some("/api"));
        for elsewhere in [
            format!("<https://evil.example/wp-json/>; {rel}"),
            format!("<https://blog.example/newsletter/wp-json/>; {rel}"),
            format!("<https://blog.example/wp-json/>; {rel}"),
            "<https://blog.example/news/wp-json/>; rel=\"next\"".to_owned(),
            "nonsense".to_owned(),
        ] {
            assert_eq!(of(&elsewhere), None, "{elsewhere}");
        }
        let root = Root::new("/?rest_route=");
        assert_eq!(root.url("https://blog.example", "/wp/v2/posts"), "https://blog.example/?rest_route=/wp/v2/posts");
    }
}
