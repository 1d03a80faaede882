//! Writes the folder. A post's `entry.json` is the truth and is durable first; pages and feeds are made from all of them
//! and may be made again at any time.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::adapter::{
    Api, Fault, Files, Identity, Limits, MediaSource, Metrics, Outside, Progress, Refusal, Reply, Step, Verdict, thawed,
};
use crate::media;
use crate::model::{Account, Frozen, LimitOverrides, MediaKind, Receipt};
use crate::text::overflow;

use super::Settings;
use super::profile::PROFILE;
use super::site::{MARK, Made, STYLE, Site};
use super::wire::{
    CopyStep, Entry, EntryMedia, EntryPart, PublishStep, Request, VERSION, is_key, read_receipt_id, receipt_id,
};

/// Says for which settings the pages were made.
const STAMP: &str = "posts/.made-for";

/// The folder of one account.
pub(super) struct Folder {
    account: String,
    settings: Result<Settings, String>,
    limits: Limits,
    files: Arc<dyn Files>,
    media: Arc<dyn MediaSource>,
    now: Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>,
}

impl Folder {
    pub(super) fn new(account: &Account, outside: Outside) -> Self {
        let settings = account.read_settings::<Settings>().and_then(|mut settings| {
            // `./public` and `public` are one folder.
            settings.folder = media::parts(&settings.folder).map_err(|error| error.to_string())?.join("/");
            Ok(settings)
        });
        Self {
            account: account.name.as_str().to_owned(),
            settings,
            limits: Limits::new(&PROFILE, &account.limits),
            files: outside.files,
            media: outside.media,
            now: outside.now,
        }
    }

    fn settings(&self) -> Result<&Settings, Fault> {
        self.settings.as_ref().map_err(|error| {
            Fault::refused(Refusal::Forbidden, format!("the settings of account `{}`: {error}", self.account))
        })
    }

    fn path(&self, file: &str) -> Result<String, Fault> {
        Ok(format!("{}/{file}", self.settings()?.folder))
    }

    async fn read(&self, file: &str) -> Result<Option<Vec<u8>>, Fault> {
        self.files.read(&self.path(file)?).await
    }

    async fn write(&self, made: &Made) -> Result<(), Fault> {
        self.files.write(&self.path(&made.path)?, made.content.as_bytes()).await
    }

    /// Refuses a folder with somebody else's pages in it, which would be overwritten.
    async fn is_ours(&self) -> Result<(), Fault> {
        match self.read("index.html").await? {
            Some(page) if !page.windows(MARK.len()).any(|window| window == MARK.as_bytes()) => {
                let message = format!(
                    "`{}` was not made by smm and would be overwritten; choose a folder of its own for the feed",
                    self.path("index.html")?
                );
                Err(Fault::refused(Refusal::Forbidden, message))
            }
            _ => Ok(()),
        }
    }

    /// Holds the limits of the profile: a folder has no server that would.
    fn fits(&self, part: &EntryPart) -> Result<(), Fault> {
        let too_much =
            |what: &str| Err(Fault::refused(Refusal::Invalid, format!("the post has {what} than a feed takes")));
        let long = self.limits.text.iter().any(|limit| {
            let counting = limit.counting(self.limits.link, PROFILE.text.mention);
            overflow(&part.says.text, counting, limit.max).is_some()
        });
        if long {
            return too_much("a longer text");
        }
        let videos = part.media.iter().filter(|media| media.kind == MediaKind::Video).count();
        let over = |count: usize, max: u32| !u32::try_from(count).is_ok_and(|count| count <= max);
        if over(videos, self.limits.max_videos) || over(part.media.len() - videos, self.limits.max_images) {
            return too_much("more files");
        }
        Ok(())
    }

    async fn entry(&self, key: &str) -> Result<Option<Entry>, Fault> {
        let file = format!("posts/{key}/entry.json");
        let Some(bytes) = self.read(&file).await? else { return Ok(None) };
        match serde_json::from_slice::<Entry>(&bytes) {
            Ok(entry) if entry.version <= VERSION && entry.key == key => Ok(Some(entry)),
            Ok(_) => {
                tracing::warn!(file, "left out: it was written by a newer smm, or for another folder");
                Ok(None)
            }
            Err(error) => {
                tracing::warn!(file, %error, "left out: it cannot be read");
                Ok(None)
            }
        }
    }

    async fn put_entry(&self, entry: &Entry) -> Result<(), Fault> {
        let mut content = serde_json::to_string_pretty(entry)
            .map_err(|error| Fault::refused(Refusal::Invalid, format!("the post cannot be written: {error}")))?;
        content.push('\n');
        self.write(&Made { path: format!("posts/{}/entry.json", entry.key), content }).await
    }

    /// Everything that is published.
    async fn site(&self) -> Result<Site<'_>, Fault> {
        let mut entries = Vec::new();
        for key in self.files.list(&self.path("posts")?).await? {
            if is_key(&key)
                && let Some(entry) = self.entry(&key).await?
            {
                entries.push(entry);
            }
        }
        Ok(Site::new(self.settings()?, &self.account, entries))
    }

    /// Makes the pages and feeds: that of `key`, all that show several posts, and every page when settings have changed.
    async fn build(&self, key: &str) -> Result<(), Fault> {
        let site = self.site().await?;
        if self.read("style.css").await?.is_none() {
            self.write(&Made { path: "style.css".to_owned(), content: STYLE.to_owned() }).await?;
        }
        let stamp = site.stamp();
        let all = self.read(STAMP).await?.is_none_or(|made_for| made_for != stamp.as_bytes());
        for entry in site.entries.iter().filter(|entry| all || entry.key == key) {
            self.write(&site.page(entry)).await?;
        }
        for made in site.shared() {
            self.write(&made).await?;
        }
        if all {
            self.write(&Made { path: STAMP.to_owned(), content: stamp }).await?;
        }
        Ok(())
    }

    /// Whether the pages and feeds show what is kept.
    async fn is_built(&self, key: &str) -> Result<bool, Fault> {
        let site = self.site().await?;
        let pages = site.entries.iter().filter(|entry| entry.key == key).map(|entry| site.page(entry));
        for made in pages.chain(site.shared()) {
            if self.read(&made.path).await?.is_none_or(|there| there != made.content.as_bytes()) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Where people see a part: on the web where the address is known, else the page's path.
    fn url(&self, key: &str, part: u16) -> Result<String, Fault> {
        let settings = self.settings()?;
        let page = match &settings.link {
            Some(link) => format!("{}/posts/{key}/", link.trim_end_matches('/')),
            None => format!("{}/posts/{key}/index.html", settings.folder),
        };
        Ok(if part == 0 { page } else { format!("{page}#part-{}", u32::from(part) + 1) })
    }

    fn receipt(&self, request: &Request, at: DateTime<Utc>) -> Result<Receipt, Fault> {
        let part = request.part.part;
        Ok(Receipt {
            part,
            id: receipt_id(&request.key, part),
            url: Some(self.url(&request.key, part)?),
            at,
            data: serde_json::Value::Null,
        })
    }
}

#[async_trait]
impl Api for Folder {
    async fn host(&self) -> Result<Option<String>, Fault> {
        // Nothing leaves the machine.
        Ok(None)
    }

    async fn whoami(&self) -> Result<Identity, Fault> {
        let settings = self.settings()?;
        let folder = settings.folder.clone();
        // A folder that cannot be used is found out before anything is promised.
        self.files.list(&folder).await?;
        self.is_ours().await?;
        Ok(Identity {
            uid: folder,
            handle: settings.title.clone().unwrap_or_else(|| self.account.clone()),
            host: "file".to_owned(),
            limits: LimitOverrides::default(),
            repeat: None,
        })
    }

    async fn prepare(&self, step: &Step, _progress: &Progress) -> Result<serde_json::Value, Fault> {
        let CopyStep { key, number, media } = step.task()?;
        let got = self.media.fetch(&media, &self.limits).await?;
        let file = format!("posts/{key}/{number}-{}", got.plain_name());
        self.files.write(&self.path(&file)?, &got.bytes).await?;
        let kept = EntryMedia {
            file,
            alt: media.alt,
            mime: got.facts.mime,
            kind: got.facts.kind,
            bytes: got.facts.bytes,
            width: got.facts.width,
            height: got.facts.height,
        };
        serde_json::to_value(kept).map_err(|error| Fault::NotSent(error.to_string()))
    }

    fn freeze(
        &self,
        step: &Step,
        progress: &Progress,
        _identity: &Identity,
        at: DateTime<Utc>,
    ) -> Result<Frozen, Fault> {
        let PublishStep { key, id, says, media } = step.task()?;
        // A thread that goes on under another generation stays on its page.
        let begun = progress.receipts.iter().find(|receipt| receipt.part == 0);
        let key = begun.and_then(|receipt| read_receipt_id(&receipt.id)).map_or(key, |(key, _)| key.to_owned());
        let media = media.iter().map(|&index| progress.given::<EntryMedia>(index));
        let part = EntryPart { part: step.part, published: at, says, media: media.collect::<Result<_, _>>()? };
        let frozen_key = receipt_id(&key, step.part);
        let request =
            serde_json::to_value(Request { key, id, part }).map_err(|error| Fault::NotSent(error.to_string()))?;
        Ok(Frozen { part: step.part, key: frozen_key, request })
    }

    async fn publish(&self, frozen: &Frozen) -> Result<Receipt, Fault> {
        let request: Request = thawed(frozen)?;
        self.fits(&request.part)?;
        self.is_ours().await?;
        let mut entry = self.entry(&request.key).await?.unwrap_or_else(|| Entry {
            version: VERSION,
            key: request.key.clone(),
            id: request.id.clone(),
            parts: Vec::new(),
        });
        entry.put(request.part.clone());
        self.put_entry(&entry).await?;
        // From here on the post is out, whatever becomes of the pages that show it.
        if let Err(fault) = self.build(&request.key).await {
            return Err(Fault::Unknown(format!("the post is kept, but not all pages are made: {fault}")));
        }
        self.receipt(&request, (self.now)())
    }

    async fn reconcile(&self, frozen: &Frozen, _started: DateTime<Utc>) -> Result<Verdict, Fault> {
        let request: Request = thawed(frozen)?;
        let kept = self.entry(&request.key).await?;
        let there = kept.is_some_and(|entry| entry.parts.contains(&request.part));
        // Kept but not shown is not done: the same request again makes the pages, and changes nothing else.
        if there && self.is_built(&request.key).await? {
            return Ok(Verdict::Done(self.receipt(&request, request.part.published)?));
        }
        Ok(Verdict::NotDone)
    }

    async fn metrics(&self, _receipt: &Receipt) -> Result<Metrics, Fault> {
        // Nobody counts who reads a file.
        Ok(Metrics::default())
    }

    async fn replies(&self, _receipt: &Receipt) -> Result<Vec<Reply>, Fault> {
        Ok(Vec::new())
    }

    async fn delete(&self, receipt: &Receipt) -> Result<(), Fault> {
        let Some((key, part)) = read_receipt_id(&receipt.id) else {
            return Err(Fault::refused(Refusal::Invalid, format!("`{}` is not a post of a feed", receipt.id)));
        };
        if let Some(mut entry) = self.entry(key).await? {
            let (gone, left): (Vec<_>, Vec<_>) = entry.parts.into_iter().partition(|there| there.part == part);
            entry.parts = left;
            if entry.parts.is_empty() {
                self.files.remove(&self.path(&format!("posts/{key}"))?).await?;
            } else {
                self.put_entry(&entry).await?;
                for media in gone.iter().flat_map(|part| &part.media) {
                    if media.file.starts_with("posts/") {
                        self.files.remove(&self.path(&media.file)?).await?;
                    }
                }
            }
        }
        self.build(key).await
    }
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use std::collections::BTreeMap;

    use chrono::TimeZone;

    use super::super::Feed;
    use super::super::fake::FakeFeed;
    use super::*;
    use crate::adapter::suite::Fake;
    use crate::adapter::{Draft, DraftMedia, DraftPart, Network, StepKind};
    use crate::model::{AccountName, CalendarName, DeliveryId, MediaFacts, OccurrenceName};

    /// What a hostile post would write everywhere.
    const NASTY: &str = "<script>alert(1)</script> & \"quotes\" ]]> 'x'";

    fn part(text: &str, pictures: usize) -> DraftPart {
        let facts = MediaFacts { kind: MediaKind::Image, mime: "image/png".to_owned(), bytes: 1, width: 1, height: 1 };
        let media = |index| DraftMedia {
            file: format!("img/shot {index}.PNG"),
            alt: format!("Shot {index} {NASTY}"),
            facts: facts.clone(),
        };
        DraftPart { text: text.to_owned(), media: (0..pictures).map(media).collect() }
    }

    struct Bench {
        fake: FakeFeed,
        account: Account,
    }

    impl Bench {
        fn new() -> Self {
            let fake = FakeFeed::at("public");
            Self { account: fake.account(), fake }
        }

        fn set(mut self, key: &str, value: impl Into<serde_json::Value>) -> Self {
            self.account.settings.insert(key.to_owned(), value.into());
            self
        }

        fn api(&self) -> Box<dyn Api> {
            Feed.connect(&self.account, self.fake.outside())
        }

        /// Everything up to the intents, and each published unless `stop` says so.
        async fn run(
            &self,
            name: &str,
            day: u32,
            parts: Vec<DraftPart>,
            edit: impl Fn(&mut Draft<'_>),
        ) -> Vec<(Frozen, Receipt)> {
            let limits = Limits::new(&PROFILE, &self.account.limits);
            let delivery =
                DeliveryId::derive(&CalendarName::new("acme"), &OccurrenceName::new(name), &AccountName::new("site"));
            let mut draft =
                Draft { languages: vec!["en".to_owned()], ..Draft::new(delivery, &self.account, &limits, parts) };
            edit(&mut draft);
            let plan = Feed.plan(&draft).expect("a plan");
            assert_eq!(plan, Feed.plan(&draft).expect("a plan"), "the same each time");
            let api = self.api();
            let identity = api.whoami().await.expect("who");
            let at = Utc.with_ymd_and_hms(2026, 11, day, 8, 0, 0).single().expect("a time");
            let mut progress = Progress::default();
            for step in plan.steps.iter().filter(|step| step.kind == StepKind::Prepare) {
                let value = api.prepare(step, &progress).await.expect("prepared");
                progress.prepared.push(crate::model::Prepared { step: step.index, value, at });
            }
            let mut done = Vec::new();
            for part in 0..plan.parts() {
                let step = plan.publish_step(part).expect("a step");
                let frozen = api.freeze(step, &progress, &identity, at).expect("frozen");
                assert_eq!(api.reconcile(&frozen, at).await, Ok(Verdict::NotDone));
                let receipt = api.publish(&frozen).await.expect("published");
                progress.receipts.push(receipt.clone());
                done.push((frozen, receipt));
            }
            done
        }

        fn text(&self, path: &str) -> String {
            let bytes = self.fake.all().remove(path).unwrap_or_else(|| panic!("{path} is there"));
            String::from_utf8(bytes).expect("UTF-8")
        }

        fn atom(&self) -> atom_syndication::Feed {
            self.text("public/atom.xml").parse().expect("Atom")
        }

        fn rss(&self) -> rss::Channel {
            self.text("public/rss.xml").parse().expect("RSS")
        }
    }

    #[tokio::test]
    async fn a_post_is_in_the_feeds_and_on_its_page() {
        let bench = Bench::new().set("title", "Acme & sons").set("description", "News").set("author", "Ann");
        let done = bench
            .run("a", 17, vec![part("Acme 2.0 is out. https://acme.example/2.0", 2)], |draft| {
                draft.title = Some("Acme <2.0>".to_owned());
                draft.body = Some("# More\n\nA *long* story, [told](https://acme.example/story).".to_owned());
                draft.link = Some("https://acme.example/2.0?utm_source=feed&utm_medium=x".to_owned());
                draft.tags = vec!["release".to_owned(), "r&d".to_owned()];
            })
            .await;
        let (frozen, receipt) = &done[0];
        let page = format!("https://acme.example/news/posts/{}/", receipt.id);
        assert_eq!(receipt.url.as_deref(), Some(page.as_str()));
        assert!(
            matches!(bench.api().reconcile(frozen, receipt.at).await, Ok(Verdict::Done(found)) if found.id == receipt.id)
        );

        let atom = bench.atom();
        assert_eq!((atom.title.as_str(), atom.authors[0].name.as_str()), ("Acme & sons", "Ann"));
        assert!(atom.id.starts_with("urn:uuid:"));
        assert_eq!(atom.updated.to_rfc3339(), "2026-11-17T08:00:00+00:00");
        let entry = &atom.entries[0];
        assert_eq!(entry.title.as_str(), "Acme <2.0>");
        assert!(entry.id.starts_with("urn:uuid:") && entry.id != atom.id);
        assert_eq!(entry.links.iter().filter(|link| link.rel == "enclosure").count(), 2);
        assert_eq!(
            entry.links.iter().find(|link| link.rel == "alternate").map(|link| link.href.as_str()),
            Some(page.as_str())
        );
        assert_eq!(
            entry.links.iter().find(|link| link.rel == "related").map(|link| link.href.as_str()),
            Some("https://acme.example/2.0?utm_source=feed&utm_medium=x")
        );
        assert_eq!(
            entry.categories.iter().map(|category| category.term.as_str()).collect::<Vec<_>>(),
            ["release", "r&d"]
        );
        let html = entry.content.as_ref().and_then(|content| content.value.as_deref()).expect("content");
        assert!(
            html.contains("<em>long</em>") && html.contains("<img src=\"https://acme.example/news/posts/"),
            "{html}"
        );
        assert!(!html.contains("<script"), "{html}");

        let rss = bench.rss();
        let item = &rss.items[0];
        assert_eq!((rss.title.as_str(), item.title.as_deref()), ("Acme & sons", Some("Acme <2.0>")));
        assert_eq!(item.link.as_deref(), Some(page.as_str()));
        assert_eq!(
            item.guid.as_ref().map(|guid| (guid.value.as_str(), guid.permalink)),
            Some((entry.id.as_str(), false))
        );
        assert_eq!(item.pub_date.as_deref(), Some("Tue, 17 Nov 2026 08:00:00 +0000"));
        assert_eq!(item.enclosure.as_ref().map(|file| file.mime_type.as_str()), Some("image/png"));
        assert_eq!(item.description.as_deref(), Some(html.trim_end()));

        let index = bench.text("public/index.html");
        assert!(
            index.contains("<h2><a href=\"posts/") && index.contains("Acme &lt;2.0&gt;") && index.contains("Read on"),
            "{index}"
        );
        assert!(!index.contains("told"), "the long form is on its own page");
        let page = bench.text(&format!("public/posts/{}/index.html", receipt.id));
        assert!(
            page.contains("<html lang=\"en\">")
                && page.contains("<h1>Acme &lt;2.0&gt;</h1>")
                && page.contains("<h2>More</h2>"),
            "{page}"
        );
        assert!(page.contains("<time datetime=\"2026-11-17T08:00:00Z\">17 November 2026</time>"), "{page}");
        assert!(
            page.contains("<img src=\"1-shot-0.png\" width=\"1\" height=\"1\" alt=\"Shot 0 &lt;script&gt;"),
            "{page}"
        );
        assert!(bench.fake.all().contains_key(&format!("public/posts/{}/2-shot-1.png", receipt.id)));
        assert!(!page.contains("<script") && !index.contains("<script"));
    }

    #[tokio::test]
    async fn the_same_post_again_changes_nothing() {
        let bench = Bench::new();
        let done = bench.run("a", 17, vec![part("One", 1), part("Two", 0)], |_| {}).await;
        let before = bench.fake.all();
        for (frozen, receipt) in &done {
            let again = bench.api().publish(frozen).await.expect("published");
            assert_eq!((&again.id, &again.url), (&receipt.id, &receipt.url));
        }
        assert_eq!(bench.fake.all(), before);
    }

    #[tokio::test]
    async fn a_thread_is_one_entry_that_grows() {
        let bench = Bench::new();
        let done = bench.run("a", 17, vec![part("First", 0), part("Second", 1), part(NASTY, 0)], |_| {}).await;
        let ids: Vec<_> = done.iter().map(|(_, receipt)| receipt.id.clone()).collect();
        assert_eq!(ids[1..], [format!("{}/2", ids[0]), format!("{}/3", ids[0])]);
        assert!(done[2].1.url.as_deref().is_some_and(|url| url.ends_with("/#part-3")));
        let posts = bench.fake.posts().await;
        assert_eq!(posts.iter().map(|post| post.text.as_str()).collect::<Vec<_>>(), ["First", "Second", NASTY]);
        assert_eq!(posts[2].parent.as_deref(), Some(ids[1].as_str()));
        assert_eq!((bench.atom().entries.len(), bench.rss().items.len()), (1, 1));
        let index = bench.text("public/index.html");
        assert!(index.contains("<section id=\"part-3\">") && !index.contains("<script"), "{index}");
        // One part goes, with its picture; the rest stays.
        bench.api().delete(&done[1].1).await.expect("deleted");
        assert_eq!(bench.fake.posts().await.len(), 2);
        assert!(!bench.text("public/index.html").contains("Second"));
        assert!(!bench.fake.all().keys().any(|path| path.contains("shot")));
    }

    #[tokio::test]
    async fn a_content_warning_comes_first() {
        let bench = Bench::new();
        bench
            .run("a", 17, vec![part("The gardener did it", 0)], |draft| {
                draft.content_warning = Some("How it <ends>".to_owned());
            })
            .await;
        let index = bench.text("public/index.html");
        assert!(index.contains("<details>\n<summary>Content warning: How it &lt;ends&gt;</summary>"), "{index}");
        let entry = &bench.atom().entries[0];
        assert_eq!(entry.title.as_str(), "Content warning: How it <ends>");
        assert!(!bench.text("public/archive.html").contains("gardener"));
    }

    #[tokio::test]
    async fn feeds_keep_the_newest_and_pages_stay() {
        let bench = Bench::new().set("entries", 2);
        let mut keys = Vec::new();
        for (name, day) in [("b", 18), ("a", 17), ("d", 20), ("c", 19)] {
            keys.push(bench.run(name, day, vec![part(name, 0)], |_| {}).await.remove(0).1);
        }
        let titles: Vec<_> = bench.atom().entries.iter().map(|entry| entry.title.as_str().to_owned()).collect();
        assert_eq!(titles, ["d", "c"]);
        assert_eq!(bench.rss().items.len(), 2);
        assert_eq!(bench.text("public/archive.html").matches("<li lang=").count(), 4);
        for receipt in &keys {
            assert!(bench.fake.all().contains_key(&format!("public/posts/{}/index.html", receipt.id)));
        }
        for _ in 0..2 {
            bench.api().delete(&keys[2]).await.expect("deleted, or gone already");
        }
        let titles: Vec<_> = bench.atom().entries.iter().map(|entry| entry.title.as_str().to_owned()).collect();
        assert_eq!(titles, ["c", "b"]);
    }

    #[tokio::test]
    async fn feeds_without_an_address_are_valid_too() {
        let mut bench = Bench::new();
        bench.account.settings.remove("link");
        let done = bench.run("a", 17, vec![part("", 1)], |_| {}).await;
        assert_eq!(done[0].1.url, Some(format!("public/posts/{}/index.html", done[0].1.id)));
        let (atom, rss) = (bench.atom(), bench.rss());
        assert_eq!(atom.entries[0].links[0].href, format!("posts/{}/index.html", done[0].1.id));
        assert!(atom.entries[0].title.as_str().starts_with("Shot 0"));
        assert!(rss.link.starts_with("urn:uuid:") && rss.items[0].link.is_none() && rss.items[0].enclosure.is_none());
    }

    #[tokio::test]
    async fn what_is_kept_but_not_shown_is_not_done() {
        let bench = Bench::new();
        let (frozen, receipt) = bench.run("a", 17, vec![part("One", 0)], |_| {}).await.remove(0);
        let api = bench.api();
        let files = bench.fake.files();
        files.remove("public/atom.xml").await.expect("removed");
        assert_eq!(api.reconcile(&frozen, receipt.at).await, Ok(Verdict::NotDone));
        api.publish(&frozen).await.expect("published");
        assert!(matches!(api.reconcile(&frozen, receipt.at).await, Ok(Verdict::Done(_))));
        assert_eq!(bench.fake.posts().await.len(), 1);
    }

    #[tokio::test]
    async fn a_new_title_reaches_old_pages_and_a_changed_style_stays() {
        let bench = Bench::new().set("title", "Old");
        let (_, first) = bench.run("a", 17, vec![part("One", 0)], |_| {}).await.remove(0);
        bench.fake.files().write("public/style.css", b"body { color: red }").await.expect("written");
        let bench = bench.set("title", "New");
        bench.run("b", 18, vec![part("Two", 0)], |_| {}).await;
        assert!(bench.text(&format!("public/posts/{}/index.html", first.id)).contains("· New</title>"));
        assert_eq!(bench.text("public/style.css"), "body { color: red }");
    }

    #[tokio::test]
    async fn pages_of_others_are_not_overwritten() {
        let bench = Bench::new();
        bench.fake.files().write("public/index.html", b"<h1>My own</h1>").await.expect("written");
        let fault = bench.api().whoami().await.expect_err("not ours");
        assert!(matches!(&fault, Fault::Refused { refusal: Refusal::Forbidden, .. }), "{fault:?}");
        assert_eq!(bench.fake.all().len(), 1);
    }

    #[tokio::test]
    async fn a_broken_entry_is_left_out() {
        let bench = Bench::new();
        bench.fake.files().write("public/posts/0123456789abcdef/entry.json", b"{").await.expect("written");
        bench.run("a", 17, vec![part("One", 0)], |_| {}).await;
        assert_eq!(bench.atom().entries.len(), 1);
        let receipt = Receipt {
            part: 0,
            id: "../..".to_owned(),
            url: None,
            at: DateTime::UNIX_EPOCH,
            data: serde_json::Value::Null,
        };
        assert!(bench.api().delete(&receipt).await.is_err());
        let none: BTreeMap<&str, String> = bench.fake.secrets();
        assert!(none.is_empty());
    }
}
