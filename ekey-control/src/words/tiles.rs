//! The four figures that come first on a screen: supply, taken, pool, clients waiting.

use super::amount;
use super::chart::{Range, Track};
use super::glance::Mood;
use crate::status::Status;
use crate::status::history::{Figure, History};

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tile {
    /// What it is.
    pub name: &'static str,
    /// The figure with its unit.
    pub value: String,
    /// What it is to be compared with.
    pub note: String,
    /// How good it is.
    pub mood: Mood,
}

/// Returns the four tiles. The rates are those of the newest step of the history.
pub fn tiles(status: &Status, history: &History) -> [Tile; 4] {
    let now = |figure| Track::new(history, figure, Range::Minutes).now();
    let shown = |rate: Option<f64>| rate.map_or_else(|| "–".to_owned(), amount::rate);
    let pool = &status.pool;
    let taken = status.taken().map(|(_, bytes)| bytes).fold(0, u64::saturating_add);
    let (waiting, clients) = status.waiting();
    let mood = |bad: bool| if bad { Mood::Soon } else { Mood::Good };
    let running = status.running();
    [
        Tile {
            name: "Supply",
            value: shown(now(Figure::Rate)),
            note: format!("{running} of {} running", amount::many(status.keys.len(), "key")),
            mood: mood(running < status.keys.len()),
        },
        Tile {
            name: "Taken",
            value: shown(now(Figure::Taken)),
            note: format!("{} since the start", amount::bytes(taken)),
            mood: Mood::Good,
        },
        Tile {
            name: "Pool",
            value: amount::bytes(pool.bytes),
            note: format!("limit {}", amount::bytes(pool.capacity)),
            mood: mood(pool.bytes == 0),
        },
        Tile {
            name: "Clients waiting",
            value: waiting.to_string(),
            note: format!("of {} connected", amount::many(clients, "client")),
            mood: mood(waiting > 0),
        },
    ]
}
