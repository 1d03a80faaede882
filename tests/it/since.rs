//! `smm plan --since`: what a change does, read from git's objects.

use std::process::Command;

use serde_json::Value;

use crate::support::TestEnv;

/// Most bytes of a comment: what GitHub takes, less a line that a bot may want to add.
const COMMENT: usize = 65_000;

/// A repository with a calendar for one feed and one stand-in account.
struct Repository {
    env: TestEnv,
}

const HEAD: &str = "name = \"acme\"\ntimezone = \"UTC\"\ninclude = [\"more/*.toml\"]\n[defaults]\nto = [\"fedi\"]\n";

impl Repository {
    fn new(posts: &str) -> Self {
        let env = TestEnv::new();
        env.write("smm.toml", "[accounts.fedi]\nnetwork = \"mastodon\"\nserver = \"https://fedi.example\"\n");
        env.write("calendar.toml", format!("{HEAD}{posts}"));
        env.write("more/a.toml", post("included", "2999-01-01T09:00:00", "text = \"From a file\""));
        let repository = Self { env };
        repository.git(&["init", "--quiet", "--initial-branch=main"]);
        repository.commit();
        repository
    }

    fn git(&self, args: &[&str]) -> String {
        let output = Command::new("git")
            .current_dir(self.env.path())
            .env("HOME", self.env.path())
            .args(["-c", "user.name=a", "-c", "user.email=a@acme.example", "-c", "commit.gpgsign=false"])
            .args(args)
            .output()
            .expect("git runs");
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text").trim().to_owned()
    }

    fn commit(&self) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message=x"]);
    }

    fn change(&self, posts: &str) {
        self.env.write("calendar.toml", format!("{HEAD}{posts}"));
    }

    fn plan(&self, format: &str) -> String {
        let run = self.env.smm(&["plan", "--since", "HEAD", "--format", format]);
        assert_eq!(run.status, 0, "{run:?}");
        run.stdout
    }

    fn changes(&self) -> Vec<(String, String)> {
        let plan: Value = serde_json::from_str(&self.plan("json")).expect("JSON");
        let word = |change: &Value, key: &str| change[key].as_str().expect("a word").to_owned();
        plan["changes"].as_array().expect("a list").iter().map(|one| (word(one, "post"), word(one, "change"))).collect()
    }
}

fn post(id: &str, at: &str, more: &str) -> String {
    format!("\n[[posts]]\nid = \"{id}\"\nat = {at}\n{more}\n")
}

fn pairs(changes: &[(String, String)]) -> Vec<(&str, &str)> {
    changes.iter().map(|(post, change)| (post.as_str(), change.as_str())).collect()
}

#[test]
fn what_a_change_adds_moves_drops_and_would_send_again() {
    let out = "text = \"We are live\"";
    let repository = Repository::new(
        &(post("out", "2020-01-01T09:00:00", out)
            + &post("kept", "2020-01-02T09:00:00", "text = \"As it was\"")
            + &post("moved", "2999-02-01T09:00:00", "text = \"m\"")
            + &post("dropped", "2999-03-01T09:00:00", "text = \"d\"")),
    );
    assert!(repository.changes().is_empty());
    assert!(repository.plan("markdown").contains("this changes nothing that is published"));
    repository.change(
        &(post("live", "2999-01-01T10:00:00", out)
            + &post("kept", "2020-01-02T09:00:00", "text = \"Edited after it went out\"")
            + &post("moved", "2999-02-02T09:00:00", "text = \"m\"")
            + &post("new", "2999-04-01T09:00:00", "text = \"n\"")),
    );
    repository.env.write("more/a.toml", post("included", "2999-01-01T09:00:00", "text = \"Edited in a file\""));
    assert_eq!(
        pairs(&repository.changes()),
        [
            ("live", "again"),
            ("new", "new"),
            ("moved", "moved"),
            ("included", "edited"),
            ("dropped", "dropped"),
            ("out", "nothing"),
            ("kept", "nothing"),
        ]
    );
    let human = repository.plan("human");
    assert!(human.contains("renamed_from = \"out\"") && human.contains("was Fri 2999-02-01 09:00"), "{human}");
    let comment = repository.plan("markdown");
    assert_eq!(comment, repository.plan("markdown"), "the same answer for the same input");
    assert!(comment.starts_with("<!-- smm plan of acme -->\n"), "{comment}");
    assert!(comment.contains("would be sent again") && comment.contains("Edited in a file"), "{comment}");
    // The work tree is as it was.
    assert_eq!(repository.git(&["status", "--porcelain"]), "M calendar.toml\n M more/a.toml");
}

#[test]
fn nothing_of_a_calendar_acts_in_a_comment() {
    let repository = Repository::new("");
    let nasty = "text = \"\"\"\n@team #12 org/repo#1 deadbeefdeadbeef https://github.com/o/r/issues/1\n\
                 ````\n</pre></details><img src=x onerror=alert(1)>\n::error::x\n##[error]y\n/close\n| a | b |\n\\u202Ereversed\\u001B[31m\"\"\"\n\
                 link = \"https://github.com/o/r/pull/2\"";
    repository.change(&post("nasty", "2999-01-01T10:00:00", nasty));
    let comment = repository.plan("markdown");
    for bad in ["@", " #12", "deadbeef", "https://", "`", "<img", "::error", "##[", "\n/close", "\u{202e}", "\u{1b}"] {
        assert!(!comment.contains(bad), "{bad}: {comment}");
    }
    assert_eq!(comment.matches("</details>").count(), 1, "{comment}");
    assert!(comment.contains("u&#123;202e&#125;"), "what is hidden is shown: {comment}");
    let json: Value = serde_json::from_str(&repository.plan("json")).expect("JSON");
    let text = json["changes"][0]["renderings"][0]["parts"][0]["text"].as_str().expect("a text");
    assert!(text.starts_with("@team #12"), "{text}");
}

#[test]
fn a_comment_fits_and_says_what_is_left_out() {
    let repository = Repository::new("");
    let text = format!("text = \"{}\"", "words & signs <> ".repeat(25));
    let posts: String = (0..1500).map(|n| post(&format!("post-{n}"), "2999-01-01T10:00:00", &text)).collect();
    repository.change(&posts);
    let comment = repository.plan("markdown");
    assert!(comment.len() <= COMMENT, "{}", comment.len());
    assert!(comment.len() > COMMENT / 2, "{}", comment.len());
    assert_eq!(comment.matches("<details>").count(), comment.matches("</details>").count());
    assert_eq!(comment.matches("<pre>").count(), comment.matches("</pre>").count());
    assert!(comment.contains(" more\n") && comment.contains("whose texts do not fit here"), "{comment}");
}

#[test]
fn a_revision_that_is_not_there_is_told_with_what_to_do() {
    let repository = Repository::new(&post("a", "2999-01-01T10:00:00", "text = \"a\""));
    let refused = |env: &TestEnv, revision: &str| {
        let run = env.smm(&["plan", "--since", revision]);
        assert_ne!(run.status, 0, "{run:?}");
        run.stderr
    };
    assert!(refused(&repository.env, "origin/main").contains("git fetch --depth=1 origin main"));
    let run = repository.env.smm(&["plan", "--since=--output=x"]);
    assert!(run.status == 2 && run.stderr.contains("is not a revision"), "{run:?}");
    assert!(!repository.env.path().join("x").exists());
    repository.change(&post("b", "2999-01-01T10:00:00", "text = \"b\""));
    repository.commit();
    // A shallow clone knows the last commit alone.
    let clone = TestEnv::new();
    let from = format!("file://{}", repository.env.path().display());
    let done = Command::new("git")
        .args(["clone", "--quiet", "--depth=1", &from, "."])
        .current_dir(clone.path())
        .status()
        .expect("git runs");
    assert!(done.success());
    let told = refused(&clone, "HEAD~1");
    assert!(told.contains("shallow") && told.contains("git fetch --deepen"), "{told}");
    let run = clone.smm(&["plan", "--since", "HEAD"]);
    assert_eq!(run.status, 0, "{run:?}");
    // And there may be no repository at all.
    let bare = TestEnv::new();
    bare.write("calendar.toml", HEAD);
    assert!(refused(&bare, "HEAD").contains("not in a git repository"));
}

#[test]
fn a_calendar_that_is_new_and_one_in_a_folder() {
    let repository = Repository::new("");
    repository.env.write(
        "team/calendar.toml",
        "name = \"team\"\ntimezone = \"UTC\"\n".to_owned()
            + &post("x", "2999-01-01T10:00:00", "text = \"x\"\nto = [\"site\"]")
            + "[accounts.site]\nnetwork = \"feed\"\nfolder = \"public\"\n",
    );
    let plan = |env: &TestEnv| env.smm(&["plan", "team", "--since", "HEAD", "--format", "json"]);
    let run = plan(&repository.env);
    let told: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run:?}"));
    assert_eq!(told["changes"][0]["change"], "new");
    repository.commit();
    let told: Value = serde_json::from_str(&plan(&repository.env).stdout).expect("JSON");
    assert_eq!(told["changes"].as_array().map(Vec::len), Some(0), "{told}");
}

#[test]
fn a_ledger_says_what_is_out() {
    let feed = "[accounts.site]\nnetwork = \"feed\"\nfolder = \"public\"\n";
    let text = |text: &str| {
        format!(
            "{feed}{}",
            post(
                "now",
                "2026-01-01T10:00:00",
                &format!("text = \"{text}\"\nto = [\"site\"]\nlate = {{ then = \"publish\" }}")
            )
        )
    };
    let repository = Repository::new(&text("first"));
    let run = repository.env.smm(&["publish"]);
    assert_eq!(run.status, 0, "{run:?}");
    repository.change(&text("second"));
    let run = repository.env.smm(&["plan", "--since", "HEAD", "--format", "json"]);
    let told: Value = serde_json::from_str(&run.stdout).expect("JSON");
    assert_eq!(
        (&told["ledger"], &told["changes"][0]["change"]),
        (&Value::Bool(true), &Value::from("nothing")),
        "{told}"
    );
    assert!(told["changes"][0]["note"].as_str().expect("a note").starts_with("it is out"), "{told}");
    let run = repository.env.smm(&["plan", "--since", "HEAD", "--no-ledger", "--format", "json"]);
    assert!(run.stdout.contains("its time is past"), "{run:?}");
}
