//! Pushes that are cut: what became of them is found out.

use super::*;

/// The first push that claims does this.
fn claimed_while(first_push: &str) -> (Origin, Vec<Delivery>, String) {
    let origin = Origin::new();
    let mut machine = Machine::new(&origin, "here", &[]);
    put(&machine.open(), &row("release", "fedi"), "planned");
    let flag = origin.folder().join("cut");
    let script = format!(
        "case \" $* \" in *\" push \"*) if [ ! -e {flag} ]; then touch {flag}\n{first_push}\nfi;; esac\nexec \"$GIT\" \"$@\"\n",
        flag = flag.display()
    );
    machine.wrap(&origin, &script);
    let rows = wait(machine.open().claim(&ask(&["fedi"]))).expect("a claim");
    assert!(flag.exists(), "the script ran");
    let log = origin.git(&["log", "--format=%s", "refs/smm/ledger/state"]);
    (origin, rows, log)
}

#[test]
fn a_push_whose_answer_is_lost_has_worked() {
    if !has_git() {
        return;
    }
    let cut = "\"$GIT\" \"$@\" >/dev/null 2>&1\necho 'fatal: the remote end hung up unexpectedly' >&2\nexit 128";
    let (_origin, rows, log) = claimed_while(cut);
    assert_eq!(rows.len(), 1);
    assert_eq!(log.matches("claimed").count(), 1, "{log}");
}

#[test]
fn a_push_that_was_cut_before_is_pushed_again() {
    if !has_git() {
        return;
    }
    let (_origin, rows, log) = claimed_while("echo 'fatal: the remote end hung up unexpectedly' >&2\nexit 128");
    assert_eq!(rows.len(), 1);
    assert_eq!(log.matches("claimed").count(), 1, "{log}");
}

#[test]
fn a_lost_answer_is_found_beneath_what_others_have_done_since() {
    if !has_git() {
        return;
    }
    // Before the answer is lost, somebody else goes on from what was pushed.
    let origin = Origin::new();
    let mut machine = Machine::new(&origin, "here", &[]);
    let other = Machine::new(&origin, "there", &[]);
    put(&machine.open(), &row("release", "fedi"), "planned");
    let (flag, go, done) = (origin.folder().join("cut"), origin.folder().join("go"), origin.folder().join("done"));
    machine.wrap(
        &origin,
        &format!(
            "case \" $* \" in *\" push \"*) if [ ! -e {flag} ]; then touch {flag}\n\"$GIT\" \"$@\" >/dev/null 2>&1; touch {go}\n\
             n=0; while [ ! -e {done} ] && [ $n -lt 200 ]; do sleep 0.05; n=$((n+1)); done; exit 128\nfi;; esac\n\
             exec \"$GIT\" \"$@\"\n",
            flag = flag.display(),
            go = go.display(),
            done = done.display()
        ),
    );
    let meanwhile = std::thread::spawn(move || {
        for _ in 0..400 {
            if go.exists() {
                break;
            }
            std::thread::sleep(Duration::from_millis(25));
        }
        put(&other.open(), &row("release", "bsky"), "planned");
        std::fs::write(done, "").expect("written");
    });
    let ledger = machine.open();
    let rows = wait(ledger.claim(&ask(&["fedi"]))).expect("a claim");
    meanwhile.join().expect("it ends");
    assert_eq!(rows.len(), 1, "it was ours");
    let log = origin.git(&["log", "--format=%s", "refs/smm/ledger/state"]);
    assert_eq!(log.matches("claimed").count(), 1, "{log}");
    begin(&ledger, &rows[0]);
}

#[test]
fn a_server_that_never_answers_sends_nothing() {
    if !has_git() {
        return;
    }
    let origin = Origin::new();
    let mut machine = Machine::new(&origin, "here", &[]);
    put(&machine.open(), &row("release", "fedi"), "planned");
    machine.wrap(&origin, "case \" $* \" in *\" push \"*) echo 'fatal: unable to access: Connection reset' >&2; exit 128;; esac\nexec \"$GIT\" \"$@\"\n");
    let why = wait(machine.open().claim(&ask(&["fedi"]))).expect_err("no claim").to_string();
    assert!(why.contains("nothing is sent"), "{why}");
    assert_eq!(origin.refs(), ["refs/smm/ledger/state"]);
}
