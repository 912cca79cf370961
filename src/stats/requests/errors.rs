//! How many errors there were, in which groups.

use std::collections::BTreeMap;

/// Errors of a stage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ErrorCounts {
    /// All of them, exactly.
    pub total: u64,
    /// By group, `location:class:message`, without what is empty.
    pub groups: BTreeMap<String, u64>,
    /// Those of groups beyond the limit.
    pub other: u64,
}

impl ErrorCounts {
    /// Distinct groups; those beyond the limit are one.
    pub fn unique(&self) -> u64 {
        self.groups.len() as u64 + u64::from(self.other > 0)
    }

    /// The groups with the most errors, the most first; of equal ones by name.
    pub fn most_common(&self, most: usize) -> Vec<(&str, u64)> {
        let mut groups: Vec<_> = self
            .groups
            .iter()
            .map(|(group, count)| (&**group, *count))
            .collect();
        groups.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        groups.truncate(most);
        groups
    }

    pub(super) fn add(&mut self, group: Option<String>, count: u64) {
        if count == 0 {
            return;
        }
        self.total = self.total.saturating_add(count);
        let counted = match group {
            Some(group) => self.groups.entry(group).or_default(),
            None => &mut self.other,
        };
        *counted = counted.saturating_add(count);
    }
}

/// What a group is called.
pub(super) fn group(location: &str, class: &str, message: &str) -> String {
    let parts = [location, class, message];
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join(":")
}
