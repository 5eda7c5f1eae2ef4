//! The command line of `capacity`.

use std::path::PathBuf;

use clap::Args;

use super::{Force, Json};
use crate::capacity::{Crowd, Habit};

#[derive(Debug, Args)]
pub(crate) struct Capacity {
    /// Number of clients, with the habit of --habit or their own, such as 100:burst:64/10s; repeatable
    #[arg(long, value_name = "N[:HABIT]", value_parser = clients)]
    pub(crate) clients: Vec<Clients>,
    /// boot: 512 bytes in the first minute, then 64 a minute; gpg: 600 once an hour; tls: 64 once a second; steady:BYTES_PER_S;
    /// burst:BYTES/EVERY
    #[arg(long, value_name = "HABIT", requires = "clients")]
    pub(crate) habit: Option<Habit>,
    /// Number of keys [default: the daemon's, else 1]
    #[arg(long, value_name = "N", requires = "clients", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) keys: Option<u32>,
    /// Supply of each key [default: as the daemon's keys, else 4032]
    #[arg(long, value_name = "BYTES_PER_S", requires = "clients", value_parser = supply)]
    pub(crate) supply: Option<f64>,
    /// Hours to simulate, 0.001 to 168
    #[arg(long, value_name = "H", default_value = "1", requires = "clients", value_parser = hours)]
    pub(crate) hours: f64,
    /// Enough means: 99 of 100 requests are answered within this many seconds
    #[arg(long, value_name = "S", default_value = "1", requires = "clients", value_parser = within)]
    pub(crate) within: f64,
    /// Seed: the same number gives the same simulation
    #[arg(long, value_name = "N", default_value = "1", requires = "clients")]
    pub(crate) seed: u64,
    /// Draw demand, supply, pool and waiting clients over time to this SVG file; `-` is standard output
    #[arg(long, value_name = "FILE", requires = "clients", conflicts_with = "json")]
    pub(crate) svg: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) force: Force,
    #[command(flatten)]
    pub(crate) json: Json,
}

/// A number of clients, with their own habit or the common one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Clients {
    number: u32,
    habit: Option<Habit>,
}

impl Capacity {
    /// Returns all clients with their habits, `None` if some have no habit.
    pub(crate) fn crowds(&self) -> Option<Vec<Crowd>> {
        let crowd = |clients: &Clients| Some(Crowd { clients: clients.number, habit: clients.habit.or(self.habit)? });
        self.clients.iter().map(crowd).collect()
    }
}

/// More clients than any machine has.
const MOST_CLIENTS: u32 = 1_000_000;

fn clients(text: &str) -> Result<Clients, String> {
    let (number, habit) = match text.split_once(':') {
        Some((number, habit)) => (number, Some(habit.parse()?)),
        None => (text, None),
    };
    let number = number.parse().ok().filter(|number| (1..=MOST_CLIENTS).contains(number));
    let number = number.ok_or_else(|| format!("expected a number of clients from 1 to {MOST_CLIENTS}"))?;
    Ok(Clients { number, habit })
}

fn supply(text: &str) -> Result<f64, String> {
    between(text, 1.0, 1e9, "bytes a second")
}

fn hours(text: &str) -> Result<f64, String> {
    between(text, 0.001, 168.0, "hours")
}

fn within(text: &str) -> Result<f64, String> {
    between(text, 0.0, 86_400.0, "seconds")
}

fn between(text: &str, least: f64, most: f64, what: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| format!("expected a number of {what} from {least} to {most}"))
}
