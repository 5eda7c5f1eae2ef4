//! The daemon before a browser and before Prometheus' own tools, which `tests/fetch-browser` fetches.

mod http;
mod metrics;
mod page;
mod tool;
