//! Fail points: `SMM_TRIAL_POINT=intent-written:3:kill` kills the process (`stop`: stops it as SIGSTOP does) when it is
//! there for the third time.

/// Every fail point, in the order of a delivery's life.
pub const POINTS: &[&str] = &[
    "claim",
    "claimed",
    "prepared",
    "intent",
    "intent-written",
    "send",
    "answered",
    "evidence-written",
    "recorded",
    "look",
    "looked",
    "repeat-written",
    "apply",
    "applied",
];

/// The process is here. Nothing happens, unless a test has asked for it.
#[cfg(not(feature = "testing"))]
#[inline]
pub const fn point(_name: &'static str) {}

/// The process is here. Nothing happens, unless `SMM_TRIAL_POINT` asks for it.
#[cfg(feature = "testing")]
pub fn point(name: &'static str) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    struct Wanted {
        name: String,
        left: AtomicU32,
        signal: rustix::process::Signal,
    }

    static WANTED: OnceLock<Option<Wanted>> = OnceLock::new();
    debug_assert!(POINTS.contains(&name), "{name} is not in the list of fail points");
    let wanted = WANTED.get_or_init(|| {
        let text = std::env::var("SMM_TRIAL_POINT").ok()?;
        let mut words = text.split(':');
        let name = words.next().unwrap_or_default().to_owned();
        assert!(POINTS.contains(&name.as_str()), "SMM_TRIAL_POINT names no fail point: {name}");
        let times = words.next().map_or(1, |times| times.parse().expect("a number of times"));
        let signal = match words.next() {
            None | Some("kill") => rustix::process::Signal::KILL,
            Some("stop") => rustix::process::Signal::STOP,
            Some(other) => panic!("SMM_TRIAL_POINT asks for `{other}`; there is `kill` and `stop`"),
        };
        Some(Wanted { name, left: AtomicU32::new(times), signal })
    });
    let Some(wanted) = wanted.as_ref().filter(|wanted| wanted.name == name) else { return };
    if wanted.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)) == Ok(1) {
        let me = rustix::process::getpid();
        rustix::process::kill_process(me, wanted.signal).expect("a process may signal itself");
    }
}
