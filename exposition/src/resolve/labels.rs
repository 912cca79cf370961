//! Labels of a series under the names that they are exposed by.

use std::collections::HashSet;

use shmetrics::Merge;
use shmetrics::snapshot::Description;

use super::Type;
use crate::name::{Escaping, Place, by_values, escape};

/// The label that tells segments apart.
pub(crate) const SEGMENT: &str = "segment";
/// The label that tells the processes of a gauge apart: a role, or `slot-N`.
pub(crate) const PROCESS: &str = "process";
/// The label that tells processes of one role apart.
pub(crate) const SLOT: &str = "slot";
/// The bound of a classic bucket.
pub(crate) const LE: &str = "le";

/// The label that tells the statuses of a state apart.
pub(crate) const STATUS: &str = "status";
/// The label that has the text of a text.
pub(crate) const TEXT: &str = "text";

/// Has a series a value per process, in a family of this type?
pub(super) fn is_each(description: &Description, kind: Type) -> bool {
    description.merge == Merge::Each && matches!(kind, Type::Gauge | Type::State)
}

/// The labels of a series under exposed names.
pub(super) fn labels(
    description: &Description,
    reserved: &[&str],
    segment: Option<&str>,
    escaping: Escaping,
) -> Vec<(String, String)> {
    let told = description.labels.iter().filter(|(_, value)| !value.is_empty());
    let mut labels: Vec<(Option<String>, &str, &str)> = told
        .map(|(name, value)| (None, name.as_str(), value.as_str()))
        .collect();
    let mut taken: HashSet<String> = reserved.iter().map(|name| (*name).to_owned()).collect();
    for unchanged in [true, false] {
        for (exposed, name, _) in &mut labels {
            let escaped = escape(name, escaping, Place::Label);
            let own = reserved.contains(&&*escaped) || escaped.starts_with("__");
            if exposed.is_some() || (unchanged && (own || *escaped != **name)) {
                continue;
            }
            let mut candidate = if own {
                format!("exported_{escaped}")
            } else {
                escaped.into_owned()
            };
            if taken.contains(&candidate) {
                candidate = by_values(name, Place::Label);
            }
            while taken.contains(&candidate) {
                candidate.insert_str(0, "exported_");
            }
            taken.insert(candidate.clone());
            *exposed = Some(candidate);
        }
    }
    let mut labels: Vec<(String, String)> = labels
        .into_iter()
        .map(|(exposed, name, value)| (exposed.unwrap_or_else(|| name.to_owned()), value.to_owned()))
        .collect();
    if let Some(segment) = segment.filter(|segment| !segment.is_empty()) {
        labels.push((SEGMENT.to_owned(), segment.to_owned()));
    }
    labels
}
