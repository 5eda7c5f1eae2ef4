//! Our programs in a guest with systemd as a package installs them: with the unit, its user and udev's rules.

use super::Booted;
use super::plan::Guest;
use crate::scratch::Scratch;
use crate::software_key::{KeyPlan, LONG_TERM_KEY, Plug, SERIAL, SoftwareKey};
use crate::{binaries, tree};

/// Boots `guest` with all parts of an installation, this configuration, and a keyring of the first software key that
/// belongs to root, as the original leaves it.
///
/// # Panics
/// When a program is not built, or the guest does not boot.
#[must_use]
pub fn installed(guest: Guest, config: &str) -> Booted {
    let file = |name: &str| tree::root().join("udev").join(name);
    let guest = ["ekeyd", "ekey-ctl", "ekey-sim"]
        .into_iter()
        .fold(guest, |guest, name| guest.file(&format!("/usr/sbin/{name}"), &binaries::built(name)));
    let mut guest = guest
        .file("/usr/lib/systemd/system/ekeyd.service", &file("ekeyd.service"))
        .file("/usr/lib/sysusers.d/ekeyd.conf", &file("ekeyd.sysusers"))
        .file("/usr/lib/tmpfiles.d/ekeyd.conf", &file("ekeyd.tmpfiles"))
        .file("/usr/lib/udev/rules.d/60-ekey.rules", &file("60-ekey.rules"))
        .text("/etc/entropykey/ekeyd.toml", config, 0o644)
        .text("/etc/entropykey/keyring", &format!("{SERIAL} {LONG_TERM_KEY}\n"), 0o600)
        .text("/root/ltk", &format!("{LONG_TERM_KEY}\n"), 0o600)
        .boot();
    // The commands of a package's installation.
    guest.check("systemd-sysusers && systemctl daemon-reload && udevadm control --reload");
    guest
}

/// Plugs in a software key at `/run/sim/key`, at the natural rate, with these further arguments.
///
/// # Panics
/// When it cannot be started.
pub fn plug_in_software_key(guest: &mut Booted, arguments: &str) {
    let arguments = format!("--serial {SERIAL} --ltk-file /root/ltk --rate 126 {arguments}");
    let run = "systemd-run --quiet --unit sim -p RuntimeDirectory=sim -p UMask=0";
    guest.check(&format!("{run} ekey-sim --unix /run/sim/key {arguments}"));
    guest.await_sh("[ -S /run/sim/key ]");
}

/// Plugs in a software key for a guest's USB bus, at the rate of a real one.
#[must_use]
pub fn usb_key(scratch: &Scratch) -> SoftwareKey {
    KeyPlan::named("key").plug(Plug::UsbRedir).rate(126).plug_in(scratch)
}
