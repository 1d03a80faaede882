//! `smm post`: one post, now or later, without a calendar's entry.

mod checking;
mod delivery;
mod home;
mod input;

use std::path::{Path, PathBuf};

use chrono::{DateTime, NaiveDateTime, Utc};

use super::output::Format;
use super::{Exit, Failure, Global, older, workspace};
use crate::calendar::Calendar;
use crate::ledger::{OpenMode, StoredPost};
use crate::model::{
    Account, Content, Delivery, DeliveryId, Late, LateThen, MediaRef, OccurrenceName, Origin, Post, PostId, Trigger,
    Visibility,
};
use crate::schedule::due_for;
use crate::time::{Clock, SystemClock};
use checking::{check, show};
use delivery::{known, publish, refuse_blackout, refuse_paused, refuse_repeat, report, say_moved, store, take_up};
use home::Home;
use input::{Staging, media_name, text};

/// Publish one post now, or at a given time
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  smm post \"Acme 2.0 is out\" --to bsky,fedi --media shot.png --alt \"The new dashboard\"
  smm post \"First.\" --thread \"Second.\" --thread \"Third.\" --to fedi
  smm post \"Good morning\" --to fedi --at \"tomorrow 9:00\"
  git log -1 --format=%B | smm post - --to fedi --dry-run")]
pub(super) struct Args {
    /// The text; `-` reads it from stdin, nothing opens an editor
    #[arg(value_name = "TEXT|-", allow_hyphen_values = false)]
    text: Option<String>,
    /// The accounts that it goes to
    #[arg(long, value_name = "ACCOUNT", value_delimiter = ',')]
    to: Vec<String>,
    /// A picture, a video or a PDF; may be repeated
    #[arg(long, value_name = "FILE")]
    media: Vec<PathBuf>,
    /// What the picture shows; one for each --media, in their order
    #[arg(long, value_name = "TEXT")]
    alt: Vec<String>,
    /// A further message after the text; may be repeated
    #[arg(long, value_name = "TEXT")]
    thread: Vec<String>,
    /// Make a thread of a text that is too long
    #[arg(long)]
    split: bool,
    /// When, such as `tomorrow 9:00`, `fri 14:30`, `in 2 hours`, `2026-12-01 09:00`
    #[arg(long, value_name = "WHEN")]
    at: Option<String>,
    /// Send it although the account is in its blackout hours
    #[arg(long)]
    during_blackout: bool,
    /// The link that it is about
    #[arg(long, value_name = "URL")]
    link: Option<String>,
    /// A title, for networks that have one
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
    /// Tags, without `#`
    #[arg(long, value_name = "TAG", value_delimiter = ',')]
    tags: Vec<String>,
    /// Its language, such as `en`
    #[arg(long, value_name = "LANG", value_delimiter = ',')]
    lang: Vec<String>,
    /// Who may see it
    #[arg(long, value_enum)]
    visibility: Option<VisibilityArg>,
    /// A content warning
    #[arg(long, value_name = "TEXT")]
    content_warning: Option<String>,
    /// URL or id of the post that this answers
    #[arg(long, value_name = "URL")]
    reply_to: Option<String>,
    /// URL or id of the post that this quotes
    #[arg(long, value_name = "URL")]
    quote: Option<String>,
    /// A stable id, so that a job that is run again does not post again
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// Post the same text again within 24 hours
    #[arg(long)]
    again: bool,
    /// Check it and show what each account would receive; send nothing
    #[arg(long)]
    dry_run: bool,
    /// A calendar whose feeds may be posted to, and whose zone times are in
    #[arg(long, value_name = "FILE", env = "SMM_CALENDAR", hide_env_values = true)]
    calendar: Option<PathBuf>,
    /// How the result is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// [`Visibility`] as an argument.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum VisibilityArg {
    Public,
    Unlisted,
    Private,
    Direct,
}

impl From<VisibilityArg> for Visibility {
    fn from(arg: VisibilityArg) -> Self {
        match arg {
            VisibilityArg::Public => Self::Public,
            VisibilityArg::Unlisted => Self::Unlisted,
            VisibilityArg::Private => Self::Private,
            VisibilityArg::Direct => Self::Direct,
        }
    }
}

pub(super) fn run(args: &Args, global: &Global) -> Result<Exit, Failure> {
    if args.alt.len() > args.media.len() {
        return Err(Failure::usage(format!("{} --alt for {} --media", args.alt.len(), args.media.len()))
            .hint("give one --alt for each --media, in the same order"));
    }
    let home = Home::read(args, global)?;
    let now = SystemClock.now();
    let accounts = home.accounts(args)?;
    let text = text(args)?;
    let (civil, due) = home.when(args, now)?;
    let id = match &args.id {
        Some(id) => PostId::parse(id).map_err(|error| Failure::usage(error.to_string()))?,
        None => PostId::new(random_id()?),
    };
    let media = args
        .media
        .iter()
        .enumerate()
        .map(|(at, path)| Ok((media_name(at, path)?, path.as_path(), args.alt.get(at).cloned())))
        .collect::<Result<Vec<_>, Failure>>()?;
    let post = post(args, id, text, civil, due, &accounts, &media);

    // What is sent is what is checked: media are copied first, and composed from the copies.
    let staging = Staging::fill(&media)?;
    let calendar = home.calendar(staging.folder.path(), post.clone());
    let deliveries = deliveries(args, &calendar, &post, &accounts, civil, due);
    if args.at.is_some() && !global.quiet {
        say_moved(&deliveries);
    }
    let refused = check(&calendar, &post, &deliveries);
    if args.dry_run {
        show(&calendar, &post, now, args.format)?;
    }
    if refused {
        return Err(Failure::new("the post is refused; nothing was sent"));
    }
    if args.dry_run {
        return Ok(Exit::Done);
    }
    let ledger = home.settings.ledger(OpenMode::ReadWrite)?;
    workspace::block_on(async {
        older::refuse(&*ledger).await?;
        if args.id.is_some() {
            let known = known(&*ledger, &deliveries).await?;
            if !known.is_empty() {
                let rows = take_up(&home, &ledger, &deliveries, known, now, global).await?;
                return report(&rows, args, global);
            }
        }
        if !args.again {
            refuse_repeat(&*ledger, &post, &deliveries, now).await?;
        }
        if args.at.is_none() {
            refuse_paused(&*ledger, &accounts).await?;
            if !args.during_blackout {
                refuse_blackout(&accounts, &home.zone, now)?;
            }
        }
        let folder = staging.keep(&post.id)?;
        let stored = StoredPost {
            post: post.clone(),
            folder: folder.map(|folder| folder.to_string_lossy().into_owned()),
            timezone: home.zone.name().to_owned(),
            at: now,
            announced: None,
        };
        ledger.put_post(&calendar.name, &stored).await?;
        let ids: Vec<DeliveryId> = deliveries.iter().map(|delivery| delivery.id).collect();
        store(&*ledger, deliveries, now).await?;
        if args.at.is_none() {
            publish(&home, &ledger, &ids, global).await?;
        } else {
            ledger.ring().await?;
        }
        let mut rows = Vec::with_capacity(ids.len());
        for id in &ids {
            rows.extend(ledger.delivery(*id).await?);
        }
        report(&rows, args, global)
    })
}

fn post(
    args: &Args,
    id: PostId,
    text: Option<String>,
    civil: NaiveDateTime,
    due: DateTime<Utc>,
    accounts: &[Account],
    media: &[(String, &Path, Option<String>)],
) -> Post {
    let some = |list: &[String]| (!list.is_empty()).then(|| list.to_vec());
    // A document is called what the post is.
    let file = |(name, _, alt): &(String, &Path, Option<String>)| MediaRef {
        file: name.clone(),
        alt: alt.clone(),
        title: None,
        part: None,
    };
    let media: Vec<MediaRef> = media.iter().map(file).collect();
    Post {
        name: id.clone(),
        id,
        trigger: Some(Trigger::At { civil, instant: due }),
        to: accounts.iter().map(|account| account.name.clone()).collect(),
        content: Content {
            text,
            thread: args.thread.clone(),
            split: args.split.then_some(true),
            title: args.title.clone(),
            link: args.link.clone(),
            media: (!media.is_empty()).then_some(media),
            tags: some(&args.tags),
            lang: some(&args.lang),
            visibility: args.visibility.map(Visibility::from),
            content_warning: args.content_warning.clone(),
            reply_to: args.reply_to.clone(),
            quote: args.quote.clone(),
            ..Content::default()
        },
        overrides: std::collections::BTreeMap::new(),
        campaign: None,
        late: if args.at.is_some() {
            Late::default()
        } else {
            // "Now" is meant: a slow network does not make it late.
            Late { grace_seconds: 24 * 3600, then: LateThen::Hold }
        },
        draft: false,
    }
}

fn deliveries(
    args: &Args,
    calendar: &Calendar,
    post: &Post,
    accounts: &[Account],
    civil: NaiveDateTime,
    due: DateTime<Utc>,
) -> Vec<Delivery> {
    let occurrence = OccurrenceName::once(&post.name);
    let planned = |account: &Account| {
        let (due, reason) = if args.at.is_none() || args.during_blackout {
            (due, None)
        } else {
            due_for(calendar, account, &occurrence, post.late, due)
        };
        let row = Delivery::planned(
            calendar.name.clone(),
            post.id.clone(),
            occurrence.clone(),
            account.name.clone(),
            account.network.clone(),
            Origin::Command,
            due,
            civil,
            post.late,
        );
        Delivery { reason, any_hour: args.during_blackout, ..row }
    };
    accounts.iter().map(planned).collect()
}

/// Sixty random bits, as letters and digits.
fn random_id() -> Result<String, Failure> {
    const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let mut bytes = [0; 12];
    getrandom::fill(&mut bytes).map_err(|error| Failure::new(format!("no random numbers: {error}")))?;
    Ok(bytes.iter().map(|byte| char::from(LETTERS[usize::from(byte & 31)])).collect())
}
