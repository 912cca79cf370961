//! Groups: fields that fit each other over lanes and the shared lane, writers that died in the middle, revisions, a reset, and of each
//! process.

use shmetrics::Kind;
use shmetrics::layout::geometry::Capacities;

use super::{Golden, image, small};
use crate::expected::View;
use crate::fact::Fact;
use crate::image::{CREATED_NS, Family, Image, Owner, Parameters, Place, SHARED, Series, Update};

pub(super) fn all() -> Vec<Golden> {
    vec![groups(), damaged()]
}

fn series(image: &mut Image, name: &str, fields: &[&str]) -> Series {
    image.single(&Family::new(name, Kind::Group), &Parameters::group(fields))
}

fn capacities() -> Capacities {
    Capacities {
        series: 16,
        lanes: 4,
        blocks_length: 32 << 10,
        reset_tables: 2,
        ..small()
    }
}

fn groups() -> Golden {
    let mut image = image(capacities());
    let [deliveries, round, cut] =
        ["deliveries", "round", "cut"].map(|name| series(&mut image, name, &["ok", "failed", "bytes"]));
    let one = series(&mut image, "one", &["only"]);
    let names: Vec<String> = (0..15).map(|field| format!("f{field}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let most = series(&mut image, "most", &names);
    let open = series(&mut image, "open", &["a", "b"]);
    let never = series(&mut image, "never", &["a"]);
    let family = image.family(&Family::new("revised", Kind::Group));
    let old = image.series(family, &[], &Parameters::group(&["a", "b"]));
    let later = Parameters::group(&["b", "c"]).created_ns(CREATED_NS + 3_000_000_000);
    let new = image.series(family, &[], &later);
    let rest = image.family(&Family::new("rest", Kind::Group));
    let overflow = Parameters::group(&["a"]).overflow();
    image.series(rest, &[("shmetrics_overflow", "true")], &overflow);

    let web = image.claim(0, &Owner::new("web"));
    let before = image.claim(1, &Owner::new("before").pid(1001));
    image.take(1, web).take(2, before);
    image
        .update(&deliveries, 1, &[1, 0, 100])
        .update(&deliveries, 1, &[0, 1, 0])
        .update(&deliveries, 2, &[2, 0, 50])
        .update(&deliveries, SHARED, &[4, 0, 7]);
    // More updates than copies, in one lane to the last of them, in the other around.
    for _ in 0..63 {
        image.update(&round, 1, &[1, 2, 3]);
    }
    for _ in 0..130 {
        image.update(&round, 2, &[1, 2, 3]);
    }
    // Dead at each step in the middle, with copies that went round. In the shared lane nobody knows.
    for _ in 0..70 {
        image.update(&cut, 1, &[1, 2, 3]).update(&cut, 2, &[1, 2, 3]);
    }
    image.update(&cut, SHARED, &[1, 2, 3]);
    image
        .update_until(&cut, 1, &[90, 90, 90], Update::J2Partly)
        .update_until(&cut, 2, &[90, 90, 90], Update::J2);
    image.update_until(&open, SHARED, &[5, 6], Update::J2Partly);
    image.update(&open, 1, &[1, 1]);
    image.update(&one, 1, &[u64::MAX]).update(&one, 2, &[8]);
    let amounts: Vec<u64> = (0..15).collect();
    image.update(&most, 1, &amounts).update(&most, SHARED, &amounts);
    image.update(&old, 1, &[1, 2]).update(&new, 1, &[10, 20]);
    // Lane 2 goes on with another process.
    let next = image.claim(1, &Owner::new("next").pid(1002));
    image.take(2, next);
    image
        .update(&deliveries, 2, &[0, 3, 0])
        .update(&cut, 2, &[1, 2, 3])
        .update(&one, 2, &[1]);
    image.reset(&[&round], CREATED_NS + 9_000_000_000);
    image
        .update(&round, 1, &[1, 2, 3])
        .update(&round, SHARED, &[1, 2, 3]);
    let _ = never;
    let facts = vec![
        Fact::group("deliveries", &[7, 4, 157], 5, 0),
        Fact::group("round", &[2, 4, 6], 2, 0),
        Fact::since("round", CREATED_NS + 9_000_000_000),
        Fact::group("cut", &[142, 284, 426], 142, 0),
        // The first field of it is there.
        Fact::group("open", &[6, 1], 1, 1),
        Fact::group("one", &[8], 3, 0),
        Fact::group(
            "most",
            &amounts.iter().map(|amount| 2 * amount).collect::<Vec<_>>(),
            2,
            0,
        ),
        Fact::group("never", &[0], 0, 0),
        // The fields a, b and c.
        Fact::group("revised", &[1, 12, 20], 2, 0),
        Fact::absent("rest").of(&[("shmetrics_overflow", "true")]),
    ];
    let of_processes = vec![
        Fact::group_of_process(0, "deliveries", &[1, 1, 100], 2),
        Fact::group_of_process(1, "deliveries", &[0, 3, 0], 1),
        Fact::group_of_process(0, "cut", &[70, 140, 210], 70),
        Fact::group_of_process(1, "cut", &[1, 2, 3], 1),
        Fact::group_of_process(1, "round", &[], 0),
        Fact::group_of_process(0, "revised", &[1, 12, 20], 2),
    ];
    Golden::read(
        "valid/groups",
        &[
            "Groups: fields over two lanes and the shared lane, copies that went round, writers that died in the middle of an update, one of",
            "them in the shared lane, two records of one series with other fields, a reset, and a lane that changed hands.",
        ],
        image,
        facts,
    )
    .view(View::Processes, of_processes)
}

fn damaged() -> Golden {
    let mut image = image(capacities());
    let [behind, ahead, below] =
        ["behind", "ahead", "below"].map(|name| series(&mut image, name, &["a", "b"]));
    let web = image.claim(0, &Owner::new("web"));
    image.take(1, web);
    for series in [&behind, &ahead, &below] {
        for _ in 0..5 {
            image.update(series, 1, &[1, 2]);
        }
    }
    image.reset(&[&below], CREATED_NS + 9_000_000_000);
    // Began less than landed, and far more: no copy is accepted. A number of an older copy, below what was reset.
    let block = |image: &Image, series: &Series| Place::Group(image.block_offset(series, 1));
    let place = block(&image, &behind);
    image.set(place, "group_begun", 4);
    let place = block(&image, &ahead);
    image.set(place, "group_begun", 5 + 64);
    let place = block(&image, &below);
    image.set(place, "group_landed", 4);
    Golden::read(
        "damaged/groups_odd",
        &["Groups whose numbers do not fit each other: what cannot be whole is not shown, and bounded by how much there is."],
        image,
        vec![
            Fact::group("behind", &[0, 0], 0, 5),
            Fact::group("ahead", &[0, 0], 0, 5),
            // One update of 1 and 2: four in all.
            Fact::group("below", &[0, 0], 0, 4),
        ],
    )
    .view(View::Processes, vec![Fact::group_of_process(0, "behind", &[], 0)])
}
