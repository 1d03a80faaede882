//! TOML to the types of [`super::raw`] with a place for everything, never stopping at the first mistake.
//!
//! `serde` ends at the first value that does not fit. Here each table is walked key by key: what fits is kept, what does
//! not becomes a [`Finding`]. [`table!`] makes the struct, its reader and its JSON Schema from one list of keys, so that
//! none of them can know a key that another does not.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Diagnostic, Sources, Span, suggest, syntax, text_span};
use crate::model::{Code, PostId, Severity, codes};

/// Something wrong, before lines and columns are counted.
#[derive(Debug, Clone)]
pub(super) struct Finding {
    pub(super) code: Code,
    pub(super) severity: Severity,
    pub(super) message: String,
    pub(super) help: Option<String>,
    pub(super) span: Span,
    pub(super) post: Option<PostId>,
}

/// A value with the place of its key and its own.
#[derive(Debug, Clone)]
pub(super) struct At<T> {
    pub(super) value: T,
    /// The value, in bytes of the file.
    pub(super) span: Span,
    /// Its key; the value itself for a member of a list.
    pub(super) key: Span,
}

/// One file while it is read.
#[derive(Debug)]
pub(super) struct Reader<'f> {
    pub(super) findings: &'f mut Vec<Finding>,
    pub(super) file: usize,
    /// The TOML.
    text: &'f str,
    /// Where the TOML starts in the file: not at 0 for front matter.
    offset: usize,
    /// Where the syntax is broken: what stands there is not complained of a second time. Sorted.
    broken: Vec<Range<usize>>,
    /// The post that is being read.
    pub(super) post: Option<PostId>,
    /// The syntax of that post is broken: what seems to be missing may only be unreadable.
    pub(super) patchy: bool,
    /// How many errors were found by this reader.
    pub(super) errors: usize,
}

/// A type that a TOML value may be read as.
pub(super) trait FromToml: Sized {
    /// Reads the value. What is wrong with it is reported, and `None` given when nothing is left of it.
    fn read(value: DeValue<'_>, span: Range<usize>, reader: &mut Reader<'_>) -> Option<Self>;
}

/// A table with known keys.
pub(super) trait Table: Default {
    /// Its keys.
    fn keys() -> Vec<&'static str>;

    /// Takes a key's value, or hands it back when the key is not known.
    fn set<'i>(
        &mut self,
        name: &str,
        key: Range<usize>,
        value: Spanned<DeValue<'i>>,
        reader: &mut Reader<'_>,
    ) -> Result<(), Spanned<DeValue<'i>>>;
}

/// Declares a table: each field is a key, `Option<At<T>>`. A last `; name: Type` holds keys that several tables share.
macro_rules! table {
    (
        $(#[$meta:meta])*
        struct $name:ident {
            $($(#[$doc:meta])* $field:ident $(as $key:literal)?: $type:ty,)*
            $(; $flat:ident: $flat_type:ty)?
        }
    ) => {
        #[derive(Debug, Default, schemars::JsonSchema)]
        $(#[$meta])*
        pub(super) struct $name {
            $($(#[$doc])* $(#[schemars(rename = $key)])? pub(super) $field: Option<$crate::calendar::read::At<$type>>,)*
            $(#[schemars(flatten)] pub(super) $flat: $flat_type,)?
            /// Keys that are there and could not be read: they are not missing.
            #[schemars(skip)]
            pub(super) unreadable: Vec<&'static str>,
        }

        impl $crate::calendar::read::Table for $name {
            fn keys() -> Vec<&'static str> {
                let own = [$($crate::calendar::read::key!($field $($key)?)),*];
                own.into_iter()$(.chain(<$flat_type as $crate::calendar::read::Table>::keys()))?.collect()
            }

            fn set<'i>(
                &mut self,
                name: &str,
                key: std::ops::Range<usize>,
                value: toml::Spanned<toml::de::DeValue<'i>>,
                reader: &mut $crate::calendar::read::Reader<'_>,
            ) -> Result<(), toml::Spanned<toml::de::DeValue<'i>>> {
                match name {
                    $($crate::calendar::read::key!($field $($key)?) => {
                        self.$field = reader.value(key, value);
                        if self.$field.is_none() {
                            self.unreadable.push($crate::calendar::read::key!($field $($key)?));
                        }
                        Ok(())
                    })*
                    _ => $crate::calendar::read::rest!(self name key value reader $($flat)?),
                }
            }
        }
    };
}

/// The name of a field's key.
macro_rules! key {
    ($field:ident) => {
        stringify!($field)
    };
    ($field:ident $key:literal) => {
        $key
    };
}

/// Hands a key that a table does not know to the table that holds the shared ones.
macro_rules! rest {
    ($self:ident $name:ident $key:ident $value:ident $reader:ident) => {
        Err($value)
    };
    ($self:ident $name:ident $key:ident $value:ident $reader:ident $flat:ident) => {
        $self.$flat.set($name, $key, $value, $reader)
    };
}

pub(super) use {key, rest, table};

impl<'f> Reader<'f> {
    /// Parses TOML that starts at byte `offset` of a file, and reports what is wrong with its syntax.
    pub(super) fn parse(
        findings: &'f mut Vec<Finding>,
        file: usize,
        text: &'f str,
        offset: usize,
    ) -> (Self, DeTable<'f>) {
        let (table, errors) = DeTable::parse_recoverable(text);
        let mut reader =
            Self { findings, file, text, offset, broken: Vec::new(), post: None, patchy: false, errors: 0 };
        reader.syntax(text, &errors);
        (reader, table.into_inner())
    }

    /// Something in the syntax is broken.
    pub(super) fn is_broken(&self) -> bool {
        !self.broken.is_empty()
    }

    /// The syntax is broken somewhere in these bytes: what seems to be missing there may only be unreadable.
    pub(super) fn is_broken_in(&self, range: Range<usize>) -> bool {
        let from = self.broken.partition_point(|broken| broken.end < range.start);
        self.broken.get(from).is_some_and(|broken| broken.start < range.end)
    }

    /// A byte range of the parsed text as a place in the file.
    pub(super) fn span(&self, range: Range<usize>) -> Span {
        Span { file: self.file, start: range.start + self.offset, end: range.end + self.offset }
    }

    /// The place of a byte range inside a string value.
    pub(super) fn inside(&self, string: Span, range: Range<usize>) -> Span {
        let raw = &self.text[string.start - self.offset..string.end - self.offset];
        let range = text_span::map(raw, range);
        Span { file: self.file, start: string.start + range.start, end: string.start + range.end }
    }

    /// Reports something; returns it for more to be said.
    pub(super) fn report(&mut self, severity: Severity, code: Code, span: Span, message: String) -> &mut Finding {
        let post = self.post.clone();
        self.errors += usize::from(severity == Severity::Error);
        self.findings.push(Finding { code, severity, message, help: None, span, post });
        self.findings.last_mut().expect("one was pushed just now")
    }

    /// Reports an error.
    pub(super) fn error(&mut self, code: Code, span: Span, message: impl Into<String>) -> &mut Finding {
        self.report(Severity::Error, code, span, message.into())
    }

    /// Reports a warning.
    pub(super) fn warning(&mut self, code: Code, span: Span, message: impl Into<String>) -> &mut Finding {
        self.report(Severity::Warning, code, span, message.into())
    }

    /// Reads a key's value.
    pub(super) fn value<T: FromToml>(&mut self, key: Range<usize>, value: Spanned<DeValue<'_>>) -> Option<At<T>> {
        let range = value.span();
        let (span, key) = (self.span(range.clone()), self.span(key));
        let value = T::read(value.into_inner(), range, self)?;
        Some(At { value, span, key })
    }

    /// Reads a member of a list.
    pub(super) fn member<T: FromToml>(&mut self, value: Spanned<DeValue<'_>>) -> Option<At<T>> {
        self.value(value.span(), value)
    }

    /// A value of the wrong type. Says nothing where the syntax is broken: the value is not what was written.
    pub(super) fn wrong_type(
        &mut self,
        expected: &str,
        found: &DeValue<'_>,
        range: Range<usize>,
    ) -> Option<&mut Finding> {
        let nowhere = range == (0..0);
        if nowhere || self.is_broken_in(range.start..range.end.max(range.start + 1)) {
            return None;
        }
        let help = match found {
            DeValue::String(text) if expected == "a list" && text.len() <= 60 && !text.contains(['\n', '"', '\\']) => {
                Some(format!("write it between brackets: `[\"{text}\"]`"))
            }
            DeValue::Array(_) | DeValue::Table(_) => None,
            _ if expected == "a list" => Some("write a list between brackets: `[…, …]`".to_owned()),
            _ if expected == "a table" => Some("write a table between braces: `{ key = value }`".to_owned()),
            _ => None,
        };
        let found = match found {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "an integer",
            DeValue::Float(_) => "a number with a point",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date or time",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        let span = self.span(range);
        let finding = self.error(codes::WRONG_TYPE, span, format!("expected {expected}, found {found}"));
        if let Some(help) = help {
            finding.help(help);
        }
        Some(finding)
    }

    /// A key that is not known here.
    pub(super) fn unknown_key(&mut self, name: &str, key: Range<usize>, known: &[&str]) {
        if !self.is_broken_in(key.start..key.end + 1) {
            self.unknown_key_at(name, self.span(key), known);
        }
    }

    /// A key at this place that is not known here.
    pub(super) fn unknown_key_at(&mut self, name: &str, span: Span, known: &[&str]) {
        if is_secret(name) {
            self.error(codes::SECRET_IN_FILE, span, format!("`{name}` looks like a secret, and secrets are never read from a file"))
                .help("remove it here, and have it made anew if it was ever committed; secrets come from the environment, such as `SMM_<ACCOUNT>_PASSWORD`");
            return;
        }
        self.error(codes::UNKNOWN_KEY, span, format!("`{name}` is not a key that is known here")).help =
            suggest::help(name, known.iter().copied());
    }

    /// Syntax errors: the first of each line, since the parser often meets one mistake several times.
    fn syntax(&mut self, text: &str, errors: &[toml::de::Error]) {
        let mut found: Vec<(Range<usize>, &str)> =
            errors.iter().map(|error| (error.span().unwrap_or(0..0), error.message())).collect();
        found.sort_by_key(|(range, _)| range.start);
        let mut last_end_of_line = None;
        for (range, message) in found {
            // An error at the end of a file points behind it.
            let start = range.start.min(text.len());
            if last_end_of_line.is_some_and(|end| start <= end) {
                continue;
            }
            let end_of_line = text[start..].find('\n').map_or(text.len(), |at| start + at);
            last_end_of_line = Some(end_of_line);
            let line = text[..start].rfind('\n').map_or(0, |at| at + 1)..end_of_line;
            let mut range = start..range.end.clamp(start, text.len());
            if message.starts_with("invalid multi-line")
                && range.is_empty()
                && let Some(open) = syntax::unclosed(&text[..start])
            {
                range = open;
            }
            let line = line.start.min(range.start)..line.end;
            self.broken.push(line.start..line.end.max(range.end));
            let line = &text[text[..range.start].rfind('\n').map_or(0, |at| at + 1)..line.end];
            self.syntax_error(line, &text[range.clone()], range, message);
        }
    }

    fn syntax_error(&mut self, line: &str, what: &str, range: Range<usize>, message: &str) {
        let span = self.span(range);
        let is_time = line.split_once('=').is_some_and(|(_, value)| {
            let value = value.trim_start().as_bytes();
            value.len() > 4 && value[..4].iter().all(u8::is_ascii_digit) && value[4] == b'-'
        });
        if message == "duplicate key" {
            let name = what.trim_matches(['"', '\'']);
            self.error(codes::DUPLICATE_KEY, span, format!("`{name}` is given twice in one table")).help =
                Some("remove one of the two, or begin a new `[[posts]]` before it".to_owned());
        } else if is_time {
            self.error(codes::BAD_TIME, span, format!("not a date and time: {message}")).help =
                Some("write it as `2026-12-01T09:00:00`, without quotes".to_owned());
        } else {
            let (message, help) = syntax::explain(message, what.is_empty());
            let finding = self.error(codes::TOML_SYNTAX, span, message);
            finding.help = help.map(str::to_owned);
        }
    }
}

impl Finding {
    /// An error, where no reader is at hand.
    pub(super) fn error(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self { code, severity: Severity::Error, message: message.into(), help: None, span, post: None }
    }

    /// Counts its line and column.
    pub(super) fn locate(self, sources: &Sources) -> Diagnostic {
        let found = Diagnostic::new(self.code, self.severity, self.message, sources, self.span);
        Diagnostic { help: self.help, post: self.post, ..found }
    }

    /// Adds how to mend it.
    pub(super) fn help(&mut self, help: impl Into<String>) {
        self.help = Some(help.into());
    }
}

/// Words that a key for a secret has in it.
fn is_secret(name: &str) -> bool {
    let name = name.to_lowercase();
    let words = [
        "password",
        "passwd",
        "passphrase",
        "token",
        "secret",
        "api_key",
        "apikey",
        "api-key",
        "private_key",
        "private-key",
        "credential",
    ];
    name == "key" || words.iter().any(|word| name.contains(word))
}

impl<T: Table> FromToml for T {
    fn read(value: DeValue<'_>, span: Range<usize>, reader: &mut Reader<'_>) -> Option<Self> {
        let DeValue::Table(table) = value else {
            reader.wrong_type("a table", &value, span);
            return None;
        };
        Some(read_table(table, reader))
    }
}

/// Reads the keys of a table, each on its own.
pub(super) fn read_table<T: Table>(table: DeTable<'_>, reader: &mut Reader<'_>) -> T {
    let mut read = T::default();
    for (key, value) in table {
        if read.set(key.get_ref(), key.span(), value, reader).is_err() {
            reader.unknown_key(key.get_ref(), key.span(), &T::keys());
        }
    }
    read
}

impl FromToml for String {
    fn read(value: DeValue<'_>, span: Range<usize>, reader: &mut Reader<'_>) -> Option<Self> {
        match value {
            // A checkout on Windows must not change what is published, nor the names that are derived from it.
            DeValue::String(text) if text.contains("\r\n") => Some(text.replace("\r\n", "\n")),
            DeValue::String(text) => Some(text.into_owned()),
            other => {
                reader.wrong_type("a string", &other, span);
                None
            }
        }
    }
}

impl FromToml for bool {
    fn read(value: DeValue<'_>, span: Range<usize>, reader: &mut Reader<'_>) -> Option<Self> {
        match value {
            DeValue::Boolean(value) => Some(value),
            other => {
                reader.wrong_type("`true` or `false`", &other, span);
                None
            }
        }
    }
}

impl FromToml for u64 {
    fn read(value: DeValue<'_>, span: Range<usize>, reader: &mut Reader<'_>) -> Option<Self> {
        let DeValue::Integer(number) = &value else {
            reader.wrong_type("an integer", &value, span);
            return None;
        };
        let read = Self::from_str_radix(number.as_str(), number.radix()).ok();
        if read.is_none() {
            reader.wrong_type("an integer of 0 or more", &value, span);
        }
        read
    }
}

/// A list. A member that cannot be read is reported and left out.
impl<T: FromToml> FromToml for Vec<At<T>> {
    fn read(value: DeValue<'_>, span: Range<usize>, reader: &mut Reader<'_>) -> Option<Self> {
        match value {
            DeValue::Array(array) => Some(array.into_iter().filter_map(|member| reader.member(member)).collect()),
            other => {
                reader.wrong_type("a list", &other, span);
                None
            }
        }
    }
}

impl<T: schemars::JsonSchema> schemars::JsonSchema for At<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> std::borrow::Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        T::json_schema(generator)
    }
}
