//! What the cases stand on: a fake, an account, drafts, and a small engine that follows a network's repeat safety.

use std::time::Duration;

use chrono::{DateTime, TimeZone, Utc};
use smm::adapter::http::{Http, HttpSettings};
use smm::adapter::suite::{Fake, Front, PICTURE};
use smm::adapter::{
    Api, Draft, DraftMedia, DraftPart, Fault, Limits, Network, Plan, Progress, RepeatSafety, Step, StepKind, Verdict,
};
use smm::model::{
    Account, AccountName, CalendarName, DeliveryId, Frozen, MediaFacts, MediaKind, OccurrenceName, PostId, Prepared,
    Problem, Receipt, Severity,
};

/// A network on a stage.
pub(crate) struct Stage {
    pub(crate) network: &'static dyn Network,
    pub(crate) fake: Box<dyn Fake>,
    pub(crate) account: Account,
    pub(crate) limits: Limits,
}

impl Stage {
    /// Starts the network's fake.
    pub(crate) async fn new(network: &'static dyn Network) -> Self {
        let fake = network.fake().await.expect("every network of the registry has a fake");
        let mut account = fake.account();
        if let Some(front) = fake.front() {
            account.server = Some(front.url().to_owned());
        }
        let limits = Limits::new(network.profile(), &account.limits);
        Self { network, fake, account, limits }
    }

    /// The fake's front. Only in cases for networks that have one.
    pub(crate) fn front(&self) -> &Front {
        self.fake.front().expect("a network over HTTP")
    }

    /// The irreversible call.
    pub(crate) fn publish_call(&self) -> (&'static str, &'static str) {
        self.fake.publish_call().expect("a network over HTTP")
    }

    /// A connection to the fake.
    pub(crate) fn api(&self) -> Box<dyn Api> {
        self.network.connect(&self.account, self.fake.outside())
    }

    /// A connection by another address: that of a proxy.
    pub(crate) fn api_by(&self, server: &str) -> Box<dyn Api> {
        let account = Account { server: Some(server.to_owned()), ..self.account.clone() };
        self.network.connect(&account, self.fake.outside())
    }

    /// A connection with another time limit.
    pub(crate) fn hasty_api(&self, timeout: Duration) -> Box<dyn Api> {
        let mut outside = self.fake.outside();
        outside.http = Http::new(HttpSettings { timeout, private_pages: true });
        self.network.connect(&self.account, outside)
    }

    /// A draft with these texts.
    pub(crate) fn draft(&self, post: &str, texts: &[&str]) -> Draft<'_> {
        let parts = texts
            .iter()
            .enumerate()
            .map(|(index, text)| DraftPart {
                text: (*text).to_owned(),
                media: if index == 0 && self.network.profile().media.required {
                    vec![picture("suite.png", "A dot")]
                } else {
                    vec![]
                },
            })
            .collect();
        Draft::new(delivery(post), &self.account, &self.limits, parts)
    }

    /// Everything that checking says of a draft, errors alone.
    pub(crate) fn errors(&self, draft: &Draft<'_>) -> Vec<Problem> {
        let mut problems = Vec::new();
        smm::adapter::check::check(self.network.profile(), draft, &mut problems);
        self.network.check(draft, &mut problems);
        problems.retain(|problem| problem.severity == Severity::Error);
        problems
    }

    /// The draft's plan.
    pub(crate) fn plan(&self, draft: &Draft<'_>) -> Plan {
        self.network.plan(draft).unwrap_or_else(|problems| panic!("the plan was refused: {problems:?}"))
    }

    /// The request of a draft's first part, all that may be repeated done.
    pub(crate) async fn frozen(&self, api: &dyn Api, draft: &Draft<'_>) -> Frozen {
        let plan = self.plan(draft);
        let progress = prepared(api, &plan).await.expect("prepared");
        let identity = api.whoami().await.expect("an identity");
        let step = plan.publish_step(0).expect("a first part");
        api.freeze(step, &progress, &identity, created()).expect("a request")
    }

    /// Publishes a whole draft as the engine would.
    pub(crate) async fn publish(&self, api: &dyn Api, draft: &Draft<'_>) -> Result<Vec<Receipt>, Fault> {
        let plan = self.plan(draft);
        let identity = api.whoami().await?;
        let mut progress = prepared(api, &plan).await?;
        let safety = identity.repeat.unwrap_or(self.network.profile().repeat);
        for part in 0..plan.parts() {
            let step = plan.publish_step(part).expect("parts have no gap");
            prepare(api, &plan, &mut progress, |step| step.part == part && api.follows(step)).await?;
            let frozen = api.freeze(step, &progress, &identity, created())?;
            let receipt = deliver(api, &frozen, safety).await?;
            progress.receipts.push(receipt);
        }
        Ok(progress.receipts)
    }
}

/// Runs what may be repeated, but for what waits for a part that is not out.
pub(crate) async fn prepared(api: &dyn Api, plan: &Plan) -> Result<Progress, Fault> {
    let mut progress = Progress::default();
    prepare(api, plan, &mut progress, |step| step.part == 0 || !api.follows(step)).await?;
    Ok(progress)
}

async fn prepare(
    api: &dyn Api,
    plan: &Plan,
    progress: &mut Progress,
    now: impl Fn(&Step) -> bool,
) -> Result<(), Fault> {
    let steps = plan.steps.iter().filter(|step| step.kind == StepKind::Prepare && now(step));
    for step in steps {
        if progress.value(step.index).is_none() {
            let value = api.prepare(step, progress).await?;
            progress.prepared.push(Prepared { step: step.index, value, at: created() });
        }
    }
    Ok(())
}

/// One part, and what its network's repeat safety says of an answer that was lost.
pub(crate) async fn deliver(api: &dyn Api, frozen: &Frozen, safety: RepeatSafety) -> Result<Receipt, Fault> {
    let started = Utc::now();
    let mut outcome = api.publish(frozen).await;
    for _ in 0..5 {
        if !matches!(outcome, Err(Fault::Unknown(_))) {
            return outcome;
        }
        outcome = match safety {
            RepeatSafety::ContentAddressed | RepeatSafety::ChosenId => api.publish(frozen).await,
            RepeatSafety::Key { .. } | RepeatSafety::TwoStep | RepeatSafety::LookUp => {
                match api.reconcile(frozen, started).await {
                    Ok(Verdict::Done(receipt)) => Ok(receipt),
                    Ok(Verdict::NotDone) => api.publish(frozen).await,
                    Ok(Verdict::CannotTell { why }) => Err(Fault::Unknown(why)),
                    Err(fault) => Err(Fault::Unknown(fault.to_string())),
                }
            }
            RepeatSafety::None => return outcome,
        };
    }
    outcome
}

/// A delivery's id.
pub(crate) fn delivery(post: &str) -> DeliveryId {
    DeliveryId::derive(&CalendarName::new("suite"), &OccurrenceName::once(&PostId::new(post)), &AccountName::new("a"))
}

/// The fixed time of creation.
pub(crate) fn created() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 22, 9, 0, 0).single().expect("a time")
}

/// A picture.
pub(crate) fn picture(file: &str, alt: &str) -> DraftMedia {
    DraftMedia {
        file: file.to_owned(),
        alt: alt.to_owned(),
        facts: MediaFacts {
            kind: MediaKind::Image,
            mime: "image/png".to_owned(),
            bytes: PICTURE.len() as u64,
            width: 1,
            height: 1,
        },
    }
}
