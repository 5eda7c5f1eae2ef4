//! The files of TLS, `tls-certificate`, `tls-key` and `tls-authority`: the same in `[egd]` and in `[egd-client]`.

use std::path::PathBuf;

use ekey_control::path::check_path;

use super::section::{Notes, Section};

/// The keys, in the sections that have them.
pub(super) const KEYS: [&str; 3] = ["tls-certificate", "tls-key", "tls-authority"];

/// Whether this program can do TLS at all, or what to do.
pub(super) fn built_in() -> Result<(), String> {
    if cfg!(feature = "tls") {
        return Ok(());
    }
    Err("this ekeyd was built without TLS; build it with the feature `tls`, or use `tcp:`".to_owned())
}

/// What shows the other end who this machine is, and by what it judges the other end. Paths of PEM files, absolute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tls {
    /// This machine's certificate, and those between it and its authority, if there are any.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The certificates of the authorities that the other end's must be of.
    pub authority: PathBuf,
}

/// Reads the three keys. Where there is a `place` that needs TLS all of them must be there; where there is none they are looked
/// over, and not in use.
pub(super) fn read(notes: &mut Notes<'_>, section: &Section<'_>, place: Option<&str>) -> Option<Tls> {
    let [certificate, key, authority] = KEYS.map(|name| {
        let missing = section.value(name).is_none();
        if let (true, Some(place)) = (missing, place) {
            notes.note(
                section.offset,
                format!("`{place}` needs `{name}` in {}; expected the path of a PEM file", section.name),
            );
        }
        section.path(notes, name, check_path)
    });
    place?;
    Some(Tls { certificate: certificate?, key: key?, authority: authority? })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::Config;

    #[test]
    fn files_that_nothing_needs_are_looked_over_and_not_in_use() {
        let read = |text: &str| Config::parse(Path::new("ekeyd.toml"), text);
        let files = "tls-certificate = \"/c\"\ntls-key = \"/k\"\ntls-authority = \"/a\"\n";
        let servers = "connect = [\"tcp:127.0.0.1:8888\"]\n";
        let config = read(&format!("[egd]\n{files}[egd-client]\n{servers}{files}")).expect("no mistakes");
        assert_eq!(config.tls_in_use().collect::<Vec<_>>(), Vec::<&super::Tls>::new());
        let wrong = read("[egd]\ntls-key = \"k\"").expect_err("a mistake").to_string();
        assert!(wrong.contains("`tls-key`: `k` is a relative path"), "{wrong}");
    }
}
