//! What a family is made of.

use shmetrics::layout::kind::{Kind, Merge};

/// What a family is made of.
#[derive(Clone, Copy, Debug)]
pub struct Family<'a> {
    pub(super) name: &'a str,
    pub(super) kind: Kind,
    pub(super) merge: Merge,
    pub(super) help: &'a str,
    pub(super) unit: &'a str,
}

impl<'a> Family<'a> {
    /// A family with the rule `sum`, without help and unit.
    pub fn new(name: &'a str, kind: Kind) -> Self {
        Family {
            name,
            kind,
            merge: Merge::Sum,
            help: "",
            unit: "",
        }
    }

    /// With this merge rule.
    pub fn merge(self, merge: Merge) -> Self {
        Family { merge, ..self }
    }

    /// With this help text.
    pub fn help(self, help: &'a str) -> Self {
        Family { help, ..self }
    }

    /// With this unit.
    pub fn unit(self, unit: &'a str) -> Self {
        Family { unit, ..self }
    }
}
