//! Keys on a real USB bus, with the kernel's cdc_acm and usbfs.

use std::time::Duration;

use ekey_tests::guest::{Booted, UsbDaemon, UsbMachine, revived, size};
use ekey_tests::{KeyPlan, await_until, blocks};
use serde_json::Value;

const FRAMES: u64 = 20_000;

fn is_running(key: &Value) -> bool {
    key["state"]["name"] == "running"
}

#[test]
fn the_tty_link_delivers_and_refuses_a_second_opener() {
    delivers_and_refuses("tty", "/dev/ttyACM0", |guest| {
        // A program that ignores the daemon's lock and does not run as root.
        guest.check("echo nobody:x:65534:65534::/:/bin/sh >>/etc/passwd; chmod 666 /dev/ttyACM0");
        let said = guest.sh("su nobody -c ': <>/dev/ttyACM0'");
        assert!(said.code != 0 && said.text.contains("Device or resource busy"), "{}: {}", said.code, said.text);
    });
}

#[test]
fn the_usb_link_delivers_and_refuses_a_second_opener() {
    delivers_and_refuses("usb", "/dev/bus/usb", |_| {});
}

fn delivers_and_refuses(transport: &'static str, node: &str, refuses_others_too: impl FnOnce(&mut Booted)) {
    let mut machine = UsbMachine::with(KeyPlan::named("key").rate(2000));
    UsbDaemon { transport, blocks: Some(FRAMES) }.start(&mut machine.guest);
    let key = machine.guest.await_key("a running key", is_running);
    assert_eq!(key["transport"], transport);
    assert!(key["path"].as_str().is_some_and(|path| path.starts_with(node)), "{key}");

    let second = UsbDaemon { transport, blocks: None }.configuration("/run/second.sock");
    std::fs::write(machine.guest.shared("second.toml"), second).expect("the share is writable");
    machine.guest.check("ekeyd run --config /share/second.toml >/share/second.log 2>&1 & echo $! >/run/second.pid");
    machine.guest.await_sh("grep 'another program holds the key' /share/second.log");
    machine.guest.check("kill $(cat /run/second.pid)");
    refuses_others_too(&mut machine.guest);

    let output = machine.output();
    await_until("all frames", || (size(&output) >= FRAMES * 32).then_some(()));
    blocks::assert_prefix(&output, &machine.key.plain_log, FRAMES);
    let frames = &machine.guest.ekeyd_status()["keys"][0]["frames"];
    assert_eq!((&frames["mac_failures"], &frames["framing_errors"]), (&0.into(), &0.into()), "{frames}");
    // Each call that the sandbox refuses leaves a line.
    let refused = machine.guest.sh("dmesg | grep type=1326");
    assert_eq!(refused.code, 1, "the sandbox refuses calls that the daemon makes:\n{}", refused.text);
    machine.guest.power_off();
}

#[test]
fn the_step_that_a_hung_key_needs_revives_it() {
    for (wedge, rung) in [
        ("until-ctrl-c", "soft"),
        ("until-reopen", "reopen"),
        ("until-usb-reset", "usb-reset"),
        ("until-re-enumeration", "authorized"),
    ] {
        let (_, steps) = revived(wedge);
        let helped = steps.as_array().expect("a list").iter().any(|step| step["successes"].as_u64() >= Some(1));
        assert!(helped, "{wedge} should have ended by {rung}: {steps}");
    }
}

#[test]
fn a_key_that_needs_a_replug_recovers_after_one() {
    let mut machine = UsbMachine::with(KeyPlan::named("key").rate(500).wedge("until-replug:1000"));
    UsbDaemon { transport: "auto", blocks: None }.start(&mut machine.guest);
    machine.guest.await_key("the state that asks for a replug", |key| {
        key["state"]["name"] == "recovering" && key["state"]["rung"] == "pause"
    });
    let screen = machine.guest.sh("ekey-ctl status --socket /run/control.sock").text;
    let words = screen.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("replug needed") && words.contains("unplug the key and plug it in again"), "{screen}");
    machine.guest.unplug("key");
    machine.guest.await_key("the key gone", |key| key["state"]["name"] == "gone");
    let path = machine.key.path.clone();
    machine.guest.plug("key", &path);
    machine.guest.await_key("a running key", is_running);
    machine.guest.power_off();
}

#[test]
fn on_the_same_hung_keys_the_original_stays_silent() {
    for wedge in ["until-ctrl-c", "until-reopen", "until-usb-reset", "until-re-enumeration"] {
        let mut machine = UsbMachine::with(KeyPlan::named("key").rate(500).wedge(&format!("{wedge}:1000")));
        let configuration = "Daemonise(false)\nUnixControlSocket \"/run/original.sock\"\n\
            Keyring \"/etc/entropykey/keyring\"\nSetOutputToFile \"/share/original.out\"\nAddEntropyKey \"/dev/ttyACM0\"\n";
        std::fs::write(machine.guest.shared("original.conf"), configuration).expect("the share is writable");
        machine.guest.check("touch /share/original.out");
        machine.guest.await_sh("test -c /dev/ttyACM0");
        let start = "original-ekeyd -f /share/original.conf -p /run/original.pid >/share/original.log 2>&1 &";
        machine.guest.check(start);
        let output = machine.guest.shared("original.out");
        await_until("what the original takes before the hang", || (size(&output) > 900 * 32).then_some(()));
        // The key has sent 1,000 frames and sends more only after a revival. Ours revives it within ten seconds.
        std::thread::sleep(Duration::from_secs(20));
        let taken = size(&output);
        println!("{wedge}: the original has {taken} bytes, and no more 20 s later");
        assert!(taken <= 1000 * 32, "{wedge}: the original came back by itself: {taken} bytes");
        machine.guest.power_off();
    }
}

#[test]
fn a_bus_reset_keeps_the_key_under_a_new_tty_name() {
    let mut machine = UsbMachine::with(KeyPlan::named("key").rate(500));
    UsbDaemon { transport: "tty", blocks: None }.start(&mut machine.guest);
    let key = machine.guest.await_key("a running key", is_running);
    assert_eq!(key["path"], "/dev/ttyACM0");
    // A program that holds the tty keeps its name taken; root can open it although the daemon has it exclusively.
    machine.guest.check("sh -c 'exec 3<>/dev/ttyACM0; sleep 1000' >/dev/null 2>&1 &");
    let resets = machine.key.program.stderr().matches("bus reset").count();
    // An emulated machine may need longer than the twelve seconds that the tool waits for an answer.
    machine.guest.await_sh("ekey-ctl reset 1 --level usb --socket /run/control.sock | grep answered");
    let seen = machine.key.program.stderr().matches("bus reset").count();
    assert!(seen > resets, "the key saw no bus reset: {}", machine.key.program.stderr());
    let key = machine
        .guest
        .await_key("the same key under another name", |key| is_running(key) && key["path"] == "/dev/ttyACM1");
    assert_eq!((&key["number"], &key["serial"]), (&1.into(), &ekey_tests::software_key::SERIAL.into()));
    machine.guest.power_off();
}

#[test]
fn replugging_leaks_nothing_on_either_transport() {
    let cycles = std::env::var("EKEY_REPLUG_CYCLES").ok().and_then(|count| count.parse().ok()).unwrap_or(10);
    for transport in ["tty", "usb"] {
        let mut machine = UsbMachine::with(KeyPlan::named("key").rate(500));
        UsbDaemon { transport, blocks: None }.start(&mut machine.guest);
        machine.guest.await_key("a running key", is_running);
        let mut after_warm_up = None;
        for cycle in 0..cycles / 2 {
            machine.guest.unplug("key");
            machine.guest.await_key("the key gone", |key| key["state"]["name"] == "gone");
            let path = machine.key.path.clone();
            machine.guest.plug("key", &path);
            let key = machine.guest.await_key("the key back", is_running);
            assert_eq!(key["number"], 1, "cycle {cycle}: another key was made of it");
            let most = *after_warm_up.get_or_insert_with(|| leftovers(&mut machine.guest));
            // Descriptors of the unplugged key may take a moment to close.
            await_until(&format!("no more than {most:?} in cycle {cycle}"), || {
                let left = leftovers(&mut machine.guest);
                (left.descriptors <= most.descriptors && left.threads <= most.threads).then_some(())
            });
        }
        println!("{transport}: {} cycles, at last {:?}", cycles / 2, leftovers(&mut machine.guest));
        machine.guest.power_off();
    }
}

/// Returns what the daemon holds open.
#[derive(Debug, Clone, Copy)]
struct Leftovers {
    descriptors: u64,
    threads: u64,
}

fn leftovers(guest: &mut Booted) -> Leftovers {
    let said = guest.check("p=/proc/$(cat /run/ekeyd.pid); ls $p/fd | wc -l; ls $p/task | wc -l");
    let mut numbers = said.split_whitespace().map(|word| word.parse().expect("a number"));
    let mut next = || numbers.next().expect("two numbers");
    Leftovers { descriptors: next(), threads: next() }
}
