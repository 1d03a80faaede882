//! What a mail says, as plain text and as HTML. Pure.

use std::fmt::Write as _;

use crate::text::markup::{self, escape};

use super::Settings;
use super::wire::{Enclosed, Message};

/// Separates what is said from who says it (RFC 3676, 4.3).
pub(super) const SIGNATURE: &str = "-- \n";

/// Simple enough for readers of mail, which know little of style sheets.
const STYLE: &str = "max-width:40em;margin:0 auto;padding:1em;font-family:sans-serif;line-height:1.5";

/// What a mail says.
pub(super) struct Said {
    pub(super) text: String,
    pub(super) html: String,
}

pub(super) fn said(message: &Message, pictures: &[Enclosed], settings: &Settings) -> Said {
    let mut placed = vec![false; pictures.len()];
    let mut html = markup::text(&message.text);
    let mut text = vec![message.text.trim().to_owned()];
    if let Some(body) = &message.body {
        let at = |address: &str| {
            let address = address.strip_prefix("./").unwrap_or(address);
            pictures.iter().position(|enclosed| enclosed.media().file == address)
        };
        html.push_str(&markup::markdown(body, 0, |address| {
            let index = at(address)?;
            placed[index] = true;
            Some(image(&pictures[index]))
        }));
        let said = markup::readable(body, |address| Some(pictures[at(address)?].media().alt.clone()));
        text.push(said.trim().to_owned());
    }
    for (enclosed, _) in pictures.iter().zip(&placed).filter(|(_, placed)| !**placed) {
        let _ = writeln!(html, "<p>{}</p>", image(enclosed));
    }
    if let Some(link) = &message.link {
        let link = escape(link);
        let _ = writeln!(html, "<p><a href=\"{link}\">{link}</a></p>");
        text.extend(message.link.clone());
    }
    let alts = pictures.iter().zip(&placed).filter(|(_, placed)| !**placed).map(|(enclosed, _)| &enclosed.media().alt);
    let alts: Vec<String> = alts.filter(|alt| !alt.trim().is_empty()).map(|alt| format!("[{}]", alt.trim())).collect();
    text.push(alts.join("\n"));
    text.retain(|piece| !piece.is_empty());

    let footer = settings.footer.as_deref().unwrap_or_default().trim();
    let ways = settings.unsubscribe.all();
    let text = format!("{}\n\n{SIGNATURE}{}", text.join("\n\n"), lines(footer, ways).join("\n"));
    html.push_str("<hr>\n<footer style=\"font-size:smaller\">\n");
    html.push_str(&markup::text(footer));
    for way in ways {
        let _ = writeln!(html, "<p><a href=\"{0}\">{0}</a></p>", escape(way));
    }
    html.push_str("</footer>\n");
    Said { text: text + "\n", html: page(message, &html) }
}

fn lines<'a>(footer: &'a str, ways: &'a [String]) -> Vec<&'a str> {
    footer.lines().chain(ways.iter().map(String::as_str)).collect()
}

fn image(enclosed: &Enclosed) -> String {
    let picture = &enclosed.picture;
    format!(
        "<img src=\"cid:{}\" alt=\"{}\" width=\"{}\" height=\"{}\" style=\"max-width:100%;height:auto\">",
        escape(&enclosed.cid),
        escape(&enclosed.media().alt),
        picture.width,
        picture.height
    )
}

fn page(message: &Message, main: &str) -> String {
    let language = message.languages.first().map(|language| format!(" lang=\"{}\"", escape(language)));
    format!(
        "<!doctype html>\n<html{}>\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{}</title>\n</head>\n\
         <body style=\"{STYLE}\">\n{main}</body>\n</html>\n",
        language.unwrap_or_default(),
        escape(&message.subject),
    )
}
