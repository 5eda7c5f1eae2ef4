//! Switches the power of the key's port off and on. If the hub really can, this is as good as pulling the key out.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::{ReviveError, attribute};
use crate::find::FoundKey;

/// Long enough for the key's capacitors to run empty.
const OFF: Duration = Duration::from_secs(2);
const MOST_PORTS: usize = 256;

/// What to do if other devices hang on the same hub. Many hubs can only switch all their ports at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Neighbours {
    /// Leave the power on.
    Protect,
    /// Switch all the same.
    Risk,
}

/// Switches the key's port off for two seconds, by the hub's `<hub>-port<N>/disable` (Linux 6.0 and later).
///
/// Close the link first. The key comes back as a new device, after a second or more. A process that is killed in these two seconds
/// leaves the port off.
///
/// # Errors
/// [`ReviveError::NoSwitch`], [`ReviveError::Neighbours`] or [`ReviveError::Denied`] before anything was switched;
/// [`ReviveError::Failed`] or [`ReviveError::LeftOff`] after it was tried.
pub fn port_power(key: &FoundKey, neighbours: Neighbours) -> Result<(), ReviveError> {
    switch(key, neighbours, OFF)
}

fn switch(key: &FoundKey, neighbours: Neighbours, off: Duration) -> Result<(), ReviveError> {
    let link = key.sysfs.join("port");
    let port = fs::canonicalize(&link).map_err(|source| {
        if key.sysfs.is_dir() { ReviveError::NoSwitch { path: link } } else { ReviveError::of(&key.sysfs, source) }
    })?;
    // A USB 3 hub is two hubs, and its port keeps its power until both have let go of it.
    let peer = fs::canonicalize(port.join("peer")).ok();
    let ports: Vec<PathBuf> = [Some(port), peer].into_iter().flatten().collect();
    if neighbours == Neighbours::Protect {
        for port in &ports {
            check_neighbours(port)?;
        }
    }
    let mut switches: Vec<PathBuf> = ports.iter().map(|port| port.join("disable")).collect();
    switches.retain(|path| path.is_file() || path.parent() == ports.first().map(PathBuf::as_path));
    for path in &switches {
        if !path.exists() {
            return Err(ReviveError::NoSwitch { path: path.clone() });
        }
        attribute::check(path)?;
    }
    let mut outcome = Ok(());
    for path in &switches {
        if let Err(source) = attribute::write(path, "1") {
            outcome = Err(ReviveError::of(path, source));
            break;
        }
    }
    if outcome.is_ok() {
        thread::sleep(off);
    }
    // After any failure, switch all on again; the key's own port last.
    let mut left_off = Ok(());
    for path in switches.iter().rev() {
        left_off = attribute::switch_on(path, "0").and(left_off);
    }
    left_off.and(outcome)
}

/// Refuses if any other port of the hub that `port` belongs to has a device.
fn check_neighbours(port: &Path) -> Result<(), ReviveError> {
    let Some(hub) = port.parent() else { return Ok(()) };
    let entries = fs::read_dir(hub).map_err(|source| ReviveError::of(hub, source))?;
    let mut others: Vec<String> = entries
        .take(MOST_PORTS)
        .flatten()
        .filter(|entry| entry.path() != port && is_port(&entry.path()) && entry.path().join("device").exists())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    if others.is_empty() {
        return Ok(());
    }
    others.sort();
    let hub = hub.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Err(ReviveError::Neighbours { hub, others })
}

fn is_port(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().contains("-port"))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Read as _;
    use std::os::unix::fs::{OpenOptionsExt as _, symlink};
    use std::path::PathBuf;
    use std::time::{Duration, Instant};

    use nix::fcntl::OFlag;
    use nix::sys::stat::Mode;

    use super::{Neighbours, switch};
    use crate::find::FoundKey;
    use crate::revive::ReviveError;

    /// A hub with the key in its port 2; the folder holds all of it.
    fn hub() -> (tempfile::TempDir, FoundKey) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for port in 1..=4 {
            fs::create_dir_all(root.join(format!("1-1:1.0/1-1-port{port}"))).unwrap();
            fs::write(root.join(format!("1-1:1.0/1-1-port{port}/disable")), "0").unwrap();
        }
        let sysfs = root.join("1-1.2");
        fs::create_dir(&sysfs).unwrap();
        symlink("../1-1:1.0/1-1-port2", sysfs.join("port")).unwrap();
        symlink("../../1-1.2", root.join("1-1:1.0/1-1-port2/device")).unwrap();
        let key = FoundKey {
            serial: None,
            port: "1-1.2".into(),
            bus: 1,
            device: 4,
            usbfs: PathBuf::from("/nowhere"),
            sysfs,
            tty: None,
            drivers: [None, None],
            authorized: true,
        };
        (folder, key)
    }

    fn plug_in_neighbour(folder: &tempfile::TempDir) {
        fs::create_dir(folder.path().join("1-1.3")).unwrap();
        symlink("../../1-1.3", folder.path().join("1-1:1.0/1-1-port3/device")).unwrap();
    }

    #[test]
    fn a_port_is_off_for_a_while_and_then_on_again() {
        let (folder, key) = hub();
        let disable = folder.path().join("1-1:1.0/1-1-port2/disable");
        fs::remove_file(&disable).unwrap();
        nix::unistd::mkfifo(&disable, Mode::S_IRWXU).unwrap();
        // Held open, so that what is written to it stays until it is looked at; nothing is waited for then.
        let mut options = fs::OpenOptions::new();
        let mut holder = options.read(true).write(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(&disable).unwrap();
        let (off, started) = (Duration::from_millis(50), Instant::now());
        switch(&key, Neighbours::Protect, off).expect("the port is switched");
        assert!(started.elapsed() >= off, "it was off for {:?} at most", started.elapsed());
        let mut written = [0; 2];
        holder.read_exact(&mut written).unwrap();
        assert_eq!(&written, b"10");
    }

    #[test]
    fn a_hub_with_other_devices_keeps_its_power() {
        let (folder, key) = hub();
        plug_in_neighbour(&folder);
        let refused = switch(&key, Neighbours::Protect, Duration::ZERO).unwrap_err();
        let ReviveError::Neighbours { hub, others } = &refused else { panic!("{refused}") };
        assert_eq!((hub.as_str(), others.as_slice()), ("1-1:1.0", &["1-1-port3".to_owned()][..]));
        switch(&key, Neighbours::Risk, Duration::ZERO).expect("it is allowed");
    }

    #[test]
    fn a_kernel_without_the_switch_is_named_as_the_reason() {
        let (folder, key) = hub();
        fs::remove_file(folder.path().join("1-1:1.0/1-1-port2/disable")).unwrap();
        let refused = switch(&key, Neighbours::Protect, Duration::ZERO).unwrap_err();
        assert!(matches!(refused, ReviveError::NoSwitch { .. }), "{refused}");
        assert!(refused.to_string().contains("Linux 6.0"), "{refused}");
    }

    #[test]
    fn both_halves_of_a_usb_3_port_are_switched() {
        let (folder, key) = hub();
        let peer = folder.path().join("2-1:1.0/2-1-port2");
        fs::create_dir_all(&peer).unwrap();
        fs::write(peer.join("disable"), "?").unwrap();
        symlink("../../2-1:1.0/2-1-port2", folder.path().join("1-1:1.0/1-1-port2/peer")).unwrap();
        switch(&key, Neighbours::Protect, Duration::ZERO).expect("the port is switched");
        assert_eq!(fs::read_to_string(peer.join("disable")).unwrap(), "0");

        fs::create_dir_all(folder.path().join("2-1:1.0/2-1-port1/device")).unwrap();
        let refused = switch(&key, Neighbours::Protect, Duration::ZERO).unwrap_err();
        assert!(matches!(refused, ReviveError::Neighbours { .. }), "{refused}");
    }

    #[test]
    fn a_key_that_has_gone_is_said_to_be() {
        let (folder, key) = hub();
        fs::remove_dir_all(folder.path().join("1-1.2")).unwrap();
        let refused = switch(&key, Neighbours::Protect, Duration::ZERO).unwrap_err();
        assert!(matches!(refused, ReviveError::Gone { .. }), "{refused}");
    }
}
