//! What is handed to adapters of the disk: files below the calendar's folder, and its media made to fit. All work on the
//! disk and on pixels is done on threads for blocking work, never on those that keep time.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use tokio::sync::Mutex;

use crate::adapter::{DraftMedia, Fault, Files, ImageRule, Limits, MediaBytes, MediaHead, MediaSource, Refusal};
use crate::media::{self, MediaError, Target};
use crate::model::{MediaFacts, MediaKind};

/// The largest picture that is read, in bytes: larger ones are no pictures for a post.
const LARGEST_PICTURE: u64 = 256 * 1024 * 1024;

/// The largest file that [`FolderFiles`] reads, in bytes.
const LARGEST_FILE: u64 = 1024 * 1024 * 1024;

/// Fitted files that are kept for the next account, at most so many bytes together.
const CACHE_BYTES: usize = 64 * 1024 * 1024;

/// Runs work that blocks on a thread for it.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(Fault::NotSent(format!("work on a file did not end: {error}"))),
    }
}

/// Files below one folder.
#[derive(Debug, Clone)]
pub struct FolderFiles {
    root: PathBuf,
}

impl FolderFiles {
    /// Files below this folder. It may be a symbolic link itself; nothing below it may.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }
}

#[async_trait]
impl Files for FolderFiles {
    async fn read(&self, path: &str) -> Result<Option<Vec<u8>>, Fault> {
        let (root, path) = (self.root.clone(), path.to_owned());
        blocking(move || match media::walk(&root, &path).map_err(|error| refused(&path, &error))? {
            None => Ok(None),
            Some((found, metadata)) => {
                if !metadata.is_file() || metadata.len() > LARGEST_FILE {
                    return Err(Fault::refused(Refusal::Forbidden, format!("`{path}` is not a file that can be read")));
                }
                fs::read(found).map(Some).map_err(|error| failed(&path, &error))
            }
        })
        .await
    }

    async fn write(&self, path: &str, bytes: &[u8]) -> Result<(), Fault> {
        let (root, path, bytes) = (self.root.clone(), path.to_owned(), bytes.to_vec());
        blocking(move || write(&root, &path, &bytes)).await
    }

    async fn list(&self, path: &str) -> Result<Vec<String>, Fault> {
        let (root, path) = (self.root.clone(), path.to_owned());
        blocking(move || {
            let folder = if path.is_empty() {
                root
            } else {
                match media::walk(&root, &path).map_err(|error| refused(&path, &error))? {
                    None => return Ok(Vec::new()),
                    Some((found, _)) => found,
                }
            };
            let mut names = Vec::new();
            for entry in fs::read_dir(folder).map_err(|error| failed(&path, &error))? {
                let entry = entry.map_err(|error| failed(&path, &error))?;
                // Names that are not UTF-8 cannot be asked for either.
                if let Ok(name) = entry.file_name().into_string()
                    && !is_temporary(&name)
                {
                    names.push(name);
                }
            }
            names.sort_unstable();
            Ok(names)
        })
        .await
    }

    async fn remove(&self, path: &str) -> Result<(), Fault> {
        let (root, path) = (self.root.clone(), path.to_owned());
        blocking(move || {
            let Some((found, metadata)) = media::walk(&root, &path).map_err(|error| refused(&path, &error))? else {
                return Ok(());
            };
            let removed = if metadata.is_dir() { fs::remove_dir_all(&found) } else { fs::remove_file(&found) };
            match removed {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                Err(error) => return Err(failed(&path, &error)),
            }
            sync_folder(found.parent().unwrap_or(&root)).map_err(|error| failed(&path, &error))
        })
        .await
    }
}

/// Replaces a file in one step: whoever reads it sees the old bytes or the new, also after a loss of power.
fn write(root: &Path, path: &str, bytes: &[u8]) -> Result<(), Fault> {
    let parts = media::parts(path).map_err(|error| refused(path, &error))?;
    let Some((name, folders)) = parts.split_last() else {
        return Err(Fault::refused(Refusal::Forbidden, format!("`{path}` names no file")));
    };
    let mut folder = root.to_path_buf();
    for (index, part) in folders.iter().enumerate() {
        // Looked at one by one, before anything is made below it: a link would lead the rest away.
        let so_far = folders[..=index].join("/");
        let there = media::walk(root, &so_far).map_err(|error| refused(path, &error))?;
        let parent = folder.clone();
        folder.push(part);
        match there {
            Some((_, metadata)) if metadata.is_dir() => continue,
            Some(_) => {
                return Err(Fault::refused(Refusal::Forbidden, format!("`{so_far}` is there and is not a folder")));
            }
            None => {}
        }
        match fs::create_dir(&folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed(path, &error)),
            _ => sync_folder(&parent).map_err(|error| failed(path, &error))?,
        }
    }
    let there = media::walk(root, path).map_err(|error| refused(path, &error))?;
    let target = folder.join(name);
    if let Some((_, metadata)) = &there {
        if !metadata.is_file() {
            return Err(Fault::refused(Refusal::Forbidden, format!("`{path}` is there and is not a file")));
        }
        if metadata.len() == bytes.len() as u64 && fs::read(&target).is_ok_and(|there| there == bytes) {
            return sync_folder(&folder).map_err(|error| failed(path, &error));
        }
    }
    let temporary = folder.join(format!(".{name}.{}{TEMPORARY}", std::process::id()));
    let written = write_new(&temporary, bytes).and_then(|()| fs::rename(&temporary, &target));
    if let Err(error) = written {
        // Nothing is left behind; when even that fails, the next write of this process replaces it.
        let _ = fs::remove_file(&temporary);
        return Err(failed(path, &error));
    }
    // The file has its name now: only whether it keeps it through a loss of power is open.
    sync_folder(&folder).map_err(|error| Fault::Unknown(format!("`{path}` is written, perhaps not durably: {error}")))
}

/// How the names of files end that are being written.
const TEMPORARY: &str = ".smm-new";

fn is_temporary(name: &str) -> bool {
    name.starts_with('.') && name.ends_with(TEMPORARY)
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // Left by an earlier process with this one's number.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // `create_new` follows no link.
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_folder: &Path) -> io::Result<()> {
    // A folder cannot be opened as a file here; the system writes names by itself.
    Ok(())
}

/// A path that is not one to be used: the same one never will be.
fn refused(path: &str, error: &MediaError) -> Fault {
    match error {
        MediaError::Unreadable(_) => Fault::NotSent(format!("`{path}`: {error}")),
        _ => Fault::refused(Refusal::Forbidden, format!("`{path}`: {error}")),
    }
}

/// The disk said no before anything had changed.
fn failed(path: &str, error: &io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Fault::refused(
            Refusal::Forbidden,
            format!("`{path}` cannot be written or read ({error}); let this user write there"),
        ),
        io::ErrorKind::NotADirectory => Fault::NotSent(format!("`{path}` leads through a file that is no folder")),
        _ => Fault::NotSent(format!("`{path}`: {error}")),
    }
}

/// The media below a calendar's folder, fitted. One file is fitted at a time, which bounds the memory, and what was fitted
/// is kept for a while: several accounts of a post often ask for the same.
pub struct FolderMedia {
    root: PathBuf,
    kept: Mutex<Kept>,
}

impl FolderMedia {
    /// Media below this folder.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), kept: Mutex::default() }
    }
}

/// What names a fitted file: the file as it is now, and what it was fitted to.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Key {
    file: String,
    bytes: u64,
    changed: Option<SystemTime>,
    image: Target,
    animation: Target,
}

#[derive(Default)]
struct Kept {
    /// The one used last is at the end.
    files: VecDeque<(Key, Arc<MediaBytes>)>,
    bytes: usize,
}

impl Kept {
    fn get(&mut self, key: &Key) -> Option<Arc<MediaBytes>> {
        let index = self.files.iter().position(|(kept, _)| kept == key)?;
        let entry = self.files.remove(index)?;
        let media = Arc::clone(&entry.1);
        self.files.push_back(entry);
        Some(media)
    }

    fn put(&mut self, key: Key, media: Arc<MediaBytes>) {
        self.bytes += media.bytes.len();
        self.files.push_back((key, media));
        while self.bytes > CACHE_BYTES {
            let Some((_, oldest)) = self.files.pop_front() else { break };
            self.bytes -= oldest.bytes.len();
        }
    }
}

#[async_trait]
impl MediaSource for FolderMedia {
    async fn fetch(&self, media: &DraftMedia, limits: &Limits) -> Result<MediaBytes, Fault> {
        let (root, file) = (self.root.clone(), media.file.clone());
        let image = target(&limits.image);
        let animation = limits.animation.as_ref().map_or_else(|| image.clone(), target);
        let limits = limits.clone();
        let mut kept = self.kept.lock().await;
        let (facts, key) = blocking(move || {
            let facts = media::probe_file(&root, &file).map_err(|error| unusable(&file, &error))?;
            let found = media::walk(&root, &file).map_err(|error| unusable(&file, &error))?;
            let changed = found.and_then(|(_, metadata)| metadata.modified().ok());
            Ok((facts.clone(), Key { file, bytes: facts.bytes, changed, image, animation }))
        })
        .await?;
        if facts.is_passed() {
            // They may be large and need no work: they are not kept.
            drop(kept);
            let root = self.root.clone();
            return blocking(move || passed(&root, &key.file, &facts, &limits)).await;
        }
        // Without a time of change nothing would tell that the file is another one.
        let keep = key.changed.is_some();
        if keep && let Some(media) = kept.get(&key) {
            return Ok(MediaBytes::clone(&media));
        }
        let root = self.root.clone();
        let (key, media) = blocking(move || {
            let target = if facts.kind == MediaKind::Animation { &key.animation } else { &key.image };
            let bytes = media::read_file(&root, &key.file, LARGEST_PICTURE);
            let fitted = bytes.and_then(|bytes| media::fit(&bytes, target));
            let fitted = fitted.map_err(|error| unusable(&key.file, &error))?;
            for done in &fitted.done {
                tracing::info!(file = key.file, "{done}");
            }
            let name = name(&key.file, &fitted.facts.mime);
            Ok((key, Arc::new(MediaBytes { bytes: fitted.bytes, facts: fitted.facts, name })))
        })
        .await?;
        if keep {
            kept.put(key, Arc::clone(&media));
        }
        Ok(MediaBytes::clone(&media))
    }

    async fn chunk(&self, media: &DraftMedia, limits: &Limits, offset: u64, length: u64) -> Result<Vec<u8>, Fault> {
        if !media.facts.is_passed() {
            // Made to fit first: what is sent is not what lies on the disk.
            let whole = self.fetch(media, limits).await?.bytes;
            let at = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(whole.len());
            return Ok(whole[at(offset)..at(offset.saturating_add(length))].to_vec());
        }
        let (root, media) = (self.root.clone(), media.clone());
        blocking(move || {
            media::read_range(&root, &media.file, media.facts.bytes, offset, length)
                .map_err(|error| unusable(&media.file, &error))
        })
        .await
    }

    async fn head(&self, media: &DraftMedia, limits: &Limits) -> Result<Option<MediaHead>, Fault> {
        if !media.facts.is_passed() {
            return Ok(None);
        }
        let (root, media, limits) = (self.root.clone(), media.clone(), limits.clone());
        blocking(move || {
            let file = &media.file;
            let found = media::walk(&root, file).map_err(|error| unusable(file, &error))?;
            let mark = found.map(|(_, metadata)| media::mark(&metadata)).unwrap_or_default();
            let facts = media::probe_file(&root, file).map_err(|error| unusable(file, &error))?;
            if (facts.kind, facts.bytes) != (media.facts.kind, media.facts.bytes) {
                let why = format!("`{file}` is another file than when it was planned; publish again");
                return Err(Fault::refused(Refusal::Invalid, why));
            }
            allowed(file, &facts, &limits)?;
            let name = name(file, &facts.mime);
            Ok(Some(MediaHead { facts, name, mark }))
        })
        .await
    }

    async fn fit(&self, picture: Vec<u8>, bytes: u64, side: u32) -> Result<MediaBytes, Fault> {
        // The two kinds that every network takes.
        let target = Target::new(&["image/jpeg", "image/png"], bytes, u64::from(side) * u64::from(side), side);
        let _one_at_a_time = self.kept.lock().await;
        blocking(move || {
            let fitted = media::fit(&picture, &target).map_err(|error| unusable("the picture", &error))?;
            if fitted.facts.kind != MediaKind::Image {
                return Err(Fault::refused(Refusal::Invalid, "the picture is not a still picture"));
            }
            let name = name("picture", &fitted.facts.mime);
            Ok(MediaBytes { bytes: fitted.bytes, facts: fitted.facts, name })
        })
        .await
    }
}

/// A network's rule for pictures as what a picture must come to.
fn target(rule: &ImageRule) -> Target {
    Target::new(rule.mimes, rule.bytes, rule.pixels, rule.side)
}

/// A file that is sent as it is.
fn passed(root: &Path, file: &str, facts: &MediaFacts, limits: &Limits) -> Result<MediaBytes, Fault> {
    let limit = allowed(file, facts, limits)?;
    let bytes = media::read_file(root, file, limit).map_err(|error| unusable(file, &error))?;
    // It may have been replaced since its head was read.
    let facts = media::probe(&bytes).map_err(|error| unusable(file, &error))?;
    let name = name(file, &facts.mime);
    Ok(MediaBytes { bytes, facts, name })
}

/// Whether a file may be sent as it is; gives the most bytes that one may have.
fn allowed(file: &str, facts: &MediaFacts, limits: &Limits) -> Result<u64, Fault> {
    let (what, rule) = match facts.kind {
        MediaKind::Document => ("document", limits.document.map(|rule| (rule.mimes, rule.bytes))),
        _ => ("video", limits.video.map(|rule| (rule.mimes, rule.bytes))),
    };
    let Some((mimes, bytes)) = rule else {
        return Err(Fault::refused(Refusal::Invalid, format!("`{file}` is a {what}, and the network takes none")));
    };
    // They have no rule for pixels: the same judgement as for pictures, with the sides left open.
    let target = Target::new(mimes, bytes, u64::MAX, u32::MAX);
    media::foresee(facts, &target).map_err(|error| unusable(file, &error))?;
    Ok(bytes)
}

/// A file that cannot be used is a matter of the content: the same file never can be.
fn unusable(file: &str, error: &MediaError) -> Fault {
    Fault::refused(Refusal::Invalid, format!("`{file}`: {error}"))
}

/// The file's own name with the ending that its bytes call for.
fn name(file: &str, mime: &str) -> String {
    let name = file.rsplit('/').next().unwrap_or(file);
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let stem = if stem.is_empty() { "file" } else { stem };
    format!("{stem}.{}", media::extension(mime))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::{AltRule, DocumentRule, VideoRule};
    use crate::media::samples;

    fn folder() -> (tempfile::TempDir, FolderFiles) {
        let folder = tempfile::tempdir().expect("a folder");
        let files = FolderFiles::new(folder.path());
        (folder, files)
    }

    #[tokio::test]
    async fn files_are_written_read_listed_and_removed() {
        let (folder, files) = folder();
        assert_eq!(files.read("public/a.txt").await, Ok(None));
        assert_eq!(files.list("public").await, Ok(vec![]));
        files.write("public/posts/1/a.txt", b"one").await.expect("written");
        files.write("public/b.txt", b"two").await.expect("written");
        files.write("public/b.txt", b"three").await.expect("replaced");
        files.write("public/b.txt", b"three").await.expect("the same again");
        assert_eq!(files.read("public/b.txt").await, Ok(Some(b"three".to_vec())));
        assert_eq!(files.list("public").await, Ok(vec!["b.txt".to_owned(), "posts".to_owned()]));
        assert_eq!(files.list("").await, Ok(vec!["public".to_owned()]));
        assert_eq!(fs::read_dir(folder.path().join("public")).expect("a folder").count(), 2, "nothing is left behind");
        for _ in 0..2 {
            files.remove("public/posts").await.expect("removed, or gone already");
        }
        assert_eq!(files.read("public/posts/1/a.txt").await, Ok(None));
    }

    #[tokio::test]
    async fn no_path_leaves_the_folder() {
        let (folder, files) = folder();
        for path in ["../x", "/tmp/x", "a/../../x", "~/x", "a\\b", "a//b"] {
            for result in [files.write(path, b"x").await, files.read(path).await.map(drop), files.remove(path).await] {
                assert!(
                    matches!(result, Err(Fault::Refused { refusal: Refusal::Forbidden, .. })),
                    "{path}: {result:?}"
                );
            }
        }
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn links_are_not_followed() {
        let (folder, files) = folder();
        let elsewhere = tempfile::tempdir().expect("a folder");
        fs::write(elsewhere.path().join("kept"), b"kept").expect("a file");
        std::os::unix::fs::symlink(elsewhere.path(), folder.path().join("out")).expect("a link");
        std::os::unix::fs::symlink(elsewhere.path().join("kept"), folder.path().join("file")).expect("a link");
        for path in ["out", "out/kept", "out/new", "out/new/er", "file"] {
            for result in [files.write(path, b"x").await, files.read(path).await.map(drop), files.remove(path).await] {
                assert!(matches!(result, Err(Fault::Refused { .. })), "{path}: {result:?}");
            }
        }
        assert_eq!(fs::read(elsewhere.path().join("kept")).expect("a file"), b"kept");
        assert_eq!(fs::read_dir(elsewhere.path()).expect("a folder").count(), 1);
    }

    const RULE: ImageRule =
        ImageRule { mimes: &["image/png", "image/jpeg"], bytes: 1_000_000, pixels: 10_000, side: 20 };

    fn limits() -> Limits {
        Limits {
            text: Vec::new(),
            link: None,
            max_images: 4,
            max_videos: 1,
            image: RULE,
            animation: Some(ImageRule { mimes: &["image/gif"], bytes: 1_000_000, pixels: 10_000, side: 100 }),
            video: Some(VideoRule { mimes: &["video/mp4"], bytes: 300 }),
            document: Some(DocumentRule { mimes: &["application/pdf"], bytes: 500 }),
            alt: AltRule { supported: true, max: 0 },
            poll: None,
        }
    }

    fn media(file: &str) -> DraftMedia {
        let facts = MediaFacts { kind: MediaKind::Image, mime: "image/png".to_owned(), bytes: 0, width: 0, height: 0 };
        DraftMedia { file: file.to_owned(), alt: String::new(), facts }
    }

    /// A document as it was planned.
    fn deck() -> DraftMedia {
        let facts = MediaFacts {
            kind: MediaKind::Document,
            mime: "application/pdf".to_owned(),
            bytes: samples::pdf().len() as u64,
            width: 0,
            height: 0,
        };
        DraftMedia { facts, ..media("deck.pdf") }
    }

    #[tokio::test]
    async fn media_are_fitted_once_and_again_when_they_change() {
        let folder = tempfile::tempdir().expect("a folder");
        let source = FolderMedia::new(folder.path());
        fs::write(folder.path().join("shot.webp"), samples::webp(&samples::gradient(40, 30))).expect("a file");
        let first = source.fetch(&media("shot.webp"), &limits()).await.expect("fitted");
        assert_eq!((first.name.as_str(), first.facts.width, first.facts.height), ("shot.jpg", 20, 15));
        let again = source.fetch(&media("shot.webp"), &limits()).await.expect("fitted");
        assert_eq!(again.bytes, first.bytes);
        assert_eq!(source.kept.lock().await.files.len(), 1);
        fs::write(folder.path().join("shot.webp"), samples::png(&samples::gradient(10, 20))).expect("a file");
        let changed = source.fetch(&media("shot.webp"), &limits()).await.expect("fitted");
        assert_eq!((changed.name.as_str(), changed.facts.width), ("shot.png", 10));
    }

    fn video(file: &str, bytes: u64) -> DraftMedia {
        let facts = MediaFacts { kind: MediaKind::Video, mime: "video/mp4".to_owned(), bytes, width: 64, height: 48 };
        DraftMedia { file: file.to_owned(), alt: String::new(), facts }
    }

    #[tokio::test]
    async fn a_large_file_is_read_in_pieces() {
        let (folder, _) = folder();
        let film: Vec<u8> = (0..1000_u32).flat_map(u32::to_be_bytes).collect();
        fs::write(folder.path().join("v.mp4"), &film).expect("written");
        let source = FolderMedia::new(folder.path());
        let media = video("v.mp4", 4000);
        assert_eq!(source.chunk(&media, &limits(), 3000, 4000).await, Ok(film[3000..].to_vec()));
        assert_eq!(source.chunk(&media, &limits(), 4, 4).await, Ok(film[4..8].to_vec()));
        // It has become another one.
        fs::write(folder.path().join("v.mp4"), b"short").expect("written");
        assert!(matches!(
            source.chunk(&media, &limits(), 0, 4).await,
            Err(Fault::Refused { refusal: Refusal::Invalid, .. })
        ));
    }

    #[tokio::test]
    async fn a_video_that_was_changed_is_known_for_another() {
        let (folder, _) = folder();
        let film = samples::mp4(64, 48);
        let path = folder.path().join("v.mp4");
        fs::write(&path, &film).expect("written");
        let source = FolderMedia::new(folder.path());
        let planned = video("v.mp4", film.len() as u64);
        let first = source.head(&planned, &limits()).await.expect("it fits").expect("it is sent as it is");
        assert_eq!((first.name.as_str(), first.facts.width, first.facts.bytes), ("v.mp4", 64, film.len() as u64));
        assert_eq!(source.head(&planned, &limits()).await, Ok(Some(first.clone())), "nothing has changed");
        // Another file of the same length and time in its place.
        let changed = fs::metadata(&path).and_then(|found| found.modified()).expect("a time");
        fs::write(folder.path().join("new.mp4"), &film).expect("written");
        let file = File::options().write(true).open(folder.path().join("new.mp4")).expect("it is there");
        file.set_modified(changed).expect("set");
        fs::rename(folder.path().join("new.mp4"), &path).expect("replaced");
        #[cfg(unix)]
        assert_ne!(source.head(&planned, &limits()).await.expect("it fits").expect("as it is").mark, first.mark);
        // The same file, written to.
        file.set_modified(changed + std::time::Duration::from_millis(1)).expect("set");
        assert_ne!(source.head(&planned, &limits()).await.expect("it fits").expect("as it is").mark, first.mark);
        // No longer what was planned, too large, and a picture now.
        for (bytes, why) in [
            ([&film[..], b"more"].concat(), "another file than when it was planned"),
            ([&film[..], &[0; 300]].concat(), "another file than when it was planned"),
            (samples::png(&samples::gradient(9, 9)), "another file than when it was planned"),
        ] {
            fs::write(&path, bytes).expect("written");
            let fault = source.head(&planned, &limits()).await.expect_err(why);
            let Fault::Refused { refusal: Refusal::Invalid, message, .. } = &fault else { panic!("{fault:?}") };
            assert!(message.contains(why) && message.contains("v.mp4"), "{message}");
        }
        let long = [&film[..], &[0; 300]].concat();
        fs::write(&path, &long).expect("written");
        assert!(source.head(&video("v.mp4", long.len() as u64), &limits()).await.is_err(), "too large");
        // A picture is made to fit first.
        assert_eq!(source.head(&media("a.png"), &limits()).await, Ok(None));
    }

    #[tokio::test]
    async fn animations_and_videos_pass_or_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let source = FolderMedia::new(folder.path());
        let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).expect("a file");
        let (gif, mp4) = (samples::gif(40, 30, 3), samples::mp4(64, 48));
        write("a.gif", &gif);
        write("v.mp4", &mp4);
        write("long.mp4", &[&mp4[..], &[0; 300]].concat());
        write("text.png", b"not a picture");
        let got = source.fetch(&media("a.gif"), &limits()).await.expect("it fits");
        assert_eq!(got.facts.kind, MediaKind::Animation);
        let got = source.fetch(&media("v.mp4"), &limits()).await.expect("it fits");
        assert_eq!((got.bytes, got.facts.width), (mp4, 64));
        for name in ["long.mp4", "text.png", "missing.png", "../a.gif"] {
            let fault = source.fetch(&media(name), &limits()).await.expect_err(name);
            let Fault::Refused { refusal: Refusal::Invalid, message, .. } = &fault else { panic!("{name}: {fault:?}") };
            assert!(message.contains(name), "{message}");
        }
        write("deck.pdf", &samples::pdf());
        let head = source.head(&deck(), &limits()).await.expect("it fits");
        assert_eq!(head.expect("sent as it is").facts.mime, "application/pdf");
        let got = source.fetch(&media("deck.pdf"), &limits()).await.expect("it fits");
        assert_eq!((got.bytes, got.name.as_str()), (samples::pdf(), "deck.pdf"));
        let no_document = Limits { document: None, ..limits() };
        assert!(source.fetch(&media("deck.pdf"), &no_document).await.is_err());
        let no_video = Limits { video: None, ..limits() };
        assert!(source.fetch(&media("v.mp4"), &no_video).await.is_err());
    }

    #[tokio::test]
    async fn a_picture_from_elsewhere_is_fitted() {
        let source = FolderMedia::new("/nowhere");
        let picture = samples::webp(&samples::gradient(400, 300));
        let got = source.fit(picture, 100_000, 200).await.expect("fitted");
        assert_eq!((got.name.as_str(), got.facts.width), ("picture.jpg", 200));
        assert!(source.fit(b"<html>".to_vec(), 100_000, 200).await.is_err());
        assert!(source.fit(samples::gif(4, 4, 2), 100_000, 200).await.is_err());
    }
}
