//! Names, paths and folders.

use super::*;

#[test]
fn bad_names_are_refused_with_the_reason() {
    let _alone = alone();
    let long = "n".repeat(201);
    let bad = [
        ("", "empty"),
        (".", "dot"),
        ("..", "dot"),
        (".hidden", "dot"),
        ("a:b", "colon"),
        ("a\0b", "NUL"),
        ("/tmp/a\0b", "NUL"),
        (&long, "200 bytes"),
        ("shm:", "empty"),
        ("shm:a/b", "slash"),
        ("shm:.x", "dot"),
    ];
    for (bad, why) in bad {
        let errors = [
            Segment::open(bad).unwrap_err(),
            Segment::create(bad).unwrap_err(),
            Segment::open_or_create(bad).unwrap_err(),
            Reader::open(bad).unwrap_err(),
        ];
        for error in errors {
            assert!(
                matches!(&error, OpenError::BadName { name, .. } if name == bad),
                "{error:?}"
            );
            assert_says(&error, &[&format!("{bad:?}"), why, "plain name"]);
        }
    }
    assert!(compact().create_at("/tmp/a\0b").is_err());
}

#[cfg(not(feature = "named"))]
#[test]
fn a_shared_memory_name_without_the_feature_says_which_one_is_missing() {
    let _alone = alone();
    for error in [
        Segment::create("shm:shmetrics-test-unsupported").unwrap_err(),
        Segment::open_or_create("shm:shmetrics-test-unsupported").unwrap_err(),
    ] {
        assert!(matches!(&error, OpenError::NamedUnsupported { .. }), "{error:?}");
        assert_says(
            &error,
            &["shm:shmetrics-test-unsupported", "feature `named`", "/dev/shm"],
        );
    }
}

/// What a fresh process with these variables says about `place`: the path it opened or made, or its error.
fn told_by_process(
    test: &str,
    action: &str,
    place: &str,
    variables: &[(&str, &Path)],
    answer: &Path,
) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([test, "--exact", "--nocapture", "--test-threads=1"]);
    for name in ["SHMETRICS_DIR", "RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR"] {
        command.env_remove(name);
    }
    command.envs(variables.iter().copied());
    command.env(
        "SHMETRICS_TEST_CHILD",
        format!("{action}\n{place}\n{}", answer.display()),
    );
    let mut worker = Worker(command.stdout(Stdio::null()).spawn().unwrap());
    worker.finish();
    std::fs::read_to_string(answer).unwrap()
}

/// The other side of [`told_by_process`]; `true` if this process is one.
fn tell() -> bool {
    let Some(argument) = child_argument() else {
        return false;
    };
    let [action, place, answer] = argument.split('\n').collect::<Vec<_>>()[..] else {
        panic!("{argument}")
    };
    let path = |segment: Segment| segment.path().unwrap().display().to_string();
    let result = match action {
        "open_or_create" => compact().open_or_create(place).map(path),
        "open" => compact().open(place).map(path),
        "read" => Reader::open(place).map(|reader| reader.path().display().to_string()),
        _ => panic!("{action}"),
    };
    std::fs::write(
        answer,
        result.unwrap_or_else(|error| format!("{error:?}\n{error}")),
    )
    .unwrap();
    true
}

#[test]
fn a_plain_name_goes_to_the_first_usable_folder_in_the_documented_order() {
    if tell() {
        return;
    }
    let _alone = alone();
    let scratch = Scratch::new("order");
    // In the last folder, which is the user's own, there may be anything.
    let name = format!("order-{}", std::process::id());
    let test = "places::a_plain_name_goes_to_the_first_usable_folder_in_the_documented_order";
    let answer = scratch.path("answer");
    let [first, second, third] = ["first", "second", "third"].map(|name| scratch.path(name));
    for folder in [&first, &second, &third] {
        std::fs::create_dir(folder).unwrap();
    }
    let (file, missing) = (scratch.path("file"), scratch.path("missing"));
    std::fs::write(&file, "").unwrap();
    let ask =
        |action: &str, variables: &[(&str, &Path)]| told_by_process(test, action, &name, variables, &answer);
    let at = |folder: &Path| folder.join(&name).display().to_string();
    let runtime = PathBuf::from(format!("{}:{}", second.display(), first.display()));
    let session = third.join("shmetrics");
    let all: [(&str, &Path); 3] = [
        ("SHMETRICS_DIR", &first),
        ("RUNTIME_DIRECTORY", &runtime),
        ("XDG_RUNTIME_DIR", &third),
    ];

    // Nothing is there yet: readers name the place of the first folder.
    let told = ask("read", &all);
    assert!(
        told.starts_with("NotFound {") && told.contains(&at(&first)),
        "{told}"
    );
    // From the last to the first, so that each time an earlier one wins over what exists further down.
    assert_eq!(ask("open_or_create", &all[2..]), at(&session));
    assert_eq!(std::fs::metadata(&session).unwrap().mode() & 0o7777, 0o750);
    // Who opens what exists finds it, wherever it is.
    for action in ["open", "read"] {
        assert_eq!(ask(action, &all), at(&session));
    }
    assert_eq!(ask("open_or_create", &all[1..]), at(&second));
    assert_eq!(ask("open_or_create", &all), at(&first));
    assert_eq!(ask("read", &all), at(&first));
    assert_eq!(ask("read", &all[1..]), at(&second));
    // A variable that is empty, or names no folder, is passed over.
    for useless in [Path::new(""), &file, &missing] {
        let variables = [("SHMETRICS_DIR", useless), all[1]];
        assert_eq!(ask("open_or_create", &variables), at(&second));
    }
    assert!(!missing.exists(), "a folder that the user named is never made");
}

#[test]
fn the_default_folder_is_made_for_its_user_and_must_be_safe() {
    let _alone = alone();
    if !is_root() {
        return;
    }
    // A user that nobody is.
    let uid = 1_900_000_000 + std::process::id();
    struct Folder(PathBuf);
    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
            let _ = std::fs::remove_file(&self.0);
        }
    }
    let folder = Folder(PathBuf::from(format!("/dev/shm/shmetrics-{uid}")));
    let path = folder.0.join("app");
    let unusable = Scratch::new("unusable");
    let ask = |set: bool| {
        told_by_child(|| {
            become_user(uid);
            let value = std::ffi::CString::new(unusable.path("missing").to_str().unwrap()).unwrap();
            // SAFETY: this child has one thread, and these are valid C strings. (Not through std, whose lock another thread of the
            // parent may have held.)
            unsafe {
                for name in [c"SHMETRICS_DIR", c"RUNTIME_DIRECTORY", c"XDG_RUNTIME_DIR"] {
                    libc::unsetenv(name.as_ptr());
                }
                if set {
                    libc::setenv(c"SHMETRICS_DIR".as_ptr(), value.as_ptr(), 1);
                }
            }
            match compact().open_or_create("app") {
                Ok(segment) => segment.path().unwrap().display().to_string(),
                error => shown(error),
            }
        })
    };
    assert_eq!(ask(false), path.display().to_string());
    let made = std::fs::metadata(&folder.0).unwrap();
    assert_eq!((made.uid(), made.mode() & 0o7777), (uid, 0o750));
    let assert_unsafe = |reason: &str| {
        let told = ask(false);
        assert!(told.starts_with("UnsafeFolder {"), "{told}");
        assert_says(
            &told,
            &[folder.0.to_str().unwrap(), "not safe", reason, "SHMETRICS_DIR"],
        );
    };
    std::fs::set_permissions(&folder.0, Permissions::from_mode(0o777)).unwrap();
    assert_unsafe("others can write to it");
    std::fs::remove_dir_all(&folder.0).unwrap();
    std::fs::create_dir(&folder.0).unwrap();
    assert_unsafe("it belongs to another user");
    std::fs::remove_dir(&folder.0).unwrap();
    std::os::unix::fs::symlink("/tmp", &folder.0).unwrap();
    assert_unsafe("it is a link");
    // If others were set, each is told with its reason.
    let told = ask(true);
    assert!(told.starts_with("NoFolder {"), "{told}");
    let missing = format!("{}: it does not exist", unusable.path("missing").display());
    assert_says(
        &told,
        &[
            "\"app\"",
            &missing,
            &format!("{}: it is a link", folder.0.display()),
            "set SHMETRICS_DIR",
        ],
    );
}
