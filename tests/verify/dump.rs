//! `dump` of a damaged file: what is shown of a text is bounded by what such a text may have, and all of them together by the region.

use std::convert::Infallible;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use shmetrics::Segment;
use shmetrics::dump::Dump;
use shmetrics::layout::Fnv;
use shmetrics::layout::geometry::Geometry;
use shmetrics::layout::labels::MAX_ENCODED_LENGTH;
use shmetrics::layout::record::*;

use super::fixture::*;
use super::memory;
use super::support::Scratch;

/// Longest that a byte of a text becomes when it is quoted: a control character, as `\u{1f}`; others that are written out have more
/// bytes themselves.
const MOST_PER_BYTE: usize = 6;

/// The most characters of one line, and of the meanings of all records together.
fn lengths(path: &Path) -> (usize, usize) {
    let (mut longest, mut records) = (0, 0);
    let all = Dump::open(path).unwrap().each(|line| {
        longest = longest.max(line.meaning.len());
        if line.name.starts_with("record ") {
            records += line.meaning.len();
        }
        Ok::<(), Infallible>(())
    });
    let Ok(()) = all;
    (longest, records)
}

/// What is said of the word at this offset.
fn meaning(path: &Path, offset: u64) -> String {
    let mut meaning = String::new();
    let all = Dump::open(path).unwrap().each(|line| {
        if line.offset == offset {
            meaning = line.meaning;
        }
        Ok::<(), Infallible>(())
    });
    let Ok(()) = all;
    meaning
}

#[test]
fn no_text_is_shown_beyond_its_limit() {
    let fixture = Fixture::new("dump-limits");
    let f = &fixture;
    let most = MAX_ENCODED_LENGTH * MOST_PER_BYTE;
    let whole = f.geometry.capacities.text_length;
    assert!(whole as usize > most);
    for (number, word) in [
        (EVENTS, TEXT_WORD),
        (EVENTS, EXTRA_WORD),
        (EVENTS, UNIT_WORD),
        (EVENTS_GET, TEXT_WORD),
        (STEPS, EXTRA_WORD),
        (LOAD, ROOM_WORD),
    ] {
        let at = f.record(number, word);
        let old = f.load(at);
        f.store(at, whole);
        let ((longest, _), memory) = memory::peak_of(|| lengths(&f.path));
        let told = meaning(&f.path, at);
        f.store(at, old);
        let reason = if word == ROOM_WORD {
            "for texts"
        } else {
            "beyond the limit of "
        };
        assert!(told.contains(reason), "record {number}, word {word}: {told}");
        assert!(longest < most, "record {number}, word {word}: {longest}");
        // The texts of a region, and nothing like the region itself.
        assert!(memory < most, "record {number}, word {word}: {memory} bytes");
    }
}

#[test]
fn texts_that_overlap_are_not_shown_again_and_again() {
    let scratch = Scratch::new("dump-overlap");
    let path = scratch.path("segment");
    let segment = Segment::options()
        .preset(shmetrics::Preset::Compact)
        .create_at(&path)
        .unwrap();
    let register = |value: &str| {
        let counter = segment.counter("events_total").label("n", value);
        counter.register().unwrap().inc();
    };
    register(&"\u{1}".repeat(1024));
    // Their records are filled anew below.
    (0..500).for_each(|n| register(&n.to_string()));
    drop(segment);
    let file = File::options().read(true).write(true).open(&path).unwrap();
    let geometry: Geometry = geometry_of(&path);
    let record = |number: u64| {
        let mut bytes = [0; RECORD_LENGTH as usize];
        file.read_exact_at(&mut bytes, geometry.record_offset(number))
            .unwrap();
        let mut words = [0; RECORD_WORDS];
        for (word, bytes) in words.iter_mut().zip(bytes.as_chunks::<8>().0) {
            *word = u64::from_ne_bytes(*bytes);
        }
        words
    };
    let long = record(2)[TEXT_WORD];
    for number in 3..=502 {
        let mut words = record(number);
        words[TEXT_WORD] = long;
        let content = words[SHAPE_WORD..CHECKSUM_WORD].iter();
        words[CHECKSUM_WORD] = content.fold(Fnv::new(), |hash, word| hash.word(*word)).finish();
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        file.write_all_at(&bytes, geometry.record_offset(number)).unwrap();
    }
    let (_, records) = lengths(&path);
    // Beside the texts a record says less than this.
    let most = geometry.capacities.text_length as usize * MOST_PER_BYTE + 502 * 1024;
    assert!(records < most, "{records} characters, expected less than {most}");
}
