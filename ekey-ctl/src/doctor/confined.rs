//! Checks the daemon's sandbox by what the kernel reports for each of its threads, proc(5). The kernel does not report landlock, so
//! there the daemon's own report counts.

use std::fs;

use ekey_control::Status;
use ekey_control::status::{ConfinementStatus, HeldCapability};

use super::Check;
use super::machine::Machine;

const TOPIC: &str = "sandbox";
/// The capabilities(7) that the daemon may have, by number and name.
const CAPABILITIES: [(u32, &str); 2] = [(1, "CAP_DAC_OVERRIDE"), (21, "CAP_SYS_ADMIN")];

/// Checks whether the sandbox is as configured.
pub(super) fn checks(machine: &Machine, status: &Status) -> Vec<Check> {
    // An older daemon does not report it.
    let Some(said) = &status.confinement else { return Vec::new() };
    let Some(seen) = look(machine, status.pid, said) else {
        return vec![Check::note(TOPIC, format!("not known: /proc/{}/task cannot be read", status.pid))];
    };
    let is_whole = seen.filter && seen.landlock > 0 && seen.no_new_privs && !seen.core_dumps;
    let bounds = if is_whole {
        Check::ok(TOPIC, seen.bounds())
    } else {
        let missing = said.problems.iter().map(|problem| format!("; {problem}")).collect::<String>();
        Check::note(TOPIC, format!("{}{missing}", seen.bounds()))
    };
    vec![bounds, Check::ok("rights", seen.rights())]
}

fn look(machine: &Machine, pid: u32, said: &ConfinementStatus) -> Option<ConfinementStatus> {
    let tasks = fs::read_dir(machine.path(format!("proc/{pid}/task"))).ok()?;
    let threads: Vec<String> =
        tasks.flatten().filter_map(|task| fs::read_to_string(task.path().join("status")).ok()).collect();
    let first = threads.first()?;
    let all = |name, value| threads.iter().all(|thread| field(thread, name) == Some(value));
    let capabilities =
        |thread: &String| u64::from_str_radix(field(thread, "CapEff").unwrap_or_default(), 16).unwrap_or(0);
    let with = |number: u32| threads.iter().filter(|thread| capabilities(thread) & (1 << number) != 0).count() as u64;
    let name = |number| {
        let known = CAPABILITIES.iter().find(|(known, _)| *known == number);
        known.map_or_else(|| format!("capability {number}"), |(_, name)| (*name).to_owned())
    };
    let held = (0..u64::BITS).map(|number| HeldCapability { name: name(number), threads: with(number) });
    let limits = machine.text(format!("proc/{pid}/limits")).unwrap_or_default();
    let core = limits.lines().find_map(|line| line.strip_prefix("Max core file size")?.split_whitespace().next());
    Some(ConfinementStatus {
        user: said.user.clone(),
        no_new_privs: all("NoNewPrivs", "1"),
        core_dumps: said.core_dumps || core != Some("0"),
        filter: all("Seccomp", "2"),
        landlock: said.landlock,
        threads: threads.len() as u64,
        capabilities: held.filter(|held| held.threads > 0).collect(),
        locked_bytes: field(first, "VmLck")?.trim_end_matches(" kB").trim().parse::<u64>().ok()? * 1024,
        problems: Vec::new(),
    })
}

fn field<'t>(status: &'t str, name: &str) -> Option<&'t str> {
    status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}
