//! The files of TLS, `tls-certificate`, `tls-key` and `tls-authority`: the same in `[egd]` and in `[egd-client]`.

use std::path::PathBuf;

use ekey_control::path::check_path;

use super::table::Table;
use super::{Claim, Resource, Section};

/// Checks that this program was built with TLS. Otherwise returns what to do.
pub(super) fn built_in() -> Result<(), String> {
    if cfg!(feature = "tls") {
        return Ok(());
    }
    Err("this ekeyd was built without TLS; build it with the feature `tls`, or use `tcp:`".to_owned())
}

/// The files that prove this machine to the peer, and the peer to this machine: absolute paths of PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tls {
    /// This machine's certificate, followed by any intermediate ones.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The certificates of the authorities that may have issued the peer's.
    pub authority: PathBuf,
}

impl Tls {
    /// Reads the three keys. If there is a `place` that needs TLS, all three are required. Else they are checked but not used.
    pub(super) fn read(table: &mut Table<'_>, place: Option<String>) -> Option<Self> {
        let [certificate, key, authority] = ["tls-certificate", "tls-key", "tls-authority"].map(|key| {
            if let Some(place) = &place {
                table.required(key, &format!("the path of a PEM file, which `{place}` needs"));
            }
            table.path(key, check_path)
        });
        place?;
        Some(Self { certificate: certificate?, key: key?, authority: authority? })
    }

    /// Returns the claims to read the files, for the section `S` that names them.
    pub(super) fn claims<S: Section>(&self) -> [Claim; 3] {
        [("tls-certificate", &self.certificate), ("tls-key", &self.key), ("tls-authority", &self.authority)]
            .map(|(key, path)| S::claim(key, Resource::Read(path.clone())))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::Config;

    #[test]
    fn files_without_a_tls_place_are_checked_and_unused() {
        let read = |text: &str| Config::parse(Path::new("ekeyd.toml"), text);
        let files = "tls-certificate = \"/c\"\ntls-key = \"/k\"\ntls-authority = \"/a\"\n";
        let servers = "connect = [\"tcp:127.0.0.1:8888\"]\n";
        let config = read(&format!("[egd]\n{files}[egd-client]\n{servers}{files}")).expect("no mistakes");
        assert_eq!(config.tls_in_use().collect::<Vec<_>>(), Vec::<&super::Tls>::new());
        let wrong = read("[egd]\ntls-key = \"k\"").expect_err("a mistake").to_string();
        assert!(wrong.contains("`tls-key`: `k` is a relative path"), "{wrong}");
    }
}
