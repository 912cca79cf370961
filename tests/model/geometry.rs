//! Random capacities and series: no two cells overlap, no two owners share a line.

use super::*;
use shmetrics::layout::error_log::ERROR_ENTRY_LENGTH;

/// A series to register.
#[derive(Clone, Debug)]
enum Spec {
    Counter,
    FloatCounter,
    Gauge(Merge),
    FloatGauge(Merge),
    Integer {
        scale: u8,
        low: i16,
        width: i16,
        ring: u8,
    },
    Float {
        scale: u8,
        low: i16,
        width: i16,
        ring: u8,
    },
    Classic {
        bounds: usize,
        ring: u8,
    },
}

impl Spec {
    /// Registers it under a name of its own, `labels` labels long. Counters are incremented `n` times.
    fn register(&self, segment: &Segment, n: u64, labels: usize) -> Result<(), RegisterError> {
        let name = format!("series_{n}");
        let names: Vec<String> = (0..labels).map(|label| format!("l{label}")).collect();
        let labels = names.iter().map(|name| (name.as_str(), "value"));
        match *self {
            Spec::Counter => segment.counter(&name).labels(labels).register()?.add(n),
            Spec::FloatCounter => segment
                .counter_float(&name)
                .labels(labels)
                .register()?
                .add(n as f64),
            Spec::Gauge(rule) => drop(segment.gauge(&name).merge(rule).labels(labels).register()?),
            Spec::FloatGauge(rule) => drop(segment.gauge_float(&name).merge(rule).labels(labels).register()?),
            Spec::Integer {
                scale,
                low,
                width,
                ring,
            } => {
                let builder = segment.histogram(&name).labels(labels).scale(scale);
                drop(builder.range(low, low + width).ring_slots(ring).register()?);
            }
            Spec::Float {
                scale,
                low,
                width,
                ring,
            } => {
                let builder = segment.histogram_float(&name).labels(labels).scale(scale);
                drop(builder.range(low, low + width).ring_slots(ring).register()?);
            }
            Spec::Classic { bounds, ring } => {
                let bounds: Vec<f64> = (0..bounds).map(|bound| bound as f64).collect();
                let builder = segment.histogram_classic(&name, &bounds).labels(labels);
                drop(builder.ring_slots(ring).register()?);
            }
        }
        Ok(())
    }
}

fn spec() -> impl Strategy<Value = Spec> {
    let rule = prop::sample::select(Merge::ALL.to_vec());
    let exponential = || (0..4u8, -20..20i16, 1..12i16, 0..5u8);
    prop_oneof![
        3 => Just(Spec::Counter),
        2 => Just(Spec::FloatCounter),
        2 => rule.clone().prop_map(Spec::Gauge),
        1 => rule.prop_map(Spec::FloatGauge),
        3 => exponential().prop_map(|(scale, low, width, ring)| Spec::Integer { scale, low, width, ring }),
        2 => exponential().prop_map(|(scale, low, width, ring)| Spec::Float { scale, low, width, ring }),
        3 => (1..40usize, 0..5u8).prop_map(|(bounds, ring)| Spec::Classic { bounds, ring }),
    ]
}

/// Bytes of the file that belong to one owner.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Owned {
    start: u64,
    end: u64,
    owner: String,
}

fn words_at(file: &File, offset: u64, count: u64) -> Vec<u64> {
    let mut bytes = vec![0; (count * WORD_LENGTH) as usize];
    file.read_exact_at(&mut bytes, offset).unwrap();
    let (words, _) = bytes.as_chunks::<8>();
    words.iter().map(|word| u64::from_ne_bytes(*word)).collect()
}

/// The geometry and all published series of a segment, from its bytes: number of the record, record, placement.
fn records_in(path: &Path) -> (File, Geometry, Vec<(u64, SeriesRecord, u64)>) {
    let file = File::open(path).unwrap();
    let header = words_at(&file, 0, HEADER_LENGTH / WORD_LENGTH);
    let immutable: &[u64; IMMUTABLE_WORDS] = header.first_chunk().unwrap();
    let (geometry, _) = Geometry::parse(immutable, file.metadata().unwrap().len()).unwrap();
    let reserved = header[(RESERVED_OFFSET / WORD_LENGTH) as usize].min(geometry.records);
    let mut series = Vec::new();
    for number in 1..=reserved {
        let words = words_at(&file, geometry.record_offset(number), RECORD_WORDS as u64);
        if words[CLAIM_WORD] != PUBLISHED {
            continue;
        }
        let words: &[u64; RECORD_WORDS] = words.first_chunk().unwrap();
        match Record::parse(words, &geometry).unwrap() {
            Record::Family(_) => {}
            Record::Series(_) if words[READY_WORD] != READY => {}
            Record::Series(record) => {
                let placement = record.cell(words[CELL_WORD], &geometry).unwrap();
                series.push((number, record, placement));
            }
        }
    }
    (file, geometry, series)
}

/// The regions of the file, each with its bytes.
fn regions(g: &Geometry) -> Vec<Owned> {
    let c = g.capacities;
    let region = |owner: &str, start: u64, length: u64| Owned {
        start,
        end: start + length,
        owner: owner.to_owned(),
    };
    vec![
        region("header", 0, HEADER_LENGTH),
        region("index", g.index_offset, g.index_entries * WORD_LENGTH),
        region("records", g.records_offset, g.records * RECORD_LENGTH),
        region("text", g.text_offset, c.text_length),
        region(
            "process directory",
            g.process_directory_offset,
            c.process_slots * PROCESS_ENTRY_LENGTH,
        ),
        region(
            "lane directory",
            g.lane_directory_offset,
            c.lanes * LANE_ENTRY_LENGTH,
        ),
        region("error log", g.errors_offset, c.errors * ERROR_ENTRY_LENGTH),
        region("slots", g.slots_offset, c.process_slots * g.slot_stride),
        region(
            "shared counters",
            g.shared_counters_offset,
            c.counters * LINE_LENGTH,
        ),
        region("shared blocks", g.shared_blocks_offset, c.blocks_length),
        region("lanes", g.lanes_offset, c.lanes * g.lane_stride),
        region("reset tables", g.resets_offset, c.reset_tables * g.reset_stride),
    ]
}

/// Everything that some owner writes: cells of series in lanes, slots and the shared lane, directory entries, records, header words.
fn cells(g: &Geometry, series: &[(u64, SeriesRecord, u64)]) -> Vec<Owned> {
    let mut owned = Vec::new();
    let mut put = |owner: String, start: u64, length: u64| {
        let end = start + length;
        owned.push(Owned { start, end, owner });
    };
    put("immutable header".into(), 0, IMMUTABLE_WORDS as u64 * WORD_LENGTH);
    for field in MUTABLE_FIELDS {
        put(field.name.into(), field.offset, field.length);
    }
    put("index".into(), g.index_offset, g.index_entries * WORD_LENGTH);
    put("text".into(), g.text_offset, g.capacities.text_length);
    for entry in 0..g.capacities.errors {
        let start = g.error_entry_offset(entry);
        put(format!("error {entry}"), start, ERROR_ENTRY_LENGTH);
    }
    for record in 1..=g.records {
        put(format!("record {record}"), g.record_offset(record), RECORD_LENGTH);
    }
    for table in 0..g.capacities.reset_tables {
        let owner = format!("reset table {table}");
        put(
            owner.clone(),
            g.reset_table_offset(table),
            g.records * WORD_LENGTH,
        );
        for (_, record, placement) in series {
            match record.kind.space() {
                Space::Counters => put(
                    owner.clone(),
                    g.reset_counter_offset(table, *placement),
                    record.kind.units() * WORD_LENGTH,
                ),
                Space::Blocks => put(
                    owner.clone(),
                    g.reset_block_offset(table, *placement),
                    record.length,
                ),
                Space::Gauges => {}
            }
        }
    }
    for slot in 0..g.capacities.process_slots {
        put(
            format!("entry of slot {slot}"),
            g.process_entry_offset(slot),
            PROCESS_ENTRY_LENGTH,
        );
    }
    for lane in 1..=g.capacities.lanes {
        put(
            format!("entry of lane {lane}"),
            g.lane_entry_offset(lane),
            LANE_ENTRY_LENGTH,
        );
        put(
            format!("lane {lane}"),
            g.lane_offset(lane),
            g.bitmap_words * WORD_LENGTH,
        );
    }
    for (number, record, placement) in series {
        let own = format!("shared cell of {number}");
        match record.kind.space() {
            Space::Counters => put(
                own,
                g.shared_counters_offset + placement * LINE_LENGTH,
                (record.kind.units() - 1) * LINE_LENGTH + WORD_LENGTH,
            ),
            Space::Blocks => put(own, g.shared_blocks_offset + placement, record.length),
            Space::Gauges => {}
        }
        if record.kind.space() == Space::Gauges {
            for slot in 0..g.capacities.process_slots {
                let start = g.slot_offset(slot) + placement * GAUGE_CELL_LENGTH;
                put(format!("slot {slot}"), start, 2 * WORD_LENGTH);
            }
            continue;
        }
        for lane in 1..=g.capacities.lanes {
            let (owner, start) = (format!("lane {lane}"), g.lane_offset(lane));
            if record.kind.space() == Space::Blocks {
                put(owner, start + g.lane_blocks_offset + placement, record.length);
            } else {
                let word = placement * WORD_LENGTH;
                let length = record.kind.units() * WORD_LENGTH;
                put(owner.clone(), start + g.lane_counters_offset + word, length);
                put(owner, start + g.lane_baseline_offset + word, length);
            }
        }
    }
    owned
}

fn assert_disjoint(mut ranges: Vec<Owned>, what: &str) {
    ranges.sort();
    for pair in ranges.windows(2) {
        assert!(pair[0].end <= pair[1].start, "{what} overlap: {pair:?}");
    }
}

proptest! {
    #![proptest_config(random::config(96))]

    #[test]
    fn no_two_cells_overlap_and_no_two_owners_share_a_line(
        (slots, lanes, series) in (1..40u64, 1..24u64, 1..80u64),
        (text, counters, gauges, blocks) in (1024..40_000u64, 1..40u64, 1..40u64, 4096..200_000u64),
        specs in prop::collection::vec((spec(), 0..5usize), 1..12),
        threads in 1..4u64,
    ) {
        let _alone = alone();
        let scratch = Scratch::new("geometry");
        let path = scratch.path("segment");
        let options = Segment::options().process_slots(slots).lanes(lanes).series(series).text_length(text);
        let segment = options.counters(counters).gauges(gauges).blocks_length(blocks).budget(1 << 30)
            .create_at(&path).unwrap();
        // Until nothing fits any more, from several threads at once.
        let registered: u64 = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(|thread| {
                let (segment, specs) = (&segment, &specs);
                scope.spawn(move || {
                    let mut registered = 0;
                    for round in 0.. {
                        let before = registered;
                        for (at, (spec, labels)) in specs.iter().enumerate() {
                            let n = (round * specs.len() as u64 + at as u64) * threads + thread;
                            match spec.register(segment, n, *labels) {
                                Ok(()) => registered += 1,
                                Err(RegisterError::Full { .. }) => {}
                                Err(error) => panic!("{error}"),
                            }
                        }
                        if registered == before {
                            break;
                        }
                    }
                    registered
                })
            }).collect();
            workers.into_iter().map(|worker| worker.join().unwrap()).sum()
        });

        let (file, geometry, found) = records_in(&path);
        prop_assert_eq!(found.len() as u64, registered);
        let all = regions(&geometry);
        prop_assert!(all.iter().all(|region| region.end <= geometry.file_length));
        assert_disjoint(all, "regions");

        for space in [Space::Counters, Space::Gauges, Space::Blocks] {
            let (capacity, most) = match space {
                Space::Counters => (counters, geometry.lane_baseline_offset - geometry.lane_counters_offset),
                Space::Gauges => (gauges, geometry.slot_stride),
                Space::Blocks => (blocks, geometry.lane_stride - geometry.lane_blocks_offset),
            };
            let mut taken = Vec::new();
            for (number, record, placement) in found.iter().filter(|(_, record, _)| record.kind.space() == space) {
                let length = record.length.max(record.kind.units());
                prop_assert!(placement + length <= capacity, "record {} at {}", number, placement);
                if record.kind.is_histogram() {
                    let buckets = match record.buckets {
                        Buckets::Exponential(parameters) => parameters.buckets(),
                        Buckets::Classic(bounds) => bounds.length as usize / 8 + 1,
                        _ => 0,
                    };
                    let shape = BlockShape::new(buckets, usize::from(record.ring_slots));
                    prop_assert_eq!(record.length, shape.length());
                    prop_assert_eq!(placement % LINE_LENGTH, 0);
                    prop_assert_eq!(record.length % LINE_LENGTH, 0);
                    prop_assert_eq!(record.length / LINE_LENGTH % 2, 1);
                }
                taken.push(Owned { start: *placement, end: placement + length, owner: format!("record {number}") });
            }
            let unit = match space { Space::Counters => WORD_LENGTH, Space::Gauges => LINE_LENGTH, Space::Blocks => 1 };
            prop_assert!(capacity * unit <= most, "{:?} do not fit their part", space);
            assert_disjoint(taken, "cells");
        }

        let mut lines = cells(&geometry, &found);
        for owned in &mut lines {
            (owned.start, owned.end) = (owned.start / LINE_LENGTH, owned.end.div_ceil(LINE_LENGTH));
        }
        lines.sort();
        let mut reach: Option<&Owned> = None;
        for owned in &lines {
            if let Some(before) = reach {
                prop_assert!(owned.start >= before.end || owned.owner == before.owner, "{:?} {:?}", before, owned);
            }
            if reach.is_none_or(|before| owned.end > before.end) {
                reach = Some(owned);
            }
        }

        // And the cells are where the layout says: what was counted is found there.
        for (number, record, placement) in found.iter().filter(|(_, record, _)| record.kind.space() == Space::Counters) {
            let is_float = record.kind == shmetrics::layout::kind::Kind::CounterF64;
            let shared = geometry.shared_counters_offset + placement * LINE_LENGTH;
            let word = geometry.lane_counters_offset + placement * WORD_LENGTH;
            let places = (1..=lanes).map(|lane| geometry.lane_offset(lane) + word).chain([shared]);
            let total: u64 = places.map(|offset| {
                let bits = words_at(&file, offset, 1)[0];
                if is_float { f64::from_bits(bits) as u64 } else { bits }
            }).sum();
            let family = words_at(&file, geometry.record_offset(record.family), RECORD_WORDS as u64);
            let name = TextRange::unpack(family[TEXT_WORD]);
            let mut text = vec![0; name.length as usize];
            file.read_exact_at(&mut text, geometry.text_offset + u64::from(name.offset)).unwrap();
            prop_assert_eq!(String::from_utf8(text).unwrap(), format!("series_{}", total), "record {}", number);
        }
    }
}
