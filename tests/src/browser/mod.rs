//! A headless browser (Debian's Chromium, unpacked by tests/fetch-browser) that a test controls and observes.

mod pipe;

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use base64ct::{Base64, Encoding as _};
use serde_json::{Value, json};

use crate::await_until::DEADLINE;
use crate::binaries;
use crate::scratch::Scratch;
use pipe::Pipe;

/// A browser with one tab. Dropping it ends it.
pub struct Browser {
    child: Child,
    pipe: Pipe,
    session: String,
    scratch: PathBuf,
}

/// Returns the folder below target/ that tests/fetch-browser fills.
///
/// # Panics
/// When tests/fetch-browser was not run.
#[must_use]
pub fn fetched() -> PathBuf {
    let folder = binaries::target_folder().join("browser");
    assert!(folder.join("done/chromium").exists(), "{} is missing: run tests/fetch-browser", folder.display());
    folder
}

impl Browser {
    /// Starts it with an empty page.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start(scratch: &Scratch) -> Self {
        let tree = fetched().join("chromium/usr");
        let fonts = format!(
            "<?xml version=\"1.0\"?><fontconfig><dir>{}</dir><cachedir>{}</cachedir></fontconfig>",
            tree.join("share/fonts").display(),
            scratch.path("fonts").display()
        );
        let fonts = scratch.write("fonts.conf", &fonts, 0o600);
        let libraries = ["lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu/pulseaudio", "lib/chromium"]
            .map(|folder| tree.join(folder).display().to_string());
        let log = fs::File::create(scratch.path("chromium.stderr")).expect("the scratch folder takes a file");
        // The browser reads commands on descriptor 3 and writes answers on 4, each ended by a zero byte.
        let mut child = Command::new("sh")
            .args(["-c", r#"exec "$@" 3<&0 4>&1 </dev/null >&2"#, "sh"])
            .arg(tree.join("lib/chromium/chromium-headless-shell"))
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"])
            .args(["--no-first-run", "--disable-background-networking", "--remote-debugging-pipe"])
            .arg(format!("--user-data-dir={}", scratch.path("profile").display()))
            .arg("about:blank")
            .env("LD_LIBRARY_PATH", libraries.join(":"))
            .env("FONTCONFIG_FILE", fonts)
            .env("HOME", scratch.path(""))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("a shell can be run");
        let pipe = Pipe::new(&mut child);
        let mut browser = Self { child, pipe, session: String::new(), scratch: scratch.path("") };
        let target = browser.ask("Target.createTarget", &json!({ "url": "about:blank" }));
        let attached =
            browser.ask("Target.attachToTarget", &json!({ "targetId": target["targetId"], "flatten": true }));
        attached["sessionId"].as_str().expect("a session has a name").clone_into(&mut browser.session);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.ask(&format!("{domain}.enable"), &json!({}));
        }
        browser
    }

    /// Shows a page in a window of this width and height, in points, on a display with `scale` dots a point.
    ///
    /// # Panics
    /// When the page does not load.
    pub fn open(&mut self, url: &str, (width, height): (u32, u32), scale: u32) {
        self.resize((width, height), scale);
        let loads = self.loads();
        let outcome = self.ask("Page.navigate", &json!({ "url": url }));
        assert_eq!(outcome["errorText"], Value::Null, "{url} does not load");
        self.await_expression("the page has loaded", |browser| browser.loads() > loads);
    }

    /// Changes the window's width and height, in points, on a display with `scale` dots a point.
    pub fn resize(&mut self, (width, height): (u32, u32), scale: u32) {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": scale, "mobile": width < 600 });
        self.ask("Emulation.setDeviceMetricsOverride", &metrics);
    }

    /// Sets the preferred colour scheme: `light` or `dark`.
    pub fn prefer(&mut self, scheme: &str) {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.ask("Emulation.setEmulatedMedia", &json!({ "features": features }));
    }

    /// Enables or disables scripts.
    pub fn scripts(&mut self, run: bool) {
        self.ask("Emulation.setScriptExecutionDisabled", &json!({ "value": !run }));
    }

    /// Returns the value of an expression in the page.
    ///
    /// # Panics
    /// When the expression throws.
    pub fn evaluate(&mut self, expression: &str) -> Value {
        let asked = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let outcome = self.ask("Runtime.evaluate", &asked);
        assert_eq!(outcome["exceptionDetails"], Value::Null, "{expression}");
        outcome["result"]["value"].clone()
    }

    /// Presses a key: `Tab`, `Enter`, `Home`, `End`, or an arrow such as `ArrowLeft`.
    pub fn press(&mut self, key: &str) {
        let (code, text) = match key {
            "Tab" => (9, ""),
            "End" => (35, ""),
            "Home" => (36, ""),
            "ArrowLeft" => (37, ""),
            "ArrowRight" => (39, ""),
            _ => (13, "\r"),
        };
        for kind in ["keyDown", "keyUp"] {
            let text = if kind == "keyDown" { text } else { "" };
            let event = json!({ "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text });
            self.ask("Input.dispatchKeyEvent", &event);
        }
    }

    /// Moves the pointer to this place of the window, in points.
    pub fn point(&mut self, x: f64, y: f64) {
        self.ask("Input.dispatchMouseEvent", &json!({ "type": "mouseMoved", "x": x, "y": y }));
    }

    /// Returns what a screen reader has of the page: the role and the name of each node that is not ignored, in order.
    ///
    /// # Panics
    /// When the browser has no such tree.
    pub fn spoken(&mut self) -> Vec<(String, String)> {
        let tree = self.ask("Accessibility.getFullAXTree", &json!({}));
        let text = |node: &Value, field: &str| node[field]["value"].as_str().unwrap_or_default().to_owned();
        let nodes = tree["nodes"].as_array().expect("the tree is a list");
        let mut spoken = Vec::new();
        let mut ahead: Vec<&Value> = nodes.first().into_iter().collect();
        while let Some(node) = ahead.pop() {
            if node["ignored"] == false {
                spoken.push((text(node, "role"), text(node, "name")));
            }
            let children = node["childIds"].as_array().into_iter().flatten().rev();
            ahead.extend(children.filter_map(|id| nodes.iter().find(|node| node["nodeId"] == *id)));
        }
        spoken
    }

    /// Returns a picture of the whole page, as PNG.
    ///
    /// # Panics
    /// When the browser gives none.
    pub fn picture(&mut self) -> Vec<u8> {
        let outcome = self.ask("Page.captureScreenshot", &json!({ "format": "png", "captureBeyondViewport": true }));
        Base64::decode_vec(outcome["data"].as_str().expect("a picture is text")).expect("a picture is base64")
    }

    /// Returns every address that was requested since the start.
    pub fn requests(&mut self) -> Vec<String> {
        let of = |event: &Value| event["params"]["request"]["url"].as_str().map(str::to_owned);
        self.events("Network.requestWillBeSent").iter().filter_map(of).collect()
    }

    /// Returns everything that the console has shown since the start: messages, errors, violations of the policy.
    pub fn complaints(&mut self) -> Vec<String> {
        ["Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"]
            .iter()
            .flat_map(|method| self.events(method))
            .map(|event| event["params"].to_string())
            .collect()
    }

    /// Waits until an expression is true.
    ///
    /// # Panics
    /// When it never is.
    pub fn await_expression(&mut self, what: &str, mut is: impl FnMut(&mut Self) -> bool) {
        let started = Instant::now();
        while !is(self) {
            assert!(started.elapsed() < DEADLINE, "waited {} s until {what}", DEADLINE.as_secs());
            sleep(Duration::from_millis(50));
        }
    }

    fn loads(&mut self) -> usize {
        self.events("Page.loadEventFired").len()
    }

    /// Returns the events of one kind so far.
    fn events(&mut self, method: &str) -> Vec<Value> {
        // Asks anything: earlier events arrive before the answer.
        self.ask("Runtime.getIsolateId", &json!({}));
        self.pipe.events.iter().filter(|event| event["method"] == method).cloned().collect()
    }

    fn ask(&mut self, method: &str, parameters: &Value) -> Value {
        match self.pipe.ask(&self.session, method, parameters, DEADLINE) {
            Ok(answer) => answer,
            Err(why) => {
                let log = fs::read_to_string(self.scratch.join("chromium.stderr")).unwrap_or_default();
                panic!("{method}: {why}; the browser's log:\n{log}")
            }
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
