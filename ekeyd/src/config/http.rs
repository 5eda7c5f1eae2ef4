//! `[http]`: the status for browsers and monitoring programs.

use std::net::SocketAddr;

use super::table::Table;
use super::{Claim, Resource, Section};

/// `[http]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Http {
    /// Where to listen: an address of this machine only, unless the file sets `allow-remote`.
    pub listen: SocketAddr,
}

impl Section for Http {
    const NAME: &'static str = "http";

    fn read(table: &mut Table<'_>) -> Option<Self> {
        let expected = "an address and port such as \"127.0.0.1:9178\" or \"[::1]:9178\"";
        table.required("listen", expected);
        let listen: Option<SocketAddr> = table.parsed("listen", expected, |text| text.parse().ok());
        let allow_remote = table.flag("allow-remote").unwrap_or(false);
        let listen = listen?;
        if listen.port() == 0 {
            table.wrong("listen", &format!("has port 0; expected {expected}"));
        } else if !listen.ip().is_loopback() && !allow_remote {
            let what = "which other machines reach, without a password and unencrypted; expected an address of this machine \
                        only, or `allow-remote = true` as well";
            table.wrong("listen", &format!("is {listen}, {what}"));
        }
        Some(Self { listen })
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Self::claim("listen", Resource::Listen(self.listen))]
    }
}
