//! What cannot be registered, and what must not fail.

use super::*;

#[test]
fn a_conflict_names_what_is_and_what_was_wanted() {
    let _alone = alone();
    let scratch = Scratch::new("conflicts");
    let segment = compact().create_at(scratch.path("segment")).unwrap();
    let requests = segment
        .counter("requests")
        .unit(Unit::Bytes)
        .label("a", "1")
        .register()
        .unwrap();
    let _depth = segment
        .gauge("depth")
        .merge(Merge::Max)
        .label("a", "1")
        .register()
        .unwrap();
    let _latency = segment
        .histogram("latency")
        .unit(Unit::Seconds)
        .register()
        .unwrap();
    let used = || snapshot(&scratch.path("segment")).fill.records.used;
    let before = used();
    let unit = Unit::Bytes;
    // Each once with the same labels and once with others, and as a family of label names.
    let conflicts: Vec<(RegisterError, [&str; 3])> = vec![
        (
            segment
                .counter_float("requests")
                .unit(unit)
                .label("a", "1")
                .register()
                .unwrap_err(),
            ["requests", "counter_u64 in \"bytes\"", "counter_f64 in \"bytes\""],
        ),
        (
            segment
                .gauge("requests")
                .unit(unit)
                .label("b", "2")
                .register()
                .unwrap_err(),
            [
                "requests",
                "counter_u64 in \"bytes\"",
                "gauge_i64 with merge rule sum in \"bytes\"",
            ],
        ),
        (
            segment
                .counter("requests")
                .label("a", "1")
                .register()
                .unwrap_err(),
            [
                "requests",
                "counter_u64 in \"bytes\"",
                "counter_u64 without a unit",
            ],
        ),
        (
            segment
                .counter("requests")
                .unit(Unit::Other("things"))
                .label("c", "3")
                .register()
                .unwrap_err(),
            [
                "requests",
                "counter_u64 in \"bytes\"",
                "counter_u64 in \"things\"",
            ],
        ),
        (
            segment
                .counter("requests")
                .unit(Unit::Seconds)
                .family(["code"])
                .unwrap_err(),
            [
                "requests",
                "counter_u64 in \"bytes\"",
                "counter_u64 in \"seconds\"",
            ],
        ),
        (
            segment
                .gauge("depth")
                .merge(Merge::Min)
                .label("a", "1")
                .register()
                .unwrap_err(),
            [
                "depth",
                "gauge_i64 with merge rule max without a unit",
                "gauge_i64 with merge rule min without a unit",
            ],
        ),
        (
            segment.gauge("depth").register().unwrap_err(),
            ["depth", "merge rule max", "merge rule sum"],
        ),
        (
            segment
                .gauge_float("depth")
                .merge(Merge::Max)
                .label("b", "2")
                .register()
                .unwrap_err(),
            [
                "depth",
                "gauge_i64 with merge rule max",
                "gauge_f64 with merge rule max",
            ],
        ),
        (
            segment
                .histogram_float("latency")
                .unit(Unit::Seconds)
                .register()
                .unwrap_err(),
            [
                "latency",
                "histogram_integer in \"seconds\"",
                "histogram_float in \"seconds\"",
            ],
        ),
        (
            segment
                .histogram_classic("latency", &[1.0])
                .unit(Unit::Seconds)
                .label("x", "y")
                .register()
                .unwrap_err(),
            [
                "latency",
                "histogram_integer in \"seconds\"",
                "histogram_classic in \"seconds\"",
            ],
        ),
    ];
    for (error, [name, existing, wanted]) in conflicts {
        let RegisterError::Conflict {
            name: named,
            existing: found,
            wanted: asked,
        } = &error
        else {
            panic!("{error:?}")
        };
        assert_eq!(named, name);
        assert!(found.contains(existing) && asked.contains(wanted), "{error:?}");
        assert_says(&error, &[name, found, asked, "another name"]);
    }
    // In another process, too.
    let told = told_by_child(|| {
        let segment = compact().open_at(scratch.path("segment")).unwrap();
        shown(segment.gauge("requests").label("new", "").register())
    });
    assert!(told.starts_with("Conflict {"), "{told}");
    assert_says(&told, &["counter_u64 in \"bytes\"", "gauge_i64"]);
    assert_eq!(used(), before, "a conflict costs no record");
    requests.inc();
    let taken = snapshot(&scratch.path("segment"));
    assert_eq!(counter(&taken, "requests", &[("a", "1")]), 1);
    assert_eq!(taken.series.len(), 3);
}

#[test]
fn texts_at_their_limits_are_kept_whole_and_longer_ones_are_errors() {
    let _alone = alone();
    let scratch = Scratch::new("texts");
    let segment = compact().create_at(scratch.path("segment")).unwrap();
    // Two bytes a letter: limits are of bytes, and no letter is ever cut.
    let text = |bytes: usize| format!("{}{}", "\u{e9}".repeat(bytes / 2), "x".repeat(bytes % 2));
    let (name, help, unit) = (text(255), text(1024), text(63));
    let (label, value) = (text(255), text(1024));
    let counter_handle = segment
        .counter(&name)
        .help(&help)
        .unit(Unit::Other(&unit))
        .label(&label, &value);
    counter_handle.register().unwrap().inc();
    let taken = snapshot(&scratch.path("segment"));
    let description = &taken.series[0].description;
    assert_eq!(
        (&description.name, &description.help, &description.unit),
        (&name, &help, &unit)
    );
    assert_eq!(description.labels, [(label, value)]);

    let used = taken.fill.text.used;
    let (name, help, unit) = (text(256), text(1025), text(64));
    for (name, found) in [("", 0), (&name[..], 256)] {
        let error = segment.counter(name).register().unwrap_err();
        assert!(
            matches!(&error, RegisterError::NameLength { name: n, found: f, most: 255 } if n == name && *f == found),
            "{error:?}"
        );
        assert_says(&error, &[&format!("has {found} bytes"), "1 to 255", "shorten"]);
    }
    let cases = [
        (
            segment.gauge("a").help(&help).register().unwrap_err(),
            "help",
            1025,
            1024,
        ),
        (
            segment
                .gauge("a")
                .unit(Unit::Other(&unit))
                .register()
                .unwrap_err(),
            "unit",
            64,
            63,
        ),
        (
            segment.gauge("a").help(&help).family(["x"]).unwrap_err(),
            "help",
            1025,
            1024,
        ),
    ];
    for (error, field, found, most) in cases {
        let expected = RegisterError::TextLength {
            field,
            name: "a".into(),
            found,
            most,
        };
        assert_eq!(error, expected);
        assert_says(
            &error,
            &[field, "\"a\"", &found.to_string(), &most.to_string(), "shorten"],
        );
    }

    let labels =
        |labels: &[(&str, &str)]| match segment.counter("a").labels(labels.iter().copied()).register() {
            Err(RegisterError::Labels { name, source }) => {
                assert_eq!(name, "a");
                source
            }
            other => panic!("{other:?}"),
        };
    let (long_name, long_value) = (text(256), text(1025));
    let names: Vec<String> = (0..33).map(|n| format!("l{n}")).collect();
    let full_value = text(1024);
    let pairs = |count: usize, value| {
        names
            .iter()
            .take(count)
            .map(|n| (n.as_str(), value))
            .collect::<Vec<_>>()
    };
    let name_length = |name: &str, found| LabelError::NameLength {
        name: name.into(),
        found,
    };
    let value_length = LabelError::ValueLength {
        name: "x".into(),
        found: 1025,
    };
    let cases = [
        (
            labels(&[(&long_name, "")]),
            name_length(&long_name, 256),
            "1 to 255",
        ),
        (labels(&[("", "x")]), name_length("", 0), "1 to 255"),
        (labels(&[("x", &long_value)]), value_length, "at most 1024"),
        (
            labels(&[("x", "1"), ("y", ""), ("x", "1")]),
            LabelError::Duplicate { name: "x".into() },
            "twice",
        ),
        (
            labels(&pairs(33, "")),
            LabelError::TooMany { found: 33 },
            "at most 32",
        ),
        (
            labels(&pairs(8, &full_value)),
            LabelError::TotalLength {
                found: 8 * (1024 + 2 + 4),
            },
            "at most 8192",
        ),
    ];
    for (error, expected, limit) in cases {
        assert_eq!(error, expected);
        assert_says(&error, &[limit]);
    }
    segment.counter("a").labels(pairs(32, "")).register().unwrap();
    let taken = snapshot(&scratch.path("segment"));
    assert_eq!(taken.series[1].description.labels.len(), 32);
    assert!(taken.fill.text.used - used < 1024, "refused texts cost nothing");
}

#[test]
fn an_over_long_label_value_of_a_family_is_counted_in_its_overflow_series() {
    let _alone = alone();
    let scratch = Scratch::new("family-values");
    let segment = compact().create_at(scratch.path("segment")).unwrap();
    let family = segment.counter("requests_total").family(["path"]).unwrap();
    let long = "p".repeat(1025);
    family.with([&long]).add(2);
    family.with(["/"]).inc();
    let taken = snapshot(&scratch.path("segment"));
    assert_eq!(
        counter(&taken, "requests_total", &[("shmetrics_overflow", "true")]),
        2
    );
    assert_eq!(counter(&taken, "requests_total", &[("path", "/")]), 1);
    assert_eq!(taken.series.len(), 2, "nothing was cut");
    assert!(taken.losses.label_sets_refused + taken.losses.label_sets_overflowed > 0);
}

#[test]
fn a_family_needs_label_names_that_can_be_labels() {
    let _alone = alone();
    let scratch = Scratch::new("family-names");
    let segment = compact().create_at(scratch.path("segment")).unwrap();
    let none: [&str; 0] = [];
    let refused = [
        segment.counter("a").family(none).unwrap_err(),
        segment.counter("a").family(["x", "x"]).unwrap_err(),
        segment.counter("a").label("x", "1").family(["x"]).unwrap_err(),
        segment.counter("a").family([""; 33]).unwrap_err(),
    ];
    for error in refused {
        assert!(
            matches!(&error, RegisterError::LabelNames { name } if name == "a"),
            "{error:?}"
        );
        assert_says(&error, &["a family needs 1 to 32 distinct label names"]);
    }
    // An over-long text is an error, also here: all members would end in the overflow series.
    let long = "n".repeat(256);
    for (name, found) in [(&long[..], 256), ("", 0)] {
        let error = segment
            .counter("a")
            .family([name])
            .expect_err("such a label name cannot be used");
        let expected = LabelError::NameLength {
            name: name.into(),
            found,
        };
        assert!(
            matches!(&error, RegisterError::Labels { source, .. } if *source == expected),
            "{error:?}"
        );
    }
}

#[test]
fn a_family_may_have_as_many_labels_as_a_series() {
    let _alone = alone();
    let scratch = Scratch::new("family-most");
    let segment = compact().create_at(scratch.path("segment")).unwrap();
    let names: Vec<String> = (0..32).map(|n| format!("l{n}")).collect();
    let names: [&str; 32] = std::array::from_fn(|n| names[n].as_str());
    let family = segment.counter("a_total").family(names).unwrap();
    family.with([""; 32]).inc();
    let taken = snapshot(&scratch.path("segment"));
    assert_eq!(taken.series[0].description.labels.len(), 32);
}

#[test]
fn buckets_outside_their_limits_are_errors_that_name_the_values() {
    let _alone = alone();
    let scratch = Scratch::new("buckets");
    let segment = compact().create_at(scratch.path("segment")).unwrap();
    let refused = [
        (segment.histogram("h").scale(8).register().unwrap_err(), "scale 8"),
        (
            segment.histogram("h").range(5, 5).register().unwrap_err(),
            "range 2^5 to 2^5",
        ),
        (
            segment.histogram("h").range(-1023, 0).register().unwrap_err(),
            "range 2^-1023 to 2^0",
        ),
        (
            segment
                .histogram("h")
                .scale(7)
                .range(-1000, 1000)
                .register()
                .unwrap_err(),
            "8194 buckets",
        ),
        (
            segment.histogram("h").ring_slots(65).register().unwrap_err(),
            "65 ring slots",
        ),
        (
            segment
                .histogram_classic("h", &[1.0])
                .ring_slots(65)
                .register()
                .unwrap_err(),
            "65 ring slots",
        ),
    ];
    for (error, part) in refused {
        assert!(
            matches!(&error, RegisterError::Buckets { name, .. } if name == "h"),
            "{error:?}"
        );
        assert_says(&error, &["h: ", part, "allowed are"]);
    }
    let bounds = |bounds: &[f64]| match segment.histogram_classic("h", bounds).register() {
        Err(RegisterError::Bounds { name, source }) => {
            assert_eq!(name, "h");
            source
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(bounds(&[]), BoundsError::Empty);
    assert_eq!(
        bounds(&[0.0; 257]),
        BoundsError::TooMany {
            count: 257,
            limit: 256
        }
    );
    assert!(matches!(
        bounds(&[0.0, f64::NAN]),
        BoundsError::NotFinite { position: 1, .. }
    ));
    assert!(matches!(
        bounds(&[1.0, 1.0]),
        BoundsError::NotIncreasing { position: 1, .. }
    ));
    assert!(snapshot(&scratch.path("segment")).series.is_empty());
}

#[test]
fn an_over_long_role_is_an_error_and_one_at_the_limit_is_shown_whole() {
    let _alone = alone();
    let scratch = Scratch::new("role");
    let path = scratch.path("segment");
    let role = "\u{e9}".repeat(32);
    let _segment = compact().role(&role).create_at(&path).unwrap();
    let taken = snapshot(&path);
    assert!(taken.processes.iter().any(|process| *process.role == *role));
    let long = role + "x";
    for error in [
        compact().role(&long).open_at(&path).unwrap_err(),
        compact().role(&long).open_or_create_at(&path).unwrap_err(),
    ] {
        assert!(
            matches!(&error, OpenError::RoleLength { role, found: 65, most: 64 } if *role == long),
            "{error:?}"
        );
        assert_says(&error, &[&long, "65 bytes", "at most 64", "shorten"]);
    }
}

#[test]
fn an_over_long_role_creates_nothing() {
    let _alone = alone();
    let scratch = Scratch::new("role-new");
    let path = scratch.path("segment");
    let error = compact().role("r".repeat(65)).create_at(&path).unwrap_err();
    assert!(matches!(error, OpenError::RoleLength { .. }), "{error:?}");
    assert!(!path.exists(), "a segment was left behind by a call that failed");
}
