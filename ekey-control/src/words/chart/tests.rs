//! What is drawn, and what is said of it.

use super::*;
use crate::status::history::{COARSE_STEP_S, COARSE_STEPS, FINE_STEP_S, FINE_STEPS, Series};

fn series(step_s: u32, end_unix_s: u64, values: Vec<Option<u64>>) -> Series {
    Series {
        step_s,
        end_unix_s,
        rate_bytes_per_s: values.clone(),
        pool_bytes: values.clone(),
        temperature_decikelvin: values.iter().map(|value| value.map(|value| 2731 + value)).collect(),
        rejected_frames: values.clone(),
        recoveries: values.clone(),
        taken_bytes_per_s: values.clone(),
        taken_by_outlet: [("egd".to_owned(), values.clone()), ("file".to_owned(), vec![Some(0); values.len()])].into(),
        waiting_clients: values,
    }
}

fn history(fine: Vec<Option<u64>>, coarse: Vec<Option<u64>>, since: u64) -> History {
    let end = 1_700_000_000;
    History { format: 1, fine: series(FINE_STEP_S, end, fine), coarse: series(COARSE_STEP_S, end - since, coarse) }
}

#[test]
fn ten_minutes_are_the_fine_steps_as_they_are() {
    let history = history(vec![Some(1), None, Some(3)], Vec::new(), 0);
    let track = Track::new(&history, Figure::Rate, Range::usual(&history));
    let point = |from_s, to_s, value| Point { from_s, to_s, value };
    assert_eq!((track.span_s, track.points.as_slice()), (120, &[point(15, 10, 1.0), point(5, 0, 3.0)][..]));
    assert_eq!(track.words(), "now 3 B/s, from 1 B/s to 3 B/s in the last 2 min");
}

#[test]
fn a_day_is_coarse_steps_and_one_point_of_fine_ones() {
    let history = history(vec![Some(9), Some(2), Some(4)], vec![Some(5), Some(7)], 10);
    let seen = |figure| Track::new(&history, figure, Range::Day).points.last().map(|point| (point.from_s, point.value));
    assert_eq!(seen(Figure::Rate), Some((10, 3.0)), "the mean");
    assert_eq!(seen(Figure::Pool), Some((10, 2.0)), "the lowest");
    assert_eq!(seen(Figure::Rejected), Some((10, 6.0)), "the sum");
    let track = Track::new(&history, Figure::Rejected, Range::Day);
    assert_eq!((track.span_s, track.points.len()), (3600, 3));
    assert_eq!(track.words(), "18 in the last 1 h");
}

#[test]
fn the_day_is_shown_from_an_hour_on_and_widens() {
    for (steps, expected, span) in [
        (11, Range::Minutes, 600),
        (12, Range::Day, 3 * HOUR),
        (100, Range::Day, 12 * HOUR),
        (COARSE_STEPS, Range::Day, 24 * HOUR),
    ] {
        let history = history(vec![Some(1); FINE_STEPS], vec![Some(1); steps], 295);
        let range = Range::usual(&history);
        assert_eq!((range, Track::new(&history, Figure::Rate, range).span_s), (expected, span), "{steps} steps");
    }
}

#[test]
fn the_line_breaks_where_nothing_is_known() {
    let history = history(vec![Some(1), Some(2), None, Some(3)], Vec::new(), 0);
    let drawn = chart(&history, Figure::Rate).draw();
    assert_eq!(drawn.matches("class=\"line\"").count(), 2, "{drawn}");
    for range in Range::ALL {
        let track = Track::new(&History::default(), Figure::Temperature, range);
        assert!(track.words().starts_with("nothing known"), "{}", track.words());
        assert!(Chart::all(&History::default(), range, 0)[0].draw().contains("nothing known yet"));
    }
}

#[test]
fn counts_are_bars_and_none_is_said_so() {
    let history = history(vec![Some(0), Some(2), Some(0)], Vec::new(), 0);
    let drawn = chart(&history, Figure::Rejected).draw();
    assert_eq!((drawn.matches("<rect").count(), drawn.matches("class=\"line\"").count()), (1, 0), "{drawn}");
    let none = Track {
        points: vec![Point { from_s: 5, to_s: 0, value: 0.0 }],
        ..Track::new(&history, Figure::Rejected, Range::Minutes)
    };
    assert_eq!(none.words(), "none in the last 2 min");
}

#[test]
fn nonsense_from_a_daemon_is_drawn_without_panic() {
    let nonsense = History {
        fine: Series { rate_bytes_per_s: vec![Some(u64::MAX); 100_000], step_s: u32::MAX, ..Series::default() },
        coarse: Series { end_unix_s: u64::MAX, recoveries: vec![Some(u64::MAX); 1000], step_s: 0, ..Series::default() },
        ..History::default()
    };
    let late =
        History { fine: Series { end_unix_s: u64::MAX, ..nonsense.fine.clone() }, ..history(vec![], vec![Some(1)], 0) };
    let caption = Caption { host: "", keys: "<&\"'\u{1b}", warning: None, capacity: u64::MAX };
    assert!(sheet(&late, Range::Day, &caption).ends_with("</svg>\n"));
    for range in Range::ALL {
        let sheet = sheet(&nonsense, range, &caption);
        assert!(sheet.contains("&lt;&amp;&quot;&#39;?") && !sheet.contains("NaN"), "{range:?}");
    }
}

fn chart(history: &History, figure: Figure) -> Chart {
    let all = Chart::all(history, Range::Minutes, 1_048_576);
    all.into_iter().find(|chart| chart.lines[0].1.figure == figure).expect("each figure has a chart")
}

#[test]
fn demand_has_a_line_for_each_outlet_that_took_any() {
    let mut history = history(vec![Some(7), Some(9)], Vec::new(), 0);
    let names = |chart: Chart| chart.lines.into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(names(chart(&history, Figure::Taken)), ["egd"], "the file took nothing");
    history.fine.taken_by_outlet.insert("kernel".to_owned(), vec![Some(1), Some(2)]);
    let demand = chart(&history, Figure::Taken);
    assert_eq!(demand.summary(), "egd now 9 B/s, from 7 B/s to 9 B/s; kernel now 2 B/s, from 1 B/s to 2 B/s");
    assert_eq!(demand.steps().last(), Some(&(0, "egd 9 B/s, kernel 2 B/s".to_owned())));
    let drawn = demand.draw();
    assert!(drawn.contains(">egd</text>") && drawn.contains("class=\"line b\""), "{drawn}");
}

#[test]
fn the_steps_cover_the_span_and_name_the_unknown() {
    let history = history(vec![Some(1), None, Some(3), None], Vec::new(), 0);
    let steps = chart(&history, Figure::Rate).steps();
    let expected = [(20, "nothing known"), (15, "1 B/s"), (10, "nothing known"), (5, "3 B/s"), (0, "nothing known")];
    assert_eq!(steps, expected.map(|(back, words)| (back, words.to_owned())));
    assert_eq!(chart(&history, Figure::Rate).summary(), "now not known, from 1 B/s to 3 B/s");
}

#[test]
fn every_unit_is_written_alike_in_words_and_on_axes() {
    let history = history(vec![Some(4000), Some(4100)], Vec::new(), 0);
    for (figure, unit) in [(Figure::Rate, " kB/s<"), (Figure::Taken, " kB/s<"), (Figure::Temperature, " C<")] {
        let chart = chart(&history, figure);
        assert!(chart.draw().contains(unit), "{figure:?}: {}", chart.draw());
        assert!(chart.summary().contains(unit.trim_end_matches('<')), "{}", chart.summary());
        assert!(!chart.draw().contains('°') && !chart.summary().contains('°'), "{figure:?}");
    }
    assert!(chart(&history, Figure::Pool).draw().contains(">1 MB</text>"), "the axis ends at the limit");
}

#[test]
fn an_empty_chart_is_a_line_on_the_sheet() {
    let mut history = history(vec![Some(4000), Some(4100)], Vec::new(), 0);
    history.fine.rejected_frames = vec![Some(0), Some(0)];
    history.fine.waiting_clients = vec![Some(0), Some(0)];
    let caption = Caption { host: "keyhost", keys: "K", warning: Some("NOT RANDOM"), capacity: 1_048_576 };
    let sheet = sheet(&history, Range::Minutes, &caption);
    assert!(sheet.contains("Clients waiting: none · Rejected frames: none"), "{sheet}");
    assert_eq!(sheet.matches("class=\"cursor\"").count(), 5);
    let line =
        |text: &str| sheet.split("<text ").find(|part| part.contains(text)).and_then(|part| part.split("y=").nth(1));
    assert!(sheet.contains("<title>keyhost, last 10 minutes until 2023-11-14 22:13:20 UTC</title>"), "{sheet:.200}");
    assert_ne!(line("NOT RANDOM").map(|y| &y[..4]), line("keyhost, last").map(|y| &y[..4]), "each on its own line");
}
