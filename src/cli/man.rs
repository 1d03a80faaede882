//! `smm man`.

use std::io;

use super::output;
use super::{Exit, Failure, Global};

/// Write the manual
///
/// The page of the program, then one page for each command, as one roff text: `smm man | man -l -`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) fn run(_args: &Args, _global: &Global) -> Result<Exit, Failure> {
    output::machine(&manual().map_err(|error| Failure::new(format!("cannot write the manual: {error}")))?);
    Ok(Exit::Done)
}

fn manual() -> io::Result<String> {
    let mut command = super::command().disable_help_subcommand(true);
    // Fills in what clap leaves until a command line is parsed: versions, the commands' full names.
    command.build();
    let mut roff = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut roff)?;
    for page in command.get_subcommands() {
        clap_mangen::Man::new(page.clone()).render(&mut roff)?;
    }
    Ok(String::from_utf8_lossy(&roff).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_has_its_page() {
        let text = manual().unwrap();
        assert!(text.contains(".TH smm 1"), "{}", &text[..400]);
        for command in crate::cli::command().get_subcommands() {
            let heading = format!(".TH smm-{} 1", command.get_name());
            assert_eq!(text.matches(&heading).count(), 1, "{heading}");
        }
    }
}
