//! Which families are told: the query parameter `name[]`.

use crate::resolve::{Syntax, Type};

/// Which families are told.
///
/// A family is told as a whole if its name as it is exposed or as it was registered, or the name of one of its samples, is listed;
/// a histogram cut in pieces would be none.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter<'a> {
    names: &'a [&'a str],
}

impl<'a> Filter<'a> {
    /// Everything.
    pub const fn all() -> Filter<'static> {
        Filter { names: &[] }
    }

    /// Families of these names, percent-decoded; of an empty list all.
    pub const fn names(names: &'a [&'a str]) -> Filter<'a> {
        Filter { names }
    }

    pub(crate) fn passes(self, original: &str, base: &str, kind: Type) -> bool {
        self.names.is_empty()
            || self.names.iter().any(|name| {
                let suffix = name.strip_prefix(base);
                // All suffixes, whatever the format: a scraper asks in one for what it saw in another.
                *name == original
                    || suffix.is_some_and(|suffix| {
                        suffix.is_empty() || kind.suffixes(Syntax::OpenMetrics).contains(&suffix)
                    })
            })
    }
}
