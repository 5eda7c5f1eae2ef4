//! Munin's graphs continue: the original's plugin works unchanged with our daemon, and our own shows the same numbers.

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use ekey_tests::software_key::{SECOND_LONG_TERM_KEY, SECOND_SERIAL, SERIAL};
use ekey_tests::{
    Daemon, DaemonPlan, Finished, KeyPlan, Program, Scratch, SoftwareKey, await_until, binaries, original, tree,
};

#[test]
fn the_originals_plugin_shows_a_serial_with_a_slash() {
    let scene = Scene::make(original::file("usr/share/munin/plugins/ekeyd_stat_").as_path());
    assert_eq!(scene.say("ekeyd_stat_", "autoconf").stdout, "yes\n");
    assert_eq!(scene.say("ekeyd_stat_", "suggest").stdout, "total_TotalEntropy\nKeyTemperatureC\n");

    let config = scene.say("ekeyd_stat_KeyTemperatureC", "config").stdout;
    let slashless = SECOND_SERIAL.replace('/', "_");
    for line in [
        "graph_title Entropy Key Temperature".to_owned(),
        "graph_vlabel Celsius".to_owned(),
        format!("stats{SERIAL}.label {SERIAL}"),
        format!("stats{slashless}.label {SECOND_SERIAL}"),
    ] {
        assert!(config.lines().any(|seen| seen == line), "{line} is not in:\n{config}");
    }
    let values = values(&scene.say("ekeyd_stat_KeyTemperatureC", ""));
    let names: Vec<&str> = values.keys().map(String::as_str).collect();
    assert_eq!(names, [format!("stats{SERIAL}"), format!("stats{slashless}")]);
    assert!(values.values().all(|value| (0.0..100.0).contains(value)), "temperatures in Celsius: {values:?}");

    let config = scene.say("ekeyd_stat_total_TotalEntropy", "config").stdout;
    assert!(config.contains("totstat.label Combined Entropy Rate for 2 Entropy Keys\n"), "{config}");
    let total = self::values(&scene.say("ekeyd_stat_total_TotalEntropy", ""));
    assert!(total["totstat"] > 0.0, "{total:?}");
}

#[test]
fn our_plugin_gives_the_keys_names_that_munin_accepts() {
    let scene = Scene::make(&tree::root().join("packaging/munin/ekeyd_"));
    assert_eq!(scene.say("ekeyd_", "autoconf").stdout, "yes\n");
    let suggested = scene.say("ekeyd_", "suggest").stdout;
    assert_eq!(suggested, "total_TotalEntropy\nKeyTemperatureC\nKeyVoltage\n");
    for name in suggested.lines() {
        let plugin = format!("ekeyd_{name}");
        let config = scene.say(&plugin, "config").stdout;
        let fields: Vec<&str> = config.lines().filter_map(|line| line.split_once(".label ")).map(|(f, _)| f).collect();
        let values = values(&scene.say(&plugin, ""));
        assert_eq!(fields.len(), if name.starts_with("total") { 1 } else { 2 }, "{config}");
        for field in fields {
            assert!(field.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'), "{field}");
            assert!(values.contains_key(field), "{field} has no value in {values:?}");
        }
    }
    let config = scene.say("ekeyd_KeyVoltage", "config").stdout;
    assert!(config.contains(&format!("key_Nw_svBlg3_pTBJORFE.label {SECOND_SERIAL}\n")), "{config}");

    let voltage = || {
        let stats = scene.daemon.ctl(&scene.scratch, &["stats", SERIAL]).stdout;
        let voltage = stats.lines().find_map(|line| line.strip_prefix("KeyVoltage=")).expect("the key has reported it");
        voltage.parse::<f64>().expect("a number")
    };
    // The key's own value changes now and then.
    let (shown, said) = await_until("a steady voltage", || {
        let before = voltage();
        let shown = values(&scene.say("ekeyd_KeyVoltage", ""))[&format!("key_{SERIAL}")];
        (voltage() == before).then_some((shown, before))
    });
    assert_eq!(shown, said, "the voltage that the plugin shows, and the one of the key");
}

#[test]
fn our_plugin_says_why_it_cannot_run() {
    let mut scene = Scene::make(&tree::root().join("packaging/munin/ekeyd_"));
    scene.daemon.program.kill();
    let autoconf = scene.run("ekeyd_", "autoconf");
    assert!(autoconf.stdout.starts_with("no (") && autoconf.stdout.contains("no daemon"), "{autoconf:?}");
    let values = scene.run("ekeyd_KeyVoltage", "");
    assert_eq!((values.code, values.stdout.as_str()), (Some(1), ""), "{values:?}");
    assert!(values.stderr.contains("no daemon"), "{values:?}");
    let nameless = scene.run("ekeyd_", "config");
    assert_eq!(nameless.code, Some(1), "{nameless:?}");
    assert!(nameless.stderr.contains("ekeyd_NAME"), "{nameless:?}");
}

/// Two keys with a daemon, and a plugin under the names that Munin gives it.
struct Scene {
    scratch: Scratch,
    daemon: Daemon,
    _keys: [SoftwareKey; 2],
}

impl Scene {
    fn make(plugin: &Path) -> Self {
        let scratch = Scratch::make();
        let plans = [
            KeyPlan::named("one").rate(126),
            KeyPlan::named("two").rate(126).identity(SECOND_SERIAL, SECOND_LONG_TERM_KEY),
        ];
        let keys = plans.each_ref().map(|plan| plan.plug_in(&scratch));
        let daemon = DaemonPlan::default().key(&plans[0], &keys[0]).key(&plans[1], &keys[1]).start(&scratch);
        for name in [
            "ekeyd_stat_",
            "ekeyd_stat_KeyTemperatureC",
            "ekeyd_stat_total_TotalEntropy",
            "ekeyd_",
            "ekeyd_total_TotalEntropy",
            "ekeyd_KeyTemperatureC",
            "ekeyd_KeyVoltage",
        ] {
            symlink(plugin, scratch.path(name)).expect("a link can be made");
        }
        await_until("both keys to report their temperatures", || {
            let said = |serial| daemon.ctl(&scratch, &["stats", serial]).stdout.contains("KeyVoltage=");
            (said(SERIAL) && said(SECOND_SERIAL)).then_some(())
        });
        Self { scratch, daemon, _keys: keys }
    }

    /// Runs the plugin as Munin does, and checks that it succeeds.
    fn say(&self, plugin: &str, word: &str) -> Finished {
        let finished = self.run(plugin, word);
        assert_eq!(finished.code, Some(0), "{plugin} {word}: {finished:?}");
        assert_eq!(finished.stderr, "", "{plugin} {word}");
        finished
    }

    fn run(&self, plugin: &str, word: &str) -> Finished {
        let mut command = Command::new(self.scratch.path(plugin));
        command.env("controlsocket", &self.daemon.control).env("ekeyctl", binaries::built("ekey-ctl"));
        command.args(Some(word).filter(|word| !word.is_empty()));
        Program::run(plugin, command, &self.scratch)
    }
}

/// Returns the lines `FIELD.value NUMBER`.
fn values(finished: &Finished) -> BTreeMap<String, f64> {
    let value = |line: &str| {
        let (field, number) = line.split_once(".value ")?;
        Some((field.to_owned(), number.parse().ok()?))
    };
    let lines = finished.stdout.lines();
    lines.map(|line| value(line).unwrap_or_else(|| panic!("{line:?} gives no value: {finished:?}"))).collect()
}
