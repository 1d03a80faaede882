//! What a post says to one account: the post's own content with its overrides put over it.

use crate::model::{Account, Content, Fallback, MediaRef, Numbering, Poll, Post, Visibility};

/// The layers of a post's content for one account, the strongest first: the account's override, its network's, the post.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layers<'a> {
    contents: [Option<&'a Content>; 3],
    /// What stands in place of the text, and which one it is.
    instead: Option<(usize, &'a Fallback)>,
}

/// A text with the place in the post that it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Source<'a> {
    /// `text`, `texts`, `thread`, `first_comment` or `fallback`.
    pub key: &'static str,
    /// Which one, from 0.
    pub index: usize,
    /// As the calendar has it.
    pub text: &'a str,
}

impl<'a> Layers<'a> {
    pub(super) fn new(post: &'a Post, account: &Account) -> Self {
        if post.overrides.is_empty() {
            return Self { contents: [None, None, Some(&post.content)], instead: None };
        }
        let contents = [
            post.overrides.get(account.name.as_str()),
            post.overrides.get(account.network.as_str()),
            Some(&post.content),
        ];
        Self { contents, instead: None }
    }

    /// The same with one of the fallbacks in place of the text.
    pub(super) fn instead(self, index: usize) -> Self {
        Self { instead: self.fallbacks().get(index).map(|fallback| (index, fallback)), ..self }
    }

    /// What may be sent instead of a text that is too long, in order.
    pub(super) fn fallbacks(&self) -> &'a [Fallback] {
        self.pick(|content| (!content.fallback.is_empty()).then_some(&content.fallback)).map_or(&[], Vec::as_slice)
    }

    fn pick<T>(&self, field: impl Fn(&'a Content) -> Option<T>) -> Option<T> {
        self.contents.iter().flatten().find_map(|content| field(content))
    }

    /// A text field. An empty one stands for none, so that an override can take a field away.
    fn words(&self, field: impl Fn(&'a Content) -> Option<&'a String>) -> Option<&'a str> {
        self.pick(field).map(String::as_str).filter(|words| !words.trim().is_empty())
    }

    fn list<T>(&self, field: impl Fn(&'a Content) -> Option<&'a Vec<T>>) -> &'a [T] {
        self.pick(field).map_or(&[], Vec::as_slice)
    }

    /// The first text: one of `texts` in turn, or `text`. The strongest layer that has either decides.
    pub(super) fn text(&self, variation: usize) -> Source<'a> {
        if let Some((index, Fallback { text: Some(text), .. })) = self.instead {
            return Source { key: "fallback", index, text };
        }
        self.pick(|content| {
            if let Some(index) = variation.checked_rem(content.texts.len()) {
                return Some(Source { key: "texts", index, text: &content.texts[index] });
            }
            content.text.as_deref().map(|text| Source { key: "text", index: 0, text })
        })
        .unwrap_or(Source { key: "text", index: 0, text: "" })
    }

    /// How many texts are taken in turn; at least one.
    pub(super) fn variations(&self) -> usize {
        self.pick(|content| (content.text.is_some() || !content.texts.is_empty()).then_some(content.texts.len()))
            .unwrap_or(0)
            .max(1)
    }

    pub(super) fn thread(&self) -> &'a [String] {
        if let Some((_, fallback)) = self.instead
            && (fallback.text.is_some() || !fallback.thread.is_empty())
        {
            return &fallback.thread;
        }
        self.pick(|content| (!content.thread.is_empty()).then_some(&content.thread)).map_or(&[], Vec::as_slice)
    }

    pub(super) fn split(&self) -> bool {
        self.instead
            .and_then(|(_, fallback)| fallback.split)
            .or_else(|| self.pick(|content| content.split))
            .unwrap_or(false)
    }

    pub(super) fn numbered(&self) -> bool {
        self.pick(|content| content.numbering) == Some(Numbering::Suffix)
    }

    pub(super) fn first_comment(&self) -> Option<&'a str> {
        self.words(|content| content.first_comment.as_ref())
    }

    pub(super) fn title(&self) -> Option<&'a str> {
        self.words(|content| content.title.as_ref())
    }

    pub(super) fn body(&self) -> Option<&'a str> {
        self.words(|content| content.body.as_ref())
    }

    pub(super) fn link(&self) -> Option<&'a str> {
        self.words(|content| content.link.as_ref()).map(str::trim)
    }

    pub(super) fn media(&self) -> &'a [MediaRef] {
        self.list(|content| content.media.as_ref())
    }

    pub(super) fn tags(&self) -> &'a [String] {
        self.list(|content| content.tags.as_ref())
    }

    pub(super) fn languages(&self) -> &'a [String] {
        self.list(|content| content.lang.as_ref())
    }

    pub(super) fn labels(&self) -> &'a [String] {
        self.list(|content| content.labels.as_ref())
    }

    pub(super) fn visibility(&self) -> Option<Visibility> {
        self.pick(|content| content.visibility)
    }

    pub(super) fn content_warning(&self) -> Option<&'a str> {
        self.words(|content| content.content_warning.as_ref())
    }

    pub(super) fn reply_to(&self) -> Option<&'a str> {
        self.words(|content| content.reply_to.as_ref())
    }

    pub(super) fn quote(&self) -> Option<&'a str> {
        self.words(|content| content.quote.as_ref())
    }

    pub(super) fn poll(&self) -> Option<&'a Poll> {
        self.pick(|content| content.poll.as_ref())
    }
}
