//! What a statistic is called: a name and labels, of themselves or as `name___label__value___label2__value2`.

/// Before each label of a key.
const BEFORE_LABEL: &str = "___";
/// Between a label and its value.
const BEFORE_VALUE: &str = "__";

/// Why a text is no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// It begins with no name.
    #[error("the key {key:?} begins with no name; write name___label__value")]
    Name {
        /// The key.
        key: String,
    },
    /// A part that is no label. The original dropped it, so that what should have been told apart was added up.
    #[error(
        "the part {part:?} of the key {key:?} is no label; write label__value, or give labels with Key::label"
    )]
    Label {
        /// The key.
        key: String,
        /// The part.
        part: String,
    },
}

/// The name and the labels of a statistic.
///
/// Of the name, letters are made lower-case, and what is no ASCII letter, digit, `_` or `:` becomes `_`. Labels stay as they are. Series of
/// one name may have whatever labels: none of them breaks an export.
///
/// ```
/// use shmetrics::stats::health::Key;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let key = Key::parse("Time full___method__Predict___status__ok")?;
/// assert_eq!(key, Key::new("time_full").label("method", "Predict").label("status", "ok"));
/// assert!(Key::parse("time___method").is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key<'a> {
    name: String,
    labels: Vec<(&'a str, &'a str)>,
}

impl<'a> Key<'a> {
    /// With this name, and no labels.
    pub fn new(name: &str) -> Key<'a> {
        Key {
            name: clean(name),
            labels: Vec::new(),
        }
    }

    /// With a further label: any text, see [`Builder::label`](crate::instrument::Builder::label).
    #[must_use]
    pub fn label(mut self, label: &'a str, value: &'a str) -> Key<'a> {
        self.labels.push((label, value));
        self
    }

    /// Of a text as the original has it.
    ///
    /// # Errors
    ///
    /// There is no name, or a part does not split into a label and its value: see [`KeyError`].
    pub fn parse(text: &'a str) -> Result<Key<'a>, KeyError> {
        let mut parts = text.split(BEFORE_LABEL);
        let name = parts.next().unwrap_or_default();
        if name.is_empty() {
            return Err(KeyError::Name { key: text.to_owned() });
        }
        let label = |part: &'a str| {
            let mut halves = part.split(BEFORE_VALUE);
            match (halves.next(), halves.next(), halves.next()) {
                (Some(label), Some(value), None) if !label.is_empty() => Ok((label, value)),
                _ => Err(KeyError::Label {
                    key: text.to_owned(),
                    part: part.to_owned(),
                }),
            }
        };
        Ok(Key {
            name: clean(name),
            labels: parts.map(label).collect::<Result<_, _>>()?,
        })
    }

    /// The name, cleaned.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The labels.
    pub fn labels(&self) -> &[(&'a str, &'a str)] {
        &self.labels
    }
}

/// As every export can show it.
pub(super) fn clean(name: &str) -> String {
    let clean = |letter: char| match letter {
        'a'..='z' | '0'..='9' | '_' | ':' => letter,
        'A'..='Z' => letter.to_ascii_lowercase(),
        _ => '_',
    };
    name.chars().map(clean).collect()
}
