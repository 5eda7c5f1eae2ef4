//! Takes a picture of a page with the browser that the tests use: `picture URL FILE.png [WIDTH [light|dark]]`.

use ekey_tests::Scratch;
use ekey_tests::browser::Browser;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, file, rest @ ..] = arguments.as_slice() else {
        eprintln!("usage: picture URL FILE.png [WIDTH [light|dark]]");
        std::process::exit(64);
    };
    let width = rest.first().and_then(|width| width.parse().ok()).unwrap_or(1280);
    let scratch = Scratch::make();
    let mut browser = Browser::start(&scratch);
    browser.prefer(rest.get(1).map_or("light", String::as_str));
    browser.open(url, (width, 800), 1);
    if let Err(error) = std::fs::write(file, browser.picture()) {
        eprintln!("{file}: cannot write: {error}; name another file");
        std::process::exit(1);
    }
}
