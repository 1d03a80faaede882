//! Memory and wake-ups of a daemon that has nothing to do, and the time that it needs to start.
//!
//!     cargo bench --bench idle
//!
//! `smm daemon` is a process of its own: once with an empty calendar, once with 1,000 posts to 100 accounts, which are
//! 100,000 planned deliveries a year ahead. Memory is what its `/proc` entry says: anonymous pages and all resident pages,
//! and the most that were resident; wake-ups are the voluntary context switches of all its threads while nothing happens.
//! Figures to hold: 10 MiB and no wake-up when empty; under 64 MiB with 100,000, ready within a second.
//!
//! Only on Linux: there is no `/proc` elsewhere.

#[cfg(target_os = "linux")]
use std::{
    fmt::Write as _,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

#[cfg(target_os = "linux")]
use process::Daemon;

#[cfg(target_os = "linux")]
#[path = "../tests/support/process.rs"]
mod process;

#[cfg(not(target_os = "linux"))]
fn main() {}

#[cfg(target_os = "linux")]
fn main() {
    // `cargo test --benches` only wants to see it run.
    let is_bench = std::env::args().any(|arg| arg == "--bench");
    let (posts, idle) = if is_bench { (1_000, Duration::from_secs(10)) } else { (20, Duration::from_millis(500)) };
    measure("empty", 0, 1, idle);
    measure("planned", posts, 100, idle);
}

/// Starts a daemon twice: the first one writes the rows, the second finds them.
#[cfg(target_os = "linux")]
fn measure(what: &str, posts: usize, accounts: usize, idle: Duration) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    write_files(folder.path(), posts, accounts);
    for turn in ["first start", "next start"] {
        let begin = Instant::now();
        // A hundred thousand lines are no part of what is measured.
        let daemon = Daemon::start(smm(folder.path(), accounts));
        wait_ready(&daemon);
        let ready = begin.elapsed();
        // What was read in is given back, the log is written.
        process::pause(1_000);
        let before = switches(daemon.child.id());
        std::thread::sleep(idle);
        let woken = switches(daemon.child.id()) - before;
        let memory = |name: &str| kibibytes(daemon.child.id(), name) / 1024.0;
        print(&format!(
            "{what:>8}, {:>7} deliveries, {turn}: ready after {:>6.0} ms; anonymous {:>6.1} MiB, resident {:>6.1} MiB, at \
             most {:>6.1} MiB; {woken} wake-ups in {:.1} s\n",
            posts * accounts,
            ready.as_secs_f64() * 1e3,
            memory("RssAnon"),
            memory("VmRSS"),
            memory("VmHWM"),
            idle.as_secs_f64()
        ));
        daemon.stops();
    }
}

#[cfg(target_os = "linux")]
fn wait_ready(daemon: &Daemon) {
    let end = Instant::now() + Duration::from_mins(5);
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let line = daemon.lines.recv_timeout(left).expect("it gets ready");
        if line["message"] == "ready" {
            return;
        }
    }
}

#[cfg(target_os = "linux")]
fn write_files(folder: &Path, posts: usize, accounts: usize) {
    let year = chrono::Datelike::year(&chrono::Utc::now()) + 1;
    let mut calendar = "name = \"bench\"\ntimezone = \"Europe/Berlin\"\n".to_owned();
    let mut config = String::new();
    let mut names = String::new();
    for account in 0..accounts {
        let _ = write!(names, "\"a{account}\", ");
        let _ = write!(
            config,
            "[accounts.a{account}]\nnetwork = \"mastodon\"\nserver = \"https://fedi{account}.example\"\n\n"
        );
    }
    let _ = write!(calendar, "\n[defaults]\nto = [{names}]\n");
    for post in 0..posts {
        let (day, hour, minute) = (1 + post / 60 % 28, 8 + post / 1_680, post % 60);
        let _ = write!(
            calendar,
            "\n[[posts]]\nid = \"post-{post}\"\nat = {year}-12-{day:02}T{hour:02}:{minute:02}:00\ntext = \"Acme {post} is out.\"\n"
        );
    }
    std::fs::write(folder.join("calendar.toml"), calendar).expect("a calendar");
    std::fs::write(folder.join("smm.toml"), config).expect("smm.toml");
}

#[cfg(target_os = "linux")]
fn smm(folder: &Path, accounts: usize) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_smm"));
    command.env_clear().current_dir(folder).env("STATE_DIRECTORY", folder.join("state")).env("HOME", folder);
    for account in 0..accounts {
        command.env(format!("SMM_A{account}_TOKEN"), "token");
    }
    command
}

/// A line of a process's `status`, in KiB.
#[cfg(target_os = "linux")]
fn kibibytes(process: u32, name: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("it lives");
    number(&status, name)
}

/// Voluntary context switches of all threads.
#[cfg(target_os = "linux")]
fn switches(process: u32) -> u64 {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).expect("it lives");
    let of = |thread: std::io::Result<std::fs::DirEntry>| {
        let status = std::fs::read_to_string(thread.ok()?.path().join("status")).ok()?;
        status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")?.trim().parse::<u64>().ok())
    };
    threads.filter_map(of).sum()
}

#[cfg(target_os = "linux")]
fn number(status: &str, name: &str) -> f64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).expect("a number")
}

#[cfg(target_os = "linux")]
#[expect(clippy::print_stdout, reason = "a bench tells its figures")]
fn print(text: &str) {
    print!("{text}");
}
