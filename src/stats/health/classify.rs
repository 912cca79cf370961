//! Which status an error means, by fragments of its text.

use super::{ErrorRule, OTHER, OTHER_EXCEPTION, STATUSES};

/// What an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Class<'c> {
    /// The fragment that was found first, in lower case; [`OTHER`] if none was.
    pub error_type: &'c str,
    /// The name of the status it means.
    pub status: &'c str,
    /// The number of that status ([`State::set`](crate::State::set)). Never that of [`OK`](super::OK).
    pub number: u8,
}

/// Tells what errors are, by the rules of [`Options::errors`](super::Options::errors). No configuration is read, and no exception
/// need be under way: the text is given.
#[derive(Clone, Debug)]
pub struct Classifier {
    /// By number; the first is `OK`.
    statuses: Vec<(String, Option<u32>)>,
    /// Fragments in lower case, in the order in which they are tried, and the numbers of their statuses.
    fragments: Vec<(String, u8)>,
    /// The status of what no fragment is found in.
    other: u8,
}

impl Classifier {
    /// By these rules.
    pub fn new(rules: &[ErrorRule]) -> Classifier {
        let mut statuses: Vec<(String, Option<u32>)> = STATUSES
            .iter()
            .map(|status| ((*status).to_owned(), None))
            .collect();
        let (mut fragments, mut other) = (Vec::new(), None);
        for rule in rules {
            let known = statuses.iter().position(|(name, _)| *name == rule.status);
            // `OK` is no error: declared twice, it is refused when it is registered.
            let number = known.filter(|number| *number > 0).unwrap_or_else(|| {
                statuses.push((rule.status.clone(), None));
                statuses.len() - 1
            });
            statuses[number].1 = rule.unhealthy_from;
            // More than fit are refused when they are registered.
            let number = u8::try_from(number).unwrap_or(u8::MAX);
            for fragment in rule.fragments.iter().map(|fragment| fragment.to_lowercase()) {
                match fragment.as_str() {
                    "" => {}
                    OTHER => _ = other.get_or_insert(number),
                    _ => fragments.push((fragment, number)),
                }
            }
        }
        let is_default = |(name, _): &(String, Option<u32>)| name == OTHER_EXCEPTION;
        let default = statuses.iter().position(is_default).unwrap_or_default();
        Classifier {
            other: other.unwrap_or(default as u8),
            statuses,
            fragments,
        }
    }

    /// What an error with this text is: the first fragment that it contains, in whatever case.
    pub fn classify(&self, error: &str) -> Class<'_> {
        let error = error.to_lowercase();
        let found = self
            .fragments
            .iter()
            .find(|(fragment, _)| error.contains(fragment));
        match found {
            Some((fragment, number)) => self.class(fragment, *number),
            None => self.class(OTHER, self.other),
        }
    }

    /// What an error of this type is ([`Class::error_type`]). One that no rule has is [`OTHER`]: the original took it for `OK`.
    pub fn of_type(&self, error_type: &str) -> Class<'_> {
        let error_type = error_type.to_lowercase();
        let found = self
            .fragments
            .iter()
            .find(|(fragment, _)| *fragment == error_type);
        match found {
            Some((fragment, number)) => self.class(fragment, *number),
            None => self.class(OTHER, self.other),
        }
    }

    fn class<'c>(&'c self, error_type: &'c str, number: u8) -> Class<'c> {
        let status = self.statuses.get(usize::from(number));
        Class {
            error_type,
            status: status.map_or(OTHER_EXCEPTION, |(name, _)| name),
            number,
        }
    }

    /// All types that errors can have, [`OTHER`] last.
    pub fn error_types(&self) -> impl Iterator<Item = &str> {
        let fragments = self.fragments.iter().map(|(fragment, _)| fragment.as_str());
        fragments.chain([OTHER])
    }

    /// All statuses by number, from [`OK`](super::OK), each with the streak from which on it is unhealthy.
    pub fn statuses(&self) -> impl Iterator<Item = (&str, Option<u32>)> {
        self.statuses
            .iter()
            .map(|(name, unhealthy)| (name.as_str(), *unhealthy))
    }

    /// The number of a status; [`OK`](super::OK) is 0.
    pub fn number(&self, status: &str) -> Option<u8> {
        let found = self.statuses.iter().position(|(name, _)| name == status);
        found.and_then(|number| u8::try_from(number).ok())
    }
}

#[cfg(test)]
mod tests {
    use super::super::OK;
    use super::*;

    #[test]
    fn the_first_fragment_counts_in_whatever_case_and_other_is_never_ok() {
        let rules = [
            ErrorRule::new("FATAL")
                .fragments(["Out Of Memory", ""])
                .unhealthy(1),
            ErrorRule::new("CONNECTION_ERROR").fragments(["memory", "refused"]),
            ErrorRule::new("BUSY").fragments(["other", "try again"]),
        ];
        let errors = Classifier::new(&rules);
        for (text, error_type, status) in [
            ("RuntimeError: OUT of memory", "out of memory", "FATAL"),
            ("memory page", "memory", "CONNECTION_ERROR"),
            ("Connection REFUSED, try again", "refused", "CONNECTION_ERROR"),
            ("something other", OTHER, "BUSY"),
            ("", OTHER, "BUSY"),
        ] {
            let class = errors.classify(text);
            assert_eq!((class.error_type, class.status), (error_type, status), "{text}");
            assert_eq!(errors.of_type(error_type), class);
        }
        assert_eq!(errors.error_types().count(), 5);
        // Without the fragment `other` anywhere.
        let errors = Classifier::new(&[ErrorRule::new(OTHER_EXCEPTION).fragments(["x"])]);
        assert_eq!(errors.classify("y").status, OTHER_EXCEPTION);
        assert_eq!(errors.of_type("unheard of").status, OTHER_EXCEPTION);
        assert_ne!(errors.classify("y").number, errors.number(OK).unwrap());
    }
}
