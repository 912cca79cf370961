//! Curves as SVG, small enough to be kept as a source file: both axes logarithmic, so that a straight line of one decade per decade is
//! cost in proportion to use.

use std::fmt::Write;

use crate::report::time;

/// A curve.
pub struct Line {
    pub name: String,
    /// How much is used, and ns.
    pub points: Vec<(f64, f64)>,
}

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 360.0;
/// Room for what is written at the axes.
const LEFT: f64 = 80.0;
const BOTTOM: f64 = 50.0;
const TOP: f64 = 40.0;
const RIGHT: f64 = 150.0;
const COLOURS: [&str; 3] = ["#1f6feb", "#d9480f", "#2b8a3e"];

/// From whole decade to whole decade.
fn decades(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let least = values.clone().fold(f64::INFINITY, f64::min).log10().floor();
    let most = values.fold(0.0, f64::max).log10().ceil();
    (least, most.max(least + 1.0))
}

/// A drawing of `lines` over how much of `of` is used.
pub fn svg(heading: &str, of: &str, lines: &[Line]) -> String {
    let points = lines.iter().flat_map(|line| &line.points);
    let (x0, x1) = decades(points.clone().map(|point| point.0));
    let (y0, y1) = decades(points.map(|point| point.1));
    let x = |value: f64| LEFT + (value.log10() - x0) / (x1 - x0) * (WIDTH - LEFT - RIGHT);
    let y = |value: f64| HEIGHT - BOTTOM - (value.log10() - y0) / (y1 - y0) * (HEIGHT - BOTTOM - TOP);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>\n\
         <text x=\"{LEFT}\" y=\"22\" font-size=\"15\">{heading}</text>\n"
    );
    let (left, right, top, bottom) = (LEFT, WIDTH - RIGHT, TOP, HEIGHT - BOTTOM);
    for decade in x0 as i32..=x1 as i32 {
        let value = 10f64.powi(decade);
        let at = x(value);
        let _ = writeln!(
            svg,
            "<path d=\"M{at:.1} {top}V{bottom}\" stroke=\"#ddd\"/><text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{value}</text>",
            bottom + 18.0
        );
    }
    for decade in y0 as i32..=y1 as i32 {
        let value = 10f64.powi(decade);
        let at = y(value);
        let text = time(value);
        let text = text.replace(".000", "").replace(".00", "").replace(".0", "");
        let _ = writeln!(
            svg,
            "<path d=\"M{left} {at:.1}H{right}\" stroke=\"#ddd\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{text}</text>",
            left - 6.0,
            at + 4.0
        );
    }
    let _ = writeln!(
        svg,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{of} in use</text>",
        (left + right) / 2.0,
        HEIGHT - 12.0
    );
    for (line, colour) in lines.iter().zip(COLOURS) {
        let points: Vec<String> = line
            .points
            .iter()
            .map(|point| format!("{:.1},{:.1}", x(point.0), y(point.1)))
            .collect();
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            points.join(" ")
        );
        for point in &line.points {
            let _ = writeln!(
                svg,
                "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\" fill=\"{colour}\"/>",
                x(point.0),
                y(point.1)
            );
        }
        if let Some(last) = line.points.last() {
            let _ = writeln!(
                svg,
                "<text x=\"{:.1}\" y=\"{:.1}\" fill=\"{colour}\">{}</text>",
                x(last.0) + 8.0,
                y(last.1) + 4.0,
                line.name
            );
        }
    }
    svg.push_str("</svg>\n");
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawing_is_small_and_whole() {
        let line = Line {
            name: "snapshot".to_owned(),
            points: vec![(1.0, 900.0), (1000.0, 1e6)],
        };
        let svg = svg("Growth", "lanes", &[line]);
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n") && svg.len() < 20_000);
        assert!(!svg.contains("NaN"));
    }
}
