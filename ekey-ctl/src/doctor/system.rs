//! Checks the kernel: its random device, and its driver's workaround for the key (firmware-notes, kernel and usb).

use ekey_control::Status;

use super::Check;
use super::machine::Machine;

/// Pool size in bits that identifies a kernel since 2022.
const POOL_SINCE_2022: u32 = 256;
/// The first release whose `cdc_acm` omits the requests that crash the key. Earlier ones may have a backport.
const FIRST_WITH_QUIRK: (u32, u32) = (3, 18);
/// How that driver's entry for the key begins in a kernel's module lists.
const ALIAS: &str = "usb:v20DFp0001d";

/// Checks which random device it is, and whether it is ready.
pub(super) fn random_device(machine: &Machine, status: Option<&Status>) -> Check {
    const TOPIC: &str = "kernel";
    let number = |name: &str| machine.text(format!("proc/sys/kernel/random/{name}"))?.parse::<u32>().ok();
    let (Some(pool), Some(available)) = (number("poolsize"), number("entropy_avail")) else {
        return Check::note(TOPIC, "not known: /proc/sys/kernel/random cannot be read");
    };
    if pool != POOL_SINCE_2022 {
        return Check::ok(TOPIC, format!("random device of before 2022, {available} of {pool} bits in its pool"));
    }
    let fed = status.and_then(|status| status.kernel.as_ref());
    if available >= pool || fed.is_some_and(|kernel| kernel.ready) {
        return Check::ok(TOPIC, "random device since 2022, ready");
    }
    Check::todo(
        TOPIC,
        format!("random device since 2022, NOT READY ({available} of {pool} bits): programs wait for it"),
        "make ekeyd feed it: plug a key in, set [kernel] enabled = true",
    )
}

/// Checks whether the driver omits the requests that crash the key.
pub(super) fn quirk(machine: &Machine) -> Check {
    const TOPIC: &str = "driver";
    let Some(release) = machine.text("proc/sys/kernel/osrelease") else {
        return Check::note(TOPIC, "not known: /proc/sys/kernel/osrelease cannot be read");
    };
    let lists = ["modules.alias", "modules.builtin.modinfo"].map(|list| {
        ["lib/modules", "usr/lib/modules"].iter().find_map(|folder| machine.text(format!("{folder}/{release}/{list}")))
    });
    let lists: Vec<String> = lists.into_iter().flatten().collect();
    if lists.iter().any(|list| list.contains(ALIAS)) {
        return Check::ok(TOPIC, format!("cdc_acm has the quirk for the key, Linux {release}"));
    }
    if lists.iter().any(|list| list.contains("cdc_acm")) {
        return lacking(&release);
    }
    match version(&release) {
        Some(version) if version >= FIRST_WITH_QUIRK => {
            Check::ok(TOPIC, format!("cdc_acm has the quirk for the key (by its version), Linux {release}"))
        }
        Some(_) => lacking(&release),
        None => Check::note(TOPIC, format!("not known whether cdc_acm of Linux {release} has the quirk for the key")),
    }
}

fn lacking(release: &str) -> Check {
    let (major, minor) = FIRST_WITH_QUIRK;
    Check::todo(
        "driver",
        format!("cdc_acm of Linux {release} lacks the quirk: its requests may crash the key"),
        format!("set transport = \"usb\" in [keys], or run Linux {major}.{minor} or later"),
    )
}

fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u32>);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn a_release_is_known_by_its_first_two_numbers() {
        assert_eq!(version("6.1.0-56-amd64"), Some((6, 1)));
        assert_eq!(version("3.18.0"), Some((3, 18)));
        assert_eq!(version("10.0-rc1+"), Some((10, 0)));
        assert_eq!(version("next"), None);
    }
}
