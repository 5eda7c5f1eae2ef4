//! Twenty seconds of what `soak` does for hours: every load and disturbance at once, and each byte compared.

use std::time::Duration;

use ekey_tests::soak::{Order, soak};

#[test]
fn under_all_disturbances_each_byte_is_served_once() {
    let order = Order { span: Duration::from_secs(20), seed: 20 };
    let report = soak(order, |line, _| println!("{line}"));
    assert!(report.findings.is_empty(), "with seed {}: {:#?}", order.seed, report.findings);
    let table = report.table();
    assert!(report.client_bytes > 200_000 && report.file_bytes > 50_000, "{table}");
    // An incomplete cell at the end of a connection cannot be compared.
    assert!(
        report.compared.served + 1000 + 8 * report.connections > report.client_bytes + report.file_bytes,
        "{table}"
    );
    assert!(report.settled >= 2 && report.looks >= 5 && report.lines.calm_blocks > 1000, "{table}");
    assert!(report.has_clock, "libfaketime is missing: run tests/run");
}
