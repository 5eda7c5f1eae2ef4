//! The original daemon accepts our software key: more than five sessions, every byte as in the key's log.
//!
//! This proves the software key's cryptography, and with it every other test on that key.

use ekey_tests::original::OriginalDaemon;
use ekey_tests::software_key::Plug;
use ekey_tests::{KeyPlan, Scratch, blocks};
use nix::sys::signal::Signal;

/// Five sessions of 4096 frames, and the beginning of a sixth.
const BLOCKS: u64 = 5 * 4096 + 100;

#[test]
fn the_original_reads_our_key_from_a_unix_socket() {
    assert_eq!(the_original_takes_five_sessions_from(Plug::Unix), Ok(()));
}

#[test]
fn the_original_reads_our_key_from_a_terminal() {
    // On a busy machine it sometimes reopens a terminal that it has just opened, and drops what arrives meanwhile.
    let mut tries = (0..10).map(|_| the_original_takes_five_sessions_from(Plug::Pty));
    assert!(tries.any(|outcome| outcome == Ok(())), "it never delivered every block");
}

/// Returns whether it has written every block from the first one on; checks that its output is what the key sent, in
/// order.
fn the_original_takes_five_sessions_from(plug: Plug) -> Result<(), String> {
    let scratch = Scratch::make();
    let plan = KeyPlan::named("key").plug(plug);
    let key = plan.plug_in(&scratch);
    let keyring = scratch.write("keyring", &plan.keyring_line(), 0o600);
    let mut original = OriginalDaemon::start("original", &scratch, &key, &keyring);
    original.await_blocks(BLOCKS);
    original.program.signal(Signal::SIGTERM);
    original.program.wait();
    blocks::assert_in_order(&original.output, &key.plain_log);
    blocks::is_prefix(&blocks::read(&original.output), &blocks::read(&key.plain_log), BLOCKS)
}
