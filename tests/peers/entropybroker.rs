//! A second EGD client of the distribution, Debian's `eb_server_egd` of the package entropybroker, fetches from our
//! daemon and gets what the key sent.

use std::process::Command;

use ekey_tests::blocks::{Account, read};
use ekey_tests::original::{library_folder, outside_program};
use ekey_tests::serving::ours;
use ekey_tests::{KeyPlan, Program, await_until};

/// Bytes that it writes at a time.
const PORTION: usize = 4096;

#[test]
fn entropybroker_gets_each_byte_once() {
    let (scratch, key, daemon) = ours(&KeyPlan::named("key").rate(2000));
    let fetched = scratch.path("fetched");
    // It requires a name and a password even without a broker.
    let login = scratch.write("login", "nobody\nnothing\n", 0o600);
    let mut command = Command::new(outside_program("eb_server_egd"));
    command.env("LD_LIBRARY_PATH", library_folder()).arg("-d").arg(&daemon.egd).arg("-o").arg(&fetched);
    command.arg("-X").arg(&login).args(["-n", "-a", "200", "-b", "1"]);
    let mut program = Program::spawn("eb_server_egd", command, &scratch);
    program.await_while_running("three portions of entropy", || {
        std::fs::metadata(&fetched).is_ok_and(|file| file.len() >= 3 * PORTION as u64).then_some(())
    });
    program.kill();
    // The test ignores the portion that it was writing when it was killed.
    let mut bytes = read(&fetched);
    bytes.truncate(bytes.len() / PORTION * PORTION);
    Account::of(&[read(&key.plain_log)]).book(&bytes).expect("what it fetched is what the key sent, once");
    let served = await_until("the client to leave", || {
        let status = daemon.status(&scratch);
        (status.count("/egd/0/clients") <= 1).then(|| status.count("/egd/0/served_bytes"))
    });
    assert!(served >= bytes.len() as u64, "{served} bytes are booked, {} fetched", bytes.len());
}
