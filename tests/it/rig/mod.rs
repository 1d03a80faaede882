//! The process rig: the real program killed to the step, killed at random, stopped in the middle of a call, and left without
//! a disk that keeps its word.

mod points;
