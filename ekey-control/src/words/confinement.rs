//! The daemon's sandbox in words.

use super::amount;
use crate::status::ConfinementStatus;

impl ConfinementStatus {
    /// Names the daemon's user and the limits in force.
    pub fn line(&self) -> String {
        format!("user {}, {}", self.user, self.bounds())
    }

    /// Names the limits in force.
    pub fn bounds(&self) -> String {
        let calls = if self.filter { "calls filtered" } else { "calls NOT filtered" };
        let files = match self.landlock {
            0 => "files NOT bounded".to_owned(),
            version => format!("landlock {version}"),
        };
        let locked = match self.locked_bytes {
            0 => "no memory locked".to_owned(),
            bytes => format!("{} locked", amount::bytes(bytes)),
        };
        let cores = if self.core_dumps { "CORE DUMPS" } else { "no core dumps" };
        format!("{calls}, {files}, {locked}, {cores}")
    }

    /// Names the capabilities and how many threads have each.
    pub fn rights(&self) -> String {
        let held: Vec<String> =
            self.capabilities.iter().map(|held| format!("{} in {}", held.name, held.threads)).collect();
        match held.as_slice() {
            [] => "no capabilities".to_owned(),
            held => format!("{} of {} threads", held.join(", "), self.threads),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::HeldCapability;

    #[test]
    fn what_is_not_in_force_stands_out() {
        let status = ConfinementStatus { user: "ekeyd".to_owned(), core_dumps: true, ..Default::default() };
        assert_eq!(status.line(), "user ekeyd, calls NOT filtered, files NOT bounded, no memory locked, CORE DUMPS");
        assert_eq!(status.rights(), "no capabilities");
        let status = ConfinementStatus {
            user: "ekeyd".to_owned(),
            filter: true,
            landlock: 2,
            threads: 4,
            capabilities: vec![HeldCapability { name: "CAP_SYS_ADMIN".to_owned(), threads: 1 }],
            locked_bytes: 1_500_000,
            ..Default::default()
        };
        assert_eq!(status.line(), "user ekeyd, calls filtered, landlock 2, 1.5 MB locked, no core dumps");
        assert_eq!(status.rights(), "CAP_SYS_ADMIN in 1 of 4 threads");
    }
}
