//! A bucket of any server that speaks the API of Amazon S3. The only file that names `rusty_s3`, which signs addresses
//! (AWS Signature Version 4 in the query) and does nothing else: calls go through [`Http`].
//!
//! Three calls: `PutObject`, `ListObjectsV2`, `DeleteObject` (Amazon S3 API Reference, version 2006-03-01, read 2026-11-23).

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use rusty_s3::{Credentials, Method, UrlStyle};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::Place;
use crate::adapter::http::{Answer, Body, Http, Request};
use crate::adapter::{Fault, MediaFile, Refusal, Secrets};
use crate::oauth::Tools;
use crate::secrets::Owner;
use crate::time::{Clock, timestamp};

/// A signed address is good for so long.
const SIGNED: Duration = Duration::from_mins(15);

/// A bucket.
pub(super) struct Bucket {
    endpoint: String,
    name: String,
    region: String,
    prefix: String,
    http: Http,
    secrets: Arc<dyn Secrets>,
    clock: Arc<dyn Clock>,
}

/// What a call is signed with.
struct Keys {
    credentials: Credentials,
    hidden: [SecretString; 2],
}

impl Bucket {
    pub(super) fn new(endpoint: &str, name: &str, region: &str, prefix: &str, tools: &Tools) -> Self {
        Self {
            endpoint: endpoint.to_owned(),
            name: name.to_owned(),
            region: region.to_owned(),
            prefix: prefix.to_owned(),
            http: tools.http.clone(),
            secrets: tools.secrets.of(Owner::media_host()),
            clock: Arc::clone(&tools.clock),
        }
    }

    async fn keys(&self) -> Result<Keys, Fault> {
        let (key, secret) = (self.secrets.secret("key").await?, self.secrets.secret("secret").await?);
        let credentials = Credentials::new(key.expose_secret(), secret.expose_secret());
        Ok(Keys { credentials, hidden: [key, secret] })
    }

    /// The bucket as `rusty_s3` knows it: its name is in the path, unless the endpoint's host begins with it.
    fn bucket(&self) -> Result<rusty_s3::Bucket, Fault> {
        let wrong = |why: String| Fault::NotSent(format!("the media host's `endpoint` is not to be used: {why}"));
        let mut endpoint = Url::parse(&self.endpoint).map_err(|error| wrong(error.to_string()))?;
        let host =
            endpoint.host_str().and_then(|host| host.strip_prefix(&format!("{}.", self.name))).map(str::to_owned);
        let style = if host.is_some() { UrlStyle::VirtualHost } else { UrlStyle::Path };
        if let Some(host) = host {
            endpoint.set_host(Some(&host)).map_err(|error| wrong(error.to_string()))?;
        }
        rusty_s3::Bucket::new(endpoint, style, self.name.clone(), self.region.clone())
            .map_err(|error| wrong(format!("{error:?}")))
    }

    /// Signs a call. Queries and headers are sorted by name.
    fn sign(&self, keys: &Keys, method: Method, url: Url, query: &[(&str, &str)], headers: &[(&str, &str)]) -> String {
        let credentials = &keys.credentials;
        let signed = rusty_s3::signing::sign(
            &timestamp(self.clock.now()),
            method,
            url,
            credentials.key(),
            credentials.secret(),
            credentials.token(),
            &self.region,
            SIGNED.as_secs(),
            query.iter().copied(),
            headers.iter().copied(),
        );
        signed.into()
    }

    async fn call(&self, keys: Keys, request: Request, gone_is_fine: bool) -> Result<Answer, Fault> {
        let request = keys.hidden.into_iter().fold(request, Request::hide);
        let answer = self.http.call(request).await.map_err(|fault| match fault {
            Fault::NotSent(why) => Fault::NotSent(format!("the media host is not reached: {why}")),
            other => other,
        })?;
        if answer.is_success() || (gone_is_fine && answer.status == 404) {
            return Ok(answer);
        }
        let body = String::from_utf8_lossy(&answer.body);
        let code: String = tag(&body, "Code").unwrap_or_default().chars().filter(char::is_ascii_alphanumeric).collect();
        let message = format!("the media host says HTTP {} {code}", answer.status);
        let message = answer.without_secrets(message.trim_end().to_owned());
        Err(match answer.status {
            401 | 403 => Fault::refused(Refusal::Secret, format!("{message}: {}", self.advice(&code))),
            404 => Fault::NotSent(format!("{message}: see `bucket` and `endpoint` in `[media_host]`")),
            429 | 500.. => {
                let retry_at = answer.retry_after(self.clock.now());
                Fault::Refused { refusal: Refusal::Busy, message, retry_at }
            }
            _ => Fault::NotSent(message),
        })
    }

    /// What to do about a refusal (Amazon S3 API Reference, error responses, read 2026-11-23).
    fn advice(&self, code: &str) -> String {
        match code {
            "SignatureDoesNotMatch" => "SMM_MEDIA_HOST_SECRET is not the one that belongs to SMM_MEDIA_HOST_KEY, or \
                                        `region` is not the bucket's"
                .to_owned(),
            "InvalidAccessKeyId" => {
                "SMM_MEDIA_HOST_KEY is none of its keys; see that `endpoint` is right, too".to_owned()
            }
            "RequestTimeTooSkewed" => "this machine's clock is wrong; set it".to_owned(),
            _ => format!(
                "see SMM_MEDIA_HOST_KEY and SMM_MEDIA_HOST_SECRET, the `region`, and that the key may write, list and \
                 delete in the bucket `{}`",
                self.name
            ),
        }
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.below())
    }
}

#[async_trait]
impl Place for Bucket {
    fn below(&self) -> String {
        if self.prefix.is_empty() { String::new() } else { format!("{}/", self.prefix) }
    }

    async fn put(&self, name: &str, file: &MediaFile) -> Result<(), Fault> {
        let keys = self.keys().await?;
        let mime = &file.facts.mime;
        let url = self.bucket()?.object_url(&self.key(name));
        let url = self.sign(&keys, Method::Put, url, &[], &[("content-type", mime)]);
        let body = Body::Bytes { bytes: file.content.clone(), mime: mime.clone() };
        self.call(keys, Request::put(url).body(body), false).await.map(drop)
    }

    async fn files(&self) -> Result<Vec<(String, DateTime<Utc>)>, Fault> {
        let keys = self.keys().await?;
        let (url, below) = (self.bucket()?.base_url().clone(), self.below());
        // The first thousand by name, which is chance: in time it is the turn of all.
        let url = self.sign(&keys, Method::Get, url, &[("list-type", "2"), ("prefix", &below)], &[]);
        let answer = self.call(keys, Request::get(url), false).await?;
        Ok(listed(&String::from_utf8_lossy(&answer.body), &below))
    }

    async fn remove(&self, name: &str) -> Result<(), Fault> {
        let keys = self.keys().await?;
        let url = self.bucket()?.object_url(&self.key(name));
        let url = self.sign(&keys, Method::Delete, url, &[], &[]);
        self.call(keys, Request::delete(url), true).await.map(drop)
    }
}

/// The names and times in the answer to `ListObjectsV2`. Names of ours have nothing that XML escapes; others are not ours.
fn listed(xml: &str, below: &str) -> Vec<(String, DateTime<Utc>)> {
    let entry = |part: &str| {
        let name = tag(part, "Key")?.strip_prefix(below)?.to_owned();
        let at = DateTime::parse_from_rfc3339(tag(part, "LastModified")?).ok()?;
        Some((name, at.with_timezone(&Utc)))
    };
    xml.split("<Contents>").skip(1).filter_map(|part| entry(part.split("</Contents>").next()?)).collect()
}

/// What stands in an element that has no attributes and no other elements.
fn tag<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    Some(rest.split_once(&format!("</{name}>"))?.0.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read() {
        let xml = "<?xml version=\"1.0\"?><ListBucketResult><Name>acme</Name><Prefix>smm/</Prefix>\
                   <Contents><Key>smm/ab.png</Key><LastModified>2026-11-23T01:02:03.000Z</LastModified><Size>1</Size></Contents>\
                   <Contents><Key>other/x.png</Key><LastModified>2026-11-23T01:02:03.000Z</LastModified></Contents>\
                   <Contents><Key>smm/b&amp;c.png</Key><LastModified>soon</LastModified></Contents></ListBucketResult>";
        let at = "2026-11-23T01:02:03Z".parse().expect("a time");
        assert_eq!(listed(xml, "smm/"), [("ab.png".to_owned(), at)]);
        assert_eq!(listed("", ""), []);
        assert_eq!(listed("<Contents><Key>", ""), []);
    }
}
