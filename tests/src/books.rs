//! The books of a status, added up independently: what came in must equal what went out, for each key, between keys and
//! pool, and for each output.

use serde_json::Value;

use crate::status::Status;

/// How many bytes may be in transit between the keys and the pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnTheWay {
    /// None: the keys have been silent for a while.
    Nothing,
    /// As many as the daemon says there is room for.
    Some,
}

/// Checks that every sum of the status is right.
///
/// # Panics
/// When one is not, with both sides of it.
#[track_caller]
pub fn assert_books_add_up(status: &Status, on_the_way: OnTheWay) {
    if let Err(discrepancy) = add_up(status, on_the_way) {
        panic!("{discrepancy}: {status}");
    }
}

/// Returns whether every sum of the status is right.
///
/// # Errors
/// The first wrong sum, with both sides of it.
///
/// # Panics
/// When the status lacks a count.
pub fn add_up(status: &Status, on_the_way: OnTheWay) -> Result<(), String> {
    let root = status.root();
    let books = &root["books"];
    let mut keys: Vec<&Value> = root["keys"].as_array().expect("keys").iter().map(|key| &key["books"]).collect();
    keys.push(&books["departed_keys"]);
    for key in &keys {
        let parts = ["gathered_bytes", "handed_bytes", "put_aside_bytes", "dropped_bytes"];
        same("a key", count(key, "verified_bytes"), &parts.map(|part| count(key, part)))?;
    }
    let (pool, kernel, file) = (&root["pool"], &root["kernel"], &root["file"]);
    let mut went = vec![count(pool, "bytes"), count(pool, "overflowed_bytes"), count(pool, "wiped_bytes")];
    if kernel.is_object() {
        went.push(count(kernel, "given_bytes"));
        let came = count(kernel, "given_bytes")
            + count(books, "aside_mixed_bytes")
            + count(books, "fetched_aside_mixed_bytes");
        same("the kernel", came, &[count(kernel, "mixed_bytes"), count(kernel, "dropped_bytes")])?;
    }
    if file.is_object() {
        went.push(count(file, "given_bytes"));
        let parts = ["written_bytes", "waiting_bytes", "dropped_bytes"];
        same("the file", count(file, "given_bytes"), &parts.map(|part| count(file, part)))?;
    }
    let listeners = root["egd"].as_array().expect("listeners");
    let served = listeners.iter().map(|egd| count(egd, "served_bytes")).sum::<u64>();
    let (combine, expand) = (&root["combine"], &root["expand"]);
    let seeds = if expand.is_object() { count(expand, "seed_bytes") } else { 0 };
    if combine.is_object() {
        went.extend(["in_bytes", "held_bytes", "wiped_bytes"].map(|part| count(combine, part)));
        same(
            "combining",
            count(combine, "out_bytes"),
            &[count(combine, "ready_bytes"), count(combine, "ready_wiped_bytes"), served, seeds],
        )?;
    } else {
        went.extend([served, seeds]);
    }
    let expanding = expand["listeners"].as_array().map_or(&[][..], Vec::as_slice);
    if expand.is_object() {
        let served = expanding.iter().map(|listener| count(listener, "served_bytes")).sum::<u64>();
        let went = [count(expand, "ready_bytes"), count(expand, "wiped_bytes"), served];
        same("expanding", count(expand, "generated_bytes"), &went)?;
    }
    for egd in listeners.iter().chain(expanding) {
        let parts = ["sent_bytes", "waiting_bytes", "dropped_bytes"];
        same("EGD", count(egd, "served_bytes") + count(egd, "other_bytes"), &parts.map(|part| count(egd, part)))?;
    }
    same("the pool", count(pool, "received_bytes"), &went)?;

    let from_keys = |what: &str| keys.iter().map(|key| count(key, what)).sum::<u64>();
    let received = count(pool, "received_bytes") - count(books, "fetched_bytes");
    let aside = count(books, "aside_mixed_bytes") + count(books, "aside_dropped_bytes");
    let most = if on_the_way == OnTheWay::Nothing { 0 } else { count(books, "most_on_the_way_bytes") };
    let mut between =
        vec![("handed on", from_keys("handed_bytes"), received), ("put aside", from_keys("put_aside_bytes"), aside)];
    let (client, fetched) = (&root["egd_client"], &root["egd_client"]["books"]);
    if client.is_object() {
        let parts = ["held_back_bytes", "handed_bytes", "put_aside_bytes"];
        same("fetched", count(client, "received_bytes"), &parts.map(|part| count(fetched, part)))?;
        let aside = count(books, "fetched_aside_mixed_bytes") + count(books, "fetched_aside_dropped_bytes");
        between.extend([
            ("fetched and handed on", count(fetched, "handed_bytes"), count(books, "fetched_bytes")),
            ("fetched and put aside", count(fetched, "put_aside_bytes"), aside),
        ]);
    }
    for (what, came, went) in between {
        let between = came.checked_sub(went);
        if between.is_none_or(|between| between > most) {
            return Err(format!("{what}: {came} were given, {went} came, at most {most} are on the way"));
        }
    }
    Ok(())
}

fn same(what: &str, came: u64, went: &[u64]) -> Result<(), String> {
    if came == went.iter().sum::<u64>() { Ok(()) } else { Err(format!("{what}: {came} bytes came, {went:?} went")) }
}

fn count(value: &Value, name: &str) -> u64 {
    value[name].as_u64().unwrap_or_else(|| panic!("no count {name} in {value:#}"))
}
