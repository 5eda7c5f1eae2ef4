//! Checks the paths that a configuration names.

use std::path::Path;

/// The most bytes of a unix socket's path, unix(7), less the zero at its end.
const MOST_SOCKET_PATH: usize = 107;

/// Checks a path to a file of this machine: it must be absolute.
///
/// # Errors
/// What is wrong and what is expected.
pub fn check_path(path: &Path) -> Result<(), String> {
    let shown = path.display();
    if path.as_os_str().is_empty() {
        Err("the path is empty; expected an absolute path".to_owned())
    } else if path.as_os_str().as_encoded_bytes().contains(&0) {
        Err("the path has a zero byte in it; expected an absolute path".to_owned())
    } else if path.is_absolute() {
        Ok(())
    } else {
        Err(format!("`{shown}` is a relative path; expected an absolute one, such as `/{shown}`"))
    }
}

/// Checks a path like [`check_path`], and that a unix socket can be made there.
///
/// # Errors
/// What is wrong and what is expected.
pub fn check_socket_path(path: &Path) -> Result<(), String> {
    check_path(path)?;
    let bytes = path.as_os_str().len();
    if bytes > MOST_SOCKET_PATH {
        return Err(format!("the socket's path has {bytes} bytes; expected at most {MOST_SOCKET_PATH}"));
    }
    Ok(())
}
