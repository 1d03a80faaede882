//! What a job of CI sees: no order in its log that smm did not give, its page, and secrets covered.

use std::process::Command;

use crate::support::{Run, TestEnv};

/// The lines that a runner would take for orders: white space before `::` is skipped, `##[` counts anywhere, and a line
/// ends at `\r` too.
fn orders(log: &str) -> Vec<&str> {
    log.split(['\n', '\r']).map(str::trim_start).filter(|line| line.starts_with("::") || line.contains("##[")).collect()
}

fn on(env: &TestEnv, service: &[(&str, &str)]) -> Command {
    let mut command = env.command();
    command.envs(service.iter().copied());
    command
}

fn run(command: &mut Command, args: &[&str]) -> Run {
    Run::from(command.args(args).output().expect("smm runs"))
}

const GITHUB: &[(&str, &str)] = &[("GITHUB_ACTIONS", "true"), ("CI", "true")];

/// A calendar of one post that is due, for a feed. Its text and its id's neighbours try to give orders.
fn hostile() -> TestEnv {
    let env = TestEnv::new();
    env.write(
        "calendar.toml",
        "name = \"acme\"\ntimezone = \"UTC\"\n[accounts.site]\nnetwork = \"feed\"\nfolder = \"public\"\n\
         [[posts]]\nid = \"now\"\nat = 2026-01-01T10:00:00\nto = [\"site\"]\nlate = { then = \"publish\" }\n\
         text = \"\"\"\n::error::x\n  ::add-mask::y\n##[error]z\n]]>\n\\u001B[0Ksection_start:1:a\\r\\u001B[0K\"\"\"\n\
         [[posts]]\nid = \"wrong\"\nat = \"::error::\\r::set-env name=A::B\"\ntext = \"##[add-mask]q\"\nto = [\"site\"]\n",
    );
    env
}

#[test]
fn nothing_that_others_wrote_is_an_order() {
    for args in [
        &["check"][..],
        &["check", "--format", "json"],
        &["check", "--format", "sarif"],
        &["preview"],
        &["preview", "--format", "json"],
        &["plan"],
        &["plan", "--format", "markdown"],
        &["publish", "--only", "\n::error::x"],
        &["nonsense\n::error::x ##[error]y"],
        &["check", "--format", "x\n::error::y"],
        &["check", "--", "no\n::error::such ##[error]file"],
        &["explain", "\n::error::x"],
    ] {
        let env = hostile();
        let told = run(&mut on(&env, GITHUB), args);
        for log in [&told.stdout, &told.stderr] {
            let foreign: Vec<&str> = orders(log)
                .into_iter()
                .filter(|line| !line.starts_with("::group::smm check: ") && *line != "::endgroup::")
                .collect();
            assert!(foreign.is_empty(), "{args:?}: {foreign:?} in {log}");
        }
        // Without a service the text is as it is: this is what the guard is for.
        if args == ["preview"] {
            let plain = run(&mut env.command(), args);
            assert!(!orders(&plain.stdout).is_empty(), "{}", plain.stdout);
        }
    }
}

#[test]
fn annotations_name_files_from_the_checkout() {
    let env = TestEnv::new();
    env.write("team/calendar.toml", "name = \"acme\"\ntimezone = \"Nowhere, %0A::/x\"\n");
    let root = env.path().to_str().expect("text").to_owned();
    let mut command = on(&env, GITHUB);
    command.env("GITHUB_WORKSPACE", &root).current_dir(env.path().join("team"));
    let told = run(&mut command, &["check", "--format", "github"]);
    assert!(told.stdout.starts_with("::error file=team/calendar.toml,line=2,col="), "{}", told.stdout);
    assert_eq!(told.stdout.lines().count(), 1, "{}", told.stdout);
    let mut command = on(&env, GITHUB);
    command.env("GITHUB_WORKSPACE", &root).current_dir(env.path().join("team"));
    let told = run(&mut command, &["check", "--format", "sarif"]);
    assert!(told.stdout.contains("\"uri\": \"team/calendar.toml\""), "{}", told.stdout);
    assert_eq!(told.status, 1);
}

#[test]
fn the_job_has_a_page() {
    let env = hostile();
    let page = env.write("summary.md", "before\n");
    let with_page = |args: &[&str]| {
        let mut command = on(&env, GITHUB);
        run(command.env("GITHUB_STEP_SUMMARY", &page), args)
    };
    assert_eq!(with_page(&["check"]).status, 1);
    let told = env.read("summary.md");
    assert!(told.starts_with("before\n### smm check\n") && told.contains("❌ error"), "{told}");
    assert!(!told.contains("::error::") && !told.contains('\r'), "{told}");
    let told = with_page(&["post", "Hello", "--to", "site", "--id", "hello"]);
    let (page, log) = (env.read("summary.md"), told.stdout);
    assert!(
        page.contains("### smm post\n\n1 published\n") && page.contains("✅ published"),
        "{page} {log} {}",
        told.stderr
    );
    assert!(log.starts_with("::group::smm post"), "{log}");
    // It stays within what the service takes.
    env.write("summary.md", "x".repeat(1024 * 1024 - 30));
    with_page(&["check"]);
    assert!(env.read("summary.md").len() <= 1024 * 1024);
    // And a page that cannot be written is no reason to fail.
    let mut command = on(&env, GITHUB);
    let told = run(command.env("GITHUB_STEP_SUMMARY", env.path()), &["explain", "text-too-long"]);
    assert_eq!(told.status, 0, "{told:?}");
}

#[test]
fn gitlab_has_sections_and_woodpecker_a_plain_log() {
    let env = hostile();
    let told = run(&mut on(&env, &[("GITLAB_CI", "true")]), &["check"]);
    assert!(
        told.stdout.starts_with("\u{1b}[0Ksection_start:") && told.stdout.ends_with(":smm-check\r\u{1b}[0K\n"),
        "{told:?}"
    );
    assert_eq!(told.stdout.matches('\u{1b}').count(), 4, "two marks, nothing else: {:?}", told.stdout);
    let told = run(&mut on(&env, &[("CI", "woodpecker")]), &["check"]);
    assert!(!told.stdout.contains(['\u{1b}', '\r']) && !told.stdout.contains("::group"), "{told:?}");
}

#[cfg(unix)]
#[test]
fn a_secret_is_covered_where_that_is_understood_and_printed_nowhere_else() {
    let secret = "a-token-that-nobody-may-see";
    let env = TestEnv::new();
    env.write("smm.toml", "[accounts.fedi]\nnetwork = \"mastodon\"\nserver = \"http://127.0.0.1:9\"\n");
    env.write("calendar.toml", "name = \"acme\"\ntimezone = \"UTC\"\n");
    env.write("credentials/fedi.token", secret);
    let post = |service: &[(&str, &str)]| {
        let mut command = on(&env, service);
        run(command.env("CREDENTIALS_DIRECTORY", env.path().join("credentials")), &["post", "Hello", "--to", "fedi"])
    };
    let told = post(GITHUB);
    assert!(told.stderr.contains(&format!("::add-mask::{secret}\n")), "{told:?}");
    assert!(!told.stdout.contains(secret), "{told:?}");
    for service in [&[][..], &[("GITLAB_CI", "true")], &[("CI", "woodpecker")]] {
        let told = post(service);
        assert!(!told.stderr.contains(secret) && !told.stdout.contains(secret), "{service:?}: {told:?}");
    }
    // Into a file it is not printed either: no runner reads it there.
    let log = std::fs::File::create(env.path().join("log")).expect("a file");
    let mut command = on(&env, GITHUB);
    command.env("CREDENTIALS_DIRECTORY", env.path().join("credentials")).stderr(log);
    run(&mut command, &["post", "Hello again", "--to", "fedi"]);
    assert!(!env.read("log").contains(secret), "{}", env.read("log"));
    // What the runner has put into the environment it covers itself.
    let mut command = on(&env, GITHUB);
    let told = run(command.env("SMM_FEDI_TOKEN", secret), &["post", "And again", "--to", "fedi"]);
    assert!(!told.stderr.contains(secret), "{told:?}");
}
