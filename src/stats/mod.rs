//! Layer 12: ready-made statistics, built only on public handles and snapshots (feature `stats`).
//!
//! `docs/five-systems.md` shows them beside the systems whose statistics they take over.
