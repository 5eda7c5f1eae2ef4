//! What people read: a status in rows and in advice, amounts, charts.

pub mod advice;
pub mod amount;
pub mod chart;
mod confinement;
pub mod glance;
pub mod nearest;
pub mod parts;
mod state;
pub mod tiles;
