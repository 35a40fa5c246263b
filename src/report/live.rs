//! The live table: a line per symbol, laid out for a terminal of any size.

use super::{
    chart,
    pane::Size,
    style::{self, BAD, FAINT, GOOD, STRONG, WARN},
    table::{at_point, cut},
};
use crate::rows::Standing;
use anstyle::Style;
use pipeline::{Direction, LONG, Price, Side, Signal, Window};

/// Before the first column, and between columns.
const GUTTER: &str = "  ";
/// Between the parts of the last line.
const APART: &str = "   ";
/// Bars of a spark line: as many as the window has prices, or fewer where there is less room.
const SPARK: std::ops::RangeInclusive<usize> = 8..=LONG;
/// Its place from left to right.
const SPARK_PLACE: usize = 5;
/// Averages have a place more than the prices, and at least so many: those of whole prices are seldom whole.
const AVERAGE_PLACES: u32 = 2;
/// A screen with fewer lines than this shows no headings.
const HEADED: usize = 8;

/// How many of so many symbols have a place on the screen.
///
/// The cursor needs a line, and what is said above the table keeps some.
#[must_use]
pub fn room_for(symbols: usize, size: Size) -> usize {
    let room = size.height.saturating_sub(2 + usize::from(size.height >= HEADED) + size.height / 8);
    // What says that there are more needs a line too.
    if symbols <= room { symbols } else { room.saturating_sub(usize::from(room > 1)) }
}

/// The table: of the symbols that have a place, of how many there are, and last a line of `parts`, the first of which
/// matter most.
///
/// No line is wider than the screen, and there are fewer than it has lines. Where it is narrow, columns are left out:
/// averages first, then spark lines, volumes, and so on to the symbol alone.
#[must_use]
pub fn lines(shown: &[Standing], symbols: usize, parts: &[String], size: Size) -> Vec<String> {
    let places = room_for(symbols, size);
    let shown = shown.get(..places).unwrap_or(shown);
    let mut lines = Vec::with_capacity(shown.len() + 3);
    if !shown.is_empty() {
        let columns = columns(shown, size.width);
        if size.height >= HEADED {
            lines.push(line(&columns, Column::heading, size.width));
        }
        lines.extend((0..shown.len()).map(|row| line(&columns, |column| column.cell(row), size.width)));
    }
    if places < symbols && places > 1 {
        let more = format!("{GUTTER}… and {} more", style::count((symbols - places) as u64));
        lines.push(style::paint(FAINT, &cut(&more, size.width)));
    }
    lines.push(last(parts, size.width));
    let most = size.height.saturating_sub(1);
    lines.drain(..lines.len().saturating_sub(most));
    lines
}

/// The parts that fit, the first one cut if need be.
fn last(parts: &[String], width: usize) -> String {
    let Some((first, others)) = parts.split_first() else { return String::new() };
    let mut line = format!("{GUTTER}{first}");
    if style::width(&line) > width {
        return cut(&anstream::adapter::strip_str(&line).to_string(), width).into_owned();
    }
    for part in others {
        if style::width(&line) + APART.len() + style::width(part) > width {
            break;
        }
        line.extend([APART, part]);
    }
    line
}

fn line<'c>(columns: &'c [Column], cell: impl Fn(&'c Column) -> Cell, width: usize) -> String {
    let mut line = String::new();
    let mut left = width;
    for column in columns {
        let Cell { text, style } = cell(column);
        let text = format!("{GUTTER}{}", column.aligned(&text));
        let text = cut(&text, left);
        left = left.saturating_sub(style::width(&text));
        if text.trim().is_empty() {
            line.push_str(&text);
        } else {
            line.push_str(&style::paint(style, &text));
        }
    }
    line.truncate(line.trim_end().len());
    line
}

/// A text and how it looks.
#[derive(Clone, Debug, Default)]
struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), style: Style::new() }
    }

    fn styled(style: Style, text: impl Into<String>) -> Self {
        Self { text: text.into(), style }
    }
}

/// A column, its cells ready.
#[derive(Debug)]
struct Column {
    name: String,
    cells: Vec<Cell>,
    width: usize,
    is_right: bool,
    /// What its place is from left to right.
    place: usize,
}

impl Column {
    fn new(place: usize, name: impl Into<String>, cells: Vec<Cell>) -> Self {
        let name = name.into();
        let widest = cells.iter().map(|cell| style::width(&cell.text)).max().unwrap_or(0);
        Self { width: widest.max(style::width(&name)), name, cells, is_right: false, place }
    }

    fn right(self) -> Self {
        Self { is_right: true, ..self }
    }

    fn heading(&self) -> Cell {
        Cell::styled(STRONG, &*self.name)
    }

    fn cell(&self, row: usize) -> Cell {
        self.cells.get(row).cloned().unwrap_or_default()
    }

    fn aligned(&self, text: &str) -> String {
        let space = " ".repeat(self.width.saturating_sub(style::width(text)));
        if self.is_right { space + text } else { text.to_owned() + &space }
    }
}

/// The columns that fit, from left to right.
fn columns(shown: &[Standing], width: usize) -> Vec<Column> {
    let cells = |cell: &dyn Fn(&Standing) -> Cell| shown.iter().map(cell).collect::<Vec<_>>();
    // The most important first: the last ones are left out where there is no room.
    let mut columns = vec![
        Column::new(0, "symbol", cells(&|s| Cell::plain(&*s.symbol))),
        Column::new(1, "price", at_their_points(shown.iter().map(price).collect())).right(),
        Column::new(2, "change", changes(shown)).right(),
        Column::new(3, "", cells(&mark)),
        Column::new(7, "signal (UTC)", cells(&signal)),
        Column::new(4, "volume", cells(&volume)).right(),
    ];
    let spark = |bars| Column::new(SPARK_PLACE, "recent", cells(&|s| sparks(&s.window, bars))).right();
    columns.push(spark(*SPARK.start()));
    let (name, averages) = averages(shown);
    columns.push(Column::new(6, name, averages));
    columns.retain(|column| column.width > 0);

    let taken = |columns: &[Column]| columns.iter().map(|column| GUTTER.len() + column.width).sum::<usize>();
    while columns.len() > 1 && taken(&columns) > width {
        columns.pop();
    }
    let room = width.saturating_sub(taken(&columns));
    if let Some(narrow) = columns.iter_mut().find(|column| column.place == SPARK_PLACE) {
        *narrow = spark((narrow.width + room).min(*SPARK.end()));
    }
    columns.sort_by_key(|column| column.place);
    columns
}

/// Numbers with their points below each other.
fn at_their_points(numbers: Vec<String>) -> Vec<Cell> {
    let places = |number: &String| at_point(number).1.len();
    let most = numbers.iter().map(places).max().unwrap_or(0);
    let padded = |number: String| {
        let space = most - places(&number);
        Cell::plain(if number.is_empty() { number } else { format!("{number}{:space$}", "") })
    };
    numbers.into_iter().map(padded).collect()
}

/// The newest price, with as many places as the prices before it needed: so it keeps its place when it changes.
fn price(standing: &Standing) -> String {
    let price = standing.newest.as_ref().map(|newest| newest.quote.price);
    price.map(|price| decimal(price.units().into(), pipeline::PLACES, decimals(standing))).unwrap_or_default()
}

fn decimals(standing: &Standing) -> u32 {
    let newest = standing.newest.iter().map(|newest| newest.quote.price);
    let prices = standing.window.prices().iter().copied().chain(newest);
    prices.map(|price| at_point(&price.to_string()).1.len().saturating_sub(1) as u32).max().unwrap_or(0)
}

/// `units · 10^-scale` with so many places, no more than `scale`; halves are rounded away from zero.
fn decimal(units: i128, scale: u32, places: u32) -> String {
    let unit = 10_i128.pow(scale.saturating_sub(places));
    let rounded = (units.abs() + unit / 2) / unit;
    let one = 10_i128.pow(places);
    let sign = if units < 0 && rounded > 0 { "-" } else { "" };
    match places {
        0 => format!("{sign}{rounded}"),
        _ => format!("{sign}{}.{:0>width$}", rounded / one, rounded % one, width = places as usize),
    }
}

/// The change against the previous close, the figures below each other beside their marks.
fn changes(shown: &[Standing]) -> Vec<Cell> {
    let figure = |units: i64| match units.unsigned_abs() {
        units @ 10_000_000.. => style::compact(units as f64 / 10_000.0),
        units => decimal(units.into(), 4, 2),
    };
    let change = |s: &Standing| s.newest.as_ref().and_then(|newest| newest.change_percent).map(|percent| percent.0);
    let widest = shown.iter().filter_map(change).map(|units| figure(units).len()).max().unwrap_or(0);
    let cell = |units: i64| {
        let (mark, style) = match units {
            1.. => ("▲", GOOD),
            0 => ("=", Style::new()),
            ..0 => ("▼", BAD),
        };
        Cell::styled(style, format!("{mark} {:>widest$} %", figure(units)))
    };
    shown.iter().map(|s| change(s).map(cell).unwrap_or_default()).collect()
}

/// What is to be known of the newest quote: that it is old, or its change an anomaly.
fn mark(standing: &Standing) -> Cell {
    match &standing.newest {
        Some(newest) if newest.quote.stale => Cell::styled(WARN, "stale"),
        Some(newest) if newest.anomaly => Cell::styled(WARN, "!"),
        _ => Cell::default(),
    }
}

/// The volumes, their units below each other and always as wide, so that nothing moves when they change.
fn volume(standing: &Standing) -> Cell {
    let one = 10_f64.powi(pipeline::PLACES as i32);
    let Some(volume) = standing.newest.as_ref().and_then(|newest| newest.quote.volume) else { return Cell::default() };
    let text = style::compact(volume.units() as f64 / one);
    let (number, unit) = text.split_once(' ').unwrap_or((&text, " "));
    Cell::plain(format!("{number:>4} {unit}"))
}

fn sparks(window: &Window, bars: usize) -> Cell {
    let prices: Vec<f64> = window.prices().iter().map(|price: &Price| price.units() as f64).collect();
    // As wide as it can become, so that nothing moves while the window fills.
    Cell::plain(format!("{:>bars$}", chart::spark(&prices, bars)))
}

/// `270.90 > 269.80`, and their heading. Which is above is decided by the exact averages.
fn averages(shown: &[Standing]) -> (String, Vec<Cell>) {
    let text = |average: Option<pipeline::Average>, places: u32| {
        average.map(|average| decimal(average.0, 10, (places + 1).max(AVERAGE_PLACES))).unwrap_or_default()
    };
    let of = |s: &Standing| (text(s.window.sma_5(), decimals(s)), text(s.window.sma_20(), decimals(s)));
    let (short, long): (Vec<_>, Vec<_>) = shown.iter().map(of).unzip();
    let (short, long) = (at_their_points(short), at_their_points(long));
    let widest = |cells: &[Cell]| cells.iter().map(|cell| cell.text.len()).max().unwrap_or(0);
    let (short_width, long_width) = (widest(&short).max("SMA-5".len()), widest(&long).max("SMA-20".len()));
    let cell = |((standing, short), long): ((&Standing, &Cell), &Cell)| {
        let (sign, style) = match standing.window.side() {
            Some(Side::Above) => (">", GOOD),
            Some(Side::Below) => ("<", BAD),
            None if long.text.is_empty() => (" ", Style::new()),
            None => ("=", Style::new()),
        };
        Cell::styled(style, format!("{:>short_width$} {sign} {:>long_width$}", short.text, long.text))
    };
    let name = format!("{:>short_width$}   {:>long_width$}", "SMA-5", "SMA-20");
    (name, shown.iter().zip(&short).zip(&long).map(cell).collect())
}

/// The last signal with its time, by its date where that is not the newest quote's; before that what it waits for.
fn signal(standing: &Standing) -> Cell {
    let Some(newest) = &standing.newest else { return Cell::styled(FAINT, "no quote yet") };
    let prices = standing.window.prices().len();
    match &standing.signal {
        _ if prices < LONG => Cell::styled(FAINT, format!("warming up {prices}/{LONG}")),
        None => Cell::styled(FAINT, "no signal yet"),
        Some(Signal { direction, timestamp, .. }) => {
            let style = if *direction == Direction::Buy { GOOD } else { BAD };
            let time = timestamp.to_string();
            let when =
                if timestamp.date() == newest.quote.timestamp.date() { time.get(11..16) } else { time.get(..10) };
            Cell::styled(style, format!("{:<4} {}", direction.as_str(), when.unwrap_or_default()))
        }
    }
}

#[cfg(test)]
mod tests;
