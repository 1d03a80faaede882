//! Writes limits into `smm.toml`, in place: comments, order and everything else stay as they are.

use std::io::Write as _;
use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::model::AccountName;

/// The text of an `smm.toml` with these limits in `[accounts.<account>.limits]`. Other limits there stay. Gives what is
/// wrong with the text where that cannot be done, or cannot be done without changing something else.
pub fn put_limits(text: &str, account: &AccountName, limits: &[(&str, u64)]) -> Result<String, String> {
    let document = DeTable::parse(text).map_err(|error| error.message().to_owned())?.into_inner();
    let known = document
        .get("accounts")
        .and_then(|accounts| accounts.get_ref().as_table()?.get(account.as_str()))
        .ok_or_else(|| format!("there is no account `{account}` in it"))?;
    let place = Place { text, line_end: if text.contains("\r\n") { "\r\n" } else { "\n" } };
    let written = known.get_ref().as_table().and_then(|table| table.get("limits"));
    let mut edits: Vec<(Range<usize>, String)> = Vec::new();
    let mut missing = Vec::new();
    for (key, value) in limits {
        match written.and_then(|written| written.get_ref().as_table()?.get(*key)) {
            Some(old) => edits.push((old.span(), value.to_string())),
            None => missing.push(format!("{key} = {value}")),
        }
    }
    if !missing.is_empty() {
        edits.push(match written {
            Some(written) => place.add(written, &missing),
            None => place.add_table(known, &missing),
        });
    }
    edits.sort_by_key(|(at, _)| at.start);
    let mut amended = text.to_owned();
    for (at, new) in edits.into_iter().rev() {
        amended.replace_range(at, &new);
    }
    // Whatever way the file is written in: nothing but the limits is another one now.
    if is_amended(text, &amended, account, limits) {
        Ok(amended)
    } else {
        Err("it is written in another way".to_owned())
    }
}

/// Puts a text in the place of a file's in one step: whoever reads it finds the old or the new one, also after a loss of
/// power. Its mode stays.
pub fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    // What a link leads to is replaced, not the link.
    let path = path.canonicalize()?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().set_permissions(std::fs::metadata(&path)?.permissions())?;
    file.as_file().sync_all()?;
    file.persist(&path).map_err(|error| error.error)?;
    std::fs::File::open(folder)?.sync_all()
}

/// How a table is written.
enum Form {
    /// `[a.b]`, and keys on the lines after it.
    Header,
    /// `{ … }`.
    Inline,
    /// `a.b.key = …`
    Dotted,
}

struct Place<'t> {
    text: &'t str,
    line_end: &'static str,
}

impl Place<'_> {
    /// Adds keys to a table.
    fn add(&self, table: &Spanned<DeValue<'_>>, keys: &[String]) -> (Range<usize>, String) {
        let last = self.last(table);
        match self.form(table) {
            Form::Inline => self.within_braces(table, &keys.join(", ")),
            Form::Header => {
                let at = self.end_of_line(last.map_or(table.span().end, |(_, end)| end));
                (at..at, self.lines("", keys))
            }
            Form::Dotted => {
                let (key, end) = last.unwrap_or((table.span().start, table.span().end));
                let at = self.end_of_line(end);
                (at..at, self.lines(&self.text[self.start_of_line(key)..key], keys))
            }
        }
    }

    /// Adds a table `limits` with these keys to a table.
    fn add_table(&self, table: &Spanned<DeValue<'_>>, keys: &[String]) -> (Range<usize>, String) {
        match self.form(table) {
            Form::Inline => self.within_braces(table, &format!("limits = {{ {} }}", keys.join(", "))),
            Form::Header => {
                let header = &self.text[table.span()];
                let header = header.strip_suffix(']').unwrap_or(header);
                let end = self.last(table).map_or(table.span().end, |(_, end)| end);
                let at = self.end_of_line(end);
                (at..at, format!("{n}{n}{header}.limits]{}", self.lines("", keys), n = self.line_end))
            }
            Form::Dotted => {
                let keys: Vec<String> = keys.iter().map(|key| format!("limits.{key}")).collect();
                self.add(table, &keys)
            }
        }
    }

    fn form(&self, table: &Spanned<DeValue<'_>>) -> Form {
        match self.text.as_bytes().get(table.span().start) {
            Some(b'[') => Form::Header,
            Some(b'{') => Form::Inline,
            _ => Form::Dotted,
        }
    }

    /// Where the last key of a table begins that stands with it, and where its value ends.
    fn last(&self, table: &Spanned<DeValue<'_>>) -> Option<(usize, usize)> {
        let table = table.get_ref().as_table()?;
        let ends = table.iter().filter_map(|(key, value)| match (value.get_ref(), self.form(value)) {
            // A table with a header of its own stands elsewhere.
            (DeValue::Table(_), Form::Header) => None,
            (DeValue::Table(_), Form::Dotted) => Some((key.span().start, self.last(value)?.1)),
            _ => Some((key.span().start, value.span().end)),
        });
        ends.max_by_key(|(_, end)| *end)
    }

    fn within_braces(&self, table: &Spanned<DeValue<'_>>, new: &str) -> (Range<usize>, String) {
        match self.last(table) {
            Some((_, end)) => (end..end, format!(", {new}")),
            None => (table.span(), format!("{{ {new} }}")),
        }
    }

    /// Each on a line of its own, with a line end before it.
    fn lines(&self, before: &str, keys: &[String]) -> String {
        keys.iter().fold(String::new(), |text, key| text + self.line_end + before + key)
    }

    fn start_of_line(&self, at: usize) -> usize {
        self.text[..at].rfind('\n').map_or(0, |end| end + 1)
    }

    fn end_of_line(&self, at: usize) -> usize {
        let end = self.text[at..].find('\n').map_or(self.text.len(), |end| at + end);
        if self.text[..end].ends_with('\r') { end - 1 } else { end }
    }
}

/// Whether a text says what another one says, but for these limits.
fn is_amended(old: &str, new: &str, account: &AccountName, limits: &[(&str, u64)]) -> bool {
    let (Ok(mut old), Ok(new)) = (old.parse::<toml::Table>(), new.parse::<toml::Table>()) else { return false };
    let table = || toml::Value::Table(toml::Table::new());
    let wanted = old
        .get_mut("accounts")
        .and_then(|accounts| accounts.as_table_mut()?.get_mut(account.as_str())?.as_table_mut())
        .and_then(|account| account.entry("limits").or_insert_with(table).as_table_mut());
    let Some(wanted) = wanted else { return false };
    for (key, value) in limits {
        let Ok(value) = i64::try_from(*value) else { return false };
        wanted.insert((*key).to_owned(), toml::Value::Integer(value));
    }
    old == new
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn amended(text: &str, limits: &[(&str, u64)]) -> String {
        put_limits(text, &AccountName::new("fedi"), limits).expect("it can be done")
    }

    #[test]
    fn what_is_written_changes_and_what_is_missing_is_added_below() {
        let text = "# ours\n[accounts.fedi] # the team's\nnetwork = \"mastodon\"\n\n[accounts.fedi.limits]\ntext = 500 # \
                    asked them\n# more to come\n\n[delivery]\ntimeout = \"9s\"\n";
        let new = "# ours\n[accounts.fedi] # the team's\nnetwork = \"mastodon\"\n\n[accounts.fedi.limits]\ntext = 5000 # \
                   asked them\nalt = 1500\nmedia = 6\n# more to come\n\n[delivery]\ntimeout = \"9s\"\n";
        assert_eq!(amended(text, &[("text", 5000), ("alt", 1500), ("media", 6)]), new);
        assert_eq!(amended(text, &[("text", 500)]), text, "nothing differs");
    }

    #[test]
    fn a_table_is_made_where_there_is_none() {
        let text = "[accounts.fedi]\nnetwork = \"mastodon\"\nserver = \"https://f.example\" # home\n\n# another\n\
                    [accounts.bsky]\nnetwork = \"bluesky\"\n";
        let new = "[accounts.fedi]\nnetwork = \"mastodon\"\nserver = \"https://f.example\" # home\n\n\
                   [accounts.fedi.limits]\ntext = 5000\n\n# another\n[accounts.bsky]\nnetwork = \"bluesky\"\n";
        assert_eq!(amended(text, &[("text", 5000)]), new);
        let last = "[accounts.\"fedi\"]\r\nnetwork = \"mastodon\"";
        let new = "[accounts.\"fedi\"]\r\nnetwork = \"mastodon\"\r\n\r\n[accounts.\"fedi\".limits]\r\ntext = 1";
        assert_eq!(amended(last, &[("text", 1)]), new);
    }

    #[test]
    fn every_way_to_write_a_table_is_kept() {
        for (text, new) in [
            (
                "accounts.fedi.network = \"m\" # x\n",
                "accounts.fedi.network = \"m\" # x\naccounts.fedi.limits.alt = 7\n",
            ),
            (
                "[accounts]\nfedi = { network = \"m\" }\n",
                "[accounts]\nfedi = { network = \"m\", limits = { alt = 7 } }\n",
            ),
            ("[accounts]\nfedi.network = \"m\"\n", "[accounts]\nfedi.network = \"m\"\nfedi.limits.alt = 7\n"),
            ("[accounts.fedi]\nlimits = {}\n", "[accounts.fedi]\nlimits = { alt = 7 }\n"),
            ("[accounts.fedi]\nlimits = { text = 5 }\n", "[accounts.fedi]\nlimits = { text = 5, alt = 7 }\n"),
            (
                "[accounts.fedi]\n  limits.text = 5\nnetwork = \"m\"\n",
                "[accounts.fedi]\n  limits.text = 5\n  limits.alt = 7\nnetwork = \"m\"\n",
            ),
            (
                "[accounts.fedi.limits]\n[accounts.fedi]\nblackout = [\n\"1:00-2:00\",\n]\n",
                "[accounts.fedi.limits]\nalt = 7\n[accounts.fedi]\nblackout = [\n\"1:00-2:00\",\n]\n",
            ),
        ] {
            assert_eq!(amended(text, &[("alt", 7)]), new);
        }
    }

    #[test]
    fn what_cannot_be_done_is_left_alone() {
        let put = |text| put_limits(text, &AccountName::new("fedi"), &[("alt", 7)]);
        assert!(put("[accounts.bsky]\n").is_err_and(|why| why.contains("no account")));
        assert!(put("[accounts.fedi\n").is_err());
        // The dotted keys stand between braces.
        let text = "accounts = { fedi.network = \"m\", bsky.network = \"b\" }\n";
        assert!(put(text).is_err(), "{:?}", put(text));
    }

    #[test]
    fn a_file_is_replaced_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("smm.toml");
        std::fs::write(&path, "old").expect("a file");
        #[cfg(unix)]
        {
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o640);
            std::fs::set_permissions(&path, mode).expect("its mode");
        }
        replace(&path, "new").expect("replaced");
        assert_eq!(std::fs::read_to_string(&path).expect("a file"), "new");
        #[cfg(unix)]
        {
            let mode = std::fs::metadata(&path).expect("a file").permissions();
            assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode) & 0o777, 0o640);
        }
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1, "nothing is left behind");
    }
}
