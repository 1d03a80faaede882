//! Post × account → what the account receives. Pure but for reading media files. What `check`, `preview` and the engine
//! share, so that none of them can be of another opinion.
//!
//! The road of a post: [`layers`] (the post with its overrides), [`campaign`] (parameters for its links), [`mod@parts`] (the
//! messages, with what is added), [`media`] (its files), then the profile's checks, the network's own, and its plan.
//! [`trace`] brings every problem back to the piece of the post that caused it.

mod campaign;
mod check;
mod ending;
mod inspect;
mod layers;
mod media;
mod parts;
mod release;
mod spacing;
mod trace;

pub use check::check;
pub use ending::endings;
pub use media::target;
pub use release::{longest_release, released};

use std::collections::BTreeMap;

use crate::adapter::check::{check as check_profile, room};
use crate::adapter::{CardSupport, Draft, DraftMedia, DraftPart, Limits, Network, Plan, Price, Profile};
use crate::calendar::Calendar;
use crate::model::{
    Account, Code, DeliveryId, MediaFacts, MediaKind, OccurrenceName, Place, Poll, Post, Problem, Severity, Trigger,
    Visibility, codes,
};
use crate::networks;
use crate::text::{FoundKind, Unit, find, fit, measure};

use layers::Layers;
use media::{Album, fitting, unusable};
use parts::{Given, parts};
use trace::Traced;

/// What one account would receive for a post.
#[derive(Debug, Clone, Default)]
pub struct Rendering {
    /// What is sent, as data. `None` when there are errors, and for release posts, whose texts are filled in later.
    pub plan: Option<Plan>,
    /// The messages, for people.
    pub parts: Vec<PartView>,
    /// What is wrong with it.
    pub problems: Vec<Problem>,
    /// What will be done to its media.
    pub notes: Vec<String>,
    /// Its title.
    pub title: Option<String>,
    /// Its long form, Markdown.
    pub body: Option<String>,
    /// Tags that are a field of their own; others are in the text.
    pub tags: Vec<String>,
    /// Languages, BCP 47.
    pub languages: Vec<String>,
    /// Who may see it, where the post says so.
    pub visibility: Option<Visibility>,
    /// Its content warning.
    pub content_warning: Option<String>,
    /// Labels for sensitive media.
    pub labels: Vec<String>,
    /// What it answers: URL or id.
    pub reply_to: Option<String>,
    /// What it quotes: URL or id.
    pub quote: Option<String>,
    /// Its poll, with the first part.
    pub poll: Option<Poll>,
    /// What its documents are called, by file.
    pub titles: BTreeMap<String, String>,
}

impl Rendering {
    /// Nothing that is an error.
    pub fn is_ok(&self) -> bool {
        self.problems.iter().all(|problem| problem.severity != Severity::Error)
    }
}

/// A message, for people.
#[derive(Debug, Clone)]
pub struct PartView {
    /// Its text.
    pub text: String,
    /// Its length in `unit`.
    pub length: u64,
    /// What is allowed.
    pub limit: u64,
    /// In this unit.
    pub unit: Unit,
    /// Its files: path, alt text, facts where the file can be read.
    pub media: Vec<(String, String, Option<MediaFacts>)>,
    /// The link of its card.
    pub link: Option<String>,
}

/// Which occurrence of a post is composed.
#[derive(Debug, Clone, Copy)]
pub struct Instance {
    /// Names the keys.
    pub delivery: DeliveryId,
    /// Rises when a person says "post again".
    pub generation: u32,
    /// Which of `texts`.
    pub variation: usize,
}

/// Composes posts of one calendar. Files are looked at once in its life: make a new one for every run.
#[derive(Debug)]
pub struct Composer<'a> {
    calendar: &'a Calendar,
    album: Album,
}

/// What composing gave, before it is made a [`Rendering`] or reported.
struct Composed<'d> {
    draft: Draft<'d>,
    plan: Option<Plan>,
    problems: Vec<Problem>,
    notes: Vec<String>,
    /// The files of each part, also those that cannot be read.
    media: Vec<Vec<(String, String, Option<MediaFacts>)>>,
}

/// The parts of one composition that its caller chooses.
#[derive(Clone, Copy)]
struct Request<'d> {
    post: &'d Post,
    account: &'d Account,
    network: &'static dyn Network,
    limits: &'d Limits,
    instance: Instance,
    /// The plan is wanted. Checking does without: whatever is wrong with a draft is found before its plan is made, which
    /// the behaviour suite holds every network to.
    planned: bool,
}

/// Composes one post for one account. For several, a [`Composer`] looks at each file once.
pub fn compose(calendar: &Calendar, post: &Post, account: &Account, instance: Instance) -> Rendering {
    Composer::new(calendar).compose(post, account, instance)
}

impl<'a> Composer<'a> {
    /// Composes posts of this calendar.
    pub fn new(calendar: &'a Calendar) -> Self {
        Self { calendar, album: Album::default() }
    }

    /// How many texts a post takes in turn for an account; at least one.
    pub fn variations(post: &Post, account: &Account) -> usize {
        Layers::new(post, account).variations()
    }

    /// Composes one post for one account, whose limits may be those that its server stated.
    pub fn compose(&self, post: &Post, account: &Account, instance: Instance) -> Rendering {
        let Some(network) = networks::find(&account.network) else {
            let message = format!("`{}` is not a network that smm knows", account.network);
            let problems = vec![Problem::error(codes::POST_REFUSED, Place::Post, message)];
            return Rendering { problems, ..Rendering::default() };
        };
        let limits = Limits::new(network.profile(), &account.limits);
        let mut composed = self.composed(Request { post, account, network, limits: &limits, instance, planned: true });
        self.inspect(post, account, &mut composed.problems);
        // Worth a word only if no account of the post takes them, which is for `check` to say.
        let harmless = [codes::TITLE_UNSUPPORTED, codes::BODY_UNSUPPORTED, codes::LANG_UNSUPPORTED];
        composed.problems.retain(|problem| !harmless.contains(&problem.code));
        if !composed.problems.iter().all(|problem| problem.severity != Severity::Error) {
            composed.plan = None;
        }
        rendering(network, composed)
    }

    /// What an account's network takes for a post, where it takes money; for one of its texts, or for the dearest of them.
    pub fn price(&self, post: &Post, account: &Account, variation: Option<usize>) -> Option<Price> {
        let network = networks::find(&account.network).filter(|network| network.is_paid())?;
        if matches!(post.trigger, Some(Trigger::Release(_))) {
            return None;
        }
        let limits = Limits::new(network.profile(), &account.limits);
        let texts = variation.map_or(0..Self::variations(post, account), |number| number..number + 1);
        // The price does not hang on the delivery: the same for all of a series.
        let delivery = DeliveryId::derive(&self.calendar.name, &OccurrenceName::once(&post.id), &account.name);
        let price = |variation| {
            let instance = Instance { delivery, generation: 0, variation };
            let request = Request { post, account, network, limits: &limits, instance, planned: false };
            network.price(&self.composed(request).draft)
        };
        texts.filter_map(price).max()
    }

    /// What is wrong with the content that an account receives, whatever its network.
    fn inspect(&self, post: &Post, account: &Account, problems: &mut Vec<Problem>) {
        let overrides = [account.name.as_str(), account.network.as_str()];
        let overrides = overrides.into_iter().filter_map(|key| post.overrides.get(key));
        for content in overrides.chain([&post.content]) {
            self.inspect_content(content, problems);
        }
    }

    fn inspect_content(&self, content: &crate::model::Content, problems: &mut Vec<Problem>) {
        let kind = |file: &str| self.album.facts(&self.calendar.folder, file).map(|facts| facts.kind);
        inspect::inspect(content, self.calendar.missing_alt_warns, kind, problems);
    }

    /// Composes with the text; where that is too long, with the first fallback that nothing is wrong with.
    fn composed<'d>(&self, request: Request<'d>) -> Composed<'d> {
        let layers = Layers::new(request.post, request.account);
        let mut composed = self.composed_of(request, layers);
        let count = layers.fallbacks().len();
        if count == 0 || !composed.problems.iter().any(is_too_long) {
            return composed;
        }
        for index in 0..count {
            let mut other = self.composed_of(request, layers.instead(index));
            if is_clean(&other.problems) {
                other.notes.push(format!("the text is too long here, so the {} is sent", fallback_word(index, count)));
                return other;
            }
        }
        for problem in composed.problems.iter_mut().filter(|problem| is_too_long(problem)) {
            let which = if count == 1 {
                "its fallback does not".to_owned()
            } else {
                format!("none of its {count} fallbacks does")
            };
            problem.message = format!("{}, and {which}", problem.message.trim_end_matches('.'));
        }
        composed
    }

    fn composed_of<'d>(&self, request: Request<'d>, layers: Layers<'d>) -> Composed<'d> {
        let Request { post, account, network, limits, instance, planned } = request;
        let profile = network.profile();
        let template = matches!(post.trigger, Some(Trigger::Release(_)));
        let mut problems = Vec::new();
        let parameters = campaign::parameters(&self.calendar.campaigns, post, account, &mut problems);
        let (variation, comments) = (instance.variation, network.comments());
        let kept = network.kept(layers.media().len() as u64, layers.quote().is_some());
        let given = Given { profile, limits, layers, variation, comments, parameters: &parameters, template, kept };
        let mut made = parts(&given, &mut problems);
        let files = self.files(limits, layers, &made, &mut problems);
        let mut draft = Draft {
            delivery: instance.delivery,
            generation: instance.generation,
            account,
            limits,
            parts: Vec::with_capacity(made.texts.len()),
            title: layers.title().map(|title| fitting_title(title, profile.title)),
            body: layers.body().map(|body| fit(body, |_| true)),
            link: made.link.take(),
            tags: std::mem::take(&mut made.tags),
            languages: layers.languages().to_vec(),
            visibility: layers.visibility(),
            content_warning: layers.content_warning().map(str::to_owned),
            labels: layers.labels().to_vec(),
            reply_to: layers.reply_to().map(str::to_owned),
            quote: layers.quote().map(str::to_owned),
            poll: layers.poll().cloned(),
            titles: files.titles,
        };
        for (text, media) in made.texts.iter_mut().zip(files.draft) {
            draft.parts.push(DraftPart { text: std::mem::take(&mut text.text), media });
        }
        let mut found = Vec::new();
        check_profile(profile, &draft, &mut found);
        if comments && draft.parts.len() == 2 && layers.first_comment().is_some() {
            // Two parts, and no thread.
            found.retain(|problem| problem.code != codes::THREAD_UNSUPPORTED);
        }
        if network.needs_media_host() && !self.calendar.media_host && !files.order.is_empty() {
            found.push(host_missing(profile));
        }
        if let Some([message, help]) = network.lacks_for_files(account)
            && !files.order.is_empty()
        {
            let place = Place::Media { index: 0, key: "file" };
            found.push(Problem::error(codes::MEDIA_SERVER_MISSING, place, message).help(help));
        }
        if template {
            found.retain(|problem| {
                ![codes::TEXT_EMPTY, codes::TEXT_TOO_LONG, codes::TITLE_TOO_LONG].contains(&problem.code)
            });
        } else if has(&problems, codes::TEXT_CANNOT_SPLIT) {
            found.retain(|problem| problem.code != codes::TEXT_TOO_LONG);
        }
        draft.languages.truncate(profile.languages as usize);
        let mut plan = None;
        // A network is shown whole drafts alone: no templates, and none from which files are missing.
        if !template && files.whole {
            network.check(&draft, &mut found);
            if planned && is_clean(&problems) && is_clean(&found) {
                match network.plan(&draft) {
                    Ok(made) => plan = Some(made),
                    Err(refused) if refused.is_empty() => found.push(Problem::error(
                        codes::POST_REFUSED,
                        Place::Post,
                        "the network would refuse it, without saying why",
                    )),
                    Err(mut refused) => found.append(&mut refused),
                }
            }
        }
        problems.extend(found.into_iter().map(|problem| bring_back(problem, &made.texts, &files.order)));
        Composed { draft, plan, problems, notes: files.notes, media: files.shown }
    }

    /// Gives every file to its part.
    fn files(&self, limits: &Limits, layers: Layers<'_>, made: &parts::Parts, problems: &mut Vec<Problem>) -> Files {
        let count = made.texts.len();
        let mut files = Files {
            draft: vec![Vec::new(); count],
            shown: vec![Vec::new(); count],
            titles: BTreeMap::new(),
            order: Vec::new(),
            notes: Vec::new(),
            whole: true,
        };
        let mut order = vec![Vec::new(); count];
        for (index, media) in layers.media().iter().enumerate() {
            let Some(part) = part_of(media.part, made, layers.split()) else {
                let asked = media.part.unwrap_or(1);
                problems.push(
                    Problem::error(
                        codes::MEDIA_PART_UNKNOWN,
                        Place::Media { index, key: "" },
                        format!("it goes with part {asked}, and there are {}", made.entries.len()),
                    )
                    .help("the text is part 1, the first entry of `thread` is part 2"),
                );
                files.whole = false;
                continue;
            };
            let alt = media.alt.as_deref().unwrap_or_default().trim().to_owned();
            let facts = match self.album.facts(&self.calendar.folder, &media.file) {
                Ok(facts) => facts,
                Err(error) => {
                    problems.push(unusable(&error, index, &media.file));
                    files.shown[part].push((media.file.clone(), alt, None));
                    files.whole = false;
                    continue;
                }
            };
            match fitting(&facts, limits) {
                Ok(None) => {}
                Ok(Some(line)) => files.notes.push(format!("{}: {line}", media.file)),
                Err(error) => problems.push(unusable(&error, index, &media.file)),
            }
            if facts.kind == MediaKind::Document {
                let title = media.title.as_deref().or_else(|| layers.title()).map(str::trim);
                let title = title.filter(|title| !title.is_empty()).map(str::to_owned);
                files.titles.extend(title.map(|title| (media.file.clone(), title)));
            }
            files.shown[part].push((media.file.clone(), alt.clone(), Some(facts.clone())));
            files.draft[part].push(DraftMedia { file: media.file.clone(), alt, facts });
            order[part].push(index);
        }
        files.order = order.concat();
        files
    }
}

/// The network would have to fetch the first file, and there is nowhere to fetch it from.
fn host_missing(profile: &Profile) -> Problem {
    let message = format!("{} fetches media from a public address, and there is no place for them", profile.name);
    Problem::error(codes::MEDIA_HOST_MISSING, Place::Media { index: 0, key: "file" }, message).help(
        "add `[media_host]` to `smm.toml`: `kind = \"s3\"` with `endpoint`, `bucket` and the bucket's public `url`, or \
         `kind = \"folder\"` with a `folder` that a web server shows and its `url`",
    )
}

/// The files of a composition.
struct Files {
    draft: Vec<Vec<DraftMedia>>,
    shown: Vec<Vec<(String, String, Option<MediaFacts>)>>,
    /// For the n-th file over all parts, its index in the post.
    order: Vec<usize>,
    /// What documents are called.
    titles: BTreeMap<String, String>,
    notes: Vec<String>,
    /// All of them could be read.
    whole: bool,
}

/// The part that a file goes with, from 0.
fn part_of(asked: Option<u16>, made: &parts::Parts, split: bool) -> Option<usize> {
    let entry = usize::from(asked.unwrap_or(1)).checked_sub(1)?;
    if made.entries.len() == 1 && split {
        // How many pieces there are differs from network to network: a later one than the last is the last.
        return Some(entry.min(made.named.saturating_sub(1)));
    }
    made.entries.get(entry).copied()
}

/// A title of a release may have something fitted into it.
fn fitting_title(title: &str, longest: u32) -> String {
    fit(title, |title| title.chars().count() <= longest as usize)
}

fn has(problems: &[Problem], code: Code) -> bool {
    problems.iter().any(|problem| problem.code == code)
}

fn is_too_long(problem: &Problem) -> bool {
    problem.severity == Severity::Error && [codes::TEXT_TOO_LONG, codes::TEXT_CANNOT_SPLIT].contains(&problem.code)
}

/// `fallback`, or `second fallback` where there are several.
fn fallback_word(index: usize, count: usize) -> String {
    if count == 1 { "fallback".to_owned() } else { format!("fallback {} of {count}", index + 1) }
}

fn is_clean(problems: &[Problem]) -> bool {
    problems.iter().all(|problem| problem.severity != Severity::Error)
}

/// Brings a draft's problem back to the post.
fn bring_back(mut problem: Problem, texts: &[Traced], order: &[usize]) -> Problem {
    match problem.place {
        Place::Text { key: "text", index, start, end } => {
            let Some(text) = texts.get(index) else {
                problem.place = Place::Post;
                return problem;
            };
            problem.place = text.place(start, end);
            if problem.code == codes::TEXT_TOO_LONG
                && let Some(additions) = text.additions()
            {
                problem.message = format!("{} ({additions})", problem.message);
            }
        }
        Place::Media { index, key } => {
            problem.place = order.get(index).map_or(Place::Key { key: "media" }, |&index| Place::Media { index, key });
        }
        _ => {}
    }
    problem
}

fn rendering(network: &dyn Network, composed: Composed<'_>) -> Rendering {
    let Composed { draft, plan, problems, notes, media } = composed;
    let profile = network.profile();
    let room = room(profile, draft.limits, draft.content_warning.as_deref());
    let mut card = draft.link.clone();
    let parts = draft.parts.into_iter().zip(media).enumerate().map(|(index, (part, media))| {
        let lengths = room.iter().map(|(counting, max)| (measure(&part.text, *counting), *max, counting.unit));
        // The limit that is shown is the first, or the first that is broken.
        let shown = lengths.clone().find(|(length, max, _)| length > max).or_else(|| lengths.clone().next());
        let (length, limit, unit) = shown.unwrap_or((0, 0, Unit::Graphemes));
        let mut link = if index == 0 { card.take() } else { None };
        if link.is_none() && profile.card == CardSupport::Server && media.is_empty() {
            let first = find(&part.text).into_iter().find(|found| found.kind == FoundKind::Link);
            link = first.map(|found| part.text[found.start..found.end].to_owned());
        }
        PartView { text: part.text, length, limit, unit, media, link }
    });
    Rendering {
        parts: parts.collect(),
        plan,
        problems,
        notes,
        title: draft.title.filter(|_| profile.title > 0),
        body: draft.body.filter(|_| profile.body),
        tags: draft.tags,
        languages: draft.languages,
        visibility: draft.visibility,
        content_warning: draft.content_warning,
        labels: draft.labels,
        reply_to: draft.reply_to,
        quote: draft.quote,
        poll: draft.poll,
        titles: draft.titles,
    }
}
