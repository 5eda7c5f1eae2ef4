//! The page in a real browser: on a phone and a desktop, light and dark, by keyboard only, and without scripts.

use std::collections::BTreeSet;
use std::fs;

use ekey_tests::browser::Browser;
use ekey_tests::http::Observed;
use ekey_tests::{KeyPlan, Scratch, await_until, binaries, http};
use serde_json::Value;

const PHONE: (u32, u32) = (360, 740);
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
    if (says && e.tagName !== "SCRIPT") out.push([name, ratio(rgb(svg ? style.fill : style.color), behind(e)), 4.5]);
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
fn the_page_fits_every_screen_and_asks_no_other_host() {
    let scratch = Scratch::make();
    let mut running = start(&scratch);
    let mut browser = Browser::start(&scratch);
    let url = format!("http://{}/", running.address);
    let pictures = binaries::target_folder().join("browser/pictures");
    fs::create_dir_all(&pictures).expect("the target folder takes a folder");
    for (size, name) in [(PHONE, "phone"), (DESKTOP, "desktop")] {
        for scheme in ["light", "dark"] {
            browser.prefer(scheme);
            browser.open(&url, size, 1);
            charts_are_filled(&mut browser);
            contrast_is_enough(&mut browser, &format!("{name}, {scheme}"));
            let width = browser.evaluate("document.documentElement.scrollWidth");
            assert!(width.as_u64() <= Some(size.0.into()), "at {} points it is {width} wide", size.0);
            let picture = browser.picture();
            assert!(picture.starts_with(b"\x89PNG") && picture.len() > 20_000, "{} bytes", picture.len());
            fs::write(pictures.join(format!("{name}-{scheme}.png")), picture).expect("a picture can be kept");
        }
    }
    renews_itself(&mut browser);
    assert_eq!(browser.complaints(), Vec::<String>::new());
    let own = |request: &String| request.starts_with(&url) || request == "data:," || request == "about:blank";
    let others: Vec<String> = browser.requests().into_iter().filter(|request| !own(request)).collect();
    assert_eq!(others, Vec::<String>::new(), "the page requests other hosts");

    assert_eq!(browser.evaluate("document.getElementById('lost').hidden"), true);
    running.daemon.program.kill();
    browser.await_expression("the page says that the daemon is gone", |browser| {
        browser.evaluate("document.getElementById('lost').checkVisibility()") == true
    });
    contrast_is_enough(&mut browser, "without a daemon");
}

#[test]
fn the_page_works_by_keyboard_and_describes_images() {
    let scratch = Scratch::make();
    let running = start(&scratch);
    let mut browser = Browser::start(&scratch);
    browser.open(&format!("http://{}/", running.address), DESKTOP, 1);
    let mut reached = Vec::new();
    for _ in 0..8 {
        browser.press("Tab");
        let words = browser.evaluate("document.activeElement.textContent.trim().slice(0, 30)");
        reached.push(words.as_str().unwrap_or_default().to_owned());
        let outline = browser.evaluate("getComputedStyle(document.activeElement).outlineStyle");
        assert_ne!(outline, "none", "the focus is invisible: {reached:?}");
        if words == "The same figures as a table" {
            browser.press("Enter");
            assert_eq!(browser.evaluate("document.querySelector('details').open"), true);
        }
    }
    for expected in
        ["Skip to the charts", "last 10 minutes", "last 24 hours", "The same figures as a table", "status.json"]
    {
        assert!(reached.iter().any(|words| words == expected), "{expected} cannot be reached: {reached:?}");
    }
    let rows = browser.evaluate("document.querySelectorAll('#figures tr').length");
    assert_eq!(rows, 12);
    let pictures = browser.evaluate("[...document.querySelectorAll('svg')].map((e) => e.getAttribute('aria-label'))");
    let pictures: Vec<&str> = pictures.as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    assert_eq!(pictures.len(), 5, "{pictures:?}");
    assert!(pictures[0].starts_with("Rate: now ") && pictures[3].contains("in the last "), "{pictures:?}");
    let unnamed = "[...document.querySelectorAll('a,summary,[tabindex],svg,section,nav')].filter((e) => \
                   !(e.textContent.trim() || e.getAttribute('aria-label'))).length";
    assert_eq!(browser.evaluate(unnamed), 0);
    assert_eq!(browser.evaluate("document.documentElement.lang"), "en");
    assert_eq!(browser.evaluate("document.getAnimations().length"), 0, "nothing moves");
}

#[test]
fn the_page_is_complete_without_scripts() {
    let scratch = Scratch::make();
    let running = start(&scratch);
    let mut browser = Browser::start(&scratch);
    browser.scripts(false);
    browser.open(&format!("http://{}/?range=24h", running.address), PHONE, 1);
    browser.scripts(true);
    charts_are_filled(&mut browser);
    let current = browser.evaluate("document.querySelector('[aria-current]').textContent");
    assert_eq!(current, "last 24 hours");
    let verdict = browser.evaluate("document.getElementById('verdict').textContent");
    assert!(verdict.as_str().is_some_and(|text| text.contains("All is well: 1 key running.")), "{verdict}");
}

fn charts_are_filled(browser: &mut Browser) {
    for (index, mark) in [".line", ".line", ".line", "rect.bar"].iter().enumerate() {
        let expression = format!(
            "document.querySelectorAll('figure')[{index}].querySelector('{mark}').getBoundingClientRect().width"
        );
        let width = browser.evaluate(&expression).as_f64();
        assert!(width > Some(0.5), "chart {index} has no {mark}: {width:?}");
    }
}

fn contrast_is_enough(browser: &mut Browser, when: &str) {
    let seen = browser.evaluate(CONTRAST);
    let seen = seen.as_array().expect("a list");
    assert!(seen.len() > 60, "only {} texts were measured", seen.len());
    let poor: BTreeSet<String> =
        seen.iter().filter(|entry| entry[1].as_f64() < entry[2].as_f64()).map(ToString::to_string).collect();
    assert!(poor.is_empty(), "{when}: {poor:#?}");
}

/// Checks that the figures refresh and the focus stays.
fn renews_itself(browser: &mut Browser) {
    browser.evaluate("document.querySelector('summary').focus()");
    let before = browser.evaluate("document.getElementById('keys').textContent");
    browser.await_expression("the page has renewed itself", |browser| {
        browser.evaluate("document.getElementById('keys').textContent") != before
    });
    assert_eq!(browser.evaluate("document.activeElement.tagName"), "SUMMARY");
}
