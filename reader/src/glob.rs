//! Choosing series by name: `*` stands for any text, `?` for one character.

use shmetrics::Snapshot;

/// Does the pattern match all of the text? Time: the product of both lengths at most.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut text) = (pattern.chars(), text.chars());
    // Where to go on if what follows the last star does not match: behind the star, one character later.
    let mut retry = None;
    loop {
        let before = (pattern.clone(), text.clone());
        match (pattern.next(), text.next()) {
            (None, None) => return true,
            (Some('*'), _) => {
                // The star takes nothing at first.
                text = before.1;
                retry = Some((pattern.clone(), text.clone()));
            }
            (Some('?'), Some(_)) => {}
            (Some(expected), Some(found)) if expected == found => {}
            _ => {
                let Some((behind, rest)) = &mut retry else {
                    return false;
                };
                if rest.next().is_none() {
                    return false;
                }
                (pattern, text) = (behind.clone(), rest.clone());
            }
        }
    }
}

/// Leaves only the series whose name matches, also in what processes counted.
pub(crate) fn choose(snapshot: &mut Snapshot, pattern: &str) {
    let mut kept = 0;
    let places: Vec<Option<usize>> = snapshot
        .series
        .iter()
        .map(|series| {
            let chosen = matches(pattern, &series.description.name);
            kept += usize::from(chosen);
            chosen.then(|| kept - 1)
        })
        .collect();
    snapshot
        .series
        .retain(|series| matches(pattern, &series.description.name));
    for process in &mut snapshot.processes {
        process
            .values
            .retain_mut(|(series, _)| match places.get(*series) {
                Some(Some(place)) => {
                    *series = *place;
                    true
                }
                _ => false,
            });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let yes = [
            ("", ""),
            ("*", ""),
            ("*", "anything"),
            ("http_*", "http_requests_total"),
            ("*_total", "http_requests_total"),
            ("h*_*_t*l", "http_requests_total"),
            ("?ttp*", "http"),
            ("*a*b*", "xxaxxbxx"),
            ("*aab", "aaaab"),
            ("a**b", "ab"),
            ("?", "漢"),
        ];
        for (pattern, text) in yes {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        let no = [
            ("", "a"),
            ("a", ""),
            ("http", "http_requests"),
            ("http_?", "http_"),
            ("*_total", "http_total_x"),
            ("*a*b*c", "abcab"),
            ("?", "ab"),
            ("A", "a"),
        ];
        for (pattern, text) in no {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
        // Exponential matchers would never come back.
        assert!(!matches(&"*a".repeat(200), &"b".repeat(2000)));
    }
}
