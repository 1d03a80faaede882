//! Uploads: in segments, then X works on the file until it can be posted.

use std::time::Duration;

use serde_json::json;

use crate::adapter::http::{Body, Field};
use crate::adapter::{DraftMedia, Fault, Limits, Looks, MediaBytes, Refusal};
use crate::model::{LimitOverrides, MediaFacts, MediaKind};

use super::api::Client;
use super::profile::{PROFILE, SEGMENT};
use super::wire::{Id, One, Upload};

/// Total time of one segment over a slow line.
const SEGMENT_TIMEOUT: Duration = Duration::from_mins(5);

/// X says when to look again; never sooner than this.
const SHORTEST_WAIT: Duration = Duration::from_millis(100);
const LOOKS: Looks = Looks::new(SHORTEST_WAIT, Duration::from_secs(30), 40);

impl Client {
    /// Begins an upload.
    pub(super) async fn begin(&self, facts: &MediaFacts) -> Result<Id, Fault> {
        let category = match facts.kind {
            MediaKind::Image => "tweet_image",
            MediaKind::Animation => "tweet_gif",
            MediaKind::Video => "tweet_video",
            MediaKind::Document => return Err(Fault::refused(Refusal::Invalid, "X takes no documents")),
        };
        let body = json!({"media_type": facts.mime, "total_bytes": facts.bytes, "media_category": category});
        let answer = self.post("/2/media/upload/initialize", &Body::Json(body), None).await?;
        Ok(self.read::<One<Upload>>(&answer)?.data.id)
    }

    async fn append(&self, id: &Id, segment: u64, bytes: Vec<u8>) -> Result<(), Fault> {
        let body = Body::Multipart(vec![
            Field::Text { name: "segment_index".to_owned(), value: segment.to_string() },
            Field::File {
                name: "media".to_owned(),
                file_name: "segment".to_owned(),
                mime: "application/octet-stream".to_owned(),
                bytes: bytes.into(),
            },
        ]);
        let path = format!("/2/media/upload/{}/append", id.as_str());
        let answer = self.post(&path, &body, Some(SEGMENT_TIMEOUT)).await?;
        if answer.is_success() { Ok(()) } else { Err(self.refusal(&answer, false)) }
    }

    /// Ends an upload. One whose answer was lost is ended already: X is asked how far it is.
    pub(super) async fn finish(&self, id: &Id) -> Result<Upload, Fault> {
        let path = format!("/2/media/upload/{}/finalize", id.as_str());
        let answer = self.post(&path, &Body::Empty, Some(SEGMENT_TIMEOUT)).await?;
        if answer.status == 400
            && let Ok(upload) = self.status(id).await
        {
            return Ok(upload);
        }
        Ok(self.read::<One<Upload>>(&answer)?.data)
    }

    /// How far X is with a file.
    pub(super) async fn status(&self, id: &Id) -> Result<Upload, Fault> {
        let answer = self.get("/2/media/upload", &[("command", "STATUS"), ("media_id", id.as_str())]).await?;
        Ok(self.read::<One<Upload>>(&answer)?.data)
    }

    /// Waits until X is done with a file, as long as it says.
    pub(super) async fn ready(&self, mut upload: Upload) -> Result<(), Fault> {
        let mut looks = LOOKS;
        loop {
            let Some(processing) = &upload.processing_info else { return Ok(()) };
            match processing.state.as_str() {
                "succeeded" => return Ok(()),
                "failed" => {
                    let error = processing.error.as_ref();
                    let why = error.and_then(|error| error.message.as_deref().or(error.name.as_deref()));
                    let why = why.unwrap_or("it does not say why");
                    return Err(Fault::refused(Refusal::Invalid, format!("X cannot use the file: {why}")));
                }
                _ => {}
            }
            let wait = Duration::from_secs(processing.check_after_secs.unwrap_or(1));
            looks.pause_for(wait.max(SHORTEST_WAIT), "X is still working on the file").await?;
            upload = self.status(&upload.id).await?;
        }
    }

    /// A picture, whole.
    pub(super) async fn upload(&self, media: &DraftMedia, limits: &LimitOverrides) -> Result<Id, Fault> {
        let MediaBytes { bytes, facts, .. } = self.outside.media.fetch(media, &Limits::new(&PROFILE, limits)).await?;
        let id = self.begin(&facts).await?;
        let segment = usize::try_from(SEGMENT).unwrap_or(usize::MAX);
        for (number, part) in (0..).zip(bytes.chunks(segment)) {
            self.append(&id, number, part.to_vec()).await?;
        }
        self.ready(self.finish(&id).await?).await?;
        Ok(id)
    }

    /// Some segments of a video, one after the other: never more than one is in memory.
    pub(super) async fn segments(&self, id: &Id, media: &DraftMedia, first: u64, count: u64) -> Result<(), Fault> {
        let limits = Limits::as_planned(&PROFILE, media);
        for number in first..first.saturating_add(count) {
            let offset = number.saturating_mul(SEGMENT);
            let bytes = self.outside.media.chunk(media, &limits, offset, SEGMENT).await?;
            let end = offset.saturating_add(bytes.len() as u64);
            self.append(id, number, bytes).await?;
            self.outside.media.arrived(media, end);
        }
        Ok(())
    }

    /// Tells the alt text of a file.
    pub(super) async fn describe(&self, id: &Id, alt: &str) -> Result<(), Fault> {
        let body = Body::Json(json!({"id": id.as_str(), "metadata": {"alt_text": {"text": alt}}}));
        let answer = self.post("/2/media/metadata", &body, None).await?;
        if answer.is_success() { Ok(()) } else { Err(self.refusal(&answer, false)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::suite::plans::{at, draft, file, prepare, text};
    use crate::adapter::suite::{Act, Bench, Fake, Film, Rule};
    use crate::adapter::{DraftPart, Network, Outside, Plan, Progress};
    use crate::networks::x::X;
    use crate::networks::x::fake::Service;

    async fn bench() -> Bench<Service> {
        Bench::new(&X, Service::start().await).await
    }

    /// The steps of a film and its post.
    fn film_plan(bench: &Bench<Service>, bytes: u64) -> Plan {
        let account = bench.fake.account();
        let limits = Limits::new(&PROFILE, &LimitOverrides::default());
        let media = vec![file("film.mp4", MediaKind::Video, "video/mp4", bytes, "A film")];
        X.plan(&draft(&account, &limits, vec![DraftPart { media, ..text("Look") }])).expect("a plan")
    }

    #[tokio::test]
    async fn a_film_goes_in_segments_and_goes_on_after_a_cut() {
        let bench = bench().await;
        let bytes = 9 * SEGMENT + 5;
        let film = Film::new(bytes);
        let outside = Outside { media: film.clone(), ..bench.fake.outside() };
        let api = X.connect(&bench.fake.account(), outside);
        let plan = film_plan(&bench, bytes);
        let mut progress = Progress::default();
        // The line is cut while the second group is under way.
        let front = bench.front();
        let append = "/2/media/upload/101/append";
        front.rule(Rule::new(Act::Wait(Duration::ZERO)).on("POST", append).times(5));
        front.rule(Rule::answer(503, "").on("POST", append));
        let fault = prepare(&*api, &plan, &mut progress).await.expect_err("cut");
        assert!(matches!(fault, Fault::Refused { refusal: Refusal::Busy, .. }), "{fault:?}");
        assert_eq!(progress.prepared.len(), 2, "begun, and the first group");
        assert_eq!(front.count("POST", append), 6);
        prepare(&*api, &plan, &mut progress).await.expect("it goes on");
        assert_eq!(front.count("POST", append), 6 + 6, "only the second group and what follows");
        assert_eq!(front.count("POST", "/2/media/upload/initialize"), 1);
        assert_eq!(bench.fake.film("101"), film.bytes(), "every byte, in order");
        assert_eq!(film.most(), SEGMENT, "no more than a segment at once");
        assert_eq!(film.told().last(), Some(&bytes), "who watches sees all of it arrive");
        let step = plan.publish_step(0).expect("a part");
        let frozen = api.freeze(step, &progress, &bench.identity, at()).expect("a request");
        assert_eq!(frozen.request["body"], json!({"text": "Look", "media": {"media_ids": ["101"]}}));
        api.publish(&frozen).await.expect("published");
    }

    #[tokio::test]
    async fn a_finish_whose_answer_was_lost_is_not_the_end() {
        let bench = bench().await;
        let api = X.connect(&bench.fake.account(), Outside { media: Film::new(9), ..bench.fake.outside() });
        let plan = film_plan(&bench, 9);
        let mut progress = Progress::default();
        let lost = Act::AnswerAfter { status: 503, headers: Vec::new(), body: String::new() };
        bench.rule(Rule::new(lost).on("POST", "/2/media/upload/101/finalize"));
        prepare(&*api, &plan, &mut progress).await.expect_err("lost");
        prepare(&*api, &plan, &mut progress).await.expect("X is asked how far it is");
    }

    #[tokio::test]
    async fn a_file_that_x_cannot_use_is_refused() {
        let bench = bench().await;
        let api = X.connect(&bench.fake.account(), Outside { media: Film::new(9), ..bench.fake.outside() });
        let plan = film_plan(&bench, 9);
        let body = r#"{"data":{"id":"101","processing_info":{"state":"failed","error":{"name":"InvalidMedia","message":"not a film"}}}}"#;
        bench.rule(Rule::answer(200, body).on("GET", "/2/media/upload"));
        let fault = prepare(&*api, &plan, &mut Progress::default()).await.expect_err("refused");
        assert!(
            matches!(&fault, Fault::Refused { refusal: Refusal::Invalid, message, .. } if message.contains("not a film")),
            "{fault:?}"
        );
    }
}
