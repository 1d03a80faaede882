//! A file whose syntax is broken, taken apart so that one broken post hides no other.
//!
//! A bracket or a quote that is not closed swallows what follows. Where that may have happened, each `[[posts]]` with its
//! tables is read alone, and the rest of the file with the posts blanked out, so that every place stays what it was.

use std::ops::Range;

/// A file taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pieces {
    /// The file with its posts blanked out.
    pub(super) head: String,
    /// Each post.
    pub(super) posts: Vec<Range<usize>>,
}

/// Takes a file apart at the lines that begin with a header. A text over several lines with such a line in it is cut,
/// too: that is the price, and only in a file that is broken anyway.
pub(super) fn split(text: &str) -> Pieces {
    let mut posts: Vec<Range<usize>> = Vec::new();
    let (mut at, mut open) = (0, false);
    for line in text.split_inclusive('\n') {
        let end = at + line.len();
        if let Some(header) = line.strip_prefix('[') {
            let name = header.trim_start_matches(['[', ' ', '\t']);
            let is_inner = name.strip_prefix("posts").is_some_and(|rest| rest.trim_start().starts_with('.'));
            let is_post = header.starts_with('[') && name.starts_with("posts") && !is_inner;
            if is_post {
                posts.push(at..end);
            }
            open = is_post || (open && is_inner);
        }
        if open && let Some(post) = posts.last_mut() {
            post.end = end;
        }
        at = end;
    }
    let mut head = String::with_capacity(text.len());
    let mut from = 0;
    for post in &posts {
        head.push_str(&text[from..post.start]);
        head.extend(text[post.clone()].bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }));
        from = post.end;
    }
    head.push_str(&text[from..]);
    Pieces { head, posts }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn posts_are_cut_out_in_place() {
        let text = "name = \"a\"\n[[posts]]\nid = \"ä\"\n[posts.for.x]\n  text = \"y\"\n[check]\nx = 1\n[[ posts ]]\nid = 2\n[[other]]\n";
        let pieces = split(text);
        let posts: Vec<&str> = pieces.posts.iter().map(|post| &text[post.clone()]).collect();
        assert_eq!(posts, ["[[posts]]\nid = \"ä\"\n[posts.for.x]\n  text = \"y\"\n", "[[ posts ]]\nid = 2\n"]);
        assert_eq!(pieces.head.len(), text.len());
        assert!(pieces.head.starts_with("name = \"a\"\n         \n"));
        assert!(pieces.head.contains("\n[check]\nx = 1\n") && pieces.head.ends_with("\n[[other]]\n"));
        assert!(split("").posts.is_empty());
    }
}
