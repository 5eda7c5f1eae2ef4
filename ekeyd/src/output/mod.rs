//! Where entropy goes besides the EGD server: the kernel, and a file or pipe.

mod creditor;
mod file;
mod kernel;
mod random_ioctl;

pub(crate) use file::FileSink;
pub(crate) use kernel::{Era, Host, Kernel, Mode};
