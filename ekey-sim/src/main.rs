//! `ekey-sim`: plugs one software key in, until a signal ends it.

#[cfg(test)]
mod man;

use std::fmt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use clap::{ArgGroup, CommandFactory, Parser, error::ErrorKind};
use ekey_proto::Serial;
use ekey_sim::{
    BadSource, DEFAULT_RATE, Device, Fault, Flood, Pty, Records, Seed, Setup, SimError, StopHandle, UnixSocket, Vhci,
    Wedge, long_term_key_file, master_key_file, run, run_usbredir, run_vhci,
};
use nix::sys::signal::{SigSet, Signal};

/// A Simtec Entropy Key in software, for trying and testing programs that use one.
///
/// What it sends is NOT random to anyone who knows the seed.
#[derive(Parser)]
#[command(name = "ekey-sim", version)]
#[command(group(ArgGroup::new("place").required(true).args(["pty", "unix", "vhci", "usbredir"])))]
struct Arguments {
    /// Plug in as a pseudo terminal, and make LINK a symbolic link to it
    #[arg(long, value_name = "LINK")]
    pty: Option<PathBuf>,
    /// Plug in as a unix socket at PATH
    #[arg(long, value_name = "PATH")]
    unix: Option<PathBuf>,
    /// Plug in as a USB key of this machine; needs root and the driver vhci_hcd. SIGUSR1 unplugs it, and plugs it in
    /// again
    #[arg(long)]
    vhci: bool,
    /// Plug in as a USB key of a QEMU guest: QEMU connects to a unix socket at PATH with `-chardev
    /// socket,id=k,path=PATH -device usb-redir,chardev=k`. SIGUSR1 unplugs it, and plugs it in again
    #[arg(long, value_name = "PATH")]
    usbredir: Option<PathBuf>,
    /// Serial number, 16 characters of base64 [default: follows from the seed]
    #[arg(long, value_name = "S")]
    serial: Option<Serial>,
    /// File with the long-term key in the key's flash: 44 characters of base64 or 64 hexadecimal digits; made if
    /// missing
    #[arg(long, value_name = "F")]
    ltk_file: Option<PathBuf>,
    /// File with the master key on the key's card: the card's 44 characters or 64 hexadecimal digits; made if missing
    #[arg(long, value_name = "F")]
    master_file: Option<PathBuf>,
    /// Seed that all data follows from [default: random, from the operating system]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Entropy frames per second, 32 bytes each; 0: as fast as the host reads
    #[arg(long, value_name = "FRAMES/S", default_value_t = DEFAULT_RATE)]
    rate: u32,
    /// Inject a fault once in EVERY frames or answers: flip, drop, replay, old-session, noise, truncate, gap, badness,
    /// wrong-serial, ltk-mismatch, stall or boast; may be repeated
    #[arg(long = "fault", value_name = "NAME:EVERY")]
    faults: Vec<Fault>,
    /// Hang until-ctrl-c, until-reopen, until-usb-reset, until-re-enumeration or until-replug: from the start, or with
    /// :N after N entropy frames
    #[arg(long, value_name = "KIND")]
    wedge: Option<Wedge>,
    /// Be hostile: send nothing but valid frames of this KIND, as fast as the host reads: serial, serials, need-key,
    /// information, badness, generators-bad, unknown-input, unlocked, refused, session-answer, long-term-answer,
    /// entropy, unknown, malformed or all; from the start, or with :N after N entropy frames
    #[arg(long, value_name = "KIND[:N]")]
    flood: Option<Flood>,
    /// Replace the noise with constant, stuck, biased, half or replay, without the key noticing; from block FROM to
    /// before block TO, of 78 frames each [default: from 0, for good]
    #[arg(long = "bad-source", value_name = "KIND[:FROM[-TO]]")]
    source: Option<BadSource>,
    /// Let the key's own estimate of its left generator fall by 1 % per second, after SECONDS
    #[arg(long, value_name = "SECONDS")]
    fade: Option<u32>,
    /// Write the 32 bytes of each entropy frame that goes out whole to FILE; empties it first
    #[arg(long, value_name = "FILE")]
    plain_log: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    refuse_doubled_faults(&arguments.faults);
    match plug_in(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ekey-sim: {error}");
            ExitCode::FAILURE
        }
    }
}

fn refuse_doubled_faults(faults: &[Fault]) {
    for (at, fault) in faults.iter().enumerate() {
        if faults[..at].iter().any(|before| before.kind == fault.kind) {
            let text = format!("--fault {} is given twice; give each fault once", fault.kind);
            Arguments::command().error(ErrorKind::ArgumentConflict, text).exit();
        }
    }
}

fn plug_in(arguments: Arguments) -> Result<(), SimError> {
    let stop = stop_on_signal()?;
    let mut records = Records::none();
    if let Some(path) = &arguments.ltk_file {
        records = records.with_long_term_key(path);
    }
    let place = Place::of(&arguments);
    let plain_log = arguments.plain_log.clone();
    let keys = known_keys(&arguments);
    let setup = setup(arguments)?;
    // Take the place before the log: a second key at the same place must not empty the first one's log.
    let plug = place.take()?;
    if let Some(path) = plain_log {
        records = records.with_plain_log(&path)?;
    }
    introduce(&setup, &plug, keys);
    let mut device = Device::new(setup);
    match plug {
        Taken::Pty(mut plug, _) => run(&mut device, &mut plug, &mut records, &stop),
        Taken::Unix(mut plug, _) => run(&mut device, &mut plug, &mut records, &stop),
        Taken::UsbRedir(mut socket, _) => run_usbredir(device, &mut socket, &mut records, &stop),
        Taken::Vhci(mut vhci) => run_vhci(device, &mut vhci, &mut records, &stop),
    }
}

/// The place where the key plugs in.
enum Place {
    Pty(PathBuf),
    Unix(PathBuf),
    UsbRedir(PathBuf),
    Vhci,
}

/// The place, once the key has plugged in.
enum Taken {
    Pty(Pty, PathBuf),
    Unix(UnixSocket, PathBuf),
    UsbRedir(UnixSocket, PathBuf),
    Vhci(Vhci),
}

impl Place {
    fn of(arguments: &Arguments) -> Self {
        match (&arguments.pty, &arguments.unix, &arguments.usbredir) {
            (Some(link), ..) => Self::Pty(link.clone()),
            (_, Some(path), _) => Self::Unix(path.clone()),
            (.., Some(path)) => Self::UsbRedir(path.clone()),
            // The argument group requires one of the four.
            _ => Self::Vhci,
        }
    }

    fn take(self) -> Result<Taken, SimError> {
        Ok(match self {
            Self::Pty(link) => Taken::Pty(Pty::open(&link)?, link),
            Self::Unix(path) => Taken::Unix(UnixSocket::open(&path)?, path),
            Self::UsbRedir(path) => Taken::UsbRedir(UnixSocket::open(&path)?, path),
            Self::Vhci => Taken::Vhci(Vhci::open()?),
        })
    }
}

impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pty(plug, link) => write!(f, "{} ({})", link.display(), plug.slave_path().display()),
            Self::Unix(_, path) => write!(f, "{}", path.display()),
            Self::UsbRedir(_, path) => write!(f, "{}, for QEMU to connect to", path.display()),
            Self::Vhci(vhci) => write!(f, "port {} of vhci_hcd", vhci.port().unwrap_or_default()),
        }
    }
}

fn setup(arguments: Arguments) -> Result<Setup, SimError> {
    let seed = arguments.seed.map_or_else(Seed::from_system, |number| Ok(Seed::from_number(number)))?;
    let mut setup = Setup::from_seed(seed);
    if let Some(serial) = arguments.serial {
        setup.serial = serial;
    }
    if let Some(path) = &arguments.ltk_file {
        setup.long_term_key = long_term_key_file(path)?;
    }
    if let Some(path) = &arguments.master_file {
        setup.master_key = master_key_file(path)?;
    }
    let fade = arguments.fade.map(|seconds| Duration::from_secs(seconds.into()));
    let (rate, source, flood) = (arguments.rate, arguments.source, arguments.flood);
    Ok(Setup { rate, faults: arguments.faults, wedge: arguments.wedge, flood, source, fade, ..setup })
}

/// Returns a warning if no host can know the key's long-term key.
fn known_keys(arguments: &Arguments) -> Option<&'static str> {
    match (&arguments.ltk_file, &arguments.master_file) {
        (Some(_), _) => None,
        (None, Some(_)) => Some("no host knows its long-term key: set one with the master key, or use --ltk-file"),
        (None, None) => Some("no host knows its keys, so none can use it: use --ltk-file or --master-file"),
    }
}

fn introduce(setup: &Setup, plug: &Taken, keys: Option<&str>) {
    let rate = match setup.rate {
        0 => "as fast as it is read".to_owned(),
        rate => format!("{rate} frames/s"),
    };
    let serial = &setup.serial;
    eprintln!(
        "ekey-sim: key {serial} is plugged in at {plug}, {rate}; its data is NOT random to anyone who knows the seed"
    );
    if let Some(keys) = keys {
        eprintln!("ekey-sim: {keys}");
    }
}

/// Returns a handle that SIGUSR1 toggles and SIGTERM, SIGINT or SIGHUP stops. A second such signal ends the process at
/// once.
fn stop_on_signal() -> Result<StopHandle, SimError> {
    let stop = StopHandle::new()?;
    let handle = stop.clone();
    let signals = SigSet::from_iter([Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGUSR1]);
    // Block the signals before any other thread starts: threads inherit the mask.
    signals.thread_block().map_err(|errno| SimError::System {
        action: "wait for signals",
        advice: "check whether a seccomp filter forbids it",
        source: errno.into(),
    })?;
    thread::spawn(move || {
        while let Ok(signal) = signals.wait() {
            if signal == Signal::SIGUSR1 {
                handle.toggle();
            } else if handle.is_stopped() {
                std::process::exit(1);
            } else {
                handle.stop();
            }
        }
    });
    Ok(stop)
}
