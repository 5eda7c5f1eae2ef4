//! The daemon: one event loop between sources and outlets.
//!
//! Sources deliver over one channel into the stock, and outlets take their shares from it. The loop knows none of them by name, and
//! waits only for the next event.

mod clones;
mod commands;
pub(crate) mod control;
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
use mio::{Events, Poll, Token, Waker};

use crate::config::Config;
use crate::confine::{AccountError, Confinement};
use crate::outlet::{self, Outlet, Turn};
use crate::socket::ListenError;
use crate::source::keyring::SharedKeyring;
use crate::source::{self, Delivery, Demand, Epochs, Grade, Inlet, MOST_BATCH, Source, Trust};
use crate::stock::combine::Combiner;
use crate::stock::ledger::Ledger;
use crate::stock::share::{Held, Rank, Want, shares};
use crate::stock::{Need, Stock};
use clones::Clones;
use observing::Observatory;
use sd_notify::NotifyState;
use service_manager::ServiceManager;
use signals::{Signal, Signals};

/// A token has its owner in the upper bits, and the owner's own number in the lower ones.
const OWNER_SHIFT: u32 = 24;
const OWN: usize = 0;
const OUTLETS: usize = 1;
const SOURCES: usize = 64;
/// Tokens of the daemon itself.
const WAKER: Token = Token(0);
const SIGNALS: Token = Token(1);
const CONTROL: usize = 16;
const HTTP: usize = 256;
const _: () = assert!(CONTROL + control::Server::TOKENS <= HTTP, "the tokens overlap");
const _: () = assert!(HTTP + crate::observe::Server::TOKENS <= 1 << OWNER_SHIFT, "the tokens overlap");

/// Deliveries that may wait between sources and stock.
const IN_FLIGHT: usize = 4;
/// How long sources may take to hand on their last bytes when the daemon stops.
const LAST_DELIVERIES: Duration = Duration::from_millis(800);
/// How long an outlet may take to pass on its last bytes.
const LAST_BYTES: Duration = Duration::from_secs(1);
/// Bytes that the stock holds above the reserve for an outlet that takes all there is.
const BULK: usize = 4096;

/// Why the daemon cannot start or continue.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DaemonError {
    /// A socket cannot be made.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The user that it should run as is not available.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// The kernel refuses a basic service.
    #[error("cannot {doing}: {source}; look at the limits of this process (ulimit -a)")]
    System {
        /// What was tried.
        doing: &'static str,
        /// The system's error.
        source: io::Error,
    },
}

/// A function that gets the status regularly.
pub(crate) struct Observer {
    /// How often.
    pub every: Duration,
    /// Called with the status.
    pub show: Box<dyn FnMut(&Status)>,
}

/// What the daemon was started with.
struct Settings {
    config: Config,
    /// Where it is read from again on SIGHUP.
    file: Option<PathBuf>,
    /// Whether the keys are software.
    not_random: bool,
    /// The machine's host name at the start.
    host: String,
    started: Instant,
}

/// What sources deliver, and the account of it.
struct Arrivals {
    incoming: Receiver<Delivery>,
    ledger: Ledger,
}

/// The daemon, ready to run.
pub(crate) struct Daemon {
    settings: Settings,
    poll: Poll,
    signals: Signals,
    keyring: SharedKeyring,
    arrivals: Arrivals,
    clones: Clones,
    sources: Vec<Box<dyn Source>>,
    stock: Stock,
    outlets: Vec<Box<dyn Outlet>>,
    control: control::Server,
    observatory: Observatory,
    confinement: Confinement,
    service_manager: ServiceManager,
    stopping: bool,
}

impl Daemon {
    /// Opens the outlets and the sockets and starts the sources. SIGHUP reads the configuration again from `config_file`.
    /// `not_random` says that the keys are software and their output is not random. Calls `start_log` in the sandbox, before it starts
    /// other threads.
    ///
    /// Call it before starting any thread: it takes over the signals.
    ///
    /// # Errors
    /// [`DaemonError`] if a socket or a basic service of the kernel is not available. If an outlet or source cannot be used, logs
    /// it, shows it in the status, and continues.
    pub(crate) fn start(
        config: Config,
        config_file: Option<PathBuf>,
        not_random: bool,
        start_log: impl FnOnce() -> io::Result<()>,
    ) -> Result<Self, DaemonError> {
        let system = |doing| move |source| DaemonError::System { doing, source };
        let poll = Poll::new().map_err(system("make an event queue"))?;
        let registry = poll.registry();
        let signals = Signals::take_over(registry, SIGNALS).map_err(system("take over signals"))?;
        let waker = Arc::new(Waker::new(registry, WAKER).map_err(system("make a waker"))?);
        let control = control::Server::start(&config.control, &config.control_tcp, registry, CONTROL)?;
        let mut outlets = outlet::open_all(&config, registry, |index| owned_by(OUTLETS + index))?;
        let observatory = Observatory::start(&config, registry, HTTP)?;
        // Everything that needs root is open, and no thread runs yet.
        let mut confinement = Confinement::enter(&config, config_file.as_deref(), &mut outlets)?;
        start_log().map_err(system("start the thread that writes the log"))?;
        for outlet in &mut outlets {
            outlet.start(&waker).map_err(system("start an outlet's thread"))?;
        }
        let combiner = config.egd.combine.then(Combiner::new).transpose();
        let combiner = combiner.map_err(system("read /dev/urandom"))?;
        let (deliveries, incoming) = crossbeam_channel::bounded(IN_FLIGHT);
        let keyring = SharedKeyring::open(&config.keyring);
        let epochs = Epochs::default();
        let inlet = Inlet { deliveries, waker, epochs: epochs.clone() };
        let sources = source::open_all(&config, &keyring, &inlet, registry, |index| owned_by(SOURCES + index));
        let sources = sources.map_err(system("start a source's thread"))?;
        let stock = Stock::new(config.pool.bytes, combiner);
        confinement.lock_memory(stock.memory());
        let now = Instant::now();
        Ok(Self {
            stock,
            settings: Settings { config, file: config_file, not_random, host: host_name(), started: now },
            poll,
            signals,
            keyring,
            arrivals: Arrivals { incoming, ledger: Ledger::default() },
            clones: Clones::new(epochs),
            sources,
            outlets,
            control,
            observatory,
            confinement,
            service_manager: ServiceManager::new(now),
            stopping: false,
        })
    }

    /// Runs until asked to stop, then closes everything in order.
    ///
    /// # Errors
    /// [`DaemonError::System`] if the kernel fails the event loop.
    pub(crate) fn run(mut self, mut observer: Option<Observer>) -> Result<(), DaemonError> {
        self.service_manager.tell(&[NotifyState::Status("waiting for the first verified entropy of a key")]);
        let mut events = Events::with_capacity(256);
        let mut next_look = observer.as_ref().map(|observer| self.settings.started + observer.every);
        let mut wants = Vec::new();
        while !self.stopping {
            let timeout = self.timeout(next_look);
            match self.poll.poll(&mut events, timeout) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                outcome => outcome.map_err(|source| DaemonError::System { doing: "wait for events", source })?,
            }
            let threads = self.threads();
            // Sources first: the kernel may say that this machine is a clone, and then nothing must be served.
            let is_sources = |event: &&mio::event::Event| event.token().0 >> OWNER_SHIFT >= SOURCES;
            events.iter().filter(is_sources).for_each(|event| self.handle(event));
            self.look_for_clones();
            events.iter().filter(|event| !is_sources(event)).for_each(|event| self.handle(event));
            self.take_in();
            let now = Instant::now();
            self.control.go_on(now, self.poll.registry());
            self.share_out(now, &mut wants);
            self.ask_for_more(&wants);
            self.sources.iter_mut().for_each(|source| source.go_on(now));
            if self.threads() != threads {
                self.confinement.lock_memory(self.stock.memory());
            }
            self.service_manager.feed_watchdog(now);
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

    fn handle(&mut self, event: &mio::event::Event) {
        let token = event.token();
        match token.0 >> OWNER_SHIFT {
            OWN if token == WAKER => {}
            OWN if token == SIGNALS => self.handle_signals(),
            OWN if token.0 < HTTP => self.handle_control(event),
            OWN => self.handle_http(event),
            owner @ SOURCES.. => self.sources[owner - SOURCES].handle(event),
            owner => {
                let turn = Turn { now: Instant::now(), registry: self.poll.registry() };
                self.outlets[owner - OUTLETS].handle(event, &mut self.stock, &turn);
            }
        }
    }

    /// Moves deliveries into the stock. If an outlet takes every byte, moves only what there is room for, and the sources wait.
    /// Else the stock discards its oldest bytes.
    fn take_in(&mut self) {
        for _ in 0..IN_FLIGHT {
            if !self.can_take() {
                return;
            }
            let Ok(delivery) = self.arrivals.incoming.try_recv() else { return };
            match delivery.grade {
                Grade::Fit if delivery.epoch != self.clones.epoch() => self.wipe_late(&delivery),
                Grade::Fit => self.store(&delivery),
                Grade::Unfit { suspect } => self.retire(&delivery, suspect),
            }
        }
    }

    fn store(&mut self, delivery: &Delivery) {
        let Delivery { from, trust, bytes, .. } = delivery;
        self.arrivals.ledger.note_taken(delivery);
        self.stock.put(delivery);
        self.sources.iter_mut().for_each(|source| source.taken(*from, bytes.len()));
        let words = match trust {
            Trust::Proven => "the first entropy is verified",
            Trust::Unproven => "the first entropy of an EGD server has passed the health tests; no MAC proves it",
        };
        if self.service_manager.say_ready(words) {
            self.confinement.lock_memory(self.stock.memory());
        }
    }

    /// Wipes a delivery of before the daemon forgot everything.
    fn wipe_late(&mut self, delivery: &Delivery) {
        self.arrivals.ledger.note_taken(delivery);
        self.stock.wipe_late(delivery);
        self.sources.iter_mut().for_each(|source| source.taken(delivery.from, delivery.bytes.len()));
    }

    /// Wipes a source's suspect bytes, and mixes a failed delivery into an outlet that takes it without credit.
    fn retire(&mut self, delivery: &Delivery, suspect: Option<u64>) {
        let Delivery { from, trust, bytes, .. } = delivery;
        if let Some(suspect) = suspect {
            // If part of a block is suspect, all of it is.
            let block = ekey_proto::EntropyBlock::LEN as u64;
            self.stock.wipe(*from, suspect.checked_next_multiple_of(block).unwrap_or(u64::MAX));
            if *trust == Trust::Proven {
                self.outlets.iter_mut().for_each(|outlet| outlet.retire(*from));
            }
        }
        self.stock.skip(*from, bytes.len());
        let mixed = self.outlets.iter_mut().map(|outlet| outlet.mix(bytes)).max().unwrap_or(0);
        self.arrivals.ledger.note_unfit(delivery, mixed);
    }

    /// Gives each outlet its share. What they lack then stays in `wants`.
    fn share_out(&mut self, now: Instant, wants: &mut Vec<Want>) {
        self.stock.note_delivering(self.sources.iter().flat_map(|source| source.delivering()).collect());
        wants.clear();
        wants.extend(self.outlets.iter_mut().map(|outlet| outlet.want(now, &self.stock)));
        let needs = [Need::Any, Need::Credited, Need::Proven, Need::OfTwoKeys];
        let [any, credited, proven, of_two_keys] = needs.map(|need| self.stock.held(need));
        let grants = shares(wants, Held { any, credited, proven, of_two_keys });
        let turn = Turn { now, registry: self.poll.registry() };
        for ((outlet, grant), want) in self.outlets.iter_mut().zip(grants).zip(wants) {
            let before = self.stock.held(Need::Any);
            outlet.serve(grant, &mut self.stock, &turn);
            want.bytes = want.bytes.saturating_sub(before - self.stock.held(Need::Any));
        }
    }

    /// Tells the sources what the outlets still lack. Only outlets that accept unproven bytes count.
    fn ask_for_more(&mut self, wants: &[Want]) {
        let lacking = |need: Need| {
            let now = wants.iter().filter(|want| want.need == need && !matches!(want.rank, Rank::Bulk { .. }));
            now.map(|want| want.bytes.min(BULK)).sum()
        };
        let (now, credited) = (lacking(Need::Any), lacking(Need::Credited));
        let reserve: usize = wants.iter().map(|want| want.reserve).sum();
        let bulk = if self.outlets.iter().any(|outlet| outlet.takes_all()) { reserve + BULK } else { 0 };
        let demand = Demand { now, credited, bulk, held: self.stock.held(Need::Any), capacity: self.stock.capacity() };
        self.sources.iter_mut().for_each(|source| source.want(&demand));
    }

    fn can_take(&self) -> bool {
        self.stock.room() >= MOST_BATCH || !self.outlets.iter().any(|outlet| outlet.takes_all())
    }

    /// Returns how long the event loop may wait.
    fn timeout(&self, next_look: Option<Instant>) -> Option<Duration> {
        let is_pending = self.outlets.iter().any(|outlet| outlet.is_pending(&self.stock));
        if is_pending || (!self.arrivals.incoming.is_empty() && self.can_take()) {
            return Some(Duration::ZERO);
        }
        let outlets = self.outlets.iter().filter_map(|outlet| outlet.next_wake());
        let sources = self.sources.iter().filter_map(|source| source.next_wake());
        let control = self.control.next_wake();
        let own = [self.service_manager.next_wake(), next_look, self.next_observation(), control];
        let next = outlets.chain(sources).chain(own.into_iter().flatten()).min();
        next.map(|at| at.saturating_duration_since(Instant::now()))
    }

    fn threads(&self) -> usize {
        self.sources.iter().map(|source| source.threads()).sum()
    }

    fn handle_signals(&mut self) {
        while let Some(signal) = self.signals.next() {
            match signal {
                Signal::Stop => self.stopping = true,
                Signal::Reload => self.reload(),
            }
        }
    }

    fn stop(mut self) {
        tracing::info!("stopping");
        self.service_manager.tell(&[NotifyState::Stopping]);
        self.control.flush();
        self.sources.iter_mut().for_each(|source| source.begin_stop());
        let mut wants = Vec::new();
        // A source's thread may still have a delivery to hand on.
        let patience = Instant::now() + LAST_DELIVERIES;
        while self.sources.iter().any(|source| source.is_running()) && Instant::now() < patience {
            self.take_in();
            self.share_out(Instant::now(), &mut wants);
            std::thread::sleep(Duration::from_millis(1));
        }
        for source in std::mem::take(&mut self.sources) {
            source.stop();
        }
        self.take_in();
        self.share_out(Instant::now(), &mut wants);
        for outlet in self.outlets {
            outlet.stop(LAST_BYTES);
        }
    }
}

/// Returns the machine's host name, nothing if it has none.
fn host_name() -> String {
    nix::unistd::gethostname().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn owned_by(owner: usize) -> Token {
    Token(owner << OWNER_SHIFT)
}
