//! The answer for people.

use super::Answer;
use crate::capacity::{Measured, Step, Verdict};
use crate::render::paint::{Line, Tone};
use crate::render::{amount, spark};
use ekey_control::glance::NOT_RANDOM;

/// Columns of a sparkline.
const WIDTH: usize = 60;

/// What was simulated.
pub(crate) fn lines(answer: &Answer, unicode: bool) -> Vec<Line> {
    let (world, outcome) = (answer.world, &answer.outcome);
    let mut lines =
        vec![Line::new(if answer.is_enough() { Tone::Good } else { Tone::Bad }, &verdict(answer)), Line::plain("")];
    let mut row = |name: &str, text: &str| lines.push(Line::plain(&format!("{name:<9} {text}")));
    for crowd in &answer.crowds {
        row("clients", &format!("{} {}: {}", crowd.clients, crowd.habit, crowd.habit.words()));
    }
    let keys = amount::many(world.keys, "key");
    row(
        "supply",
        &format!(
            "{} from {keys}; asked for in the long run {}",
            amount::rate(world.supply()),
            amount::rate(answer.demand())
        ),
    );
    let requests = outcome.waits.count();
    let unanswered =
        if outcome.unanswered > 0 { format!(", {} not by the end", outcome.unanswered) } else { String::new() };
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
            "of {pool} at least {} held, empty {} of the time",
            amount::bytes(lowest),
            percent(outcome.part_empty())
        ),
    );
    row("bears", &format!("{} of such clients", answer.borne));
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
        // Several steps are one character: what is the most among them.
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

/// One sentence.
pub(super) fn verdict(answer: &Answer) -> String {
    let (world, waits) = (answer.world, &answer.outcome.waits);
    let keys = if world.keys == 1 { "One key is".to_owned() } else { format!("{} keys are", world.keys) };
    let whom =
        if answer.clients() == 1 { "this client".to_owned() } else { format!("these {} clients", answer.clients()) };
    let (demand, supply) = (amount::rate(answer.demand()), amount::rate(world.left()));
    if answer.is_enough() {
        let last = waits.quantile(0.99);
        let soon = if last > 0.0 { format!("within {}", waited(last)) } else { "at once".to_owned() };
        return format!(
            "{keys} enough for {whom}: they take {demand} of {supply}, and 99 of 100 requests are answered {soon}."
        );
    }
    let more = match answer.keys_needed {
        Some(needed) if needed > world.keys => format!("{needed} would do"),
        Some(_) => "beginning with a full pool they would be".to_owned(),
        None => "no number of keys would do".to_owned(),
    };
    let why = if answer.demand() > world.left() {
        format!("they ask for {demand}, and there is {supply}")
    } else {
        format!("one request in 100 waits longer than {}", waited(waits.quantile(0.99)))
    };
    format!("{keys} not enough for {whom}: {why}; {more}.")
}

/// What the answer rests on.
pub(super) fn assumptions(answer: &Answer) -> [String; 3] {
    let world = answer.world;
    let whose = if answer.from_daemon { "as the daemon's is now" } else { "of a usual daemon" };
    let kernel = world.kernel.map_or("the kernel takes nothing".to_owned(), |kernel| {
        format!("the kernel takes {} each {} s first", amount::bytes(kernel.bytes), kernel.every)
    });
    [
        format!(
            "Assumed: each key brings {}, {} at a time; a pool {whose},",
            amount::rate(world.bytes_per_s),
            amount::bytes(world.block)
        ),
        format!("{} of {} held at the beginning; {kernel};", amount::bytes(world.held), amount::bytes(world.pool)),
        "fair turns of 64 bytes; no file output, no other clients, no key that fails.".to_owned(),
    ]
}

/// What was measured.
pub(crate) fn measured(measured: &Measured) -> Vec<Line> {
    let (tone, sentence) = sentence(measured);
    let mut lines = vec![Line::new(tone, &sentence), Line::plain("")];
    let mut row = |name: &str, text: &str| lines.push(Line::plain(&format!("{name:<9} {text}")));
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
    row("spare", &format!("{} that nobody needed", bytes(measured.overflowed)));
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
        row("file", "it takes whatever is left, so that a pool that is low says little");
    }
    if measured.not_random {
        lines.push(Line::bad(NOT_RANDOM));
    }
    lines
}

pub(super) fn sentence(measured: &Measured) -> (Tone, String) {
    let keys =
        if measured.keys == 1 { "The key brings".to_owned() } else { format!("The {} keys bring", measured.keys) };
    let supply = amount::rate(measured.supply);
    match measured.verdict() {
        Verdict::Enough => {
            let (time, taken) = (amount::duration(measured.seconds), amount::rate(measured.taken()));
            (
                Tone::Good,
                format!(
                    "Enough: {} {supply}, in {time} the outputs have taken {taken}, and nobody has had to wait of late.",
                    lower(&keys)
                ),
            )
        }
        Verdict::Scarce => (
            Tone::Warn,
            format!(
                "Just enough: {} {supply}, and the pool was empty at times: whoever asked then has waited.",
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
        Verdict::Nothing => (Tone::Bad, "Nothing comes and nothing is held: see ekey-ctl status.".to_owned()),
    }
}

fn lower(keys: &str) -> String {
    keys.replacen("The", "the", 1)
}

fn percent(part: f64) -> String {
    // What is not all is never said to be all, nor is something nothing.
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
