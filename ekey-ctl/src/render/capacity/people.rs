//! Makes the answer for people.

use ekey_control::amount;
use ekey_control::glance::NOT_RANDOM;

use super::Answer;
use crate::capacity::{Measured, Step, Verdict};
use crate::render::paint::{Line, Tone};
use crate::render::spark;

/// Columns of a sparkline.
const WIDTH: usize = 48;

/// Makes the lines of a simulation.
pub(crate) fn lines(answer: &Answer, unicode: bool) -> Vec<Line> {
    let (world, outcome) = (answer.world, &answer.outcome);
    let mut lines =
        vec![Line::new(if answer.is_enough() { Tone::Good } else { Tone::Bad }, &verdict(answer)), Line::plain("")];
    let mut row = |name: &str, text: &str| lines.push(Line::plain(&format!("{name:<9} {text}")).margin(10));
    for crowd in &answer.crowds {
        row("clients", &format!("{} {}: {}", crowd.clients, crowd.habit, crowd.habit.words()));
    }
    let keys = amount::many(world.keys, "key");
    row(
        "supply",
        &format!(
            "{} from {keys}; demand in the long run {}",
            amount::rate(world.supply()),
            amount::rate(answer.demand())
        ),
    );
    let requests = outcome.waits.count();
    let unanswered =
        if outcome.unanswered > 0 { format!(", {} unanswered at the end", outcome.unanswered) } else { String::new() };
    row("requests", &format!("{requests}, {} answered at once{unanswered}", percent(outcome.waits.part_at_once())));
    let wait = |part| waited(outcome.waits.quantile(part));
    row(
        "waits",
        &format!(
            "p50 {}, p95 {}, p99 {}, longest {}",
            wait(0.5),
            wait(0.95),
            wait(0.99),
            waited(outcome.waits.longest())
        ),
    );
    let lowest = outcome.steps.iter().map(|step| step.pool).min().unwrap_or_default();
    let pool = amount::bytes(world.pool);
    row(
        "pool",
        &format!(
            "at least {} of {pool} held, empty {} of the time",
            amount::bytes(lowest),
            percent(outcome.part_empty())
        ),
    );
    row("serves", &format!("at most {} such clients", answer.borne));
    lines.push(Line::plain(""));
    lines.push(Line::new(
        Tone::Head,
        &format!("{:<10}{:>12} over {}", "", "at most", amount::duration(outcome.seconds as u64)),
    ));
    let step = outcome.step_seconds();
    let rate = |bytes: u64| amount::rate(bytes as f64 / step);
    let mut spark = |name: &str, value: fn(&Step) -> u64, told: &dyn Fn(u64) -> String| {
        let values = outcome.steps.iter().map(value).collect::<Vec<_>>();
        let most = told(values.iter().copied().max().unwrap_or_default());
        // A character covers several steps: show the highest of them.
        let columns = values.chunks(values.len() / WIDTH).map(|chunk| chunk.iter().copied().max()).collect::<Vec<_>>();
        lines.push(Line::plain(&format!("{name:<10}{most:>12} {}", spark::marks(&columns, None, WIDTH, unicode))));
    };
    spark("Demand", |step| step.asked, &rate);
    spark("Supply", |step| step.brought, &rate);
    spark("Pool", |step| step.pool, &amount::bytes);
    spark("Waiting", |step| step.waiting, &|clients| amount::many(clients, "client"));
    lines.push(Line::plain(""));
    lines.extend(assumptions(answer).iter().map(|line| Line::plain(line)));
    lines
}

/// Makes the verdict, one sentence.
pub(super) fn verdict(answer: &Answer) -> String {
    let (world, waits) = (answer.world, &answer.outcome.waits);
    let keys = if world.keys == 1 { "One key is".to_owned() } else { format!("{} keys are", world.keys) };
    let whom =
        if answer.clients() == 1 { "this client".to_owned() } else { format!("these {} clients", answer.clients()) };
    let (demand, supply) = (amount::rate(answer.demand()), amount::rate(world.left()));
    if answer.no_key {
        return "No key runs, so nothing is enough: see `ekey-ctl status`; --keys 1 simulates one like the usual."
            .to_owned();
    }
    if answer.is_enough() {
        let last = waits.quantile(0.99);
        let soon = if last > 0.0 { format!("within {}", waited(last)) } else { "at once".to_owned() };
        return format!(
            "{keys} enough for {whom}: they take {demand} of {supply}, and 99 of 100 requests are answered {soon}."
        );
    }
    let more = match answer.keys_needed {
        Some(needed) if needed > world.keys => format!("{needed} would be enough"),
        Some(_) => "with a full pool at the start they would be".to_owned(),
        None => "no number of keys would be enough".to_owned(),
    };
    let why = if answer.demand() > world.left() {
        format!("they ask for {demand}, the keys supply {supply}")
    } else {
        format!("one request in 100 waits longer than {}", waited(waits.quantile(0.99)))
    };
    format!("{keys} not enough for {whom}: {why}; {more}.")
}

/// Lists the assumptions of the simulation.
pub(super) fn assumptions(answer: &Answer) -> [String; 3] {
    let world = answer.world;
    let whose = if answer.from_daemon { "like the daemon's now" } else { "like a default daemon's" };
    let kernel = world.kernel.map_or("the kernel takes nothing".to_owned(), |kernel| {
        format!("the kernel first takes {} every {} s", amount::bytes(kernel.bytes), kernel.every)
    });
    [
        format!(
            "Assumed: each key delivers {}, {} at a time; a pool {whose},",
            amount::rate(world.bytes_per_s),
            amount::bytes(world.block)
        ),
        format!("{} of {} held at the start; {kernel};", amount::bytes(world.held), amount::bytes(world.pool)),
        "fair turns of whole requests; no file output, no other clients, no failing key.".to_owned(),
    ]
}

/// Makes the lines of the daemon's measurements.
pub(crate) fn measured(measured: &Measured) -> Vec<Line> {
    let (tone, sentence) = sentence(measured);
    let mut lines = vec![Line::new(tone, &sentence), Line::plain("")];
    let mut row = |name: &str, text: &str| lines.push(Line::plain(&format!("{name:<9} {text}")).margin(10));
    let bytes = amount::bytes;
    row(
        "supply",
        &format!(
            "{} from {} in the last minutes, {} in all",
            amount::rate(measured.supply),
            amount::many(measured.keys, "key"),
            bytes(measured.received)
        ),
    );
    let (clients, kernel, file) = (bytes(measured.to_clients), bytes(measured.to_kernel), bytes(measured.to_file));
    row(
        "taken",
        &format!(
            "{clients} by clients, {kernel} by the kernel, {file} by the file: {} on average",
            amount::rate(measured.taken())
        ),
    );
    row("spare", &format!("{} overflowed the pool", bytes(measured.overflowed)));
    row(
        "pool",
        &format!(
            "{} of {} held, {} at the lowest in the last minutes",
            bytes(measured.pool),
            bytes(measured.capacity),
            bytes(measured.lowest_pool)
        ),
    );
    row("clients", &format!("{}, {} waiting", measured.clients, measured.waiting));
    if measured.has_file {
        row("file", "takes all that is left, so a low pool says little");
    }
    if measured.not_random {
        lines.push(Line::bad(NOT_RANDOM));
    }
    lines
}

pub(super) fn sentence(measured: &Measured) -> (Tone, String) {
    let keys =
        if measured.keys == 1 { "The key delivers".to_owned() } else { format!("The {} keys deliver", measured.keys) };
    let supply = amount::rate(measured.supply);
    match measured.verdict() {
        Verdict::Enough => {
            let (time, taken) = (amount::duration(measured.seconds), amount::rate(measured.taken()));
            (
                Tone::Good,
                format!(
                    "Enough: {} {supply}, in {time} the outputs have taken {taken}, and no client has waited in the last minutes.",
                    lower(&keys)
                ),
            )
        }
        Verdict::Scarce => (
            Tone::Warn,
            format!(
                "Just enough: {} {supply}, and the pool was empty at times: a client that asked then had to wait.",
                lower(&keys)
            ),
        ),
        Verdict::Short => {
            let waiting = if measured.waiting == 1 {
                "1 client waits".to_owned()
            } else {
                format!("{} clients wait", measured.waiting)
            };
            (
                Tone::Bad,
                format!(
                    "Not enough at this moment: {waiting}, the pool is empty, and {} {supply}; add a key, or ask for less.",
                    lower(&keys)
                ),
            )
        }
        Verdict::Nothing => (Tone::Bad, {
            let held = amount::bytes(measured.pool);
            format!("No key delivers, and the pool holds {held}: not enough; see `ekey-ctl status`.")
        }),
    }
}

fn lower(keys: &str) -> String {
    keys.replacen("The", "the", 1)
}

fn percent(part: f64) -> String {
    // Never round a part to all, or something to nothing.
    let hundredths =
        (part * 10_000.0).round().clamp(f64::from(u8::from(part > 0.0)), if part < 1.0 { 9999.0 } else { 10_000.0 });
    format!("{:.2} %", hundredths / 100.0)
}

pub(super) fn waited(seconds: f64) -> String {
    match seconds {
        _ if seconds <= 0.0 => "0 s".to_owned(),
        _ if seconds < 0.001 => "1 ms".to_owned(),
        _ if seconds < 1.0 => format!("{:.0} ms", seconds * 1000.0),
        _ if seconds < 100.0 => format!("{seconds:.1} s"),
        _ => amount::duration(seconds as u64),
    }
}
