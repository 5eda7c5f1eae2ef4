//! The metrics: every figure of the status under a name that does not change.
//!
//! What a metric is called, its type, unit and labels are a promise to everybody's dashboards and alerts, and are held by a
//! test. A new figure gets a new metric. All is in base units: bytes, seconds, degrees Celsius, volts, ratios from 0 to 1.

mod expand;
mod exposition;
mod key;

use ekey_control::status::EgdStatus;
use ekey_control::{Status, advice};

pub(crate) use exposition::Format;
use exposition::{Exposition, Kind};

/// The metrics of a status.
pub(crate) fn metrics(status: &Status, format: Format) -> String {
    let mut out = Exposition::new(format);
    daemon(&mut out, status);
    key::keys(&mut out, &status.keys);
    outputs(&mut out, status);
    out.finish()
}

fn daemon(out: &mut Exposition, status: &Status) {
    let help = "The daemon; its version is in the label.";
    out.family(Kind::Info, "build", "", help).sample(&[("version", &status.version)], 1);
    let help = "Whether nothing needs a person's attention: 1 if all is well.";
    out.family(Kind::Gauge, "well", "", help).sample(&[], u8::from(advice::advice(status).is_empty()));
    let help = "Whether a key in software is in use, whose data anybody can predict: 1 if so.";
    out.family(Kind::Gauge, "not_random", "", help).sample(&[], u8::from(status.not_random));
    let help = "Time since the daemon started.";
    out.family(Kind::Gauge, "uptime_seconds", "seconds", help).sample(&[], status.uptime_s);
    out.family(Kind::Gauge, "keys", "", "Keys that are driven.").sample(&[], status.keys.len());
    let help = "Keys that give entropy that verifies.";
    out.family(Kind::Gauge, "keys_running", "", help).sample(&[], status.running());
    let help = "Keys that are plugged in and not driven.";
    out.family(Kind::Gauge, "keys_idle", "", help).sample(&[], status.idle_keys.len());
    let help = "Long-term keys in the keyring.";
    out.family(Kind::Gauge, "keyring_keys", "", help).sample(&[], status.keyring.keys);
    let help = "Whether the keyring cannot be read: 1 if so.";
    let problem = status.keyring.problem.is_some();
    out.family(Kind::Gauge, "keyring_problem", "", help).sample(&[], u8::from(problem));
}

fn outputs(out: &mut Exposition, status: &Status) {
    let pool = &status.pool;
    out.family(Kind::Gauge, "pool_bytes", "bytes", "Entropy held for the outputs.").sample(&[], pool.bytes);
    let help = "Entropy that the pool can hold.";
    out.family(Kind::Gauge, "pool_capacity_bytes", "bytes", help).sample(&[], pool.capacity);
    let help = "Entropy that came into the pool from all keys.";
    out.family(Kind::Counter, "pool_received_bytes", "bytes", help).sample(&[], pool.received_bytes);
    let help = "Entropy that nobody needed while the pool was full, and that was discarded.";
    out.family(Kind::Counter, "pool_overflowed_bytes", "bytes", help).sample(&[], pool.overflowed_bytes);
    let help = "Entropy that was wiped in the pool, as it belongs to what failed a health test.";
    out.family(Kind::Counter, "pool_wiped_bytes", "bytes", help).sample(&[], pool.wiped_bytes);
    let help = "Sums of the books that do not add up: none, unless there is a mistake in the daemon.";
    out.family(Kind::Gauge, "books_discrepancies", "", help).sample(&[], status.discrepancies().len());
    kernel(out, status);
    file(out, status);
    listeners(out, "egd", "EGD clients", &status.egd);
    combine(out, status);
    expand::expand(out, status);
    egd_client(out, status);
}

fn kernel(out: &mut Exposition, status: &Status) {
    let kernel = status.kernel.as_ref();
    let help = "Whether the kernel's generator is seeded: 1 if so.";
    let ready = kernel.map(|kernel| u8::from(kernel.ready));
    out.family(Kind::Gauge, "kernel_ready", "", help).maybe(&[], ready);
    let help = "Whether the daemon may credit entropy to the kernel: 1 if so.";
    let privileged = kernel.map(|kernel| u8::from(kernel.privileged));
    out.family(Kind::Gauge, "kernel_privileged", "", help).maybe(&[], privileged);
    let help = "Whether the kernel cannot be fed: 1 if so.";
    let problem = kernel.map(|kernel| u8::from(kernel.problem.is_some()));
    out.family(Kind::Gauge, "kernel_problem", "", help).maybe(&[], problem);
    let help = "Bytes mixed into the kernel's generator.";
    let mixed = kernel.map(|kernel| kernel.mixed_bytes);
    out.family(Kind::Counter, "kernel_mixed_bytes", "bytes", help).maybe(&[], mixed);
    let help = "Entropy credited to the kernel; one byte is eight bits.";
    let credited = kernel.map(|kernel| kernel.credited_bits as f64 / 8.0);
    out.family(Kind::Counter, "kernel_credited_bytes", "bytes", help).maybe(&[], credited);
}

fn file(out: &mut Exposition, status: &Status) {
    let file = status.file.as_ref();
    let help = "Bytes written to the file.";
    out.family(Kind::Counter, "file_written_bytes", "bytes", help).maybe(&[], file.map(|file| file.written_bytes));
    let help = "Whether writing the file has stopped: 1 if so, also when it is full.";
    let stopped = file.map(|file| u8::from(file.stopped.is_some()));
    out.family(Kind::Gauge, "file_stopped", "", help).maybe(&[], stopped);
}

/// What each of some listeners did; `prefix` begins the names, and `clients` says whose they are.
fn listeners(out: &mut Exposition, prefix: &str, clients: &str, listeners: &[EgdStatus]) {
    /// Kind, end of the name, unit, beginning and end of the help, and where the figure is.
    type Row = (Kind, &'static str, &'static str, &'static str, &'static str, fn(&EgdStatus) -> u64);
    let rows: [Row; 7] = [
        (Kind::Gauge, "clients", "", "", " that are connected", |egd| egd.clients),
        (Kind::Gauge, "clients_waiting", "", "", " that wait for bytes", |egd| egd.waiting),
        (Kind::Counter, "requests", "", "Answered requests of ", "", |egd| egd.requests),
        (Kind::Counter, "served_bytes", "bytes", "Bytes given to ", "", |egd| egd.served_bytes),
        (Kind::Counter, "refused", "", "", " that were refused, as there were too many", |egd| egd.refused),
        (Kind::Counter, "denied", "", "", " that were refused, as they may not ask", |egd| egd.denied),
        (Kind::Counter, "dropped_idle", "", "", " that were sent away, as they asked for nothing", |egd| {
            egd.dropped_idle
        }),
    ];
    for (kind, name, unit, before, after, figure) in rows {
        let mut family = out.family(kind, &format!("{prefix}_{name}"), unit, &format!("{before}{clients}{after}."));
        for egd in listeners {
            family.sample(&[("listen", &egd.listen)], figure(egd));
        }
    }
}

/// What is made of several keys for EGD clients.
fn combine(out: &mut Exposition, status: &Status) {
    let combine = status.combine.as_ref();
    let help = "Bytes of several keys that were combined for EGD clients.";
    out.family(Kind::Counter, "combine_in_bytes", "bytes", help).maybe(&[], combine.map(|combine| combine.in_bytes));
    let help = "Bytes that were made of them.";
    out.family(Kind::Counter, "combine_out_bytes", "bytes", help).maybe(&[], combine.map(|combine| combine.out_bytes));
    let help = "Bytes that EGD clients offered and that were mixed into the kernel, without credit.";
    out.family(Kind::Counter, "egd_offered_bytes", "bytes", help).sample(&[], status.offered_bytes);
}

fn egd_client(out: &mut Exposition, status: &Status) {
    let client = status.egd_client.as_ref();
    let help = "Whether a server that entropy is fetched from is at hand: 1 if so.";
    let connected = client.map(|client| u8::from(client.is_connected()));
    out.family(Kind::Gauge, "egd_client_connected", "", help).maybe(&[], connected);
    let help = "Bytes fetched from EGD servers, which nothing proves to come from a key.";
    let received = client.map(|client| client.received_bytes);
    out.family(Kind::Counter, "egd_client_received_bytes", "bytes", help).maybe(&[], received);
    let help = "Requests for entropy that were sent to EGD servers.";
    out.family(Kind::Counter, "egd_client_requests", "", help).maybe(&[], client.map(|client| client.requests));
    let help = "Connections to EGD servers after the first one.";
    out.family(Kind::Counter, "egd_client_reconnects", "", help).maybe(&[], client.map(|client| client.reconnects));
    let help = "Attempts to reach an EGD server that failed, and connections that broke.";
    out.family(Kind::Counter, "egd_client_failures", "", help).maybe(&[], client.map(|client| client.failures));
}

#[cfg(test)]
mod tests;
