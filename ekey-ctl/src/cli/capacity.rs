//! What `capacity` is told.

use std::path::PathBuf;

use clap::Args;

use super::Json;
use crate::capacity::{Crowd, Habit};

#[derive(Debug, Args)]
pub(crate) struct Capacity {
    /// So many clients, with the habit that --habit says or one of their own, such as 100:burst:64/10s; may be repeated
    #[arg(long, value_name = "N[:HABIT]", value_parser = clients)]
    pub(crate) clients: Vec<Clients>,
    /// boot: 512 bytes in the first minute, then 64 a minute; gpg: 600 once an hour; tls: 64 once a second; steady:BYTES_PER_S;
    /// burst:BYTES/EVERY
    #[arg(long, value_name = "HABIT", requires = "clients")]
    pub(crate) habit: Option<Habit>,
    /// How many keys [default: those of the daemon, else 1]
    #[arg(long, value_name = "N", requires = "clients", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) keys: Option<u32>,
    /// What each key brings [default: as those of the daemon, else 4032]
    #[arg(long, value_name = "BYTES_PER_S", requires = "clients", value_parser = supply)]
    pub(crate) supply: Option<f64>,
    /// How long to simulate, 0.001 to 168
    #[arg(long, value_name = "H", default_value = "1", requires = "clients", value_parser = hours)]
    pub(crate) hours: f64,
    /// It is enough when 99 of 100 requests are answered within so many seconds
    #[arg(long, value_name = "S", default_value = "1", requires = "clients", value_parser = within)]
    pub(crate) within: f64,
    /// The same number gives the same simulation
    #[arg(long, value_name = "N", default_value = "1", requires = "clients")]
    pub(crate) seed: u64,
    /// Draw demand, supply, pool and waiting over time into this file; `-` is standard output
    #[arg(long, value_name = "FILE", requires = "clients", conflicts_with = "json")]
    pub(crate) svg: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) json: Json,
}

/// So many clients, with a habit of their own or the common one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Clients {
    number: u32,
    habit: Option<Habit>,
}

impl Capacity {
    /// All clients, each with a habit; none if there are some without.
    pub(crate) fn crowds(&self) -> Option<Vec<Crowd>> {
        let crowd = |clients: &Clients| Some(Crowd { clients: clients.number, habit: clients.habit.or(self.habit)? });
        self.clients.iter().map(crowd).collect()
    }
}

/// More clients than this are no machine's.
const MOST_CLIENTS: u32 = 1_000_000;

fn clients(text: &str) -> Result<Clients, String> {
    let (number, habit) = match text.split_once(':') {
        Some((number, habit)) => (number, Some(habit.parse()?)),
        None => (text, None),
    };
    let number = number.parse().ok().filter(|number| (1..=MOST_CLIENTS).contains(number));
    let number = number.ok_or_else(|| format!("a number of clients from 1 to {MOST_CLIENTS} is due"))?;
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
    number.ok_or_else(|| format!("a number of {what} from {least} to {most} is due"))
}
