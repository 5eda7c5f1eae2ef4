//! Plugging USB devices into a guest and unplugging them.

use std::path::PathBuf;

use ekey_tests::Scratch;
use ekey_tests::guest::{Booted, Guest, serve_plain_usb};

#[test]
fn usb_devices_can_be_plugged_and_unplugged() {
    let scratch = Scratch::make();
    let sockets = [(0x1111, "a"), (0x2222, "b"), (0x3333, "c")].map(|(product, name)| {
        let socket = scratch.path(&format!("{name}.sock"));
        serve_plain_usb(&socket, 0x1209, product);
        socket
    });
    let [a, b, c] = &sockets;
    let mut guest = Guest::new().usbredir("a", a).usbredir("b", b).boot();
    await_products(&mut guest, "1111 2222");
    guest.unplug("a");
    await_products(&mut guest, "2222");
    guest.plug("c", c);
    await_products(&mut guest, "2222 3333");
    // The same device several times, each time a new connection to its server.
    for _ in 0..5 {
        guest.plug("a", a);
        await_products(&mut guest, "1111 2222 3333");
        guest.unplug("a");
        await_products(&mut guest, "2222 3333");
    }
    guest.power_off();
}

#[test]
fn plugging_in_starts_the_service_of_a_udev_rule() {
    let scratch = Scratch::make();
    let socket: PathBuf = scratch.path("a.sock");
    serve_plain_usb(&socket, 0x1209, 0x1111);
    let rule = r#"SUBSYSTEM=="usb", ATTR{idProduct}=="1111", TAG+="systemd", ENV{SYSTEMD_WANTS}="plugged.service""#;
    let unit = "[Service]\nUser=nobody\nProtectSystem=strict\nPrivateTmp=yes\nExecStart=sleep infinity\n";
    let mut guest = Guest::systemd()
        .text("/etc/udev/rules.d/60-test.rules", &format!("{rule}\n"), 0o644)
        .text("/etc/systemd/system/plugged.service", unit, 0o644)
        .boot();
    assert_eq!(guest.sh("systemctl is-active plugged").text.trim(), "inactive", "before anything is plugged");
    guest.plug("a", &socket);
    guest.await_sh("systemctl is-active plugged");
    guest.unplug("a");
    await_products(&mut guest, "");
    guest.power_off();
}

/// Waits until exactly these products of the test's vendor are present, in ascending order.
fn await_products(guest: &mut Booted, expected: &str) {
    let there =
        "grep -l 1209 /sys/bus/usb/devices/*/idVendor | sed s/idVendor/idProduct/ | xargs -r cat | sort | xargs";
    guest.await_sh(&format!(
        "seen=$({there}); echo \"seen: $seen, expected: {expected}\"; [ \"$seen\" = \"{expected}\" ]"
    ));
}
