//! A virtual machine that gets its entropy from our EGD server, by QEMU's `rng-egd`.

use ekey_tests::blocks::{self, Account};
use ekey_tests::document::{blocks_of, steps_at};
use ekey_tests::guest::Guest;
use ekey_tests::serving::running;
use ekey_tests::{Daemon, DaemonPlan, KeyPlan, Scratch, await_until};

const PIECE: usize = 8;

#[test]
fn hwrng_reads_bytes_that_the_key_sent() {
    let (_scratch, key, daemon) = running(&KeyPlan::named("key").rate(2000), DaemonPlan::egd);
    let mut guest = with_documented_device(&daemon).boot();
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
fn qemu_connects_again_after_the_daemon_restarts() {
    let scratch = Scratch::make();
    let plan = KeyPlan::named("key").rate(2000);
    let key = plan.plug_in(&scratch);
    let daemon = DaemonPlan::default().key(&plan, &key).egd();
    let mut running = daemon.start(&scratch);
    running.await_state(&scratch, "running");
    let mut guest = with_documented_device(&running).boot();
    let said = guest.follow(&steps_at("docs/guide.md", "vm"));
    assert_eq!(said.matches("virtio_rng.0").count(), 2, "{said}");

    // A read that is under way when the daemon goes stays hung, so the test waits for the end of the guest's.
    await_until("the guest to wait for nothing", || {
        (running.status(&scratch).count("/egd/0/waiting") == 0).then_some(())
    });
    drop(running);
    let mut running = daemon.start(&scratch);
    running.await_state(&scratch, "running");
    guest.check("head -c 4096 /dev/hwrng >/share/bytes");
    assert_eq!(blocks::read(&guest.shared("bytes")).len(), 4096);
    guest.power_off();
}

/// Returns a guest with the device of docs/guests.md, word for word but for the socket's path.
fn with_documented_device(daemon: &Daemon) -> Guest {
    let blocks = blocks_of("docs/guests.md");
    let words = blocks.iter().find_map(|block| block.text.strip_prefix("qemu-system-x86_64 … ")).expect("a command");
    let words = words.replace('\\', " ").replace("/run/ekeyd/egd.sock", &daemon.egd.display().to_string());
    let words: Vec<&str> = words.split_whitespace().collect();
    Guest::new().module("virtio-rng").qemu(&words)
}
