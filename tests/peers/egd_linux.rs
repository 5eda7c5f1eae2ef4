//! The original's `ekeyd-egd-linux` and ours at one EGD server of ours for ten seconds: how often each asks. And ours
//! at the original's EGD server.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::time::Duration;

use ekey_tests::await_until::assert_stays;
use ekey_tests::blocks::{self, Account};
use ekey_tests::ports::free_port;
use ekey_tests::{DaemonPlan, KeyPlan, Program, Scratch, await_until, binaries, original};

const WINDOW: Duration = Duration::from_secs(10);

#[test]
fn ours_feeds_this_kernel_the_original_does_not() {
    let scratch = Scratch::make();
    let plan = KeyPlan::named("key").rate(126);
    let key = plan.plug_in(&scratch);
    let ports = [free_port(), free_port()];
    let places = ports.map(|port| format!("tcp:127.0.0.1:{port}"));
    let server = DaemonPlan::default().key(&plan, &key).listen(&places[0]).listen(&places[1]).start(&scratch);

    let mut theirs = original::command("ekeyd-egd-linux");
    theirs.arg(format!("-p{}", ports[0])).args(["-H", "127.0.0.1", "-r", "1"]);
    let mut theirs = Program::spawn("original", theirs, &scratch);
    let link = scratch.path("ekeyd-egd-linux");
    symlink(binaries::built("ekeyd"), &link).expect("a link can be made");
    let mut ours = Command::new(link);
    ours.arg(format!("-p{}", ports[1])).args(["-H", "127.0.0.1", "-r", "1", "-C"]).arg(scratch.path("ours.sock"));
    let mut ours = Program::spawn("ours", ours, &scratch);

    await_until("both to be connected", || {
        let status = server.status(&scratch);
        (0..2).all(|at| status.count(&format!("/egd/{at}/clients")) == 1).then_some(())
    });
    await_until("ours to fetch the kernel's dose", || {
        (server.status(&scratch).count("/egd/1/served_bytes") >= 64).then_some(())
    });
    assert_stays(WINDOW, || {
        let ended = [&mut theirs, &mut ours].map(Program::ended);
        if ended.iter().all(Option::is_none) { Ok(()) } else { Err(format!("one has ended: {ended:?}")) }
    });
    let status = server.status(&scratch);
    let [of_original, of_ours] = [0, 1].map(|at| {
        let count = |name| status.count(&format!("/egd/{at}/{name}"));
        (count("requests"), count("served_bytes"))
    });
    eprintln!("in 10 s: the original sent {} requests for {} bytes", of_original.0, of_original.1);
    eprintln!("in 10 s: ours sent {} requests for {} bytes", of_ours.0, of_ours.1);
    assert!(of_ours.1 >= 64, "ours fetched {} bytes, and the kernel's dose is 64", of_ours.1);
    let never_asks = fs::read_to_string("/proc/sys/kernel/random/poolsize").is_ok_and(|bits| bits.trim() == "256");
    if never_asks {
        assert_eq!(of_original, (0, 0), "on such a kernel the original never asks");
    }
}

#[test]
fn ours_fetches_every_byte_of_the_originals_server() {
    const BLOCKS: u64 = 300;
    let there = Scratch::make();
    let plan = KeyPlan::named("key").rate(500);
    let key = plan.plug_in(&there);
    let keyring = there.write("keyring", &plan.keyring_line(), 0o600);
    let (control, port) = (there.path("original.sock"), free_port());
    let config = format!(
        "Daemonise(false)\nUnixControlSocket {control:?}\nKeyring {keyring:?}\n\
         EGDTCPSocket({port}, \"127.0.0.1\")\nAddEntropyKey {:?}\n",
        key.path
    );
    let mut command = original::command("ekeyd");
    command.arg("-f").arg(there.write("original.conf", &config, 0o600)).arg("-p").arg(there.path("pid"));
    let mut theirs = Program::spawn("original", command, &there);

    let here = Scratch::make();
    let file = here.path("entropy");
    let place = format!("tcp:127.0.0.1:{port}");
    let mut ours = DaemonPlan::default().file(&file, Some(BLOCKS)).fetch_from(&[place], "").start(&here);
    ours.await_blocks(&file, BLOCKS);
    assert_eq!(theirs.ended(), None, "the original's daemon still runs");
    let mut account = Account::of(&[blocks::read(&key.plain_log)]);
    assert_eq!(account.book(&blocks::read(&file)), Ok(()), "each byte is the key's, and comes once");
}
