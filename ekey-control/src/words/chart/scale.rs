//! Round numbers for a chart's axis.

use crate::status::history::Figure;

/// From the lowest to the highest value of an axis, and how far apart its lines are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scale {
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) step: f64,
}

/// The most lines of an axis, without the lowest.
const MOST_LINES: f64 = 5.0;

impl Scale {
    /// A scale with room for all of `values`. Temperatures need not begin at zero, everything else does. It ends at the `limit`
    /// of the values, if they have one.
    pub(super) fn new(figure: Figure, values: impl Iterator<Item = f64>, limit: Option<f64>) -> Self {
        let bounds = values.filter(|value| value.is_finite()).fold(None, |bounds: Option<(f64, f64)>, value| {
            Some(bounds.map_or((value, value), |(low, high)| (low.min(value), high.max(value))))
        });
        let (low, high) = match (figure, bounds) {
            (Figure::Temperature, Some((low, high))) => (low - 1.0, high + 1.0),
            (Figure::Temperature, None) => (20.0, 40.0),
            (_, bounds) => (0.0, bounds.map_or(1.0, |(_, high)| high)),
        };
        if let Some(limit) = limit.filter(|limit| *limit >= 1.0) {
            return Self { low: 0.0, high: limit, step: round_up(limit / MOST_LINES) };
        }
        let least = if figure.is_count() || figure == Figure::Waiting { 1.0 } else { 0.1 };
        let step = round_up((high - low) / MOST_LINES).max(least);
        let low = (low / step).floor() * step;
        let high = ((high / step).ceil() * step).max(low + step);
        Self { low, high, step }
    }

    /// The values that get a line: the steps with enough room below the highest, and the highest.
    pub(super) fn lines(self) -> impl Iterator<Item = f64> {
        let count = ((self.high - self.low) / self.step).round().clamp(0.0, 2.0 * MOST_LINES) as u32;
        let lines = (0..=count).map(move |index| self.low + f64::from(index) * self.step);
        let crowded = self.high - self.step / 2.0;
        lines.filter(move |value| *value < crowded).chain([self.high])
    }

    /// Where a value is, from 0 at the lowest to 1 at the highest.
    pub(super) fn place(self, value: f64) -> f64 {
        ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }
}

/// The next larger of 1, 2, 5, 10, 20, 50 and so on, or of their tenths.
fn round_up(value: f64) -> f64 {
    if value <= 0.0 || !value.is_finite() {
        return 1.0;
    }
    let power = power_of_ten(value);
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|digit| digit * power).find(|step| *step >= value * 0.999).unwrap_or(value)
}

/// The largest power of ten that is not above `value`. Without logarithms, so that the daemon need not carry libm in memory.
fn power_of_ten(value: f64) -> f64 {
    let mut power = 1.0;
    while power * 10.0 <= value && power < f64::MAX / 10.0 {
        power *= 10.0;
    }
    while power > value && power > f64::MIN_POSITIVE {
        power /= 10.0;
    }
    power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_has_few_round_lines_and_room_for_all() {
        for (figure, values, limit, expected) in [
            (Figure::Rate, &[3900.0, 4100.0][..], None, (0.0, 5000.0, 1000.0)),
            (Figure::Pool, &[0.0], None, (0.0, 1.0, 1.0)),
            (Figure::Pool, &[5_000.0], Some(1_048_576.0), (0.0, 1_048_576.0, 500_000.0)),
            (Figure::Pool, &[1_048_576.0], Some(1_048_576.0), (0.0, 1_048_576.0, 500_000.0)),
            (Figure::Rejected, &[1.0, 0.0], None, (0.0, 1.0, 1.0)),
            (Figure::Rejected, &[], None, (0.0, 1.0, 1.0)),
            (Figure::Waiting, &[3.0], None, (0.0, 3.0, 1.0)),
            (Figure::Temperature, &[45.7, 46.0], None, (44.5, 47.0, 0.5)),
        ] {
            let scale = Scale::new(figure, values.iter().copied(), limit);
            let close = (scale.low - expected.0).abs() < 1e-6 && (scale.high - expected.1).abs() < 1e-6;
            assert!(
                close && values.iter().all(|value| (0.0..=1.0).contains(&scale.place(*value))),
                "{scale:?}, {expected:?}"
            );
            assert!((2..=6).contains(&scale.lines().count()), "{scale:?} of {values:?}");
        }
    }

    #[test]
    fn nan_and_infinity_do_not_stretch_the_scale() {
        let scale = Scale::new(Figure::Rate, [f64::NAN, f64::INFINITY, 10.0].into_iter(), None);
        assert!(scale.high.is_finite() && scale.lines().count() < 7, "{scale:?}");
    }
}
