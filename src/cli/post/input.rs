//! What is posted: the text from an argument, stdin or an editor, and copies of the media.

use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};

use super::super::{Failure, workspace};
use super::Args;
use crate::model::PostId;

/// Largest text that is read from stdin or an editor, in bytes.
const LONGEST: u64 = 1024 * 1024;

/// Copies of the media, in a folder that lives as long as this unless it is kept.
pub(super) struct Staging {
    pub(super) folder: tempfile::TempDir,
    filled: bool,
}

impl Staging {
    pub(super) fn fill(media: &[(String, &Path, Option<String>)]) -> Result<Self, Failure> {
        let failed = |error: std::io::Error| Failure::new(format!("media cannot be copied: {error}"));
        let state = workspace::state_folder()?.join("media");
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        // The state folder may be made with it: nobody else looks into that.
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&state).map_err(failed)?;
        let folder = tempfile::Builder::new().prefix("staged-").tempdir_in(&state).map_err(failed)?;
        for (name, path, _) in media {
            std::fs::copy(path, folder.path().join(name)).map_err(|error| {
                Failure::new(format!("{}: {error}", path.display())).hint("name a file that can be read")
            })?;
        }
        Ok(Self { folder, filled: !media.is_empty() })
    }

    /// Keeps the copies under the post's id, since a delivery now needs them.
    pub(super) fn keep(self, id: &PostId) -> Result<Option<PathBuf>, Failure> {
        if !self.filled {
            return Ok(None);
        }
        let place = workspace::state_folder()?.join("media").join(id.as_str());
        let staged = self.folder.keep();
        // Left by a run that died before it wrote anything to the ledger: no delivery needs it.
        let _ = std::fs::remove_dir_all(&place);
        std::fs::rename(&staged, &place).map_err(|error| Failure::new(format!("media cannot be kept: {error}")))?;
        Ok(Some(place))
    }
}

/// The text from the argument, stdin or an editor.
pub(super) fn text(args: &Args) -> Result<Option<String>, Failure> {
    let text = match args.text.as_deref() {
        Some("-") => {
            let mut text = String::new();
            std::io::stdin()
                .take(LONGEST)
                .read_to_string(&mut text)
                .map_err(|error| Failure::new(format!("stdin cannot be read: {error}")))?;
            Some(text)
        }
        Some(text) => Some(text.to_owned()),
        None if !args.media.is_empty() => None,
        None => Some(edited()?),
    };
    let text = text.map(|text| text.trim_end().to_owned());
    match text {
        Some(text) if text.is_empty() && args.media.is_empty() => {
            Err(Failure::usage("there is no text").hint("write it as an argument, or `-` to read it from stdin"))
        }
        text => Ok(text.filter(|text| !text.is_empty())),
    }
}

/// Opens the person's editor.
pub(super) fn edited() -> Result<String, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::usage("there is no text").hint("write it as an argument, or `-` to read it from stdin"));
    }
    let editor = ["VISUAL", "EDITOR"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
        .unwrap_or_else(|| "vi".to_owned());
    let failed = |error: std::io::Error| Failure::new(format!("the editor cannot be opened: {error}"));
    let file = tempfile::Builder::new().prefix("smm-post-").suffix(".txt").tempfile().map_err(failed)?;
    // A shell takes the editor apart, since people write `code --wait` there.
    let status = std::process::Command::new("sh")
        .args(["-c", &format!("{editor} \"$1\""), "sh"])
        .arg(file.path())
        .status()
        .map_err(failed)?;
    if !status.success() {
        return Err(Failure::new(format!("`{editor}` ended with an error; nothing was sent")));
    }
    std::fs::read_to_string(file.path()).map_err(failed)
}

/// A file's name in the copies: numbered, so that two of one name do not meet.
pub(super) fn media_name(at: usize, path: &Path) -> Result<String, Failure> {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .ok_or_else(|| Failure::usage(format!("{} is not a file's name", path.display())))?;
    Ok(format!("{}-{name}", at + 1))
}
