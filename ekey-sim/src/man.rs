//! Checks that packaging/man/ekey-sim.1 matches the command line.

use std::fs;

use clap::CommandFactory as _;

use crate::Arguments;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/man/ekey-sim.1");

#[test]
fn the_manual_page_matches_the_command_line() {
    let page = clap_mangen::Man::new(Arguments::command()).section("1").source("ekeyd").manual("Entropy Key");
    let mut text = Vec::new();
    page.render(&mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    if std::env::var_os("WRITE_MAN").is_some() {
        fs::write(PAGE, &text).unwrap();
    }
    let stored = fs::read_to_string(PAGE).unwrap_or_default();
    assert_eq!(stored, text, "ekey-sim.1 is stale: run WRITE_MAN=1 cargo test -p ekey-sim man::");
}
