//! The `smm` program: everything is in the library.

fn main() -> std::process::ExitCode {
    smm::cli::main()
}
