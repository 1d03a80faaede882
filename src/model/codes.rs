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
    API_ENDING = "api-ending", "The network ends a version of its API before a post is due, or soon",
        "Some networks take each version of their API for a time only; then every call is refused, and posts are held.\nSet a later version in the account's table in `smm.toml`, or update smm. `smm doctor` tells the end of each account's.";
    BAD_ACCOUNT_NAME = "bad-account-name", "An account's name breaks the rule for names",
        "A name starts with a small letter and has only small letters, digits and `-`, at most 40: it names environment variables, too.\n`alert`, `calendar`, `config`, `ledger`, `media-host`, `vault` and the names of networks are taken.";
    BAD_BLACKOUT = "bad-blackout", "Blackout hours cannot be read, or leave no time to publish",
        "Each entry is a time of day, days of the week, or both: `\"22:00-07:00\"` (every night, named by the day that it begins on), `\"sat-sun\"`, `\"fri 18:00-24:00\"`, `\"mon-fri 12:00-13:00\"`, `\"fri 18:00-mon 08:00\"`.\nTimes are those of the calendar's zone, or of the account's `timezone`. What falls due within goes out when they end.";
    BAD_CRON = "bad-cron", "A cron rule cannot be read",
        "Five fields: minute, hour, day of the month, month, day of the week. `0 9 * * MON-FRI` is nine o'clock on working days.\nSix fields begin with seconds; seven end with a year. Times are meant in the calendar's zone.";
    BAD_DURATION = "bad-duration", "A length of time cannot be read",
        "Write a number with its unit, in quotes: `\"90s\"`, `\"15m\"`, `\"2h\"`, `\"1d\"`, or several one after the other: `\"1h30m\"`.";
    BAD_FRONT_MATTER = "bad-front-matter", "A Markdown post has no TOML front matter",
        "A post in a Markdown file begins with a line `+++`, then the keys of the post as in `calendar.toml`, then a second line `+++`.\nWhat follows is its long form, `body`.";
    BAD_ID = "bad-id", "An id or name breaks the rule for names",
        "It starts with a letter or digit and has only letters, digits, `-`, `_` and `.`, at most 100: it is part of file names, addresses and commands.";
    BAD_INCLUDE = "bad-include", "An entry of `include` is not a pattern of files",
        "Patterns are relative to the calendar and never leave its folder. `*` and `?` stand for characters of a name, `**` for any folders.\nOnly files that end in `.toml` and `.md` can be included.";
    BAD_SERVER = "bad-server", "A server's address cannot be used",
        "A server is `https://` and a host. Plain `http://` is for this machine alone, since it would show the credential to everybody on the way.\nThe server of mail is `smtps://` and a host, or `smtp://`, which goes over to TLS before anything is said.";
    BAD_TIME = "bad-time", "A time cannot be read",
        "A time is a TOML date-time without quotes: `2026-12-01T09:00:00` in the calendar's zone, or `2026-12-01T09:00:00+01:00` with an offset.\nA date alone does not say when on that day.";
    BAD_VALUE = "bad-value", "A value is outside of what makes sense",
        "The message says which values are taken.";
    BODY_UNSUPPORTED = "body-unsupported", "No account of the post takes a long form",
        "`body` is for networks with a long form, such as `feed`; the accounts of this post receive `text` only.\nAdd such an account to `to`, or take `body` out.";
    BYTE_ORDER_MARK = "byte-order-mark", "A file begins with a byte order mark",
        "`smm` reads over it; other programs may not. Save the file as UTF-8 without a mark (BOM).";
    CAPTION_TOO_LONG = "caption-too-long", "A text beside media is longer than a caption may be",
        "The network takes less text under a picture than in a message. The media go out first, and the text follows as a message of its own that answers them.\nA shorter text under `[posts.for.<account>]` keeps them together.";
    CONTENT_WARNING_UNSUPPORTED = "content-warning-unsupported", "A network has no content warnings",
        "Leaving the warning away would show what was to be hidden, so the post is refused for that account.\nTake the account out of `to`, or set `content_warning = \"\"` under `[posts.for.<account>]` if that is meant.";
    CREDENTIALED_ACCOUNT = "credentialed-account", "A calendar declares an account that needs a credential",
        "Anybody may propose a change to a calendar. An account in it could send your token to somebody else's server, so those that need a credential stand in `smm.toml`.\nMove the account's table there; the name stays the same.";
    DOCUMENT_TITLE = "document-title", "A document has no title",
        "Readers see a title above a document's pages. Write it into the file's entry: `{ file = \"deck.pdf\", title = \"…\" }`. Without one the post's `title` is taken.";
    DOCUMENT_TOO_LARGE = "document-too-large", "A document is larger than the network takes",
        "Documents are sent as they are: save it smaller, for example with its pictures compressed.";
    DUPLICATE_ID = "duplicate-id", "Two posts have the same id",
        "The id names what was published: with one id for two posts, one of them would never go out.\nGive the newer one another id. Ids count over all files of a calendar.";
    DUPLICATE_KEY = "duplicate-key", "A key is given twice",
        "TOML takes each key once in a table. Often the line `[[posts]]` before the second one is missing.";
    FILE_NOT_READ = "file-not-read", "A file cannot be read",
        "It does not exist, is a folder, is too large, or you may not read it.";
    FIRST_COMMENT_UNSUPPORTED = "first-comment-unsupported", "A network cannot take a first comment",
        "A first comment is a reply by the same account, and this network has no replies.\nSet `first_comment = \"\"` under `[posts.for.<account>]`, or put what it says into the text.";
    INCLUDE_SYMLINK = "include-symlink", "`include` would follow a symlink",
        "A link may lead to any file of the machine that publishes, and anybody may propose one. Include the file itself.";
    INCLUDE_TWICE = "include-twice", "A file is included twice",
        "Its posts would be there twice. Let each file be matched by one entry of `include` alone.";
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
    LINKS_TOO_MANY = "links-too-many", "More links than one post may have",
        "The network takes posts with many different links for spam and refuses them. Leave some out, or spread them over a thread.";
    MEDIA_CANNOT_FIT = "media-cannot-fit", "A picture cannot be made to fit the network",
        "Pictures are resized and re-encoded to a network's limits; this one cannot be, even at the lowest quality.\nGive the account a picture of its own under `[posts.for.<account>]`.";
    MEDIA_HOST_MISSING = "media-host-missing", "A network fetches media by itself, and there is no place for them",
        "Some networks take no uploads: they fetch pictures and videos from a public address. `[media_host]` in `smm.toml` names a place that smm puts them in: any S3-compatible bucket (`kind = \"s3\"`), or a folder that a web server shows (`kind = \"folder\"`).\nSet it up, or leave the media out with `media = []` under `[posts.for.<account>]`.";
    MEDIA_MISSING = "media-missing", "There is no such media file",
        "Paths are relative to the calendar's folder, with `/` between their parts, and case counts.\nOften the picture was not added to git.";
    MEDIA_MIXED = "media-mixed", "Files in one part that cannot go together",
        "This network takes either pictures or one video in a part; a document goes alone everywhere. Move one kind to another part of a thread with `part = 2`, or take it out.";
    MEDIA_NOT_A_FILE = "media-not-a-file", "A media path is not a file",
        "It is a folder, a pipe or a device. Name the file itself.";
    MEDIA_OUTSIDE = "media-outside", "A media path leaves the calendar's folder",
        "Anybody may propose a change to a calendar, so it can name files of its own folder only: relative paths without `..`.\nPut the file into the calendar's folder.";
    MEDIA_PART_UNKNOWN = "media-part-unknown", "A media file goes with a part that is not there",
        "`part` counts the messages of a thread from 1: the text is part 1, the first entry of `thread` is part 2.";
    MEDIA_REQUIRED = "media-required", "The network takes no post without a picture or video",
        "Add a file to `media`, or take the account out of `to`.";
    MEDIA_SERVER_MISSING = "media-server-missing", "A post has files, and its account names no server for them",
        "Some networks keep no files themselves: the account's settings in `smm.toml` name a server that takes them. `smm networks <name>` shows the setting.\nSet it, or leave the media out with `media = []` under `[posts.for.<account>]`.";
    MEDIA_SYMLINK = "media-symlink", "A media path leads through a symbolic link",
        "A link in git could point at any file of the machine that publishes, so links are never followed.\nReplace it by the file.";
    MEDIA_TOO_LARGE = "media-too-large", "A media file is too large to be opened",
        "Pictures are decoded in memory, so their pixels and bytes are bounded for every network.\nMake the picture smaller.";
    MEDIA_TOO_MANY = "media-too-many", "More media than one part may have",
        "Spread them over a thread with `part = 2`, or set `media` under `[posts.for.<account>]`.";
    MEDIA_TYPE_UNSUITABLE = "media-type-unsuitable", "A kind of file that the network does not take",
        "Videos and documents are sent as they are. `smm networks <name>` shows the kinds that the network takes.";
    MEDIA_UNKNOWN_TYPE = "media-unknown-type", "A media file is of no kind that smm knows",
        "What counts is the content, not the name: PNG, JPEG, WebP, GIF, common videos, and PDF. The file may also be broken or cut off.";
    MEDIA_UNREADABLE = "media-unreadable", "A media file cannot be read",
        "The operating system refused to read it. Look at its permissions.";
    MEDIA_UNSUPPORTED = "media-unsupported", "The network does not take this kind of media",
        "Set `media` under `[posts.for.<account>]`, or take the account out of `to`.";
    MEDIA_UNUSED = "media-unused", "No network of the post takes a media file",
        "The file would go nowhere. Take it out, or add an account that takes it.";
    MENTIONS_TOO_MANY = "mentions-too-many", "More mentions than one post may have",
        "The network takes posts that mention many accounts for spam and refuses them. Leave some out.";
    MERGE_CONFLICT = "merge-conflict", "A merge has left a conflict in a file",
        "The lines `<<<<<<<`, `=======` and `>>>>>>>` come from git. Keep one of the two sides and remove the three lines.\nNothing else in the file is checked until then.";
    MISSING_ID = "missing-id", "A post has no id",
        "The id names what was published, so that a post is never published twice, whatever is edited. Give it a short one that stays: `id = \"launch-2-0\"`.";
    MISSING_KEY = "missing-key", "A key that is needed is not there",
        "The message says which. `smm schema` writes a schema with which editors show what belongs where.";
    NESTED_INCLUDE = "nested-include", "An included file includes others",
        "What belongs to a calendar is said in one place: move the entry to the calendar's own `include`.";
    NEVER_DUE = "never-due", "A series is never due",
        "Its last day comes before its first.";
    NO_ACCOUNTS = "no-accounts", "A post goes nowhere",
        "Name accounts in `to`, in the post or under `[defaults]`. For a post that is not to be published yet, write `draft = true`.";
    NO_TRIGGER = "no-trigger", "A post does not say when it is published",
        "It has one of `at` (once), `cron` (a series) and `on = \"release\"`. A draft may do without.";
    NOT_UTF8 = "not-utf8", "A file is not UTF-8",
        "Save it as UTF-8. Files from older Windows programs are often UTF-16 or Windows-1252.";
    NOTHING_INCLUDED = "nothing-included", "An entry of `include` matches no file",
        "Patterns are relative to the calendar's folder. Names that begin with a dot are not matched by `*`.";
    ONLY_WITH_CRON = "only-with-cron", "A key that only a series has",
        "`texts`, `from`, `until` and `except` say which text and which days a series has. A post that goes out once has `at` and `text`.";
    ONLY_WITH_RELEASE = "only-with-release", "A key that only a post for releases has",
        "`skip` and `only` say which releases a post with `on = \"release\"` is for, `fallback` what is sent where its text is too long.";
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
    RENAMED_FROM_TAKEN = "renamed-from-taken", "`renamed_from` names an id that another post has",
        "It keeps what was published under an old id from being published again. Two posts cannot have been the same one.";
    REPLY_UNSUPPORTED = "reply-unsupported", "The network cannot answer a post",
        "Take the account out of `to`, or set `reply_to = \"\"` under `[posts.for.<account>]`.";
    SAME_MINUTE = "same-minute", "Two posts of one account at the same minute",
        "Readers see them at once, and one of them may be meant for another time. `spacing` in `smm.toml` keeps posts of an account apart.";
    SECRET_IN_FILE = "secret-in-file", "A secret in a file",
        "Files are committed, copied and read by others; secrets come from the environment (`SMM_<ACCOUNT>_<FIELD>`), systemd credentials or the keyring.\nRemove it, and have it made anew if it was ever committed.";
    SERVER_IN_CALENDAR = "server-in-calendar", "A calendar names a server",
        "Whoever may propose a change to the calendar could send posts elsewhere. Servers are named in `smm.toml`.";
    SEVERAL_TRIGGERS = "several-triggers", "A post has several times",
        "One of `at`, `cron` and `on`. For one text at a time and again with each release, make two posts.";
    SHADOWED_ACCOUNT = "shadowed-account", "A calendar declares an account of `smm.toml`",
        "What is meant for the operator's account would go elsewhere. Give the calendar's account another name.";
    SPACING_LATE = "spacing-late", "Posts of one account are too close together for its spacing",
        "`spacing` in `smm.toml` keeps posts of an account apart, so of several at the same time the last goes out later than its grace, and is held.\nMove some of them, give them a longer `late.grace`, or shorten `spacing`.";
    TAG_TOO_LONG = "tag-too-long", "A tag is too long",
        "Tags are single words or a few: a longer one is a sentence by mistake.";
    TAG_UNSUITABLE = "tag-unsuitable", "A tag cannot be written as a hashtag",
        "Where a network has no place for tags they are appended to the text as `#tag`, which has only letters, digits and `_`, and is not a number alone.\nWrite `release_notes` or `ReleaseNotes` for `release notes`.";
    TAGS_TOO_MANY = "tags-too-many", "More tags than the network takes",
        "Set `tags` under `[posts.for.<account>]` to the ones that matter most there.";
    TEMPLATE_INVALID = "template-invalid", "A template cannot be read",
        "Templates have `{{ name }}` with the names that are known at that place: `network`, `account`, `campaign` and `post` in campaigns; `project`, `version`, `tag`, `notes`, `url` and more in release posts.";
    TEXT_AND_TEXTS = "text-and-texts", "A post has `text` and `texts`",
        "A series takes its `texts` in turn. Put the one into the list, or remove the list.";
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
    TIME_IN_GAP = "time-in-gap", "A time that does not exist in the zone",
        "In spring the clocks are put forward, and the times between are never shown. Both valid times are offered; or write an offset.";
    TIME_IN_OVERLAP = "time-in-overlap", "A time that comes twice in the zone",
        "In autumn the clocks are put back, and an hour is shown twice. The first is taken. Write the offset to say which one you mean.";
    TIME_PAST = "time-past", "The time of a post is past",
        "Published posts stay in the calendar, so this is only a note. `smm status` tells whether it went out.";
    TITLE_REQUIRED = "title-required", "A post has no title where one is needed",
        "A mail needs a subject, and a page of a site a headline: that is the post's `title`.\nWithout one the first line of the text is taken; where there is no text either, the post is refused.";
    TITLE_TOO_LONG = "title-too-long", "A title is longer than the network takes",
        "Shorten it, or write a `title` under `[posts.for.<account>]`.";
    TITLE_UNSUPPORTED = "title-unsupported", "No account of the post takes a title",
        "`title` is for networks that have one, such as `feed`. Add such an account to `to`, or take it out.";
    TOML_SYNTAX = "toml-syntax", "A file is not TOML",
        "Text stands between quotes, a table begins with `[name]`, a post with `[[posts]]`. See https://toml.io.";
    UNKNOWN_ACCOUNT = "unknown-account", "A post goes to an account that is not there",
        "Accounts are declared in `smm.toml`, those that need no credential in the calendar. A network's name is not an account.";
    UNKNOWN_CAMPAIGN = "unknown-campaign", "A post belongs to a campaign that is not there",
        "Campaigns are declared as `[campaigns.name]` in the calendar or in a file that it includes.";
    UNKNOWN_KEY = "unknown-key", "A key that is not known",
        "Often a slip of the keyboard: left alone, what it was to say would be lost without a word. `smm schema` writes a schema with which editors complete keys.";
    UNKNOWN_NETWORK = "unknown-network", "An account on a network that is not known",
        "`smm networks` lists those that are.";
    UNKNOWN_OVERRIDE = "unknown-override", "`[posts.for.X]` names neither an account nor a network",
        "X is an account's name, or a network's id for all its accounts.";
    UNKNOWN_VALUE = "unknown-value", "A word that is not known for this key",
        "The help says which words are.";
    UNKNOWN_ZONE = "unknown-zone", "A time zone that is not known",
        "Zones have names such as `Europe/Berlin`, `America/New_York` or `UTC`. Abbreviations such as `CET` or `EST` do not say when the clocks change.";
    UNTRUSTED_COMMAND = "untrusted-command", "A config beside a calendar would run a program",
        "A config that is found beside a calendar may come with a stranger's checkout. Name it with `--config` or `SMM_CONFIG`, or keep it in your own folder for settings.";
    UNUSED_OVERRIDE = "unused-override", "`[posts.for.X]` names an account that the post does not go to",
        "Add the account to `to`, or remove the table.";
    VIDEO_TOO_LARGE = "video-too-large", "A video is larger than the network takes",
        "Videos are sent as they are: make it shorter or smaller.";
    VISIBILITY_UNSUPPORTED = "visibility-unsupported", "The network cannot show a post to these readers only",
        "Showing it to everybody would betray what was asked for. Take the account out of `to`, or set `visibility` under `[posts.for.<account>]`.";
    WRONG_TYPE = "wrong-type", "A value of the wrong type",
        "Text stands between quotes, times and numbers do not; a list stands between `[` and `]`, a table between `{` and `}`.";
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
