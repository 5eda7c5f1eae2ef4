//! Each byte that the key sent reaches one consumer, once, unaltered: a hundred clients, the kernel and a file at the
//! same time.

use ekey_tests::blocks::{Account, read};
use ekey_tests::load::{Habit, Load};
use ekey_tests::serving::writing;
use ekey_tests::{KeyPlan, await_until};
use nix::sys::signal::Signal;

#[test]
fn each_byte_is_served_once_and_unaltered() {
    let ((_scratch, key, mut daemon), output) = writing(&KeyPlan::named("key").rate(20_000), None, |daemon| {
        daemon
            .uncredited_kernel("enabled = true\ninterval-s = 1")
            .egd_lines("share-percent = 60\npool-bytes = 65536")
            .egd()
    });
    // Multiples of eight, by which the account identifies a piece.
    let mut load = Load::new();
    for bytes in [8, 24, 64, 120, 248] {
        let steady = Habit::steady(bytes);
        load = load.with(10, steady, &daemon.egd).with(10, Habit { ahead: 16, ..steady }, &daemon.egd);
    }
    let mut load = load.keeping();
    let given = |load: &Load| load.given().map(<[u8]>::len).sum::<usize>();
    await_until("enough to compare", || {
        let measured = load.run_until_all_are_served();
        assert!(measured.is_flawless(), "{} clients were hung up on: {:?}", measured.lost, measured.requests);
        (given(&load) > 500_000 && read(&output).len() > 100_000).then_some(())
    });
    daemon.program.signal(Signal::SIGTERM);
    daemon.program.wait();

    let mut account = Account::of(&[read(&key.plain_log)]);
    let mut served = 0;
    for (number, given) in load.given().enumerate() {
        served += given.len();
        assert_eq!(account.book(given), Ok(()), "what client {number} of 100 got, {} bytes", given.len());
    }
    let file = read(&output);
    assert_eq!(account.book(&file), Ok(()), "what the file got, {} bytes", file.len());
    assert!(served > 500_000 && file.len() > 100_000, "only {served} bytes to clients and {} to the file", file.len());
}
