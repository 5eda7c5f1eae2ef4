//! Is what a key gives still random? Tests that go on for as long as the stream does, and statistics over a piece of it.
//!
//! [`Monitor`] judges one key's decrypted stream, byte after byte, by six [`Test`]s, and says when the key is to be put
//! aside and when it may be taken back. [`Firmware`] judges what the key says of itself. [`Examination`] holds a file to the same tests, and describes it.
//! Each test can be used alone as well.
//!
//! | test | what it catches | false alarm on good data, at `alpha` = 2^-40 |
//! |---|---|---|
//! | [`RepetitionCount`] (SP 800-90B 4.4.1) | a source that is stuck | 2^-40 a byte |
//! | [`AdaptiveProportion`] (4.4.2) | a value that comes far too often | 2^-37.6 a window of 512 bytes, see there |
//! | [`FipsRatio`] | a block structure that FIPS 140-2 sees | less than 2^-40 a block of 2,500 bytes |
//! | [`Bias`] | ones and zeros out of balance by 1 % | less than 2^-40 a window of 160,000 bytes |
//! | [`Repeats`]: period | the same up to 16 KiB over and over | 2^-63 a byte |
//! | [`Repeats`]: replay | up to 16 MiB of old data again | less than 2^-47 a byte |
//!
//! The first is the largest by far: on good data at a real key's 4,000 bytes a second, a false alarm comes once in nine
//! years, and the key is back some minutes later. `cargo run --release -p ekey-health --example power` shows what the
//! tests find, and how soon.
//!
//! It is a crate of its own, which knows no other and which the daemon and the tool both use, so that `ekey-ctl test` holds a
//! file to exactly the rules that the daemon holds a key to. It does no I/O and has no clock. Of what passes through it keeps
//! counts, single bytes, and 30-bit hashes of 64 bytes in about every 1,024: never a run of the bytes themselves; 40 KiB of memory a key.
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
pub use monitor::{Aside, Change, Judgement, Monitor};
pub use proportion::AdaptiveProportion;
pub use ratio::FipsRatio;
pub use repeats::Repeats;
pub use repetition::RepetitionCount;
pub use statistics::{Statistics, Summary};
