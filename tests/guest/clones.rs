//! A machine whose clock jumps as that of a restored one does, on a real kernel.

use ekey_tests::binaries;
use ekey_tests::guest::Guest;
use ekey_tests::software_key::{KeyPlan, LONG_TERM_KEY, SERIAL};

#[test]
fn a_clock_that_jumps_makes_the_daemon_forget() {
    let config = "keyring = \"/etc/entropykey/keyring\"\ncontrol = \"/run/control.sock\"\n\
        [keys]\ndiscover = false\npaths = [\"/run/key\"]\n[kernel]\ninterval-s = 3600\n\
        [egd]\nlisten = [\"unix:/run/egd.sock\"]\n";
    let mut guest = Guest::for_usb_keys(&KeyPlan::named("line").keyring_line())
        .file("/bin/ekey-sim", &binaries::built("ekey-sim"))
        .text("/etc/ltk", &format!("{LONG_TERM_KEY}\n"), 0o600)
        .text("/etc/clones.toml", config, 0o600)
        .boot();
    guest.check(&format!("ekey-sim --unix /run/key --serial {SERIAL} --ltk-file /etc/ltk >/share/sim.log 2>&1 &"));
    guest.await_sh("test -S /run/key");
    guest.check("EKEYD_LOG=debug ekeyd run --config /etc/clones.toml >/share/ekeyd.log 2>&1 &");
    let status = "ekey-ctl status --json --socket /run/control.sock";
    // A virtual machine, and the kernel has had its dose of the hour.
    guest.await_sh(&format!("{status} | grep '\"mixed_bytes\":[1-9]'"));
    let before: serde_json::Value = serde_json::from_str(&guest.check(status)).expect("a status");
    assert_eq!(before["clones"]["mixes_fresh"], true, "{before}");
    assert_eq!(before["clones"]["forgotten"], 0, "{before}");
    let mixed = before["kernel"]["mixed_bytes"].as_u64().expect("a count");

    guest.check("date -s @$(($(date +%s) + 3600))");
    guest.await_sh(&format!("{status} | grep '\"last_reason\":\"clock-jumped\"'"));
    guest.await_sh(&format!("[ $({status} | grep -o '\"mixed_bytes\":[0-9]*' | cut -d: -f2) -gt {mixed} ]"));
    let log = guest.check("cat /share/ekeyd.log");
    assert!(log.contains("everything held is wiped"), "{log}");
    assert!(!log.contains("takes no new seed now"), "the sandbox and the kernel allow RNDRESEEDCRNG: {log}");
    assert_eq!(guest.check("ekey-ctl forget --socket /run/control.sock | grep -c 'bytes wiped'").trim(), "1");
    guest.power_off();
}
