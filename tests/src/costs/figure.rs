//! One figure: ours, a reference of the same run, and the bound.

use std::fmt;

/// One line of the table.
#[derive(Debug, Clone)]
pub struct Figure {
    /// What was measured.
    pub what: String,
    /// The unit of both values.
    pub unit: Unit,
    /// Our value.
    pub ours: f64,
    /// The reference's name and value.
    pub reference: Option<(&'static str, f64)>,
    /// The bound of our value.
    pub bound: Bound,
}

/// The unit of a value, as the measurement gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Seconds, shown in the unit that suits the value.
    Seconds,
    /// Kilobytes of 1,024 bytes.
    Kilobytes,
    /// Per cent of one core.
    PercentOfCore,
    /// Anything that is counted.
    Count,
    /// A count per second.
    PerSecond,
    /// A plain ratio.
    Times,
}

/// The bound of our value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bound {
    /// At most this much.
    Most(f64),
    /// At least this much.
    Least(f64),
    /// At most this many times the reference.
    MostTimes(f64),
    /// At least this many times the reference.
    LeastTimes(f64),
    /// At most this much more than the reference.
    MostMore(f64),
    /// From one to the other.
    Within(f64, f64),
    /// None: for information.
    None,
}

impl Figure {
    /// Makes a figure without reference and bound.
    #[must_use]
    pub fn new(what: impl Into<String>, unit: Unit, ours: f64) -> Self {
        Self { what: what.into(), unit, ours, reference: None, bound: Bound::None }
    }

    /// Adds a reference.
    #[must_use]
    pub fn against(mut self, what: &'static str, reference: f64) -> Self {
        self.reference = Some((what, reference));
        self
    }

    /// Adds a bound.
    #[must_use]
    pub fn bound(mut self, bound: Bound) -> Self {
        self.bound = bound;
        self
    }

    /// Returns our value divided by the reference.
    #[must_use]
    pub fn ratio(&self) -> Option<f64> {
        self.reference.map(|(_, reference)| self.ours / reference)
    }

    /// Returns whether our value meets its bound. A bound on a missing reference is missed.
    #[must_use]
    pub fn holds(&self) -> bool {
        let ratio = self.ratio().unwrap_or(f64::NAN);
        match self.bound {
            Bound::Most(most) => self.ours <= most,
            Bound::Least(least) => self.ours >= least,
            Bound::MostTimes(most) => ratio <= most,
            Bound::LeastTimes(least) => ratio >= least,
            Bound::MostMore(more) => self.reference.is_some_and(|(_, reference)| self.ours <= reference + more),
            Bound::Within(least, most) => (least..=most).contains(&self.ours),
            Bound::None => true,
        }
    }

    /// Returns the bound in words.
    #[must_use]
    pub fn bound_in_words(&self) -> String {
        let unit = self.unit;
        match self.bound {
            Bound::Most(most) => format!("at most {}", unit.show(most)),
            Bound::Least(least) => format!("at least {}", unit.show(least)),
            Bound::MostTimes(most) => format!("ratio at most {most}"),
            Bound::LeastTimes(least) => format!("ratio at least {least}"),
            Bound::MostMore(more) => format!("at most {} more", unit.show(more)),
            Bound::Within(least, most) => format!("{} to {}", unit.show(least), unit.show(most)),
            Bound::None => String::new(),
        }
    }
}

impl Unit {
    /// Formats a value with its unit.
    #[must_use]
    pub fn show(self, value: f64) -> String {
        match self {
            Self::Seconds if value < 1e-6 => format!("{:.0} ns", value * 1e9),
            Self::Seconds if value < 1e-3 => format!("{:.1} us", value * 1e6),
            Self::Seconds if value < 1.0 => format!("{:.1} ms", value * 1e3),
            Self::Seconds => format!("{value:.2} s"),
            Self::Kilobytes => format!("{value:.0} KB"),
            Self::PercentOfCore => format!("{value:.3} %"),
            Self::Count if value < 100.0 && value.fract() != 0.0 => format!("{value:.1}"),
            Self::Count => format!("{value:.0}"),
            Self::PerSecond if value < 100.0 => format!("{value:.1}/s"),
            Self::PerSecond => format!("{value:.0}/s"),
            Self::Times => format!("{value:.2}"),
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Seconds => "s",
            Self::Kilobytes => "KB",
            Self::PercentOfCore => "% of a core",
            Self::Count => "",
            Self::PerSecond => "1/s",
            Self::Times => "ratio",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_meets_its_bound_up_to_its_value() {
        let figure = |bound| Figure::new("x", Unit::Count, 4.0).against("y", 10.0).bound(bound);
        for (kept, missed) in [
            (Bound::Most(4.0), Bound::Most(3.9)),
            (Bound::Least(4.0), Bound::Least(4.1)),
            (Bound::MostTimes(0.4), Bound::MostTimes(0.39)),
            (Bound::LeastTimes(0.4), Bound::LeastTimes(0.41)),
            (Bound::MostMore(-6.0), Bound::MostMore(-6.1)),
            (Bound::Within(4.0, 5.0), Bound::Within(4.1, 5.0)),
        ] {
            assert!(figure(kept).holds() && !figure(missed).holds(), "{kept:?}, {missed:?}");
        }
    }

    #[test]
    fn a_bound_without_its_reference_is_missed() {
        for bound in [Bound::MostTimes(9.0), Bound::LeastTimes(0.0), Bound::MostMore(9.0)] {
            assert!(!Figure::new("x", Unit::Count, 1.0).bound(bound).holds(), "{bound:?}");
        }
    }
}
