//! Videos: told by their first bytes, passed through as they are. The size of the
//! picture is found where that is cheap.

use std::io::{Read, Seek};

use crate::model::{MediaFacts, MediaKind};

use super::MediaError;
use super::probe::Source;

/// Boxes of one file that are looked at, at most.
const MOST_BOXES: u32 = 4096;

/// The facts of a video; `None`: it is none that is known.
pub(super) fn inspect<R: Read + Seek>(source: &mut Source<R>, head: &[u8]) -> Result<Option<MediaFacts>, MediaError> {
    let unsupported = |message: &str| Err(MediaError::Unsupported(message.to_owned()));
    let has = |needle: &[u8]| head.windows(needle.len()).any(|window| window == needle);
    let (mime, (width, height)) = if head.get(4..8) == Some(b"ftyp") {
        match head.get(8..12).unwrap_or_default() {
            b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" | b"mif1" | b"msf1" => {
                return unsupported("HEIC pictures are not read; save it as JPEG");
            }
            b"avif" | b"avis" => return unsupported("AVIF pictures are not read; save it as JPEG or PNG"),
            b"M4A " | b"M4B " => return unsupported("this is sound without a picture; no network here takes it"),
            b"crx " => return unsupported("camera raw pictures are not read; save it as JPEG"),
            b"qt  " => ("video/quicktime", dimensions(source)?),
            _ => ("video/mp4", dimensions(source)?),
        }
    } else if matches!(head.get(4..8), Some(b"moov" | b"mdat" | b"wide" | b"free")) {
        ("video/quicktime", dimensions(source)?)
    } else if head.starts_with(&[0x1A, 0x45, 0xDF, 0xA3]) {
        if !has(b"webm") {
            return unsupported("Matroska videos are not read; save it as MP4 or WebM");
        }
        ("video/webm", (0, 0))
    } else if head.starts_with(b"OggS") {
        if !has(b"theora") {
            return unsupported("this Ogg file begins with no video; save it as MP4 or WebM");
        }
        ("video/ogg", (0, 0))
    } else {
        return Ok(None);
    };
    let facts = MediaFacts { kind: MediaKind::Video, mime: mime.to_owned(), bytes: source.length, width, height };
    Ok(Some(facts))
}

/// Width and height of the first track that has both (ISO/IEC 14496-12, `tkhd`); 0 where they are not found.
fn dimensions<R: Read + Seek>(source: &mut Source<R>) -> Result<(u32, u32), MediaError> {
    let mut position = 0;
    let mut end = source.length;
    for _ in 0..MOST_BOXES {
        if position + 8 > end {
            break;
        }
        let [s3, s2, s1, s0, name @ ..]: [u8; 8] = source.exact(position)?;
        let (header, size) = match u32::from_be_bytes([s3, s2, s1, s0]) {
            0 => (8, end - position),
            1 if position + 16 <= end => (16, u64::from_be_bytes(source.exact(position + 8)?)),
            size => (8, u64::from(size)),
        };
        let Some(next) = position.checked_add(size).filter(|next| size >= header && *next <= end) else { break };
        match &name {
            // Into it, and no further than its end: the tracks are in `moov`.
            b"moov" => {
                position += header;
                end = next;
                continue;
            }
            b"trak" => {
                position += header;
                continue;
            }
            b"tkhd" => {
                if let Some(found) = track(source, position + header, next)? {
                    return Ok(found);
                }
            }
            _ => {}
        }
        position = next;
    }
    Ok((0, 0))
}

fn track<R: Read + Seek>(source: &mut Source<R>, start: u64, end: u64) -> Result<Option<(u32, u32)>, MediaError> {
    let [version] = source.exact(start)?;
    // The matrix and the two sides stand at the end: 9 and 2 numbers of 32 bits.
    let matrix = start + if version == 1 { 52 } else { 40 };
    if matrix + 44 > end {
        return Ok(None);
    }
    let [a3, a2, a1, a0, b3, b2, b1, b0] = source.exact(matrix)?;
    let (a, b) = (i32::from_be_bytes([a3, a2, a1, a0]), i32::from_be_bytes([b3, b2, b1, b0]));
    // 16.16 fixed point.
    let width = u32::from_be_bytes(source.exact(matrix + 36)?) >> 16;
    let height = u32::from_be_bytes(source.exact(matrix + 40)?) >> 16;
    Ok(match (width, height) {
        (0, _) | (_, 0) => None,
        (width, height) if a == 0 && b != 0 => Some((height, width)),
        (width, height) => Some((width, height)),
    })
}
