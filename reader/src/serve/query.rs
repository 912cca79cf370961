//! The part of an address behind `?`.

/// Names and values, decoded, in their order. What cannot be decoded stays as it is: nothing in it is an error.
pub(super) fn parse(query: &str) -> Vec<(String, String)> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        })
        .collect()
}

/// The values of a name.
pub(super) fn values<'a>(query: &'a [(String, String)], name: &str) -> Vec<&'a str> {
    query
        .iter()
        .filter(|(have, _)| have == name)
        .map(|(_, value)| value.as_str())
        .collect()
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        let digits = match (first, behind) {
            (b'%', [high, low, ..]) => hex(*high).zip(hex(*low)),
            _ => None,
        };
        match digits {
            Some((high, low)) => {
                bytes.push(high << 4 | low);
                rest = &behind[2..];
            }
            None => {
                bytes.push(if *first == b'+' { b' ' } else { *first });
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|digit| digit as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_repeat_and_are_decoded() {
        let query = parse("name[]=a_total&name%5B%5D=%c3%bc+x&&flag&x=1=2");
        assert_eq!(values(&query, "name[]"), ["a_total", "ü x"]);
        assert_eq!(values(&query, "flag"), [""]);
        assert_eq!(values(&query, "x"), ["1=2"]);
        assert!(values(&query, "y").is_empty());
    }

    #[test]
    fn what_cannot_be_decoded_stays() {
        assert_eq!(
            parse("a=%zz%4&%"),
            [
                ("a".to_owned(), "%zz%4".to_owned()),
                ("%".to_owned(), String::new())
            ]
        );
        assert_eq!(parse("a=%ff"), [("a".to_owned(), "\u{fffd}".to_owned())]);
        assert!(parse("").is_empty());
    }
}
