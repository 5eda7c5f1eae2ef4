//! The page: the terminal's overview and charts of the last day, in one HTML file that loads nothing else.
//!
//! It is complete without its script. The script fetches the page again every few seconds and changes only what is different, shows
//! the values of a chart at the pointer and by the arrow keys, and says when the daemon does not answer.

mod parts;

use ekey_control::chart::{Range, escaped};
use ekey_control::{History, Status, amount};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Writes the page. `range` comes from the query, if it has one.
pub(super) fn page(status: &Status, history: &History, range: Option<Range>) -> String {
    let range = range.unwrap_or_else(|| Range::usual(history));
    let title = parts::title(status);
    let heading = parts::heading(status);
    let (as_of, machine) = (amount::moment(status.as_of_unix_s), amount::utc(status.as_of_unix_s));
    let about = format!("ekeyd {}, up {}", escaped(&status.version), amount::duration(status.uptime_s));
    let verdict = parts::verdict(status);
    let tiles = parts::tiles(status, history);
    let keys = parts::keys(status);
    let ranges = parts::ranges(range);
    let charts = parts::charts(status, history, range);
    let table = parts::table(history, range);
    let peers = parts::peers(status);
    let outputs = parts::outputs(status);
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
<header><h1>{heading}</h1><p>as of <time id="as-of" datetime="{machine}">{as_of}</time> · {about}</p></header>
<main>
<div id="lost" class="verdict bad" role="alert" hidden><p>The daemon does not answer, last seen <span id="seen"></span>. The figures below are old. Check that it runs: systemctl status ekeyd</p></div>
<div id="verdict" role="status">{verdict}</div>
<dl id="tiles" aria-label="Now">{tiles}</dl>
<section id="keys" aria-labelledby="keys-title"><h2 id="keys-title">Keys</h2>{keys}</section>
<section id="history" aria-labelledby="history-title">
<div class="top"><h2 id="history-title">History</h2><nav id="ranges" aria-label="How far back">{ranges}</nav></div>
{charts}
<details id="table"><summary>The same figures as a table</summary>
<div class="scroll" role="region" tabindex="0" aria-label="Figures as a table"><table>{table}</table></div></details>
</section>
<section id="peers" aria-labelledby="peers-title"><h2 id="peers-title">Top peers</h2>{peers}</section>
<section id="outputs" aria-labelledby="outputs-title"><h2 id="outputs-title">Outputs</h2>
<dl class="rows">{outputs}</dl></section>
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
