//! A virtual machine that gets its entropy from our EGD server, by QEMU's `rng-egd`.

use ekey_tests::blocks::{self, Account};
use ekey_tests::guest::Guest;
use ekey_tests::serving::running;
use ekey_tests::{DaemonPlan, KeyPlan, Scratch, await_until};

const PIECE: usize = 8;

#[test]
fn hwrng_reads_bytes_that_the_key_sent() {
    let (_scratch, key, daemon) = running(&KeyPlan::named("key").rate(2000), DaemonPlan::egd);
    let mut guest = Guest::new()
        .module("virtio-rng")
        .qemu(&["-chardev", &format!("socket,id=egd,path={}", daemon.egd.display())])
        .qemu(&["-object", "rng-egd,id=egd-rng,chardev=egd", "-device", "virtio-rng-pci,rng=egd-rng"])
        .boot();
    assert_eq!(guest.check("cat /sys/class/misc/hw_random/rng_current").trim(), "virtio_rng.0");
    guest.check("dd if=/dev/hwrng of=/share/bytes bs=64 count=64");
    let bytes = blocks::read(&guest.shared("bytes"));
    assert_eq!(bytes.len(), 4096, "the guest read 64 times 64 bytes");
    let log = blocks::read(&key.plain_log);
    // The guest's kernel keeps a part for itself and may cut anywhere, so the test searches for pieces, not whole
    // blocks.
    let known = bytes.windows(PIECE).filter(|piece| log.windows(PIECE).any(|sent| sent == *piece)).count();
    println!("{known} of {} pieces of {PIECE} bytes are in the key's log", bytes.len() - PIECE + 1);
    assert!(
        known * 10 >= (bytes.len() - PIECE + 1) * 8,
        "only {known} pieces of the guest's bytes were sent by the key"
    );
    let mut account = Account::of(&[log]);
    for piece in bytes.chunks(64) {
        account.book(piece).expect("bytes of the key, none twice");
    }
    guest.power_off();
}

#[test]
fn reads_go_on_after_the_daemon_restarts() {
    let scratch = Scratch::make();
    let plan = KeyPlan::named("key").rate(2000);
    let key = plan.plug_in(&scratch);
    let serving = DaemonPlan::default().key(&plan, &key).egd();
    let daemon = serving.start(&scratch);
    let mut guest = Guest::new()
        .module("virtio-rng")
        .qemu(&["-chardev", &format!("socket,id=egd,path={},reconnect=1", daemon.egd.display())])
        .qemu(&["-object", "rng-egd,id=egd-rng,chardev=egd", "-device", "virtio-rng-pci,rng=egd-rng"])
        .boot();
    guest.check("dd if=/dev/hwrng of=/share/before bs=64 count=4");
    drop(daemon);
    let daemon = serving.start(&scratch);
    await_until("QEMU to connect again", || (daemon.status(&scratch).count("/egd/0/clients") == 1).then_some(()));
    guest.check("dd if=/dev/hwrng of=/share/after bs=64 count=4");
    assert_eq!(blocks::read(&guest.shared("after")).len(), 256, "the guest read 4 times 64 bytes");
    guest.power_off();
}
