//! That the books of a healthy daemon add up, and that any one byte that is missing from them or too many shows.

mod sample;

use ekey_control::Status;
use ekey_control::books::FetchedBooks;
use ekey_control::status::{EgdClientStatus, EgdStatus, ExpandStatus};
use ekey_proto::session::State;
use sample::{all_states, key, status};
use serde_json::Value;

/// Every count that the books are made of, as a path in the JSON.
const COUNTS: [&str; 33] = [
    "/keys/0/books/verified_bytes",
    "/keys/0/books/gathered_bytes",
    "/keys/0/books/dropped_bytes",
    "/books/departed_keys/verified_bytes",
    "/books/departed_keys/handed_bytes",
    "/egd_client/received_bytes",
    "/egd_client/books/held_back_bytes",
    "/egd_client/books/put_aside_bytes",
    "/books/fetched_aside_mixed_bytes",
    "/pool/bytes",
    "/pool/overflowed_bytes",
    "/pool/received_bytes",
    "/pool/wiped_bytes",
    "/kernel/given_bytes",
    "/kernel/mixed_bytes",
    "/kernel/dropped_bytes",
    "/file/given_bytes",
    "/outlets/0/given_bytes",
    "/outlets/0/passed_on_bytes",
    "/outlets/0/waiting_bytes",
    "/outlets/0/dropped_bytes",
    "/egd/0/served_bytes",
    "/egd/0/sent_bytes",
    "/egd/0/waiting_bytes",
    "/egd/0/dropped_bytes",
    "/expand/seed_bytes",
    "/expand/generated_bytes",
    "/expand/ready_bytes",
    "/expand/wiped_bytes",
    "/expand/listeners/0/served_bytes",
    "/expand/listeners/0/sent_bytes",
    "/expand/listeners/0/waiting_bytes",
    "/expand/listeners/0/dropped_bytes",
];

fn with_file_and_expand() -> Value {
    let status = status(vec![key(State::Running)]);
    let mut json: Value = serde_json::from_str(&status.to_json().expect("JSON")).expect("JSON");
    json["pool"]["overflowed_bytes"] = (status.pool.overflowed_bytes - 100 - 160).into();
    json["file"] = serde_json::json!({
        "path": "/x", "given_bytes": 100, "written_bytes": 70, "waiting_bytes": 20, "dropped_bytes": 10,
    });
    json["outlets"] = serde_json::json!([{
        "name": "file", "given_bytes": 100, "passed_on_bytes": 70, "waiting_bytes": 20, "dropped_bytes": 10,
        "problem": null,
    }]);
    let listener = EgdStatus {
        served_bytes: 500,
        other_bytes: 10,
        sent_bytes: 480,
        waiting_bytes: 20,
        dropped_bytes: 10,
        ..EgdStatus::default()
    };
    let expand = ExpandStatus {
        seed_bytes: 160,
        generated_bytes: 1000,
        ready_bytes: 300,
        wiped_bytes: 200,
        listeners: vec![listener],
        ..ExpandStatus::default()
    };
    json["expand"] = serde_json::to_value(expand).expect("JSON");
    let client = EgdClientStatus {
        received_bytes: 1600,
        books: Some(FetchedBooks { held_back_bytes: 600, handed_bytes: 0, put_aside_bytes: 1000 }),
        ..EgdClientStatus::default()
    };
    json["egd_client"] = serde_json::to_value(client).expect("JSON");
    json["books"]["fetched_aside_mixed_bytes"] = 300.into();
    json["books"]["fetched_aside_dropped_bytes"] = 700.into();
    json["kernel"]["mixed_bytes"] = (json["kernel"]["mixed_bytes"].as_u64().expect("bytes") + 300).into();
    json
}

fn discrepancies(json: &Value) -> Vec<String> {
    let status = Status::from_json(&json.to_string()).expect("a status");
    status.discrepancies().iter().map(ToString::to_string).collect()
}

#[test]
fn the_books_of_a_healthy_daemon_add_up() {
    assert_eq!(discrepancies(&with_file_and_expand()), [""; 0]);
    for state in all_states() {
        assert_eq!(status(vec![key(state)]).discrepancies(), [], "{state:?}");
    }
}

#[test]
fn one_byte_too_many_anywhere_is_found() {
    for path in COUNTS {
        let mut json = with_file_and_expand();
        let count = json.pointer_mut(path).unwrap_or_else(|| panic!("no {path}"));
        *count = (count.as_u64().expect("a count") + 1).into();
        assert!(!discrepancies(&json).is_empty(), "one more in {path} went unnoticed");
    }
}

#[test]
fn an_outlet_without_a_part_is_in_the_books_too() {
    let mut json = with_file_and_expand();
    json["outlets"].as_array_mut().expect("outlets").push(serde_json::json!({
        "name": "new", "given_bytes": 7, "passed_on_bytes": 7, "waiting_bytes": 0, "dropped_bytes": 0, "problem": null,
    }));
    assert_eq!(discrepancies(&json).len(), 1, "the pool gave 7 bytes less");
    json["pool"]["received_bytes"] = (json["pool"]["received_bytes"].as_u64().expect("bytes") + 7).into();
    for path in ["/books/fetched_bytes", "/egd_client/received_bytes", "/egd_client/books/handed_bytes"] {
        let count = json.pointer_mut(path).expect("a count");
        *count = (count.as_u64().expect("bytes") + 7).into();
    }
    assert_eq!(discrepancies(&json), [""; 0]);
}

#[test]
fn bytes_on_the_way_may_be_as_many_as_have_room() {
    for (on_the_way, expected) in [(0, 0), (40_960, 0), (40_961, 1)] {
        let mut json = with_file_and_expand();
        for path in ["/keys/0/books/verified_bytes", "/keys/0/books/handed_bytes"] {
            let count = json.pointer_mut(path).expect("a count");
            *count = (count.as_u64().expect("a count") + on_the_way).into();
        }
        assert_eq!(discrepancies(&json).len(), expected, "{on_the_way} bytes on the way: {:?}", discrepancies(&json));
    }
    // The pool has more than the keys ever gave.
    let mut json = with_file_and_expand();
    json["pool"]["received_bytes"] = 29_520_001.into();
    json["pool"]["wiped_bytes"] = 1.into();
    assert_eq!(discrepancies(&json), ["handed on by the keys: 29520000 bytes came and 29520001 are accounted for"]);
}

#[test]
fn a_daemon_that_keeps_no_books_is_not_held_to_them() {
    let mut json = with_file_and_expand();
    json.as_object_mut().expect("an object").remove("books");
    json["pool"]["bytes"] = 0.into();
    assert_eq!(discrepancies(&json), [""; 0]);
}
