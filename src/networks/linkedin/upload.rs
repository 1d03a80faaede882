//! Uploads: an address is asked for, the bytes go there, and `LinkedIn` works on a video or a document until it can be posted.

use std::time::Duration;

use serde_json::json;

use crate::adapter::http::{Body, Request};
use crate::adapter::{Content, DraftMedia, Fault, Limits, Looks, Refusal};

use super::api::Client;
use super::plan::{Begun, Parts};
use super::profile::PROFILE;
use super::wire::{AssetAnswer, DocumentUpload, ImageUpload, Urn, Value as Wrapped, VideoUpload};

/// Total time of one upload over a slow line.
const UPLOAD_TIMEOUT: Duration = Duration::from_mins(5);

/// Looks at a file that `LinkedIn` works on.
const LOOKS: Looks = Looks::new(Duration::from_millis(250), Duration::from_secs(15), 40);

impl Client {
    /// The address of an upload, if it is `LinkedIn`'s own: the bytes are the author's, and a token may go with them.
    fn upload_url<'a>(&self, url: &'a str) -> Result<&'a str, Fault> {
        let good = url::Url::parse(url).is_ok_and(|parsed| {
            let own = parsed.origin().ascii_serialization() == self.origin();
            let host = parsed.host_str().unwrap_or_default();
            own || (parsed.scheme() == "https" && (host == "linkedin.com" || host.ends_with(".linkedin.com")))
        });
        if good {
            Ok(url)
        } else {
            Err(Fault::refused(Refusal::Busy, "LinkedIn names an address for the upload that is not its own"))
        }
    }

    /// A picture, whole.
    pub(super) async fn image(&self, bytes: Vec<u8>, mime: &str) -> Result<Urn, Fault> {
        let body = json!({"initializeUploadRequest": {"owner": self.author().await?.as_str()}});
        let begun: Wrapped<ImageUpload> = self.read(&self.act("/rest/images?action=initializeUpload", &body).await?)?;
        self.put(&begun.value.upload_url, bytes.into(), mime).await?;
        Ok(begun.value.image)
    }

    /// A document, whole, read while it is sent.
    pub(super) async fn document(&self, media: &DraftMedia) -> Result<Urn, Fault> {
        let file = self.outside.file(media, &Limits::as_planned(&PROFILE, media)).await?;
        let body = json!({"initializeUploadRequest": {"owner": self.author().await?.as_str()}});
        let path = "/rest/documents?action=initializeUpload";
        let begun: Wrapped<DocumentUpload> = self.read(&self.act(path, &body).await?)?;
        self.put(&begun.value.upload_url, file.content, &file.facts.mime).await?;
        Ok(begun.value.document)
    }

    /// Sends the bytes of a picture or a document, with the token.
    async fn put(&self, url: &str, bytes: Content, mime: &str) -> Result<(), Fault> {
        let url = self.upload_url(url)?;
        let body = Body::Bytes { bytes, mime: mime.to_owned() };
        let answer = self.call(|| Request::put(url).body(body.clone()).timeout(UPLOAD_TIMEOUT)).await?;
        if answer.is_success() { Ok(()) } else { Err(self.refusal(&answer, false)) }
    }

    /// Begins the upload of a video.
    pub(super) async fn begin(&self, media: &DraftMedia) -> Result<Begun, Fault> {
        let body = json!({"initializeUploadRequest": {
            "owner": self.author().await?.as_str(),
            "fileSizeBytes": media.facts.bytes,
            "uploadCaptions": false,
            "uploadThumbnail": false,
        }});
        let begun: Wrapped<VideoUpload> = self.read(&self.act("/rest/videos?action=initializeUpload", &body).await?)?;
        let VideoUpload { video, upload_token, upload_instructions } = begun.value;
        let parts = upload_instructions.into_iter().map(|part| (part.upload_url, part.first_byte, part.last_byte));
        Ok(Begun { urn: video.as_str().to_owned(), token: upload_token, parts: parts.collect() })
    }

    /// Some parts of a video, one after the other: never more than one is in memory. The addresses are secret enough: no
    /// token goes there.
    pub(super) async fn append(
        &self,
        begun: &Begun,
        media: &DraftMedia,
        first: usize,
        count: Option<usize>,
    ) -> Result<Parts, Fault> {
        let limits = Limits::as_planned(&PROFILE, media);
        let mut ids = Vec::new();
        for (url, start, end) in begun.parts.iter().skip(first).take(count.unwrap_or(usize::MAX)) {
            let length = end.saturating_sub(*start).saturating_add(1);
            let bytes = self.outside.media.chunk(media, &limits, *start, length).await?;
            let body = Body::Bytes { bytes: bytes.into(), mime: "application/octet-stream".to_owned() };
            let request = Request::put(self.upload_url(url)?).body(body).timeout(UPLOAD_TIMEOUT);
            let answer = self.outside.http.call(request).await?;
            if !answer.is_success() {
                return Err(self.refusal(&answer, false));
            }
            let id = answer.header("etag").map(|etag| etag.trim_matches('"').to_owned());
            ids.push(id.ok_or_else(|| Fault::refused(Refusal::Busy, "LinkedIn gave a part of the video no name"))?);
            self.outside.media.arrived(media, end.saturating_add(1));
        }
        Ok(Parts { ids })
    }

    /// Puts the parts of a video together.
    pub(super) async fn finish(&self, begun: &Begun, ids: &[String]) -> Result<(), Fault> {
        let body = json!({"finalizeUploadRequest": {
            "video": begun.urn,
            "uploadToken": begun.token,
            "uploadedPartIds": ids,
        }});
        let answer = self.act("/rest/videos?action=finalizeUpload", &body).await?;
        if answer.is_success() {
            return Ok(());
        }
        let fault = self.refusal(&answer, false);
        // One whose answer was lost is put together already: LinkedIn is asked how far it is.
        if matches!(fault, Fault::Refused { refusal: Refusal::Invalid, .. })
            && self.video(&begun.urn).await.is_ok_and(|video| video.status != "WAITING_UPLOAD")
        {
            return Ok(());
        }
        Err(fault)
    }

    async fn video(&self, urn: &str) -> Result<AssetAnswer, Fault> {
        self.asset("videos", urn).await
    }

    /// How far `LinkedIn` is with a file.
    async fn asset(&self, list: &str, urn: &str) -> Result<AssetAnswer, Fault> {
        let urn = Urn::parse(urn).ok_or_else(|| Fault::NotSent(format!("`{urn}` is no name")))?;
        self.read(&self.get(&format!("/rest/{list}/{}", urn.escaped())).await?)
    }

    /// Waits until a video can be posted.
    pub(super) async fn video_ready(&self, urn: &str) -> Result<(), Fault> {
        self.ready("videos", urn, "video").await
    }

    /// Waits until a document can be posted. An app of a member's may not be allowed to look: then a post that comes too
    /// early is refused, and sent again later.
    pub(super) async fn document_ready(&self, urn: &str) -> Result<(), Fault> {
        match self.ready("documents", urn, "document").await {
            Err(Fault::Refused { refusal: Refusal::Forbidden, .. }) => Ok(()),
            other => other,
        }
    }

    async fn ready(&self, list: &str, urn: &str, what: &str) -> Result<(), Fault> {
        let mut looks = LOOKS;
        loop {
            let asset = self.asset(list, urn).await?;
            match asset.status.as_str() {
                "AVAILABLE" => return Ok(()),
                "PROCESSING_FAILED" => {
                    let why = asset.processing_failure_reason.unwrap_or_else(|| "it does not say why".to_owned());
                    return Err(Fault::refused(Refusal::Invalid, format!("LinkedIn cannot use the {what}: {why}")));
                }
                _ => looks.pause(&format!("LinkedIn is still working on the {what}")).await?,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::suite::plans::{at, draft, file, prepare, text};
    use crate::adapter::suite::{Bench, Fake, Film, Rule};
    use crate::adapter::{DraftPart, Network, Outside, Plan, Progress, Step, StepKind};
    use crate::model::{LimitOverrides, MediaKind};
    use crate::networks::linkedin::LinkedIn;
    use crate::networks::linkedin::fake::Service;
    use crate::networks::linkedin::profile::PART;

    async fn bench() -> Bench<Service> {
        Bench::new(&LinkedIn, Service::start(false).await).await
    }

    fn plan_of(bench: &Bench<Service>, media: DraftMedia) -> Plan {
        let account = bench.fake.account();
        let limits = Limits::new(&PROFILE, &LimitOverrides::default());
        let part = DraftPart { media: vec![media], ..text("Look") };
        LinkedIn.plan(&draft(&account, &limits, vec![part])).expect("a plan")
    }

    #[tokio::test]
    async fn a_film_goes_in_parts_and_goes_on_after_a_cut() {
        let bench = bench().await;
        let bytes = 6 * PART + 7;
        let film = Film::new(bytes);
        let api = LinkedIn.connect(&bench.fake.account(), Outside { media: film.clone(), ..bench.fake.outside() });
        let media = file("film.mp4", MediaKind::Video, "video/mp4", bytes, "A film");
        let plan = plan_of(&bench, media);
        let mut progress = Progress::default();
        let front = bench.front();
        front.rule(Rule::answer(503, "").on("PUT", "/dms/C1/4"));
        let fault = prepare(&*api, &plan, &mut progress).await.expect_err("cut");
        assert!(matches!(fault, Fault::Refused { refusal: Refusal::Busy, .. }), "{fault:?}");
        prepare(&*api, &plan, &mut progress).await.expect("it goes on");
        assert_eq!(front.count("PUT", "/dms/C1/0"), 1, "what had arrived is not sent again");
        assert_eq!(bench.fake.film("urn:li:video:C1"), film.bytes(), "every byte, in order");
        assert_eq!((film.most(), film.told().last()), (PART, Some(&bytes)));
        let tokens = front
            .seen()
            .iter()
            .filter(|seen| seen.path.starts_with("/dms/") && seen.header("authorization").is_some())
            .count();
        assert_eq!(tokens, 0, "no token goes where the parts go");
        let step = plan.publish_step(0).expect("a part");
        let frozen = api.freeze(step, &progress, &bench.identity, at()).expect("a request");
        assert_eq!(frozen.request["body"]["content"], json!({"media": {"id": "urn:li:video:C1"}}));
        api.publish(&frozen).await.expect("published");
    }

    #[tokio::test]
    async fn a_document_is_uploaded_and_waited_for() {
        let bench = bench().await;
        let bytes = 3 * PART + 1;
        let film = Film::new(bytes);
        let api = LinkedIn.connect(&bench.fake.account(), Outside { media: film.clone(), ..bench.fake.outside() });
        let account = bench.fake.account();
        let limits = Limits::new(&PROFILE, &LimitOverrides::default());
        let media = vec![file("deck.pdf", MediaKind::Document, "application/pdf", bytes, "")];
        let mut draft = draft(&account, &limits, vec![DraftPart { media, ..text("Read this") }]);
        draft.titles.insert("deck.pdf".to_owned(), "Acme 2.0".to_owned());
        let plan = LinkedIn.plan(&draft).expect("a plan");
        let mut progress = Progress::default();
        prepare(&*api, &plan, &mut progress).await.expect("prepared");
        assert_eq!(bench.fake.document("urn:li:document:D1"), film.bytes(), "every byte");
        assert_eq!(
            bench.front().count("GET", "/rest/documents/urn%3Ali%3Adocument%3AD1"),
            2,
            "asked until it was ready"
        );
        let step = plan.publish_step(0).expect("a part");
        let frozen = api.freeze(step, &progress, &bench.identity, at()).expect("a request");
        assert_eq!(
            frozen.request["body"]["content"],
            json!({"media": {"id": "urn:li:document:D1", "title": "Acme 2.0"}})
        );
        api.publish(&frozen).await.expect("published");
        // What cannot be used is refused before anything is out, and who may not look goes on.
        let look = Step { index: 1, part: 0, kind: StepKind::Prepare, payload: json!({"do": "read", "document": 0}) };
        let failed = r#"{"status":"PROCESSING_FAILED","processingFailureReason":"more than 300 pages"}"#;
        bench.rule(Rule::answer(200, failed).on("GET", "/rest/documents/*"));
        let fault = api.prepare(&look, &progress).await.expect_err("refused");
        assert!(
            matches!(&fault, Fault::Refused { refusal: Refusal::Invalid, message, .. } if message.contains("300 pages")),
            "{fault:?}"
        );
        let forbidden = r#"{"message":"Accessing this document resource is forbidden.","status":403}"#;
        bench.rule(Rule::answer(403, forbidden).on("GET", "/rest/documents/*"));
        api.prepare(&look, &progress).await.expect("LinkedIn is not asked then");
    }
}
