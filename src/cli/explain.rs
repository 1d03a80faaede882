//! `smm explain`.

use serde::Serialize;

use super::output::{self, Format, Stream, Style};
use super::{Exit, Failure, Global};
use crate::model::codes::{self, Explanation};
use crate::model::nearest;

/// Explain a code that a diagnostic has
///
/// Without a code: a list of all.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The code, such as `text-too-long`
    code: Option<String>,
    /// How it is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// A code as programs see it.
#[derive(Debug, Serialize)]
struct View {
    code: &'static str,
    summary: &'static str,
    text: &'static str,
}

/// All codes as programs see them.
#[derive(Debug, Serialize)]
struct List {
    codes: Vec<View>,
}

impl From<&Explanation> for View {
    fn from(known: &Explanation) -> Self {
        Self { code: known.code.0, summary: known.summary, text: known.text }
    }
}

pub(super) fn run(args: &Args, _global: &Global) -> Result<Exit, Failure> {
    match (&args.code, args.format) {
        (Some(code), format) => {
            let known = find(code)?;
            match format {
                Format::Human => {
                    let heading = output::paint(Stream::Stdout, Style::Bold, known.code.0);
                    output::stdout(&format!("{heading}: {}\n\n{}\n", known.summary, known.text));
                }
                Format::Json => output::json(&View::from(known))?,
            }
        }
        (None, Format::Human) => {
            let width = codes::ALL.iter().map(|known| known.code.0.len()).max().unwrap_or(0);
            let lines = codes::ALL.iter().map(|known| format!("{:width$}  {}\n", known.code, known.summary));
            output::stdout(&lines.collect::<String>());
        }
        (None, Format::Json) => output::json(&List { codes: codes::ALL.iter().map(View::from).collect() })?,
    }
    Ok(Exit::Done)
}

/// The explanation of a code, however it was copied: `[text-too-long]` and `TEXT_TOO_LONG` are fine.
fn find(code: &str) -> Result<&'static Explanation, Failure> {
    let plain = code.trim_matches(|c: char| !c.is_ascii_alphanumeric()).to_ascii_lowercase().replace(['_', ' '], "-");
    codes::explain(&plain).ok_or_else(|| {
        let failure = Failure::new(format!("`{code}` is not a code that smm has"));
        match nearest(&plain, codes::ALL.iter().map(|known| known.code.0)) {
            Some(meant) => failure.hint(format!("did you mean `{meant}`?")),
            None => failure.hint("`smm explain` lists all of them"),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_found_however_they_were_copied() {
        for code in ["text-too-long", "[text-too-long]", "TEXT_TOO_LONG", " text too long "] {
            assert_eq!(find(code).unwrap().code.0, "text-too-long", "{code}");
        }
        assert!(find("").is_err());
        assert!(find("text-to-long").is_err());
    }

    #[test]
    fn every_code_is_explained() {
        for known in codes::ALL {
            assert!(!known.summary.is_empty() && known.text.len() > 20, "{}", known.code);
        }
    }
}
