//! Labels as the original keeps them: trimmed, in lower case.

use std::borrow::Cow;

/// The text trimmed and in lower case; itself, if it is so already.
pub(super) fn normal(text: &str) -> Cow<'_, str> {
    let trimmed = text.trim();
    if trimmed.chars().any(char::is_uppercase) {
        Cow::Owned(trimmed.to_lowercase())
    } else {
        Cow::Borrowed(trimmed)
    }
}

#[cfg(test)]
mod tests {
    use super::normal;

    #[test]
    fn texts_are_trimmed_and_in_lower_case() {
        for (text, expected) in [
            ("  Run-Time\t", "run-time"),
            ("web", "web"),
            ("", ""),
            (" \n", ""),
            ("\u{c4}RGER", "\u{e4}rger"),
        ] {
            assert_eq!(normal(text), expected);
        }
    }
}
