//! The page: the terminal's overview and charts of the last day, in one HTML file that loads nothing else.
//!
//! It is complete without its script, which fetches the page again every few seconds and replaces the changed parts (those with
//! `data-live`).

mod parts;

use ekey_control::chart::{Range, escaped};
use ekey_control::{History, Status, amount};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Writes the page. `range` comes from the query, if it has one.
pub(super) fn page(status: &Status, history: &History, range: Option<Range>) -> String {
    let range = range.unwrap_or_else(|| Range::usual(history));
    let title = parts::title(status);
    let verdict = parts::verdict(status);
    let keys = parts::keys(status);
    let outputs = parts::outputs(status);
    let ranges = parts::ranges(range);
    let charts = parts::charts(history, range);
    let table = parts::table(history, range);
    let about = format!("ekeyd {}, up {}", escaped(&status.version), amount::duration(status.uptime_s));
    format!(
        r##"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<link rel="icon" href="data:,">
<noscript><meta http-equiv="refresh" content="10"></noscript>
<style>{STYLE}</style>
</head>
<body>
<a class="skip" href="#history">Skip to the charts</a>
<header><h1>Entropy Key</h1><p id="about" data-live>{about}</p></header>
<main>
<div id="verdict" role="status" data-live>{verdict}</div>
<p id="lost" role="alert" hidden>The daemon does not answer; the figures below are old. Check that it runs (systemctl status ekeyd).</p>
<section id="keys" aria-label="Keys" data-live>{keys}</section>
<section id="history" aria-labelledby="history-title">
<div class="top"><h2 id="history-title">History</h2><nav id="ranges" aria-label="How far back" data-live>{ranges}</nav></div>
<div id="charts" class="charts" data-live>{charts}</div>
<details><summary>The same figures as a table</summary>
<div class="scroll" role="region" tabindex="0" aria-label="Figures as a table"><table>
<thead><tr><th scope="col">Until</th><th scope="col">Rate</th><th scope="col">Pool</th><th scope="col">Temperature</th><th scope="col">Rejected frames</th><th scope="col">Recoveries</th></tr></thead>
<tbody id="figures" data-live>{table}</tbody>
</table></div></details>
</section>
<section id="outputs" aria-labelledby="outputs-title"><h2 id="outputs-title">Outputs</h2>
<dl id="output-rows" data-live>{outputs}</dl></section>
</main>
<footer><nav aria-label="For programs">For programs: <a href="/status.json">status.json</a> <a href="/history.json">history.json</a> <a href="/metrics">metrics</a></nav></footer>
<script>{SCRIPT}</script>
</body>
</html>
"##
    )
}

/// The `Content-Security-Policy` header. Allows the page's script and style, by their SHA-256, and fetching the page again.
pub(super) const POLICY: &str = concat!(
    "default-src 'none'; script-src 'sha256-",
    include_str!("page.js.sha256"),
    "'; style-src 'sha256-",
    include_str!("page.css.sha256"),
    "'; img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
);

#[cfg(test)]
mod tests;
