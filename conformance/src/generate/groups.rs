//! Groups: updated in some lanes so that fields fit each other, some left in the middle of an update, some taken over, some reset.

use shmetrics::layout::directory::OwnerTag;
use shmetrics::layout::kind::Kind;

use super::contents::committed_lanes;
use super::random::Random;
use crate::fact::Fact;
use crate::image::{CREATED_NS, Family, Image, Parameters, SHARED, Series, Update};

/// What is added to the fields in each update, `n` times: n of the first, 2n of the second, and so on.
fn amounts(fields: u64, n: u64) -> Vec<u64> {
    (1..=fields).map(|field| field.wrapping_mul(n)).collect()
}

/// What a group has by now.
struct Drawn {
    name: String,
    series: Series,
    fields: u64,
    /// The sum of all n, and the number of updates; and both when it was reset.
    now: (u64, u64),
    before: (u64, u64),
    /// Updates in the shared lane that began and did not land.
    error: u64,
}

/// Declares up to two groups, updates them, may reset some, and updates them again.
pub(super) fn update(random: &mut Random, image: &mut Image, tags: &[OwnerTag], facts: &mut Vec<Fact>) {
    let mut groups = Vec::new();
    for index in 0..random.below(3) {
        image.registrant(random.pick(tags));
        let (name, fields) = (format!("group_{index}"), 1 + random.below(15));
        let names: Vec<String> = (1..=fields).map(|field| format!("f{field}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let series = image.single(&Family::new(&name, Kind::Group), &Parameters::group(&names));
        groups.push(Drawn {
            name,
            series,
            fields,
            now: (0, 0),
            before: (0, 0),
            error: 0,
        });
    }
    groups.iter_mut().for_each(|group| add(random, image, group));
    if !groups.is_empty() {
        for lane in committed_lanes(image) {
            if random.one_in(4) {
                image.take(lane, random.pick(tags));
            }
        }
        groups.iter_mut().for_each(|group| add(random, image, group));
    }
    if !groups.is_empty() && image.geometry().capacities.reset_tables != 0 && random.one_in(2) {
        // Later than all resets of other series.
        let all: Vec<&Series> = groups.iter().map(|group| &group.series).collect();
        image.reset(&all, CREATED_NS + 3_000_000_000_000);
        groups.iter_mut().for_each(|group| group.before = group.now);
        groups.iter_mut().for_each(|group| add(random, image, group));
    }
    for group in &mut groups {
        if random.one_in(3) {
            // Nothing of it is there, and it may be for good that nobody knows.
            image.update_until(&group.series, SHARED, &amounts(group.fields, 9), Update::J1);
            group.error = 1;
        }
        let sum = group.now.0.wrapping_sub(group.before.0);
        let updates = group.now.1 - group.before.1;
        facts.push(Fact::group(
            &group.name,
            &amounts(group.fields, sum),
            updates,
            group.error,
        ));
    }
}

fn add(random: &mut Random, image: &mut Image, group: &mut Drawn) {
    let mut lanes = committed_lanes(image);
    lanes.push(SHARED);
    for lane in lanes {
        // Sometimes more than there are copies.
        let most = random.pick(&[3, 3, 70]);
        for _ in 0..random.below(most) {
            let n = random.below(1000);
            image.update(&group.series, lane, &amounts(group.fields, n));
            (group.now.0, group.now.1) = (group.now.0 + n, group.now.1 + 1);
        }
        if lane != SHARED && random.one_in(3) {
            let until = random.pick(&[Update::J1, Update::J2Partly, Update::J2]);
            image.update_until(&group.series, lane, &amounts(group.fields, 7), until);
        }
    }
}
