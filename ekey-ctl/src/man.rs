//! Checks and writes the manual pages in packaging/man: one for the tool, one for each verb.

use std::fs;
use std::path::Path;

use clap::{Command, CommandFactory as _};

use crate::cli::Cli;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/man");

#[test]
fn the_manual_pages_match_the_command_line() {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let mut pages = Vec::new();
    collect(&command, "ekey-ctl", &mut pages);
    assert!(pages.len() > 15, "{} pages", pages.len());
    for (name, page) in &pages {
        let path = Path::new(FOLDER).join(name);
        if std::env::var_os("WRITE_MAN").is_some() {
            fs::write(&path, page).unwrap();
        }
        let stored = fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(&stored, page, "{name} is stale: run WRITE_MAN=1 cargo test -p ekey-ctl man::");
    }
    let verbs = fs::read_dir(FOLDER).unwrap().flatten().map(|entry| entry.file_name().into_string().unwrap());
    for name in verbs.filter(|name| name.starts_with("ekey-ctl")) {
        assert!(pages.iter().any(|(page, _)| *page == name), "{name} documents a verb that does not exist: remove it");
    }
}

fn collect(command: &Command, name: &str, pages: &mut Vec<(String, String)>) {
    // clap wants a name that lives as long as the program, here a test.
    let leaked: &'static str = Box::leak(name.to_owned().into_boxed_str());
    let page = clap_mangen::Man::new(command.clone().name(leaked))
        .title(name)
        .section("1")
        .source("ekeyd")
        .manual("Entropy Key");
    let mut text = Vec::new();
    page.render(&mut text).unwrap();
    pages.push((format!("{name}.1"), String::from_utf8(text).unwrap()));
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        collect(verb, &format!("{name}-{}", verb.get_name()), pages);
    }
}
