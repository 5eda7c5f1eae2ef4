//! Which key a person means: the one named, or the only one.

use ekey_control::{Client, Command, nearest, tag};

use crate::problem::Problem;

/// Returns a name of the key for the daemon. Works with any daemon that speaks EKEYD/1.
///
/// # Errors
/// [`Problem::NoSuchKey`], [`Problem::WhichKey`], or the daemon did not answer.
pub(crate) fn named(client: &mut Client, key: Option<&str>) -> Result<String, Problem> {
    let answer = client.request(&Command::ListEntropyKeys)?;
    // Its columns: NR, OK, Status, Path, SerialNo.
    let keys: Vec<Vec<&str>> = answer.lines.iter().skip(1).map(|line| line.split('\t').collect()).collect();
    let column = |key: &[&str], at: usize| key.get(at).copied().unwrap_or_default().to_owned();
    let names: Vec<String> = keys
        .iter()
        .map(|key| [4, 0].map(|at| column(key, at)).into_iter().find(|name| !name.is_empty()).unwrap_or_default())
        .collect();
    let Some(wanted) = key else {
        return match keys.as_slice() {
            [only] => Ok(column(only, 0)),
            [] => Err(Problem::NoKey),
            _ => Err(Problem::WhichKey { names }),
        };
    };
    let is_it = |key: &Vec<&str>| {
        let (number, serial) = (column(key, 0).parse().unwrap_or_default(), column(key, 4));
        tag::matches(wanted, number, &column(key, 3), Some(&serial)).is_some()
    };
    if keys.iter().any(is_it) {
        return Ok(wanted.to_owned());
    }
    let paths: Vec<String> = keys.iter().map(|key| column(key, 3)).collect();
    let meant = nearest::nearest(wanted, names.iter().chain(&paths).map(String::as_str)).map(str::to_owned);
    Err(Problem::NoSuchKey { wanted: wanted.to_owned(), meant, names })
}
