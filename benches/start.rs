//! How much it takes to start: instructions of `smm --version`, counted by valgrind, and the time and memory of the process.
//!
//!     cargo bench --bench start
//!
//! What is measured is the program as benches have it, with the stand-ins of the tests in it; `SMM=target/release/smm`
//! measures another one, such as that of a release build.
//!
//! The figures to hold: 1.5 million instructions, 5 MiB. Instructions repeat exactly; times are told for comparison alone.

#![allow(clippy::print_stdout, reason = "a bench prints its figures")]

use std::process::{Command, Stdio};
use std::time::Instant;

/// The program that is measured.
fn smm() -> String {
    std::env::var("SMM").unwrap_or_else(|_| env!("CARGO_BIN_EXE_smm").to_owned())
}

fn main() {
    match instructions() {
        Some(count) => println!("smm --version: {:.2} million instructions", count / 1e6),
        None => println!("smm --version: valgrind is not there, instructions were not counted"),
    }
    let mut times: Vec<f64> = (0..50)
        .map(|_| {
            let start = Instant::now();
            let status = Command::new(smm()).arg("--version").stdout(Stdio::null()).status().expect("smm runs");
            assert!(status.success());
            start.elapsed().as_secs_f64()
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!("smm --version: median {:.2} ms of 50 starts", times[25] * 1e3);
    if let Some(kilobytes) = memory() {
        println!("smm --version: peak memory {:.1} MiB", kilobytes / 1024.0);
    }
}

/// Instructions by callgrind.
fn instructions() -> Option<f64> {
    let folder = tempfile::tempdir().ok()?;
    // It runs in another folder.
    let path = std::path::absolute(smm()).ok()?.to_string_lossy().into_owned();
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", &path, "--version"])
        .current_dir(folder.path())
        .output()
        .ok()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let line = said.lines().find(|line| line.contains("Collected"))?;
    line.rsplit(':').next()?.trim().parse().ok()
}

/// Peak memory in kilobytes, by GNU time.
fn memory() -> Option<f64> {
    let output = Command::new("/usr/bin/time").args(["-f", "%M", &smm(), "--version"]).output().ok()?;
    String::from_utf8_lossy(&output.stderr).trim().parse().ok()
}
