//! Texts of a segment and of paths, of every kind that could mislead a terminal, a parser or a person, through every command and
//! format. Segments are made by hand: nothing stands between such a text and the file.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use serde_json::Value as Json;
use shmetrics::layout::geometry::Capacities;
use shmetrics::{Kind, Merge};
use shmetrics_conformance::image::{Family, Image, Owner, Parameters, Place, SHARED};

use super::support::*;

/// At most 63 bytes each, as units are; different ones.
const TEXTS: [&str; 20] = [
    "c0 \x01\x02\x07\x08\x0e\x1f",
    "lines\r\nand\x0b\x0c\u{85}more\u{2028}of\u{2029}them\n",
    "tab\there",
    "\x1b[2J\x1b[1;1H\x1b[31mescape",
    "\x1b]0;title\x07\x1b]52;c;aGk=\x1b\\osc",
    "c1 \u{80}\u{90}\u{9b}31m\u{9d}0;x\u{9c}\u{9f}",
    "del\x7f",
    "bidi \u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}",
    "marks \u{200e}\u{200f}\u{61c}",
    "unseen \u{200b}\u{200c}\u{200d}\u{2060}\u{feff}\u{ad}\u{180e}",
    "tags \u{e0001}\u{e0041}\u{e007f}",
    "quotes \"'`",
    "back\\slashes \\u{1b} \\\\ \\n \\",
    "\"},{\"name\":\"json",
    "hits{method=\"GET\"}",
    "columns  99  alive",
    "spaces\u{2003}\u{3000}99",
    " edges ",
    "Z\u{300}\u{301}\u{302}\u{303}\u{304}\u{305}\u{306}\u{307}\u{308}\u{309}\u{30a}\u{30b}",
    "wide 漢字 한글 🙂",
];

/// A counter, a gauge, a histogram and a process for each text; `text` says which.
fn furnished(text: impl Fn(usize) -> String) -> Image {
    let count = TEXTS.len() as u64;
    let mut image = Image::new(Capacities {
        process_slots: count + 1,
        lanes: 2,
        series: 8 * count,
        text_length: 256 << 10,
        counters: 2 * count,
        gauges: 2 * count,
        blocks_length: 1 << 20,
        errors: 0,
        reset_tables: 0,
        budget: 1 << 30,
        epoch_length_ns: 10_000_000_000,
    })
    .unwrap();
    let plain = Parameters::plain();
    for slot in 0..TEXTS.len() {
        let text = text(slot);
        let labels = [(text.as_str(), text.as_str())];
        let owner = Owner {
            command: text.clone().into(),
            ..Owner::new(&text)
        };
        image.claim(slot as u64, &owner);
        let family = Family::new(&text, Kind::CounterU64).help(&text).unit(&text);
        let family = image.family(&family);
        let series = image.series(family, &labels, &plain);
        image.count(&series, SHARED, slot as u64 + 1);
        let name = format!("each {text}");
        let family = image.family(&Family::new(&name, Kind::GaugeI64).merge(Merge::Last).unit(&text));
        let series = image.series(family, &labels, &plain);
        image.set_gauge(&series, slot as u64, 7u64);
        let name = format!("histogram {text}");
        let family = image.family(&Family::new(&name, Kind::HistogramInteger));
        image.series(family, &labels, &Parameters::exponential(0, 0, 4));
    }
    image
}

/// Bytes of a text field as they are, padded with NUL.
fn put_bytes(image: &mut Image, place: Place, field: &str, bytes: &[u8]) {
    let start = image.offset(place, field);
    for (index, chunk) in bytes.chunks(8).enumerate() {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        image.set_word(start + index as u64 * 8, u64::from_ne_bytes(word));
    }
}

/// The raw bytes of a text that a record names: as many as it had.
fn overwrite(image: &mut Image, record: u64, field: &str, byte: u8) {
    let range = image.get(Place::Record(record), field);
    let (offset, length) = (range >> 32, range & 0xffff_ffff);
    let start = image.geometry().text_offset + offset;
    for index in 0..length / 8 {
        image.set_word(start + index * 8, u64::from_ne_bytes([byte; 8]));
    }
}

/// No control but line ends, nothing that turns or hides text: SPEC.md D-7, and what this program promises beyond it.
#[track_caller]
fn assert_tame(text: &str, what: &str) {
    let raw = text.chars().find(|c| {
        (c.is_control() && *c != '\n')
            || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
            || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
    });
    assert_eq!(raw, None, "{what}: {text:?}");
}

/// Without the four sequences that this program sends itself.
fn without_colours(text: &str) -> String {
    let own = ["\x1b[1m", "\x1b[2m", "\x1b[33m", "\x1b[0m"];
    let plain = own
        .iter()
        .fold(text.to_owned(), |text, code| text.replace(code, ""));
    plain.replace("\r\n", "\n")
}

const COMMANDS: [&[&str]; 10] = [
    &["snapshot", "--format", "json"],
    &["snapshot", "--format", "table"],
    &["snapshot", "--format", "json", "--processes"],
    &["snapshot", "--format", "table", "--processes"],
    &["inspect", "--format", "json"],
    &["inspect", "--format", "table"],
    &["inspect", "--hex"],
    &["verify", "--format", "json"],
    &["verify", "--format", "table"],
    &["watch", "--count", "1"],
];

/// What each command says of the segment at a path, in a pipe and on a terminal with colours.
fn outputs(folder: &Folder, path: &OsStr) -> Vec<String> {
    let outputs = COMMANDS.iter().map(|command| {
        let mut arguments: Vec<OsString> = command.iter().map(OsString::from).collect();
        arguments.insert(1, path.to_owned());
        let ended = folder.run(&arguments);
        // The verdict of `verify`.
        assert_tame(&ended.stderr, &format!("{command:?}"));
        assert!(
            ended.stderr.lines().count() <= usize::from(command[0] == "verify"),
            "{ended:?}"
        );
        assert_tame(&ended.stdout, &format!("{command:?}"));
        if ended.code == 0 {
            let mut on = folder.command(&arguments);
            on.env("TERM", "xterm");
            assert_tame(
                &without_colours(&on_a_terminal(on)),
                &format!("{command:?} on a terminal"),
            );
        }
        if command.contains(&"json") || command[0] == "watch" {
            serde_json::from_str::<Json>(&ended.stdout)
                .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        }
        ended.stdout
    });
    outputs.collect()
}

fn write(folder: &Folder, name: &str, image: &Image) -> OsString {
    let path = folder.path(name);
    image.write_to(Path::new(&path)).unwrap();
    path.into()
}

#[test]
fn every_text_is_itself_in_json_and_written_out_elsewhere() {
    let folder = Folder::new();
    let hostile = write(&folder, "hostile", &furnished(|slot| TEXTS[slot].to_owned()));
    let plain = write(&folder, "plain", &furnished(|slot| format!("plain_{slot}")));
    let (hostile, plain) = (outputs(&folder, &hostile), outputs(&folder, &plain));
    for ((command, hostile), plain) in COMMANDS.iter().zip(&hostile).zip(&plain) {
        // No text begins or ends a line.
        if !command.contains(&"--hex") {
            assert_eq!(
                hostile.lines().count(),
                plain.lines().count(),
                "{command:?}: {hostile}"
            );
        }
    }
    for line in hostile[6].lines() {
        let offset = line.split(' ').next().unwrap();
        assert!(
            u64::from_str_radix(offset, 16).is_ok() && offset.len() >= 8,
            "{line:?}"
        );
    }
    let snapshot: Json = serde_json::from_str(&hostile[2]).unwrap();
    for (slot, text) in TEXTS.iter().enumerate() {
        let counter = series(&snapshot, text);
        for member in ["help", "unit"] {
            assert_eq!(counter[member], *text);
        }
        assert_eq!(counter["labels"][text], *text);
        assert_eq!(counter["value"], slot + 1);
        assert_eq!(
            series(&snapshot, &format!("histogram {text}"))["labels"][text],
            *text
        );
        for member in ["role", "command"] {
            assert_eq!(snapshot["processes"][slot][member], *text);
        }
    }
    // A name cannot pretend to be another series, nor have a value of its own.
    let table = &hostile[1];
    for says in [
        r#""hits{method=\"GET\"}"{"#,
        r#""columns  99  alive"{"#,
        r#""spaces"#,
        r#""back\\slashes \\u{1b} \\\\ \\n \\"{"#,
        r"\u{1b}[2J\u{1b}[1;1H",
    ] {
        assert!(table.contains(says), "{says}: {table}");
    }
}

#[test]
fn texts_that_are_none_and_texts_that_are_too_long_are_told_as_such() {
    let folder = Folder::new();
    let mut image = furnished(|slot| TEXTS[slot].to_owned());
    let long = image.text(&b"\x1b[2J\n\"\\x".repeat(8 << 10));
    assert_eq!(long & 0xffff_ffff, 64 << 10);
    let plain = Parameters::plain();
    let name = "n".repeat(248);
    let mut expected = Vec::new();
    for (number, (field, of_series)) in [("text", false), ("extra", false), ("unit", false), ("text", true)]
        .into_iter()
        .enumerate()
    {
        let name = format!("{name}{number}");
        let unit = "u".repeat(56);
        let family = image.family(&Family::new(&name, Kind::CounterU64).help(&name).unit(&unit));
        let series = image.series(family, &[("label", &name)], &plain).number;
        let record = if of_series { series } else { family };
        // No UTF-8 in the one, 64 KiB in the other.
        if number % 2 == 0 || of_series {
            overwrite(&mut image, record, field, 0xff);
            expected.push((series, if of_series { "V-29" } else { "V-27" }));
        } else {
            image.set(Place::Record(record), field, long).mend_record(record);
            expected.push((series, "V-27"));
        }
    }
    // Labels as long as they may be are a text like any other.
    let value = "\x1b".repeat(1000);
    let labels: Vec<(String, &str)> = (0..7)
        .map(|label| (format!("label_{label}\n"), value.as_str()))
        .collect();
    let labels: Vec<(&str, &str)> = labels
        .iter()
        .map(|(name, value)| (name.as_str(), *value))
        .collect();
    let longest = image.family(&Family::new("longest", Kind::CounterU64));
    image.series(longest, &labels, &plain);
    // Full to their last byte, and nothing of it is UTF-8.
    let slot = TEXTS.len() as u64;
    image.claim(slot, &Owner::new("role"));
    put_bytes(&mut image, Place::Process(slot), "process_role", &[0x9b; 64]);
    put_bytes(
        &mut image,
        Place::Process(slot),
        "process_command",
        &b"\x1b\xff".repeat(64),
    );
    let path = write(&folder, "app", &image);
    let outputs = outputs(&folder, &path);
    let snapshot: Json = serde_json::from_str(&outputs[0]).unwrap();
    for (record, rule) in expected {
        let skipped = snapshot["skipped"].as_array().unwrap();
        let skipped = skipped.iter().find(|skipped| skipped["record"] == record);
        let reason = skipped.unwrap_or_else(|| panic!("{record}: {snapshot}"))["reason"]
            .as_str()
            .unwrap();
        assert!(reason.starts_with(rule), "{record}: {reason}");
    }
    assert_eq!(series(&snapshot, "longest")["labels"]["label_6\n"], value);
    let process = &snapshot["processes"][TEXTS.len()];
    assert_eq!(process["role"], "\u{fffd}".repeat(64));
    assert_eq!(process["command"], "\x1b\u{fffd}".repeat(64));
}

#[test]
fn paths_are_written_out_too() {
    let folder = Folder::new();
    let image = furnished(|slot| format!("plain_{slot}"));
    let place = folder.path("");
    for name in [
        OsString::from("\x1b[2J\x1b]0;owned\x07\r\n\u{9b}\u{202e}\u{200b}\"\\"),
        OsString::from_vec(b"\xff\xfe\x1b[2J\xc0".to_vec()),
    ] {
        let path = Path::new(&place).join(&name);
        image.write_to(&path).unwrap();
        let all = outputs(&folder, path.as_os_str());
        let snapshot: Json = serde_json::from_str(&all[0]).unwrap();
        assert_eq!(snapshot["segment"]["path"], *path.to_string_lossy());
        assert!(all[1].contains("\\u{1b}[2J"), "{}", all[1]);
        // Messages: not there, no segment, not for this command; the name in the folder that is looked into.
        let missing = Path::new(&place).join(OsStr::from_bytes(b"no \x1b[2J\n\xff"));
        let empty = Path::new(&place).join(OsStr::from_bytes(b"empty \x1b[2J\n\xff"));
        std::fs::write(&empty, b"").unwrap();
        for command in ["snapshot", "inspect", "watch", "retire", "create"] {
            for path in [&missing, &empty, &path] {
                if (command == "create") == (*path == missing)
                    || (command != "create" && path.ends_with(&name))
                {
                    continue;
                }
                let ended = folder.run(&[OsStr::new(command), path.as_os_str()]);
                assert_ne!(ended.code, 0, "{ended:?}");
                assert_tame(&ended.stderr, command);
                assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
            }
        }
        std::fs::remove_file(&empty).unwrap();
        let ended = folder.run(&[
            OsStr::new("snapshot"),
            OsStr::new("--match"),
            &name,
            OsStr::new("nothing"),
        ]);
        assert_tame(&ended.stderr, "--match");
        let ended = folder.run(&[OsStr::new("snapshot"), OsStr::from_bytes(b"--\x1b[2J\nflag\xff")]);
        assert_eq!(ended.code, 2);
        assert_tame(&ended.stderr, "usage");
        assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
    }
    // Which of several? Their names are in the message.
    let ended = folder.run(&["snapshot"]);
    assert_eq!(ended.code, 2, "{ended:?}");
    assert_tame(&ended.stderr, "several");
    assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
}
