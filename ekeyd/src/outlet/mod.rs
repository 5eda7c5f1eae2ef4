//! Where entropy goes: the kernel, EGD clients, a file or pipe, and what expands it.

pub(crate) mod egd;
pub(crate) mod expand;
pub(crate) mod file;
pub(crate) mod kernel;
