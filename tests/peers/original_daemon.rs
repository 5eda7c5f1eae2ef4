//! The original daemon believes our software key: five sessions and more, every byte as the key logged it.
//!
//! This is what proves the software key's cryptography, and with it everything else that is tested on that key.

use std::time::Duration;

use ekey_tests::original::OriginalDaemon;
use ekey_tests::software_key::Plug;
use ekey_tests::{KeyPlan, Scratch, blocks};
use nix::sys::signal::Signal;

/// Five sessions of 4096 frames, and the beginning of a sixth.
const BLOCKS: u64 = 5 * 4096 + 100;

#[test]
fn the_original_daemon_takes_five_sessions_from_a_unix_socket() {
    the_original_takes_five_sessions_from(Plug::Unix);
}

#[test]
fn the_original_daemon_takes_five_sessions_from_a_terminal() {
    the_original_takes_five_sessions_from(Plug::Pty);
}

fn the_original_takes_five_sessions_from(plug: Plug) {
    let scratch = Scratch::make();
    let plan = KeyPlan::named("key").plug(plug);
    let key = plan.plug_in(&scratch);
    let keyring = scratch.write("keyring", &plan.keyring_line(), 0o600);
    let mut original = OriginalDaemon::start("original", &scratch, &key, &keyring);
    original.await_blocks(BLOCKS, Duration::from_secs(60));
    original.program.signal(Signal::SIGTERM);
    original.program.wait(Duration::from_secs(5));
    blocks::assert_prefix(&original.output, &key.plain_log, BLOCKS);
}
