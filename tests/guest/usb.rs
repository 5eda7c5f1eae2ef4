//! Keys on a real USB bus, with the kernel's own cdc_acm and usbfs.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use ekey_tests::guest::{Booted, Guest, SHORT, UsbDaemon, size};
use ekey_tests::software_key::{KeyPlan, Plug, SoftwareKey};
use ekey_tests::tries::{due, once_in_three};
use ekey_tests::{Scratch, blocks};
use serde_json::Value;

const FRAMES: u64 = 20_000;
const LONG: Duration = Duration::from_secs(120);

/// A machine with one key plugged in.
struct Machine {
    guest: Booted,
    key: SoftwareKey,
    _scratch: Scratch,
}

impl Machine {
    fn with(plan: KeyPlan) -> Self {
        let scratch = Scratch::make();
        let key = plan.plug(Plug::UsbRedir).plug_in(&scratch);
        let guest = Guest::for_usb_keys(&KeyPlan::named("line").keyring_line()).usbredir("key", &key.path).boot();
        Self { guest, key, _scratch: scratch }
    }

    fn output(&self) -> PathBuf {
        self.guest.shared("out")
    }
}

fn is_running(key: &Value) -> bool {
    key["state"]["name"] == "running"
}

#[test]
fn the_tty_link_delivers_every_frame_and_refuses_a_second_program() {
    delivers_and_refuses("tty", "/dev/ttyACM0", |guest| {
        // One that knows nothing of the daemon's lock, and is not root.
        guest.check("echo nobody:x:65534:65534::/:/bin/sh >>/etc/passwd; chmod 666 /dev/ttyACM0", SHORT);
        let said = guest.sh("su nobody -c ': <>/dev/ttyACM0'", SHORT);
        assert!(said.code != 0 && said.text.contains("Device or resource busy"), "{}: {}", said.code, said.text);
    });
}

#[test]
fn the_usb_link_delivers_every_frame_and_refuses_a_second_program() {
    delivers_and_refuses("usb", "/dev/bus/usb", |_| {});
}

fn delivers_and_refuses(transport: &'static str, node: &str, refuses_others_too: impl FnOnce(&mut Booted)) {
    let mut machine = Machine::with(KeyPlan::named("key").rate(2000));
    UsbDaemon { transport, blocks: Some(FRAMES) }.start(&mut machine.guest);
    let key = machine.guest.await_key("a running key", LONG, is_running);
    assert_eq!(key["transport"], transport);
    assert!(key["path"].as_str().is_some_and(|path| path.starts_with(node)), "{key}");

    let second = UsbDaemon { transport, blocks: None }.configuration("/run/second.sock");
    std::fs::write(machine.guest.shared("second.toml"), second).expect("the share is writable");
    machine
        .guest
        .check("ekeyd run --config /share/second.toml >/share/second.log 2>&1 & echo $! >/run/second.pid", SHORT);
    machine.guest.await_sh("grep 'another program holds the key' /share/second.log", SHORT);
    machine.guest.check("kill $(cat /run/second.pid)", SHORT);
    refuses_others_too(&mut machine.guest);

    let output = machine.output();
    let end = Instant::now() + LONG;
    while size(&output) < FRAMES * 32 {
        assert!(Instant::now() < end, "only {} bytes; {}", size(&output), machine.guest.ekeyd_status());
        std::thread::sleep(Duration::from_millis(100));
    }
    blocks::assert_prefix(&output, &machine.key.plain_log, FRAMES);
    let frames = &machine.guest.ekeyd_status()["keys"][0]["frames"];
    assert_eq!((&frames["mac_failures"], &frames["framing_errors"]), (&0.into(), &0.into()), "{frames}");
    machine.guest.power_off();
}

#[test]
fn a_key_that_hangs_is_revived_within_ten_seconds_by_the_step_that_it_needs() {
    for (wedge, rung) in [
        ("until-ctrl-c", "soft"),
        ("until-reopen", "reopen"),
        ("until-usb-reset", "usb-reset"),
        ("until-re-enumeration", "authorized"),
    ] {
        // The guest is as slow as the machine is busy, and so is looking at it.
        once_in_three(|| {
            let (took, steps) = revived(wedge);
            let took = took.as_secs_f64();
            println!("{wedge}: entropy again {took:.1} s after the last frame; steps: {steps}");
            let helped = steps.as_array().expect("a list").iter().find(|step| step["successes"] == 1);
            assert!(helped.is_some(), "{wedge} should have ended by {rung}: {steps}");
            due(took < 10.0, || format!("{wedge} took {took:.1} s: {steps}"))
        });
    }
}

/// How long after the last frame of a key that hangs in this way there is entropy again, and the steps that were taken.
fn revived(wedge: &str) -> (Duration, Value) {
    let mut machine = Machine::with(KeyPlan::named("key").rate(500).wedge(&format!("{wedge}:1000")));
    UsbDaemon { transport: "auto", blocks: None }.start(&mut machine.guest);
    machine.guest.await_key("a running key", LONG, is_running);
    let wedged =
        machine.guest.await_key("the key's last words", LONG, |key| key["last_frame_ms"].as_u64() > Some(1500));
    let silent_for = Duration::from_millis(wedged["last_frame_ms"].as_u64().expect("it was heard"));
    let began = Instant::now().checked_sub(silent_for).expect("the clock is older");
    let bytes = wedged["entropy_bytes"].as_u64();
    let mut back = machine.guest.await_key("entropy after the hang", LONG, |key| key["entropy_bytes"].as_u64() > bytes);
    let took = began.elapsed();
    machine.guest.power_off();
    (took, back["revival"].take())
}

#[test]
fn a_key_that_needs_a_replug_says_so_and_recovers_by_itself_after_one() {
    let mut machine = Machine::with(KeyPlan::named("key").rate(500).wedge("until-replug:1000"));
    UsbDaemon { transport: "auto", blocks: None }.start(&mut machine.guest);
    machine.guest.await_key("the state that asks for a replug", LONG, |key| {
        key["state"]["name"] == "recovering" && key["state"]["rung"] == "pause"
    });
    let screen = machine.guest.sh("ekey-ctl status --socket /run/control.sock", SHORT).text;
    let words = screen.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("replug needed") && words.contains("unplug the key and plug it in again"), "{screen}");
    machine.guest.unplug("key");
    machine.guest.await_key("the key gone", LONG, |key| key["state"]["name"] == "gone");
    let before = Instant::now();
    let path = machine.key.path.clone();
    machine.guest.plug("key", &path);
    machine.guest.await_key("a running key", LONG, is_running);
    println!("running {:.1} s after the replug", before.elapsed().as_secs_f64());
    machine.guest.power_off();
}

#[test]
fn on_the_same_hung_keys_the_original_stays_silent() {
    for wedge in ["until-ctrl-c", "until-reopen", "until-usb-reset", "until-re-enumeration"] {
        let mut machine = Machine::with(KeyPlan::named("key").rate(500).wedge(&format!("{wedge}:1000")));
        let configuration = "Daemonise(false)\nUnixControlSocket \"/run/original.sock\"\n\
            Keyring \"/etc/entropykey/keyring\"\nSetOutputToFile \"/share/original.out\"\nAddEntropyKey \"/dev/ttyACM0\"\n";
        std::fs::write(machine.guest.shared("original.conf"), configuration).expect("the share is writable");
        machine.guest.check("touch /share/original.out", SHORT);
        machine.guest.await_sh("test -c /dev/ttyACM0", SHORT);
        let start = "original-ekeyd -f /share/original.conf -p /run/original.pid >/share/original.log 2>&1 &";
        machine.guest.check(start, SHORT);
        let output = machine.guest.shared("original.out");
        let end = Instant::now() + LONG;
        while size(&output) < 900 * 32 {
            assert!(Instant::now() < end, "the original took only {} bytes", size(&output));
            std::thread::sleep(Duration::from_millis(200));
        }
        // What it had read by then it still writes, as fast as the guest is.
        let mut stopped_at = 0;
        while stopped_at != size(&output) {
            stopped_at = size(&output);
            std::thread::sleep(Duration::from_secs(3));
            assert!(Instant::now() < end, "the original takes more and more: {stopped_at} bytes");
        }
        std::thread::sleep(Duration::from_secs(12));
        println!("{wedge}: the original has {stopped_at} bytes, and no more 12 s later");
        assert_eq!(size(&output), stopped_at, "{wedge}: the original came back by itself");
        machine.guest.power_off();
    }
}

#[test]
fn a_usb_reset_is_a_bus_reset_for_the_key_and_a_tty_that_comes_back_under_another_name_is_the_same_key() {
    let mut machine = Machine::with(KeyPlan::named("key").rate(500));
    UsbDaemon { transport: "tty", blocks: None }.start(&mut machine.guest);
    let key = machine.guest.await_key("a running key", LONG, is_running);
    assert_eq!(key["path"], "/dev/ttyACM0");
    // Whoever holds the tty keeps its name taken, as root can although the daemon has it exclusively.
    machine.guest.check("sh -c 'exec 3<>/dev/ttyACM0; sleep 1000' >/dev/null 2>&1 &", SHORT);
    let resets = machine.key.program.stderr().matches("bus reset").count();
    let told = machine.guest.sh("ekey-ctl reset 1 --level usb --socket /run/control.sock", LONG);
    assert!(told.text.contains("answered"), "{}", told.text);
    let seen = machine.key.program.stderr().matches("bus reset").count();
    assert!(seen > resets, "the key saw no bus reset: {}", machine.key.program.stderr());
    let key = machine
        .guest
        .await_key("the same key under another name", LONG, |key| is_running(key) && key["path"] == "/dev/ttyACM1");
    assert_eq!((&key["number"], &key["serial"]), (&1.into(), &ekey_tests::software_key::SERIAL.into()));
    machine.guest.power_off();
}

#[test]
fn unplugging_and_plugging_in_leaves_nothing_over_on_either_transport() {
    let cycles = std::env::var("EKEY_REPLUG_CYCLES").ok().and_then(|count| count.parse().ok()).unwrap_or(10);
    for transport in ["tty", "usb"] {
        let mut machine = Machine::with(KeyPlan::named("key").rate(500));
        UsbDaemon { transport, blocks: None }.start(&mut machine.guest);
        machine.guest.await_key("a running key", LONG, is_running);
        let mut after_warm_up = None;
        for cycle in 0..cycles / 2 {
            machine.guest.unplug("key");
            machine.guest.await_key("the key gone", LONG, |key| key["state"]["name"] == "gone");
            let path = machine.key.path.clone();
            machine.guest.plug("key", &path);
            let key = machine.guest.await_key("the key back", LONG, is_running);
            assert_eq!(key["number"], 1, "cycle {cycle}: another key was made of it");
            let left = leftovers(&mut machine.guest);
            let due = after_warm_up.get_or_insert(left);
            assert!(
                left.descriptors <= due.descriptors && left.threads <= due.threads,
                "cycle {cycle}: {left:?}, due {due:?}"
            );
            assert!(left.memory_kb <= due.memory_kb + 128, "cycle {cycle}: {left:?}, due {due:?}");
        }
        println!("{transport}: {} cycles, at last {:?}", cycles / 2, leftovers(&mut machine.guest));
        machine.guest.power_off();
    }
}

/// What the daemon holds. Of its memory only what it has asked for: the pages of its program come in as their code first runs.
#[derive(Debug, Clone, Copy)]
struct Leftovers {
    descriptors: u64,
    threads: u64,
    memory_kb: u64,
}

fn leftovers(guest: &mut Booted) -> Leftovers {
    let script = "p=/proc/$(cat /run/ekeyd.pid); ls $p/fd | wc -l; ls $p/task | wc -l; \
        grep RssAnon $p/status | tr -dc '0-9\\n'";
    let said = guest.check(script, SHORT);
    let mut numbers = said.split_whitespace().map(|word| word.parse().expect("a number"));
    let mut next = || numbers.next().expect("three numbers");
    Leftovers { descriptors: next(), threads: next(), memory_kb: next() }
}

#[test]
fn a_vanished_key_a_stalled_one_and_one_that_floods_garbage_cost_less_than_two_percent() {
    for (what, plan) in [
        ("vanished", KeyPlan::named("key").rate(126)),
        ("stalled", KeyPlan::named("key").rate(126).wedge("until-replug:100")),
        ("flooding", KeyPlan::named("key").rate(0).fault("ltk-mismatch:1").fault("flip:1")),
    ] {
        let mut machine = Machine::with(plan);
        UsbDaemon { transport: "tty", blocks: None }.start(&mut machine.guest);
        machine.guest.await_key("a key that was heard", LONG, |key| key["serial"].is_string());
        match what {
            "vanished" => machine.guest.unplug("key"),
            "stalled" => {
                machine.guest.await_key("the pause", LONG, |key| key["state"]["rung"] == "pause");
            }
            _ => std::thread::sleep(Duration::from_secs(2)),
        }
        // The guest takes for its own what its processor was kept waiting for on a busy machine.
        once_in_three(|| {
            let before = processor_time(&mut machine.guest);
            machine.guest.check("sleep 10", SHORT);
            let percent = (processor_time(&mut machine.guest) - before) * 10.0;
            println!("{what}: {percent:.1} % of an emulated core");
            due(percent < 2.0, || {
                format!("a {what} key costs {percent:.1} % of a core; {}", machine.guest.ekeyd_status())
            })
        });
        machine.guest.power_off();
    }
}

/// Processor time of the daemon's threads in seconds, to the nanosecond.
fn processor_time(guest: &mut Booted) -> f64 {
    let said = guest.check("cut -d' ' -f1 /proc/$(cat /run/ekeyd.pid)/task/*/schedstat", SHORT);
    said.split_whitespace().map(|word| word.parse::<f64>().expect("a number")).sum::<f64>() / 1e9
}
