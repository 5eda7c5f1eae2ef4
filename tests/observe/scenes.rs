//! What the page is looked at with: no key, one, three with faults, a daemon that has gone. And the pictures of it.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use base64ct::{Base64, Encoding as _};
use ekey_tests::browser::Browser;
use ekey_tests::egd::EgdClient;
use ekey_tests::software_key::{LONG_TERM_KEY, SECOND_LONG_TERM_KEY, SECOND_SERIAL};
use ekey_tests::{Daemon, DaemonPlan, KeyPlan, Scratch, SoftwareKey, await_until, binaries, http, ports};
use nix::sys::signal::Signal;
use serde_json::Value;

/// The steps of history that a picture shows, if this variable has a number. Three are enough for the tests.
const STEPS: &str = "PAGE_STEPS";

/// What there is to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scene {
    /// No key, and a client that waits.
    NoKey,
    /// One key that is well, and a client that takes some.
    OneKey,
    /// One key that is silent, one that damages frames, one that is well; clients that wait.
    ThreeKeys,
    /// One key, and the daemon ends.
    DeadDaemon,
}

/// A scene that is being played. Dropping it ends it.
pub(crate) struct Played {
    pub(crate) address: SocketAddr,
    daemon: Daemon,
    keys: Vec<SoftwareKey>,
    taker: Option<(Arc<AtomicBool>, JoinHandle<()>)>,
    waiting: Vec<EgdClient>,
}

impl Scene {
    pub(crate) const ALL: [Self; 4] = [Self::NoKey, Self::OneKey, Self::ThreeKeys, Self::DeadDaemon];

    /// Returns its name, for a file.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::NoKey => "no-key",
            Self::OneKey => "one-key",
            Self::ThreeKeys => "three-keys",
            Self::DeadDaemon => "dead-daemon",
        }
    }

    fn plans(self) -> Vec<KeyPlan> {
        let well = KeyPlan::named("key").rate(126);
        match self {
            Self::NoKey => Vec::new(),
            Self::OneKey | Self::DeadDaemon => vec![well],
            Self::ThreeKeys => vec![
                well.identity("Nx/vBlg3+TBJORFE", LONG_TERM_KEY),
                KeyPlan::named("faulty").rate(126).fault("flip:150").identity(SECOND_SERIAL, SECOND_LONG_TERM_KEY),
                KeyPlan::named("silent").rate(126),
            ],
        }
    }

    /// Starts it, and waits until its charts have something to show.
    pub(crate) fn play(self, scratch: &Scratch) -> Played {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free_port()));
        let mut plan = DaemonPlan::default().egd().pool(262_144).extra(&format!("[http]\nlisten = \"{address}\"\n"));
        let mut keys = Vec::new();
        for planned in self.plans() {
            let key = planned.plug_in(scratch);
            plan = plan.key(&planned, &key);
            keys.push(key);
        }
        if self == Self::ThreeKeys {
            plan = plan.file(&scratch.path("out.bin"), Some(65_536));
        }
        let daemon = plan.start(scratch);
        await_until("HTTP", || http::connect(address).ok());
        let mut played = Played { address, daemon, keys, taker: None, waiting: Vec::new() };
        match self {
            Self::NoKey => played.ask(3),
            Self::ThreeKeys => {
                played.await_running(3);
                played.take();
                steps_are_recorded(address, 2);
                played.keys[2].program.signal(Signal::SIGSTOP);
                await_until("a silent key", || (played.running() < 3).then_some(()));
            }
            Self::OneKey | Self::DeadDaemon => {
                played.await_running(1);
                played.take();
            }
        }
        let steps = std::env::var(STEPS).ok().and_then(|steps| steps.parse().ok());
        steps_are_recorded(address, steps.unwrap_or(3));
        played
    }
}

impl Played {
    fn running(&self) -> usize {
        let status: Value = serde_json::from_str(&http::get(self.address, "/status.json", "").body).unwrap_or_default();
        let keys = status["keys"].as_array().cloned().unwrap_or_default();
        keys.iter().filter(|key| key["state"]["name"] == "running").count()
    }

    fn await_running(&self, keys: usize) {
        await_until("running keys", || (self.running() == keys).then_some(()));
    }

    /// Has clients ask for more than there is.
    fn ask(&mut self, clients: usize) {
        for _ in 0..clients {
            let mut client = EgdClient::connect(&self.daemon.egd).expect("the daemon takes clients");
            client.ask_without_reading(4).expect("the daemon takes requests");
            self.waiting.push(client);
        }
    }

    /// Has a client take about a kilobyte a second.
    fn take(&mut self) {
        let mut client = EgdClient::connect(&self.daemon.egd).expect("the daemon takes clients");
        let end = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&end);
        let taker = thread::spawn(move || {
            let mut count = 0_u8;
            while !ends.load(Ordering::Relaxed) && client.take(160 + count % 96).is_ok() {
                count = count.wrapping_add(7);
                thread::sleep(Duration::from_millis(200));
            }
        });
        self.taker = Some((end, taker));
    }

    /// Ends the daemon, and waits until the page says so.
    pub(crate) fn end_daemon(&mut self, browser: &mut Browser) {
        self.daemon.program.kill();
        browser.await_expression("the page says that the daemon is gone", |browser| {
            browser.evaluate("document.getElementById('lost').checkVisibility()") == true
        });
    }
}

impl Drop for Played {
    fn drop(&mut self) {
        if let Some((end, _)) = &self.taker {
            end.store(true, Ordering::Relaxed);
        }
        for key in &self.keys {
            key.program.signal(Signal::SIGCONT);
        }
    }
}

/// Waits until the history has this many more steps.
pub(crate) fn steps_are_recorded(address: SocketAddr, count: usize) {
    let steps = || {
        let history: Value = serde_json::from_str(&http::get(address, "/history.json", "").body).ok()?;
        Some(history["fine"]["pool_bytes"].as_array()?.len())
    };
    let before = steps().unwrap_or(0);
    await_until("steps of history", || (steps()? >= before + count).then_some(()));
}

/// Takes a picture that names neither this machine nor its folders.
pub(crate) fn picture(browser: &mut Browser, scratch: &Scratch) -> Vec<u8> {
    let folder = scratch.path("").display().to_string();
    let folder = folder.trim_end_matches('/');
    browser.evaluate(&format!(
        "(() => {{
          const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
          for (let text = texts.nextNode(); text; text = texts.nextNode()) {{
            text.data = text.data.replaceAll('{folder}', '/run/ekeyd').replace(/^Entropy Key on .*/, 'Entropy Key on keyhost');
          }}
        }})()"
    ));
    let picture = browser.picture();
    assert!(picture.starts_with(b"\x89PNG") && picture.len() > 10_000, "{} bytes", picture.len());
    picture
}

/// Keeps the pictures below the target folder.
pub(crate) fn keep(pictures: &[(String, Vec<u8>)]) {
    let folder = binaries::target_folder().join("browser/pictures");
    fs::create_dir_all(&folder).expect("the target folder takes a folder");
    let write = |name: &str, picture: &[u8]| {
        fs::write(folder.join(format!("{name}.png")), picture).expect("a picture can be kept");
    };
    pictures.iter().for_each(|(name, picture)| write(name, picture));
    write("states", &sheet(pictures));
}

/// Makes one picture of the scenes that a picture of its own does not show.
fn sheet(pictures: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut body = String::new();
    for (name, words, width) in [
        ("no-key-desktop-light", "no key, clients wait", 480),
        ("three-keys-desktop-light", "three keys, one is silent", 480),
        ("dead-daemon-desktop-light", "the daemon has gone", 480),
        ("three-keys-phone-dark", "a phone", 196),
    ] {
        let (_, picture) = pictures.iter().find(|(other, _)| other == name).expect("each scene has pictures");
        let picture = Base64::encode_string(picture);
        body += &format!(
            "<figure style='margin:0'><figcaption>{words}</figcaption><div style='height:600px;overflow:hidden'>\
             <img width={width} src='data:image/png;base64,{picture}'></div></figure>"
        );
    }
    let scratch = Scratch::make();
    let mut browser = Browser::start(&scratch);
    browser.resize((1720, 640), 1);
    browser.evaluate(&format!(
        "document.body.style = 'margin:12px;display:flex;gap:12px;background:#fff;font:15px DejaVu Sans';
         document.body.innerHTML = {}; 0",
        serde_json::to_string(&body).expect("text is JSON")
    ));
    browser.await_expression("the pictures", |browser| {
        browser.evaluate("[...document.images].every((image) => image.complete && image.naturalWidth > 0)") == true
    });
    browser.picture()
}
