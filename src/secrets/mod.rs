//! The chain of sources that secrets come from.
