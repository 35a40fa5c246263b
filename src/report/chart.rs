//! Series as a chart of text, over days or times.
//!
//! The first series is a fine line of braille dots, eight to a character; each other one has a mark of its own, so
//! that they can be told apart without colours as well.

use super::style::{FAINT, Screen, visible};
use anstyle::{AnsiColor, Style};
use unicode_width::UnicodeWidthStr;

/// The height where the screen does not say, and the most that is used, in lines with axis and legend.
const MOST_LINES: usize = 24;
/// The least height, in lines of the plot.
const LEAST_ROWS: usize = 4;
/// The least width of the plot, in characters.
const LEAST_COLUMNS: usize = 10;
/// The width where the screen does not say.
const USUAL_WIDTH: usize = 80;
/// Lines that are no plot: legend, axis, labels, and one for the prompt.
const OTHER_LINES: usize = 4;
/// Lines of the plot to a label of the vertical axis.
const ROWS_PER_LABEL: usize = 4;
/// What the second, third, … series is drawn with.
const MARKS: [char; 4] = ['•', '+', '×', '◦'];
/// What the first, second, … series is coloured with.
const COLOURS: [Style; 5] = [
    Style::new().bold(),
    AnsiColor::Cyan.on_default(),
    AnsiColor::Yellow.on_default(),
    AnsiColor::Magenta.on_default(),
    AnsiColor::Green.on_default(),
];
/// A character of braille has two columns of dots.
const DOTS_ACROSS: usize = 2;
/// A character of braille has four rows of dots.
const DOTS_DOWN: usize = 4;
/// The bit of each dot, from the character U+2800, by row and column.
const DOTS: [[u32; DOTS_ACROSS]; DOTS_DOWN] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];

/// From low to high.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// One line of a chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Its name in the legend.
    pub name: String,
    /// A value for each label, none where there is a gap. For drawing only, so a binary float will do.
    pub values: Vec<Option<f64>>,
}

/// Draws the series over the labels of their values, in the order of both; empty where there is nothing to draw.
#[must_use]
pub fn chart(labels: &[String], series: &[Series], screen: Screen) -> String {
    let values = || series.iter().flat_map(|s| s.values.iter().flatten().copied()).filter(|v| v.is_finite());
    let Some(low) = values().reduce(f64::min) else { return String::new() };
    let high = values().reduce(f64::max).unwrap_or(low);
    let rows = screen.height.unwrap_or(MOST_LINES).min(MOST_LINES).saturating_sub(OTHER_LINES).max(LEAST_ROWS);
    let scale = Scale::around(low, high, rows / ROWS_PER_LABEL);
    let axis = scale.ticks().map(|tick| scale.label(tick).width()).max().unwrap_or(0);
    // A space, the label, a space and the axis.
    let columns = screen.width.unwrap_or(USUAL_WIDTH).saturating_sub(axis + 3).max(LEAST_COLUMNS);

    let mut canvas = Canvas::new(columns, rows);
    // The first series last: its line is the one not to be hidden.
    for (at, series) in series.iter().enumerate().rev() {
        canvas.draw(at, &series.values, &scale);
    }

    let mut chart = format!(" {}\n", legend(series, screen));
    for row in 0..rows {
        let tick = scale.ticks().find(|tick| scale.row(*tick, rows) == row);
        let (label, mark) = tick.map_or((String::new(), '│'), |tick| (scale.label(tick), '┤'));
        let left = screen.paint(FAINT, &format!(" {label:>axis$} {mark}"));
        chart.push_str(&left);
        chart.push_str(canvas.line(row, screen).trim_end());
        chart.push('\n');
    }
    let bottom = format!(" {:axis$} └{}", "", "─".repeat(columns));
    chart.push_str(&screen.paint(FAINT, &bottom));
    chart.push('\n');
    let below = format!(" {:axis$}  {}", "", along(labels, columns));
    chart.push_str(below.trim_end());
    chart.push('\n');
    chart
}

/// The last values as bars from the lowest to the highest of them, at most `width`: `▁▂▃▅▇`.
#[must_use]
pub fn spark(values: &[f64], width: usize) -> String {
    let values = values.get(values.len().saturating_sub(width)..).unwrap_or_default();
    let (low, high) = values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(*v), h.max(*v)));
    let bar = |value: &f64| match (value - low) / (high - low) {
        share if share.is_finite() => BARS.get((share * 7.0).round() as usize).copied().unwrap_or(' '),
        // All are the same: the middle.
        _ => '▄',
    };
    values.iter().map(bar).collect()
}

/// `⠤ close   • sma_5   + sma_20`.
fn legend(series: &[Series], screen: Screen) -> String {
    let names = series.iter().enumerate().map(|(at, series)| {
        let mark = at.checked_sub(1).map_or('⠤', mark);
        screen.paint(colour(at), &format!("{mark} {}", visible(&series.name)))
    });
    names.collect::<Vec<_>>().join("   ")
}

fn mark(other: usize) -> char {
    MARKS.iter().cycle().nth(other).copied().unwrap_or('•')
}

fn colour(series: usize) -> Style {
    COLOURS.iter().cycle().nth(series).copied().unwrap_or_default()
}

/// The first and the last label below their values, and the middle one where there is room.
fn along(labels: &[String], columns: usize) -> String {
    let label = |at: usize| labels.get(at).map(|label| visible(label).into_owned()).unwrap_or_default();
    let (first, last) = (label(0), if labels.len() > 1 { label(labels.len() - 1) } else { String::new() });
    let room = columns.saturating_sub(first.width() + last.width());
    if room == 0 {
        return first;
    }
    let middle = if labels.len() > 2 { label(labels.len() / 2) } else { String::new() };
    let before = (columns / 2).saturating_sub(first.width() + middle.width() / 2);
    let after = room.saturating_sub(before + middle.width());
    // At least two spaces on both sides.
    if before < 2 || after < 2 {
        return format!("{first}{:room$}{last}", "");
    }
    format!("{first}{:before$}{middle}{:after$}{last}", "", "")
}

/// The vertical axis: round numbers around the values.
struct Scale {
    low: f64,
    /// From tick to tick: 1, 2 or 5 times a power of ten.
    step: f64,
    /// The number of steps, not 0.
    steps: u32,
}

impl Scale {
    fn around(low: f64, high: f64, labels: usize) -> Self {
        // A flat line is in the middle of something.
        let (low, high) =
            if high > low { (low, high) } else { (low - low.abs().max(1.0) / 100.0, low + low.abs().max(1.0) / 100.0) };
        let rough = (high - low) / labels.max(1) as f64;
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0].into_iter().map(|f| f * power).find(|step| *step >= rough).unwrap_or(10.0 * power);
        let first = (low / step).floor();
        Self { low: first * step, step, steps: (((high / step).ceil() - first) as u32).max(1) }
    }

    fn ticks(&self) -> impl Iterator<Item = f64> {
        (0..=self.steps).map(|at| self.low + f64::from(at) * self.step)
    }

    /// How far up the value is, from 0 to 1.
    fn share(&self, value: f64) -> f64 {
        (value - self.low) / (f64::from(self.steps) * self.step)
    }

    /// The row of the value, of so many, counted from the top.
    fn row(&self, value: f64, rows: usize) -> usize {
        ((1.0 - self.share(value)) * rows.saturating_sub(1) as f64).round() as usize
    }

    /// As many places as the step has.
    fn label(&self, tick: f64) -> String {
        let places = (-self.step.log10().floor()).clamp(0.0, 8.0) as usize;
        format!("{tick:.places$}")
    }
}

/// A character of the plot.
#[derive(Clone, Copy, Default)]
struct Cell {
    /// Dots of the first series.
    dots: u32,
    /// The series whose mark is here.
    marked: Option<usize>,
}

/// The plot.
struct Canvas {
    columns: usize,
    rows: usize,
    cells: Vec<Cell>,
}

impl Canvas {
    fn new(columns: usize, rows: usize) -> Self {
        Self { columns, rows, cells: vec![Cell::default(); columns * rows] }
    }

    /// Draws a line through the values, with a gap where there is none.
    fn draw(&mut self, series: usize, values: &[Option<f64>], scale: &Scale) {
        let fine = series == 0;
        let (across, down) = if fine { (DOTS_ACROSS, DOTS_DOWN) } else { (1, 1) };
        let (last_x, last_y) = ((self.columns * across - 1) as f64, (self.rows * down - 1) as f64);
        let per_value = last_x / values.len().saturating_sub(1).max(1) as f64;
        let mut before: Option<(f64, f64)> = None;
        for (at, value) in values.iter().enumerate() {
            let point =
                value.filter(|v| v.is_finite()).map(|v| (at as f64 * per_value, (1.0 - scale.share(v)) * last_y));
            if let Some((x, y)) = point {
                let (from_x, from_y) = before.unwrap_or((x, y));
                let steps = (x - from_x).abs().max((y - from_y).abs()).ceil().max(1.0);
                for step in 0..=steps as usize {
                    let share = step as f64 / steps;
                    let (x, y) = (from_x + (x - from_x) * share, from_y + (y - from_y) * share);
                    self.dot(series, x.round() as usize, y.round() as usize);
                }
            }
            before = point;
        }
    }

    fn dot(&mut self, series: usize, x: usize, y: usize) {
        let (column, row) = if series == 0 { (x / DOTS_ACROSS, y / DOTS_DOWN) } else { (x, y) };
        if let Some(cell) = self.cells.get_mut(row * self.columns + column) {
            if series == 0 {
                let bits = DOTS.get(y % DOTS_DOWN).and_then(|row| row.get(x % DOTS_ACROSS));
                cell.dots |= bits.copied().unwrap_or(0);
            } else {
                cell.marked = Some(series);
            }
        }
    }

    /// A line of the plot; neighbours of one series share a colour.
    fn line(&self, row: usize, screen: Screen) -> String {
        let cells = self.cells.iter().skip(row * self.columns).take(self.columns);
        let shown = cells.map(|cell| match (cell.dots, cell.marked) {
            (0, None) => (None, ' '),
            (0, Some(series)) => (Some(series), mark(series - 1)),
            (dots, _) => (Some(0), char::from_u32(0x2800 + dots).unwrap_or(' ')),
        });
        let shown: Vec<(Option<usize>, char)> = shown.collect();
        let runs = shown.chunk_by(|a, b| a.0 == b.0).map(|run| {
            let text: String = run.iter().map(|(_, c)| c).collect();
            match run.first() {
                Some((Some(series), _)) => screen.paint(colour(*series), &text),
                _ => text,
            }
        });
        runs.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn screen(width: usize, height: usize) -> Screen {
        Screen { width: Some(width), height: Some(height), colour: false }
    }

    fn series(name: &str, values: impl IntoIterator<Item = f64>) -> Series {
        Series { name: name.into(), values: values.into_iter().map(Some).collect() }
    }

    fn days(count: usize) -> Vec<String> {
        (1..=count).map(|day| format!("2013-01-{day:02}")).collect()
    }

    /// A close that swings and its averages, the longer one with a gap before its first.
    fn trend() -> Vec<Series> {
        let close: Vec<f64> = (0..31).map(|day| 450.0 + 20.0 * (f64::from(day) / 5.0).sin()).collect();
        let average = |length: usize| {
            let of =
                |at: usize| (at + 1 >= length).then(|| close[at + 1 - length..=at].iter().sum::<f64>() / length as f64);
            Series { name: format!("sma_{length}"), values: (0..close.len()).map(of).collect() }
        };
        vec![series("close", close.iter().copied()), average(5), average(20)]
    }

    #[test]
    fn a_close_and_its_averages() {
        let expected = " ⠤ close   • sma_5   + sma_20
 480 ┤
     │
     │        ⣀⠤⠔⠊⠉⠉⠉⠉⠉⠒⠢⢄⡀••
     │     ⣀⠖⠉  •••       ⠈⠑⢤⡀•••
 460 ┤  ⢀⠔⠊  •••             ⠈⠢⢄ ••     +++++
     │⢀⠔⠁                       ⠑⢆ •••       ++++++
     │⠁                           ⠉⠢⡀ •••          +++++
 440 ┤                              ⠈⠣⢄ •••             +⢀⠔⠊
     │                                 ⠉⠢⣄ ••••       ⢀⠤⠒⠁••
     │                                    ⠉⠒⠢⢄⣀⣀⣀⣀⣀⠤⠔⠊⠁•
     │
 420 ┤
     └──────────────────────────────────────────────────────
      2013-01-01            2013-01-16            2013-01-31
";
        assert_eq!(chart(&days(31), &trend(), screen(60, 16)), expected);
    }

    #[test]
    fn it_fits_any_screen() {
        for (width, height) in [(40, 10), (80, 24), (160, 50)] {
            let drawn = chart(&days(31), &trend(), screen(width, height));
            assert!(drawn.lines().all(|line| line.width() <= width), "{drawn}");
            assert!(drawn.lines().count() < height, "{drawn}");
        }
        assert!(!chart(&days(31), &trend(), screen(0, 0)).is_empty());
        assert!(!chart(&[], &trend(), Screen::default()).is_empty());
    }

    #[test]
    fn a_spike_is_seen_however_many_values_there_are() {
        let values = (0..100_000).map(|at| if at == 54_321 { 200.0 } else { 100.0 });
        let drawn = chart(&[], &[series("a", values)], screen(60, 14));
        assert!(drawn.lines().filter(|line| line.contains(['⡇', '⢸', '⣇', '⣸'])).count() > 5, "{drawn}");
    }

    #[test]
    fn little_and_odd_values() {
        assert_eq!(chart(&[], &[], screen(40, 10)), "");
        assert_eq!(
            chart(&days(1), &[Series { name: "a".into(), values: vec![None, Some(f64::NAN)] }], screen(40, 10)),
            ""
        );
        for values in [vec![5.0], vec![5.0; 9], vec![0.0, 0.0], vec![1e-8, 2e-8], vec![9e9, 1e-8], vec![-1.0, 1.0]] {
            let drawn = chart(&days(values.len()), &[series("a\u{1b}", values)], screen(40, 10));
            assert!(drawn.starts_with(" ⠤ a\\u{1b}\n") && drawn.lines().count() == 9, "{drawn}");
            assert!(drawn.contains(|c| ('\u{2801}'..='\u{28ff}').contains(&c)), "{drawn}");
        }
    }

    #[test]
    fn colours_where_they_are_taken() {
        let colourful = Screen { colour: true, ..screen(40, 10) };
        let drawn = chart(&days(31), &trend(), colourful);
        assert!(drawn.contains("\u{1b}["));
        assert_eq!(anstream::adapter::strip_str(&drawn).to_string(), chart(&days(31), &trend(), screen(40, 10)));
    }

    #[test]
    fn sparks() {
        assert_eq!(spark(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], 20), "▁▂▃▄▅▆▇█");
        assert_eq!(spark(&[1.0, 2.0, 3.0, 2.0], 2), "█▁");
        assert_eq!(spark(&[5.0, 5.0], 8), "▄▄");
        assert_eq!(spark(&[], 8), "");
    }
}
