//! Which status an error means, and what is no key, no rule or no list.

use shmetrics::RegisterError;
use shmetrics::stats::health::KeyError;

use super::*;

#[test]
fn c_06_errors_are_told_by_the_first_fragment_and_what_is_unknown_is_never_ok() {
    let _alone = alone();
    let scratch = Scratch::new("health-errors");
    let path = scratch.path("segment");
    let segment = compact().create_at(&path).unwrap();
    let options = Options::default()
        .errors(
            ErrorRule::new("INTERNAL")
                .fragments(["Upstream", "deadline"])
                .unhealthy(2),
        )
        .errors(ErrorRule::new("CONNECTION_ERROR").fragments(["upstream refused", "RESET"]))
        // Overridden without `other`: the original told OK of what is unknown then.
        .errors(
            ErrorRule::new("OTHER_EXCEPTION")
                .fragments(["unlikely"])
                .unhealthy(2),
        )
        .errors(ErrorRule::new("QUOTA").fragments(["quota"]).unhealthy(1));
    let monitor = Monitor::register(&segment, &options).unwrap();
    for (text, error_type, status) in [
        ("UPSTREAM REFUSED", "upstream", "INTERNAL"),
        ("connection reset by peer", "reset", "CONNECTION_ERROR"),
        ("Reset after deadline", "deadline", "INTERNAL"),
        ("over QuoTa", "quota", "QUOTA"),
        ("ValueError: x", "other", "OTHER_EXCEPTION"),
        ("", "other", "OTHER_EXCEPTION"),
    ] {
        let class = monitor.record_failure("M", text);
        assert_eq!((class.error_type, class.status), (error_type, status), "{text}");
        assert_eq!(super::status(&path, "default").0, status, "{text}");
        let snapshot = look(&path);
        let labels = [("method", "M"), ("type", error_type)];
        assert!(counter(&snapshot, "health_errors_total", &labels) > 0, "{text}");
    }
    // Its streak has its threshold, as any other has.
    assert!(!health(&path).healthy);
    // A rule in place of an earlier one replaces all of it. Another process may have other rules than ours: each is judged by its own.
    let options = options.errors(ErrorRule::new("QUOTA").fragments(["limit"]));
    let child = fork(|| {
        let monitor = Monitor::register(&segment, &options).unwrap();
        assert_eq!(
            monitor.classifier().classify("over quota").status,
            "OTHER_EXCEPTION"
        );
        assert_eq!(monitor.classifier().classify("over limit").status, "QUOTA");
        monitor.record_failure("M", "limit");
        let statuses = health(&path).statuses;
        let found = statuses.iter().find(|status| status.status == "QUOTA").unwrap();
        assert_eq!((found.unhealthy_from, found.healthy), (None, true));
        0
    });
    assert_eq!(wait(child), 0);
    monitor.record_failure("M", "over quota");
    let statuses = health(&path).statuses;
    let [own] = &statuses[..] else {
        panic!("{statuses:?}")
    };
    assert_eq!((own.unhealthy_from, own.healthy), (Some(1), false));
}

#[test]
fn c_06_no_error_can_be_declared_ok() {
    let _alone = alone();
    let scratch = Scratch::new("health-ok");
    let segment = compact().create_at(scratch.path("segment")).unwrap();
    let options = Options::default().errors(ErrorRule::new(OK).fragments(["fine"]));
    let error = Monitor::register(&segment, &options).unwrap_err();
    assert!(matches!(error, RegisterError::Statuses { .. }), "{error}");
}

#[test]
fn c_01_keys_that_do_not_split_are_refused_and_say_which_part() {
    let _alone = alone();
    for (text, part) in [
        ("a___b", "b"),
        ("a___b__c__d", "b__c__d"),
        ("a___b__c___d", "d"),
        ("a___", ""),
        ("a_____b", "__b"),
    ] {
        match Key::parse(text) {
            Err(KeyError::Label { key, part: found }) => assert_eq!((&*key, &*found), (text, part)),
            other => panic!("{text}: {other:?}"),
        }
    }
    assert!(matches!(Key::parse("___a__b"), Err(KeyError::Name { .. })));
    assert!(matches!(Key::parse(""), Err(KeyError::Name { .. })));
    let key = Key::parse("Time full/x-1.y___method__A b___path__").unwrap();
    assert_eq!(key.name(), "time_full_x_1_y");
    assert_eq!(key.labels(), [("method", "A b"), ("path", "")]);
}
