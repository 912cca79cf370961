//! The statuses of a `state` series as bytes: what its record's `extra` names.
//!
//! ```text
//! per status, in the order of their numbers from 0:   unhealthy_from i32 LE (-1 = never) · length of its name u16 LE · name
//! ```
//!
//! They are in the segment so that a reader needs no configuration to say who is unhealthy.

/// Most statuses of a series.
pub const MAX_STATUSES: usize = 64;
/// Longest name of a status, bytes.
pub const MAX_STATUS_NAME_LENGTH: usize = 63;
/// Longest encoded statuses.
pub const MAX_STATUSES_LENGTH: usize = MAX_STATUSES * (STATUS_HEADER_LENGTH + MAX_STATUS_NAME_LENGTH);
/// Greatest streak from which a status can be unhealthy.
pub const MAX_UNHEALTHY_FROM: u32 = i32::MAX as u32;
/// Bytes before each name.
const STATUS_HEADER_LENGTH: usize = 6;

/// A status that a task can have.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// Its name.
    pub name: String,
    /// The streak from which on it is unhealthy; `None` = never.
    pub unhealthy_from: Option<u32>,
}

impl Status {
    /// Is this status unhealthy at a streak?
    pub fn is_unhealthy(&self, streak: u64) -> bool {
        self.unhealthy_from.is_some_and(|from| streak >= u64::from(from))
    }
}

/// Why statuses cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StatusError {
    /// None, or too many.
    #[error(
        "{found} statuses, expected 1 to {MAX_STATUSES}; declare those that are set, the one to begin with first"
    )]
    Number {
        /// How many.
        found: usize,
    },
    /// A name is empty or too long.
    #[error("the status {name:?} has {found} bytes, expected 1 to {MAX_STATUS_NAME_LENGTH}; shorten it")]
    NameLength {
        /// The name.
        name: String,
        /// Its bytes.
        found: usize,
    },
    /// A name twice.
    #[error("the status {name:?} is declared twice; declare each once")]
    Duplicate {
        /// The name.
        name: String,
    },
    /// A threshold that cannot be stored.
    #[error(
        "the status {name:?} is to be unhealthy from a streak of {found}, at most {MAX_UNHEALTHY_FROM} is allowed; use none for never"
    )]
    Threshold {
        /// The name.
        name: String,
        /// The threshold.
        found: u32,
    },
}

/// Encodes statuses, each with the streak from which on it is unhealthy.
pub fn encode(statuses: &[(&str, Option<u32>)]) -> Result<Vec<u8>, StatusError> {
    if statuses.is_empty() || statuses.len() > MAX_STATUSES {
        return Err(StatusError::Number {
            found: statuses.len(),
        });
    }
    let mut bytes = Vec::new();
    for (index, (name, unhealthy_from)) in statuses.iter().enumerate() {
        let owned = || (*name).to_owned();
        if name.is_empty() || name.len() > MAX_STATUS_NAME_LENGTH {
            return Err(StatusError::NameLength {
                name: owned(),
                found: name.len(),
            });
        }
        if statuses[..index].iter().any(|(other, _)| other == name) {
            return Err(StatusError::Duplicate { name: owned() });
        }
        let threshold = match *unhealthy_from {
            None => -1,
            Some(found) => {
                i32::try_from(found).map_err(|_| StatusError::Threshold { name: owned(), found })?
            }
        };
        bytes.extend_from_slice(&threshold.to_le_bytes());
        bytes.extend_from_slice(&(name.len() as u16).to_le_bytes());
        bytes.extend_from_slice(name.as_bytes());
    }
    Ok(bytes)
}

/// Decodes them; `None` if the bytes are none (1 to 64, distinct names within the limit, UTF-8, thresholds from -1 on).
pub fn decode(mut bytes: &[u8]) -> Option<Vec<Status>> {
    let mut statuses: Vec<Status> = Vec::new();
    while !bytes.is_empty() {
        let (header, rest) = bytes.split_at_checked(STATUS_HEADER_LENGTH)?;
        let threshold = i32::from_le_bytes(*header.first_chunk()?);
        let length = usize::from(u16::from_le_bytes([header[4], header[5]]));
        let (name, rest) = rest.split_at_checked(length)?;
        let name = std::str::from_utf8(name).ok()?;
        let is_known = statuses.iter().any(|status| status.name == name);
        let fits = (1..=MAX_STATUS_NAME_LENGTH).contains(&length) && statuses.len() < MAX_STATUSES;
        if !fits || is_known || threshold < -1 {
            return None;
        }
        statuses.push(Status {
            name: name.to_owned(),
            unhealthy_from: u32::try_from(threshold).ok(),
        });
        bytes = rest;
    }
    (!statuses.is_empty()).then_some(statuses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_round_trip() {
        let given = [
            ("OK", None),
            ("FATAL", Some(1)),
            ("später", Some(MAX_UNHEALTHY_FROM)),
        ];
        let decoded = decode(&encode(&given).unwrap()).unwrap();
        let shown: Vec<_> = decoded
            .iter()
            .map(|status| (&*status.name, status.unhealthy_from))
            .collect();
        assert_eq!(shown, given);
        assert!(
            decoded[1].is_unhealthy(1) && !decoded[1].is_unhealthy(0) && !decoded[0].is_unhealthy(u64::MAX)
        );
        let names: Vec<String> = (0..MAX_STATUSES).map(|n| format!("{n:063}")).collect();
        let most: Vec<_> = names.iter().map(|name| (&**name, Some(0))).collect();
        let longest = encode(&most).unwrap();
        assert_eq!(longest.len(), MAX_STATUSES_LENGTH);
        assert_eq!(decode(&longest).unwrap().len(), MAX_STATUSES);
    }

    #[test]
    fn what_cannot_be_stored_is_an_error_and_what_is_none_is_not_decoded() {
        let long = "x".repeat(64);
        assert_eq!(encode(&[]), Err(StatusError::Number { found: 0 }));
        assert!(matches!(
            encode(&[(&long, None)]),
            Err(StatusError::NameLength { found: 64, .. })
        ));
        assert!(matches!(
            encode(&[("", None)]),
            Err(StatusError::NameLength { found: 0, .. })
        ));
        assert!(matches!(
            encode(&[("a", None), ("a", Some(1))]),
            Err(StatusError::Duplicate { .. })
        ));
        assert!(matches!(
            encode(&[("a", Some(1 << 31))]),
            Err(StatusError::Threshold { .. })
        ));
        let good = encode(&[("ab", Some(3))]).unwrap();
        assert_eq!(decode(&[]), None);
        for cut in 1..good.len() {
            assert_eq!(decode(&good[..cut]), None, "{cut}");
        }
        let twice = [&good[..], &good].concat();
        assert_eq!(decode(&twice), None);
        let mut below = good.clone();
        below[..4].copy_from_slice(&(-2i32).to_le_bytes());
        assert_eq!(decode(&below), None);
        let mut bad = good;
        bad[6] = 0xff;
        assert_eq!(decode(&bad), None);
    }
}
