//! Videos by way of the video service: it takes them in parts that it keeps, and is done with them before anybody sees the
//! post. A server of one's own takes them as it takes pictures (lexicons `app.bsky.video.*`, bluesky-social/bsky-docs
//! docs/tutorials/video.mdx; read 2026-11-23).

use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::adapter::http::{Body, Request};
use crate::adapter::{DraftMedia, Fault, Limits, Looks, Outside, Refusal};
use crate::model::Account;

use super::answer::{refusal, word};
use super::plan::Upload;
use super::profile::PROFILE;
use super::session::Login;
use super::wire::{FinishedAnswer, JobAnswer, JobStatus, PartsAnswer, ServiceTokenAnswer, xrpc};

/// Bluesky's own.
const SERVICE: &str = "https://video.bsky.app";

/// What goes in one step of a plan: after a cut no more than so much is sent again.
pub(super) const GROUP: u64 = 16 * 1024 * 1024;

/// The largest part that is believed: one is in memory at a time.
const LARGEST_PART: u64 = 64 * 1024 * 1024;

/// Total time of one part over a slow line.
const PART_TIMEOUT: Duration = Duration::from_mins(5);

/// At a video that is worked on: about ten minutes in all.
const LOOKS: Looks = Looks::new(Duration::from_millis(250), Duration::from_secs(10), 60);

/// "No"s of the service that are about the video or the account. Any other means that it cannot be used so.
const REFUSALS: [&str; 7] = [
    "UnsupportedContentType",
    "VideoTooLarge",
    "VideoTooLong",
    "BadAspectRatio",
    "DailyLimitExceeded",
    "TooManyOpenUploads",
    "UploadForbidden",
];

/// The service that an account's videos go to; `None`: its own server takes them. The service fetches from and writes to the
/// account's server, so it does for public ones alone.
pub(super) fn service(account: &Account) -> Option<&str> {
    match account.setting("video_service") {
        Some("none") => None,
        Some(set) => Some(set.trim_end_matches('/')),
        None => account.server.as_deref().is_none_or(|server| server.starts_with("https://")).then_some(SERVICE),
    }
}

/// An upload, begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Begun {
    /// `None`: the service cannot be used; the account's own server takes the video.
    job: Option<String>,
    /// Bytes of a part.
    part: u64,
}

/// An upload, ended.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Finished {
    /// What the service is at work on; `None`: nothing, it is there.
    pub(super) job: Option<String>,
    /// What it gave, where it is there.
    pub(super) upload: Option<Upload>,
}

/// One account's way to the service.
pub(super) struct Videos<'a> {
    pub(super) service: &'a str,
    pub(super) login: &'a Login,
    pub(super) outside: &'a Outside,
}

impl Videos<'_> {
    fn now(&self) -> DateTime<Utc> {
        (self.outside.now)()
    }

    /// A token for the service, good for half an hour, with which it may write a blob to the server that keeps the account.
    /// The official app sends the same with every call for parts (bluesky-social/social-app,
    /// src/lib/media/video/multipart/upload.ts, read 2026-11-23).
    async fn token(&self) -> Result<SecretString, Fault> {
        let (server, session) = self.login.session(None).await?;
        let audience = did_web(session.keeper.as_deref().unwrap_or(&server))?;
        let until = (self.now() + chrono::Duration::minutes(29)).timestamp().to_string();
        let answer = self
            .login
            .call(|server| {
                Request::get(xrpc(server, "com.atproto.server.getServiceAuth"))
                    .query("aud", audience.as_str())
                    .query("lxm", "com.atproto.repo.uploadBlob")
                    .query("exp", until.as_str())
            })
            .await?;
        if !answer.is_success() {
            return Err(refusal(&answer, false, self.now()));
        }
        let token: ServiceTokenAnswer = answer.json().map_err(|why| Fault::refused(Refusal::Busy, why))?;
        Ok(SecretString::from(token.token))
    }

    /// Begins an upload.
    pub(super) async fn begin(&self, media: &DraftMedia) -> Result<Begun, Fault> {
        let name = media.file.rsplit('/').next().unwrap_or(&media.file);
        let mut body = json!({"sizeBytes": media.facts.bytes, "mimeType": media.facts.mime, "name": name});
        if media.facts.width > 0 && media.facts.height > 0 {
            body["width"] = json!(media.facts.width);
            body["height"] = json!(media.facts.height);
        }
        let request = Request::post(xrpc(self.service, "app.bsky.video.startUpload")).body(Body::Json(body));
        let answer = self.outside.http.call(request.bearer(self.token().await?)).await?;
        if answer.is_success() {
            let begun: PartsAnswer = answer.json().map_err(|why| Fault::refused(Refusal::Busy, why))?;
            if !(1..=LARGEST_PART).contains(&begun.part_size_bytes) {
                return Err(Fault::refused(Refusal::Busy, "the video service asks for parts of an odd size"));
            }
            return Ok(Begun { job: Some(begun.job_id), part: begun.part_size_bytes });
        }
        let about_it = word(&answer).is_some_and(|word| REFUSALS.contains(&word.as_str()));
        if about_it || matches!(answer.status, 408 | 429 | 500 | 502..) {
            return Err(refusal(&answer, false, self.now()));
        }
        tracing::warn!(status = answer.status, "the video service takes no parts; the account's server gets the video");
        Ok(Begun { job: None, part: 0 })
    }

    /// Uploads the parts that begin within these bytes.
    pub(super) async fn parts(&self, begun: &Begun, media: &DraftMedia, from: u64, to: u64) -> Result<(), Fault> {
        let Some(job) = &begun.job else { return Ok(()) };
        let limits = Limits::as_planned(&PROFILE, media);
        let part = begun.part.max(1);
        let first = from.div_ceil(part);
        let token = self.token().await?;
        for number in (first..).take_while(|number| number.saturating_mul(part) < to.min(media.facts.bytes)) {
            let bytes = self.outside.media.chunk(media, &limits, number * part, part).await?;
            let end = number * part + bytes.len() as u64;
            let request = Request::post(xrpc(self.service, "app.bsky.video.uploadPart"))
                .query("jobId", job.as_str())
                .query("partNumber", (number + 1).to_string())
                .body(Body::Bytes { bytes: bytes.into(), mime: "application/octet-stream".to_owned() })
                .timeout(PART_TIMEOUT);
            let answer = self.outside.http.call(request.bearer(token.clone())).await?;
            // One that was ended after all, its answer lost, needs no more parts.
            if !answer.is_success() && word(&answer).as_deref() != Some("UploadAlreadyCompleted") {
                return Err(self.fault(&answer));
            }
            self.outside.media.arrived(media, end);
        }
        Ok(())
    }

    /// Ends an upload. May be repeated.
    pub(super) async fn finish(&self, begun: &Begun) -> Result<Finished, Fault> {
        let Some(job) = &begun.job else { return Ok(Finished { job: None, upload: None }) };
        let request = Request::post(xrpc(self.service, "app.bsky.video.finishUpload"))
            .body(Body::Json(json!({"jobId": job})))
            .timeout(PART_TIMEOUT);
        let answer = self.outside.http.call(request.bearer(self.token().await?)).await?;
        if !answer.is_success() {
            return Err(self.fault(&answer));
        }
        let finished: FinishedAnswer = answer.json().map_err(|why| Fault::refused(Refusal::Busy, why))?;
        Ok(Finished { job: Some(finished.completed_job_id), upload: None })
    }

    /// Waits until a video can be posted.
    pub(super) async fn ready(&self, job: &str) -> Result<Value, Fault> {
        let mut looks = LOOKS;
        // It holds for longer than all looks take.
        let token = self.token().await?;
        loop {
            let request = Request::get(xrpc(self.service, "app.bsky.video.getJobStatus")).query("jobId", job);
            let answer = self.outside.http.call(request.bearer(token.clone())).await?;
            if !answer.is_success() {
                return Err(self.fault(&answer));
            }
            let JobAnswer { job_status: JobStatus { state, blob, error, message } } =
                answer.json().map_err(|why| Fault::refused(Refusal::Busy, why))?;
            if let Some(blob) = blob {
                return Ok(blob);
            }
            if state == "JOB_STATE_FAILED" {
                let why = message.or(error).unwrap_or_else(|| "it does not say why".to_owned());
                return Err(Fault::refused(Refusal::Invalid, format!("the video service cannot use the video: {why}")));
            }
            looks.pause("the video service is still working on the video").await?;
        }
    }

    /// A "no" on the way. An upload that ended is begun anew when its steps are: they are kept for an hour.
    fn fault(&self, answer: &crate::adapter::http::Answer) -> Fault {
        match word(answer).as_deref() {
            Some("UploadNotFound" | "UploadExpired" | "UploadAborted" | "UploadNotReady" | "MissingParts") => {
                let message = match refusal(answer, false, self.now()) {
                    Fault::Refused { message, .. } | Fault::NotSent(message) | Fault::Unknown(message) => message,
                };
                Fault::refused(Refusal::Busy, message)
            }
            _ => refusal(answer, false, self.now()),
        }
    }
}

/// A server as an audience: `did:web` with its host, and its port where it has one (W3C, did:web, read 2026-11-23).
fn did_web(server: &str) -> Result<String, Fault> {
    let url = url::Url::parse(server).map_err(|error| Fault::NotSent(format!("`{server}` is no URL: {error}")))?;
    let host = url.host_str().unwrap_or_default();
    Ok(url.port().map_or_else(|| format!("did:web:{host}"), |port| format!("did:web:{host}%3A{port}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::adapter::suite::plans::{self, prepare};
    use crate::adapter::suite::{Fake, Film, Rule};
    use crate::adapter::{DraftPart, Network, Plan, Progress};
    use crate::model::{AccountName, MediaKind, Prepared};
    use crate::networks::bluesky::Bluesky;
    use crate::networks::bluesky::fake::Pds;

    /// An account with a service of its own, and the plan of a film.
    fn stage(pds: &Pds, bytes: u64) -> (Account, Plan) {
        let mut account = pds.account();
        account.settings.insert("video_service".to_owned(), json!(pds.front().expect("it has one").url()));
        let limits = Limits::new(&PROFILE, &account.limits);
        let mut film = plans::file("v/film.mp4", MediaKind::Video, "video/mp4", bytes, "A film");
        (film.facts.width, film.facts.height) = (320, 240);
        let parts = vec![DraftPart { media: vec![film], ..plans::text("Look") }];
        let plan = Bluesky.plan(&plans::draft(&account, &limits, parts)).expect("a plan");
        (account, plan)
    }

    #[tokio::test]
    async fn a_film_goes_in_parts_and_goes_on_after_a_cut() {
        let pds = Pds::start().await;
        let bytes = 2 * GROUP + 7;
        let film = Film::new(bytes);
        let (account, plan) = stage(&pds, bytes);
        let api = Bluesky.connect(&account, Outside { media: film.clone(), ..pds.outside() });
        let front = pds.front().expect("it has one");
        let part = "/xrpc/app.bsky.video.uploadPart";
        let mut progress = Progress::default();
        // The first group is there, and the second part of the second is cut.
        for step in plan.steps.iter().take(2) {
            let value = api.prepare(step, &progress).await.expect("prepared");
            progress.prepared.push(Prepared { step: step.index, value, at: Utc::now() });
        }
        let first = front.count("POST", part);
        front.rule(Rule::answer(503, r#"{"error":"ServiceOverloaded","message":"later"}"#).on("POST", part));
        let fault = prepare(&*api, &plan, &mut progress).await.expect_err("cut");
        assert!(matches!(fault, Fault::Refused { refusal: Refusal::Busy, .. }), "{fault:?}");
        prepare(&*api, &plan, &mut progress).await.expect("it goes on");
        assert_eq!(front.count("POST", part) - first - 1, 7 - first, "what had arrived is not sent again");
        assert_eq!(pds.film(), film.bytes(), "every byte, in order");
        assert!(film.most() <= 5 * 1024 * 1024, "no more than a part at once");
        assert_eq!(film.told().last(), Some(&bytes));
        // No token of the account's goes to the service.
        let own: Vec<_> = front
            .seen()
            .iter()
            .filter(|seen| seen.path.contains("app.bsky.video."))
            .map(|seen| seen.header("authorization").unwrap_or_default().to_owned())
            .collect();
        assert!(!own.is_empty() && own.iter().all(|token| token == "Bearer service-token"), "{own:?}");
        let identity = api.whoami().await.expect("signed in");
        let step = plan.publish_step(0).expect("a part");
        let frozen = api.freeze(step, &progress, &identity, Utc::now()).expect("a request");
        let embed = &frozen.request["record"]["embed"];
        assert_eq!((&embed["$type"], &embed["alt"]), (&json!("app.bsky.embed.video"), &json!("A film")));
        assert_eq!(embed["aspectRatio"], json!({"width": 320, "height": 240}));
        assert_eq!(embed["video"]["size"], bytes);
        api.publish(&frozen).await.expect("published");
    }

    #[tokio::test]
    async fn what_the_service_has_against_a_film_is_told() {
        let pds = Pds::start().await;
        let (account, plan) = stage(&pds, 9);
        let api = Bluesky.connect(&account, Outside { media: Film::new(9), ..pds.outside() });
        let start = "/xrpc/app.bsky.video.startUpload";
        let front = pds.front().expect("it has one");
        front.rule(Rule::answer(400, r#"{"error":"DailyLimitExceeded","message":"come tomorrow"}"#).on("POST", start));
        let fault = prepare(&*api, &plan, &mut Progress::default()).await.expect_err("refused");
        assert!(fault.to_string().contains("come tomorrow"), "{fault}");
        let failed =
            r#"{"jobStatus":{"jobId":"job-1","did":"did:plc:a","state":"JOB_STATE_FAILED","message":"no film"}}"#;
        front.rule(Rule::answer(200, failed).on("GET", "/xrpc/app.bsky.video.getJobStatus"));
        let fault = prepare(&*api, &plan, &mut Progress::default()).await.expect_err("refused");
        assert!(matches!(&fault, Fault::Refused { refusal: Refusal::Invalid, .. }), "{fault:?}");
    }

    #[tokio::test]
    async fn a_service_that_takes_no_parts_is_done_without() {
        let pds = Pds::start().await;
        let (account, plan) = stage(&pds, 9);
        let api = Bluesky.connect(&account, pds.outside());
        let front = pds.front().expect("it has one");
        front.rule(
            Rule::answer(501, r#"{"error":"MethodNotImplemented","message":"no"}"#)
                .on("POST", "/xrpc/app.bsky.video.startUpload"),
        );
        let mut progress = Progress::default();
        prepare(&*api, &plan, &mut progress).await.expect("the account's server takes it");
        assert_eq!(front.count("POST", "/xrpc/com.atproto.repo.uploadBlob"), 1);
        assert_eq!(front.count("POST", "/xrpc/app.bsky.video.uploadPart"), 0);
    }

    #[test]
    fn a_server_is_an_audience_by_its_host() {
        assert_eq!(did_web("https://keeper.test").as_deref(), Ok("did:web:keeper.test"));
        assert_eq!(did_web("http://127.0.0.1:3000").as_deref(), Ok("did:web:127.0.0.1%3A3000"));
        assert!(did_web("keeper").is_err());
    }

    #[tokio::test]
    async fn one_token_does_for_all_looks() {
        let pds = Pds::start().await;
        let (account, plan) = stage(&pds, 9);
        let api = Bluesky.connect(&account, Outside { media: Film::new(9), ..pds.outside() });
        let front = pds.front().expect("it has one");
        let status = "/xrpc/app.bsky.video.getJobStatus";
        let working = r#"{"jobStatus":{"jobId":"job-2","did":"did:plc:a","state":"JOB_STATE_OF_2030"}}"#;
        front.rule(Rule::answer(200, working).on("GET", status));
        prepare(&*api, &plan, &mut Progress::default()).await.expect("ready in the end");
        assert_eq!(front.count("GET", status), 3, "a state that is not known means that it is worked on");
        // Begin, parts, finish, looks.
        assert_eq!(front.count("GET", "/xrpc/com.atproto.server.getServiceAuth"), 4);
    }

    #[test]
    fn servers_of_ones_own_take_videos_themselves() {
        let account = |server: Option<&str>, set: Option<&str>| {
            let mut account = Account::new(AccountName::new("a"), "bluesky");
            account.server = server.map(str::to_owned);
            if let Some(set) = set {
                account.settings.insert("video_service".to_owned(), json!(set));
            }
            service(&account).map(str::to_owned)
        };
        assert_eq!(account(None, None).as_deref(), Some(SERVICE));
        assert_eq!(account(Some("https://pds.example"), None).as_deref(), Some(SERVICE));
        assert_eq!(account(Some("http://127.0.0.1:3000"), None), None);
        assert_eq!(account(None, Some("none")), None);
        assert_eq!(account(None, Some("https://v.example/")).as_deref(), Some("https://v.example"));
    }
}
