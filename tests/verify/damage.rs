//! A damage and what must be found: exactly these rules, no other, and nothing once it is mended.

use std::collections::BTreeSet;

use shmetrics::verify::Severity;

use super::fixture::{Fixture, rules};

/// One damage: its name, the words to store, the rules that must be found.
pub struct Damage {
    name: &'static str,
    words: Vec<(u64, u64)>,
    rules: BTreeSet<(&'static str, Severity)>,
}

/// A damage that is found as an error of this rule.
pub fn error(rule: &'static str, name: &'static str, words: Vec<(u64, u64)>) -> Damage {
    found(&[(rule, Severity::Error)], name, words)
}

/// A damage that is found as a warning of this rule.
pub fn warning(rule: &'static str, name: &'static str, words: Vec<(u64, u64)>) -> Damage {
    found(&[(rule, Severity::Warning)], name, words)
}

/// A damage that breaks several rules.
pub fn found(rules: &[(&'static str, Severity)], name: &'static str, words: Vec<(u64, u64)>) -> Damage {
    Damage {
        name,
        words,
        rules: rules.iter().copied().collect(),
    }
}

#[track_caller]
pub fn assert_each_is_found(fixture: &Fixture, damages: Vec<Damage>) {
    for damage in damages {
        let changed = damage
            .words
            .iter()
            .any(|(offset, value)| fixture.load(*offset) != *value);
        assert!(changed, "{}: nothing is damaged", damage.name);
        let report = fixture.damaged(&damage.words);
        assert_eq!(rules(&report), damage.rules, "{}:\n{report}", damage.name);
    }
    fixture.assert_clean();
}

impl Damage {
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Does it make the file no valid segment?
    pub fn is_refused(&self, fixture: &Fixture) -> bool {
        fixture.damaged(&self.words).refused
    }
}
