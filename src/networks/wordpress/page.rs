//! What a post says, as the HTML that `WordPress` keeps. Pure.

use std::fmt::Write as _;

use crate::text::markup::{self, escape};

use super::wire::{Placed, Post, Uploaded};

/// The content: the long form where there is one, else the text; then files that it does not show, then the link.
pub(super) fn content(post: &Post, uploaded: &[Uploaded]) -> String {
    let mut shown = vec![false; post.media.len()];
    if let Some(featured) = post.featured.and_then(|featured| shown.get_mut(featured)) {
        // Themes show it above the post.
        *featured = true;
    }
    let mut html = match &post.body {
        // The title is the first heading of the page.
        Some(body) => markup::markdown(body, 1, |address| {
            let address = address.strip_prefix("./").unwrap_or(address);
            let index = post.media.iter().position(|placed| placed.file == address)?;
            let file = uploaded.get(index)?;
            shown[index] = true;
            Some(element(&post.media[index], file))
        }),
        None => markup::text(&post.text),
    };
    for ((placed, file), _) in post.media.iter().zip(uploaded).zip(&shown).filter(|(_, shown)| !**shown) {
        let kind = if placed.video { "video" } else { "image" };
        let _ = writeln!(html, "<figure class=\"wp-block-{kind}\">{}</figure>", element(placed, file));
    }
    if let Some(link) = &post.link {
        let link = escape(link);
        let _ = writeln!(html, "<p><a href=\"{link}\">{link}</a></p>");
    }
    inert(html)
}

/// What lists show of the post.
pub(super) fn excerpt(post: &Post) -> String {
    if post.body.is_some() { inert(words(&post.text)) } else { String::new() }
}

/// A text as HTML text, for fields that hold HTML.
pub(super) fn words(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Without shortcodes: `[gallery]` in a text is a text.
pub(super) fn inert(html: String) -> String {
    if html.contains('[') { html.replace('[', "&#91;") } else { html }
}

fn element(placed: &Placed, file: &Uploaded) -> String {
    let (url, alt) = (escape(&file.url), escape(&placed.alt));
    if placed.video {
        return format!("<video controls src=\"{url}\" aria-label=\"{alt}\"></video>");
    }
    let size = if file.width > 0 && file.height > 0 {
        format!(" width=\"{}\" height=\"{}\"", file.width, file.height)
    } else {
        String::new()
    };
    format!("<img src=\"{url}\" alt=\"{alt}\"{size} class=\"wp-image-{}\" />", file.id)
}
