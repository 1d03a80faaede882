//! A mail before it is bytes. Whatever stands in a field, none becomes a header of its own.

use std::time::SystemTime;

use chrono::{DateTime, Utc};
use lettre::Address;
use lettre::address::Envelope;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment, Body, Mailbox, MultiPart, SinglePart};

use crate::text::markup::one_line;

/// Longest line of a mail in octets, without its end (RFC 5322, 2.1.1, 2026-11-23).
const LINE: usize = 998;

/// A mail.
#[derive(Debug, Clone)]
pub struct Letter {
    /// The part of its `Message-ID` before the `@`; what follows is the domain of `from`.
    pub id: String,
    /// Who writes: `news@acme.example` or `Acme News <news@acme.example>`.
    pub from: String,
    /// Who gets it.
    pub to: Vec<String>,
    /// Who gets answers; `None`: who writes.
    pub reply_to: Option<String>,
    /// What it is about.
    pub subject: String,
    /// When it was written.
    pub at: DateTime<Utc>,
    /// Further headers; control characters in their values are left out.
    pub headers: Vec<(&'static str, String)>,
    /// Plain text.
    pub text: String,
    /// The same as HTML.
    pub html: Option<String>,
    /// Pictures that the HTML shows as `cid:…`.
    pub pictures: Vec<Inline>,
}

/// A picture inside of a mail.
#[derive(Debug, Clone)]
pub struct Inline {
    /// The HTML shows it as `cid:` and this.
    pub id: String,
    /// The name of the file.
    pub name: String,
    /// Its MIME type.
    pub mime: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// A mail as it is sent.
pub(super) struct Written {
    pub(super) from: Option<Address>,
    pub(super) to: Vec<Address>,
    pub(super) bytes: Vec<u8>,
}

/// Checks a mailbox, `name@host` or `Name <name@host>`, and gives the address alone.
pub fn address_of(mailbox: &str) -> Result<String, String> {
    Ok(read(mailbox)?.email.to_string())
}

fn read(mailbox: &str) -> Result<Mailbox, String> {
    let wrong = |why: &str| format!("`{}` is not a mail address: {why}", mailbox.escape_debug());
    if mailbox.contains(char::is_control) {
        return Err(wrong("it holds a control character"));
    }
    let parsed: Mailbox = mailbox.trim().parse().map_err(|error| wrong(&format!("{error}")))?;
    // Many servers do not speak SMTPUTF8, which such an address needs.
    if !parsed.email.to_string().is_ascii() {
        return Err(wrong("it is not ASCII; write its host as `xn--…`"));
    }
    Ok(parsed)
}

/// Lines ended as mail wants them, without control characters. (The library does so by moving the rest of the text for
/// every line.)
fn lines(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let text: String = text.chars().filter(|c| matches!(c, '\n' | '\t') || !c.is_control()).collect();
    text.replace('\n', "\r\n")
}

impl Letter {
    /// The whole `Message-ID`, without its angle brackets.
    pub fn message_id(&self) -> Result<String, String> {
        Ok(format!("{}@{}", self.id, read(&self.from)?.email.domain()))
    }

    /// As it is sent, lines ended by LF, for tests.
    #[cfg(test)]
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.written().expect("a letter").bytes).expect("ASCII").replace("\r\n", "\n")
    }

    /// The bytes: the same letter gives the same.
    pub(super) fn written(&self) -> Result<Written, String> {
        let mut letter = lettre::Message::builder()
            .from(read(&self.from)?)
            .subject(one_line(&self.subject))
            .date(SystemTime::from(self.at))
            .message_id(Some(format!("<{}>", self.message_id()?)));
        for to in &self.to {
            letter = letter.to(read(to)?);
        }
        if let Some(reply_to) = &self.reply_to {
            letter = letter.reply_to(read(reply_to)?);
        }
        for (name, value) in &self.headers {
            letter = letter.raw_header(HeaderValue::new(HeaderName::new_from_ascii_str(name), one_line(value)));
        }
        let failed = |error: &dyn std::fmt::Display| format!("the mail cannot be written: {error}");
        let letter = match &self.html {
            None => letter.singlepart(SinglePart::plain(lines(&self.text))),
            Some(html) => letter.multipart(self.parts(html)?),
        };
        let letter = letter.map_err(|error| failed(&error))?;
        let envelope: &Envelope = letter.envelope();
        let bytes = letter.formatted();
        if let Some(line) = bytes.split(|byte| *byte == b'\n').find(|line| line.len() > LINE + 1) {
            let begin: String = String::from_utf8_lossy(line).chars().take(40).collect();
            return Err(failed(&format!("a line of {} bytes, more than {LINE}: {begin}…", line.len())));
        }
        Ok(Written { from: envelope.from().cloned(), to: envelope.to().to_vec(), bytes })
    }

    /// Text, and HTML with its pictures. The boundaries hold `=_`, which neither quoted-printable nor base64 can.
    fn parts(&self, html: &str) -> Result<MultiPart, String> {
        let boundary = |what: &str| format!("=_{}_{what}", self.id);
        let both = MultiPart::alternative().boundary(boundary("both"));
        let both = both.singlepart(SinglePart::plain(lines(&self.text)));
        let html = SinglePart::html(lines(html));
        if self.pictures.is_empty() {
            return Ok(both.singlepart(html));
        }
        let mut shown = MultiPart::related().boundary(boundary("shown")).singlepart(html);
        for picture in &self.pictures {
            let mime = ContentType::parse(&picture.mime)
                .map_err(|error| format!("`{}` is not a MIME type: {error}", picture.mime))?;
            let inline = Attachment::new_inline_with_name(picture.id.clone(), picture.name.clone());
            // Whatever the bytes are, nothing on the way takes them for text.
            let body = Body::new_with_encoding(picture.bytes.clone(), ContentTransferEncoding::Base64)
                .map_err(|_| "a picture cannot be written as base64".to_owned())?;
            shown = shown.singlepart(inline.body(body, mime));
        }
        Ok(both.multipart(shown))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter() -> Letter {
        Letter {
            id: "0123456789abcdef".to_owned(),
            from: "Acme Néws <news@acme.example>".to_owned(),
            to: vec!["list@acme.example".to_owned()],
            reply_to: None,
            subject: "Acme 2.0".to_owned(),
            at: "2026-12-01T09:00:00Z".parse().expect("a date"),
            headers: Vec::new(),
            text: "Hello".to_owned(),
            html: None,
            pictures: Vec::new(),
        }
    }

    fn text(letter: &Letter) -> String {
        String::from_utf8(letter.written().expect("a letter").bytes).expect("ASCII")
    }

    #[test]
    fn the_same_letter_is_the_same_bytes() {
        let picture = Inline {
            id: "p1@acme.example".to_owned(),
            name: "ä \"b\".png".to_owned(),
            mime: "image/png".to_owned(),
            bytes: vec![0, 255, 10, 13, 46, 10],
        };
        let letter = Letter { html: Some("<p>Héllo</p>".to_owned()), pictures: vec![picture], ..letter() };
        assert_eq!(text(&letter), text(&letter));
        let text = text(&letter);
        for line in [
            "Date: Tue, 01 Dec 2026 09:00:00 +0000\r\n",
            "Message-ID: <0123456789abcdef@acme.example>\r\n",
            "To: list@acme.example\r\n",
            "Content-ID: <p1@acme.example>\r\n",
            "Content-Transfer-Encoding: base64\r\n",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
        assert!(text.contains("From: =?utf-8?b?") && text.is_ascii(), "{text}");
        for letter in [letter.clone(), Letter { html: None, ..letter }] {
            let text = self::text(&letter);
            let (head, _) = text.split_once("\r\n\r\n").expect("a head");
            assert!(head.contains("\r\nMIME-Version: 1.0\r\n"), "its encoding means nothing without: {head}");
        }
        assert_eq!(text.matches("--=_0123456789abcdef_both\r\n").count(), 2, "{text}");
    }

    #[test]
    fn nothing_becomes_a_header_of_its_own() {
        let nasty = "Hi\r\nBcc: victim@other.example\n\n<script>\r.\r\nü";
        let letter = Letter {
            subject: nasty.to_owned(),
            headers: vec![("Keywords", nasty.to_owned()), ("List-Unsubscribe", format!("<https://a.example/{nasty}>"))],
            ..letter()
        };
        let text = text(&letter);
        let (head, _) = text.split_once("\r\n\r\n").expect("a head");
        for line in head.split("\r\n") {
            assert!(!line.contains(['\r', '\n']), "{line:?}");
            assert!(line.starts_with(' ') || line.split_once(": ").is_some_and(|(name, _)| name != "Bcc"), "{line}");
        }
        assert!(!head.to_lowercase().contains("\r\nbcc"), "{head}");
        // Where nothing has to be encoded, nothing hides the end of a line.
        let plain = "Hi\r\nBcc: victim@other.example\r\n\r\nfirst";
        let headers = vec![("Keywords", plain.to_owned())];
        let text = self::text(&Letter { subject: plain.to_owned(), headers, ..letter.clone() });
        let (head, _) = text.split_once("\r\n\r\n").expect("a head");
        for name in ["Subject", "Keywords"] {
            let line = format!("\r\n{name}: Hi Bcc: victim@other.example first\r\n");
            assert!(format!("{head}\r\n").contains(&line), "{head}");
        }
        for bad in ["a@b.example\r\nBcc: c@d.example", "Ann\n<a@b.example>", "nobody", "", "ü@b.example", "a@ü.example"]
        {
            let letter = Letter { from: bad.to_owned(), ..letter.clone() };
            assert!(letter.written().is_err(), "{bad:?}");
            assert!(Letter { to: vec![bad.to_owned()], ..letter.clone() }.written().is_err(), "{bad:?}");
            assert!(address_of(bad).is_err(), "{bad:?}");
        }
        assert_eq!(
            address_of("Acme, Inc. <news@acme.example>")
                .or_else(|_| address_of("\"Acme, Inc.\" <news@acme.example>"))
                .as_deref(),
            Ok("news@acme.example")
        );
    }

    #[test]
    fn lines_are_short_enough() {
        let long = "x".repeat(5000);
        for words in [long.clone(), "ä".repeat(3000), format!("{long}\r{long}\n.\n..\n")] {
            let letter = Letter { subject: words.clone(), text: words.clone(), html: Some(words), ..letter() };
            match letter.written() {
                Ok(written) => {
                    assert!(written.bytes.split(|byte| *byte == b'\n').all(|line| line.len() <= LINE + 1));
                }
                Err(why) => assert!(why.contains("a line of"), "{why}"),
            }
        }
        let short = Letter { text: long, ..letter() };
        assert!(text(&short).split("\r\n").all(|line| line.len() <= LINE));
        let url = Letter { headers: vec![("List-Unsubscribe", format!("<https://{}>", "a".repeat(1200)))], ..letter() };
        assert!(url.written().is_err_and(|why| why.contains("a line of")));
    }
}
