//! Layer 12: ready-made statistics, built only on public handles and snapshots (feature `stats`).
//!
//! | module | subject |
//! |---|---|
//! | [`runtime`] | process identity and uptime, requests by path, config deliveries, health and ready documents |
//!
//! `docs/five-systems.md` shows them beside the systems whose statistics they take over.

pub mod runtime;
