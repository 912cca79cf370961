//! The text itself: its contents list, its references, the terms it defines.

use std::collections::BTreeSet;

use crate::document::Document;

#[test]
fn the_contents_list_has_every_section_in_order() {
    let spec = Document::spec();
    let (_, contents) = spec.text.split_once("Contents: ").unwrap();
    let contents = contents.split("\n\n").next().unwrap().replace('\n', " ");
    let listed: Vec<&str> = contents.split('·').map(str::trim).collect();
    let sections: Vec<_> = spec
        .sections
        .iter()
        .filter(|section| !section.number.contains('.'))
        .collect();
    assert_eq!(listed.len(), sections.len());
    for (index, (entry, section)) in listed.iter().zip(sections).enumerate() {
        let (number, title) = entry.split_once(' ').unwrap();
        assert_eq!(
            (number, section.number.as_str()),
            (section.number.as_str(), (index + 1).to_string().as_str())
        );
        let first = |text: &str| text.split([' ', ',']).next().unwrap().to_lowercase();
        assert_eq!(first(title), first(&section.title), "{entry}");
    }
}

#[test]
fn subsections_are_numbered_without_gaps() {
    let spec = Document::spec();
    let mut before: Vec<u32> = Vec::new();
    for section in &spec.sections {
        let number: Vec<u32> = section
            .number
            .split('.')
            .map(|part| part.parse().unwrap())
            .collect();
        let mut expected: Vec<Vec<u32>> = vec![[before.clone(), vec![1]].concat()];
        for depth in 1..=before.len() {
            let mut next = before[..depth].to_vec();
            next[depth - 1] += 1;
            expected.push(next);
        }
        assert!(
            expected.contains(&number),
            "{} follows {before:?}",
            section.number
        );
        before = number;
    }
}

/// References look like `(10.7.2)`, `section 13`, `10.1 to 10.4` in tables' column *See*.
#[test]
fn references_lead_to_sections() {
    let spec = Document::spec();
    let mut numbers: BTreeSet<String> = spec
        .sections
        .iter()
        .map(|section| section.number.clone())
        .collect();
    // Parts within a section that have a number in bold.
    for section in &spec.sections {
        for bold in section.text.split("**").skip(1).step_by(2) {
            if let Some(number) = bold
                .split(' ')
                .next()
                .filter(|number| number.starts_with(&format!("{}.", section.number)))
            {
                numbers.insert(number.to_owned());
            }
        }
    }
    let is_section = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit() || c == '.');
    let mut checked = 0;
    let mut check = |number: &str, context: &str| {
        if is_section(number) {
            // A step of a numbered list within a section: 10.1.5.
            let parent = number.rsplit_once('.').map(|(parent, _)| parent);
            let step =
                number.split('.').count() == 3 && parent.is_some_and(|parent| numbers.contains(parent));
            assert!(
                numbers.contains(number) || step,
                "{context:?}: no section {number}"
            );
            checked += 1;
        }
    };
    for line in spec.text.lines() {
        for part in line
            .split("section ")
            .skip(1)
            .chain(line.split("sections ").skip(1))
        {
            check(
                part.split([' ', ',', ')', ';', ':'])
                    .next()
                    .unwrap()
                    .trim_end_matches('.'),
                line,
            );
        }
        for part in line.split('(').skip(1) {
            let inside = part.split([')', ',', ';', ' ']).next().unwrap();
            if inside.contains('.') && !inside.contains("..") {
                check(inside, line);
            }
        }
    }
    for table in spec.sections.iter().flat_map(|section| &section.tables) {
        if table.columns.iter().any(|column| column == "See") {
            for cell in table.column("See") {
                for word in cell.split([' ', ',']).filter(|word| is_section(word)) {
                    check(word, cell);
                }
            }
        }
    }
    assert!(checked > 60, "{checked}");
}

#[test]
fn assumptions_and_duties_are_numbered_in_order_and_named_only_if_they_exist() {
    let spec = Document::spec();
    for (letter, section) in [('A', "4"), ('D', "12.3")] {
        let text = &spec.section(section).text;
        let defined = text.matches(&format!("* **{letter}-")).count();
        for number in 1..=defined {
            assert!(
                text.contains(&format!("* **{letter}-{number}** ")),
                "{letter}-{number}"
            );
        }
        for (at, _) in spec.text.match_indices(&format!("{letter}-")) {
            let before = spec.text[..at].chars().next_back().unwrap();
            let digits: String = spec.text[at + 2..]
                .chars()
                .take_while(char::is_ascii_digit)
                .collect();
            if before.is_alphanumeric() || digits.is_empty() {
                continue;
            }
            assert!(
                (1..=defined).contains(&digits.parse().unwrap()),
                "{letter}-{digits}"
            );
        }
    }
}
