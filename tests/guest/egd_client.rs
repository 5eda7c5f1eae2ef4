//! The original's EGD client and ours on one real kernel that is seeded: which of them feeds it.

use std::time::Duration;

use ekey_tests::guest::Guest;
use ekey_tests::software_key::KeyPlan;
use ekey_tests::{binaries, original};
use serde_json::Value;

const WINDOW: Duration = Duration::from_secs(30);

#[test]
fn ours_feeds_a_seeded_kernel_the_original_does_not() {
    let server = "keyring = \"/etc/entropykey/keyring\"\ncontrol = \"/run/server.sock\"\n\
        [keys]\ndiscover = false\npaths = [\"/run/key\"]\n[kernel]\nenabled = false\n\
        [egd]\nlisten = [\"tcp:127.0.0.1:8888\", \"tcp:127.0.0.1:8889\"]\n";
    let mut guest = Guest::for_usb_keys(&KeyPlan::named("line").keyring_line())
        .file("/bin/ekey-sim", &binaries::built("ekey-sim"))
        .file("/bin/ekeyd-egd-linux", &binaries::built("ekeyd"))
        .file("/bin/original-egd-linux", &original::program("ekeyd-egd-linux"))
        .text("/etc/ltk", &format!("{}\n", ekey_tests::software_key::LONG_TERM_KEY), 0o600)
        .text("/etc/server.toml", server, 0o600)
        .boot();
    guest.check("ifconfig lo 127.0.0.1 up");
    assert_eq!(guest.check("cat /proc/sys/kernel/random/poolsize").trim(), "256", "a kernel since 2022");
    let key = format!("ekey-sim --unix /run/key --serial {} --ltk-file /etc/ltk", ekey_tests::software_key::SERIAL);
    guest.check(&format!("{key} >/share/sim.log 2>&1 &"));
    guest.await_sh("test -S /run/key");
    guest.check("ekeyd run --config /etc/server.toml >/share/server.log 2>&1 &");
    guest.await_sh("ekey-ctl wait --socket /run/server.sock --bytes 4096");
    guest.check("original-egd-linux -H 127.0.0.1 -p 8888 -r 1 >/share/original.log 2>&1 &");
    guest.check("ekeyd-egd-linux -H 127.0.0.1 -p 8889 -r 1 -C /run/ours.sock >/share/ours.log 2>&1 &");
    let clients = "ekey-ctl status --json --socket /run/server.sock";
    guest.await_sh(&format!("[ $({clients} | grep -o '\"clients\":1' | wc -l) = 2 ]"));
    guest.await_sh("ekey-ctl status --json --socket /run/ours.sock | grep '\"mixed_bytes\":[1-9]'");
    guest.check(&format!("sleep {}", WINDOW.as_secs()));
    let status: Value = serde_json::from_str(&guest.check(clients)).expect("a status");
    let [theirs, ours] = [0, 1].map(|at| {
        let count = |name| status["egd"][at][name].as_u64().expect("a count");
        (count("requests"), count("served_bytes"))
    });
    println!("in {} s on a seeded kernel since 2022, requests and bytes:", WINDOW.as_secs());
    println!("the original {} and {}, ours {} and {}", theirs.0, theirs.1, ours.0, ours.1);
    assert_eq!(theirs, (0, 0), "the original waits for a kernel that never asks");
    assert!(ours.0 > 0 && ours.1 >= 64, "ours fetched {ours:?}, and the kernel's dose is 64 bytes");
    let fed: Value =
        serde_json::from_str(&guest.check("ekey-ctl status --json --socket /run/ours.sock")).expect("a status");
    assert!(fed["kernel"]["mixed_bytes"].as_u64() >= Some(64), "nothing reached the guest's kernel: {}", fed["kernel"]);
    guest.power_off();
}
