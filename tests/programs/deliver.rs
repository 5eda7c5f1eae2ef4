//! What the key sends comes out byte for byte, through whole sessions and both kinds of link.

use ekey_tests::serving::writing;
use ekey_tests::software_key::Plug;
use ekey_tests::{KeyPlan, blocks};
use nix::sys::signal::Signal;

#[test]
fn two_hundred_thousand_socket_frames_arrive() {
    frames_arrive(Plug::Unix, 200_000);
}

#[test]
fn twenty_thousand_terminal_frames_arrive() {
    frames_arrive(Plug::Pty, 20_000);
}

#[test]
fn a_key_at_its_real_rate_delivers_every_block() {
    let ((_scratch, key, mut daemon), output) =
        writing(&KeyPlan::named("key").plug(Plug::Pty).rate(126), None, |daemon| daemon);
    daemon.await_blocks(&output, 3 * 126);
    daemon.program.kill();
    blocks::assert_prefix(&output, &key.plain_log, 3 * 126);
}

fn frames_arrive(plug: Plug, frames: u64) {
    let ((_scratch, key, mut daemon), output) =
        writing(&KeyPlan::named("key").plug(plug), Some(frames), |daemon| daemon);
    daemon.await_blocks(&output, frames);
    daemon.program.signal(Signal::SIGTERM);
    let ended = daemon.program.wait();
    assert_eq!(ended.code(), Some(0), "how ekeyd ended after SIGTERM");
    assert_eq!(
        blocks::read(&output).len() as u64,
        frames * blocks::BLOCK as u64,
        "bytes in a file output with max-bytes"
    );
    blocks::assert_prefix(&output, &key.plain_log, frames);
}
