//! Wrong usage and the commands that need no calendar.

use crate::support::TestEnv;

#[test]
fn wrong_usage_ends_with_2() {
    let env = TestEnv::new();
    env.smm(&["no-such-command"]).expect(2);
    env.smm(&[]).expect(2);
}

#[test]
fn the_version_is_told() {
    let run = TestEnv::new().smm(&["--version"]).expect(0);
    assert_eq!(run.stdout, concat!("smm ", env!("CARGO_PKG_VERSION"), "\n"));
}
