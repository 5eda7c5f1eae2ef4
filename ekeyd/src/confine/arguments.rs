//! The system calls of which only some arguments are allowed: the requests to devices, the kinds of sockets, and what would make
//! memory executable or start a process.

use nix::libc::{self, c_int, c_long};
use seccompiler::{
    BackendError, SeccompCmpArgLen as Size, SeccompCmpOp as Is, SeccompCondition as Condition, SeccompRule as Rule,
};

use super::purpose::{ELSEWHERE, ON_USB};
use super::reach::Reach;

/// What takes a server that is configured by name.
const NAMES: &str = "resolving the names of servers";

/// A call that is allowed with some arguments.
pub(super) struct Argued {
    /// Its name.
    pub(super) name: &'static str,
    /// Its number.
    pub(super) number: c_long,
    /// The arguments: one of these must fit.
    pub(super) ways: Vec<Way>,
}

/// Arguments that fit if every test holds.
pub(super) struct Way {
    /// What they are.
    pub(super) words: String,
    /// What they are for.
    pub(super) why: &'static str,
    tests: Vec<Test>,
}

/// A test of the lower 32 bits of one argument; no call here has a flag above them.
#[derive(Debug, Clone, Copy)]
struct Test {
    argument: u8,
    mask: u32,
    value: u32,
}

impl Argued {
    /// Returns the filter's rules, none if any arguments fit.
    ///
    /// # Errors
    /// A rule is wrong.
    pub(super) fn rules(&self) -> Result<Vec<Rule>, BackendError> {
        let rule = |way: &Way| Rule::new(way.tests.iter().map(Test::condition).collect::<Result<_, _>>()?);
        self.ways.iter().filter(|way| !way.tests.is_empty()).map(rule).collect()
    }
}

impl Test {
    fn condition(&self) -> Result<Condition, BackendError> {
        Condition::new(self.argument, Size::Dword, Is::MaskedEq(self.mask.into()), self.value.into())
    }
}

fn way(words: impl Into<String>, why: &'static str, tests: &[Test]) -> Way {
    Way { words: words.into(), why, tests: tests.to_vec() }
}

fn is(argument: u8, value: c_int) -> Test {
    Test { argument, mask: u32::MAX, value: value.cast_unsigned() }
}

fn has_not(argument: u8, flags: c_int) -> Test {
    Test { argument, mask: flags.cast_unsigned(), value: 0 }
}

fn has(argument: u8, flags: c_int) -> Test {
    Test { argument, mask: flags.cast_unsigned(), value: flags.cast_unsigned() }
}

/// Names a call or a constant of the crate `libc`.
macro_rules! named {
    ($name:ident) => {
        (stringify!($name), libc::$name)
    };
}

/// Returns the calls of the thread that credits the kernel.
pub(super) fn of_creditor() -> Vec<Argued> {
    let credit = requests("the kernel's random device", &[RNDADDENTROPY, RNDRESEEDCRNG]);
    vec![call(named!(SYS_ioctl), credit), call(named!(SYS_mmap), memory(false)), mprotect()]
}

/// Returns the calls of all other threads.
pub(super) fn of_daemon(reach: Reach) -> Vec<Argued> {
    let mut calls = vec![
        // clone may start threads only.
        call(named!(SYS_clone), vec![way("CLONE_THREAD", "starting threads", &[has(0, libc::CLONE_THREAD)])]),
        call(named!(SYS_ioctl), of_devices(reach)),
        call(named!(SYS_mmap), memory(reach == Reach::Names)),
        mprotect(),
        call(named!(SYS_prctl), of_the_thread()),
        call(named!(SYS_sendto), without_connecting("sockets", 3)),
        call(named!(SYS_setsockopt), options(reach)),
        call(named!(SYS_socket), sockets(reach)),
        call(named!(SYS_socketpair), vec![socket(named!(AF_UNIX), named!(SOCK_STREAM), ("0", 0), ON_USB)]),
    ];
    if reach == Reach::Names {
        calls.push(call(named!(SYS_sendmmsg), without_connecting(NAMES, 3)));
        calls.push(call(named!(SYS_sendmsg), without_connecting(ELSEWHERE, 2)));
    }
    calls
}

/// Returns the calls that fail without a line in the kernel's log.
pub(super) fn quiet() -> Vec<Argued> {
    vec![
        // A filter sees the flags of clone(2), but not those of clone3(2). So clone3 fails and the C library uses clone. Every new
        // thread tries clone3 first.
        call(named!(SYS_clone3), vec![way("any", "clone is used in its place", &[])]),
        call(named!(SYS_ioctl), requests(ON_USB, OF_USB_AT_FIRST)),
        // The resolver would ask the kernel for this machine's addresses, and assumes one of each kind then.
        call(
            named!(SYS_socket),
            vec![way(
                "AF_NETLINK NETLINK_ROUTE",
                "the resolver",
                &[is(0, libc::AF_NETLINK), is(2, libc::NETLINK_ROUTE)],
            )],
        ),
    ]
}

fn call((name, number): (&'static str, c_long), ways: Vec<Way>) -> Argued {
    Argued { name, number, ways }
}

/// A request of ioctl(2).
type Request = (&'static str, u32);

/// Encodes a request as the kernel's asm-generic/ioctl.h does; x86_64 and aarch64 share it.
const fn request(direction: u32, kind: u8, number: u8, bytes: u32) -> u32 {
    direction << 30 | bytes << 16 | (kind as u32) << 8 | number as u32
}
const NONE: u32 = 0;
const WRITE: u32 = 1;
const READ: u32 = 2;

/// random(4): `_IOW('R', 0x03, int [2])`.
const RNDADDENTROPY: Request = ("RNDADDENTROPY", request(WRITE, b'R', 3, 8));
/// random(4): `_IO('R', 0x07)`.
const RNDRESEEDCRNG: Request = ("RNDRESEEDCRNG", request(NONE, b'R', 7, 0));
const OF_TTYS: &[Request] = &[("TCGETS", 0x5401), ("TCSETS", 0x5402), ("TCFLSH", 0x540b), ("TIOCNXCL", 0x540d)];
/// What newer C libraries and musl ask of a tty in place of the above.
const OF_TTYS_ELSEWHERE: &[Request] =
    &[("TCGETS2", request(READ, b'T', 0x2a, 44)), ("TCSETS2", request(WRITE, b'T', 0x2b, 44)), ("TIOCGWINSZ", 0x5413)];
/// What a real key takes: the kernel's linux/usbdevice_fs.h, on 64 bits.
const OF_USB: &[Request] = &[
    // Of the tty: a pseudo terminal is not made exclusive.
    ("TIOCEXCL", 0x540c),
    // Of the socket from the thread that reads.
    ("FIONBIO", 0x5421),
    ("USBDEVFS_GETDRIVER", request(WRITE, b'U', 8, 260)),
    ("USBDEVFS_SUBMITURB", request(READ, b'U', 10, 56)),
    ("USBDEVFS_DISCARDURB", request(NONE, b'U', 11, 0)),
    ("USBDEVFS_REAPURBNDELAY", request(WRITE, b'U', 13, 8)),
    ("USBDEVFS_CLAIMINTERFACE", request(READ, b'U', 15, 4)),
    ("USBDEVFS_RELEASEINTERFACE", request(READ, b'U', 16, 4)),
    ("USBDEVFS_IOCTL", request(READ | WRITE, b'U', 18, 16)),
    ("USBDEVFS_RESET", request(NONE, b'U', 20, 0)),
    ("USBDEVFS_CLEAR_HALT", request(READ, b'U', 21, 4)),
];
/// What libusb asks when it gets an open key. The kernel refuses too, because the descriptor may only read at that time: no request
/// must go to the key, and the others do not matter.
const OF_USB_AT_FIRST: &[Request] = &[
    ("USBDEVFS_CONTROL", request(READ | WRITE, b'U', 0, 24)),
    ("USBDEVFS_GET_CAPABILITIES", request(READ, b'U', 26, 4)),
    ("USBDEVFS_GET_SPEED", request(NONE, b'U', 31, 0)),
];
/// How much of an answer has come.
const FIONREAD: Request = ("FIONREAD", 0x541b);

fn of_devices(reach: Reach) -> Vec<Way> {
    let mut ways = requests("a key's tty", OF_TTYS);
    // Without the capability the kernel refuses, and the daemon mixes the bytes without credit.
    ways.extend(requests("the kernel's random device", &[RNDADDENTROPY]));
    ways.extend(requests(ELSEWHERE, OF_TTYS_ELSEWHERE));
    ways.extend(requests(ON_USB, OF_USB));
    if reach == Reach::Names {
        ways.extend(requests(NAMES, &[FIONREAD]));
    }
    ways
}

fn requests(why: &'static str, requests: &[Request]) -> Vec<Way> {
    let way = |&(words, value): &Request| way(words, why, &[is(1, value.cast_signed())]);
    requests.iter().map(way).collect()
}

fn sockets(reach: Reach) -> Vec<Way> {
    let unix = named!(AF_UNIX);
    let default = ("0", 0);
    let of_ip = named!(IPPROTO_IP);
    let mut ways = vec![
        socket(unix, named!(SOCK_STREAM), default, "keys and servers behind a unix socket"),
        socket(unix, named!(SOCK_DGRAM), default, "the service manager, the journal and syslog"),
        socket(named!(AF_NETLINK), named!(SOCK_RAW), named!(NETLINK_KOBJECT_UEVENT), "keys that come and go"),
    ];
    for family in [named!(AF_INET), named!(AF_INET6)] {
        if reach != Reach::Nothing {
            ways.push(socket(family, named!(SOCK_STREAM), of_ip, "servers in [egd-client]"));
        }
        if reach == Reach::Names {
            let why = if family.1 == libc::AF_INET { NAMES } else { ELSEWHERE };
            ways.push(socket(family, named!(SOCK_DGRAM), of_ip, why));
            ways.push(socket(family, named!(SOCK_DGRAM), named!(IPPROTO_UDP), ELSEWHERE));
        }
    }
    ways
}

type Value = (&'static str, c_int);

fn socket(family: Value, kind: Value, protocol: Value, why: &'static str) -> Way {
    let kind_only = !(libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC);
    let kind_is = Test { argument: 1, mask: kind_only.cast_unsigned(), value: kind.1.cast_unsigned() };
    let words = format!("{} {} {}", family.0, kind.0, protocol.0);
    way(words, why, &[is(0, family.1), kind_is, is(2, protocol.1)])
}

fn options(reach: Reach) -> Vec<Way> {
    let socket = named!(SOL_SOCKET);
    let tcp = named!(SOL_TCP);
    let of_clients = "clients and servers that fall silent";
    let mut options = vec![
        (socket, named!(SO_SNDBUF), "how far a client may fall behind"),
        (socket, named!(SO_SNDTIMEO), "keys behind a unix socket"),
        (socket, named!(SO_KEEPALIVE), of_clients),
        (tcp, named!(TCP_KEEPIDLE), of_clients),
        (tcp, named!(TCP_KEEPINTVL), of_clients),
        (tcp, named!(TCP_KEEPCNT), of_clients),
        (tcp, named!(TCP_NODELAY), "answers that go out at once"),
    ];
    if reach == Reach::Names {
        options.push((named!(SOL_IP), named!(IP_RECVERR), NAMES));
        options.push((named!(SOL_IPV6), named!(IPV6_RECVERR), ELSEWHERE));
        options.push((named!(SOL_IPV6), named!(IPV6_V6ONLY), ELSEWHERE));
    }
    let way = |(level, name, why): (Value, Value, _)| {
        way(format!("{} {}", level.0, name.0), why, &[is(1, level.1), is(2, name.1)])
    };
    options.into_iter().map(way).collect()
}

/// Forbids TCP Fast Open, which connects by sending and so passes landlock.
fn without_connecting(why: &'static str, argument: u8) -> Vec<Way> {
    vec![way("without MSG_FASTOPEN", why, &[has_not(argument, libc::MSG_FASTOPEN)])]
}

fn of_the_thread() -> Vec<Way> {
    let way = |(words, option), why| way(words, why, &[is(0, option)]);
    vec![
        way(named!(PR_SET_NAME), "naming threads"),
        way(named!(PR_GET_NAME), ELSEWHERE),
        way(named!(PR_GET_DUMPABLE), "the status of the sandbox"),
        // The kernel's name of it differs from the crate's.
        way(("PR_SET_VMA", libc::PR_SET_VMA), ELSEWHERE),
    ]
}

/// Allows memory to be writable. If the C library has to load further libraries, to resolve names, memory may be executable, but
/// never both.
fn memory(may_load: bool) -> Vec<Way> {
    let both = libc::PROT_WRITE | libc::PROT_EXEC;
    let mut ways = vec![way("without PROT_EXEC", "memory", &[has_not(2, libc::PROT_EXEC)])];
    if may_load {
        let code = Test { argument: 2, mask: both.cast_unsigned(), value: libc::PROT_EXEC.cast_unsigned() };
        ways.push(way("PROT_EXEC without PROT_WRITE", "the resolver's libraries", &[code]));
    }
    ways
}

/// Forbids making memory executable.
fn mprotect() -> Argued {
    call(named!(SYS_mprotect), vec![way("without PROT_EXEC", "memory", &[has_not(2, libc::PROT_EXEC)])])
}
