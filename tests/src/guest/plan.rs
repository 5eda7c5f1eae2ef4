//! The plan of a guest: its files, its USB keys, its commands.

use std::path::{Path, PathBuf};

use super::architecture::Architecture;
use super::booted::Booted;

/// A guest to boot. Each call adds a file, module or key; [`Guest::boot`] starts it.
///
/// A file at `/bin`, `/sbin` or `/lib` goes below `/usr`, where these folders link to.
pub struct Guest {
    pub(super) architecture: Architecture,
    pub(super) systemd: bool,
    pub(super) files: Vec<(String, Source)>,
    pub(super) library_folders: Vec<PathBuf>,
    pub(super) modules: Vec<String>,
    pub(super) script: Option<String>,
    pub(super) keys: Vec<(String, PathBuf)>,
    pub(super) kernel_words: Vec<String>,
    pub(super) qemu_words: Vec<String>,
    pub(super) memory_mib: u32,
    pub(super) processors: u32,
}

/// Where a file of the guest comes from.
pub(super) enum Source {
    Host(PathBuf),
    Text(String, u32),
    Link(String),
}

impl Guest {
    /// Makes a guest with busybox for all its programs; it boots in about 2 s.
    #[must_use]
    pub fn new() -> Self {
        Self {
            architecture: Architecture::X86_64,
            systemd: false,
            files: Vec::new(),
            library_folders: Vec::new(),
            modules: Vec::new(),
            script: None,
            keys: Vec::new(),
            kernel_words: Vec::new(),
            qemu_words: Vec::new(),
            memory_mib: 384,
            processors: 1,
        }
    }

    /// Makes a guest with Debian's systemd, udev and D-Bus; it boots in some 10 s.
    #[must_use]
    pub fn systemd() -> Self {
        Self { systemd: true, memory_mib: 1024, ..Self::new() }
    }

    /// Makes the same guest as [`Guest::new`] on a 64-bit ARM, whose programs must be static; it boots in about 4 s.
    #[must_use]
    pub fn aarch64() -> Self {
        Self { architecture: Architecture::Aarch64, memory_mib: 512, ..Self::new() }
    }

    /// Adds a file, or a folder with its contents, of this machine. A program brings the libraries that it loads.
    #[must_use]
    pub fn file(self, path: &str, host: &Path) -> Self {
        self.with(path, Source::Host(host.to_owned()))
    }

    /// Adds a file with the permission bits `mode`, such as `0o644`.
    #[must_use]
    pub fn text(self, path: &str, content: &str, mode: u32) -> Self {
        self.with(path, Source::Text(content.to_owned(), mode))
    }

    /// Adds a symbolic link.
    #[must_use]
    pub fn link(self, path: &str, target: &str) -> Self {
        self.with(path, Source::Link(target.to_owned()))
    }

    /// Adds a folder of this machine to search first for the programs' libraries.
    #[must_use]
    pub fn libraries(mut self, folder: &Path) -> Self {
        self.library_folders.push(folder.to_owned());
        self
    }

    /// Loads a kernel module at boot, with all that it needs. Those of xHCI, virtio and 9p always load; `modprobe` can
    /// load all that were fetched.
    #[must_use]
    pub fn module(mut self, name: &str) -> Self {
        self.modules.push(name.to_owned());
        self
    }

    /// Runs a shell script once the guest is up; its exit code (0 to 119) ends the guest, and [`Booted::wait`] returns
    /// it. Without a script the guest waits for [`Booted::sh`].
    #[must_use]
    pub fn init_script(mut self, script: &str) -> Self {
        self.script = Some(script.to_owned());
        self
    }

    /// Plugs in a USB key that speaks the usb-redir protocol as a server on the unix socket `socket`. `id` names it for
    /// [`Booted::unplug`].
    #[must_use]
    pub fn usbredir(mut self, id: &str, socket: &Path) -> Self {
        self.keys.push((id.to_owned(), socket.to_owned()));
        self
    }

    /// Adds a word to the kernel's command line.
    #[must_use]
    pub fn kernel_word(mut self, word: &str) -> Self {
        self.kernel_words.push(word.to_owned());
        self
    }

    /// Adds arguments for QEMU, such as `["-device", "virtio-rng-pci,rng=r"]`.
    #[must_use]
    pub fn qemu(mut self, words: &[&str]) -> Self {
        self.qemu_words.extend(words.iter().map(|word| (*word).to_owned()));
        self
    }

    /// Sets its memory, in MiB, when the default (384, with systemd 1024) is too small.
    #[must_use]
    pub fn memory(mut self, mib: u32) -> Self {
        self.memory_mib = mib;
        self
    }

    /// Sets its number of processors, by default one.
    #[must_use]
    pub fn processors(mut self, count: u32) -> Self {
        self.processors = count;
        self
    }

    /// Starts it. Without an init script this waits until the guest accepts commands.
    ///
    /// # Panics
    /// When a part is missing, or it is not up within five times its usual time.
    #[must_use]
    pub fn boot(self) -> Booted {
        Booted::start(&self)
    }

    fn with(mut self, path: &str, source: Source) -> Self {
        self.files.push((path.to_owned(), source));
        self
    }
}

impl Default for Guest {
    fn default() -> Self {
        Self::new()
    }
}
