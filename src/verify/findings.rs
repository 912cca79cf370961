//! Findings as they are made: counted, confirmed by further passes, made a report.
//!
//! A further pass confirms what it finds by the same rule, at the same place and offset, of the same kind. The kind is the message
//! without its numbers: those of damage that writers count on top of move from pass to pass.

use std::collections::{BTreeMap, HashSet};

use super::report::{Checked, Finding, Place, Report, Severity};

/// The text of an error of validation, which begins with its rule, without it.
pub(super) fn without_rule(rule: &str, text: &str) -> String {
    text.strip_prefix(rule)
        .and_then(|text| text.strip_prefix(": "))
        .unwrap_or(text)
        .to_owned()
}

/// What two passes must agree on.
#[derive(PartialEq, Eq, Hash)]
struct Confirmed {
    rule: &'static str,
    severity: Severity,
    place: Place,
    offset: u64,
    kind: String,
}

impl Confirmed {
    fn of(finding: &Finding) -> Self {
        let is_number = |word: &&str| word.contains(|c: char| c.is_ascii_digit());
        let words = finding.message.split_whitespace().filter(|word| !is_number(word));
        Self {
            rule: finding.rule,
            severity: finding.severity,
            place: finding.place,
            offset: finding.offset,
            kind: words.collect::<Vec<&str>>().join(" "),
        }
    }
}

/// Most findings of one rule that are told one by one; a file of garbage would have millions.
const MOST_PER_RULE: u64 = 200;

/// Findings as they are made.
#[derive(Default)]
pub(super) struct Findings {
    list: Vec<Finding>,
    per_rule: BTreeMap<(&'static str, Severity), u64>,
}

impl Findings {
    pub(super) fn add(
        &mut self,
        severity: Severity,
        rule: &'static str,
        place: Place,
        offset: u64,
        message: impl Into<String>,
    ) {
        let count = self.per_rule.entry((rule, severity)).or_default();
        *count += 1;
        if *count <= MOST_PER_RULE {
            self.list.push(Finding {
                rule,
                severity,
                place,
                offset,
                message: message.into(),
            });
        }
    }

    /// Is there anything that another pass should confirm?
    pub(super) fn has_suspicions(&self) -> bool {
        self.list.iter().any(|finding| finding.severity > Severity::Note)
    }

    /// These findings, without the errors and warnings that `earlier` does not have.
    pub(super) fn confirmed_by(mut self, earlier: &Findings) -> Findings {
        let known: HashSet<Confirmed> = earlier.list.iter().map(Confirmed::of).collect();
        self.list
            .retain(|finding| finding.severity == Severity::Note || known.contains(&Confirmed::of(finding)));
        self
    }

    /// Adds what was found apart from these: of something that might have been overtaken in between.
    pub(super) fn append(&mut self, other: Findings) {
        let Findings { list, mut per_rule } = other;
        for finding in list {
            let key = (finding.rule, finding.severity);
            // One less that is only counted below.
            per_rule.entry(key).and_modify(|count| *count -= 1);
            let count = self.per_rule.entry(key).or_default();
            *count += 1;
            if *count <= MOST_PER_RULE {
                self.list.push(finding);
            }
        }
        for (rule, count) in per_rule {
            *self.per_rule.entry(rule).or_default() += count;
        }
    }

    pub(super) fn into_report(self, checked: Checked, refused: bool) -> Report {
        let Findings { mut list, per_rule } = self;
        for ((rule, severity), count) in per_rule {
            let told = |finding: &&Finding| (finding.rule, finding.severity) == (rule, severity);
            // Only where the told ones are as many as may be told: else the others were not confirmed.
            if count > MOST_PER_RULE && list.iter().filter(told).count() as u64 == MOST_PER_RULE {
                list.push(Finding {
                    rule,
                    severity,
                    place: Place::File,
                    offset: 0,
                    message: format!("{} more like these", count - MOST_PER_RULE),
                });
            }
        }
        list.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        Report {
            findings: list,
            checked,
            refused,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(from: u64, to: u64, message: impl Fn(u64) -> String) -> Findings {
        let mut findings = Findings::default();
        for record in from..to {
            let place = Place::Record(record);
            findings.add(Severity::Error, "V-20", place, record, message(record));
        }
        findings
    }

    #[test]
    fn what_was_found_apart_is_counted_with_the_rest() {
        let more = MOST_PER_RULE / 4 * 3;
        let mut all = findings(0, more, |_| "damaged".to_owned());
        all.append(findings(more, 2 * more, |_| "damaged".to_owned()));
        // Cut already, and nothing was found.
        all.append(findings(2 * more, 4 * more, |_| "damaged".to_owned()));
        all.append(Findings::default());
        let report = all.into_report(Checked::default(), false);
        assert_eq!(report.findings.len() as u64, MOST_PER_RULE + 1);
        let rest = format!("{} more like these", 4 * more - MOST_PER_RULE);
        assert_eq!(
            report.findings.last().map(|last| last.message.clone()),
            Some(rest)
        );
    }

    #[test]
    fn numbers_may_move_between_two_passes_and_nothing_else() {
        let kept = |earlier: &str, later: &str| {
            let again = findings(1, 2, |_| later.to_owned());
            let again = again.confirmed_by(&findings(1, 2, |_| earlier.to_owned()));
            again.list.len() == 1
        };
        assert!(kept("the count is 7, expected 8", "the count is 9, expected 10"));
        assert!(kept("the word is 0xabc", "the word is 0xd"));
        assert!(!kept("the count is 7", "the sum is 7"));
        let elsewhere = findings(1, 2, |_| "damaged".to_owned());
        let elsewhere = elsewhere.confirmed_by(&findings(2, 3, |_| "damaged".to_owned()));
        assert_eq!(elsewhere.list.len(), 0);
    }
}
