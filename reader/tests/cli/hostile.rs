//! What a segment says about itself may be written by an enemy: nothing of it reaches a terminal raw.

use shmetrics::{Merge, Segment};

use super::support::*;

/// Clears the screen, sets a title, starts a line, turns the direction, hides.
const EVIL: &str = "evil\x1b[2J\x1b]0;owned\x07\r\n\u{9b}31m\u{202e}\u{2066}\u{200b}\u{7f}\"\\";

fn furnish(folder: &Folder) -> Segment {
    let segment = Segment::options()
        .role(EVIL)
        .create_at(folder.path("app"))
        .unwrap();
    segment
        .counter(EVIL)
        .help(EVIL)
        .label(EVIL, EVIL)
        .register()
        .unwrap()
        .inc();
    segment
        .gauge("each")
        .merge(Merge::Each)
        .unit(shmetrics::Unit::Other(EVIL))
        .register()
        .unwrap()
        .set(1);
    segment
        .histogram("histogram")
        .label("of", EVIL)
        .register()
        .unwrap()
        .record(1);
    segment
}

fn assert_tame(text: &str, what: &str) {
    let raw = text.chars().find(|c| {
        (c.is_control() && !matches!(c, '\n' | '\r'))
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
    });
    assert_eq!(raw, None, "{what}: {text:?}");
}

#[test]
fn names_are_written_out() {
    let folder = Folder::new();
    let _segment = furnish(&folder);
    for command in ["snapshot", "inspect"] {
        for format in ["json", "table"] {
            let ended = folder.run(&[command, "app", "--format", format]);
            assert_eq!(ended.code, 0, "{ended:?}");
            assert_tame(&ended.stdout, command);
        }
        // A terminal is given no more, if colours are unwanted.
        for format in ["json", "table"] {
            let mut command = folder.command(&[command, "app", "--format", format]);
            command.env("NO_COLOR", "1");
            assert_tame(&on_a_terminal(command), format);
        }
    }
    let table = folder
        .run(&["snapshot", "app", "--format", "table", "--processes"])
        .stdout;
    assert_tame(&table, "--processes");
    assert!(
        table.contains("evil\\u{1b}[2J\\u{1b}]0;owned\\u{7}\\u{d}\\u{a}\\u{9b}31m\\u{202e}"),
        "{table}"
    );
    // A value cannot pretend to end.
    assert!(table.contains("\\\"\\\\\"}"), "{table}");
    // Addresses and their content.
    let dump = folder.run(&["inspect", "app", "--hex"]);
    assert_eq!(dump.code, 0, "{dump:?}");
    assert_tame(&dump.stdout, "inspect --hex");
    assert!(dump.stdout.contains("evil\\u{1b}[2J"), "{dump:?}");
    for format in ["json", "table"] {
        let ended = folder.run(&["verify", "app", "--format", format]);
        assert_eq!(ended.code, 0, "{ended:?}");
        assert_tame(&ended.stdout, "verify");
    }
    let text = folder.run(&["text", "app"]);
    assert_eq!(text.code, 0, "{text:?}");
    assert_tame(&text.stdout, "text");
    let line = folder.run(&["watch", "app", "--count", "1"]).stdout;
    assert_tame(&line, "watch");
    assert_eq!(line.lines().count(), 1);
    // In JSON the name is still the name.
    let snapshot = folder.json(&["snapshot", "app"]);
    assert_eq!(series(&snapshot, EVIL)["labels"][EVIL], EVIL);
    assert_eq!(snapshot["processes"][0]["role"], EVIL);
}

#[test]
fn colours_only_on_a_terminal_and_only_if_wanted() {
    let folder = Folder::new();
    let segment = folder.segment("app");
    segment.counter("c").register().unwrap();
    let coloured = |no_color: Option<&str>, term: &str| {
        let mut command = folder.command(&["snapshot", "app"]);
        command.env("TERM", term);
        if let Some(value) = no_color {
            command.env("NO_COLOR", value);
        }
        let output = on_a_terminal(command);
        // A table, as it is a terminal.
        assert!(output.contains("SERIES"), "{output}");
        output.contains('\x1b')
    };
    assert!(coloured(None, "xterm"));
    assert!(coloured(Some(""), "xterm"));
    assert!(!coloured(Some("1"), "xterm"));
    assert!(!coloured(None, "dumb"));
    assert!(
        !folder
            .run(&["snapshot", "app", "--format", "table"])
            .stdout
            .contains('\x1b')
    );
}
