//! Markdown with TOML front matter: one post in a file of its own.
//!
//! Between two `+++` lines stand the keys of a post; what follows is its `body`. A post that has neither `text`, `texts`
//! nor `thread` takes its `title` as its text, so that a blog post is announced by its title and link.

use std::ops::Range;

/// The pieces of a Markdown post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pieces {
    /// The TOML between the `+++` lines.
    pub(super) front: Range<usize>,
    /// The Markdown, without blank lines at either end. Empty where there is none.
    pub(super) body: Range<usize>,
}

/// What is wrong with a Markdown file as a whole, with its place and help.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NoFrontMatter {
    pub(super) at: Range<usize>,
    pub(super) message: &'static str,
    pub(super) help: &'static str,
}

/// Finds front matter and body.
pub(super) fn split(text: &str) -> Result<Pieces, NoFrontMatter> {
    let first = text.lines().next().unwrap_or("");
    let at = 0..first.len();
    match first.trim_end() {
        "+++" => {}
        "---" => {
            return Err(NoFrontMatter {
                at,
                message: "the front matter is YAML",
                help: "write it as TOML: `key = value`, between two lines of `+++`",
            });
        }
        _ => {
            return Err(NoFrontMatter {
                at,
                message: "a Markdown post begins with a line `+++`",
                help: "put the keys of the post, such as `id` and `at`, between two lines of `+++` at the top",
            });
        }
    }
    let start = text.find('\n').map_or(text.len(), |at| at + 1);
    let mut next = start;
    for line in text[start..].split_inclusive('\n') {
        if line.trim_end() == "+++" {
            return Ok(Pieces { front: start..next, body: trim(text, next + line.len()..text.len()) });
        }
        next += line.len();
    }
    Err(NoFrontMatter { at, message: "the front matter has no end", help: "close it with a second line `+++`" })
}

fn trim(text: &str, range: Range<usize>) -> Range<usize> {
    let body = &text[range.clone()];
    let body_start = body.len() - body.trim_start_matches(['\n', '\r']).len();
    let end = range.start + body.trim_end().len();
    (range.start + body_start).min(end)..end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn front_matter_and_body() {
        let text = "+++\nid = \"a\"\n+++\n\n# Title\n\nText\n\n";
        let pieces = split(text).expect("front matter");
        assert_eq!(&text[pieces.front], "id = \"a\"\n");
        assert_eq!(&text[pieces.body], "# Title\n\nText");
        let bare = "+++\r\nid = \"a\"\r\n+++";
        let pieces = split(bare).expect("front matter");
        assert_eq!((&bare[pieces.front], &bare[pieces.body]), ("id = \"a\"\r\n", ""));
    }

    #[test]
    fn what_is_not_a_post() {
        assert!(split("").is_err());
        assert!(split("---\nid: a\n---\n").is_err_and(|error| error.message.contains("YAML")));
        assert!(split("+++\nid = \"a\"\n").is_err_and(|error| error.message.contains("no end")));
    }
}
