//! Combined keys: clients get bytes that no single key has sent, as many as the books say, and none made of one key
//! alone.

use std::collections::HashSet;

use ekey_tests::blocks::read;
use ekey_tests::egd::EgdClient;
use ekey_tests::load::{Habit, Load};
use ekey_tests::software_key::{SECOND_LONG_TERM_KEY, SECOND_SERIAL};
use ekey_tests::{DaemonPlan, KeyPlan, Scratch, await_until};

#[test]
fn two_keys_are_combined_and_one_alone_gives_nothing() {
    let scratch = Scratch::make();
    let first = KeyPlan::named("first").rate(2000);
    let second = KeyPlan::named("second").rate(2000).identity(SECOND_SERIAL, SECOND_LONG_TERM_KEY);
    let (first_key, mut second_key) = (first.plug_in(&scratch), second.plug_in(&scratch));
    let daemon = DaemonPlan::default()
        .key(&first, &first_key)
        .key(&second, &second_key)
        .egd_lines("combine = true")
        .egd()
        .start(&scratch);
    await_until("both keys to run", || (daemon.status(&scratch).count("/combine/running_keys") == 2).then_some(()));

    let mut load = Load::new().with(10, Habit::steady(64), &daemon.egd).keeping();
    for round in 1..=20 {
        let measured = load.run_until_all_are_served();
        assert!(measured.is_flawless(), "round {round}: {} clients were hung up on", measured.lost);
    }

    second_key.program.kill();
    await_until("the daemon to notice the missing key", || {
        (daemon.status(&scratch).count("/combine/running_keys") == 1).then_some(())
    });
    let mut client = EgdClient::connect(&daemon.egd).expect("the EGD server takes a client");
    assert_eq!(client.available_bits().expect("the server answers"), 0, "bits reported with one key");
    let alone = client.take_available(255).expect("the server answers");
    assert!(alone.is_empty(), "{} bytes of one key", alone.len());
    let screen = daemon.ctl(&scratch, &["status"]).stdout;
    assert!(
        screen.split_whitespace().collect::<Vec<_>>().join(" ").contains("combining needs two"),
        "the status does not say why it gives nothing:\n{screen}"
    );

    let status = daemon.status(&scratch);
    let (used, made) = (status.count("/combine/in_bytes"), status.count("/combine/out_bytes"));
    assert_eq!(used, made * 6, "48 bytes of each of two keys for each 16");
    let served = load.given().map(<[u8]>::len).sum::<usize>() as u64;
    assert!(served > 10_000 && served <= made, "{served} bytes were served, {made} were made");
    let _second = second.plug_in(&scratch);
    await_until("bytes of two keys again", || client.take_available(64).ok().filter(|bytes| !bytes.is_empty()));

    let logs = [read(&first_key.plain_log), read(&second_key.plain_log)];
    let sent = logs.iter().flat_map(|log| log.windows(8)).collect::<HashSet<_>>();
    let mut seen = HashSet::new();
    for given in load.given() {
        let known = given.windows(8).position(|window| sent.contains(window));
        assert_eq!(known, None, "a key's bytes were served uncombined");
        let twice = given.windows(8).position(|window| !seen.insert(window));
        assert_eq!(twice, None, "bytes were served twice");
    }
}
