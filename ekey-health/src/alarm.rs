//! Describes the failure of a test.

use std::fmt;

/// The continuous tests, in the order in which they run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Test {
    /// SP 800-90B 4.4.1: one byte comes too often in a row.
    RepetitionCount,
    /// SP 800-90B 4.4.2: one byte comes too often within 512.
    AdaptiveProportion,
    /// Too many of the last 64 blocks of 20,000 bits fail FIPS 140-2.
    FipsRatio,
    /// Too many ones or zeros over 64 such blocks.
    Bias,
    /// The stream repeats itself at a fixed distance of at most 16 KiB.
    Period,
    /// Data of the last 16 MiB comes again.
    Replay,
}

impl Test {
    /// All tests.
    pub const ALL: [Self; 6] =
        [Self::RepetitionCount, Self::AdaptiveProportion, Self::FipsRatio, Self::Bias, Self::Period, Self::Replay];

    /// Returns the name that programs read, in kebab case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RepetitionCount => "repetition-count",
            Self::AdaptiveProportion => "adaptive-proportion",
            Self::FipsRatio => "fips-ratio",
            Self::Bias => "bias",
            Self::Period => "period",
            Self::Replay => "replay",
        }
    }

    /// Returns the place in [`Test::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// A failure of a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alarm {
    /// The test that failed.
    pub test: Test,
    /// The byte of the stream, counted from 0, at which the failure was certain.
    pub at_byte: u64,
    /// The value that the test saw. [`Alarm::words`] gives its meaning.
    pub observed: u64,
    /// The lowest value that is a failure.
    pub cutoff: u64,
    /// How many bytes, up to and including `at_byte`, are suspect.
    pub suspect: u64,
}

impl Alarm {
    /// Says for people what the test saw, and from where on it fails.
    pub fn words(&self) -> String {
        let Self { observed, cutoff, .. } = self;
        match self.test {
            Test::RepetitionCount => format!("one byte {observed} times in a row, {cutoff} is too often"),
            Test::AdaptiveProportion => format!("one byte {observed} times within 512, {cutoff} is too often"),
            Test::FipsRatio => format!("{observed} of 64 blocks fail FIPS 140-2, {cutoff} are too many"),
            Test::Bias => format!("ones and zeros differ by {observed} in 1,280,000 bits, {cutoff} is too much"),
            Test::Period => format!("it repeats itself every {observed} bytes"),
            Test::Replay => format!("{observed} pieces of the last 16 MiB have come again"),
        }
    }
}

impl fmt::Display for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} test failed at byte {}: {}", self.test.name(), self.at_byte, self.words())
    }
}
