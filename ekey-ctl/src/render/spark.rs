//! Sparklines: the last steps of a figure in one line of text.

use ekey_control::history::{Figure, Series};

const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const ASCII: [char; 8] = ['.', ':', '-', '=', '+', '*', '%', '#'];

/// Draws the newest `width` steps, one character each, the newest at the right. A step without a value is blank.
pub(crate) fn line(series: &Series, figure: Figure, width: usize, unicode: bool) -> String {
    // A temperature changes little compared with its value, and a degree must not look like a mountain.
    let room = if figure == Figure::Temperature { Some(20) } else { None };
    marks(&shown(series, figure, width).collect::<Vec<_>>(), room, width, unicode)
}

/// Returns the steps that [`line()`] shows.
pub(crate) fn shown(series: &Series, figure: Figure, width: usize) -> impl Iterator<Item = Option<u64>> {
    let column = series.column(figure);
    column.iter().skip(column.len().saturating_sub(width)).copied()
}

/// Draws values in `width` columns, one character each, at the right. The scale starts at 0; with `room` it starts at the lowest
/// value and covers at least that much.
pub(crate) fn marks(values: &[Option<u64>], room: Option<u64>, width: usize, unicode: bool) -> String {
    let marks = if unicode { BLOCKS } else { ASCII };
    let known = || values.iter().flatten().copied();
    let most = known().max().unwrap_or(0);
    let least = room.map_or(0, |room| known().min().unwrap_or(0).min(most.saturating_sub(room)));
    let range = (most - least).max(1) as f64;
    let mark = |value: u64| {
        let level = (value - least) as f64 / range * (marks.len() - 1) as f64;
        marks[(level.round() as usize).min(marks.len() - 1)]
    };
    let line: String = values.iter().map(|value| value.map_or(' ', mark)).collect();
    format!("{line:>width$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(values: &[Option<u64>]) -> Series {
        Series { rate_bytes_per_s: values.to_vec(), temperature_decikelvin: values.to_vec(), ..Series::default() }
    }

    #[test]
    fn the_newest_is_at_the_right_and_the_highest_is_full() {
        let rate = series(&[Some(0), None, Some(50), Some(100)]);
        assert_eq!(line(&rate, Figure::Rate, 6, true), "  ▁ ▅█");
        assert_eq!(line(&rate, Figure::Rate, 2, false), "+#");
        assert_eq!(line(&series(&[]), Figure::Rate, 3, true), "   ");
        assert_eq!(line(&series(&[Some(0), Some(0)]), Figure::Rate, 2, true), "▁▁");
    }

    #[test]
    fn a_steady_temperature_is_a_steady_line() {
        let steady = line(&series(&[Some(3110), Some(3111), Some(3110)]), Figure::Temperature, 3, true);
        assert_eq!(steady, "███", "a tenth of a kelvin stays flat");
        let rising = line(&series(&[Some(3000), Some(3100)]), Figure::Temperature, 2, true);
        assert_eq!(rising, "▁█");
        let none = line(&series(&[Some(u64::MAX), Some(0)]), Figure::Temperature, 2, true);
        assert_eq!(none, "█▁");
    }
}
