//! What a file is, by its bytes and never by its name. Only its head and the headers of its blocks are read.

use std::io::{BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::Path;

use image::metadata::Orientation;

use crate::model::{MediaFacts, MediaKind};

use super::open::{Opened, open, read_up_to, unreadable};
use super::{MAX_PIXELS, MediaError, document, video};

/// Blocks of one file that are looked at, at most.
const MOST_BLOCKS: u32 = 1_000_000;
/// An EXIF block longer than this is not read: orientation stands at its beginning, and JPEG allows no longer one.
const LONGEST_EXIF: u64 = 64 * 1024;

/// What a file is, with what [`MediaFacts`] has no place for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Inspected {
    pub(super) facts: MediaFacts,
    /// How the stored pixels are to be turned; [`MediaFacts`] has width and height after that.
    pub(super) orientation: Orientation,
}

/// Opens a file below `root` without ever leaving it or following a symbolic link, and reads its facts from its head.
/// `relative` has `/` between its parts.
pub fn probe_file(root: &Path, relative: &str) -> Result<MediaFacts, MediaError> {
    let Opened { file, bytes } = open(root, relative)?;
    Ok(inspect(file, bytes)?.facts)
}

/// Facts of bytes.
pub fn probe(bytes: &[u8]) -> Result<MediaFacts, MediaError> {
    Ok(inspect_bytes(bytes)?.facts)
}

pub(super) fn inspect_bytes(bytes: &[u8]) -> Result<Inspected, MediaError> {
    inspect(Cursor::new(bytes), bytes.len() as u64)
}

fn inspect<R: Read + Seek>(reader: R, length: u64) -> Result<Inspected, MediaError> {
    let mut source = Source { reader: BufReader::new(reader), position: 0, length };
    let mut head = [0; 64];
    let read = source.up_to(0, &mut head)?;
    let head = &head[..read];
    let picture = match head {
        [] => return Err(MediaError::Unsupported("the file is empty".to_owned())),
        [0xFF, 0xD8, 0xFF, ..] => jpeg(&mut source)?,
        [0x89, b'P', b'N', b'G', 0x0D, 0x0A, 0x1A, 0x0A, ..] => png(&mut source)?,
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => gif(&mut source)?,
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => webp(&mut source)?,
        _ => {
            let facts = match video::inspect(&mut source, head)? {
                Some(video) => video,
                None => document::inspect(&mut source, head)?.ok_or_else(|| unknown(head))?,
            };
            return Ok(Inspected { facts, orientation: Orientation::NoTransforms });
        }
    };
    let Picture { mime, kind, mut width, mut height, orientation } = picture;
    if width == 0 || height == 0 {
        return Err(broken("its width or height is 0"));
    }
    let pixels = u64::from(width) * u64::from(height);
    if pixels > MAX_PIXELS {
        return Err(MediaError::TooLarge(format!(
            "it has {width}×{height} pixels, that is {} megapixels; at most {} are read",
            pixels.div_ceil(1_000_000),
            MAX_PIXELS / 1_000_000
        )));
    }
    if swaps(orientation) {
        std::mem::swap(&mut width, &mut height);
    }
    let facts = MediaFacts { kind, mime: mime.to_owned(), bytes: length, width, height };
    Ok(Inspected { facts, orientation })
}

/// Turning it so makes width height.
pub(super) fn swaps(orientation: Orientation) -> bool {
    matches!(
        orientation,
        Orientation::Rotate90 | Orientation::Rotate270 | Orientation::Rotate90FlipH | Orientation::Rotate270FlipH
    )
}

/// Why a file is none that is known, with a way out for those that people really have.
fn unknown(head: &[u8]) -> MediaError {
    let text = head.trim_ascii_start();
    let message = if head.starts_with(b"BM") {
        "BMP pictures are not read; save it as PNG"
    } else if head.starts_with(b"II*\0") || head.starts_with(b"MM\0*") {
        "TIFF and camera raw pictures are not read; save it as PNG or JPEG"
    } else if head.starts_with(b"\xFF\x0A") || head.starts_with(b"\0\0\0\x0CJXL ") {
        "JPEG XL pictures are not read; save it as JPEG or PNG"
    } else if head.starts_with(b"8BPS") {
        "Photoshop files are not read; save it as PNG or JPEG"
    } else if head.starts_with(b"\0\0\x01\0") {
        "icon files are not read; save it as PNG"
    } else if head.starts_with(b"PK\x03\x04") || head.starts_with(&[0xD0, 0xCF, 0x11, 0xE0]) {
        "Word, PowerPoint and other office files are not read; save it as PDF"
    } else if [&b"<svg"[..], b"<?xml", b"<!DOCTYPE svg"].iter().any(|start| text.starts_with(start)) {
        "SVG drawings are not read; save it as PNG in the size it shall have"
    } else if head.starts_with(b"RIFF") && head.get(8..12) == Some(b"AVI ") {
        "AVI videos are not read; save it as MP4"
    } else if head.starts_with(b"ID3") || head.starts_with(b"fLaC") || head.get(8..12) == Some(b"WAVE") {
        "this is sound without a picture; no network here takes it"
    } else {
        "it is no PNG, JPEG, WebP or GIF picture, no MP4, QuickTime, WebM or Ogg video and no PDF, whatever its name says"
    };
    MediaError::Unsupported(message.to_owned())
}

pub(super) fn broken(why: &str) -> MediaError {
    MediaError::Unsupported(format!("it is broken: {why}"))
}

pub(super) fn cut_short() -> MediaError {
    broken("it ends in the middle; was it copied whole?")
}

/// Reading at positions, with a buffer.
pub(super) struct Source<R> {
    reader: BufReader<R>,
    position: u64,
    pub(super) length: u64,
}

impl<R: Read + Seek> Source<R> {
    /// Reads what there is from a position on, and says how much it was.
    pub(super) fn up_to(&mut self, position: u64, buffer: &mut [u8]) -> Result<usize, MediaError> {
        let moved = match i64::try_from(i128::from(position) - i128::from(self.position)) {
            Ok(offset) => self.reader.seek_relative(offset),
            Err(_) => self.reader.seek(SeekFrom::Start(position)).map(drop),
        };
        moved.map_err(|error| unreadable(&error))?;
        let read = read_up_to(&mut self.reader, buffer).map_err(|error| unreadable(&error))?;
        self.position = position + read as u64;
        Ok(read)
    }

    /// Reads exactly so many bytes from a position on.
    pub(super) fn exact<const N: usize>(&mut self, position: u64) -> Result<[u8; N], MediaError> {
        let mut buffer = [0; N];
        if self.up_to(position, &mut buffer)? == N { Ok(buffer) } else { Err(cut_short()) }
    }

    fn exif(&mut self, position: u64, length: u64) -> Result<Orientation, MediaError> {
        let mut exif = vec![0; usize::try_from(length.min(LONGEST_EXIF)).unwrap_or(0)];
        let read = self.up_to(position, &mut exif)?;
        let exif = exif[..read].strip_prefix(b"Exif\0\0").unwrap_or(&exif[..read]);
        Ok(Orientation::from_exif_chunk(exif).unwrap_or(Orientation::NoTransforms))
    }
}

struct Picture {
    mime: &'static str,
    kind: MediaKind,
    width: u32,
    height: u32,
    orientation: Orientation,
}

impl Picture {
    fn still(mime: &'static str, width: u32, height: u32) -> Self {
        Self { mime, kind: MediaKind::Image, width, height, orientation: Orientation::NoTransforms }
    }
}

/// Walks the segments up to the first scan.
fn jpeg<R: Read + Seek>(source: &mut Source<R>) -> Result<Picture, MediaError> {
    let mut picture = None;
    let mut orientation = None;
    let mut position = 2;
    for _ in 0..MOST_BLOCKS {
        let [mark, marker] = source.exact(position)?;
        if mark != 0xFF {
            return Err(broken("what follows its first blocks is not JPEG"));
        }
        match marker {
            // A fill byte; and markers that stand alone.
            0xFF => {
                position += 1;
                continue;
            }
            0x01 | 0xD0..=0xD7 => {
                position += 2;
                continue;
            }
            0xD9 | 0xDA => break,
            _ => {}
        }
        let length = u64::from(u16::from_be_bytes(source.exact(position + 2)?));
        match marker {
            0xC0..=0xC2 => {
                let [_, h1, h0, w1, w0] = source.exact(position + 4)?;
                let (width, height) = (u16::from_be_bytes([w1, w0]), u16::from_be_bytes([h1, h0]));
                picture = Some(Picture::still("image/jpeg", width.into(), height.into()));
            }
            0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF => {
                return Err(MediaError::Unsupported(
                    "it is a lossless or arithmetic JPEG, which few programs read; save it as a plain JPEG".to_owned(),
                ));
            }
            0xE1 if orientation.is_none() && source.exact::<6>(position + 4)? == *b"Exif\0\0" => {
                orientation = Some(source.exif(position + 4, length.saturating_sub(2))?);
            }
            _ => {}
        }
        position += 2 + length.max(2);
    }
    let mut picture = picture.ok_or_else(|| broken("it has no picture in it"))?;
    picture.orientation = orientation.unwrap_or(Orientation::NoTransforms);
    Ok(picture)
}

/// Walks the chunks to the end, by their headers alone.
fn png<R: Read + Seek>(source: &mut Source<R>) -> Result<Picture, MediaError> {
    let head: [u8; 16] = source.exact(8)?;
    if head[..8] != *b"\0\0\0\x0DIHDR" {
        return Err(broken("a PNG begins with an IHDR block"));
    }
    let [_, _, _, _, _, _, _, _, w3, w2, w1, w0, h3, h2, h1, h0] = head;
    let (width, height) = (u32::from_be_bytes([w3, w2, w1, w0]), u32::from_be_bytes([h3, h2, h1, h0]));
    let mut picture = Picture::still("image/png", width, height);
    let mut data = false;
    let mut position = 8;
    for _ in 0..MOST_BLOCKS {
        let [l3, l2, l1, l0, name @ ..]: [u8; 8] = source.exact(position)?;
        let length = u64::from(u32::from_be_bytes([l3, l2, l1, l0]));
        match &name {
            b"acTL" if !data && u32::from_be_bytes(source.exact(position + 8)?) > 1 => {
                picture.mime = "image/apng";
                picture.kind = MediaKind::Animation;
            }
            b"eXIf" => picture.orientation = source.exif(position + 8, length)?,
            b"IDAT" => data = true,
            b"IEND" if data => {
                if position + 12 > source.length {
                    return Err(cut_short());
                }
                return Ok(picture);
            }
            b"IEND" => return Err(broken("it has no picture in it")),
            _ => {}
        }
        position += length + 12;
    }
    Err(broken("it has too many blocks"))
}

fn webp<R: Read + Seek>(source: &mut Source<R>) -> Result<Picture, MediaError> {
    let end = u64::from(u32::from_le_bytes(source.exact(4)?)) + 8;
    if end > source.length {
        return Err(cut_short());
    }
    let mut canvas = None;
    let mut first = None;
    let mut frames = 0_u32;
    let mut orientation = Orientation::NoTransforms;
    let mut position = 12;
    for _ in 0..MOST_BLOCKS {
        if position + 8 > end {
            break;
        }
        let [n0, n1, n2, n3, length @ ..]: [u8; 8] = source.exact(position)?;
        let length = u64::from(u32::from_le_bytes(length));
        let data = position + 8;
        match &[n0, n1, n2, n3] {
            b"VP8X" => {
                let [w0, w1, w2, h0, h1, h2] = source.exact(data + 4)?;
                canvas = Some((u32::from_le_bytes([w0, w1, w2, 0]) + 1, u32::from_le_bytes([h0, h1, h2, 0]) + 1));
            }
            b"VP8 " if first.is_none() => {
                let [s0, s1, s2, w0, w1, h0, h1] = source.exact(data + 3)?;
                if [s0, s1, s2] != [0x9D, 0x01, 0x2A] {
                    return Err(broken("its picture does not begin with a key frame"));
                }
                let side = |low, high| u32::from(u16::from_le_bytes([low, high]) & 0x3FFF);
                first = Some((side(w0, w1), side(h0, h1)));
            }
            b"VP8L" if first.is_none() => {
                let [mark, bits @ ..]: [u8; 5] = source.exact(data)?;
                if mark != 0x2F {
                    return Err(broken("its picture does not begin as WebP says"));
                }
                let bits = u32::from_le_bytes(bits);
                first = Some(((bits & 0x3FFF) + 1, ((bits >> 14) & 0x3FFF) + 1));
            }
            b"ANMF" => frames += 1,
            b"EXIF" => orientation = source.exif(data, length)?,
            _ => {}
        }
        position = data + length + length % 2;
    }
    if frames == 0 && first.is_none() {
        return Err(broken("it has no picture in it"));
    }
    let (width, height) = canvas.or(first).ok_or_else(|| broken("it has no picture in it"))?;
    let mut picture = Picture::still("image/webp", width, height);
    if frames > 1 {
        picture.kind = MediaKind::Animation;
    } else {
        picture.orientation = orientation;
    }
    Ok(picture)
}

/// Walks the blocks up to the second frame: two are an animation.
fn gif<R: Read + Seek>(source: &mut Source<R>) -> Result<Picture, MediaError> {
    let [w0, w1, h0, h1, flags, _, _]: [u8; 7] = source.exact(6)?;
    let (width, height) = (u16::from_le_bytes([w0, w1]), u16::from_le_bytes([h0, h1]));
    let mut picture = Picture::still("image/gif", width.into(), height.into());
    let table = |flags: u8| if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) };
    let mut position = 13 + table(flags);
    let mut frames = 0;
    for _ in 0..MOST_BLOCKS {
        match source.exact::<1>(position)? {
            [0x21] => position = gif_blocks(source, position + 2)?,
            [0x2C] => {
                frames += 1;
                if frames > 1 {
                    picture.kind = MediaKind::Animation;
                    return Ok(picture);
                }
                let [flags] = source.exact(position + 9)?;
                position = gif_blocks(source, position + 11 + table(flags))?;
            }
            [0x3B] if frames > 0 => return Ok(picture),
            _ => break,
        }
    }
    // Many a GIF lacks its last byte, or has another in its place; with a frame it is shown everywhere.
    if frames > 0 { Ok(picture) } else { Err(broken("it has no picture in it")) }
}

/// The position after a row of sub-blocks.
fn gif_blocks<R: Read + Seek>(source: &mut Source<R>, mut position: u64) -> Result<u64, MediaError> {
    loop {
        let [length] = source.exact(position)?;
        position += 1 + u64::from(length);
        if length == 0 {
            return Ok(position);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    fn facts(bytes: &[u8]) -> (MediaKind, String, u32, u32) {
        let facts = probe(bytes).expect("a known kind");
        assert_eq!(facts.bytes, bytes.len() as u64);
        (facts.kind, facts.mime, facts.width, facts.height)
    }

    fn expect(bytes: &[u8], kind: MediaKind, mime: &str, width: u32, height: u32) {
        assert_eq!(facts(bytes), (kind, mime.to_owned(), width, height));
    }

    #[test]
    fn each_kind_is_told_by_its_bytes() {
        let image = samples::gradient(30, 20);
        expect(&samples::png(&image), MediaKind::Image, "image/png", 30, 20);
        expect(&samples::jpeg(&image), MediaKind::Image, "image/jpeg", 30, 20);
        expect(&samples::webp(&image), MediaKind::Image, "image/webp", 30, 20);
        expect(&samples::webp(&samples::see_through(31, 21)), MediaKind::Image, "image/webp", 31, 21);
        expect(&samples::gif(30, 20, 1), MediaKind::Image, "image/gif", 30, 20);
        expect(&samples::gif(30, 20, 3), MediaKind::Animation, "image/gif", 30, 20);
        expect(&samples::apng(), MediaKind::Animation, "image/apng", 8, 8);
        expect(&samples::animated_webp(), MediaKind::Animation, "image/webp", 8, 8);
        expect(&samples::mp4(1280, 720), MediaKind::Video, "video/mp4", 1280, 720);
        expect(b"\x1A\x45\xDF\xA3\x9F\x42\x82\x84webm....", MediaKind::Video, "video/webm", 0, 0);
    }

    #[test]
    fn metadata_does_not_hide_the_picture() {
        for (mime, _, planted) in samples::planted() {
            assert_eq!(facts(&planted).1, mime);
        }
    }

    #[test]
    fn a_turned_picture_has_its_sides_as_it_is_seen() {
        let image = samples::gradient(30, 20);
        for orientation in 1..=8 {
            let (_, _, width, height) = facts(&samples::jpeg_turned(&image, orientation));
            let expected = if orientation < 5 { (30, 20) } else { (20, 30) };
            assert_eq!((width, height), expected, "{orientation}");
        }
    }

    #[test]
    fn what_is_not_read_is_named() {
        for (bytes, word) in [
            (&b""[..], "empty"),
            (b"\0\0\0\x1CftypheicABCD", "HEIC"),
            (b"\0\0\0\x1CftypavifABCD", "AVIF"),
            (b"II*\0....", "TIFF"),
            (b"BM......", "BMP"),
            (b"  <svg xmlns=''>", "SVG"),
            (b"<?xml version='1.0'?><svg/>", "SVG"),
            (b"PK\x03\x04....", "save it as PDF"),
            (b"\xD0\xCF\x11\xE0....", "save it as PDF"),
            (b"just text", "whatever its name says"),
        ] {
            let error = probe(bytes).expect_err(word);
            assert!(matches!(&error, MediaError::Unsupported(message) if message.contains(word)), "{error}");
        }
    }

    #[test]
    fn too_many_pixels_are_refused_by_the_header() {
        let error = probe(&samples::png_header(60_000, 60_000)).expect_err("3600 megapixels");
        assert!(matches!(&error, MediaError::TooLarge(message) if message.contains("60000×60000")), "{error}");
        assert!(probe(&samples::png_header(0, 10)).is_err());
        assert!(probe(&samples::png_header(u32::MAX, u32::MAX)).is_err());
    }

    #[test]
    fn a_file_that_ends_in_the_middle_is_told() {
        let image = samples::gradient(30, 20);
        for bytes in [samples::png(&image), samples::webp(&image)] {
            for length in [13, 20, 40, bytes.len() - 1] {
                let error = probe(&bytes[..length]).expect_err("cut short");
                assert!(error.to_string().contains("ends in the middle"), "{length}: {error}");
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(start in 0_usize..13, tail: Vec<u8>, cut in 0_usize..800, change in 0_usize..800, to: u8) {
            const STARTS: [&[u8]; 13] = [
                b"", b"\xFF\xD8\xFF", b"\x89PNG\r\n\x1A\n", b"GIF89a", b"RIFF\xFF\0\0\0WEBP", b"RIFF\xFF\xFF\xFF\xFFWEBPVP8X",
                b"\0\0\0\x08ftypmp42", b"\0\0\0\x01ftypqt  ", b"\0\0\0\x08moov", b"OggS", b"\x1A\x45\xDF\xA3webm", b"BM",
                b"%PDF-1.7\nstartxref\n",
            ];
            let _ = probe(&[STARTS[start], &tail].concat());
            let mut files: Vec<Vec<u8>> = samples::planted().into_iter().map(|(_, _, planted)| planted).collect();
            files.extend([samples::mp4(4, 4), samples::pdf(), samples::animated_webp(), samples::apng()]);
            for mut file in files {
                let place = change.min(file.len() - 1);
                file[place] = to;
                let _ = probe(&file);
                let _ = probe(&file[..cut.min(file.len())]);
            }
        }
    }
}
