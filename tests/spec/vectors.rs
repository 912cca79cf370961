//! Figures that an implementer checks against: hashes, bucket bounds, the annotated dump.

use shmetrics::buckets::Exponential;
use shmetrics::layout::{Fnv, fields, labels, record};
use shmetrics_conformance::hex::Dump;

use crate::document::{Document, number};

/// Numbers after `after`, as far as the next full stop or comma.
fn said(text: &str, after: &str) -> u64 {
    let text = text.replace('\n', " ");
    let (_, rest) = text
        .split_once(after)
        .unwrap_or_else(|| panic!("{after:?} is not there"));
    let digits: String = rest
        .trim_start()
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric())
        .collect();
    number(&digits) as u64
}

#[test]
fn hashes_are_those_of_the_code() {
    let spec = Document::spec();
    let (fnv, hashes) = (&spec.section("6.4").text, &spec.section("7.2").text);
    assert_eq!(said(fnv, "`h = "), Fnv::BASIS);
    assert_eq!(said(fnv, "xor byte) × "), Fnv::PRIME);
    for text in ["", "a", "foobar"] {
        assert_eq!(
            said(fnv, &format!("FNV(\"{text}\") = ")),
            Fnv::new().bytes(text.as_bytes()).finish()
        );
    }
    assert_eq!(
        said(hashes, "family `requests_total`: "),
        record::family_hash("requests_total")
    );
    let encoded = labels::encode(&[("method", "GET")]).unwrap();
    let bytes: Vec<String> = encoded.iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(hashes.contains(&format!("(labels `{}`)", bytes.join(" "))));
    assert_eq!(said(hashes, "45 54`): "), record::series_hash(1, &encoded));
    assert_eq!(said(hashes, "without labels: "), record::series_hash(1, &[]));
}

/// Bucket bounds made from the mantissas in the text, by the steps in the text.
#[test]
fn bucket_bounds_are_those_of_the_code() {
    let spec = Document::spec();
    let section = spec.section("9.8");
    let mantissas: Vec<u64> = section
        .blocks
        .iter()
        .flat_map(|(_, block)| block.split_whitespace())
        .filter(|word| word.len() == 13)
        .filter_map(|word| u64::from_str_radix(word, 16).ok())
        .collect();
    assert_eq!(mantissas.len(), 128);
    for row in &section.tables[0].rows {
        let (step, mantissa) = (number(&row[1]) as usize, number(&row[2]) as u64);
        assert_eq!(mantissa, mantissas[step]);
        assert_eq!(
            row[3].parse::<f64>().unwrap(),
            f64::from_bits(1023 << 52 | mantissa)
        );
    }
    for scale in 0..=Exponential::MAX_SCALE {
        for (low, high) in [(-20, 12), (-1022, -1020), (1020, 1023), (-3, 5)] {
            let scheme = Exponential::new(scale, low, high).unwrap();
            for i in 0..scheme.buckets() - 1 {
                let k = (i64::from(low) << scale) + i as i64;
                let e = k.div_euclid(1 << scale);
                let p = (k - (e << scale)) as usize;
                let bound = f64::from_bits(((e + 1023) as u64) << 52 | mantissas[p << (7 - scale)]);
                assert_eq!(
                    bound,
                    scheme.upper_bound(i),
                    "scale {scale}, low {low}, bucket {i}"
                );
            }
        }
    }
}

/// `offset  bytes  name  meaning`: a word of the dump.
fn dump(spec: &Document, section: &str) -> Vec<(u64, [u8; 8], String)> {
    let blocks = &spec.section(section).blocks;
    let (_, block) = blocks
        .iter()
        .find(|(language, _)| language == "dump")
        .expect("the dump");
    block
        .lines()
        .map(|line| {
            let mut words = line.split_whitespace();
            let offset = u64::from_str_radix(words.next().unwrap(), 16).unwrap();
            let bytes: Vec<u8> = words
                .by_ref()
                .take(8)
                .map(|byte| u8::from_str_radix(byte, 16).unwrap())
                .collect();
            (
                offset,
                bytes.try_into().expect(line),
                words.next().expect(line).to_owned(),
            )
        })
        .collect()
}

#[test]
fn the_dump_is_the_golden_file_word_by_word() {
    let golden = Dump::parse(include_str!("../data/valid/smallest.hex")).unwrap();
    let spec = Document::spec();
    let dump = dump(&spec, "20.1");
    let bytes: Vec<[u8; 8]> = golden.words.iter().map(|word| word.to_ne_bytes()).collect();
    let mut file = bytes.iter().enumerate().filter(|(_, bytes)| **bytes != [0; 8]);
    for (offset, bytes, name) in &dump {
        let (index, found) = file.next().expect("the dump has more words than the file");
        assert_eq!((*offset, bytes), (index as u64 * 8, found), "{name}");
    }
    assert_eq!(
        file.next(),
        None,
        "the file has words that the dump does not list"
    );
}

#[test]
fn names_in_the_dump_are_those_of_the_fields_at_these_offsets() {
    let spec = Document::spec();
    let mut named = 0;
    for (offset, bytes, name) in dump(&spec, "20.1") {
        let Some((structure, field)) = name.split_once('.') else {
            continue;
        };
        let structure = structure.replace('_', " ");
        let structure = fields::structure(&structure).unwrap_or_else(|| panic!("no structure {structure}"));
        let start = if structure.name.contains("header") {
            0
        } else {
            offset - offset % structure.length
        };
        // Entries of 384 bytes are not at multiples of their length in the file: this file has one, the first.
        let start = if structure.name == "process entry" {
            word(&spec, "header.process_directory_region")
        } else {
            start
        };
        let found = structure.at(offset - start).unwrap();
        assert_eq!(found.name, field, "{offset:#x} {bytes:x?}");
        named += 1;
    }
    assert!(named > 50, "{named}");
}

fn word(spec: &Document, name: &str) -> u64 {
    let found = dump(spec, "20.1").into_iter().find(|(_, _, found)| found == name);
    u64::from_le_bytes(found.unwrap_or_else(|| panic!("{name} is not in the dump")).1)
}

/// All of the entry, and the words of the header that it needs.
#[test]
fn the_error_entry_is_that_of_the_golden_file_word_by_word() {
    let golden = Dump::parse(include_str!("../data/valid/error_log.hex")).unwrap();
    let at = |offset: u64| golden.words[(offset / 8) as usize];
    let base = at(shmetrics::layout::header::ERRORS_REGION_OFFSET);
    let entry = fields::structure("error entry").unwrap();
    let mut there: Vec<u64> = (base..base + entry.length)
        .step_by(8)
        .filter(|offset| at(*offset) != 0)
        .collect();
    there.reverse();
    for (offset, bytes, name) in dump(&Document::spec(), "20.6") {
        assert_eq!(bytes, at(offset).to_ne_bytes(), "{name}");
        let (structure, field) = name.split_once('.').unwrap();
        let (structure, start) = match structure {
            "header" => (fields::structure("header").unwrap(), 0),
            _ => (entry, base),
        };
        assert_eq!(structure.at(offset - start).unwrap().name, field, "{name}");
        if start == base {
            assert_eq!(there.pop(), Some(offset), "{name}");
        }
    }
    assert!(
        there.is_empty(),
        "the entry has words that the dump does not list"
    );
}
