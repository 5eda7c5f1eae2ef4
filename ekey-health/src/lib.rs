//! Judges whether the bytes of a key are still random: continuous tests of a stream, and statistics of a piece of it.
//!
//! [`Monitor`] judges one key's decrypted stream by six [`Test`]s. It says when to stop using the stream, and when to use it
//! again. [`Firmware`] judges the figures that the key states about itself. [`Examination`] judges a file by the same tests and
//! describes it. Each test also works alone.
//!
//! ```
//! use ekey_health::{Alpha, Change, Monitor, Test};
//!
//! // Tests with a false-alarm rate of 2^-40. After an alarm, 128 good blocks in a row make the stream fit again.
//! let mut monitor = Monitor::new(Alpha::default(), 128);
//! assert!(monitor.judge(b"These bytes raise no alarm: ").fit);
//!
//! // A source that is stuck.
//! let judgement = monitor.judge(&[0x5a; 32]);
//! assert!(!judgement.fit);
//! let Some(Change::Retired(alarm)) = judgement.change else { panic!("no alarm") };
//! assert_eq!(alarm.test, Test::RepetitionCount);
//! assert_eq!(alarm.words(), "one byte 6 times in a row, 6 is too often");
//! ```
//!
//! | test | what it finds | false alarm on good data, at `alpha` = 2^-40 |
//! |---|---|---|
//! | [`RepetitionCount`] (SP 800-90B 4.4.1) | a source that is stuck | 2^-40 a byte |
//! | [`AdaptiveProportion`] (4.4.2) | a value that comes far too often | 2^-37.6 a window of 512 bytes, see its documentation |
//! | [`FipsRatio`] | a block structure that FIPS 140-2 sees | less than 2^-40 a block of 2,500 bytes |
//! | [`Bias`] | ones and zeros out of balance by 1 % | less than 2^-40 a window of 160,000 bytes |
//! | [`Repeats`]: period | up to 16 KiB that repeat without end | 2^-63 a byte |
//! | [`Repeats`]: replay | data of the last 16 MiB again | less than 2^-47 a byte |
//!
//! The first rate is by far the largest: on good data, at a real key's 4,000 bytes a second, it gives one false alarm in nine
//! years, and some minutes later the key is back. `cargo run --release -p ekey-health --example power` shows what the tests find,
//! and how soon.
//!
//! The crate knows no other. The daemon and the tool both use it, so `ekey-ctl test` judges a file by exactly the rules by which
//! the daemon judges a key. It does no I/O and has no clock. Of the bytes that pass it keeps counts, single bytes, and 30-bit
//! hashes of 64 bytes for about one byte in 1,024, but never a run of the bytes themselves. A key takes 40 KiB of memory.
#![forbid(unsafe_code)]

mod alarm;
mod alpha;
mod battery;
mod bias;
mod binomial;
mod examination;
mod fips;
mod firmware;
mod monitor;
mod proportion;
mod ratio;
mod repeats;
mod repetition;
mod statistics;
#[cfg(test)]
mod streams;
mod word;

pub use alarm::{Alarm, Test};
pub use alpha::{Alpha, InvalidAlpha};
pub use battery::FipsCounts;
pub use bias::Bias;
pub use binomial::critical;
pub use examination::{Examination, Report};
pub use fips::{BLOCK_BYTES, FipsBlock, FipsOutcome};
pub use firmware::{Estimate, Firmware, Generators, Warning};
pub use monitor::{Change, Judgement, Monitor, Retirement};
pub use proportion::AdaptiveProportion;
pub use ratio::FipsRatio;
pub use repeats::Repeats;
pub use repetition::RepetitionCount;
pub use statistics::{Statistics, Summary};
