//! Claim, run, settle, reconcile: a pure core and a thin driver.
