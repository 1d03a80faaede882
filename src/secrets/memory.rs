//! Secrets in this process's memory: what it takes that nobody else gets to see them.

/// Switches core dumps of this process off. What is in its memory, and the environment that it was started with, are then
/// hidden from other programs of the same user too (`proc(5)`, `PR_SET_DUMPABLE`); programs that it starts are as usual.
/// On other systems than Linux nothing is done.
pub fn keep_in_memory() {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};

        // It cannot fail on a Linux of today, and the program is of use without it.
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
}
