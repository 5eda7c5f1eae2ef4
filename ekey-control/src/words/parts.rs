//! The parts of the daemon that are not keys, each with its figures and its problems.
//!
//! `glance`, `advice` and `ekey-ctl watch` loop over them: a new source or outlet is one more entry of [`Status::parts`].

use super::amount;
use crate::status::health::{HealthStatus, PutAside};
use crate::status::{
    Account, CloneStatus, CombineStatus, ConfinementStatus, EgdClientStatus, EgdStatus, EgdTlsStatus, ExpandStatus,
    FileStatus, KernelEra, KernelStatus, KeyringStatus, NonceStatus, OutletStatus, PoolStatus, ServerTests, Status,
};

/// The name of the part that holds the long-term keys.
pub(super) const KEYRING: &str = "keyring";
/// Listeners that get a row; the others are only counted.
const EGD_ROWS: usize = 3;

/// A name and its text.
pub type Row = (&'static str, String);

/// A part of the daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its name, as in the configuration if it is configured.
    pub name: &'static str,
    /// What it does.
    pub role: Role,
    /// Its figures.
    pub rows: Vec<Row>,
    /// What is wrong with it.
    pub problems: Vec<Problem>,
}

/// What a part does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It brings entropy.
    Source,
    /// It takes entropy.
    Outlet,
    /// It does neither.
    Other,
}

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Which part, what is wrong, and what to do.
    pub text: String,
    /// Whether a person should do something about it.
    pub needs_a_person: bool,
}

impl Status {
    /// All parts, in the order in which they are shown.
    pub fn parts(&self) -> Vec<Part> {
        let mut parts = Vec::new();
        parts.extend(self.egd_client.as_ref().map(egd_client));
        parts.extend([pool(&self.pool), kernel(self.kernel.as_ref()), file(self.file.as_ref())]);
        parts.extend(self.combine.as_ref().map(combine));
        parts.push(egd(&self.egd));
        parts.extend(offered(self.offered_bytes));
        parts.extend(self.expand.as_ref().map(expand));
        parts.extend(other_outlets(&self.outlets));
        parts.push(keyring(&self.keyring));
        parts.extend(self.nonces.as_ref().and_then(nonces));
        parts.extend(self.clones.as_ref().and_then(clones));
        parts.extend(self.confinement.as_ref().map(sandbox));
        parts.extend(books(self));
        parts
    }
}

impl Part {
    /// A part with one row and no problem.
    fn new(name: &'static str, role: Role, figures: String) -> Self {
        Self { name, role, rows: vec![(name, figures)], problems: Vec::new() }
    }

    fn with_problems(mut self, texts: impl IntoIterator<Item = String>) -> Self {
        self.problems.extend(texts.into_iter().map(|text| Problem { text, needs_a_person: true }));
        self
    }
}

fn egd_client(client: &EgdClientStatus) -> Part {
    let waits = || "No EGD server has answered yet: wait a few seconds.".to_owned();
    let why = || client.last_error.as_ref().map_or_else(waits, |error| format!("{error}."));
    let begins = || format!("The first bytes of EGD server {} are not tested yet: wait a few seconds.", client.server);
    let retired: Vec<String> =
        client.retired().map(|(server, aside)| format!("EGD server {server}: {}.", aside.of_server())).collect();
    let problem = match client.is_connected() {
        false => Some(why()),
        true if client.current().is_some_and(|tests| !tests.passed) => Some(begins()),
        true => None,
    };
    // The failure of a test is also the last error.
    let problem = problem.filter(|text| !retired.contains(text));
    let part = Part { name: "egd-client", role: Role::Source, rows: server_rows(client), problems: Vec::new() };
    part.with_problems(retired).with_problems(problem)
}

impl PutAside {
    /// Says why the bytes of an EGD server are not used, and what to do.
    pub fn of_server(&self) -> String {
        let Self { test, what, .. } = self;
        format!("its bytes fail the test {test} ({what}) and are not used; see there what feeds it")
    }
}

/// Returns what was fetched. No MAC proves these bytes.
pub fn server_rows(client: &EgdClientStatus) -> Vec<Row> {
    let proof = if client.proven { "" } else { " (no MAC proves them)" };
    let (bytes, requests) = (amount::bytes(client.received_bytes), amount::many(client.requests, "request"));
    let (reconnects, failures) =
        (amount::many(client.reconnects, "reconnect"), amount::many(client.failures, "failure"));
    let mut rows = vec![("fetched", format!("{bytes}{proof}, {requests}, {reconnects}, {failures}"))];
    rows.extend(client.current().map(|tests| ("health", server_tests(tests))));
    // By default a server without TLS: no problem, but worth a line.
    rows.extend((client.credited == Some(false)).then(|| ("credit", "none in the kernel for these bytes".to_owned())));
    rows
}

fn server_tests(tests: &ServerTests) -> String {
    if tests.passed || tests.put_aside().is_some() {
        return health(&tests.health);
    }
    format!("{} of the first 2.5 kB tested, none used yet", amount::bytes(tests.health.tested_bytes))
}

/// Says how the tests of a source's bytes have gone.
pub(super) fn health(health: &HealthStatus) -> String {
    let tested = amount::bytes(health.tested_bytes);
    let fips = format!("{} of {} blocks fail FIPS", health.fips_failures, health.fips_blocks);
    match (&health.put_aside, health.times_put_aside) {
        (Some(aside), _) => format!("FAILED at byte {}: {}", aside.at_byte, aside.what),
        (None, 0) => format!("all tests passed on {tested}, {fips}"),
        (None, times) => format!("{tested} tested, {fips}, retired {} so far", amount::many(times, "time")),
    }
}

fn pool(pool: &PoolStatus) -> Part {
    let (held, room) = (amount::bytes(pool.bytes), amount::bytes(pool.capacity));
    let (received, lost) = (amount::bytes(pool.received_bytes), amount::bytes(pool.overflowed_bytes));
    Part::new("pool", Role::Other, format!("{held} of {room} held, {received} received, {lost} not needed"))
}

fn kernel(kernel: Option<&KernelStatus>) -> Part {
    let part = Part::new("kernel", Role::Outlet, kernel.map_or_else(off, kernel_figures));
    let problem = kernel.and_then(|kernel| kernel.problem.as_ref()).map(|problem| format!("Kernel: {problem}"));
    let no_credit = || {
        "Kernel: what is mixed in seeds it only with the right to credit it (CAP_SYS_ADMIN): run ekeyd as the service in \
         udev/ does, or as root."
            .to_owned()
    };
    part.with_problems(problem).with_problems(kernel.is_some_and(misses_credit).then(no_credit))
}

fn kernel_figures(kernel: &KernelStatus) -> String {
    let ready = if kernel.ready { "ready" } else { "NOT READY YET" };
    let right = if kernel.privileged { "" } else { ", may not credit" };
    let era = match kernel.era {
        Some(KernelEra::Before2022) => "pool of before 2022",
        Some(KernelEra::Since2022) => "since 2022",
        None => "cannot be opened",
    };
    format!(
        "{} mixed in, {} bits credited{right}, {ready} ({era})",
        amount::bytes(kernel.mixed_bytes),
        kernel.credited_bits
    )
}

/// Whether the kernel still counts bits, and gets none. A kernel since 2022 counts them only until it is seeded (random(4)).
fn misses_credit(kernel: &KernelStatus) -> bool {
    let counts = !kernel.ready || kernel.era == Some(KernelEra::Before2022);
    kernel.problem.is_none() && !kernel.privileged && counts
}

fn file(file: Option<&FileStatus>) -> Part {
    let mut part = Part::new("file", Role::Outlet, file.map_or_else(off, file_figures));
    if let Some((file, stopped)) = file.and_then(|file| Some((file, file.stopped.as_ref()?))) {
        let is_full = file.max_bytes.is_some_and(|most| file.written_bytes >= most);
        let what_to_do = if is_full { "" } else { ", then restart the daemon" };
        part.problems.push(Problem { text: format!("File {stopped}{what_to_do}."), needs_a_person: !is_full });
    }
    part
}

fn file_figures(file: &FileStatus) -> String {
    let most = file.max_bytes.map_or_else(String::new, |most| format!(" of {}", amount::bytes(most)));
    let stopped = file.stopped.as_ref().map_or_else(String::new, |why| format!(", stopped: {why}"));
    format!("{}{most} to {}{stopped}", amount::bytes(file.written_bytes), file.path)
}

fn combine(combine: &CombineStatus) -> Part {
    let (made, used) = (amount::bytes(combine.out_bytes), amount::bytes(combine.in_bytes));
    let figures = format!("{made} made of {used} of several keys, {} ready", amount::bytes(combine.ready_bytes));
    let problem = combine.problem.as_ref().map(|problem| format!("EGD: {problem}."));
    Part::new("combine", Role::Other, figures).with_problems(problem)
}

fn egd(listeners: &[EgdStatus]) -> Part {
    let mut rows: Vec<Row> = listener_rows("egd", listeners).collect();
    if rows.is_empty() {
        rows.push(("egd", off()));
    }
    rows.extend(listeners.iter().find_map(|listener| listener.tls.as_ref()).map(|found| ("tls", tls(found))));
    let part = Part { name: "egd", role: Role::Outlet, rows, problems: Vec::new() };
    part.with_problems(listeners.iter().filter_map(of_listener))
}

/// Says which certificate new TLS clients see, and why the last one was refused.
fn tls(tls: &EgdTlsStatus) -> String {
    let until = tls.valid_until.get(..10).unwrap_or_default();
    let half_open = if tls.half_open > 0 { format!(", {} in the handshake", tls.half_open) } else { String::new() };
    let refused = tls.last_refusal.as_ref().map_or_else(String::new, |last| format!(", refused {last}"));
    format!("certificate till {until}{half_open}{refused}")
}

/// Says what is wrong with a TLS listener's certificate, and what to do. `None` if all is well, or without TLS.
pub fn of_listener(listener: &EgdStatus) -> Option<String> {
    let tls = listener.tls.as_ref()?;
    let name = &listener.listen;
    match &tls.problem {
        Some(problem) => Some(format!("{name}: {problem}.")),
        None if tls.ends_soon() => Some(format!(
            "{name}: the certificate {} ends on {}; have a new one made and send SIGHUP (systemctl reload ekeyd).",
            tls.certificate, tls.valid_until
        )),
        None => None,
    }
}

/// What EGD clients offered, if anything.
fn offered(bytes: u64) -> Option<Part> {
    let figures = || format!("{} by clients, mixed into the kernel without credit", amount::bytes(bytes));
    (bytes > 0).then(|| Part::new("offered", Role::Other, figures()))
}

fn expand(expand: &ExpandStatus) -> Part {
    let made = amount::bytes(expand.generated_bytes);
    let seeds = amount::many(expand.seeds, "seed");
    let last = expand.seed_age_s.map_or_else(String::new, |age| format!(", the last {} ago", amount::duration(age)));
    let mut part = Part::new("expand", Role::Outlet, format!("NOT FULL ENTROPY: {made} made of {seeds}{last}"));
    part.rows.extend(listener_rows("expand", &expand.listeners));
    let problem = expand.problem.as_ref().map(|problem| format!("Expand: {problem}."));
    part.with_problems(problem).with_problems(expand.listeners.iter().filter_map(of_listener))
}

/// The outlets that have no part of their own above: a line each.
fn other_outlets(outlets: &[OutletStatus]) -> Option<Part> {
    let others: Vec<&OutletStatus> = outlets.iter().filter(|outlet| outlet.stands_alone()).collect();
    let row = |outlet: &&OutletStatus| {
        let Account { passed_on_bytes, waiting_bytes, dropped_bytes, .. } = outlet.account;
        let [passed_on, waiting, dropped] = [passed_on_bytes, waiting_bytes, dropped_bytes].map(amount::bytes);
        ("outlet", format!("{}: {passed_on} passed on, {waiting} waiting, {dropped} dropped", outlet.name))
    };
    let problem = |outlet: &&OutletStatus| Some(format!("Outlet {}: {}.", outlet.name, outlet.problem.as_ref()?));
    let part =
        Part { name: "outlets", role: Role::Outlet, rows: others.iter().map(row).collect(), problems: Vec::new() };
    (!others.is_empty()).then(|| part.with_problems(others.iter().filter_map(problem)))
}

fn keyring(keyring: &KeyringStatus) -> Part {
    let held = match keyring.problem {
        Some(_) => "not readable".to_owned(),
        None => amount::many(keyring.keys, "long-term key"),
    };
    let problem = keyring.problem.as_ref().map(|problem| problem.replace('\n', ", "));
    let problem = problem.map(|problem| format!("Keyring {problem}; then run `ekey-ctl keyring reload`."));
    Part::new(KEYRING, Role::Other, format!("{}, {held}", keyring.path)).with_problems(problem)
}

/// The nonce counter, if it cannot be used. Without it the daemon works, but not while the machine boots.
fn nonces(nonces: &NonceStatus) -> Option<Part> {
    let text = format!("Nonce counter {}.", nonces.problem.as_ref()?);
    let part = Part { name: "nonces", role: Role::Other, rows: Vec::new(), problems: Vec::new() };
    Some(part.with_problems([text]))
}

/// How often the daemon has forgotten all that it held, if ever.
fn clones(clones: &CloneStatus) -> Option<Part> {
    let times = amount::many(clones.forgotten, "time");
    let wiped = amount::bytes(clones.forgotten_bytes);
    let ago = clones.last_age_s.map_or_else(String::new, |age| format!(", the last {} ago", amount::duration(age)));
    let why = clones.last_reason?.words();
    Some(Part::new("forgotten", Role::Other, format!("{times}, {wiped} wiped{ago}: {why}")))
}

/// The sandbox. A part of it that this machine lacks needs no person: the daemon works without it.
fn sandbox(confinement: &ConfinementStatus) -> Part {
    let problem = |problem: &String| Problem { text: format!("Sandbox: {problem}."), needs_a_person: false };
    let problems = confinement.problems.iter().map(problem).collect();
    Part { problems, ..Part::new("sandbox", Role::Other, confinement.line()) }
}

fn books(status: &Status) -> Option<Part> {
    let first = status.discrepancies().into_iter().next()?;
    let text = format!("The books do not add up ({first}): report this with the output of `ekey-ctl status --json`.");
    let part = Part { name: "books", role: Role::Other, rows: Vec::new(), problems: Vec::new() };
    Some(part.with_problems([text]))
}

fn listener_rows(name: &'static str, listeners: &[EgdStatus]) -> impl Iterator<Item = Row> {
    let more = listeners.len().saturating_sub(EGD_ROWS);
    let more = (more > 0).then(|| (name, format!("and {more} more listeners")));
    listeners.iter().take(EGD_ROWS).flat_map(move |listener| rows_of(name, listener)).chain(more)
}

/// One row, and a second if clients were rejected.
fn rows_of(name: &'static str, egd: &EgdStatus) -> impl Iterator<Item = Row> {
    let (served, clients) = (amount::bytes(egd.served_bytes), amount::many(egd.clients, "client"));
    let refused = egd.refused + egd.tls.as_ref().map_or(0, |tls| tls.refused);
    let row = format!("{served} to {clients} ({} waiting) on {}", egd.waiting, egd.listen);
    let sent_away: Vec<String> = [("refused", refused), ("denied", egd.denied), ("let go as idle", egd.dropped_idle)]
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(what, count)| format!("{what} {count}"))
        .collect();
    let sent_away = (!sent_away.is_empty()).then(|| format!("  clients {}", sent_away.join(", ")));
    [(name, row)].into_iter().chain(sent_away.map(|text| (name, text)))
}

fn off() -> String {
    "off".to_owned()
}
