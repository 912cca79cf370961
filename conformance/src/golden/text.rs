//! Names, labels, help and units: hostile ones, and the longest.

use shmetrics::Kind;
use shmetrics::layout::geometry::Capacities;

use super::{Golden, image, small};
use crate::fact::Fact;
use crate::image::{Family, Parameters, SHARED};

pub(super) fn all() -> Vec<Golden> {
    vec![hostile(), longest()]
}

fn hostile() -> Golden {
    let mut image = image(small());
    let name = "a \"b\" \\ \n\t\u{1b}[31m \u{0} {x=\"y\"}";
    let family = Family::new(name, Kind::CounterU64)
        .help("# HELP \r\n</script> \u{2028}\u{202e}")
        .unit("\u{b5}s");
    let family = image.family(&family);
    let labels = [
        ("\u{1F980}", "\u{e4}\u{4e16}\u{1F600}"),
        ("\n", "\""),
        ("a", ""),
        ("A", "\u{7f}\u{80}"),
    ];
    let first = image.series(family, &labels, &Parameters::plain());
    let second = image.series(family, &[], &Parameters::plain());
    let third = image.series(family, &[("a", "b\u{0}")], &Parameters::plain());
    image
        .count(&first, SHARED, 1)
        .count(&second, SHARED, 2)
        .count(&third, SHARED, 3);
    Golden::read(
        "valid/hostile_text",
        &[
            "Control characters, quotes, backslashes, NUL, text of several bytes a character, an empty value. Labels are",
            "in the order of their bytes.",
        ],
        image,
        vec![
            Fact::whole(name, 1).of(&labels),
            Fact::whole(name, 2),
            Fact::whole(name, 3).of(&[("a", "b\u{0}")]),
        ],
    )
}

fn longest() -> Golden {
    let mut image = image(Capacities {
        text_length: 16 * 1024,
        ..small()
    });
    let (name, help, unit) = ("n".repeat(255), "h".repeat(1024), "u".repeat(63));
    let family = Family::new(&name, Kind::CounterU64).help(&help).unit(&unit);
    let family = image.family(&family);
    // 32 labels of 4 + 3 + 249 bytes are 8,192.
    let names: Vec<String> = (0..32).map(|index| format!("l{index:02}")).collect();
    let value = "v".repeat(249);
    let many: Vec<(&str, &str)> = names.iter().map(|name| (&**name, &*value)).collect();
    let many_series = image.series(family, &many, &Parameters::plain());
    let (label, value) = ("l".repeat(255), "v".repeat(1024));
    let long = [(&*label, &*value)];
    let long_series = image.series(family, &long, &Parameters::plain());
    image
        .count(&many_series, SHARED, 1)
        .count(&long_series, SHARED, 2);
    Golden::read(
        "valid/longest_text",
        &["The longest name, help, unit, label name, label value, and labels: 32 pairs, 8,192 bytes."],
        image,
        vec![Fact::whole(&name, 1).of(&many), Fact::whole(&name, 2).of(&long)],
    )
}
