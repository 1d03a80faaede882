//! `[accounts.NAME]` of either file to an [`Account`].

use std::time::Duration;

use url::{Host, Url};

use super::raw::{RawAccount, RawLimits};
use super::read::{At, Reader, Table as _};
use super::scalar::{OneOrMany, Rest};
use super::{Known, KnownNetwork, Span, suggest};
use crate::model::{Account, AccountName, LimitOverrides, Place, WeekSpan, codes};
use crate::time::{Zone, ZoneError, merge_hours, parse_hours};

/// Which file an account stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Home {
    /// `calendar.toml`: only what needs no credential, and no server.
    Calendar,
    /// `smm.toml`.
    Config,
}

/// Resolves an account; `None` when something is wrong with it (and was reported).
pub(super) fn resolve(
    reader: &mut Reader<'_>,
    name: &At<String>,
    raw: At<RawAccount>,
    known: &Known,
    home: Home,
) -> Option<Account> {
    let before = reader.errors;
    let parsed = match AccountName::parse(&name.value) {
        Ok(parsed) if known.network(&name.value).is_none() => Some(parsed),
        Ok(_) => {
            reader
                .error(codes::BAD_ACCOUNT_NAME, name.span, format!("`{}` is the name of a network", name.value))
                .help("choose another name, such as that of the project or the handle");
            None
        }
        Err(error) => {
            reader.error(codes::BAD_ACCOUNT_NAME, name.span, error.to_string());
            None
        }
    };
    let RawAccount { network, server, spacing, blackout, timezone, jitter, limits, settings, unreadable } = raw.value;
    let network = if let Some(network) = network {
        network_of(reader, &name.value, &network, known, home)?
    } else {
        if !unreadable.contains(&"network") {
            reader
                .error(codes::UNKNOWN_NETWORK, name.span, format!("account `{}` does not say its network", name.value))
                .help = suggest::help("", known.networks.iter().map(|network| network.id));
        }
        return None;
    };
    let mut account = Account::new(parsed.unwrap_or_else(|| AccountName::new(name.value.as_str())), network.id);
    if let Some(server) = server {
        if home == Home::Calendar {
            reader
                .error(
                    codes::SERVER_IN_CALENDAR,
                    server.key,
                    "a calendar names no server: whoever may propose a post could send it elsewhere",
                )
                .help("set it in `smm.toml`");
        } else {
            account.server = server_of(reader, &server, network.schemes);
        }
    }
    account.spacing = spacing.map(|spacing| Duration::from_secs(spacing.value.0));
    account.jitter = jitter.map(|jitter| Duration::from_secs(jitter.value.0));
    account.blackout = blackout.map(|blackout| blackout_of(reader, &blackout)).unwrap_or_default();
    account.timezone = timezone.map(|zone| zone_of(reader, zone));
    account.limits = limits.map(|limits| limits_of(limits.value)).unwrap_or_default();
    let places: Vec<_> = settings.0.iter().map(|(key, value)| (key.clone(), value.key)).collect();
    settings_of(reader, &mut account, settings, network);
    if reader.errors == before {
        let mut problems = Vec::new();
        (network.check)(&account, &mut problems);
        for problem in problems {
            let place = match &problem.place {
                Place::Key { key } => places.iter().find(|(name, _)| name == key).map(|&(_, span)| span),
                _ => None,
            };
            reader.report(problem.severity, problem.code, place.unwrap_or(name.span), problem.message).help =
                problem.help;
        }
    }
    (reader.errors == before).then_some(account)
}

/// The hours of all entries together, sorted and apart from each other.
fn blackout_of(reader: &mut Reader<'_>, written: &At<OneOrMany>) -> Vec<WeekSpan> {
    let before = reader.errors;
    let mut spans = Vec::new();
    for entry in &written.value.0 {
        match parse_hours(&entry.value) {
            Ok(found) => spans.extend(found),
            Err(error) => {
                reader.error(codes::BAD_BLACKOUT, entry.span, error.message).help(error.help);
            }
        }
    }
    let spans = merge_hours(spans);
    if reader.errors == before && spans == [WeekSpan { start: 0, end: WeekSpan::WEEK }] {
        reader
            .error(codes::BAD_BLACKOUT, written.span, "these hours are the whole week: nothing would ever go out")
            .help("leave some hours free; to stop an account for now use `smm pause ACCOUNT`");
    }
    spans
}

fn zone_of(reader: &mut Reader<'_>, written: At<String>) -> String {
    if let Err(error) = Zone::parse(&written.value) {
        unknown_zone(reader, written.span, &error);
    }
    written.value
}

/// Says that a time zone is not known.
pub(super) fn unknown_zone(reader: &mut Reader<'_>, span: Span, error: &ZoneError) {
    reader.error(codes::UNKNOWN_ZONE, span, error.to_string()).help = Some(match &error.nearest {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => "write an IANA name such as `Europe/Berlin`, or `UTC`".to_owned(),
    });
}

fn network_of<'k>(
    reader: &mut Reader<'_>,
    name: &str,
    written: &At<String>,
    known: &'k Known,
    home: Home,
) -> Option<&'k KnownNetwork> {
    let Some(network) = known.network(&written.value) else {
        if let Some(stranger) = known.stranger(&written.value) {
            reader.error(codes::UNKNOWN_NETWORK, written.span, stranger.message.clone()).help(stranger.help.clone());
            return None;
        }
        reader
            .error(codes::UNKNOWN_NETWORK, written.span, format!("`{}` is not a network that smm knows", written.value))
            .help = suggest::help(&written.value, known.networks.iter().map(|network| network.id));
        return None;
    };
    if home == Home::Calendar && !network.credential_free {
        reader
            .error(
                codes::CREDENTIALED_ACCOUNT,
                written.span,
                format!("a calendar cannot declare an account on {}, which needs a credential", network.name),
            )
            .help(format!("move `[accounts.{name}]` to `smm.toml`"));
        return None;
    }
    Some(network)
}

/// The network's own settings. What is known of them stands in its schema.
fn settings_of(reader: &mut Reader<'_>, account: &mut Account, settings: Rest, network: &KnownNetwork) {
    for (key, value) in settings.0 {
        if network.settings_keys().any(|known| known == key) {
            account.settings.insert(key, value.value);
        } else if network.secrets.contains(&key.as_str()) {
            let variable = format!("SMM_{}_{key}", account.name).to_uppercase().replace('-', "_");
            reader
                .error(
                    codes::SECRET_IN_FILE,
                    value.key,
                    format!("`{key}` is a secret, and secrets are never read from a file"),
                )
                .help(format!(
                    "remove it here and set `{variable}` in the environment; have it made anew if it was ever committed"
                ));
        } else {
            let keys = RawAccount::keys().into_iter().chain(network.settings_keys());
            let keys: Vec<&str> = keys.collect();
            reader.unknown_key_at(&key, value.key, &keys);
        }
    }
}

/// One of the network's schemes, a plain one to this machine alone; no password, no query. Without a trailing slash.
pub(super) fn server_of(reader: &mut Reader<'_>, server: &At<String>, schemes: &[(&str, bool)]) -> Option<String> {
    let usual = schemes.first().map_or("https", |(scheme, _)| scheme);
    let example =
        format!("write it as `{usual}://{}`", if usual == "https" { "social.example" } else { "server.example" });
    let refuse = |reader: &mut Reader<'_>, message: &str, help: &str| {
        reader.error(codes::BAD_SERVER, server.span, message).help(help);
        None
    };
    let Ok(url) = Url::parse(&server.value) else {
        return refuse(reader, "this is not the address of a server", &example);
    };
    if url.password().is_some() || !url.username().is_empty() {
        reader
            .error(codes::SECRET_IN_FILE, server.span, "an address here holds no user and no password")
            .help(format!("{example}; secrets come from the environment"));
        return None;
    }
    let is_loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => return refuse(reader, "the address names no host", &example),
    };
    match schemes.iter().find(|(scheme, _)| *scheme == url.scheme()) {
        Some((_, false)) => {}
        Some((_, true)) if is_loopback => {}
        Some((scheme, true)) => {
            let message = format!("plain {scheme} would show the credential to everybody on the way");
            return refuse(reader, &message, &format!("write `{usual}://`"));
        }
        None => {
            return refuse(reader, &format!("`{}:` is not a way to reach a server", url.scheme()), &example);
        }
    }
    if url.query().is_some() || url.fragment().is_some() {
        return refuse(reader, "the address of a server ends before any `?` or `#`", &example);
    }
    Some(url.as_str().trim_end_matches('/').to_owned())
}

fn limits_of(raw: RawLimits) -> LimitOverrides {
    let value = |limit: Option<At<u64>>| limit.map(|limit| limit.value);
    LimitOverrides {
        text: value(raw.text),
        link: value(raw.link),
        media: value(raw.media),
        alt: value(raw.alt),
        image_bytes: value(raw.image_bytes),
        image_pixels: value(raw.image_pixels),
        video_bytes: value(raw.video_bytes),
        poll_options: value(raw.poll_options),
        poll_option_text: value(raw.poll_option_text),
        poll_seconds_min: value(raw.poll_seconds_min),
        poll_seconds_max: value(raw.poll_seconds_max),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_have_the_keys_of_the_model() {
        let schema = schemars::schema_for!(LimitOverrides);
        let mut known: Vec<&str> =
            schema.as_value()["properties"].as_object().expect("properties").keys().map(String::as_str).collect();
        let mut read = RawLimits::keys();
        known.sort_unstable();
        read.sort_unstable();
        assert_eq!(read, known);
    }
}
