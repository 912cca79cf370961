//! SPEC.md against the code: what the text says in tables, formulas and figures is what the constants are.
//!
//! A drift in either turns red here. What a rule *means* is shown by the tests that section 17 of SPEC.md names for each.

mod bounds;
mod document;
mod formulas;
#[cfg(feature = "serde")]
mod json;
mod layout;
mod prose;
mod registries;
mod reliability;
mod rules;
mod vectors;

#[path = "../support/mod.rs"]
mod support;
