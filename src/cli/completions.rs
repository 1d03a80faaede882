//! `smm completions`.

use super::output;
use super::{Exit, Failure, Global};

/// Write completions for a shell
///
/// For example `smm completions bash > ~/.local/share/bash-completion/completions/smm`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    shell: clap_complete::Shell,
}

#[expect(clippy::unnecessary_wraps, reason = "every command has this shape")]
pub(super) fn run(args: &Args, _global: &Global) -> Result<Exit, Failure> {
    output::machine(&completions(args.shell));
    Ok(Exit::Done)
}

fn completions(shell: clap_complete::Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut super::command(), "smm", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum as _;

    #[test]
    fn every_shell_knows_every_command() {
        for shell in clap_complete::Shell::value_variants() {
            let script = completions(*shell);
            for command in crate::cli::command().get_subcommands() {
                assert!(script.contains(command.get_name()), "{shell} does not know {}", command.get_name());
            }
        }
    }
}
