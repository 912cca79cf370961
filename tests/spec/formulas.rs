//! Formulas of SPEC.md, evaluated as they stand there, against the code.

use std::collections::HashMap;
use std::iter::Peekable;

use shmetrics::layout::block::BlockShape;
use shmetrics::layout::events::{EVENTS_SHARED_LENGTH, EventsShape};
use shmetrics::layout::geometry::{Capacities, Geometry};

use crate::document::{Document, number};

/// `name = expression` or `name(parameter) = expression`; what follows three spaces, or is in parentheses at the end, is a remark.
struct Formulas<'a> {
    lines: Vec<(&'a str, &'a str)>,
    values: HashMap<&'a str, i128>,
}

impl<'a> Formulas<'a> {
    fn new(block: &'a str) -> Self {
        let definitions = block.lines().filter_map(|line| line.split_once(" = "));
        let lines = definitions
            .map(|(name, rest)| (name.trim(), rest.trim_start().split("   ").next().unwrap().trim()))
            .collect();
        Formulas {
            lines,
            values: HashMap::new(),
        }
    }

    fn set(&mut self, name: &'a str, value: impl Into<i128>) {
        self.values.insert(name, value.into());
    }

    /// What the expression to the right of this name gives.
    fn value(&self, name: &str) -> i128 {
        if let Some(value) = self.values.get(name) {
            return *value;
        }
        let line = self.lines.iter().find(|(left, _)| *left == name);
        let (_, expression) = line.unwrap_or_else(|| panic!("{name} has no formula"));
        self.evaluate(expression, None)
    }

    /// What the function of this name gives.
    fn call(&self, name: &str, argument: i128) -> i128 {
        let line = self.lines.iter().find_map(|(left, right)| {
            let (function, parameter) = left.strip_suffix(')')?.split_once('(')?;
            (function == name).then_some((parameter, right))
        });
        let (parameter, expression) = line.unwrap_or_else(|| panic!("{name}() has no formula"));
        self.evaluate(expression, Some((parameter, argument)))
    }

    fn evaluate(&self, expression: &str, argument: Option<(&str, i128)>) -> i128 {
        if let Some(least) = expression.strip_prefix("least power of two >= ") {
            return (self.evaluate(least, argument) as u128).next_power_of_two() as i128;
        }
        let tokens = tokens(expression);
        let mut parser = Parser {
            formulas: self,
            argument,
            tokens: tokens.iter().map(String::as_str).peekable(),
        };
        let (top, bottom) = parser.alternatives();
        assert_eq!(parser.tokens.next(), None, "{expression}");
        top.div_euclid(bottom)
    }
}

fn tokens(expression: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    for character in expression.chars() {
        let is_word = character.is_alphanumeric() || character == '_';
        match tokens.last_mut() {
            Some(last) if is_word && last.chars().all(|c| c.is_alphanumeric() || c == '_') => {
                last.push(character)
            }
            _ => tokens.push(character.to_string()),
        }
    }
    tokens.retain(|token| token != " ");
    tokens
}

/// A fraction, so that only `ceil` and the end of an expression round.
type Fraction = (i128, i128);

struct Parser<'a, I: Iterator<Item = &'a str>> {
    formulas: &'a Formulas<'a>,
    argument: Option<(&'a str, i128)>,
    tokens: Peekable<I>,
}

impl<'a, I: Iterator<Item = &'a str>> Parser<'a, I> {
    fn eat(&mut self, token: &str) -> bool {
        self.tokens.next_if(|next| *next == token).is_some()
    }

    fn alternatives(&mut self) -> Fraction {
        let mut value = self.sum();
        while self.eat("|") {
            let other = self.sum();
            assert_eq!((value.1, other.1), (1, 1));
            value = (value.0 | other.0, 1);
        }
        value
    }

    fn sum(&mut self) -> Fraction {
        let mut value = self.product();
        loop {
            let sign = if self.eat("+") {
                1
            } else if self.eat("−") {
                -1
            } else {
                return value;
            };
            let other = self.product();
            value = (value.0 * other.1 + sign * other.0 * value.1, value.1 * other.1);
        }
    }

    fn product(&mut self) -> Fraction {
        let mut value = self.atom();
        loop {
            if self.eat("×") {
                let other = self.atom();
                value = (value.0 * other.0, value.1 * other.1);
            } else if self.eat("/") {
                let other = self.atom();
                value = (value.0 * other.1, value.1 * other.0);
            } else {
                return value;
            }
        }
    }

    fn arguments(&mut self) -> Vec<Fraction> {
        let mut arguments = vec![self.alternatives()];
        while self.eat(",") {
            arguments.push(self.alternatives());
        }
        assert!(self.eat(")"));
        arguments
    }

    fn atom(&mut self) -> Fraction {
        let token = self.tokens.next().expect("an operand");
        if token == "(" {
            return self.arguments()[0];
        }
        if token.starts_with(|c: char| c.is_ascii_digit()) {
            return (number(token), 1);
        }
        if self.eat("(") {
            let arguments = self.arguments();
            let whole = |index: usize| {
                let (top, bottom) = arguments[index];
                assert_eq!(top % bottom, 0);
                top / bottom
            };
            let (top, bottom) = arguments[0];
            return match token {
                "up" => ((whole(0) + whole(1) - 1).div_euclid(whole(1)) * whole(1), 1),
                "ceil" => ((top + bottom - 1).div_euclid(bottom), 1),
                "lines" => ((whole(0) + 15) / 16, 1),
                "max" => (whole(0).max(whole(1)), 1),
                function => (self.formulas.call(function, whole(0)), 1),
            };
        }
        match self.argument {
            Some((name, value)) if name == token => (value, 1),
            _ => (self.formulas.value(token), 1),
        }
    }
}

/// A geometry as the words of the header name it.
fn words(geometry: &Geometry) -> Vec<(&'static str, u64)> {
    let (g, c) = (geometry, &geometry.capacities);
    vec![
        ("process_slots", c.process_slots),
        ("lanes", c.lanes),
        ("series", c.series),
        ("text_length", c.text_length),
        ("counters", c.counters),
        ("gauges", c.gauges),
        ("blocks_length", c.blocks_length),
        ("errors", c.errors),
        ("reset_tables", c.reset_tables),
        ("records", g.records),
        ("index_entries", g.index_entries),
        ("index_region", g.index_offset),
        ("records_region", g.records_offset),
        ("text_region", g.text_offset),
        ("process_directory_region", g.process_directory_offset),
        ("lane_directory_region", g.lane_directory_offset),
        ("errors_region", g.errors_offset),
        ("resets_region", g.resets_offset),
        ("reset_stride", g.reset_stride),
        ("reset_counters", g.reset_counters_offset),
        ("reset_blocks", g.reset_blocks_offset),
        ("slots_region", g.slots_offset),
        ("slot_stride", g.slot_stride),
        ("shared_counters_region", g.shared_counters_offset),
        ("shared_blocks_region", g.shared_blocks_offset),
        ("lanes_region", g.lanes_offset),
        ("bitmap_words", g.bitmap_words),
        ("lane_counters", g.lane_counters_offset),
        ("lane_baseline", g.lane_baseline_offset),
        ("lane_blocks", g.lane_blocks_offset),
        ("lane_stride", g.lane_stride),
        ("file_length", g.file_length),
    ]
}

/// Capacities that round in every way: the presets, the least, odd ones.
fn geometries() -> impl Iterator<Item = Geometry> {
    let presets = [Capacities::DEFAULT, Capacities::COMPACT, Capacities::LARGE];
    let odd = (1..60u64).map(|n| Capacities {
        process_slots: n,
        lanes: 1 + n * n % 97,
        series: 1 + n * 37,
        text_length: 1024 + n * 131,
        counters: 1 + n * 613,
        gauges: 1 + n * 41,
        blocks_length: 4096 + n * n * 555,
        errors: n * 17,
        reset_tables: 2 * (n % 2),
        budget: n,
        epoch_length_ns: 1_000_000 * n,
    });
    presets
        .into_iter()
        .chain(odd)
        .map(|capacities| Geometry::plan(capacities).unwrap())
}

const CAPACITIES: usize = 9;

#[test]
fn region_formulas_give_the_geometry() {
    let spec = Document::spec();
    let block = &spec.section("6.3").blocks[0].1;
    for geometry in geometries() {
        let words = words(&geometry);
        let mut formulas = Formulas::new(block);
        words[..CAPACITIES]
            .iter()
            .for_each(|(name, value)| formulas.set(name, *value));
        for (name, value) in &words[CAPACITIES..] {
            assert_eq!(formulas.value(name), i128::from(*value), "{name}");
        }
        assert_eq!(
            formulas.lines.len(),
            words.len() - CAPACITIES,
            "every formula is compared"
        );
    }
}

#[test]
fn address_formulas_give_the_addresses() {
    let spec = Document::spec();
    let block = &spec.section("6.3").blocks[1].1;
    let (number, offset, slot, lane, place, granule, word) = (3u64, 8u64, 1u64, 2u64, 5u64, 1280u64, 2u64);
    for g in geometries().filter(|g| g.capacities.lanes >= lane && g.capacities.process_slots > slot) {
        let mut formulas = Formulas::new(block);
        let words = words(&g);
        words.iter().for_each(|(name, value)| formulas.set(name, *value));
        for (name, value) in [
            ("number", number),
            ("offset", offset),
            ("slot", slot),
            ("lane", lane),
            ("i", place),
            ("b", granule),
            ("w", word),
            ("entry", place),
            ("table", 1),
            ("table_start", g.reset_table_offset(1)),
        ] {
            formulas.set(name, value);
        }
        formulas.set("start", g.lane_offset(lane));
        let expected = [
            ("record", g.record_offset(number)),
            ("text byte", g.text_offset + offset),
            ("process entry", g.process_entry_offset(slot)),
            ("lane entry", g.lane_entry_offset(lane)),
            ("error entry", g.error_entry_offset(place)),
            (
                "gauge cell",
                g.slot_offset(slot) + place * shmetrics::layout::directory::GAUGE_CELL_LENGTH,
            ),
            (
                "shared counter",
                g.shared_counters_offset + place * shmetrics::layout::LINE_LENGTH,
            ),
            ("shared block", g.shared_blocks_offset + granule),
            ("start of a lane", g.lane_offset(lane)),
            ("bitmap word w", g.lane_offset(lane) + word * 8),
            (
                "counter",
                g.lane_offset(lane) + g.lane_counters_offset + place * 8,
            ),
            (
                "its baseline",
                g.lane_offset(lane) + g.lane_baseline_offset + place * 8,
            ),
            ("block", g.lane_offset(lane) + g.lane_blocks_offset + granule),
            ("table_start", g.reset_table_offset(1)),
            ("time of a record", g.reset_since_offset(1, number)),
            ("reset counter", g.reset_counter_offset(1, place)),
            ("reset block", g.reset_block_offset(1, granule)),
            ("front of a table", g.reset_front_length()),
            ("front of a lane", g.lane_front_length()),
            ("head of the file", g.head_length()),
        ];
        let names: Vec<&str> = formulas.lines.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, expected.map(|(name, _)| name));
        for (name, value) in expected {
            // By its expression: some names are also those of a word of the header.
            let (_, expression) = formulas.lines.iter().find(|(left, _)| *left == name).unwrap();
            assert_eq!(formulas.evaluate(expression, None), i128::from(value), "{name}");
        }
    }
}

#[test]
fn check_values_of_the_presets_are_right() {
    let spec = Document::spec();
    let table = &spec.section("6.3").tables[0];
    let presets = [Capacities::DEFAULT, Capacities::COMPACT, Capacities::LARGE];
    for (column, capacities) in presets.into_iter().enumerate() {
        let words: HashMap<_, _> = words(&Geometry::plan(capacities).unwrap()).into_iter().collect();
        let mut compared = 0;
        for row in &table.rows {
            let names = row[0]
                .split(',')
                .map(|name| name.split(" (").next().unwrap().trim());
            for (name, said) in names.zip(row[column + 1].split(',')) {
                assert_eq!(number(said), i128::from(words[name]), "{name} of column {column}");
                compared += 1;
            }
        }
        assert_eq!(
            compared,
            words.len() - 1,
            "all but index_region, which is the same in all"
        );
    }
}

#[test]
fn shape_formulas_give_the_shape() {
    let spec = Document::spec();
    let block = &spec.section("9.7").blocks[0].1;
    for buckets in (1..600).chain([8194]) {
        for ring_slots in [0, 1, 2, 3, 64] {
            let shape = BlockShape::new(buckets, ring_slots);
            let mut formulas = Formulas::new(block);
            formulas.set("NB", buckets as i128);
            formulas.set("N", ring_slots as i128);
            let expected = [
                (formulas.value("state"), shape.state_words() as u64),
                (formulas.call("latch", 0), shape.latch(0) as u64),
                (formulas.call("latch", 1), shape.latch(1) as u64),
                (formulas.call("ring", 0), shape.ring(0) as u64),
                (
                    formulas.call("ring", ring_slots as i128),
                    shape.ring(ring_slots) as u64,
                ),
                (formulas.value("length"), shape.length()),
                (formulas.value("shared_length"), shape.shared_length()),
            ];
            for (said, is) in expected {
                assert_eq!(said, i128::from(is), "{shape:?}");
            }
        }
    }
}

#[test]
fn event_formulas_give_the_shape() {
    let spec = Document::spec();
    let block = &spec.section("9.12").blocks[0].1;
    for capacity in [2, 4, 256, 1 << 16] {
        for record_length in [64, 128, 192] {
            let Some(shape) = EventsShape::new(capacity, record_length) else {
                continue;
            };
            let mut formulas = Formulas::new(block);
            formulas.set("N", i128::from(capacity));
            formulas.set("W", i128::from(record_length / 8));
            for record in [0, capacity - 1] {
                assert_eq!(
                    formulas.call("ring", record as i128),
                    shape.record(record) as i128
                );
            }
            assert_eq!(formulas.value("length"), i128::from(shape.length()));
            assert_eq!(formulas.value("shared_length"), i128::from(EVENTS_SHARED_LENGTH));
        }
    }
}

#[test]
fn shapes_in_the_table_are_right() {
    let spec = Document::spec();
    let (_, table) = spec.tables(&["NB", "N"]).next().unwrap();
    assert!(!table.rows.is_empty());
    for row in &table.rows {
        let numbers: Vec<usize> = row.iter().map(|cell| number(cell) as usize).collect();
        let shape = BlockShape::new(numbers[0], numbers[1]);
        let stride = |from: usize, to: usize| to - from;
        let expected = [
            shape.latch(0),
            stride(shape.latch(0), shape.latch(1)),
            shape.ring(0),
            stride(shape.ring(0), shape.ring(1)),
            shape.length() as usize,
        ];
        assert_eq!(numbers[2..], expected);
    }
}
