//! Link cards, which `LinkedIn` calls articles: it does not look at the page, so it is told.

use serde_json::json;

use crate::adapter::{Fault, card};

use super::api::Client;
use super::plan::Card;
use super::profile::{THUMB_BYTES, THUMB_SIDE};
use super::wire::Urn;

/// Longest title and description, in characters: no limit is stated, and readers show less.
const TITLE: usize = 400;
const DESCRIPTION: usize = 4000;

impl Client {
    /// What is told of a link. Whatever is wrong with the page, the post goes out.
    pub(super) async fn article(&self, url: &str, needed: bool) -> Result<Card, Fault> {
        let shown = || url.split_once("://").map_or(url, |(_, rest)| rest).trim_end_matches('/').to_owned();
        let cut = |text: &str, most: usize| text.chars().take(most).collect::<String>();
        let (page, base) = match card::page(&self.outside, url).await {
            Ok(found) => found,
            Err(why) => {
                let bare = json!({"source": url, "title": cut(&shown(), TITLE)});
                return Ok(Card { article: needed.then_some(bare), why: Some(why) });
            }
        };
        let title = if page.title.is_empty() { shown() } else { page.title };
        let mut article = json!({"source": url, "title": cut(&title, TITLE)});
        if !page.description.is_empty() {
            article["description"] = json!(cut(&page.description, DESCRIPTION));
        }
        let mut why = None;
        if let Some(image) = page.image {
            match self.thumbnail(&base, &image).await {
                Ok(urn) => article["thumbnail"] = json!(urn.as_str()),
                Err(fault) => why = Some(format!("without its picture: {fault}")),
            }
        }
        Ok(Card { article: Some(article), why })
    }

    async fn thumbnail(&self, base: &str, image: &str) -> Result<Urn, Fault> {
        let picture = card::picture(&self.outside, base, image, THUMB_BYTES, THUMB_SIDE).await?;
        self.image(picture.bytes, &picture.facts.mime).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::suite::plans::{at, draft, prepare, text};
    use crate::adapter::suite::{Bench, Fake};
    use crate::adapter::{Limits, Network, Plan, Progress};
    use crate::model::LimitOverrides;
    use crate::networks::linkedin::LinkedIn;
    use crate::networks::linkedin::fake::Service;
    use crate::networks::linkedin::profile::PROFILE;

    fn plan_of(bench: &Bench<Service>, link: String) -> Plan {
        let account = bench.fake.account();
        let limits = Limits::new(&PROFILE, &LimitOverrides::default());
        let mut draft = draft(&account, &limits, vec![text("Out now")]);
        draft.link = Some(link);
        LinkedIn.plan(&draft).expect("a plan")
    }

    #[tokio::test]
    async fn a_link_comes_with_its_title_and_picture() {
        let bench = Bench::new(&LinkedIn, Service::start(false).await).await;
        let link = format!("{}/page", bench.front().url());
        let plan = plan_of(&bench, link.clone());
        let mut progress = Progress::default();
        prepare(&*bench.api, &plan, &mut progress).await.expect("prepared");
        let step = plan.publish_step(0).expect("a part");
        let frozen = bench.api.freeze(step, &progress, &bench.identity, at()).expect("a request");
        let article =
            json!({"source": link, "title": "Acme 2.0", "description": "It is out", "thumbnail": "urn:li:image:C1"});
        assert_eq!(frozen.request["body"]["content"], json!({"article": article}));
        bench.api.publish(&frozen).await.expect("published");
        // A page that is not there costs the title, not the link.
        let plan = plan_of(&bench, format!("{link}/gone"));
        let mut progress = Progress::default();
        prepare(&*bench.api, &plan, &mut progress).await.expect("prepared");
        let card: Card = progress.given(0).expect("a card");
        assert!(card.article.expect("the link is not lost")["source"].as_str().expect("text").ends_with("/page/gone"));
    }
}
