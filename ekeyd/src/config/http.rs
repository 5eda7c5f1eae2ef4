//! `[http]`: the status for browsers and monitoring programs.

use std::net::{IpAddr, SocketAddr};

use super::table::Table;
use super::value::shown;
use super::{Claim, Resource, Section};

/// `[http]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Http {
    /// Where to listen: an address of this machine only, unless the file sets `allow-remote`.
    pub listen: SocketAddr,
    /// Names of this machine by which requests may ask for it, in lower case.
    pub names: Vec<String>,
}

impl Section for Http {
    const NAME: &'static str = "http";

    fn read(table: &mut Table<'_>) -> Option<Self> {
        let expected = "an address and port such as \"127.0.0.1:9178\" or \"[::1]:9178\"";
        table.required("listen", expected);
        let listen: Option<SocketAddr> = table.parsed("listen", expected, |text| text.parse().ok());
        let allow_remote = table.flag("allow-remote").unwrap_or(false);
        let names = table.entries("names", "a list such as [\"keys.example.org\"]").unwrap_or_default();
        let names = table.once_each(&names, "a host name in quotes", host_name);
        let listen = listen?;
        if listen.port() == 0 {
            table.wrong("listen", &format!("has port 0; expected {expected}"));
        } else if !listen.ip().is_loopback() && !allow_remote {
            let what = "which other machines reach, without a password and unencrypted; expected an address of this machine \
                        only, or `allow-remote = true` as well";
            table.wrong("listen", &format!("is {listen}, {what}"));
        }
        Some(Self { listen, names })
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Self::claim("listen", Resource::Listen(self.listen))]
    }
}

/// Reads the name of a host, or says what is wrong with it.
fn host_name(text: &str) -> Result<String, String> {
    let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    if name.parse::<IpAddr>().is_ok() {
        return Err(format!("`{name}` is an address, and addresses need no entry here; leave it out"));
    }
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    if name.len() <= 253 && name.split('.').all(is_label) {
        return Ok(name);
    }
    Err(format!("`{}` is not the name of a host; expected for example `keys.example.org`, without a port", shown(text)))
}
