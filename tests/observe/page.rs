//! The page in a real browser: on a phone and a desktop, light and dark, by keyboard and pointer, and without scripts.

use std::collections::BTreeSet;

use ekey_tests::browser::Browser;
use ekey_tests::egd::EgdClient;
use ekey_tests::http::Observed;
use ekey_tests::{KeyPlan, Scratch, await_until, http};
use serde_json::Value;

use crate::scenes::{self, Scene, steps_are_recorded};

const PHONE: (u32, u32) = (390, 740);
const DESKTOP: (u32, u32) = (1280, 900);

/// Lists, for each text and each chart line: its name, its contrast with its background, and the required contrast
/// (WCAG 2.1, AA).
const CONTRAST: &str = r#"(() => {
  const rgb = (text) => (text.match(/[\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255).map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const colour = rgb(getComputedStyle(e).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const ratio = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
  const out = [];
  for (const e of document.querySelectorAll("body *")) {
    const style = getComputedStyle(e), svg = e.closest("svg");
    if (e.checkVisibility && !e.checkVisibility()) continue;
    const says = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    const name = e.tagName + "." + (e.getAttribute("class") || "") + ": " + e.textContent.trim().slice(0, 30);
    if (says && e.tagName !== "SCRIPT") {
      out.push([name, ratio(rgb(svg ? style.fill : style.color), behind(e)), 4.5]);
      for (let p = e; p; p = p.parentElement) if (Number(getComputedStyle(p).opacity) < 1) out.push([name + " is faded", 0, 4.5]);
    }
    if (e.matches(".line")) out.push([name, ratio(rgb(style.stroke), behind(e)), 3]);
    if (e.matches("rect.bar")) out.push([name, ratio(rgb(style.fill), behind(e)), 3]);
  }
  return out;
})()"#;

/// Starts a daemon with a key that damages frames at times, and waits until its charts have data.
fn start(scratch: &Scratch) -> Observed {
    let mut running = Observed::start(scratch, &KeyPlan::named("key").rate(126).fault("flip:200"), |plan| plan);
    running.daemon.await_state(scratch, "running");
    await_until("some history with a rejected frame", || {
        let history: Value = serde_json::from_str(&http::get(running.address, "/history.json", "").body).ok()?;
        let rejected = history["fine"]["rejected_frames"].as_array()?;
        (rejected.len() >= 3 && rejected.iter().any(|count| count.as_u64() > Some(0))).then_some(())
    });
    running
}

#[test]
fn every_scene_fits_every_screen_and_no_other_host() {
    let mut pictures = Vec::new();
    for scene in Scene::ALL {
        let scratch = Scratch::make();
        let mut played = scene.play(&scratch);
        let mut browser = Browser::start(&scratch);
        let url = format!("http://{}/", played.address);
        browser.open(&url, DESKTOP, 1);
        let lost = scene == Scene::DeadDaemon;
        if lost {
            assert_eq!(browser.complaints(), Vec::<String>::new());
            played.end_daemon(&mut browser);
        }
        for (size, device) in [(DESKTOP, "desktop"), (PHONE, "phone")] {
            for scheme in ["light", "dark"] {
                browser.prefer(scheme);
                if lost {
                    browser.resize(size, 1);
                } else {
                    browser.open(&url, size, 1);
                }
                let when = format!("{}-{device}-{scheme}", scene.name());
                contrast_is_enough(&mut browser, &when);
                let width = browser.evaluate("document.documentElement.scrollWidth");
                assert!(width.as_u64() <= Some(size.0.into()), "{when}: {width} points wide");
                pictures.push((when, scenes::picture(&mut browser, &scratch)));
            }
        }
        if !lost {
            assert_eq!(browser.complaints(), Vec::<String>::new(), "{}", scene.name());
        }
        let own = |request: &String| request.starts_with(&url) || request == "data:," || request == "about:blank";
        let others: Vec<String> = browser.requests().into_iter().filter(|request| !own(request)).collect();
        assert_eq!(others, Vec::<String>::new(), "the page requests other hosts");
    }
    scenes::keep(&pictures);
}

#[test]
fn a_lost_daemon_greys_the_page_and_its_title() {
    let scratch = Scratch::make();
    let mut played = Scene::OneKey.play(&scratch);
    let mut browser = Browser::start(&scratch);
    browser.open(&format!("http://{}/", played.address), DESKTOP, 1);
    assert_eq!(browser.evaluate("document.getElementById('lost').hidden"), true);
    let colour = "getComputedStyle(document.querySelector('#charts .line')).stroke";
    let coloured = browser.evaluate(colour);
    played.end_daemon(&mut browser);
    let seen = browser.evaluate("document.getElementById('as-of').dateTime.slice(11, 19)");
    let seen = seen.as_str().expect("a time");
    let title = browser.evaluate("document.title");
    assert!(title.as_str().is_some_and(|title| title.starts_with(&format!("lost, last seen {seen} – "))), "{title}");
    let words = browser.evaluate("document.getElementById('lost').innerText");
    assert!(words.as_str().is_some_and(|words| words.contains(&format!("last seen {seen} UTC"))), "{words}");
    assert_ne!(browser.evaluate(colour), coloured, "the charts keep their colour");
    assert_eq!(browser.evaluate("document.getElementById('verdict').checkVisibility()"), false, "all is not well");
}

#[test]
fn the_page_renews_itself_and_leaves_the_reader_alone() {
    let scratch = Scratch::make();
    let running = start(&scratch);
    let mut browser = Browser::start(&scratch);
    browser.open(&format!("http://{}/", running.address), DESKTOP, 1);
    browser.evaluate("document.querySelector('#key-1').open = true; document.querySelector('#key-1 summary').focus()");
    let words =
        "document.getElementById('key-1').textContent + document.querySelector('#chart-supply .plot').dataset.end";
    let before = browser.evaluate(words);
    browser.await_expression("the page has renewed itself", |browser| browser.evaluate(words) != before);
    assert_eq!(browser.evaluate("document.activeElement.parentElement.id"), "key-1", "the focus stays");
    assert_eq!(browser.evaluate("document.querySelector('#key-1').open"), true, "what is open stays open");
    let one = browser
        .evaluate("['header', 'main', '#tiles', '#charts'].every((e) => document.querySelectorAll(e).length === 1)");
    assert_eq!(one, true);
}

#[test]
fn the_keyboard_reaches_details_and_reads_charts() {
    let scratch = Scratch::make();
    let running = start(&scratch);
    let mut browser = Browser::start(&scratch);
    browser.open(&format!("http://{}/", running.address), DESKTOP, 1);
    let mut reached = Vec::new();
    loop {
        browser.press("Tab");
        if browser.evaluate("document.activeElement === document.body") == true {
            break;
        }
        let name = browser.evaluate(
            "document.activeElement.getAttribute('aria-label') || document.activeElement.textContent.trim().slice(0, 30)",
        );
        let name = name.as_str().unwrap_or_default().to_owned();
        let outline = browser.evaluate("getComputedStyle(document.activeElement).outlineStyle");
        reached.push(name.clone());
        assert_ne!(outline, "none", "the focus is invisible: {reached:?}");
        if name.starts_with("Key 1") || name == "The same figures as a table" {
            browser.press("Enter");
            assert_eq!(browser.evaluate("document.activeElement.parentElement.open"), true, "{name}");
        }
        if name.starts_with("Supply: now ") {
            arrows_read_values(&mut browser);
        }
    }
    for expected in [
        "Skip to the charts",
        "Key 1",
        "last 10 minutes",
        "last 24 hours",
        "Supply: now ",
        "Pool: now ",
        "Temperature: now ",
        "Rejected frames: ",
        "The same figures as a table",
        "status.json",
    ] {
        assert!(reached.iter().any(|words| words.starts_with(expected)), "{expected} cannot be reached: {reached:?}");
    }
    assert_eq!(browser.evaluate("document.querySelectorAll('#table tbody tr').length"), 12);
    assert_eq!(browser.evaluate("document.getAnimations().length"), 0, "nothing moves");
}

/// Checks that the arrow keys move from step to step of the focused chart, and that what is read is what is shown.
fn arrows_read_values(browser: &mut Browser) {
    let spoken = "document.activeElement.getAttribute('aria-valuetext')";
    let mut read = Vec::new();
    for key in ["End", "ArrowLeft", "Home"] {
        browser.press(key);
        let value = browser.evaluate(spoken).as_str().expect("the value is spoken").to_owned();
        let shown = browser.evaluate("document.activeElement.parentElement.querySelector('.reading').textContent");
        let (words, time) = value.split_once(" at ").expect("a value and its time");
        assert_eq!(shown, format!("{time}  {words}"));
        assert_eq!(time.len(), "14:05:30".len(), "{value}");
        read.push(value);
    }
    assert!(read[0].contains("B/s at ") && read[1].contains("B/s at ") && read[0] != read[1], "{read:?}");
    let cursor = browser.evaluate("getComputedStyle(document.activeElement.querySelector('.cursor')).visibility");
    assert_eq!(cursor, "visible");
}

#[test]
fn the_pointer_reads_the_value_under_it() {
    let scratch = Scratch::make();
    let running = start(&scratch);
    let mut browser = Browser::start(&scratch);
    browser.open(&format!("http://{}/", running.address), DESKTOP, 1);
    let plot = "document.querySelector('#chart-pool .plot')";
    browser.evaluate(&format!("{plot}.scrollIntoView({{ block: 'center' }})"));
    let place = browser
        .evaluate(&format!("(({{ x, y, width, height }}) => [x, y, width, height])({plot}.getBoundingClientRect())"));
    let [x, y, width, height] = [0, 1, 2, 3].map(|index| place[index].as_f64().expect("a number"));
    browser.point(x + width * 351.0 / 360.0, y + height / 2.0);
    let reading = browser.evaluate("document.querySelector('#chart-pool .reading').textContent");
    let newest = browser.evaluate(&format!("{plot}.dataset.steps.split(';').pop()"));
    let newest = newest.as_str().and_then(|step| step.split_once(' ')).expect("a step").1.to_owned();
    assert!(reading.as_str().is_some_and(|reading| reading.ends_with(&format!("  {newest}"))), "{reading}, {newest}");
    browser.point(1.0, 1.0);
    assert_eq!(browser.evaluate("document.querySelector('#chart-pool .reading').textContent"), "");
}

#[test]
fn a_screen_reader_has_names_and_headings_in_order() {
    let scratch = Scratch::make();
    let running = start(&scratch);
    let mut browser = Browser::start(&scratch);
    browser.open(&format!("http://{}/", running.address), DESKTOP, 1);
    let spoken = browser.spoken();
    let named =
        |role: &str| spoken.iter().filter(|(of, _)| of == role).map(|(_, name)| name.as_str()).collect::<Vec<_>>();
    let headings = named("heading");
    assert!(headings[0].starts_with("Entropy Key"), "{headings:?}");
    assert_eq!(headings[1..4], ["Keys", "History", "Supply"], "{headings:?}");
    assert_eq!(headings[headings.len() - 2..], ["Top peers", "Outputs"], "{headings:?}");
    let charts = named("slider");
    assert!(charts.len() >= 4 && charts[0].starts_with("Supply: now "), "{charts:?}");
    let keys = named("DisclosureTriangle");
    assert!(keys[0].starts_with("Key 1 · NwBvBlg3OTBJORFD · running"), "{keys:?}");
    for role in ["heading", "slider", "image", "link", "region", "navigation", "DisclosureTriangle"] {
        assert!(!named(role).contains(&""), "a {role} has no name");
    }
    assert!(spoken.iter().any(|(role, name)| role == "status" || name.starts_with("All is well")), "{spoken:?}");
    for tile in ["Supply", "Taken", "Pool", "Clients waiting"] {
        assert!(spoken.iter().any(|(_, name)| name == tile), "no {tile}");
    }
    let levels = browser.evaluate("[...document.querySelectorAll('h1,h2,h3')].map((e) => Number(e.tagName[1]))");
    let levels: Vec<u64> = levels.as_array().expect("a list").iter().filter_map(Value::as_u64).collect();
    assert!(levels[0] == 1 && levels.windows(2).all(|pair| pair[1] <= pair[0] + 1), "{levels:?}");
    assert_eq!(browser.evaluate("document.documentElement.lang"), "en");
}

#[test]
fn the_page_is_complete_without_scripts() {
    let scratch = Scratch::make();
    let running = start(&scratch);
    let mut browser = Browser::start(&scratch);
    browser.scripts(false);
    browser.open(&format!("http://{}/?range=24h", running.address), PHONE, 1);
    browser.scripts(true);
    let marks = "['supply', 'pool', 'temperature'].every((e) => \
                 document.querySelector(`#chart-${e} .line`).getBoundingClientRect().width > 0.5) && \
                 document.querySelector('#chart-rejected-frames rect.bar').getBoundingClientRect().width > 0.5";
    assert_eq!(browser.evaluate(marks), true, "a chart is not drawn");
    let current = browser.evaluate("document.querySelector('[aria-current]').textContent");
    assert_eq!(current, "last 24 hours");
    let verdict = browser.evaluate("document.getElementById('verdict').textContent");
    assert!(verdict.as_str().is_some_and(|text| text.contains("All is well: 1 key running.")), "{verdict}");
}

#[test]
fn the_worst_key_comes_first_and_a_well_one_is_a_line() {
    let scratch = Scratch::make();
    let played = Scene::ThreeKeys.play(&scratch);
    let mut browser = Browser::start(&scratch);
    browser.open(&format!("http://{}/", played.address), DESKTOP, 1);
    let keys = "[...document.querySelectorAll('#keys details')].map((e) => [e.className, e.open, e.textContent])";
    let keys = browser.evaluate(keys);
    assert_eq!((&keys[0][0], &keys[0][1]), (&"key bad".into(), &true.into()), "{keys}");
    assert_eq!((&keys[2][0], &keys[2][1]), (&"key good".into(), &false.into()), "{keys}");
    let silent = keys[0][2].as_str().unwrap_or_default();
    assert!(silent.contains("when it last ran: "), "its sensors are old: {silent}");
    let line = browser.evaluate("document.querySelector('#keys details:last-child summary').innerText");
    assert!(line.as_str().is_some_and(|line| line.contains("kB/s, ") && line.contains(" C, ")), "{line}");
}

#[test]
fn the_temperature_stops_with_the_key() {
    let scratch = Scratch::make();
    let mut running = start(&scratch);
    running.key.program.kill();
    await_until("a step without a temperature", || {
        let history: Value = serde_json::from_str(&http::get(running.address, "/history.json", "").body).ok()?;
        let column = history["fine"]["temperature_decikelvin"].as_array()?;
        (column.iter().any(Value::is_u64) && column.last()?.is_null()).then_some(())
    });
    let metrics = http::get(running.address, "/metrics", "").body;
    assert!(metrics.contains("ekeyd_key_entropy_bytes") && !metrics.contains("ekeyd_key_temperature_celsius{"));
    let page = http::get(running.address, "/", "").body;
    assert!(page.contains("<p>now not known, from ") && page.contains("when it last ran: "), "{page}");
}

#[test]
fn page_json_and_terminal_agree_to_the_digit() {
    let scratch = Scratch::make();
    let mut running = start(&scratch);
    EgdClient::connect(&running.daemon.egd).and_then(|mut client| client.take(200)).expect("the pool has some");
    // Then all figures stand still but for the seconds.
    running.key.program.kill();
    running.daemon.await_state(&scratch, "gone");
    steps_are_recorded(running.address, 1);
    let status = || serde_json::from_str::<Value>(&http::get(running.address, "/status.json", "").body).expect("JSON");
    let (json, page, terminal) = await_until("page, JSON and terminal of the same second", || {
        let before = status();
        let page = http::get(running.address, "/", "").body;
        let terminal = running.daemon.ctl(&scratch, &["status"]).stdout;
        let after = status();
        let same = |place: &str| before.pointer(place) == after.pointer(place);
        let frozen =
            ["/uptime_s", "/as_of_unix_s", "/pool", "/egd", "/keys/0/since_s", "/keys/0/frames", "/keys/0/books"];
        let frame = |status: &Value| status["keys"][0]["last_frame_ms"].as_u64().map(|ms| ms / 1000);
        let is_one =
            frozen.iter().all(|place| same(place)) && frame(&before) > Some(0) && frame(&before) == frame(&after);
        is_one.then_some((before, page, terminal))
    });
    let rows: Vec<(&str, &str)> =
        page.split("<div><dt>").skip(1).filter_map(|row| row.split_once("</dd>")?.0.split_once("</dt><dd>")).collect();
    assert!(rows.len() >= 10, "{rows:?}");
    let squeezed = terminal.split_whitespace().collect::<Vec<_>>().join(" ");
    for (name, words) in &rows {
        // A line of the terminal has 80 columns; what does not fit ends in dots.
        let line = format!("{name} {words}");
        let shown = line.get(..60).unwrap_or(&line);
        assert!(
            ["node", "keyring", "sandbox"].contains(name) || squeezed.contains(shown),
            "{shown:?} is not in {terminal}"
        );
    }
    let value = |place: &str| json.pointer(place).and_then(Value::as_u64).unwrap_or_else(|| panic!("no {place}"));
    let text = |words: &str| assert!(page.contains(words), "{words:?} is not on the page");
    text(&format!("<dd>{} good, ", value("/keys/0/frames/ok")));
    text(&format!("{} wrong MAC", value("/keys/0/frames/mac_failures")));
    text(&format!("session keys {},", value("/keys/0/connection/rekeys")));
    text(&format!("<dt>Clients waiting</dt><dd><b>{}</b>", value("/egd/0/waiting")));
    text(&format!("<dd>{} B to 0 clients", value("/egd/0/served_bytes")));
    text(&format!("</th><td>egd</td><td>{} B</td><td>0</td>", value("/peers/0/bytes")));
    text(&format!("datetime=\"{}\"", utc(value("/as_of_unix_s"))));
    assert_eq!(value("/egd/0/served_bytes"), 200);
    let pool = value("/pool/bytes") as f64 / 1000.0;
    text(&format!("<dt>Pool</dt><dd><b>{pool:.1} kB</b>"));
}

/// Returns a time in seconds since 1970 as date(1) writes it.
fn utc(unix_s: u64) -> String {
    let date = std::process::Command::new("date").args(["-u", "-d", &format!("@{unix_s}"), "+%FT%TZ"]).output();
    String::from_utf8_lossy(&date.expect("date can be run").stdout).trim().to_owned()
}

fn contrast_is_enough(browser: &mut Browser, when: &str) {
    let seen = browser.evaluate(CONTRAST);
    let seen = seen.as_array().expect("a list");
    assert!(seen.len() > 30, "{when}: only {} texts were measured", seen.len());
    let poor: BTreeSet<String> =
        seen.iter().filter(|entry| entry[1].as_f64() < entry[2].as_f64()).map(ToString::to_string).collect();
    assert!(poor.is_empty(), "{when}: {poor:#?}");
}
