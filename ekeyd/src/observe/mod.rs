//! Observation of the daemon: the figures of the last day, and HTTP for monitoring programs and browsers.
//!
//! Everything here is read-only: no request changes anything, and no code here sees a byte of entropy.

mod history;
mod http;
mod metrics;
mod page;

pub(crate) use history::{Recorder, Sample, Totals};
pub(crate) use http::{Server, View};

#[cfg(test)]
#[path = "../../../ekey-control/tests/sample/mod.rs"]
mod sample;
