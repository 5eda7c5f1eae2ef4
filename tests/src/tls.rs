//! TLS from the outside: certificates made by the commands of docs/guests.md, and `openssl` as the peer.

use std::fs;
use std::io::{self, Read as _};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::await_until::DEADLINE;
use crate::daemon::{Daemon, DaemonPlan};
use crate::document;
use crate::ports::free_port;
use crate::program::Program;
use crate::scratch::Scratch;
use crate::software_key::{KeyPlan, SoftwareKey};

/// The name in the document's certificates, and its replacement in the tests.
const NAMES: [(&str, &str); 2] = [("keys.example.org", "localhost"), ("192.0.2.1", "127.0.0.1")];

/// A folder of certificates as the document makes them: `authority`, `server` and `client`, each `.pem` and `.key`.
pub struct Certificates {
    folder: PathBuf,
}

impl Certificates {
    /// Runs the document's commands in a folder of that name. Each folder has its own authority.
    ///
    /// # Panics
    /// When a command fails.
    #[must_use]
    pub fn make(scratch: &Scratch, name: &str) -> Self {
        let folder = scratch.path(name);
        fs::create_dir(&folder).expect("a scratch folder can be made");
        let made = Self { folder };
        let recipe = blocks("sh");
        for command in &recipe[..recipe.len() - 1] {
            made.shell(command);
        }
        made
    }

    /// Returns the path of one of the files, such as `server.pem`.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Runs shell commands in the folder, and returns their output.
    ///
    /// # Panics
    /// When one fails.
    pub fn shell(&self, commands: &str) -> Vec<u8> {
        let output = Command::new("timeout")
            .args(["600", "sh", "-euc", commands])
            .current_dir(&self.folder)
            .output()
            .expect("there is sh");
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{commands}\nfails: {words}");
        output.stdout
    }

    /// Makes another client certificate `NAME.pem` (with the client's key) that is valid for `days` days, or expired a
    /// day ago.
    pub fn client_for(&self, name: &str, days: i32) {
        self.shell(&format!(
            "openssl x509 -req -in client.csr -CA authority.pem -CAkey authority.key -CAcreateserial \
             -days {days} -extfile client.ext -out {name}.pem"
        ));
    }

    /// Makes another client certificate `NAME.pem` (with the client's key) that expires in `seconds`.
    pub fn client_for_seconds(&self, name: &str, seconds: u32) {
        self.shell(&format!(
            "rm -rf ca; mkdir ca; touch ca/index
             printf '[ca]\\ndefault_ca=ca_\\n[ca_]\\ndatabase=ca/index\\nnew_certs_dir=ca\\ndefault_md=sha256\\npolicy=any\\n\
                     rand_serial=yes\\n[any]\\ncommonName=supplied\\n' >ca/config
             openssl ca -batch -notext -config ca/config -cert authority.pem -keyfile authority.key -in client.csr \
                -extfile client.ext -enddate $(date -u -d '{seconds} seconds' +%Y%m%d%H%M%SZ) -out {name}.pem"
        ));
    }

    /// Returns the lines of a configuration that name the files of one end.
    #[must_use]
    pub fn lines(&self, end: &str) -> String {
        let path = |name: String| self.path(&name).display().to_string();
        format!(
            "tls-certificate = {:?}\ntls-key = {:?}\ntls-authority = {:?}\n",
            path(format!("{end}.pem")),
            path(format!("{end}.key")),
            path("authority.pem".to_owned())
        )
    }
}

/// Returns the fenced blocks of a kind in the document's part about TLS, in order, with the tests' names in place of
/// its own.
///
/// # Panics
/// When the document lacks that part.
#[must_use]
pub fn blocks(kind: &str) -> Vec<String> {
    let blocks = document::blocks_of("docs/guests.md").into_iter();
    let blocks = blocks.filter(|block| block.heading == "Another machine, over TLS" && block.language == kind);
    let translate = |text: &str| NAMES.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
    let blocks: Vec<String> = blocks.map(|block| translate(&block.text)).collect();
    assert!(!blocks.is_empty(), "docs/guests.md has no {kind} in its part about TLS");
    blocks
}

/// A daemon with a software key and a TLS listener, once it has entropy.
pub struct TlsServer {
    /// The daemon.
    pub daemon: Daemon,
    /// The key.
    pub key: SoftwareKey,
    /// The certificates of both ends.
    pub certificates: Certificates,
    /// The port of 127.0.0.1.
    pub port: u16,
    /// Where everything is.
    pub scratch: Scratch,
}

impl TlsServer {
    /// Starts it: a unix socket first, then the TLS listener, so that the latter is number 1 in the status.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start(plan: &KeyPlan, more: impl FnOnce(DaemonPlan) -> DaemonPlan) -> Self {
        let scratch = Scratch::make();
        let certificates = Certificates::make(&scratch, "tls");
        let key = plan.plug_in(&scratch);
        let port = free_port();
        let plan = DaemonPlan::default().key(plan, &key).egd().listen(&format!("tls:127.0.0.1:{port}"));
        let daemon = more(plan.egd_lines(&certificates.lines("server"))).start(&scratch);
        Self { daemon, key, certificates, port, scratch }
    }

    /// Connects a client with the document's certificate.
    #[must_use]
    pub fn client(&self) -> TlsClient {
        self.client_with(&["client.pem", "client.key"])
    }

    /// Connects a client with this certificate and key of the folder, or without.
    #[must_use]
    pub fn client_with(&self, files: &[&str]) -> TlsClient {
        let paths: Vec<PathBuf> = files.iter().map(|name| self.certificates.path(name)).collect();
        TlsClient::connect(self.port, &self.certificates.path("authority.pem"), &paths, &[])
    }

    /// Returns the first message of `openssl s_client`.
    ///
    /// # Panics
    /// When it does not come.
    #[must_use]
    pub fn client_hello(&self) -> Vec<u8> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("there is a free port");
        let port = listener.local_addr().expect("it has an address").port();
        let _client = TlsClient::connect(port, &self.certificates.path("authority.pem"), &[], &[]);
        let (mut stream, _) = listener.accept().expect("it connects");
        let mut head = [0; 5];
        stream.read_exact(&mut head).expect("it says hello");
        let mut body = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
        stream.read_exact(&mut body).expect("all of it");
        [&head[..], &body].concat()
    }

    /// Returns the count of that name in the TLS listener's status, such as `tls/refused`.
    #[must_use]
    pub fn count(&self, name: &str) -> u64 {
        self.daemon.status(&self.scratch).count(&format!("/egd/1/{name}"))
    }
}

/// A connection through `openssl s_client`: bytes written to the stream go through TLS, and bytes read from it are the
/// server's.
pub struct TlsClient {
    child: Child,
    stream: UnixStream,
}

impl TlsClient {
    /// Connects to `localhost`, with a certificate and key if given, and more arguments for `openssl s_client`.
    ///
    /// # Panics
    /// When there is no `openssl`.
    #[must_use]
    pub fn connect(port: u16, authority: &Path, files: &[PathBuf], more: &[&str]) -> Self {
        let (stream, end) = UnixStream::pair().expect("a pair of sockets can be made");
        let mut command = Command::new("openssl");
        command.args(["s_client", "-quiet", "-verify_return_error", "-verify_hostname", "localhost"]);
        command.arg("-CAfile").arg(authority).args(["-connect", &format!("127.0.0.1:{port}")]).args(more);
        if let [certificate, key] = files {
            command.arg("-cert").arg(certificate).arg("-key").arg(key);
        }
        let handle = |end: &UnixStream| Stdio::from(OwnedFd::from(end.try_clone().expect("a second handle")));
        command.stdin(handle(&end)).stdout(handle(&end)).stderr(Stdio::null());
        let child = command.spawn().expect("openssl is installed");
        stream.set_read_timeout(Some(DEADLINE)).expect("a timeout can be set");
        Self { child, stream }
    }

    /// Returns the stream.
    #[must_use]
    pub fn stream(&self) -> &UnixStream {
        &self.stream
    }

    /// Sends a request, even to a server that may have refused it.
    pub fn ask(&self, request: &[u8]) {
        use io::Write as _;
        // A refused client may have ended already.
        let _ = (&self.stream).write_all(request);
    }

    /// Takes exactly `count` bytes of entropy (command 0x02).
    ///
    /// # Errors
    /// When the server hangs up or is silent.
    pub fn take(&self, count: u8) -> io::Result<Vec<u8>> {
        use io::Read as _;
        self.ask(&[0x02, count]);
        let mut bytes = vec![0; usize::from(count)];
        (&self.stream).read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// Reads until the server hangs up.
    ///
    /// # Panics
    /// When it does not.
    #[must_use]
    pub fn rest(&self) -> Vec<u8> {
        use io::Read as _;
        let mut bytes = Vec::new();
        match (&self.stream).read_to_end(&mut bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => panic!("the server does not hang up"),
            _ => bytes,
        }
    }

    /// Returns its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for TlsClient {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `openssl s_server` with certificate and key, for clients with a certificate of the authority; their bytes are on the
/// stream.
pub struct OpensslServer {
    _program: Program,
    /// The client's bytes and the answers to it.
    pub stream: UnixStream,
}

impl OpensslServer {
    /// Listens on `port` with the certificate and key `names` of the folder.
    ///
    /// # Panics
    /// When it does not listen.
    #[must_use]
    pub fn start(scratch: &Scratch, certificates: &Certificates, names: [&str; 2], port: u16, more: &[&str]) -> Self {
        let (stream, end) = UnixStream::pair().expect("a pair of sockets can be made");
        let mut command = Command::new("openssl");
        command.args(["s_server", "-quiet", "-accept", &format!("127.0.0.1:{port}"), "-Verify", "2"]);
        command.arg("-verify_return_error").arg("-CAfile").arg(certificates.path("authority.pem"));
        command.arg("-cert").arg(certificates.path(names[0])).arg("-key").arg(certificates.path(names[1])).args(more);
        let handle = |end: &UnixStream| Stdio::from(OwnedFd::from(end.try_clone().expect("a second handle")));
        let program =
            Program::spawn_with(&format!("s_server-{port}"), command, scratch, Some((handle(&end), handle(&end))));
        stream.set_read_timeout(Some(DEADLINE)).expect("a timeout can be set");
        let listening = format!(":{port:04X} 00000000:0000 0A");
        crate::await_until("openssl s_server to listen", || {
            let sockets = fs::read_to_string("/proc/net/tcp").expect("the kernel lists its sockets");
            sockets.contains(&listening).then_some(())
        });
        Self { _program: program, stream }
    }
}
