//! Amounts for people: bytes in powers of 1000, times in their two largest units.

use std::fmt::Display;

/// `29.5 MB`.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if count < 1000 {
        return format!("{count} B");
    }
    let mut value = count as f64;
    let mut unit = "B";
    for next in UNITS {
        // 999.95 would be printed as 1000.0.
        if value < 999.95 {
            break;
        }
        value /= 1000.0;
        unit = next;
    }
    format!("{value:.1} {unit}")
}

/// `4.0 kB/s`.
pub fn rate(bytes_per_second: f64) -> String {
    format!("{}/s", bytes(bytes_per_second.round().max(0.0) as u64))
}

/// `2 h 3 min`.
pub fn duration(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{minutes} min {} s", seconds % 60),
        3600..86_400 => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

/// `10 min`, `24 h`: a whole number of the largest unit that divides it.
pub fn span(seconds: u64) -> String {
    match seconds {
        0 => "0 s".to_owned(),
        _ if seconds.is_multiple_of(3600) => format!("{} h", seconds / 3600),
        _ if seconds.is_multiple_of(60) => format!("{} min", seconds / 60),
        _ => format!("{seconds} s"),
    }
}

/// `2026-11-20T11:30:12Z`, of a time in seconds since 1970 (RFC 3339).
pub fn utc(unix_s: u64) -> String {
    // Days since 1 March of the year 0, so that a leap day is a year's last day (the civil calendar has eras of 400 years).
    let (days, second) = (unix_s / 86_400 + 719_468, unix_s % 86_400);
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (year, month) = if month < 10 { (year, month + 3) } else { (year + 1, month - 9) };
    let (hour, minute) = (second / 3600, second / 60 % 60);
    format!("{:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{:02}Z", era * 400 + year, second % 60)
}

/// `2026-11-20 11:30:12 UTC`, of a time in seconds since 1970.
pub fn moment(unix_s: u64) -> String {
    let utc = utc(unix_s);
    format!("{} UTC", utc.trim_end_matches('Z').replace('T', " "))
}

/// `37.8 C`, of tenths of a kelvin.
pub fn temperature(decikelvin: u32) -> String {
    degrees(celsius(decikelvin))
}

/// `37.8 C`.
pub fn degrees(celsius: f64) -> String {
    format!("{celsius:.1} C")
}

/// Converts tenths of a kelvin to degrees Celsius.
pub fn celsius(decikelvin: u32) -> f64 {
    f64::from(decikelvin) / 10.0 - 273.15
}

/// `3.25 V`.
pub fn volts(millivolts: u32) -> String {
    format!("{:.2} V", f64::from(millivolts) / 1000.0)
}

/// `12 ms`, then as [`duration`].
pub fn milliseconds(count: u64) -> String {
    if count < 1000 { format!("{count} ms") } else { duration(count / 1000) }
}

/// `0.3 s`.
pub fn waited(seconds: f64) -> String {
    format!("{seconds:.1} s")
}

/// `1 key`, `2 keys`.
pub fn many(count: impl Display, thing: &str) -> String {
    let count = count.to_string();
    format!("{count} {thing}{}", if count == "1" { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_one_decimal_from_a_kilobyte_on() {
        for (count, expected) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (999_949, "999.9 kB"),
            (999_950, "1.0 MB"),
            (29_520_000, "29.5 MB"),
            (u64::MAX, "18.4 EB"),
        ] {
            assert_eq!(bytes(count), expected);
        }
    }

    #[test]
    fn any_rate_is_printed() {
        for (value, expected) in
            [(4012.4, "4.0 kB/s"), (-1.0, "0 B/s"), (f64::NAN, "0 B/s"), (f64::INFINITY, "18.4 EB/s")]
        {
            assert_eq!(rate(value), expected);
        }
    }

    #[test]
    fn a_moment_has_its_date() {
        for (moment, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_795_174_212, "2026-11-20T11:30:12Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(utc(moment), expected);
        }
        assert_eq!(moment(1_795_174_212), "2026-11-20 11:30:12 UTC");
        assert_eq!([span(600), span(86_400), span(45)], ["10 min", "24 h", "45 s"]);
    }

    #[test]
    fn a_time_has_its_two_largest_units() {
        for (seconds, expected) in
            [(0, "0 s"), (59, "59 s"), (61, "1 min 1 s"), (7384, "2 h 3 min"), (183_600, "2 d 3 h")]
        {
            assert_eq!(duration(seconds), expected);
        }
        assert_eq!(milliseconds(12), "12 ms");
        assert_eq!(milliseconds(61_000), "1 min 1 s");
    }
}
