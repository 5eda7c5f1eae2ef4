//! The metrics: every figure of the status, under a stable name.
//!
//! Names, types, units and labels are promises to users' dashboards and alerts; a test pins them in `promise.txt`. A new figure
//! gets a new metric. Values are in base units: bytes, seconds, degrees Celsius, volts, ratios from 0 to 1.

mod exposition;
mod key;

use ekey_control::status::{
    CloneStatus, CombineStatus, EgdClientStatus, EgdStatus, ExpandStatus, FileStatus, KernelStatus, OutletStatus,
};
use ekey_control::{Status, advice};

use exposition::Exposition;
pub(crate) use exposition::Format;
use exposition::Kind::{self, Counter, Gauge, Info};

/// Writes the metrics of a status.
pub(crate) fn metrics(status: &Status, format: Format) -> String {
    let mut out = Exposition::new(format);
    let build = "The daemon; the label has its version.";
    out.family(Info, "build", build).sample(&[("version", &status.version)], 1);
    figures(&mut out, Some(status), &DAEMON);
    key::keys(&mut out, &status.keys);
    figures(&mut out, Some(status), &POOL);
    figures(&mut out, status.clones.as_ref(), &CLONES);
    outlets(&mut out, &status.outlets);
    figures(&mut out, status.kernel.as_ref(), &KERNEL);
    figures(&mut out, status.file.as_ref(), &FILE);
    listeners(&mut out, "egd", "EGD clients", &status.egd);
    figures(&mut out, status.combine.as_ref(), &COMBINE);
    figures(&mut out, Some(status), &OFFERED);
    figures(&mut out, status.expand.as_ref(), &EXPAND);
    let expanded = status.expand.as_ref().map_or(&[][..], |expand| &expand.listeners);
    listeners(&mut out, "expand", "clients of expanded entropy", expanded);
    figures(&mut out, status.egd_client.as_ref(), &EGD_CLIENT);
    out.finish()
}

/// A metric without labels: its kind, name and help, and how to read it from a status `S`.
type Figure<S> = (Kind, &'static str, &'static str, fn(&S) -> Option<f64>);

/// Writes figures of `status`, without samples if it is `None`.
fn figures<S>(out: &mut Exposition, status: Option<&S>, figures: &[Figure<S>]) {
    for (kind, name, help, read) in figures {
        out.family(*kind, name, help).maybe(&[], status.and_then(read));
    }
}

fn count(count: u64) -> Option<f64> {
    Some(count as f64)
}

fn flag(holds: bool) -> Option<f64> {
    Some(f64::from(u8::from(holds)))
}

const DAEMON: [Figure<Status>; 8] = [
    (Gauge, "well", "1 if nothing needs the operator's attention, else 0.", |it| flag(advice::advice(it).is_empty())),
    (Gauge, "not_random", "1 if a software key is in use: anyone can predict its data.", |it| flag(it.not_random)),
    (Gauge, "uptime_seconds", "Time since the daemon started.", |it| count(it.uptime_s)),
    (Gauge, "keys", "Keys that the daemon drives.", |it| count(it.keys.len() as u64)),
    (Gauge, "keys_running", "Keys that deliver verified entropy.", |it| count(it.running() as u64)),
    (Gauge, "keys_idle", "Keys that are plugged in but not driven.", |it| count(it.idle_keys.len() as u64)),
    (Gauge, "keyring_keys", "Long-term keys in the keyring.", |it| count(it.keyring.keys.into())),
    (Gauge, "keyring_problem", "1 if the keyring cannot be read, else 0.", |it| flag(it.keyring.problem.is_some())),
];

const POOL: [Figure<Status>; 6] = [
    (Gauge, "pool_bytes", "Entropy in the pool.", |it| count(it.pool.bytes)),
    (Gauge, "pool_capacity_bytes", "Entropy that the pool can hold.", |it| count(it.pool.capacity)),
    (Counter, "pool_received_bytes", "Entropy received from all keys.", |it| count(it.pool.received_bytes)),
    (Counter, "pool_overflowed_bytes", "Entropy discarded while the pool was full.", |it| {
        count(it.pool.overflowed_bytes)
    }),
    (
        Counter,
        "pool_wiped_bytes",
        "Entropy wiped after its source failed a health test, or when all was forgotten.",
        |it| count(it.pool.wiped_bytes),
    ),
    (Gauge, "books_discrepancies", "Accounts that do not add up; not 0 is a bug.", |it| {
        count(it.discrepancies().len() as u64)
    }),
];

const CLONES: [Figure<CloneStatus>; 2] = [
    (Counter, "forgotten", "Times that the daemon wiped all that it held, as its machine may be a clone.", |it| {
        count(it.forgotten)
    }),
    (Gauge, "clone_safe", "1 if fresh bytes are mixed into those that EGD clients get, else 0.", |it| {
        flag(it.mixes_fresh)
    }),
];

const KERNEL: [Figure<KernelStatus>; 5] = [
    (Gauge, "kernel_ready", "1 if the kernel's generator is seeded, else 0.", |it| flag(it.ready)),
    (Gauge, "kernel_privileged", "1 if the daemon may credit entropy to the kernel, else 0.", |it| flag(it.privileged)),
    (Gauge, "kernel_problem", "1 if the daemon cannot feed the kernel, else 0.", |it| flag(it.problem.is_some())),
    (Counter, "kernel_mixed_bytes", "Bytes mixed into the kernel's generator.", |it| count(it.mixed_bytes)),
    (Counter, "kernel_credited_bytes", "Entropy credited to the kernel.", |it| Some(it.credited_bits as f64 / 8.0)),
];

const FILE: [Figure<FileStatus>; 2] = [
    (Counter, "file_written_bytes", "Bytes written to the file.", |it| count(it.written_bytes)),
    (Gauge, "file_stopped", "1 if writing has stopped, also because the file is full, else 0.", |it| {
        flag(it.stopped.is_some())
    }),
];

const COMBINE: [Figure<CombineStatus>; 2] = [
    (Counter, "combine_in_bytes", "Bytes of several keys combined for EGD clients.", |it| count(it.in_bytes)),
    (Counter, "combine_out_bytes", "Bytes that combining produced.", |it| count(it.out_bytes)),
];

const OFFERED: [Figure<Status>; 1] =
    [(Counter, "egd_offered_bytes", "Bytes from EGD clients, mixed into the kernel without credit.", |it| {
        count(it.offered_bytes)
    })];

const EXPAND: [Figure<ExpandStatus>; 5] = [
    (Gauge, "expand_seeded", "1 if the expander has a fresh seed, else 0.", |it| flag(it.seeded)),
    (Gauge, "expand_seed_age_seconds", "Time since the expander's last seed.", |it| it.seed_age_s.and_then(count)),
    (Counter, "expand_seeds", "Seeds of the expander.", |it| count(it.seeds)),
    (Counter, "expand_seed_bytes", "Bytes from keys that went into the expander's seeds.", |it| count(it.seed_bytes)),
    (Counter, "expand_generated_bytes", "Bytes generated, not full entropy.", |it| count(it.generated_bytes)),
];

const EGD_CLIENT: [Figure<EgdClientStatus>; 8] = [
    (Gauge, "egd_client_connected", "1 if connected to an EGD server, else 0.", |it| flag(it.is_connected())),
    (Counter, "egd_client_received_bytes", "Bytes fetched from EGD servers, not proven.", |it| {
        count(it.received_bytes)
    }),
    (Counter, "egd_client_requests", "Requests for entropy sent to EGD servers.", |it| count(it.requests)),
    (Counter, "egd_client_reconnects", "Connections to EGD servers after the first one.", |it| count(it.reconnects)),
    (Counter, "egd_client_failures", "Failed connection attempts and broken connections.", |it| count(it.failures)),
    (
        Gauge,
        "egd_client_delivering",
        "1 if an EGD server is connected whose bytes pass the health tests, else 0.",
        |it| flag(it.is_delivering()),
    ),
    (
        Gauge,
        "egd_client_retired_servers",
        "EGD servers that are retired because their bytes failed a health test.",
        |it| count(it.retired().count() as u64),
    ),
    (Counter, "egd_client_put_aside_bytes", "Bytes of retired EGD servers, mixed without credit or wiped.", |it| {
        it.books.and_then(|books| count(books.put_aside_bytes))
    }),
];

/// Writes the account of each outlet, the same for every kind, and whether it has a problem.
fn outlets(out: &mut Exposition, outlets: &[OutletStatus]) {
    type Row = (Kind, &'static str, &'static str, fn(&OutletStatus) -> u64);
    let rows: [Row; 5] = [
        (Counter, "outlet_given_bytes", "Bytes given to an outlet.", |outlet| outlet.account.given_bytes),
        (Counter, "outlet_passed_on_bytes", "Bytes that left an outlet.", |outlet| outlet.account.passed_on_bytes),
        (Gauge, "outlet_waiting_bytes", "Bytes that wait in an outlet.", |outlet| outlet.account.waiting_bytes),
        (Counter, "outlet_dropped_bytes", "Bytes that an outlet dropped.", |outlet| outlet.account.dropped_bytes),
        (Gauge, "outlet_problem", "1 if an outlet has a problem, else 0.", |outlet| outlet.problem.is_some().into()),
    ];
    for (kind, name, help, figure) in rows {
        let mut family = out.family(kind, name, help);
        for outlet in outlets {
            family.sample(&[("outlet", &outlet.name)], figure(outlet));
        }
    }
}

/// Writes the metrics of each listener. `prefix` starts their names; `clients` is the noun for the help.
fn listeners(out: &mut Exposition, prefix: &str, clients: &str, listeners: &[EgdStatus]) {
    /// Kind, end of the name, start and end of the help, and how to read the figure.
    type Row = (Kind, &'static str, &'static str, &'static str, fn(&EgdStatus) -> u64);
    let rows: [Row; 7] = [
        (Gauge, "clients", "Connected ", "", |egd| egd.clients),
        (Gauge, "clients_waiting", "", " that wait for bytes", |egd| egd.waiting),
        (Counter, "requests", "Answered requests from ", "", |egd| egd.requests),
        (Counter, "served_bytes", "Bytes served to ", "", |egd| egd.served_bytes),
        (Counter, "refused", "", " rejected at the limit of clients", |egd| egd.refused),
        (Counter, "denied", "", " rejected because they are not allowed", |egd| egd.denied),
        (Counter, "dropped_idle", "", " disconnected because they requested nothing", |egd| egd.dropped_idle),
    ];
    for (kind, name, before, after, figure) in rows {
        let mut family = out.family(kind, &format!("{prefix}_{name}"), &format!("{before}{clients}{after}."));
        for egd in listeners {
            family.sample(&[("listen", &egd.listen)], figure(egd));
        }
    }
}

#[cfg(test)]
mod tests;
