//! What the project's own files must be like.

mod arrows;
mod clocks;
mod imports;
mod language;
mod readme;
mod sources;
mod threats;
