//! `include`: which files a pattern means. Relative to the calendar, `/` between names, `*` and `?` inside a name, `**`
//! for any folders. Never leaves the folder, never follows a symlink.

use super::tree::{Kind, Tree};

/// Most entries of folders that one pattern may walk over.
const MAX_ENTRIES: usize = 200_000;

/// What a pattern led to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Matches {
    /// Files, relative with `/`, sorted.
    pub(super) files: Vec<String>,
    /// Symlinks that the pattern would have gone through.
    pub(super) symlinks: Vec<String>,
    /// Folders that could not be read, with why.
    pub(super) unreadable: Vec<(String, String)>,
    /// The walk was ended: too many entries.
    pub(super) too_many: bool,
}

/// Why a pattern is no pattern.
pub(super) fn refuse(pattern: &str) -> Option<&'static str> {
    let parts = || pattern.split('/');
    if pattern.is_empty() || parts().any(str::is_empty) && !pattern.starts_with('/') {
        Some("a pattern is a path such as `posts/*.toml`, without empty names")
    } else if pattern.starts_with('/') || pattern.as_bytes().get(1) == Some(&b':') {
        Some("a pattern is relative to the calendar's folder")
    } else if parts().any(|part| part == "..") {
        Some("a pattern never leaves the calendar's folder")
    } else if pattern.contains('\\') {
        Some("names are separated by `/`")
    } else if pattern.contains(['[', ']', '{', '}']) {
        Some("only `*`, `?` and `**` have a meaning in a pattern")
    } else if parts().any(|part| part.contains("**") && part != "**") {
        Some("`**` stands alone between two `/`")
    } else {
        None
    }
}

/// The files that a pattern means. A pattern without `*` and `?` means one file, whether it exists or not.
pub(super) fn expand(tree: &dyn Tree, pattern: &str) -> Matches {
    let parts: Vec<&str> = pattern.split('/').filter(|part| *part != ".").collect();
    let mut matches = Matches::default();
    let mut left = MAX_ENTRIES;
    walk(tree, "", &parts, &mut matches, &mut left);
    matches.too_many = left == 0;
    matches.files.sort_unstable();
    matches.files.dedup();
    matches.symlinks.sort_unstable();
    matches.symlinks.dedup();
    matches
}

fn walk(tree: &dyn Tree, below: &str, parts: &[&str], matches: &mut Matches, left: &mut usize) {
    let Some((&part, rest)) = parts.split_first() else { return };
    let path = |name: &str| if below.is_empty() { name.to_owned() } else { format!("{below}/{name}") };
    if !part.contains(['*', '?']) {
        let here = path(part);
        if matches!(tree.kind(&here), Some(Kind::Link { .. })) {
            matches.symlinks.push(here);
        } else if rest.is_empty() {
            matches.files.push(here);
        } else {
            walk(tree, &here, rest, matches, left);
        }
        return;
    }
    if part == "**" {
        walk(tree, below, rest, matches, left);
    }
    let entries = match tree.list(below) {
        Ok(entries) => entries,
        Err(why) => {
            matches.unreadable.push((below.to_owned(), why));
            return;
        }
    };
    for (name, kind) in entries {
        if *left == 0 {
            return;
        }
        *left -= 1;
        // A hidden name is not meant by `*`.
        if name.starts_with('.') || !(part == "**" || matches_name(part, &name)) {
            continue;
        }
        let here = path(&name);
        let is_folder = matches!(kind, Kind::Folder | Kind::Link { folder: true });
        let next = if part == "**" { parts } else { rest };
        match (next.is_empty(), is_folder) {
            (true, true) | (false, false) => {}
            _ if matches!(kind, Kind::Link { .. }) => matches.symlinks.push(here),
            (true, false) => matches.files.push(here),
            (false, true) => walk(tree, &here, next, matches, left),
        }
    }
}

/// `*` and `?` against one name. Linear in memory, and at most pattern × name in time.
fn matches_name(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    let mut star = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(&c) if c == '?' || c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    (p, n) = (at + 1, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&c| c == '*')
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::tree::Disk;
    use super::*;

    #[test]
    fn names() {
        for (pattern, name, matches) in [
            ("*.toml", "a.toml", true),
            ("*.toml", "a.md", false),
            ("?.md", "a.md", true),
            ("?.md", "ab.md", false),
            ("a*b*c", "axxbyybzc", true),
            ("a*b*c", "axxbyybz", false),
            ("*", "", true),
            ("ä?", "äö", true),
        ] {
            assert_eq!(matches_name(pattern, name), matches, "{pattern} {name}");
        }
    }

    #[test]
    fn patterns_stay_in_the_folder() {
        for bad in ["", "/etc/*", "../a.toml", "a/../../b", "a\\b", "a/[bc].toml", "a**/b", "a//b", "C:/x"] {
            assert!(refuse(bad).is_some(), "{bad}");
        }
        for good in ["a.toml", "./a.toml", "2026/*.toml", "**/*.md", "posts/**/x?.toml"] {
            assert_eq!(refuse(good), None, "{good}");
        }
    }

    #[test]
    fn walks_in_order_and_follows_no_symlink() {
        let folder = tempfile::tempdir().expect("a folder");
        for file in ["b.toml", "a.toml", ".hidden.toml", "sub/c.toml", "sub/deep/d.toml", "sub/x.md"] {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
            fs::write(path, "").expect("a file");
        }
        let tree = &Disk::new(folder.path());
        assert_eq!(expand(tree, "*.toml").files, ["a.toml", "b.toml"]);
        assert_eq!(expand(tree, "**/*.toml").files, ["a.toml", "b.toml", "sub/c.toml", "sub/deep/d.toml"]);
        assert_eq!(expand(tree, "sub/**/*.toml").files, ["sub/c.toml", "sub/deep/d.toml"]);
        assert_eq!(expand(tree, "./none.toml").files, ["none.toml"]);
        assert!(expand(tree, "none/*.toml").files.is_empty());
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("/etc", folder.path().join("etc")).expect("a symlink");
            std::os::unix::fs::symlink("a.toml", folder.path().join("z.toml")).expect("a symlink");
            assert_eq!(expand(tree, "etc/hosts").symlinks, ["etc"]);
            assert_eq!(expand(tree, "*.toml").symlinks, ["z.toml"]);
            assert_eq!(expand(tree, "**/*.toml").symlinks, ["etc", "z.toml"]);
            assert!(expand(tree, "*/none.md").symlinks.contains(&"etc".to_owned()));
        }
    }
}
