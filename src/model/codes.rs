//! Every code that a diagnostic can have, with what `smm explain` says of it. Codes are promises: never renamed, never
//! used for something else.

use super::Code;

/// What `smm explain` says of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Explanation {
    /// The code.
    pub code: Code,
    /// One line.
    pub summary: &'static str,
    /// Why it matters and how to mend it, a few lines.
    pub text: &'static str,
}

macro_rules! codes {
    ($($name:ident = $code:literal, $summary:literal, $text:literal;)*) => {
        $(#[doc = $summary] pub const $name: Code = Code($code);)*

        /// All of them, sorted by code.
        pub const ALL: &[Explanation] = &[
            $(Explanation { code: $name, summary: $summary, text: $text },)*
        ];
    };
}

// Sorted by code; a test holds it.
codes! {
    ACCOUNT_SETTING = "account-setting", "A setting of an account is missing or wrong",
        "Each network has settings of its own, such as `handle` or `folder`; `smm networks <name>` lists them.\nThey stand in the account's table in `smm.toml`.";
    ALT_IS_FILE_NAME = "alt-is-file-name", "An alt text is only the file's name",
        "An alt text says what the picture shows, for those who cannot see it and for search.\nWrite one sentence about what matters in the picture.";
    ALT_MISSING = "alt-missing", "A picture or video has no alt text",
        "Many readers hear pictures instead of seeing them. Add `alt = \"…\"` to the file's entry in `media`.\n`missing_alt = \"warn\"` under `[check]` makes this a warning.";
    ALT_TOO_LONG = "alt-too-long", "An alt text is longer than the network takes",
        "Say what matters in the picture first, and put long text into the post itself.\nA `media` of its own under `[posts.for.<account>]` may have a shorter one.";
    ANIMATION_TOO_LARGE = "animation-too-large", "An animation is more than the network takes",
        "Animations are sent as they are, since re-encoding would lose frames or movement.\nMake it smaller or shorter, or turn it into a video.";
    BODY_UNSUPPORTED = "body-unsupported", "No account of the post takes a long form",
        "`body` is for networks with a long form, such as `feed`; the accounts of this post receive `text` only.\nAdd such an account to `to`, or take `body` out.";
    CONTENT_WARNING_UNSUPPORTED = "content-warning-unsupported", "A network has no content warnings",
        "Leaving the warning away would show what was to be hidden, so the post is refused for that account.\nTake the account out of `to`, or set `content_warning = \"\"` under `[posts.for.<account>]` if that is meant.";
    FIRST_COMMENT_UNSUPPORTED = "first-comment-unsupported", "A network cannot take a first comment",
        "A first comment is a reply by the same account, and this network has no replies.\nSet `first_comment = \"\"` under `[posts.for.<account>]`, or put what it says into the text.";
    LABEL_UNSUPPORTED = "label-unsupported", "A label for sensitive media is not known to the network",
        "Each network has labels of its own, or none. `smm networks <name>` shows them.\nSet `labels` under `[posts.for.<account>]`.";
    LANG_UNSUPPORTED = "lang-unsupported", "A language cannot be told to any network of the post",
        "`lang` is passed on where the network has a place for it, and left away elsewhere: nothing is lost but a hint for readers.";
    LANGUAGE = "language", "A language is not written as a BCP 47 tag",
        "Write two or three small letters, with a region where it matters: `en`, `de`, `pt-BR`.\nReaders use it for filters and translation.";
    LINK_UNSUITABLE = "link-unsuitable", "A link is not an http or https link",
        "`link` has to be a whole address with its scheme, such as `https://acme.example/2.0`.";
    LINK_WITHOUT_SCHEME = "link-without-scheme", "A link has no `https://` in front of it",
        "Networks differ in whether they make a link of `acme.example/2.0`; with `https://` in front all of them do.";
    MEDIA_CANNOT_FIT = "media-cannot-fit", "A picture cannot be made to fit the network",
        "Pictures are resized and re-encoded to a network's limits; this one cannot be, even at the lowest quality.\nGive the account a picture of its own under `[posts.for.<account>]`.";
    MEDIA_MISSING = "media-missing", "There is no such media file",
        "Paths are relative to the calendar's folder, with `/` between their parts, and case counts.\nOften the picture was not added to git.";
    MEDIA_MIXED = "media-mixed", "Pictures and a video in one part",
        "This network takes either pictures or one video. Move one kind to another part of a thread with `part = 2`, or take it out.";
    MEDIA_NOT_A_FILE = "media-not-a-file", "A media path is not a file",
        "It is a folder, a pipe or a device. Name the file itself.";
    MEDIA_OUTSIDE = "media-outside", "A media path leaves the calendar's folder",
        "Anybody may propose a change to a calendar, so it can name files of its own folder only: relative paths without `..`.\nPut the file into the calendar's folder.";
    MEDIA_PART_UNKNOWN = "media-part-unknown", "A media file goes with a part that is not there",
        "`part` counts the messages of a thread from 1: the text is part 1, the first entry of `thread` is part 2.";
    MEDIA_REQUIRED = "media-required", "The network takes no post without a picture or video",
        "Add a file to `media`, or take the account out of `to`.";
    MEDIA_SYMLINK = "media-symlink", "A media path leads through a symbolic link",
        "A link in git could point at any file of the machine that publishes, so links are never followed.\nReplace it by the file.";
    MEDIA_TOO_LARGE = "media-too-large", "A media file is too large to be opened",
        "Pictures are decoded in memory, so their pixels and bytes are bounded for every network.\nMake the picture smaller.";
    MEDIA_TOO_MANY = "media-too-many", "More media than one part may have",
        "Spread them over a thread with `part = 2`, or set `media` under `[posts.for.<account>]`.";
    MEDIA_TYPE_UNSUITABLE = "media-type-unsuitable", "A kind of file that the network does not take",
        "Videos are sent as they are. `smm networks <name>` shows the kinds that the network takes.";
    MEDIA_UNKNOWN_TYPE = "media-unknown-type", "A media file is not a picture or video that smm knows",
        "What counts is the content, not the name: PNG, JPEG, WebP, GIF, and common videos. The file may also be broken or cut off.";
    MEDIA_UNREADABLE = "media-unreadable", "A media file cannot be read",
        "The operating system refused to read it. Look at its permissions.";
    MEDIA_UNSUPPORTED = "media-unsupported", "The network does not take this kind of media",
        "Set `media` under `[posts.for.<account>]`, or take the account out of `to`.";
    MEDIA_UNUSED = "media-unused", "No network of the post takes a media file",
        "The file would go nowhere. Take it out, or add an account that takes it.";
    POLL_DURATION = "poll-duration", "A poll is open for too short or too long",
        "`smm networks <name>` shows what the network takes.";
    POLL_IN_THREAD = "poll-in-thread", "A poll in a post with several parts",
        "The poll goes with the first part. That is often not what is meant when it stands at the end of a thread.";
    POLL_MULTIPLE = "poll-multiple", "A poll with several choices allowed, where the network takes one",
        "Take `multiple` out, or write a `poll` under `[posts.for.<account>]`.";
    POLL_OPTION_TOO_LONG = "poll-option-too-long", "A choice of a poll is too long",
        "Shorten it: the text of the post can explain.";
    POLL_OPTIONS = "poll-options", "The choices of a poll are not right",
        "Too few, too many, an empty one, or the same one twice. `smm networks <name>` shows how many the network takes.";
    POLL_UNSUPPORTED = "poll-unsupported", "The network has no polls",
        "Send the poll to other accounts, and another post to this one.";
    POLL_WITH_MEDIA = "poll-with-media", "A poll together with media",
        "The network takes one or the other. Take one out, or move the media to another part of a thread with `part = 2`.";
    POST_REFERENCE = "post-reference", "The post to answer or to quote is not one of this network",
        "`reply_to` and `quote` take the address of a post as a browser shows it, or the network's own id.\nGive the account a value of its own under `[posts.for.<account>]`, or leave it out there.";
    POST_REFUSED = "post-refused", "The network would refuse the post",
        "What is wrong is said by the network's own rules; `smm networks <name>` tells them.";
    QUOTE_UNSUPPORTED = "quote-unsupported", "The network cannot quote a post",
        "Put a link to it into the text, and set `quote = \"\"` under `[posts.for.<account>]`.";
    REPLY_UNSUPPORTED = "reply-unsupported", "The network cannot answer a post",
        "Take the account out of `to`, or set `reply_to = \"\"` under `[posts.for.<account>]`.";
    SAME_MINUTE = "same-minute", "Two posts of one account at the same minute",
        "Readers see them at once, and one of them may be meant for another time. `spacing` in `smm.toml` keeps posts of an account apart.";
    TAG_TOO_LONG = "tag-too-long", "A tag is too long",
        "Tags are single words or a few: a longer one is a sentence by mistake.";
    TAG_UNSUITABLE = "tag-unsuitable", "A tag cannot be written as a hashtag",
        "Where a network has no place for tags they are appended to the text as `#tag`, which has only letters, digits and `_`, and is not a number alone.\nWrite `release_notes` or `ReleaseNotes` for `release notes`.";
    TAGS_TOO_MANY = "tags-too-many", "More tags than the network takes",
        "Set `tags` under `[posts.for.<account>]` to the ones that matter most there.";
    TEMPLATE_INVALID = "template-invalid", "A template cannot be read",
        "Templates have `{{ name }}` with the names that are known at that place: `network`, `account`, `campaign` and `post` in campaigns; `project`, `version`, `tag`, `notes`, `url` and more in release posts.";
    TEXT_BIDI = "text-bidi", "A text has a character that turns its direction",
        "Such characters can make a text read differently from what it says, in review too. They are not needed: networks find the direction by themselves.\nDelete the character.";
    TEXT_CANNOT_SPLIT = "text-cannot-split", "A text cannot be split",
        "A link, mention or word is longer than a whole part may be.";
    TEXT_CONTROL = "text-control", "A text has a control character",
        "Networks drop or refuse control characters. Delete the character.";
    TEXT_EMPTY = "text-empty", "There is nothing to say",
        "Write a `text`. Some networks take media without one; this one does not, or there are none.";
    TEXT_INVISIBLE = "text-invisible", "A text has a character that is not seen",
        "Invisible characters count toward the limit, break links and hashtags, and can mark a text. Delete the character.";
    TEXT_REPEATED = "text-repeated", "The same text goes to one account twice",
        "Networks take repeated posts for spam, and some refuse them. Write another text, or a series with `texts`.";
    TEXT_TOO_LONG = "text-too-long", "A text is longer than the network takes",
        "Each network counts in its own unit: Bluesky in graphemes and bytes, Mastodon in graphemes with 23 for each link.\nShorten it, set `split = true` to make it a thread, or write a text of its own under `[posts.for.<account>]`.";
    THREAD_UNSUPPORTED = "thread-unsupported", "The network has no threads",
        "Send this post to other accounts, and another one without a thread to this one.";
    TIME_PAST = "time-past", "The time of a post is past",
        "Published posts stay in the calendar, so this is only a note. `smm status` tells whether it went out.";
    TITLE_TOO_LONG = "title-too-long", "A title is longer than the network takes",
        "Shorten it, or write a `title` under `[posts.for.<account>]`.";
    TITLE_UNSUPPORTED = "title-unsupported", "No account of the post takes a title",
        "`title` is for networks that have one, such as `feed`. Add such an account to `to`, or take it out.";
    VIDEO_TOO_LARGE = "video-too-large", "A video is larger than the network takes",
        "Videos are sent as they are: make it shorter or smaller.";
    VISIBILITY_UNSUPPORTED = "visibility-unsupported", "The network cannot show a post to these readers only",
        "Showing it to everybody would betray what was asked for. Take the account out of `to`, or set `visibility` under `[posts.for.<account>]`.";
}

/// The explanation of a code.
pub fn explain(code: &str) -> Option<&'static Explanation> {
    ALL.iter().find(|known| known.code.0 == code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_sorted_and_told_apart() {
        assert!(ALL.windows(2).all(|pair| pair[0].code.0 < pair[1].code.0));
    }
}
