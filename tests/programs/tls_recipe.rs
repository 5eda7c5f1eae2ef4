//! The recipe of docs/guests.md for another machine over TLS, run as documented: its commands, and both configurations.

use std::fs;

use ekey_tests::blocks::{Account, blocks_in, read};
use ekey_tests::ports::free_port;
use ekey_tests::tls::{Certificates, blocks};
use ekey_tests::{DaemonPlan, KeyPlan, Scratch, await_until};

#[test]
fn the_documented_recipe_brings_entropy() {
    let scratch = Scratch::make();
    let made = Certificates::make(&scratch, "tls");
    let port = free_port();
    let configurations = blocks("toml");
    let [serves, fetches] = &configurations[..] else {
        panic!("the document has {} configurations", configurations.len())
    };
    // The test replaces the machine's paths in the document with its own.
    let here = |text: &str| {
        text.replace("/etc/entropykey", &made.path("").display().to_string()).replace(":8889", &format!(":{port}"))
    };
    let serves =
        here(serves).replace("unix:/run/ekeyd/egd.sock", &format!("unix:{}", scratch.path("egd.sock").display()));
    assert!(serves.starts_with("[egd]\nlisten = "), "{serves}");

    // What clients get is compared with what the key sent, also on a virtual machine.
    let serves = format!("{serves}\nclone-safe = false\n");

    let plan = KeyPlan::named("key").rate(2000);
    let key = plan.plug_in(&scratch);
    let serving = DaemonPlan::default().key(&plan, &key).whole_egd(&serves).start(&scratch);
    await_until("the TLS port", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
    let other = Scratch::make();
    let output = other.path("entropy");
    let fetching = DaemonPlan::default().file(&output, None).extra(&here(fetches)).start(&other);
    await_until("entropy on the other machine", || (blocks_in(&output) > 128).then_some(()));
    drop(fetching);

    let commands = blocks("sh");
    let sample = commands.last().expect("the document has commands");
    made.shell(&here(sample));
    let sample = fs::read(made.path("sample.bin")).expect("the command writes it");
    assert_eq!(sample.len(), 64, "bytes that the document's command got");
    let serving_log = || {
        let mut account = Account::of(&[read(&key.plain_log)]);
        account.book(&sample).and_then(|()| account.book(&read(&output)))
    };
    await_until("the log of what was taken", || serving_log().is_ok().then_some(()));
    for secret in ["authority.key", "server.key", "client.key"] {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(made.path(secret)).expect("it is made").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "the mode of {secret}");
    }
    drop(serving);
}
