//! Texts that are set again and again, deleted, cut short by deaths.

use shmetrics::layout::directory::OwnerTag;
use shmetrics::layout::kind::Kind;

use super::random::Random;
use crate::fact::{Fact, StoredText};
use crate::image::{CREATED_NS, Family, Image, Parameters, Place, SHARED, Setting};

/// The name of the family.
const NAME: &str = "phase";

/// Declares a text, or none, and sets it.
pub(super) fn set(random: &mut Random, image: &mut Image, tags: &[OwnerTag], facts: &mut Vec<Fact>) {
    if random.one_in(3) {
        return;
    }
    let capacity = random.pick(&[1, 40, 96, 97, 224, 500]);
    let family = image.family(&Family::new(NAME, Kind::Text).help("what it is doing"));
    let series = image.series(family, &[], &Parameters::text(capacity));
    let steps = [
        Setting::D1,
        Setting::D2,
        Setting::D3Partly,
        Setting::D3,
        Setting::D4,
    ];
    let mut shown = StoredText::default();
    // Of the dead there are at most as many as leave a slot free.
    let mut dead = 0;
    for number in 0..random.below(20) {
        if random.one_in(6) {
            image.delete_text(&series);
            (shown.text, shown.truncated) = (None, false);
            continue;
        }
        let text = format!("{number}: {}", "\u{20ac}uro ".repeat(random.below(60) as usize));
        let at_ns = CREATED_NS + random.below(50) * 1_000_000_000;
        let until = match dead < 5 && random.one_in(4) {
            true => random.pick(&steps),
            false => Setting::D5,
        };
        dead += u64::from(until < Setting::D5);
        image.set_text_until(&series, &text, random.pick(tags), at_ns, until);
        if until >= Setting::D4 {
            let mut end = text.len().min(capacity as usize);
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            shown.truncated = end < text.len();
            shown.text = Some((text[..end].to_owned(), at_ns));
        }
    }
    let refused = random.below(3);
    image.set(
        Place::Text(image.block_offset(&series, SHARED)),
        "text_refused",
        refused,
    );
    shown.refused = refused;
    facts.push(Fact::text(NAME, shown));
}
