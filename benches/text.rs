//! Measuring texts: posts a second on four networks at once, beside plain segmentation of the same posts in the same run.
//!
//! `cargo bench --bench text`. Read the ratio: the figures of one machine say little about another.

#![allow(clippy::print_stdout, reason = "a bench prints what it found")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use smm::text::{Counting, MentionWeight, Unit, find, measure, split};
use unicode_segmentation::UnicodeSegmentation;

const POSTS: usize = 20_000;
const PASSES: usize = 5;

fn main() {
    let posts: Vec<String> = (0..POSTS).map(post).collect();
    let bytes: usize = posts.iter().map(String::len).sum();
    println!("{POSTS} posts, {} bytes each on average", bytes / POSTS);
    let plain = rate(&posts, |text| text.graphemes(true).count());
    let graphemes = rate(&posts, |text| measure(text, counting(Unit::Graphemes, None, MentionWeight::Raw)));
    let four = rate(&posts, |text| {
        measure(text, counting(Unit::Graphemes, None, MentionWeight::Raw))
            + measure(text, counting(Unit::Bytes, None, MentionWeight::Raw))
            + measure(text, counting(Unit::Graphemes, Some(23), MentionWeight::LocalPart))
            + measure(text, counting(Unit::Utf16, None, MentionWeight::Raw))
            + measure(text, counting(Unit::WeightedV3, None, MentionWeight::Raw))
    });
    let links = rate(&posts, |text| find(text).len());
    let limits = [(counting(Unit::Graphemes, None, MentionWeight::Raw), 100)];
    let pieces = rate(&posts, |text| split(text, &limits, true).map_or(0, |pieces| pieces.len()));
    for (what, rate) in [
        ("segmentation of whole posts", plain),
        ("graphemes", graphemes),
        ("four networks at once", four),
        ("links, mentions and tags", links),
        ("split at 100 graphemes", pieces),
    ] {
        println!("{what:>30}: {rate:>11.0} posts/s, {:>6.2} times segmentation", rate / plain);
    }
}

fn counting(unit: Unit, link: Option<u32>, mention: MentionWeight) -> Counting {
    Counting { unit, link, mention }
}

/// Posts a second: the median pass.
fn rate<T>(posts: &[String], mut work: impl FnMut(&str) -> T) -> f64 {
    let mut passes: Vec<Duration> = (0..PASSES)
        .map(|_| {
            let start = Instant::now();
            for post in posts {
                black_box(work(black_box(post)));
            }
            start.elapsed()
        })
        .collect();
    passes.sort_unstable();
    #[allow(clippy::cast_precision_loss, reason = "a rate for people")]
    let posts = posts.len() as f64;
    posts / passes[PASSES / 2].as_secs_f64()
}

/// Posts as people write them: a quarter plain ASCII, the others with accents, emoji, other scripts, links and mentions.
fn post(index: usize) -> String {
    const SENTENCES: [&str; 12] = [
        "Acme 2.0 is out, and it starts in half the time. ",
        "We fixed the three bugs that you told us about most. ",
        "Größere Bilder, kürzere Wartezeiten, weniger Ärger. ",
        "Merci à toutes celles et ceux qui ont testé la bêta 🎉 ",
        "新しいバージョンを公開しました。詳しくはこちら。",
        "Новая версия уже доступна для всех пользователей. ",
        "الإصدار الجديد متاح الآن للجميع. ",
        "Thanks to @alice@fedi.example and @bob.acme.example 👩‍💻👍🏽 ",
        "नया संस्करण अब उपलब्ध है। ",
        "Read more: https://acme.example/blog/2026/12/release-notes?from=social#top ",
        "Download it at acme.com/get ✨ #release #rust ",
        "It also runs on very small machines now. ",
    ];
    let ascii = [0, 1, 11, 9];
    let count = 2 + index % 5;
    (0..count)
        .map(|at| {
            let pick = index.wrapping_mul(7) + at * 5;
            if index.is_multiple_of(4) {
                SENTENCES[ascii[pick % ascii.len()]]
            } else {
                SENTENCES[pick % SENTENCES.len()]
            }
        })
        .collect()
}
