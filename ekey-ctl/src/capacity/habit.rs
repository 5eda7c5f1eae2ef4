//! How much clients ask for and when, and how many clients do so.

use std::fmt;
use std::str::FromStr;

use ekey_control::amount;

use super::chance::Chance;

/// How much a client asks for, and when.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Habit {
    /// A machine that starts together with all others: 512 bytes in the first minute, then 64 bytes a minute for its kernel.
    Boot,
    /// A person who generates keys: 600 bytes at random moments, once an hour on average.
    Gpg,
    /// A server that accepts connections: 64 bytes for each, at random moments, one a second on average.
    Tls,
    /// This many bytes a second, 64 at a time.
    Steady(f64),
    /// This many bytes at once, at equal intervals in seconds.
    Burst(u32, f64),
}

/// A number of clients with one habit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Crowd {
    pub(crate) clients: u32,
    pub(crate) habit: Habit,
}

/// A client's next request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Request {
    /// Seconds since the beginning.
    pub(super) at: f64,
    pub(super) bytes: u32,
}

/// Bytes of a usual request, of a kernel or of QEMU.
const USUAL: u32 = 64;
const MINUTE: f64 = 60.0;
const HOUR: f64 = 3600.0;
/// Bytes of the first request of a machine that starts.
const FIRST: u32 = 512;
/// Bytes to generate a key.
const MAKING: u32 = 600;

impl Habit {
    /// Returns the bytes a second of one client, on average over a long time.
    pub(crate) fn demand(self) -> f64 {
        match self {
            Self::Boot => f64::from(USUAL) / MINUTE,
            Self::Gpg => f64::from(MAKING) / HOUR,
            Self::Tls => f64::from(USUAL),
            Self::Steady(rate) => rate,
            Self::Burst(bytes, every) => f64::from(bytes) / every,
        }
    }

    /// Returns the approximate requests a second of one client.
    pub(crate) fn requests(self) -> f64 {
        match self {
            Self::Boot => 1.0 / MINUTE,
            Self::Gpg => 1.0 / HOUR,
            Self::Tls => 1.0,
            Self::Steady(rate) => rate / f64::from(USUAL),
            Self::Burst(_, every) => 1.0 / every,
        }
    }

    pub(super) fn first(self, chance: &mut Chance) -> Request {
        match self {
            Self::Boot => Request { at: chance.part() * MINUTE, bytes: FIRST },
            Self::Gpg => Request { at: chance.pause(HOUR), bytes: MAKING },
            Self::Tls => Request { at: chance.pause(1.0), bytes: USUAL },
            Self::Steady(rate) => Request { at: chance.part() * f64::from(USUAL) / rate, bytes: USUAL },
            Self::Burst(bytes, every) => Request { at: chance.part() * every, bytes },
        }
    }

    /// Returns the request after the one at `last` (seconds).
    pub(super) fn next(self, last: f64, chance: &mut Chance) -> Request {
        match self {
            Self::Boot => Request { at: last + MINUTE, bytes: USUAL },
            Self::Gpg => Request { at: last + chance.pause(HOUR), bytes: MAKING },
            Self::Tls => Request { at: last + chance.pause(1.0), bytes: USUAL },
            Self::Steady(rate) => Request { at: last + f64::from(USUAL) / rate, bytes: USUAL },
            Self::Burst(bytes, every) => Request { at: last + every, bytes },
        }
    }
}

impl fmt::Display for Habit {
    /// Writes the spelling of the command line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boot => f.write_str("boot"),
            Self::Gpg => f.write_str("gpg"),
            Self::Tls => f.write_str("tls"),
            Self::Steady(rate) => write!(f, "steady:{rate}"),
            Self::Burst(bytes, every) => write!(f, "burst:{bytes}/{every}s"),
        }
    }
}

impl Habit {
    /// Describes the habit in words.
    pub(crate) fn words(self) -> String {
        match self {
            Self::Boot => "all start in the first minute (512 B each), then 64 B a minute".to_owned(),
            Self::Gpg => "600 B at a time, once an hour on average".to_owned(),
            Self::Tls => "64 B at a time, once a second on average".to_owned(),
            Self::Steady(rate) => format!("{} each, 64 B at a time", amount::rate(rate)),
            Self::Burst(bytes, every) => format!("{} at once, each {every} s", amount::bytes(bytes.into())),
        }
    }
}

/// The error for any other text.
const EXPECTED: &str = "expected boot, gpg, tls, steady:BYTES_PER_S or burst:BYTES/EVERY, such as burst:64/10s";
/// More is a download, not a request.
const MOST_BURST: u32 = 1_000_000_000;
const MOST_RATE: f64 = 1e9;
/// The shortest interval, in seconds.
const SHORTEST: f64 = 0.001;
/// The longest interval in seconds: a year.
const LONGEST: f64 = 31_536_000.0;

impl FromStr for Habit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || EXPECTED.to_owned();
        match text.split_once(':') {
            None if text == "boot" => Ok(Self::Boot),
            None if text == "gpg" => Ok(Self::Gpg),
            None if text == "tls" => Ok(Self::Tls),
            Some(("steady", rate)) => {
                let rate = rate.parse::<f64>().map_err(|_| wrong())?;
                if (1e-3..=MOST_RATE).contains(&rate) { Ok(Self::Steady(rate)) } else { Err(wrong()) }
            }
            Some(("burst", burst)) => {
                let (bytes, every) = burst.split_once('/').ok_or_else(wrong)?;
                let bytes = bytes.parse().ok().filter(|bytes| (1..=MOST_BURST).contains(bytes)).ok_or_else(wrong)?;
                let every = seconds(every).filter(|every| (SHORTEST..=LONGEST).contains(every)).ok_or_else(wrong)?;
                Ok(Self::Burst(bytes, every))
            }
            _ => Err(wrong()),
        }
    }
}

/// Reads a time in seconds: `10`, `10s`, `5m` or `2h`.
fn seconds(text: &str) -> Option<f64> {
    let number = text.trim_end_matches(['s', 'm', 'h']);
    let unit = match &text[number.len()..] {
        "" | "s" => 1.0,
        "m" => MINUTE,
        "h" => HOUR,
        _ => return None,
    };
    number.parse::<f64>().ok().map(|number| number * unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_habit_reads_as_it_is_written() {
        for (text, habit) in [
            ("boot", Habit::Boot),
            ("gpg", Habit::Gpg),
            ("tls", Habit::Tls),
            ("steady:12.5", Habit::Steady(12.5)),
            ("burst:64/10s", Habit::Burst(64, 10.0)),
        ] {
            assert_eq!(text.parse(), Ok(habit));
            assert_eq!(habit.to_string(), text);
        }
        assert_eq!("burst:1/2m".parse(), Ok(Habit::Burst(1, 120.0)));
        assert_eq!("burst:1/1h".parse(), Ok(Habit::Burst(1, 3600.0)));
    }

    #[test]
    fn anything_else_is_rejected_with_what_is_expected() {
        for wrong in [
            "",
            "bot",
            "steady",
            "steady:",
            "steady:0",
            "steady:-1",
            "steady:nan",
            "steady:inf",
            "burst:64",
            "burst:0/1s",
        ] {
            assert!(wrong.parse::<Habit>().is_err_and(|words| words.contains("burst:64/10s")), "{wrong}");
        }
        for wrong in
            ["burst:64/0s", "burst:64/10d", "burst:64/-1", "burst:64/nan", "burst:99999999999/1s", "burst:1/sm"]
        {
            assert!(wrong.parse::<Habit>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_client_asks_for_what_its_habit_says() {
        let mut chance = Chance::new(1);
        for habit in [Habit::Gpg, Habit::Tls, Habit::Steady(3.0), Habit::Burst(100, 7.0)] {
            let mut request = habit.first(&mut chance);
            let (mut bytes, mut count) = (0.0, 0.0);
            for _ in 0..50_000 {
                bytes += f64::from(request.bytes);
                count += 1.0;
                request = habit.next(request.at, &mut chance);
            }
            let (demand, requests) = (bytes / request.at, count / request.at);
            assert!((demand / habit.demand() - 1.0).abs() < 0.03, "{habit}: {demand} B/s");
            assert!((requests / habit.requests() - 1.0).abs() < 0.03, "{habit}: {requests} requests a second");
        }
    }
}
