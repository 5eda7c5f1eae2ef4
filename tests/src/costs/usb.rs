//! Keys on the USB bus of a guest: how soon a hung key is revived, and what bad keys cost.

use std::path::Path;

use super::{Bound, Figure, Missing, Subject, Unit};
use crate::binaries::target_folder;
use crate::guest::{Booted, UsbDaemon, UsbMachine, revived};
use crate::software_key::KeyPlan;

pub(super) const SUBJECTS: &[Subject] = &[
    Subject { name: "usb-revival", title: "how long a hung key is silent (in a guest)", measure: revival },
    Subject { name: "usb-bad-keys", title: "what bad keys cost (in a guest)", measure: bad_keys },
    Subject { name: "usb-replug", title: "memory after replugging (in a guest)", measure: replug },
];

/// Checks that a guest's kernel was fetched. A guest's processor is emulated: compare its figures only with one of the same
/// kind.
fn fetched() -> Result<(), Missing> {
    let folder = target_folder().join("guest/vmlinux");
    let missing = || Missing(format!("{} is missing: tests/fetch-guest", Path::new(&folder).display()));
    folder.exists().then_some(()).ok_or_else(missing)
}

fn revival() -> Result<Vec<Figure>, Missing> {
    fetched()?;
    let figures = ["until-ctrl-c", "until-reopen", "until-usb-reset", "until-re-enumeration"].map(|wedge| {
        let (silent, _) = revived(wedge);
        Figure::new(format!("silence of a key that hangs {wedge}"), Unit::Seconds, silent.as_secs_f64())
            .bound(Bound::Most(10.0))
    });
    Ok(figures.into())
}

fn bad_keys() -> Result<Vec<Figure>, Missing> {
    fetched()?;
    let mut figures = Vec::new();
    let mut good = f64::NAN;
    for (what, plan) in [
        ("good", KeyPlan::named("key").rate(126)),
        ("vanished", KeyPlan::named("key").rate(126)),
        ("stalled", KeyPlan::named("key").rate(126).wedge("until-replug:100")),
        ("flooding", KeyPlan::named("key").rate(0).fault("ltk-mismatch:1").fault("flip:1")),
    ] {
        let mut machine = UsbMachine::with(plan);
        UsbDaemon { transport: "tty", blocks: None }.start(&mut machine.guest);
        machine.guest.await_key("a key that was heard", |key| key["serial"].is_string());
        match what {
            "vanished" => machine.guest.unplug("key"),
            "stalled" => drop(machine.guest.await_key("the pause", |key| key["state"]["rung"] == "pause")),
            _ => drop(machine.guest.check("sleep 2")),
        }
        let percent = share(&mut machine.guest);
        machine.guest.power_off();
        if what == "good" {
            good = percent;
            continue;
        }
        let figure = Figure::new(format!("of an emulated core with a {what} key"), Unit::PercentOfCore, percent);
        figures.push(figure.against("with a good one", good).bound(Bound::Most(2.0)));
    }
    Ok(figures)
}

fn replug() -> Result<Vec<Figure>, Missing> {
    fetched()?;
    let figures = ["tty", "usb"].map(|transport| {
        let mut machine = UsbMachine::with(KeyPlan::named("key").rate(500));
        UsbDaemon { transport, blocks: None }.start(&mut machine.guest);
        let running =
            |guest: &mut Booted| drop(guest.await_key("a running key", |key| key["state"]["name"] == "running"));
        running(&mut machine.guest);
        let after = [(); 5].map(|()| {
            machine.guest.unplug("key");
            machine.guest.await_key("the key gone", |key| key["state"]["name"] == "gone");
            let path = machine.key.path.clone();
            machine.guest.plug("key", &path);
            running(&mut machine.guest);
            number(&machine.guest.check("grep RssAnon /proc/$(cat /run/ekeyd.pid)/status | tr -dc '0-9\\n'"))
        });
        machine.guest.power_off();
        let figure = Figure::new(format!("anonymous memory after five times, {transport}"), Unit::Kilobytes, after[4]);
        figure.against("after the first", after[0]).bound(Bound::MostMore(128.0))
    });
    Ok(figures.into())
}

/// Returns the part of an emulated core that the daemon's threads take in ten seconds, in per cent.
fn share(guest: &mut Booted) -> f64 {
    let used = |guest: &mut Booted| {
        let said = guest.check("cut -d' ' -f1 /proc/$(cat /run/ekeyd.pid)/task/*/schedstat");
        said.split_whitespace().map(number).sum::<f64>() / 1e9
    };
    let before = used(guest);
    guest.check("sleep 10");
    (used(guest) - before) * 10.0
}

fn number(text: &str) -> f64 {
    text.trim().parse().expect("a number")
}
