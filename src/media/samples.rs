//! Pictures made in code, for tests: small, and with whatever has to be in them.

use std::fmt::Write as _;
use std::io::Cursor;

use image::codecs::gif::{GifEncoder, Repeat};
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::{DynamicImage, Frame, ImageEncoder, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};

/// A text that is planted in metadata and must never come out.
pub const CANARY: &str = "CANARY-52.5200N-13.4050E";

/// A picture in which neighbours are alike, as in a photo.
pub fn gradient(width: u32, height: u32) -> DynamicImage {
    let shade = |at: u32, of: u32| u8::try_from(at * 255 / of.max(1)).unwrap_or(255);
    RgbImage::from_fn(width, height, |x, y| Rgb([shade(x, width), shade(y, height), 128])).into()
}

/// A picture that no encoder can make small: the same noise each time.
pub fn noise(width: u32, height: u32) -> DynamicImage {
    let mut state = 0x2545_F491_u32;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[0]
    };
    RgbImage::from_fn(width, height, |_, _| Rgb([next(), next(), next()])).into()
}

/// A picture that is seen through in its left half.
pub fn see_through(width: u32, height: u32) -> DynamicImage {
    RgbaImage::from_fn(width, height, |x, _| Rgba([200, 30, 30, if x < width / 2 { 0 } else { 255 }])).into()
}

/// Encoded as PNG.
pub fn png(image: &DynamicImage) -> Vec<u8> {
    encode(image, ImageFormat::Png)
}

/// Encoded as JPEG of quality 95.
pub fn jpeg(image: &DynamicImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    image.write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, 95)).expect("a JPEG");
    bytes
}

/// Encoded as lossless WebP.
pub fn webp(image: &DynamicImage) -> Vec<u8> {
    encode(image, ImageFormat::WebP)
}

/// A GIF with so many frames.
pub fn gif(width: u32, height: u32, frames: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = GifEncoder::new(&mut bytes);
    encoder.set_repeat(Repeat::Infinite).expect("a GIF");
    for frame in 0..frames {
        let pixels = RgbaImage::from_pixel(width, height, Rgba([frame * 40, 100, 200, 255]));
        encoder.encode_frame(Frame::new(pixels)).expect("a frame");
    }
    drop(encoder);
    bytes
}

/// An animated PNG's header: enough to be told apart from a still one.
pub fn apng() -> Vec<u8> {
    let still = png(&gradient(8, 8));
    png_with(&still, &[(*b"acTL", &[0, 0, 0, 2, 0, 0, 0, 0])])
}

/// A WebP with two frames.
pub fn animated_webp() -> Vec<u8> {
    let still = webp(&gradient(8, 8));
    let picture = &still[12..];
    let mut body = riff_chunk(*b"VP8X", &[2, 0, 0, 0, 7, 0, 0, 7, 0, 0]);
    body.extend(riff_chunk(*b"ANIM", &[0; 6]));
    for _ in 0..2 {
        let mut frame = vec![0, 0, 0, 0, 0, 0, 7, 0, 0, 7, 0, 0, 100, 0, 0, 0];
        frame.extend_from_slice(picture);
        body.extend(riff_chunk(*b"ANMF", &frame));
    }
    riff(&body)
}

/// The first bytes of an MP4 with one track of this size.
pub fn mp4(width: u16, height: u16) -> Vec<u8> {
    let mut tkhd = vec![0; 84];
    tkhd[40..44].copy_from_slice(&0x0001_0000_u32.to_be_bytes());
    tkhd[76..78].copy_from_slice(&width.to_be_bytes());
    tkhd[80..82].copy_from_slice(&height.to_be_bytes());
    let mut bytes = mp4_box(*b"ftyp", b"isom\0\0\x02\0isommp41");
    bytes.extend(mp4_box(*b"mdat", &[0; 40]));
    bytes.extend(mp4_box(*b"moov", &mp4_box(*b"trak", &mp4_box(*b"tkhd", &tkhd))));
    bytes
}

/// A PDF of one empty page.
pub fn pdf() -> Vec<u8> {
    let objects = [
        "1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n",
        "2 0 obj\n<< /Type /Pages /Kids [3 0 R] /Count 1 >>\nendobj\n",
        "3 0 obj\n<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 100] >>\nendobj\n",
    ];
    let mut pdf = "%PDF-1.4\n".to_owned();
    let mut table = "xref\n0 4\n0000000000 65535 f \n".to_owned();
    for object in objects {
        let _ = writeln!(table, "{:010} 00000 n ", pdf.len());
        pdf += object;
    }
    let at = pdf.len();
    let _ = writeln!(pdf, "{table}trailer\n<< /Size 4 /Root 1 0 R >>\nstartxref\n{at}\n%%EOF");
    pdf.into_bytes()
}

/// One of each kind: its MIME type, the picture without metadata, and with a position and [`CANARY`] planted in every place
/// that the kind has for metadata.
pub fn planted() -> Vec<(&'static str, Vec<u8>, Vec<u8>)> {
    let image = gradient(24, 16);
    let (jpeg, png, webp, gif) = (jpeg(&image), png(&image), webp(&image), gif(24, 16, 2));
    let exif = exif(1);
    let xmp = format!("<x:xmpmeta>{CANARY}</x:xmpmeta>");
    let mut app1 = b"Exif\0\0".to_vec();
    app1.extend_from_slice(&exif);
    let xmp_segment = [b"http://ns.adobe.com/xap/1.0/\0", xmp.as_bytes()].concat();
    let iptc = [b"Photoshop 3.0\x008BIM\x04\x04\0\0", CANARY.as_bytes()].concat();
    let text = [b"Comment\0", CANARY.as_bytes()].concat();
    let planted_jpeg = jpeg_with(
        &jpeg,
        &[(0xE1, &app1), (0xE1, &xmp_segment), (0xED, &iptc), (0xFE, CANARY.as_bytes()), (0xE5, CANARY.as_bytes())],
    );
    let planted_png = png_with(
        &png,
        &[
            (*b"eXIf", &exif),
            (*b"tEXt", &text),
            (*b"iTXt", &[b"XML:com.adobe.xmp\0\0\0\0\0", xmp.as_bytes()].concat()),
            (*b"zTXt", &text),
            (*b"tIME", &[7, 234, 11, 22, 9, 0, 0]),
            (*b"prVt", CANARY.as_bytes()),
        ],
    );
    let mut body = riff_chunk(*b"VP8X", &[0x0C, 0, 0, 0, 23, 0, 0, 15, 0, 0]);
    body.extend_from_slice(&webp[12..]);
    body.extend(riff_chunk(*b"EXIF", &exif));
    body.extend(riff_chunk(*b"XMP ", xmp.as_bytes()));
    body.extend(riff_chunk(*b"PRIV", CANARY.as_bytes()));
    let mut planted_gif = gif[..gif.len() - 1].to_vec();
    planted_gif.extend(gif_extension(&[0xFE], &[CANARY.as_bytes()]));
    planted_gif.extend(gif_extension(&[0xFF], &[b"XMP DataXMP", xmp.as_bytes()]));
    planted_gif.push(0x3B);
    vec![
        ("image/jpeg", jpeg, planted_jpeg),
        ("image/png", png, planted_png),
        ("image/webp", webp, riff(&body)),
        ("image/gif", gif, planted_gif),
    ]
}

/// A JPEG that says of itself that it is to be turned: EXIF orientation 1 to 8.
pub fn jpeg_turned(image: &DynamicImage, orientation: u8) -> Vec<u8> {
    let mut app1 = b"Exif\0\0".to_vec();
    app1.extend_from_slice(&exif(orientation));
    jpeg_with(&jpeg(image), &[(0xE1, &app1)])
}

/// A JPEG with a colour profile.
pub fn jpeg_with_profile() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut bytes, 95);
    encoder.set_icc_profile(profile()).expect("JPEG takes a profile");
    gradient(24, 16).write_with_encoder(encoder).expect("a JPEG");
    bytes
}

/// A PNG with a colour profile.
pub fn png_with_profile() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = PngEncoder::new(&mut bytes);
    encoder.set_icc_profile(profile()).expect("PNG takes a profile");
    gradient(24, 16).write_with_encoder(encoder).expect("a PNG");
    bytes
}

/// The header of a PNG that says it has so many pixels, with next to no data.
pub fn png_header(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1A\n".to_vec();
    let mut head = [width.to_be_bytes(), height.to_be_bytes()].concat();
    head.extend_from_slice(&[8, 6, 0, 0, 0]);
    for (name, data) in [(*b"IHDR", &head[..]), (*b"IDAT", &[0x78, 0x9C, 3, 0, 0, 0, 0, 1]), (*b"IEND", &[])] {
        bytes.extend(png_chunk(name, data));
    }
    bytes
}

/// The beginning of a colour profile: 128 bytes of header that say `RGB `.
fn profile() -> Vec<u8> {
    let mut profile = vec![0; 132];
    profile[3] = 132;
    profile[16..20].copy_from_slice(b"RGB ");
    profile[36..40].copy_from_slice(b"acsp");
    profile
}

fn encode(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).expect("a picture");
    bytes.into_inner()
}

/// TIFF with an orientation, a description, and a GPS block with a latitude.
fn exif(orientation: u8) -> Vec<u8> {
    let entry = |tag: u16, kind: u16, count: u32, value: [u8; 4]| {
        [&tag.to_le_bytes()[..], &kind.to_le_bytes(), &count.to_le_bytes(), &value].concat()
    };
    let count = u32::try_from(CANARY.len()).unwrap_or(0);
    let mut bytes = b"II*\0\x08\0\0\0".to_vec();
    bytes.extend_from_slice(&3_u16.to_le_bytes());
    bytes.extend(entry(0x010E, 2, count, 68_u32.to_le_bytes()));
    bytes.extend(entry(0x0112, 3, 1, [orientation, 0, 0, 0]));
    bytes.extend(entry(0x8825, 4, 1, 50_u32.to_le_bytes()));
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(&1_u16.to_le_bytes());
    bytes.extend(entry(0x0001, 2, 2, *b"N\0\0\0"));
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(CANARY.as_bytes());
    bytes
}

fn jpeg_with(jpeg: &[u8], segments: &[(u8, &[u8])]) -> Vec<u8> {
    let mut bytes = jpeg[..2].to_vec();
    for (marker, data) in segments {
        bytes.extend_from_slice(&[0xFF, *marker]);
        bytes.extend_from_slice(&u16::try_from(data.len() + 2).expect("a short segment").to_be_bytes());
        bytes.extend_from_slice(data);
    }
    bytes.extend_from_slice(&jpeg[2..]);
    bytes
}

/// Puts blocks behind the header.
fn png_with(png: &[u8], chunks: &[([u8; 4], &[u8])]) -> Vec<u8> {
    let mut bytes = png[..33].to_vec();
    for (name, data) in chunks {
        bytes.extend(png_chunk(*name, data));
    }
    bytes.extend_from_slice(&png[33..]);
    bytes
}

fn png_chunk(name: [u8; 4], data: &[u8]) -> Vec<u8> {
    let mut checked = name.to_vec();
    checked.extend_from_slice(data);
    let crc = checked.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 })
    });
    let length = u32::try_from(data.len()).expect("a short block");
    [&length.to_be_bytes()[..], &checked, &(!crc).to_be_bytes()].concat()
}

fn riff(body: &[u8]) -> Vec<u8> {
    let size = u32::try_from(body.len() + 4).expect("a short file");
    [b"RIFF", &size.to_le_bytes()[..], b"WEBP", body].concat()
}

fn riff_chunk(name: [u8; 4], data: &[u8]) -> Vec<u8> {
    let size = u32::try_from(data.len()).expect("a short block");
    let mut chunk = [&name[..], &size.to_le_bytes(), data].concat();
    if !chunk.len().is_multiple_of(2) {
        chunk.push(0);
    }
    chunk
}

fn mp4_box(name: [u8; 4], data: &[u8]) -> Vec<u8> {
    let size = u32::try_from(data.len() + 8).expect("a short box");
    [&size.to_be_bytes()[..], &name, data].concat()
}

fn gif_extension(label: &[u8], blocks: &[&[u8]]) -> Vec<u8> {
    let mut bytes = [&[0x21], label].concat();
    for block in blocks {
        bytes.push(u8::try_from(block.len()).expect("a short block"));
        bytes.extend_from_slice(block);
    }
    bytes.push(0);
    bytes
}
