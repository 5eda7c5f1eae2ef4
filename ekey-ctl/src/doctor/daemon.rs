//! Checks the daemon: its answer, what it gives the kernel, its rights, and its watchdog.

use ekey_control::status::EgdStatus;
use ekey_control::{ClientError, KeyStatus, Status, amount, parts};

use super::machine::Machine;
use super::user::User;
use super::{Check, confined, system};

/// Other programs that feed the kernel.
const FEEDERS: [&str; 4] = ["rngd", "haveged", "jitterentropy-r", "ekeyd-egd-linux"];

pub(super) fn checks(machine: &Machine, status: &Result<Status, ClientError>, user: Option<&User>) -> Vec<Check> {
    let running = status.as_ref().ok();
    let mut checks = vec![answers(status)];
    checks.extend(running.into_iter().flat_map(|status| status.keys.iter().filter_map(state)));
    checks.push(system::random_device(machine, running));
    checks.push(feeding(machine, running));
    if let Some(status) = running {
        checks.extend(status.egd.iter().filter_map(certificate));
        checks.push(capability(status, user));
        checks.extend(confined::checks(machine, status));
        checks.push(watchdog(machine, status.pid));
    }
    checks
}

fn answers(status: &Result<Status, ClientError>) -> Check {
    const TOPIC: &str = "daemon";
    match status {
        Ok(status) => {
            let (running, keys) = (status.running(), amount::many(status.keys.len(), "key"));
            let random = if status.not_random { ", NOT RANDOM" } else { "" };
            let (version, pid) = (&status.version, status.pid);
            Check::ok(TOPIC, format!("ekeyd {version}, pid {pid}, {running} of {keys} running{random}"))
        }
        Err(error) => Check::problem(TOPIC, error.to_string()),
    }
}

fn state(key: &KeyStatus) -> Option<Check> {
    let text = format!("key {} ({}): {}", key.number, key.path, key.state.short_word());
    match key.next_step() {
        _ if key.is_serving() => None,
        Some(step) => Some(Check::todo("state", text, step)),
        None => Some(Check::note("state", text)),
    }
}

fn feeding(machine: &Machine, status: Option<&Status>) -> Check {
    const TOPIC: &str = "feeding";
    let others: Vec<String> = machine
        .processes()
        .into_iter()
        .filter(|process| FEEDERS.contains(&process.name.as_str()))
        .map(|process| process.name)
        .collect();
    let also = if others.is_empty() { String::new() } else { format!("; next to it {}", others.join(", ")) };
    let Some(status) = status else {
        return Check::note(TOPIC, format!("the kernel gets nothing from ekeyd: the daemon does not answer{also}"));
    };
    match &status.kernel {
        None => Check::note(TOPIC, format!("the kernel gets nothing from ekeyd: [kernel] is off{also}")),
        Some(kernel) => match &kernel.problem {
            Some(problem) => Check::problem(TOPIC, format!("the kernel gets nothing from ekeyd: {problem}")),
            None if kernel.mixed_bytes == 0 => Check::note(TOPIC, format!("the kernel has got nothing yet{also}")),
            None => {
                let (mixed, bits) = (amount::bytes(kernel.mixed_bytes), kernel.credited_bits);
                Check::ok(TOPIC, format!("the kernel got {mixed} from ekeyd, {bits} bits credited{also}"))
            }
        },
    }
}

/// Checks the certificate of a TLS listener.
fn certificate(listener: &EgdStatus) -> Option<Check> {
    const TOPIC: &str = "certificate";
    let tls = listener.tls.as_ref()?;
    let text = || format!("{}: {}, valid until {}", listener.listen, tls.certificate, tls.valid_until);
    Some(
        parts::of_listener(listener).map_or_else(|| Check::ok(TOPIC, text()), |problem| Check::problem(TOPIC, problem)),
    )
}

fn capability(status: &Status, user: Option<&User>) -> Check {
    const TOPIC: &str = "capability";
    let Some(user) = user else {
        return Check::note(TOPIC, format!("not known: /proc/{}/status cannot be read", status.pid));
    };
    if user.may_credit() {
        Check::ok(TOPIC, format!("CAP_SYS_ADMIN held ({}): the kernel can be credited", user.name))
    } else if status.kernel.is_none() {
        Check::ok(TOPIC, format!("CAP_SYS_ADMIN not held ({}) and not needed: [kernel] is off", user.name))
    } else {
        Check::todo(
            TOPIC,
            format!("CAP_SYS_ADMIN not held ({}): the kernel mixes the bytes without credit", user.name),
            "start ekeyd by its unit (AmbientCapabilities=CAP_SYS_ADMIN) or as root",
        )
    }
}

fn watchdog(machine: &Machine, pid: u32) -> Check {
    const TOPIC: &str = "watchdog";
    let Some(environment) = machine.text(format!("proc/{pid}/environ")) else {
        return Check::note(TOPIC, "not known to this user: only root may look");
    };
    let microseconds =
        environment.split('\0').find_map(|word| word.strip_prefix("WATCHDOG_USEC=")?.parse::<u64>().ok());
    match microseconds {
        Some(microseconds) => Check::ok(TOPIC, format!("by the service manager, {} s", microseconds / 1_000_000)),
        None => Check::note(TOPIC, "none: its unit (udev/ekeyd.service) did not start ekeyd"),
    }
}
