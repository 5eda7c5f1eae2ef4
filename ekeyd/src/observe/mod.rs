//! Letting others see how the daemon does: the figures of the last day, and HTTP for monitoring programs and browsers.
//!
//! All of it only looks. Nothing that is asked here changes anything, and none of it sees a byte of entropy.

mod history;
mod http;
mod metrics;
mod page;

pub(crate) use history::{Recorder, Sample, Totals};
pub(crate) use http::{Server, View};

#[cfg(test)]
#[path = "../../../ekey-control/tests/sample/mod.rs"]
mod sample;
