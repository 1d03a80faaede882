//! Takes metadata out of a picture without touching its pixels: EXIF (with positions and thumbnails), XMP, IPTC,
//! comments, and whatever hangs behind the picture's end. What stays is a list of what decoders need, so that metadata
//! of a kind not thought of here goes too. Colour profiles (ICC) stay: without them colours change.

use super::MediaError;
use super::probe::cut_short;

/// The picture without metadata. `mime` is what [`fn@super::probe`] says of the bytes; other kinds come back as they are.
pub(super) fn strip(bytes: &[u8], mime: &str) -> Result<Vec<u8>, MediaError> {
    let stripped = match mime {
        "image/jpeg" => jpeg(bytes),
        "image/png" | "image/apng" => png(bytes),
        "image/webp" => webp(bytes),
        "image/gif" => gif(bytes),
        _ => return Ok(bytes.to_vec()),
    };
    stripped.ok_or_else(cut_short)
}

/// Splits off the first `count` bytes.
fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (head, tail) = rest.split_at_checked(count)?;
    *rest = tail;
    Some(head)
}

fn jpeg(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    out.extend_from_slice(take(&mut rest, 2)?);
    loop {
        let [0xFF, marker] = *take(&mut rest, 2)? else { return None };
        match marker {
            // A fill byte: the next one may be the marker.
            0xFF => {
                rest = &bytes[bytes.len() - rest.len() - 1..];
                continue;
            }
            0x01 | 0xD0..=0xD7 => continue,
            // The end. What follows (previews, other pictures, videos, archives) is not the picture.
            0xD9 => {
                out.extend_from_slice(&[0xFF, 0xD9]);
                return Some(out);
            }
            _ => {}
        }
        let length = usize::from(u16::from_be_bytes(rest.get(..2)?.try_into().ok()?));
        let segment = take(&mut rest, length.max(2))?;
        let keep = match marker {
            0xE0 => segment.get(2..).is_some_and(|data| data.starts_with(b"JFIF\0")),
            0xE2 => segment.get(2..).is_some_and(|data| data.starts_with(b"ICC_PROFILE\0")),
            // Adobe's mark says how colours are stored.
            0xEE => segment.get(2..).is_some_and(|data| data.starts_with(b"Adobe")),
            0xE1..=0xEF | 0xFE => false,
            _ => true,
        };
        if keep && marker == 0xE0 {
            // The header may carry a thumbnail of the picture as it once was: 16 bytes are the header without it.
            let header = segment.get(..14)?;
            out.extend_from_slice(&[0xFF, 0xE0, 0, 16]);
            out.extend_from_slice(header.get(2..)?);
            out.extend_from_slice(&[0, 0]);
        } else if keep {
            out.extend_from_slice(&[0xFF, marker]);
            out.extend_from_slice(segment);
        }
        if marker == 0xDA {
            let scan = scan_length(rest);
            out.extend_from_slice(take(&mut rest, scan)?);
        }
    }
}

/// How long the coded data of a scan is: up to the next marker that is neither a stuffed byte nor a restart.
fn scan_length(data: &[u8]) -> usize {
    let mut position = 0;
    while let Some(found) = data[position..].iter().position(|&byte| byte == 0xFF) {
        position += found;
        match data.get(position + 1) {
            Some(0x00 | 0xD0..=0xD7) => position += 2,
            Some(0xFF) => position += 1,
            Some(_) => return position,
            None => return data.len(),
        }
    }
    data.len()
}

fn png(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    out.extend_from_slice(take(&mut rest, 8)?);
    loop {
        let length = usize::try_from(u32::from_be_bytes(rest.get(..4)?.try_into().ok()?)).ok()?;
        let name: [u8; 4] = rest.get(4..8)?.try_into().ok()?;
        let chunk = take(&mut rest, length.checked_add(12)?)?;
        let keep = match &name {
            b"tRNS" | b"cHRM" | b"gAMA" | b"iCCP" | b"sBIT" | b"sRGB" | b"cICP" | b"mDCV" | b"cLLI" | b"bKGD"
            | b"pHYs" | b"acTL" | b"fcTL" | b"fdAT" => true,
            // A capital first letter: needed to show the picture.
            name => name[0].is_ascii_uppercase(),
        };
        if keep {
            out.extend_from_slice(chunk);
        }
        if &name == b"IEND" {
            return Some(out);
        }
    }
}

fn webp(bytes: &[u8]) -> Option<Vec<u8>> {
    let size = usize::try_from(u32::from_le_bytes(bytes.get(4..8)?.try_into().ok()?)).ok()?;
    let body = bytes.get(12..size.checked_add(8)?)?;
    let mut out = b"RIFF\0\0\0\0WEBP".to_vec();
    out.reserve(body.len());
    riff(body, &mut out, |name, data, out| match &name {
        b"VP8X" => {
            let start = out.len() + 8;
            chunk(out, name, data);
            // The flags that announce EXIF (0x08) and XMP (0x04).
            if let Some(flags) = out.get_mut(start) {
                *flags &= !0x0C;
            }
            Some(())
        }
        b"ANMF" => {
            let mut frame = data.get(..16)?.to_vec();
            riff(data.get(16..)?, &mut frame, |name, data, out| {
                if matches!(&name, b"ALPH" | b"VP8 " | b"VP8L") {
                    chunk(out, name, data);
                }
                Some(())
            })?;
            chunk(out, name, &frame);
            Some(())
        }
        b"VP8 " | b"VP8L" | b"ALPH" | b"ANIM" | b"ICCP" => {
            chunk(out, name, data);
            Some(())
        }
        _ => Some(()),
    })?;
    let size = u32::try_from(out.len() - 8).ok()?;
    out[4..8].copy_from_slice(&size.to_le_bytes());
    Some(out)
}

/// Walks the chunks of a RIFF body.
fn riff(
    mut body: &[u8],
    out: &mut Vec<u8>,
    mut each: impl FnMut([u8; 4], &[u8], &mut Vec<u8>) -> Option<()>,
) -> Option<()> {
    while body.len() >= 8 {
        let head: [u8; 8] = take(&mut body, 8)?.try_into().ok()?;
        let [n0, n1, n2, n3, length @ ..] = head;
        let length = usize::try_from(u32::from_le_bytes(length)).ok()?;
        each([n0, n1, n2, n3], take(&mut body, length)?, out)?;
        // Chunks are padded to an even length; the last one's padding is often forgotten.
        body = body.get(length % 2..).unwrap_or_default();
    }
    Some(())
}

fn chunk(out: &mut Vec<u8>, name: [u8; 4], data: &[u8]) {
    out.extend_from_slice(&name);
    out.extend_from_slice(&u32::try_from(data.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend_from_slice(data);
    if !data.len().is_multiple_of(2) {
        out.push(0);
    }
}

fn gif(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    let head = take(&mut rest, 13)?;
    out.extend_from_slice(head);
    out.extend_from_slice(take(&mut rest, gif_table(head[10]))?);
    while let Some(&kind) = rest.first() {
        let start = rest;
        match kind {
            0x21 => {
                let label = *take(&mut rest, 2)?.last()?;
                let application = rest.get(1..12).unwrap_or_default();
                gif_blocks(&mut rest)?;
                let keep = match label {
                    // Timing and transparency.
                    0xF9 => true,
                    // How often it is repeated, and its colour profile.
                    0xFF => matches!(application, b"NETSCAPE2.0" | b"ANIMEXTS1.0" | b"ICCRGBG1012"),
                    _ => false,
                };
                if keep {
                    out.extend_from_slice(&start[..start.len() - rest.len()]);
                }
            }
            0x2C => {
                let flags = take(&mut rest, 10)?[9];
                take(&mut rest, gif_table(flags) + 1)?;
                gif_blocks(&mut rest)?;
                out.extend_from_slice(&start[..start.len() - rest.len()]);
            }
            // Its end, or garbage behind the last frame.
            _ => break,
        }
    }
    out.push(0x3B);
    Some(out)
}

fn gif_table(flags: u8) -> usize {
    if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) }
}

fn gif_blocks(rest: &mut &[u8]) -> Option<()> {
    loop {
        let length = take(rest, 1)?[0];
        if length == 0 {
            return Some(());
        }
        take(rest, length.into())?;
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    /// Everything that is planted in [`samples::planted`], in a form that would be seen in the bytes.
    fn holds_nothing(bytes: &[u8]) {
        for word in [samples::CANARY, "GPS", "Exif", "xmp", "XMP", "8BIM", "http://ns.adobe.com"] {
            let found = bytes.windows(word.len()).any(|window| window == word.as_bytes());
            assert!(!found, "{word} is still in it");
        }
    }

    #[test]
    fn planted_metadata_is_gone_and_the_picture_is_the_same() {
        for (mime, clean, planted) in samples::planted() {
            assert!(planted.len() > clean.len() + samples::CANARY.len(), "{mime}: something was planted");
            let stripped = strip(&planted, mime).expect(mime);
            holds_nothing(&stripped);
            let pixels = |bytes: &[u8]| image::load_from_memory(bytes).expect(mime).into_rgba8();
            assert_eq!(pixels(&stripped), pixels(&planted), "{mime}");
            assert_eq!(strip(&stripped, mime).as_ref(), Ok(&stripped), "{mime}: nothing more to take");
        }
    }

    #[test]
    fn a_colour_profile_stays() {
        let (jpeg, png) = (samples::jpeg_with_profile(), samples::png_with_profile());
        let stripped = strip(&jpeg, "image/jpeg").expect("a JPEG");
        assert!(stripped.windows(12).any(|window| window == b"ICC_PROFILE\0"));
        let stripped = strip(&png, "image/png").expect("a PNG");
        assert!(stripped.windows(4).any(|window| window == b"iCCP"));
    }

    #[test]
    fn nothing_hides_behind_the_end() {
        for (mime, clean, _) in samples::planted() {
            let mut longer = clean.clone();
            longer.extend_from_slice(b"PK\x03\x04 an archive");
            assert_eq!(strip(&longer, mime).expect(mime), strip(&clean, mime).expect(mime), "{mime}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, cut in 0_usize..2000, change in 0_usize..2000, to: u8) {
            for (mime, _, mut planted) in samples::planted() {
                let _ = strip(&bytes, mime);
                let place = change.min(planted.len() - 1);
                planted[place] = to;
                let _ = strip(&planted, mime);
                let _ = strip(&planted[..cut.min(planted.len())], mime);
            }
        }
    }
}
