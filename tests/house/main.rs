//! What holds for the project's own text.

mod arrows;
mod clocks;
mod files;
mod readme;
mod threats;
