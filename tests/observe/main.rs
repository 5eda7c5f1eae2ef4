//! The daemon in a browser and in Prometheus' own tools, which `tests/fetch-browser` fetches.

mod http;
mod metrics;
mod page;
mod scenes;
mod tool;
