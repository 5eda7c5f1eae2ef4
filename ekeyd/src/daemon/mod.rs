//! The daemon: one event loop between the keys and the outputs.
//!
//! Entropy comes from the keys' threads (or an EGD server's) in batches, goes into the pool, and from there to the kernel first, then to the
//! EGD clients that wait, then to the file. The loop itself never waits for anything but the next event.

mod commands;
pub(crate) mod control;
mod control_link;
mod discovery;
mod fetch;
mod hand_out;
mod observing;
mod reload;
mod service_manager;
mod signals;
mod status;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use ekey_control::Status;
use ekey_proto::session::Timings;
use mio::{Events, Poll, Token, Waker};

use crate::config::{self, Config};
use crate::confine::{AccountError, Confinement};
use crate::observe;
use crate::outlet::egd;
use crate::outlet::expand;
use crate::outlet::file::FileSink;
use crate::outlet::kernel::{Host, Kernel};
use crate::socket::ListenError;
use crate::source::egd::EgdClient;
use crate::source::key::keyring::SharedKeyring;
use crate::source::key::{Key, KeyBatch, KeyCommand, KeySettings, Name, Outlet};
use crate::stock::combine::Combiner;
use crate::stock::ledger::Ledger;
use crate::stock::pool::Pool;
use control_link::ControlLink;
use discovery::Discovery;
use sd_notify::NotifyState;
use service_manager::{Watchdog, notify};
use signals::{Signal, Signals};

const WAKER: Token = Token(0);
const SIGNALS: Token = Token(1);
const HOTPLUG: Token = Token(2);
const CONTROL: usize = 16;
const HTTP: usize = 256;
const EGD: usize = 1024;
/// Far above the tokens of as many EGD clients as there may be.
const EXPAND: usize = 1 << 24;
const _: () = assert!(CONTROL + control::Server::TOKENS <= HTTP, "the tokens overlap");
const _: () = assert!(HTTP + observe::Server::TOKENS <= EGD, "the tokens overlap");

/// Batches that may wait between the keys and the pool.
pub(crate) const BATCHES_IN_FLIGHT: usize = 4;
/// How long the keys' threads may take to hand on what they have.
const LAST_BATCHES: Duration = Duration::from_millis(800);
/// How long the file may take to write the last bytes when the daemon stops.
const LAST_WRITES: Duration = Duration::from_secs(1);

/// What keeps the daemon from starting or going on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DaemonError {
    /// A socket cannot be made.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// A key's thread cannot be started.
    #[error(transparent)]
    Key(#[from] ekey_link::LinkError),
    /// The user that it is to be cannot be had.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// The kernel refuses what any daemon needs.
    #[error("cannot {doing}: {source}; look at the limits of this process (ulimit -a)")]
    System {
        /// What was tried.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

/// Whoever wants to be shown the status regularly.
pub(crate) struct Observer {
    /// How often.
    pub every: Duration,
    /// Called with the status.
    pub show: Box<dyn FnMut(&Status)>,
}

/// The daemon, ready to run.
pub(crate) struct Daemon {
    config: Config,
    config_file: Option<PathBuf>,
    not_random: bool,
    started: Instant,
    poll: Poll,
    signals: Signals,
    keyring: SharedKeyring,
    outlet: Outlet,
    keys: Vec<Key>,
    keys_made: u32,
    discovery: Discovery,
    incoming: Receiver<KeyBatch>,
    ledger: Ledger,
    pool: Pool,
    /// Between the keys and the EGD clients, if keys are to be combined.
    combiner: Option<Combiner>,
    kernel: Option<Kernel>,
    kernel_problem: Option<String>,
    file: Option<FileSink>,
    /// Bytes that are the file's share whoever else waits.
    file_due: usize,
    egd: egd::Server,
    /// What serves expanded entropy, if anything.
    expand: Option<expand::Outlet>,
    egd_client: Option<EgdClient>,
    control: control::Server,
    http: Option<observe::Server>,
    recorder: observe::Recorder,
    confinement: Confinement,
    _control_link: Option<ControlLink>,
    is_ready: bool,
    watchdog: Option<Watchdog>,
    stopping: bool,
}

impl Daemon {
    /// Opens the outputs and the sockets and starts the keys. `config_file` is where to read the configuration again on SIGHUP;
    /// `not_random` says that the keys are software and what they give is no randomness.
    ///
    /// Call it before any other thread is started: it takes over the signals.
    ///
    /// # Errors
    /// [`DaemonError`] if a socket or what any daemon needs cannot be had. A kernel, file or key that cannot be used is logged and
    /// stated in the status, and the rest goes on.
    pub(crate) fn start(config: Config, config_file: Option<PathBuf>, not_random: bool) -> Result<Self, DaemonError> {
        let system = |doing| move |source| DaemonError::System { doing, source };
        let others = config.expand.as_ref().map_or(0, |expand| expand.max_clients);
        let max_clients = egd::allow_clients(config.egd.max_clients + others).saturating_sub(others).max(1);
        if max_clients < config.egd.max_clients {
            tracing::warn!("the limit of open files allows {max_clients} EGD clients only (LimitNOFILE=, ulimit -n)");
        }
        let config = Config { egd: config::Egd { max_clients, ..config.egd }, ..config };
        let poll = Poll::new().map_err(system("make an event queue"))?;
        let registry = poll.registry();
        let signals = Signals::take_over(registry, SIGNALS).map_err(system("take over signals"))?;
        let waker = Arc::new(Waker::new(registry, WAKER).map_err(system("make a waker"))?);
        let (batches, incoming) = crossbeam_channel::bounded(BATCHES_IN_FLIGHT);
        let control =
            control::Server::start(control_link::socket_for(&config.control), config.control_tcp, registry, CONTROL)?;
        let egd = egd::Server::start(&config.egd, registry, EGD)?;
        let expand = expand::Outlet::start(&config, registry, EXPAND)?;
        let http = config.http.as_ref().map(|http| observe::Server::start(http.listen, registry, HTTP)).transpose()?;
        let control_link = ControlLink::make(control.path());
        let (mut kernel, kernel_problem) =
            match config.kernel.enabled.then(|| Kernel::open(&config.kernel, Host::default())) {
                Some(Ok(kernel)) => (Some(kernel), None),
                Some(Err(error)) => {
                    tracing::error!("{error}");
                    (None, Some(error.to_string()))
                }
                None => (None, None),
            };
        // All that takes root is open, and no thread is started yet.
        let confinement = Confinement::enter(&config, config_file.as_deref(), kernel.as_mut())?;
        let file = match &config.file {
            Some(file) => {
                let waker = Arc::clone(&waker);
                let wake = Box::new(move || drop(waker.wake()));
                let sink = FileSink::start(&file.path, file.max_bytes, wake);
                Some(sink.map_err(system("start the file's thread"))?)
            }
            None => None,
        };
        let egd_client = fetch::start(config.egd_client.as_ref(), &waker).map_err(system("start the EGD client"))?;
        let combiner = config.egd.combine.then(Combiner::new).transpose();
        let combiner = combiner.map_err(system("read /dev/urandom"))?;
        let now = Instant::now();
        let discovery = Discovery::start(registry, HOTPLUG);
        let mut daemon = Self {
            keyring: SharedKeyring::open(&config.keyring),
            pool: Pool::new(config.pool.bytes),
            combiner,
            _control_link: control_link,
            config,
            config_file,
            not_random,
            started: now,
            signals,
            poll,
            outlet: Outlet { batches, waker },
            keys: Vec::new(),
            keys_made: 0,
            discovery,
            incoming,
            ledger: Ledger::default(),
            kernel,
            kernel_problem,
            file,
            file_due: 0,
            egd,
            expand,
            egd_client,
            control,
            http,
            recorder: observe::Recorder::new(),
            confinement,
            is_ready: false,
            watchdog: Watchdog::wanted(now),
            stopping: false,
        };
        daemon.add_configured_keys();
        daemon.confinement.lock_memory();
        Ok(daemon)
    }

    /// Runs until somebody says stop, then lets go of everything in order.
    ///
    /// # Errors
    /// [`DaemonError::System`] if the kernel fails the event loop.
    pub(crate) fn run(mut self, mut observer: Option<Observer>) -> Result<(), DaemonError> {
        notify(&[NotifyState::Status("waiting for the first verified entropy of a key")]);
        let mut events = Events::with_capacity(256);
        let mut next_look = observer.as_ref().map(|observer| self.started + observer.every);
        while !self.stopping {
            let timeout = self.timeout(next_look);
            match self.poll.poll(&mut events, timeout) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                outcome => outcome.map_err(|source| DaemonError::System { doing: "wait for events", source })?,
            }
            for event in &events {
                match event.token() {
                    WAKER => {}
                    SIGNALS => self.heed_signals(),
                    HOTPLUG => self.heed_hotplug(),
                    Token(token) if token < HTTP => self.handle_control(event),
                    Token(token) if token < EGD => self.handle_http(event),
                    Token(EXPAND..) => {
                        if let Some(expand) = &mut self.expand {
                            expand.handle(event, self.poll.registry());
                        }
                    }
                    _ => {
                        let pool = self.combiner.as_mut().map_or(&mut self.pool, Combiner::output);
                        self.egd.handle(event, self.poll.registry(), pool);
                    }
                }
            }
            self.control.go_on(self.poll.registry());
            self.take_in();
            self.take_fetched();
            self.hand_out();
            self.ask_for_more();
            let now = Instant::now();
            self.look_at_usb(now);
            self.pat_watchdog(now);
            self.observe(now);
            if let (Some(observer), Some(at)) = (&mut observer, next_look)
                && at <= now
            {
                (observer.show)(&self.status());
                next_look = Some(now + observer.every);
            }
        }
        self.stop();
        Ok(())
    }

    /// Starts driving a key, and returns its number.
    fn add_key(&mut self, name: Name, expected: Option<ekey_proto::Serial>) -> Result<u32, ekey_link::LinkError> {
        let number = self.keys_made + 1;
        let silence = self.config.recovery.silence;
        let timings = Timings { opening_silence: silence, running_silence: silence * 5 / 3 };
        let (transport, recovery) = (self.config.keys.transport, self.config.recovery.clone());
        let health = self.config.health.clone();
        let settings = KeySettings { number, name, transport, recovery, health, expected, timings };
        self.keys.push(Key::start(settings, self.keyring.clone(), self.outlet.clone())?);
        self.keys_made = number;
        self.confinement.lock_memory();
        Ok(number)
    }

    /// How long the event loop may wait.
    fn timeout(&self, next_look: Option<Instant>) -> Option<Duration> {
        if self.clients_are_pending() || (!self.incoming.is_empty() && self.can_take()) {
            return Some(Duration::ZERO);
        }
        // Without entropy there is nothing to feed the kernel with, and the next batch wakes the loop; unless its hunger is what
        // entropy is fetched for.
        let feeds = self.pool.len() > 0 || self.egd_client.is_some();
        let kernel = self.kernel.as_ref().filter(|_| feeds).and_then(Kernel::next_wake);
        let watchdog = self.watchdog.as_ref().map(Watchdog::next);
        let usb = Some(self.discovery.next_look());
        let egd = self.egd.next_wake();
        let expand = self.expand.as_ref().and_then(expand::Outlet::next_wake);
        let observe = self.next_observation();
        let next = [kernel, watchdog, next_look, usb, egd, expand, observe].into_iter().flatten().min();
        next.map(|at| at.saturating_duration_since(Instant::now()))
    }

    fn heed_signals(&mut self) {
        while let Some(signal) = self.signals.next() {
            match signal {
                Signal::Stop => self.stopping = true,
                Signal::Reload => self.reload(),
            }
        }
    }

    fn stop(mut self) {
        tracing::info!("stopping");
        notify(&[NotifyState::Stopping]);
        self.control.flush();
        for key in &self.keys {
            key.command(KeyCommand::Stop);
        }
        // A key's thread may still have a batch to hand on.
        let patience = Instant::now() + LAST_BATCHES;
        while self.keys.iter().any(Key::is_running) && Instant::now() < patience {
            self.take_in();
            self.hand_out();
            std::thread::sleep(Duration::from_millis(1));
        }
        for key in std::mem::take(&mut self.keys) {
            key.stop();
        }
        if let Some(client) = self.egd_client.take() {
            client.stop();
        }
        self.take_in();
        self.hand_out();
        if let Some(file) = self.file {
            let state = file.stop(LAST_WRITES);
            tracing::info!(bytes = state.written, "the file output has ended");
        }
    }
}
