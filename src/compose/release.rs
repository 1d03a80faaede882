//! A post of a release: its templates filled in.

use crate::model::{Content, Place, Post, Problem, Release, codes};
use crate::text::{Form, TemplateError, fill};

/// The post with its templates filled in, to be composed like any other. What is to be fitted (`{{ notes | fit }}`) is
/// fitted when it is composed for an account. `Err`: what is wrong with its templates.
pub fn released(post: &Post, release: &Release) -> Result<Post, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut filled = post.clone();
    fill_content(&mut filled.content, release, &mut problems);
    for content in filled.overrides.values_mut() {
        fill_content(content, release, &mut problems);
    }
    if problems.is_empty() { Ok(filled) } else { Err(problems) }
}

/// The longest release that is likely: what a template has to have room for. A version with all its parts, an address of a
/// release on a forge with a long project's name, notes longer than any network takes.
pub fn longest_release(project: &str) -> Release {
    let tag = "v10.20.30-beta.40".to_owned();
    Release {
        project: if project.chars().count() > LONG_NAME.len() { project.to_owned() } else { LONG_NAME.to_owned() },
        url: format!("https://forge.example/{LONG_NAME}/{LONG_NAME}/releases/tag/{tag}"),
        notes: "Longer-than-any-word-that-fits. ".repeat(NOTES / 32),
        date: "2026-12-31".to_owned(),
        prerelease: true,
        previous: tag.clone(),
        tag,
    }
}

/// A project's name of 24 letters.
const LONG_NAME: &str = "a-project-with-long-name";

/// So many characters of notes: more than fit anywhere.
const NOTES: usize = 20_000;

fn fill_content(content: &mut Content, release: &Release, problems: &mut Vec<Problem>) {
    let mut fill_one = |key: &'static str, index: usize, text: &mut String, form: Form| match fill(text, release, form)
    {
        Ok(filled) => *text = filled,
        Err(TemplateError { message, start, end }) => {
            let place = Place::Text { key, index, start, end };
            problems.push(Problem::error(codes::TEMPLATE_INVALID, place, message));
        }
    };
    for (key, text) in [
        ("text", &mut content.text),
        ("first_comment", &mut content.first_comment),
        ("title", &mut content.title),
        ("link", &mut content.link),
    ] {
        if let Some(text) = text {
            fill_one(key, 0, text, Form::Plain);
        }
    }
    for (key, texts) in [("texts", &mut content.texts), ("thread", &mut content.thread)] {
        for (index, text) in texts.iter_mut().enumerate() {
            fill_one(key, index, text, Form::Plain);
        }
    }
    for (index, fallback) in content.fallback.iter_mut().enumerate() {
        for text in fallback.text.iter_mut().chain(&mut fallback.thread) {
            fill_one("fallback", index, text, Form::Plain);
        }
    }
    if let Some(body) = &mut content.body {
        fill_one("body", 0, body, Form::Markdown);
    }
}
