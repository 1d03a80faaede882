//! `smm plan`, `explain`, `completions`, `man`: commands that change nothing.

use crate::support::TestEnv;

const CALENDAR: &str = r#"
name = "acme"
timezone = "Europe/Berlin"

[accounts.site]
network = "feed"
folder = "public"

[defaults]
to = ["site"]

[[posts]]
id = "far"
at = 2090-12-01T09:00:00
text = "Far away."

[[posts]]
id = "weekly"
cron = "0 9 * * 1"
text = "Every Monday."
"#;

#[test]
fn a_plan_without_a_ledger_is_a_first_run_and_leaves_nothing_behind() {
    let env = TestEnv::new();
    env.write("calendar.toml", CALENDAR);
    let run = env.smm(&["plan", "--format", "json"]).expect(0);
    let plan = run.json();
    let rows = plan["deliveries"].as_array().expect("deliveries");
    assert_eq!(rows.len(), 6, "five Mondays and one far away: {}", run.stdout);
    assert_eq!(rows[0]["change"], "added");
    assert_eq!(rows[1]["change"], "later");
    let far = rows.iter().find(|row| row["post"] == "far").expect("far");
    assert_eq!((&far["due"], &far["civil"]), (&"2090-12-01T08:00:00Z".into(), &"2090-12-01T09:00:00".into()));
    assert_eq!((&far["account"], &far["network"], &far["state"]), (&"site".into(), &"feed".into(), &"planned".into()));
    assert!(!env.path().join("state").exists(), "reading makes no ledger");

    let shown = env.smm(&["plan", "--until", "in 30 days", "--limit", "2"]).expect(0).stdout;
    assert!(shown.contains("Mon ") && shown.contains("times in Europe/Berlin"), "{shown}");
    assert!(!shown.contains("2090"), "{shown}");
    let shown = env.smm(&["plan", "--format", "markdown"]).expect(0).stdout;
    assert!(shown.contains("| Fri 2090-12-01 09:00 | <code>far</code> | <code>site</code> | new |"), "{shown}");
    assert!(env.smm(&["plan", "--until", "someday"]).expect(2).stderr.contains("someday"));
}

#[test]
fn a_plan_tells_what_posts_cost() {
    let env = TestEnv::new();
    env.write("smm.toml", "[accounts.acme-x]\nnetwork = \"x\"\n");
    let posts = "[[posts]]\nid = \"paid\"\nat = 2090-12-02T09:00:00\nto = [\"acme-x\"]\n\
                 text = \"See https://acme.example/2.0\"\nthread = [\"And more.\"]\n";
    env.write("calendar.toml", format!("{CALENDAR}\n{posts}"));
    let shown = env.smm(&["plan"]).expect(0).stdout;
    assert!(shown.contains("costs $0.215") && shown.contains("what is to come costs $0.215;"), "{shown}");
    let plan = env.smm(&["plan", "--format", "json"]).expect(0).json();
    assert_eq!(plan["price"], "0.215");
    let prices: Vec<_> =
        plan["deliveries"].as_array().expect("deliveries").iter().filter_map(|row| row.get("price")).collect();
    assert_eq!(prices, ["0.215"], "what is free has no price");
}

#[test]
fn a_code_is_explained_and_the_nearest_offered() {
    let env = TestEnv::new();
    assert!(env.smm(&["explain", "text-too-long"]).expect(0).stdout.starts_with("text-too-long: "));
    assert!(env.smm(&["explain", "text-to-long"]).expect(1).stderr.contains("did you mean `text-too-long`?"));
    assert_eq!(env.smm(&["explain", "text-too-long", "--format", "json"]).expect(0).json()["code"], "text-too-long");
    let all = env.smm(&["explain", "--format", "json"]).expect(0).json();
    assert!(all["codes"].as_array().expect("codes").len() > 20);
}

#[test]
fn completions_and_manual_go_to_stdout() {
    let env = TestEnv::new();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        assert!(env.smm(&["completions", shell]).expect(0).stdout.contains("publish"), "{shell}");
    }
    env.smm(&["completions", "tcsh"]).expect(2);
    let manual = env.smm(&["man"]).expect(0).stdout;
    assert!(manual.contains(".TH smm 1") && manual.contains(".TH smm-publish 1"));
}
