//! Makes a picture fit what a network takes, and foretells what that comes to. The same input gives the same bytes.

use std::io::Cursor;

use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::{CompressionType, FilterType as PngFilter, PngEncoder};
use image::codecs::webp::WebPEncoder;
use image::metadata::Orientation;
use image::{ColorType, DynamicImage, ImageDecoder, ImageEncoder, ImageFormat, ImageReader, Limits};

use crate::model::{MediaFacts, MediaKind};

use super::error::size;
use super::probe::{Inspected, inspect_bytes, swaps};
use super::strip::strip;
use super::{Fitted, MAX_DECODED, MediaError, Target};

/// Qualities that are tried for a JPEG, best first.
const QUALITIES: [u8; 8] = [90, 85, 80, 75, 70, 60, 50, 40];
/// Each side becomes so much shorter when the lowest quality is still too large.
const STEP: f64 = 0.85;
/// A picture is not made smaller than this on its longer side to save bytes.
const SMALLEST: u32 = 16;

/// What fitting would do to a picture with these facts, without doing it: a line for people, or why it cannot be.
/// How a picture is to be turned is not among the facts, so that line is missing here.
pub fn foresee(facts: &MediaFacts, target: &Target) -> Result<Option<String>, MediaError> {
    if fits(facts, target) {
        return Ok(None);
    }
    if facts.kind != MediaKind::Image {
        return Err(unchangeable(facts, target));
    }
    let kinds = Kind::taken(target)?;
    let mut lines = Vec::new();
    if !takes(target, &facts.mime) {
        // Which of them it will be depends on its pixels: transparency, and what fits.
        let names: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
        lines.push(format!("converted from {} to {}", name_of(&facts.mime), names.join(" or ")));
    }
    let (width, height) = shrink(facts.width, facts.height, target);
    if (width, height) != (facts.width, facts.height) {
        lines.push(resized((facts.width, facts.height), (width, height)));
    }
    if facts.bytes > target.bytes {
        lines.push(format!("made smaller than {} (it has {})", size(target.bytes), size(facts.bytes)));
    }
    Ok(Some(lines.join(", ")))
}

/// Makes a picture fit: orientation applied, metadata stripped, resized, re-encoded, quality lowered stepwise. One that
/// fits only loses its metadata. Animations, videos and documents are never changed: they fit or are refused.
pub fn fit(bytes: &[u8], target: &Target) -> Result<Fitted, MediaError> {
    let Inspected { facts, orientation } = inspect_bytes(bytes)?;
    let stripped = strip(bytes, &facts.mime)?;
    let facts = MediaFacts { bytes: stripped.len() as u64, ..facts };
    if fits(&facts, target) && orientation == Orientation::NoTransforms {
        return Ok(Fitted { bytes: stripped, facts, done: Vec::new() });
    }
    if facts.kind != MediaKind::Image {
        return if fits(&facts, target) {
            Ok(Fitted { bytes: stripped, facts, done: Vec::new() })
        } else {
            Err(unchangeable(&facts, target))
        };
    }
    let kinds = Kind::taken(target)?;
    let Pixels { image, profile } = decode(&stripped, &facts.mime)?;
    let (width, height) = shrink(facts.width, facts.height, target);
    let kinds = Kind::order(&kinds, &facts.mime, image.color().has_alpha());
    // The sides as they are stored, before turning.
    let turn = |(width, height)| if swaps(orientation) { (height, width) } else { (width, height) };
    let (stored_width, stored_height) = turn((width, height));
    let mut shrinking = (f64::from(stored_width), f64::from(stored_height));
    loop {
        let mut upright = resize(&image, whole(shrinking.0), whole(shrinking.1))?;
        upright.apply_orientation(orientation);
        let mut smallest = u64::MAX;
        for &kind in &kinds {
            match encode(kind, &upright, profile.as_deref(), target.bytes)? {
                Encoded::Fits(encoded, quality) => {
                    let now = (upright.width(), upright.height());
                    let done = tell(&facts, orientation, kind, quality, &upright, now);
                    let facts = MediaFacts {
                        kind: MediaKind::Image,
                        mime: kind.mime().to_owned(),
                        bytes: encoded.len() as u64,
                        width: now.0,
                        height: now.1,
                    };
                    return Ok(Fitted { bytes: encoded, facts, done });
                }
                Encoded::TooLarge(bytes) => smallest = smallest.min(bytes),
            }
        }
        if upright.width().max(upright.height()) <= SMALLEST {
            return Err(MediaError::CannotFit(format!(
                "even at {}×{} pixels it has {}, more than {}",
                upright.width(),
                upright.height(),
                size(smallest),
                size(target.bytes)
            )));
        }
        // A step, or as many at once as the bytes surely need: they shrink about as the number of pixels does.
        #[expect(clippy::cast_precision_loss, reason = "only a factor")]
        let needed = (target.bytes as f64 / smallest as f64).sqrt();
        let mut factor = STEP;
        while factor * STEP > needed && whole(shrinking.0.max(shrinking.1) * factor * STEP) > SMALLEST {
            factor *= STEP;
        }
        shrinking = (shrinking.0 * factor, shrinking.1 * factor);
    }
}

/// The lines for people.
fn tell(
    before: &MediaFacts,
    orientation: Orientation,
    kind: Kind,
    quality: Option<u8>,
    upright: &DynamicImage,
    now: (u32, u32),
) -> Vec<String> {
    let mut done = Vec::new();
    if orientation != Orientation::NoTransforms {
        done.push("turned upright".to_owned());
    }
    if now != (before.width, before.height) {
        done.push(resized((before.width, before.height), now));
    }
    if kind.mime() != before.mime {
        done.push(format!("converted from {} to {}", name_of(&before.mime), kind.name()));
    }
    if kind == Kind::Jpeg && upright.color().has_alpha() {
        done.push("transparency replaced by white".to_owned());
    }
    match quality {
        Some(quality) if quality < QUALITIES[0] => done.push(format!("JPEG quality lowered to {quality}")),
        _ if done.is_empty() => done.push(format!("encoded again as {}", kind.name())),
        _ => {}
    }
    done
}

fn resized(from: (u32, u32), to: (u32, u32)) -> String {
    format!("resized from {}×{} to {}×{}", from.0, from.1, to.0, to.1)
}

fn takes(target: &Target, mime: &str) -> bool {
    target.mimes.iter().any(|taken| taken == mime)
}

fn fits(facts: &MediaFacts, target: &Target) -> bool {
    takes(target, &facts.mime)
        && facts.bytes <= target.bytes
        && (facts.is_passed() || (facts.pixels() <= target.pixels && facts.width.max(facts.height) <= target.side))
}

/// Why a file that is no still picture and does not fit is refused: changing it would lose its movement, or take a program
/// that makes such files.
fn unchangeable(facts: &MediaFacts, target: &Target) -> MediaError {
    let (what, advice) = match facts.kind {
        MediaKind::Video => ("a video", "videos are sent as they are: save it smaller, or as MP4"),
        MediaKind::Document => ("a document", "documents are sent as they are: save it smaller, or as PDF"),
        MediaKind::Image | MediaKind::Animation => {
            ("an animation", "animations are never made still: save it smaller, as a video, or as one still picture")
        }
    };
    let why = if !takes(target, &facts.mime) {
        format!("is {} ({}), and only {} is taken", what, facts.mime, target.mimes.join(", "))
    } else if facts.bytes > target.bytes {
        format!("is {what} with {}; at most {} are taken", size(facts.bytes), size(target.bytes))
    } else {
        format!("is {what} of {}×{} pixels, more than is taken", facts.width, facts.height)
    };
    MediaError::CannotFit(format!("it {why}; {advice}"))
}

/// The largest width and height that keep the shape and fit.
fn shrink(width: u32, height: u32, target: &Target) -> (u32, u32) {
    let pixels = u64::from(width) * u64::from(height);
    if width.max(height) <= target.side && pixels <= target.pixels {
        return (width, height);
    }
    let (wide, high) = (f64::from(width), f64::from(height));
    #[expect(clippy::cast_precision_loss, reason = "both are far below 2^53")]
    let by_pixels = (target.pixels as f64 / pixels as f64).sqrt();
    let factor = (f64::from(target.side) / wide.max(high)).min(by_pixels);
    (whole(wide * factor), whole(high * factor))
}

/// Whole pixels, at least one.
fn whole(side: f64) -> u32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and the side of a picture")]
    let side = (side + 1e-6).floor().max(1.0) as u32;
    side
}

fn resize(image: &DynamicImage, width: u32, height: u32) -> Result<DynamicImage, MediaError> {
    if (image.width(), image.height()) == (width, height) {
        return Ok(image.clone());
    }
    let mut smaller = DynamicImage::new(width, height, image.color());
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3));
    Resizer::new()
        .resize(image, &mut smaller, &options)
        .map_err(|error| MediaError::CannotFit(format!("it cannot be resized: {error}")))?;
    Ok(smaller)
}

/// Decoded pixels, eight bits each, and a colour profile that belongs to them.
struct Pixels {
    image: DynamicImage,
    profile: Option<Vec<u8>>,
}

fn decode(bytes: &[u8], mime: &str) -> Result<Pixels, MediaError> {
    let broken = |error: image::ImageError| match error {
        image::ImageError::Limits(_) => {
            MediaError::TooLarge(format!("decoding it would take more than {} of memory", size(MAX_DECODED)))
        }
        error => MediaError::Unsupported(format!("it is broken: {error}")),
    };
    let format = match mime {
        "image/jpeg" => ImageFormat::Jpeg,
        "image/gif" => ImageFormat::Gif,
        "image/webp" => ImageFormat::WebP,
        _ => ImageFormat::Png,
    };
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_DECODED);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(broken)?;
    let profile = decoder.icc_profile().ok().flatten();
    if decoder.total_bytes() > MAX_DECODED {
        return Err(MediaError::TooLarge(format!("decoding it would take more than {} of memory", size(MAX_DECODED))));
    }
    let image = DynamicImage::from_decoder(decoder).map_err(broken)?;
    let image = eight_bits(image);
    // A profile for other channels (CMYK) would make the colours wrong.
    let space: &[u8] = if image.color().has_color() { b"RGB " } else { b"GRAY" };
    let profile = profile.filter(|profile| profile.get(16..20) == Some(space));
    Ok(Pixels { image, profile })
}

/// Eight bits for each channel, and an alpha channel only where something is seen through it.
fn eight_bits(image: DynamicImage) -> DynamicImage {
    let image = match image.color() {
        ColorType::L8 | ColorType::La8 | ColorType::Rgb8 | ColorType::Rgba8 => image,
        ColorType::L16 => image.into_luma8().into(),
        ColorType::La16 => image.into_luma_alpha8().into(),
        color if color.has_alpha() => image.into_rgba8().into(),
        _ => image.into_rgb8().into(),
    };
    match image {
        DynamicImage::ImageRgba8(pixels) if pixels.pixels().all(|pixel| pixel[3] == 255) => {
            DynamicImage::ImageRgba8(pixels).into_rgb8().into()
        }
        DynamicImage::ImageLumaA8(pixels) if pixels.pixels().all(|pixel| pixel[1] == 255) => {
            DynamicImage::ImageLumaA8(pixels).into_luma8().into()
        }
        image => image,
    }
}

/// What a picture is encoded as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Png,
    Jpeg,
    Webp,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Jpeg, Self::Png, Self::Webp];

    fn mime(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Webp => "image/webp",
        }
    }

    fn name(self) -> &'static str {
        name_of(self.mime())
    }

    /// Those that the target takes.
    fn taken(target: &Target) -> Result<Vec<Self>, MediaError> {
        let kinds: Vec<Self> = Self::ALL.into_iter().filter(|kind| takes(target, kind.mime())).collect();
        if kinds.is_empty() {
            return Err(MediaError::CannotFit(format!(
                "pictures cannot be converted to what is taken: {}",
                if target.mimes.is_empty() { "nothing".to_owned() } else { target.mimes.join(", ") }
            )));
        }
        Ok(kinds)
    }

    /// In the order in which they are tried. Lossless first where the picture was, or where it would lose transparency;
    /// WebP (written lossless) instead of PNG for what is seen through, else only where nothing better is taken.
    fn order(taken: &[Self], mime: &str, transparent: bool) -> Vec<Self> {
        let order: &[Self] = match mime {
            _ if transparent => &[Self::Png, Self::Webp, Self::Jpeg],
            "image/png" | "image/gif" if taken.contains(&Self::Jpeg) => &[Self::Png, Self::Jpeg],
            _ if taken.contains(&Self::Jpeg) => &[Self::Jpeg],
            _ => &[Self::Png, Self::Webp],
        };
        order.iter().copied().filter(|kind| taken.contains(kind)).collect()
    }
}

fn name_of(mime: &str) -> &'static str {
    match mime {
        "image/png" => "PNG",
        "image/jpeg" => "JPEG",
        "image/webp" => "WebP",
        "image/gif" => "GIF",
        _ => "its kind",
    }
}

enum Encoded {
    /// The bytes, and the quality of a JPEG.
    Fits(Vec<u8>, Option<u8>),
    /// The smallest that it came to.
    TooLarge(u64),
}

/// Encodes in the best quality that stays below `limit` bytes.
fn encode(kind: Kind, image: &DynamicImage, profile: Option<&[u8]>, limit: u64) -> Result<Encoded, MediaError> {
    if kind != Kind::Jpeg {
        let bytes = encode_once(kind, image, profile, 0)?;
        let length = bytes.len() as u64;
        return Ok(if length <= limit { Encoded::Fits(bytes, None) } else { Encoded::TooLarge(length) });
    }
    let opaque = on_white(image);
    // The lower the quality the fewer the bytes: halve the row of qualities instead of trying each.
    let (mut first, mut last) = (0, QUALITIES.len());
    let mut best = None;
    let mut smallest = u64::MAX;
    while first < last {
        let middle = usize::midpoint(first, last);
        let bytes = encode_once(kind, &opaque, profile, QUALITIES[middle])?;
        smallest = smallest.min(bytes.len() as u64);
        if bytes.len() as u64 <= limit {
            best = Some((bytes, QUALITIES[middle]));
            last = middle;
        } else {
            first = middle + 1;
        }
    }
    Ok(match best {
        Some((bytes, quality)) => Encoded::Fits(bytes, Some(quality)),
        None => Encoded::TooLarge(smallest),
    })
}

fn encode_once(kind: Kind, image: &DynamicImage, profile: Option<&[u8]>, quality: u8) -> Result<Vec<u8>, MediaError> {
    fn write<'a, E: ImageEncoder>(
        mut encoder: E,
        image: &'a DynamicImage,
        profile: Option<&'a [u8]>,
    ) -> image::ImageResult<()> {
        if let Some(profile) = profile {
            // An encoder that has no place for it leaves it out.
            let _ = encoder.set_icc_profile(profile.to_vec());
        }
        encoder.write_image(image.as_bytes(), image.width(), image.height(), image.color().into())
    }
    let mut bytes = Vec::new();
    match kind {
        Kind::Png => write(
            PngEncoder::new_with_quality(&mut bytes, CompressionType::Default, PngFilter::Adaptive),
            image,
            profile,
        ),
        Kind::Webp => write(WebPEncoder::new_lossless(&mut bytes), image, profile),
        Kind::Jpeg => write(JpegEncoder::new_with_quality(&mut bytes, quality), image, profile),
    }
    .map_err(|error| MediaError::CannotFit(format!("it cannot be written as {}: {error}", kind.name())))?;
    Ok(bytes)
}

/// The picture as it looks on white paper, without an alpha channel.
fn on_white(image: &DynamicImage) -> DynamicImage {
    let over = |channel: u8, alpha: u8| {
        let (channel, alpha) = (u32::from(channel), u32::from(alpha));
        u8::try_from((channel * alpha + 255 * (255 - alpha) + 127) / 255).unwrap_or(u8::MAX)
    };
    match image {
        DynamicImage::ImageRgba8(pixels) => {
            let mut opaque = image::RgbImage::new(pixels.width(), pixels.height());
            for (to, from) in opaque.pixels_mut().zip(pixels.pixels()) {
                let [r, g, b, a] = from.0;
                to.0 = [over(r, a), over(g, a), over(b, a)];
            }
            opaque.into()
        }
        DynamicImage::ImageLumaA8(pixels) => {
            let mut opaque = image::GrayImage::new(pixels.width(), pixels.height());
            for (to, from) in opaque.pixels_mut().zip(pixels.pixels()) {
                let [l, a] = from.0;
                to.0 = [over(l, a)];
            }
            opaque.into()
        }
        image => image.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    fn target(mimes: &[&str], bytes: u64, side: u32) -> Target {
        Target {
            mimes: mimes.iter().map(|&mime| mime.to_owned()).collect(),
            bytes,
            pixels: u64::from(side) * u64::from(side),
            side,
        }
    }

    const ALL: [&str; 4] = ["image/png", "image/jpeg", "image/webp", "image/gif"];

    #[test]
    fn what_fits_only_loses_its_metadata() {
        for (mime, clean, planted) in samples::planted() {
            let fitted = fit(&planted, &target(&ALL, 1_000_000, 1000)).expect(mime);
            assert_eq!(fitted.done, Vec::<String>::new());
            assert_eq!(fitted.facts.mime, mime);
            assert!(fitted.bytes.len() <= clean.len() + 20, "{mime}: nothing was added");
            assert!(!fitted.bytes.windows(6).any(|window| window == b"CANARY"), "{mime}");
        }
    }

    #[test]
    fn metadata_goes_with_encoding_again_too() {
        for (mime, _, planted) in samples::planted().into_iter().filter(|sample| sample.0 != "image/gif") {
            let fitted = fit(&planted, &target(&ALL, 1_000_000, 10)).expect(mime);
            assert_eq!((fitted.facts.width, fitted.facts.height), (10, 6));
            assert_eq!(fitted.done[0], "resized from 24×16 to 10×6");
            assert!(!fitted.bytes.windows(6).any(|window| window == b"CANARY"), "{mime}");
            let again = fit(&planted, &target(&ALL, 1_000_000, 10)).expect(mime);
            assert_eq!(again.bytes, fitted.bytes, "the same bytes each time");
        }
    }

    #[test]
    fn a_turned_picture_comes_out_upright() {
        // Its left half is black: turned by 6 (a quarter to the right) its upper half is.
        let image = image::RgbImage::from_fn(40, 20, |x, _| image::Rgb(if x < 20 { [0; 3] } else { [255; 3] }));
        let turned = samples::jpeg_turned(&image.into(), 6);
        let fitted = fit(&turned, &target(&ALL, 1_000_000, 1000)).expect("it fits");
        assert_eq!(fitted.done, ["turned upright"]);
        assert_eq!((fitted.facts.width, fitted.facts.height), (20, 40));
        let pixels = image::load_from_memory(&fitted.bytes).expect("a picture").into_luma8();
        assert!(pixels.get_pixel(10, 5).0[0] < 50 && pixels.get_pixel(10, 35).0[0] > 200);
        // And resized: each side as it is seen.
        let fitted = fit(&turned, &target(&ALL, 1_000_000, 30)).expect("it fits");
        assert_eq!((fitted.facts.width, fitted.facts.height), (15, 30));
        assert_eq!(fitted.done, ["turned upright", "resized from 20×40 to 15×30"]);
    }

    #[test]
    fn quality_is_lowered_then_the_sides() {
        let photo = samples::jpeg(&samples::noise(200, 150));
        let lower = fit(&photo, &target(&ALL, photo.len() as u64 / 2, 1000)).expect("it fits");
        assert_eq!((lower.facts.width, lower.facts.mime.as_str()), (200, "image/jpeg"));
        assert!(lower.done[0].starts_with("JPEG quality lowered to "), "{:?}", lower.done);
        let smaller = fit(&photo, &target(&ALL, 5_000, 1000)).expect("it fits");
        assert!(smaller.bytes.len() <= 5_000 && smaller.facts.width < 200);
        assert!(smaller.bytes.len() > 2_500, "not much smaller than asked for: {}", smaller.bytes.len());
        assert!(matches!(fit(&photo, &target(&ALL, 100, 1000)), Err(MediaError::CannotFit(_))));
    }

    #[test]
    fn transparency_is_kept_as_long_as_that_is_possible() {
        let logo = samples::png(&samples::see_through(60, 40));
        let fitted = fit(&logo, &target(&ALL, 1_000_000, 30)).expect("it fits");
        assert_eq!(fitted.facts.mime, "image/png");
        assert!(image::load_from_memory(&fitted.bytes).expect("a PNG").color().has_alpha());
        let fitted = fit(&logo, &target(&["image/webp", "image/jpeg"], 1_000_000, 60)).expect("it fits");
        assert_eq!(
            (fitted.facts.mime.as_str(), &fitted.done[..]),
            ("image/webp", &["converted from PNG to WebP".to_owned()][..])
        );
        let fitted = fit(&logo, &target(&["image/jpeg"], 1_000_000, 60)).expect("it fits");
        assert_eq!(fitted.done, ["converted from PNG to JPEG", "transparency replaced by white"]);
        let white = image::load_from_memory(&fitted.bytes).expect("a JPEG").into_luma8();
        assert!(white.get_pixel(5, 20).0[0] > 250);
    }

    #[test]
    fn what_is_not_taken_is_converted() {
        let image = samples::gradient(40, 30);
        let fitted =
            fit(&samples::webp(&image), &target(&["image/jpeg", "image/png"], 1_000_000, 100)).expect("it fits");
        assert_eq!(fitted.done, ["converted from WebP to JPEG"]);
        let fitted =
            fit(&samples::gif(40, 30, 1), &target(&["image/jpeg", "image/png"], 1_000_000, 100)).expect("it fits");
        assert_eq!(fitted.done, ["converted from GIF to PNG"]);
        assert!(fit(&samples::webp(&image), &target(&["image/gif"], 1_000_000, 100)).is_err());
    }

    #[test]
    fn an_animation_is_never_made_still() {
        for animation in [samples::gif(40, 30, 3), samples::animated_webp()] {
            let fitted = fit(&animation, &target(&ALL, 1_000_000, 100)).expect("it fits");
            assert_eq!((fitted.facts.kind, fitted.done.len()), (MediaKind::Animation, 0));
            for small in [target(&ALL, 50, 100), target(&ALL, 1_000_000, 5), target(&["image/png"], 1_000_000, 100)] {
                let error = fit(&animation, &small).expect_err("it does not fit");
                assert!(
                    matches!(&error, MediaError::CannotFit(message) if message.contains("never made still")),
                    "{error}"
                );
            }
        }
    }

    #[test]
    fn a_colour_profile_survives_encoding_again() {
        for bytes in [samples::jpeg_with_profile(), samples::png_with_profile()] {
            let fitted = fit(&bytes, &target(&ALL, 1_000_000, 10)).expect("it fits");
            let decoder = ImageReader::new(Cursor::new(&fitted.bytes)).with_guessed_format().expect("a picture");
            let profile = decoder.into_decoder().expect("a picture").icc_profile().expect("readable");
            assert_eq!(profile.map(|profile| profile.len()), Some(132));
        }
    }

    #[test]
    fn the_hostile_are_refused() {
        let any = target(&ALL, 1_000, 100);
        assert!(matches!(fit(&samples::png_header(60_000, 60_000), &any), Err(MediaError::TooLarge(_))));
        // Says that it has 96 megapixels in four bytes of data.
        assert!(matches!(fit(&samples::png_header(12_000, 8_000), &any), Err(MediaError::Unsupported(_))));
        assert!(fit(b"", &any).is_err());
        let jpeg = samples::jpeg(&samples::gradient(300, 200));
        assert!(fit(&jpeg[..jpeg.len() / 2], &any).is_err());
        // A picture that is a page and an archive too: only the picture comes out.
        let mut both = samples::png(&samples::gradient(24, 16));
        both.extend_from_slice(b"<script>alert(1)</script>PK\x05\x06");
        let fitted = fit(&both, &any).expect("it is a picture");
        assert!(!fitted.bytes.windows(7).any(|window| window == b"<script"));
    }

    #[test]
    fn what_is_foreseen_is_what_is_done() {
        let image = samples::noise(80, 60);
        let files = [
            samples::png(&image),
            samples::jpeg(&image),
            samples::webp(&image),
            samples::gif(80, 60, 1),
            samples::gif(80, 60, 2),
            samples::animated_webp(),
            samples::mp4(80, 60),
        ];
        for file in &files {
            for mimes in [&ALL[..], &["image/jpeg"], &["image/png", "image/webp"], &["image/gif"], &["video/mp4"]] {
                for (bytes, side) in [(1_000_000, 1000), (1_000_000, 40), (3_000, 1000)] {
                    let target = target(mimes, bytes, side);
                    let facts = crate::media::probe(file).expect("a known kind");
                    match (foresee(&facts, &target), fit(file, &target)) {
                        (Ok(None), Ok(fitted)) => assert!(fitted.done.is_empty(), "{facts:?} {target:?}"),
                        (Ok(Some(line)), Ok(fitted)) => {
                            assert!(!line.is_empty() && !fitted.done.is_empty(), "{facts:?} {target:?}");
                            assert!(fits(&fitted.facts, &target));
                            assert_eq!(crate::media::probe(&fitted.bytes), Ok(fitted.facts));
                        }
                        (Err(_), Err(_)) => {}
                        (foreseen, done) => {
                            panic!("{facts:?} {target:?}: {foreseen:?}, {:?}", done.map(|fitted| fitted.done))
                        }
                    }
                }
            }
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, change in 0_usize..900, to: u8, side in 1_u32..40) {
            let any = target(&ALL, 500, side);
            let _ = fit(&bytes, &any);
            for (_, _, mut planted) in samples::planted() {
                let place = change.min(planted.len() - 1);
                planted[place] = to;
                if let Ok(fitted) = fit(&planted, &any) {
                    proptest::prop_assert!(fits(&fitted.facts, &any));
                }
            }
        }

        #[test]
        fn a_shrunk_picture_fits(width in 1_u32..70_000, height in 1_u32..70_000, side in 1_u32..5_000, pixels in 1_u64..30_000_000) {
            let target = Target { mimes: vec![], bytes: 1, pixels, side };
            let (w, h) = shrink(width, height, &target);
            proptest::prop_assert!(w.max(h) <= side && (u64::from(w) * u64::from(h) <= pixels || w == 1 || h == 1));
            proptest::prop_assert!(w >= 1 && h >= 1 && w <= width && h <= height);
        }
    }
}
