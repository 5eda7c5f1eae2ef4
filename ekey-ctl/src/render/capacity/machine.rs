//! Makes the answer for programs. Times are in seconds, rates in bytes a second.

use serde_json::{Value, json};

use super::Answer;
use super::people::{assumptions, sentence, verdict};
use crate::capacity::{Measured, Verdict};

/// Makes the JSON of a simulation.
pub(crate) fn json(answer: &Answer) -> Value {
    let (world, outcome) = (answer.world, &answer.outcome);
    let crowds = answer.crowds.iter().map(|crowd| json!({"clients": crowd.clients, "habit": crowd.habit.to_string()}));
    let waits = &outcome.waits;
    let steps = outcome.steps.iter();
    json!({
        "enough": answer.is_enough(),
        "verdict": verdict(answer),
        "assumptions": assumptions(answer).join(" "),
        "crowds": crowds.collect::<Vec<_>>(),
        "keys": world.keys,
        "supply_bytes_per_s": world.supply(),
        "demand_bytes_per_s": answer.demand(),
        "simulated_s": outcome.seconds,
        "seed": answer.limits.seed,
        "within_s": answer.limits.within,
        "pool": {"capacity": world.pool, "held_at_first": world.held, "held_at_last": outcome.held, "part_of_time_empty": outcome.part_empty()},
        "requests": waits.count(),
        "unanswered": outcome.unanswered,
        "part_at_once": waits.part_at_once(),
        "waits_s": {
            "mean": waits.mean(), "p50": waits.quantile(0.5), "p95": waits.quantile(0.95), "p99": waits.quantile(0.99),
            "longest": waits.longest(),
        },
        "bytes": {
            "asked": outcome.asked, "given": outcome.given, "brought": outcome.brought, "kernel": outcome.kernel,
            "overflowed": outcome.overflowed,
        },
        "clients_borne": answer.borne,
        "keys_needed": answer.keys_needed,
        "steps": {
            "seconds": outcome.step_seconds(),
            "asked_bytes": steps.clone().map(|step| step.asked).collect::<Vec<_>>(),
            "brought_bytes": steps.clone().map(|step| step.brought).collect::<Vec<_>>(),
            "pool_bytes": steps.clone().map(|step| step.pool).collect::<Vec<_>>(),
            "waiting_clients": steps.map(|step| step.waiting).collect::<Vec<_>>(),
        },
    })
}

/// Makes the JSON of the daemon's measurements.
pub(crate) fn measured_json(measured: &Measured) -> Value {
    let verdict = measured.verdict();
    json!({
        "enough": matches!(verdict, Verdict::Enough | Verdict::Scarce),
        "verdict": sentence(measured).1,
        "not_random": measured.not_random,
        "uptime_s": measured.seconds,
        "keys": measured.keys,
        "supply_bytes_per_s": measured.supply,
        "taken_bytes_per_s": measured.taken(),
        "received_bytes": measured.received,
        "to_clients_bytes": measured.to_clients,
        "to_kernel_bytes": measured.to_kernel,
        "to_file_bytes": measured.to_file,
        "overflowed_bytes": measured.overflowed,
        "pool": {"bytes": measured.pool, "lowest_bytes": measured.lowest_pool, "capacity": measured.capacity},
        "clients": measured.clients,
        "waiting": measured.waiting,
    })
}
