//! Labels as bytes: the canonical form that is hashed, compared and stored.
//!
//! ```text
//! per pair, sorted by name:   name length u16 LE · value length u16 LE · name · value
//! ```
//!
//! Two label sets are the same series exactly when these bytes are the same, whatever order they were given in.

/// Most pairs of one series.
pub const MAX_LABELS: usize = 32;
/// Longest label name, bytes.
pub const MAX_LABEL_NAME_LENGTH: usize = 255;
/// Longest label value, bytes.
pub const MAX_LABEL_VALUE_LENGTH: usize = 1024;
/// Longest encoded label set.
pub const MAX_ENCODED_LENGTH: usize = 8192;
/// Bytes before each pair.
const PAIR_HEADER_LENGTH: usize = 4;

/// Why labels cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LabelError {
    /// More pairs than [`MAX_LABELS`].
    #[error("{found} labels, at most {MAX_LABELS} are allowed; fold some into one")]
    TooMany {
        /// How many.
        found: usize,
    },
    /// A name is empty or too long.
    #[error("the label name {name:?} has {found} bytes, expected 1 to {MAX_LABEL_NAME_LENGTH}; shorten it")]
    NameLength {
        /// The name.
        name: String,
        /// Its bytes.
        found: usize,
    },
    /// A value is too long.
    #[error(
        "the value of label {name:?} has {found} bytes, at most {MAX_LABEL_VALUE_LENGTH} are allowed; shorten it"
    )]
    ValueLength {
        /// The label's name.
        name: String,
        /// Bytes of the value.
        found: usize,
    },
    /// A name twice.
    #[error("the label {name:?} is given twice; give each label once")]
    Duplicate {
        /// The name.
        name: String,
    },
    /// All pairs together are too long.
    #[error("the labels have {found} bytes together, at most {MAX_ENCODED_LENGTH} are allowed; shorten them")]
    TotalLength {
        /// Encoded bytes.
        found: usize,
    },
}

/// Encodes label pairs in canonical form. Any UTF-8 is allowed.
pub fn encode<N: AsRef<str>, V: AsRef<str>>(pairs: &[(N, V)]) -> Result<Vec<u8>, LabelError> {
    if pairs.len() > MAX_LABELS {
        return Err(LabelError::TooMany { found: pairs.len() });
    }
    let mut sorted: Vec<(&str, &str)> = pairs.iter().map(|(n, v)| (n.as_ref(), v.as_ref())).collect();
    sorted.sort_unstable();
    if let Some(pair) = sorted.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(LabelError::Duplicate {
            name: pair[0].0.to_owned(),
        });
    }
    let mut bytes = Vec::new();
    for (name, value) in sorted {
        if name.is_empty() || name.len() > MAX_LABEL_NAME_LENGTH {
            return Err(LabelError::NameLength {
                name: name.to_owned(),
                found: name.len(),
            });
        }
        if value.len() > MAX_LABEL_VALUE_LENGTH {
            return Err(LabelError::ValueLength {
                name: name.to_owned(),
                found: value.len(),
            });
        }
        bytes.extend_from_slice(&(name.len() as u16).to_le_bytes());
        bytes.extend_from_slice(&(value.len() as u16).to_le_bytes());
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(value.as_bytes());
    }
    if bytes.len() > MAX_ENCODED_LENGTH {
        return Err(LabelError::TotalLength { found: bytes.len() });
    }
    Ok(bytes)
}

/// Decodes a canonical form; `None` if the bytes are not one (sorted by name, no duplicate, UTF-8, within the limits).
pub fn decode(mut bytes: &[u8]) -> Option<Vec<(String, String)>> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    while !bytes.is_empty() {
        let (header, rest) = bytes.split_at_checked(PAIR_HEADER_LENGTH)?;
        let name_length = usize::from(u16::from_le_bytes([header[0], header[1]]));
        let value_length = usize::from(u16::from_le_bytes([header[2], header[3]]));
        let (name, rest) = rest.split_at_checked(name_length)?;
        let (value, rest) = rest.split_at_checked(value_length)?;
        let (name, value) = (std::str::from_utf8(name).ok()?, std::str::from_utf8(value).ok()?);
        let lengths_fit =
            (1..=MAX_LABEL_NAME_LENGTH).contains(&name_length) && value_length <= MAX_LABEL_VALUE_LENGTH;
        let sorted = pairs.last().is_none_or(|(last, _)| last.as_str() < name);
        if !lengths_fit || !sorted || pairs.len() == MAX_LABELS {
            return None;
        }
        pairs.push((name.to_owned(), value.to_owned()));
        bytes = rest;
    }
    Some(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn order_does_not_matter_and_text_survives() {
        let one = encode(&[("method", "GET"), ("code", "2\u{1F980}")]).unwrap();
        assert_eq!(one, encode(&[("code", "2\u{1F980}"), ("method", "GET")]).unwrap());
        assert_eq!(
            decode(&one).unwrap(),
            [
                ("code".into(), "2\u{1F980}".into()),
                ("method".into(), "GET".into())
            ]
        );
    }

    #[test]
    fn limits_are_errors_never_truncations() {
        let long = "v".repeat(MAX_LABEL_VALUE_LENGTH + 1);
        assert!(matches!(
            encode(&[("a", long.as_str())]),
            Err(LabelError::ValueLength { found: 1025, .. })
        ));
        assert!(matches!(
            encode(&[("", "x")]),
            Err(LabelError::NameLength { found: 0, .. })
        ));
        assert!(matches!(
            encode(&[("a", "1"), ("a", "2")]),
            Err(LabelError::Duplicate { .. })
        ));
        let many: Vec<_> = (0..33).map(|i| (format!("l{i}"), "")).collect();
        assert_eq!(encode(&many), Err(LabelError::TooMany { found: 33 }));
    }

    proptest! {
        #![proptest_config(crate::random::config(256))]

        #[test]
        fn any_bytes_decode_or_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Some(pairs) = decode(&bytes) {
                prop_assert_eq!(encode(&pairs).unwrap(), bytes);
            }
        }
    }
}
