//! `smm resolve`.

use super::target::TargetArgs;
use super::{Exit, Failure, Global, change};
use crate::engine::PersonCommand;

/// Say whether a delivery whose outcome is unknown is out
///
/// Look at the account first: what you say is believed. After `--not-published` it is sent again, unless it is late by now.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("outcome").required(true).args(["published", "not_published"])))]
pub(super) struct Args {
    #[command(flatten)]
    target: TargetArgs,
    /// It is out, at this address
    #[arg(long, value_name = "URL", value_parser = address)]
    published: Option<url::Url>,
    /// It is not out
    #[arg(long)]
    not_published: bool,
    /// Why, for the history
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

pub(super) fn run(args: &Args, global: &Global) -> Result<Exit, Failure> {
    let command = match &args.published {
        Some(url) => PersonCommand::ResolvePublished { url: url.to_string() },
        None => PersonCommand::ResolveNotPublished,
    };
    change::run(&args.target, global, &command, args.reason.as_deref())
}

/// An address that people can open.
fn address(text: &str) -> Result<url::Url, String> {
    let url = url::Url::parse(text).map_err(|error| format!("not an address ({error}); write https://…"))?;
    match url.scheme() {
        // Whatever networks have: https, at, and others of their own.
        "about" | "blob" | "data" | "file" | "javascript" | "vbscript" => {
            Err(format!("an address begins with https:// or the like, not with {}:", url.scheme()))
        }
        _ => Ok(url),
    }
}
