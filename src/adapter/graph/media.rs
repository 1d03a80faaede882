//! Files of a post: put where the network can fetch them, shown alone or as a carousel.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::{Draft, DraftMedia, Fault, Limits, Plan, Profile, Progress, Refusal};
use super::{Container, Graph};
use crate::model::{LimitOverrides, MediaKind};

/// Puts a file where the network can fetch it: what a step is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hosting {
    /// The file.
    media: DraftMedia,
    /// What it is fitted to.
    limits: LimitOverrides,
}

/// Where a file lies: what such a step gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Hosted {
    url: String,
}

/// A file of a post.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// The step that puts it where it can be fetched.
    host: usize,
    /// It is a video, not a picture.
    pub video: bool,
    /// What it shows, in words.
    pub alt: String,
}

impl File {
    /// Where it can be fetched.
    pub fn url(&self, progress: &Progress) -> Result<String, Fault> {
        Ok(progress.given::<Hosted>(self.host)?.url)
    }
}

/// What a post shows beside its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// Its only file.
    pub file: Option<File>,
    /// The steps that make a carousel's containers.
    items: Vec<usize>,
}

impl Shown {
    /// Adds the steps that a part's files need: each is put where it can be fetched, and if there are several, each becomes
    /// a container of its own. `host` and `item` make the network's own tasks of them.
    pub fn plan<T: Serialize>(
        plan: &mut Plan,
        part: u16,
        (draft, media): (&Draft<'_>, &[DraftMedia]),
        host: impl Fn(Hosting) -> T,
        item: impl Fn(File) -> T,
    ) -> Self {
        let limits = draft.limits.of_files();
        let hosted = |media: &DraftMedia| {
            let host = plan.prepare(part, &host(Hosting { media: media.clone(), limits: limits.clone() }));
            File { host, video: media.facts.kind == MediaKind::Video, alt: media.alt.clone() }
        };
        let mut files: Vec<File> = media.iter().map(hosted).collect();
        if files.len() > 1 {
            let items = files.into_iter().map(|file| plan.prepare(part, &item(file))).collect();
            return Self { file: None, items };
        }
        Self { file: files.pop(), items: Vec::new() }
    }

    /// A carousel's containers, as `children` wants them; `None`: it is none.
    pub fn children(&self, progress: &Progress) -> Result<Option<String>, Fault> {
        let ids: Vec<String> = self
            .items
            .iter()
            .map(|step| Ok(progress.given::<Container>(*step)?.container.as_str().to_owned()))
            .collect::<Result<_, Fault>>()?;
        Ok((!ids.is_empty()).then(|| ids.join(",")))
    }
}

impl Graph {
    /// Runs the step that puts a file where the network can fetch it.
    pub async fn host(&self, file: &Hosting, profile: &'static Profile) -> Result<Value, Fault> {
        let Some(host) = &self.outside.host else {
            let message = "`smm.toml` names no place that the network can fetch media from: `[media_host]`";
            return Err(Fault::refused(Refusal::Invalid, message));
        };
        let file = self.outside.file(&file.media, &Limits::new(profile, &file.limits)).await?;
        Ok(json!(Hosted { url: host.put(&file).await? }))
    }
}
