//! Link cards: a page's title, description and picture, read from whatever HTML it is. Pages are foreign: nothing here
//! panics, loops or keeps more than it was given, and each byte is looked at a fixed number of times.

use super::{Fault, MediaBytes, Outside};

/// Most bytes of a page that are read. What a card needs stands at its head.
const PAGE_BYTES: usize = 1_000_000;

/// Most bytes of a card's picture that are read, before it is made to fit.
const PICTURE_BYTES: usize = 10_000_000;

/// Most attributes of one tag that are looked at.
const ATTRIBUTES: usize = 64;

/// Longest title and description, in characters. Servers set no limit; readers show less.
const TITLE_CHARS: usize = 300;
/// See [`TITLE_CHARS`].
const DESCRIPTION_CHARS: usize = 1000;

/// What a page says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// Title; empty when it says none.
    pub title: String,
    /// Description; empty when it says none.
    pub description: String,
    /// Address of a picture, as written: relative perhaps.
    pub image: Option<String>,
}

/// Fetches what a page says of itself, and the address that it was found at. `Err`: why there is nothing, for people.
pub async fn page(outside: &Outside, url: &str) -> Result<(Page, String), String> {
    let answer = outside.http.page(url, PAGE_BYTES).await.map_err(|fault| fault.to_string())?;
    if !answer.is_success() {
        return Err(format!("HTTP {}", answer.status));
    }
    let kind = answer.header("content-type").unwrap_or_default().to_owned();
    if !kind.to_ascii_lowercase().contains("html") {
        return Err(format!("`{kind}` is no web page"));
    }
    Ok((read(&decode(&answer.body, &kind)), answer.url))
}

/// Fetches a page's picture (`image` as the page found at `base` writes it), made to fit.
pub async fn picture(outside: &Outside, base: &str, image: &str, bytes: u64, side: u32) -> Result<MediaBytes, Fault> {
    let address = url::Url::parse(base)
        .and_then(|base| base.join(image))
        .map_err(|error| Fault::NotSent(format!("`{image}` is no address: {error}")))?;
    let answer = outside.http.page(address.as_str(), PICTURE_BYTES).await?;
    if !answer.is_success() || answer.cut {
        return Err(Fault::NotSent(format!("HTTP {}, {} bytes", answer.status, answer.body.len())));
    }
    outside.media.fit(answer.body, bytes, side).await
}

/// The text of a page's bytes. `content_type` is the header's value.
fn decode(bytes: &[u8], content_type: &str) -> String {
    let kind = content_type.to_ascii_lowercase();
    if ["iso-8859-1", "latin1", "windows-1252"].iter().any(|name| kind.contains(name)) {
        // Near enough for a title: the two differ only in quotation marks and the like.
        return bytes.iter().map(|byte| char::from(*byte)).collect();
    }
    String::from_utf8_lossy(bytes).into_owned()
}

/// Reads what a page says of itself: Open Graph first, then Twitter's cards, then plain HTML.
fn read(html: &str) -> Page {
    let mut found = Found::default();
    let mut rest = html;
    while let Some(open) = rest.find('<') {
        rest = &rest[open + 1..];
        if let Some(comment) = rest.strip_prefix("!--") {
            let Some(end) = comment.find("-->") else { break };
            rest = &comment[end + 3..];
            continue;
        }
        let name_end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        let name = rest[..name_end].to_ascii_lowercase();
        if name.is_empty() {
            continue;
        }
        let (attributes, after) = attributes(&rest[name_end..]);
        rest = after;
        match name.as_str() {
            "meta" => found.meta(&attributes),
            "title" if found.html_title.is_none() => {
                let end = find_closing(rest, "title").unwrap_or(rest.len());
                found.html_title = Some(tidy(&rest[..end], TITLE_CHARS));
                rest = &rest[end..];
            }
            // What stands in these is no HTML.
            "script" | "style" | "textarea" | "noscript" => match find_closing(rest, &name) {
                Some(end) => rest = &rest[end..],
                None => break,
            },
            _ => {}
        }
    }
    found.page()
}

/// What was found so far; the first of each kind counts.
#[derive(Default)]
struct Found {
    html_title: Option<String>,
    titles: [Option<String>; 2],
    descriptions: [Option<String>; 3],
    images: [Option<String>; 3],
}

impl Found {
    fn meta(&mut self, attributes: &[(String, String)]) {
        let value = |wanted: &str| attributes.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
        let (Some(key), Some(content)) = (value("property").or_else(|| value("name")), value("content")) else {
            return;
        };
        let (slot, limit) = match key.to_ascii_lowercase().as_str() {
            "og:title" => (&mut self.titles[0], TITLE_CHARS),
            "twitter:title" => (&mut self.titles[1], TITLE_CHARS),
            "og:description" => (&mut self.descriptions[0], DESCRIPTION_CHARS),
            "twitter:description" => (&mut self.descriptions[1], DESCRIPTION_CHARS),
            "description" => (&mut self.descriptions[2], DESCRIPTION_CHARS),
            "og:image" | "og:image:url" => (&mut self.images[0], 2048),
            "og:image:secure_url" => (&mut self.images[1], 2048),
            "twitter:image" | "twitter:image:src" => (&mut self.images[2], 2048),
            _ => return,
        };
        let content = tidy(content, limit);
        if slot.is_none() && !content.is_empty() {
            *slot = Some(content);
        }
    }

    fn page(self) -> Page {
        let first = |slots: Vec<Option<String>>| slots.into_iter().flatten().next();
        let [og_title, twitter_title] = self.titles;
        Page {
            title: first(vec![og_title, twitter_title, self.html_title]).unwrap_or_default(),
            description: first(self.descriptions.into()).unwrap_or_default(),
            image: first(self.images.into()),
        }
    }
}

/// The attributes of a tag, names in small letters, values as written, and what follows the tag.
fn attributes(text: &str) -> (Vec<(String, String)>, &str) {
    let mut found = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
        if rest.is_empty() {
            return (found, rest);
        }
        if let Some(after) = rest.strip_prefix('>') {
            return (found, after);
        }
        // A stray `=` at the start belongs to the name, as browsers have it: so each turn takes at least one character.
        let first = rest.chars().next().map_or(0, char::len_utf8);
        let name_end = rest[first..]
            .find(|c: char| c.is_ascii_whitespace() || matches!(c, '=' | '>' | '/'))
            .map_or(rest.len(), |end| first + end);
        let name = &rest[..name_end];
        rest = rest[name_end..].trim_start_matches(|c: char| c.is_ascii_whitespace());
        let mut value = "";
        if let Some(after) = rest.strip_prefix('=') {
            rest = after.trim_start_matches(|c: char| c.is_ascii_whitespace());
            if let Some(quote) = rest.chars().next().filter(|c| matches!(c, '"' | '\'')) {
                let inner = &rest[1..];
                let end = inner.find(quote).unwrap_or(inner.len());
                value = &inner[..end];
                rest = inner.get(end + 1..).unwrap_or("");
            } else {
                let end = rest.find(|c: char| c.is_ascii_whitespace() || c == '>').unwrap_or(rest.len());
                value = &rest[..end];
                rest = &rest[end..];
            }
        }
        if found.len() < ATTRIBUTES {
            found.push((name.to_ascii_lowercase(), value.to_owned()));
        }
    }
}

/// Where `</name` begins, whatever its case.
fn find_closing(text: &str, name: &str) -> Option<usize> {
    let mut from = 0;
    while let Some(found) = text[from..].find("</") {
        let start = from + found;
        let after = &text.as_bytes()[start + 2..];
        if after.get(..name.len()).is_some_and(|word| word.eq_ignore_ascii_case(name.as_bytes())) {
            return Some(start);
        }
        from = start + 2;
    }
    None
}

/// Entities decoded, white space joined, control characters and marks that turn the writing direction gone, cut to `limit`
/// characters.
fn tidy(text: &str, limit: usize) -> String {
    // More than enough for `limit` characters, so that a page-long title costs nothing.
    let end = text.char_indices().nth(limit * 12).map_or(text.len(), |(end, _)| end);
    let decoded = entities(&text[..end]);
    let joined: String = decoded.split_whitespace().collect::<Vec<_>>().join(" ");
    joined
        .chars()
        .filter(|c| !c.is_control() && !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}'))
        .take(limit)
        .collect()
}

/// Decodes character references; what is none stays as it is.
fn entities(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(amp) = rest.find('&') {
        out.push_str(&rest[..amp]);
        rest = &rest[amp..];
        let end = rest.bytes().take(12).position(|byte| byte == b';');
        if let Some((c, end)) = end.and_then(|end| Some((entity(&rest[1..end])?, end))) {
            out.push(c);
            rest = &rest[end + 1..];
        } else {
            out.push('&');
            rest = &rest[1..];
        }
    }
    out.push_str(rest);
    out
}

/// One character reference, without `&` and `;`.
fn entity(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok()?,
            None => number.parse().ok()?,
        };
        return Some(char::from_u32(code).filter(|c| *c != '\0').unwrap_or('\u{fffd}'));
    }
    NAMED.binary_search_by_key(&name, |(known, _)| known).ok().map(|found| NAMED[found].1)
}

/// Named references that titles use, sorted. HTML has two thousand more.
const NAMED: &[(&str, char)] = &[
    ("Aring", 'Å'),
    ("Auml", 'Ä'),
    ("Eacute", 'É'),
    ("Oslash", 'Ø'),
    ("Ouml", 'Ö'),
    ("Uuml", 'Ü'),
    ("aacute", 'á'),
    ("acirc", 'â'),
    ("agrave", 'à'),
    ("amp", '&'),
    ("apos", '\''),
    ("aring", 'å'),
    ("auml", 'ä'),
    ("bull", '•'),
    ("ccedil", 'ç'),
    ("copy", '©'),
    ("deg", '°'),
    ("eacute", 'é'),
    ("ecirc", 'ê'),
    ("egrave", 'è'),
    ("euml", 'ë'),
    ("euro", '€'),
    ("gt", '>'),
    ("hellip", '…'),
    ("iacute", 'í'),
    ("icirc", 'î'),
    ("laquo", '«'),
    ("ldquo", '“'),
    ("lsquo", '‘'),
    ("lt", '<'),
    ("mdash", '—'),
    ("middot", '·'),
    ("nbsp", '\u{a0}'),
    ("ndash", '–'),
    ("ntilde", 'ñ'),
    ("oacute", 'ó'),
    ("ocirc", 'ô'),
    ("oslash", 'ø'),
    ("ouml", 'ö'),
    ("pound", '£'),
    ("quot", '"'),
    ("raquo", '»'),
    ("rarr", '→'),
    ("rdquo", '”'),
    ("reg", '®'),
    ("rsquo", '’'),
    ("shy", '\u{ad}'),
    ("szlig", 'ß'),
    ("times", '×'),
    ("trade", '™'),
    ("uacute", 'ú'),
    ("uuml", 'ü'),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_page_says_what_it_is() {
        let page = read(
            r#"<!doctype html><html><head><title>Plain</title>
            <meta property="og:title" content="Acme 2.0 &amp; you &#8212; &#x1F600;">
            <META NAME=description CONTENT='It is
                out'>
            <meta content="/shot.png" property="og:image"/></head>"#,
        );
        assert_eq!(page.title, "Acme 2.0 & you — 😀");
        assert_eq!(page.description, "It is out");
        assert_eq!(page.image.as_deref(), Some("/shot.png"));
    }

    #[test]
    fn the_title_is_what_is_left_without_open_graph() {
        let page = read("<TITLE lang=en>Grüße &ouml; &nope; &#0;</TITLE><title>second</title>");
        assert_eq!(page.title, "Grüße ö &nope; \u{fffd}");
        assert_eq!(page.image, None);
    }

    #[test]
    fn scripts_and_comments_say_nothing() {
        let page = read(
            r#"<!-- <meta property="og:title" content="comment"> --><script>var a = "<title>script</title>";</script>
            <title>true</title><svg><title>picture</title></svg>"#,
        );
        assert_eq!(page.title, "true");
        assert_eq!(read("<script>never closed <title>no</title>").title, "");
    }

    #[test]
    fn writing_direction_and_control_characters_go() {
        assert_eq!(read("<title>a\u{202e}b&#7;c&#x202E;d\u{0}</title>").title, "abcd");
    }

    #[test]
    fn a_hostile_page_is_bounded() {
        for piece in
            ["<", "<a ", "<meta content=", "&", "&#", "<!--", "</", "<title>", "<script>", "\"", "='", "<meta ="]
        {
            let page = read(&piece.repeat(PAGE_BYTES / piece.len()));
            assert!(page.title.chars().count() <= TITLE_CHARS);
        }
        let long = read(&format!("<title>{}</title>", "x".repeat(500_000)));
        assert_eq!(long.title.len(), TITLE_CHARS);
    }

    #[test]
    fn named_references_are_sorted() {
        assert!(NAMED.is_sorted_by(|a, b| a.0 < b.0));
    }

    #[test]
    fn other_encodings_are_read() {
        assert_eq!(decode(b"Gr\xfc\xdfe", "text/html; charset=ISO-8859-1"), "Grüße");
        assert_eq!(decode("Grüße".as_bytes(), "text/html"), "Grüße");
        assert_eq!(decode(b"\xff", "text/html"), "\u{fffd}");
    }

    proptest! {
        #[test]
        fn no_page_panics(html in "(<|>|/|=|\"|'|&|;|#|x|!--|--|title|meta|script|content|property|og:title| |é|\u{202e}){0,200}") {
            let page = read(&html);
            prop_assert!(page.title.chars().count() <= TITLE_CHARS);
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..500)) {
            read(&decode(&bytes, "text/html"));
        }
    }
}
