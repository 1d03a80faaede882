//! What a job knows of its release: the environment that GitHub Actions, Forgejo and Gitea Actions, GitLab CI and Woodpecker
//! give it, and the event's payload. Verified 2026-11-23 against each one's reference of variables.
//!
//! - GitHub: `GITHUB_EVENT_NAME`, `GITHUB_EVENT_PATH`, `GITHUB_REF_TYPE`, `GITHUB_REF_NAME`, `GITHUB_REPOSITORY`,
//!   `GITHUB_SERVER_URL`. Gitea has the same, and some of them as `GITEA_*`; Forgejo has them as `FORGEJO_*`, too.
//! - GitLab: `CI_COMMIT_TAG`, `CI_RELEASE_DESCRIPTION` (of a pipeline that a release has made; its first 1,024 characters),
//!   `CI_COMMIT_TAG_MESSAGE`, `CI_PROJECT_NAME`, `CI_PROJECT_URL`.
//! - Woodpecker: `CI_COMMIT_TAG`, `CI_PIPELINE_RELEASE_PRE` (`CI_COMMIT_PRERELEASE` before 3.9), `CI_REPO_NAME`,
//!   `CI_REPO_URL`, `CI_FORGE_TYPE`. It tells nothing of the notes.

use std::fmt::Write as _;
use std::path::Path;

use chrono::{DateTime, Utc};

use super::super::Failure;
use super::event;
use super::facts::Known;
use crate::report::ci::Ci;

/// Reads a variable; one that is empty is none.
pub(super) type Environment<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// What a job knows of its release.
#[derive(Debug, Default)]
pub(super) struct Job {
    /// Its tag.
    pub(super) tag: Option<Known<String>>,
    /// What is new; empty: it has none.
    pub(super) notes: Option<Known<String>>,
    /// Its page.
    pub(super) url: Option<Known<String>>,
    /// What pages of releases begin with.
    pub(super) pages: Option<Pages>,
    /// The project's name.
    pub(super) project: Option<Known<String>>,
    /// Whether it is not for everybody yet.
    pub(super) prerelease: Option<Known<bool>>,
    /// When it was made public.
    pub(super) published: Option<Known<DateTime<Utc>>>,
    /// Why the event asks for no announcement.
    pub(super) skipped: Option<String>,
    /// Why it must not be announced.
    pub(super) refused: Option<String>,
}

/// Where a forge has the pages of releases.
#[derive(Debug)]
pub(super) struct Pages {
    before: Known<String>,
    /// A `/` in a tag is part of the address as it is.
    slashes: bool,
}

impl Pages {
    /// The page of a tag.
    pub(super) fn of(&self, tag: &str) -> Known<String> {
        let mut url = self.before.value.clone();
        for byte in tag.bytes() {
            let plain = byte.is_ascii_alphanumeric()
                || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'@')
                || (byte == b'/' && self.slashes);
            if plain {
                url.push(char::from(byte));
            } else {
                let _ = write!(url, "%{byte:02X}");
            }
        }
        Known { value: url, from: self.before.from.clone() }
    }
}

/// Whether it is a job of a forge that runs: everyone sets `CI`.
pub(super) fn is_ci(environment: &Environment<'_>) -> bool {
    environment("CI").is_some_and(|value| !matches!(value.as_str(), "0" | "false"))
}

impl Job {
    /// Reads what the job knows. `wants_tag`: the tag that was asked for; an event of another one says nothing of it.
    pub(super) fn read(environment: &Environment<'_>, wants_tag: Option<&str>) -> Result<Self, Failure> {
        let mut job = match Ci::of(environment) {
            Ci::Forgejo => actions(environment, &["FORGEJO", "GITEA", "GITHUB"])?,
            Ci::Github => actions(environment, &["GITHUB"])?,
            Ci::Gitlab => gitlab(environment),
            Ci::Woodpecker => woodpecker(environment),
            Ci::None => Self::default(),
        };
        if wants_tag.is_some_and(|wanted| job.tag.as_ref().is_some_and(|tag| tag.value != wanted)) {
            // The job is of another release: only what holds for every one of them is left.
            job = Self { pages: job.pages, project: job.project, ..Self::default() };
        }
        Ok(job)
    }
}

fn actions(environment: &Environment<'_>, prefixes: &[&str]) -> Result<Job, Failure> {
    let read = |name: &str| {
        prefixes.iter().find_map(|prefix| {
            let name = format!("{prefix}_{name}");
            environment(&name).map(|value| Known { value, from: name })
        })
    };
    let mut job = Job::default();
    if let Some(repository) = read("REPOSITORY") {
        let name = repository.value.rsplit('/').next().unwrap_or_default().to_owned();
        job.project = Some(Known { value: name, from: repository.from.clone() });
        job.pages = read("SERVER_URL").map(|server| Pages {
            before: Known {
                value: format!("{}/{}/releases/tag/", server.value.trim_end_matches('/'), repository.value),
                from: format!("{} and {}", server.from, repository.from),
            },
            slashes: true,
        });
    }
    if read("EVENT_NAME").is_some_and(|name| name.value == "release") {
        let Some(path) = read("EVENT_PATH") else {
            return Err(Failure::new("the job is of a release event, and no variable leads to its payload")
                .hint("give --tag, --notes and --url instead"));
        };
        released(&mut job, event::read(Path::new(&path.value), &path.from)?, &path.from);
    } else if read("REF_TYPE").is_some_and(|kind| kind.value == "tag") {
        job.tag = read("REF_NAME");
    }
    Ok(job)
}

/// Takes what a release event says.
fn released(job: &mut Job, payload: event::Payload, from: &str) {
    let Some(release) = payload.release else {
        job.refused = Some(format!("the payload of the release event has no release ({from})"));
        return;
    };
    let known = |what: &str| format!("{from}: {what}");
    let action = payload.action.unwrap_or_default();
    if !matches!(action.as_str(), "published" | "released" | "prereleased") {
        let action: String = action.chars().take(40).collect();
        let tag: String = release.tag_name.chars().take(100).collect();
        job.skipped = Some(format!("the release {tag} was {action}, not published: nothing is announced"));
    }
    if release.draft {
        job.refused = Some("the release is a draft, which nobody can see".to_owned());
    }
    job.tag = Some(Known { value: release.tag_name, from: known("release.tag_name") });
    job.notes = Some(Known { value: release.body.unwrap_or_default(), from: known("release.body") });
    job.url = release.html_url.map(|value| Known { value, from: known("release.html_url") });
    job.prerelease = Some(Known { value: release.prerelease, from: known("release.prerelease") });
    job.published = release.published_at.map(|value| Known { value, from: known("release.published_at") });
    if let Some(name) = payload.repository.and_then(|repository| repository.name) {
        job.project = Some(Known { value: name, from: known("repository.name") });
    }
}

fn gitlab(environment: &Environment<'_>) -> Job {
    let read = |name: &str| environment(name).map(|value| Known { value, from: name.to_owned() });
    Job {
        tag: read("CI_COMMIT_TAG"),
        notes: read("CI_RELEASE_DESCRIPTION").or_else(|| read("CI_COMMIT_TAG_MESSAGE")),
        project: read("CI_PROJECT_NAME"),
        pages: read("CI_PROJECT_URL").map(|url| pages(&url, "gitlab")),
        ..Job::default()
    }
}

fn woodpecker(environment: &Environment<'_>) -> Job {
    let read = |name: &str| environment(name).map(|value| Known { value, from: name.to_owned() });
    let forge = environment("CI_FORGE_TYPE").unwrap_or_default();
    let prerelease = read("CI_PIPELINE_RELEASE_PRE").or_else(|| read("CI_COMMIT_PRERELEASE"));
    Job {
        tag: read("CI_COMMIT_TAG"),
        project: read("CI_REPO_NAME"),
        pages: read("CI_REPO_URL")
            .filter(|_| matches!(forge.as_str(), "github" | "gitea" | "forgejo" | "gitlab"))
            .map(|url| pages(&url, &forge)),
        prerelease: prerelease.map(|known| Known { value: known.value == "true", from: known.from }),
        ..Job::default()
    }
}

/// The pages of a project's releases, by the kind of its forge.
fn pages(project: &Known<String>, forge: &str) -> Pages {
    let (path, slashes) = if forge == "gitlab" { ("-/releases", false) } else { ("releases/tag", true) };
    let value = format!("{}/{path}/", project.value.trim_end_matches('/'));
    Pages { before: Known { value, from: project.from.clone() }, slashes }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(variables: &[(&str, &str)], wanted: Option<&str>) -> Job {
        let read =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        Job::read(&read, wanted).expect("read")
    }

    fn told(job: &Job) -> [Option<String>; 4] {
        let tag = job.tag.as_ref().map(|tag| tag.value.clone());
        let page = job.url.as_ref().map(|url| url.value.clone());
        let page = page.or_else(|| Some(job.pages.as_ref()?.of(tag.as_deref().unwrap_or("cli/v1")).value));
        [tag, page, job.project.as_ref().map(|it| it.value.clone()), job.notes.as_ref().map(|it| it.value.clone())]
    }

    fn some<const N: usize>(values: [&str; N]) -> [Option<String>; N] {
        values.map(|value| (!value.is_empty()).then(|| value.to_owned()))
    }

    #[test]
    fn a_tag_that_was_pushed() {
        let github = [
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_EVENT_NAME", "push"),
            ("GITHUB_EVENT_PATH", "/nowhere"),
            ("GITHUB_REF_TYPE", "tag"),
            ("GITHUB_REF_NAME", "cli/v2.0.0"),
            ("GITHUB_REPOSITORY", "acme/rocket"),
            ("GITHUB_SERVER_URL", "https://forge.example"),
            // Of no matter on GitHub.
            ("GITEA_REPOSITORY", "mirror/other"),
        ];
        let page = "https://forge.example/acme/rocket/releases/tag/cli/v2.0.0";
        assert_eq!(told(&job(&github, None)), some(["cli/v2.0.0", page, "rocket", ""]));
        let branch: Vec<_> = github.into_iter().filter(|(name, _)| *name != "GITHUB_REF_TYPE").collect();
        assert!(job(&branch, None).tag.is_none());
        let forgejo = [
            ("FORGEJO_ACTIONS", "true"),
            ("GITHUB_ACTIONS", "true"),
            ("FORGEJO_REF_TYPE", "tag"),
            ("FORGEJO_REF_NAME", "v1"),
            ("GITHUB_REF_NAME", "not this"),
            ("GITHUB_REPOSITORY", "acme/rocket"),
            ("GITHUB_SERVER_URL", "https://forge.example/"),
        ];
        let page = "https://forge.example/acme/rocket/releases/tag/v1";
        assert_eq!(told(&job(&forgejo, None)), some(["v1", page, "rocket", ""]));
        let gitlab = [
            ("CI", "true"),
            ("GITLAB_CI", "true"),
            ("CI_COMMIT_TAG", "cli/v1"),
            ("CI_COMMIT_TAG_MESSAGE", "- One"),
            ("CI_PROJECT_NAME", "rocket"),
            ("CI_PROJECT_URL", "https://forge.example/acme/rocket"),
        ];
        let page = "https://forge.example/acme/rocket/-/releases/cli%2Fv1";
        assert_eq!(told(&job(&gitlab, None)), some(["cli/v1", page, "rocket", "- One"]));
        let mut woodpecker = vec![
            ("CI", "woodpecker"),
            ("CI_PIPELINE_EVENT", "release"),
            ("CI_COMMIT_TAG", "v1-rc.1"),
            ("CI_COMMIT_PRERELEASE", "true"),
            ("CI_REPO_NAME", "rocket"),
            ("CI_REPO_URL", "https://forge.example/acme/rocket"),
            ("CI_FORGE_TYPE", "forgejo"),
        ];
        let read = job(&woodpecker, None);
        let page = "https://forge.example/acme/rocket/releases/tag/v1-rc.1";
        assert_eq!(told(&read), some(["v1-rc.1", page, "rocket", ""]));
        assert_eq!(read.prerelease.map(|it| (it.value, it.from)), Some((true, "CI_COMMIT_PRERELEASE".to_owned())));
        woodpecker.push(("CI_PIPELINE_RELEASE_PRE", "false"));
        assert_eq!(job(&woodpecker, None).prerelease.map(|it| it.value), Some(false));
        assert_eq!(told(&job(&[("CI_COMMIT_TAG", "v1")], None)), some(["", "", "", ""]), "no forge that is known");
    }

    #[test]
    fn a_job_of_another_release_says_nothing_of_the_one_that_is_wanted() {
        let gitlab = [
            ("GITLAB_CI", "true"),
            ("CI_COMMIT_TAG", "v2"),
            ("CI_RELEASE_DESCRIPTION", "- Of two"),
            ("CI_PROJECT_URL", "https://forge.example/acme/rocket"),
        ];
        assert_eq!(job(&gitlab, Some("v2")).notes.map(|it| it.value).as_deref(), Some("- Of two"));
        let other = job(&gitlab, Some("v1"));
        assert!(other.tag.is_none() && other.notes.is_none());
        let page = other.pages.map(|pages| pages.of("v1").value);
        assert_eq!(page.as_deref(), Some("https://forge.example/acme/rocket/-/releases/v1"));
    }

    #[test]
    fn whether_it_is_a_job() {
        let ci = |value: Option<&str>| is_ci(&|_: &str| value.map(str::to_owned));
        assert!(ci(Some("true")) && ci(Some("woodpecker")) && ci(Some("1")));
        assert!(!ci(Some("false")) && !ci(Some("0")) && !ci(None));
    }
}
