use super::*;
use pipeline::{Average, Item, Origin, Percent, Quote, RecordSequence, Symbol, Timestamp, Volume};
use unicode_width::UnicodeWidthStr;

const NOW: &str = "2026-11-20T15:42:07.000Z";

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).expect("a time")
}

/// A symbol whose window has these prices, the last of which is its newest quote's.
fn standing(symbol: &str, prices: &[&str], change: Option<i64>, volume: Option<&str>) -> Standing {
    let symbol = Symbol::parse(symbol).expect("a symbol");
    let prices: Vec<Price> = prices.iter().map(|price| Price::parse(price).expect("a price")).collect();
    let quote = prices.last().map(|price| Quote {
        symbol: symbol.clone(),
        timestamp: at(NOW),
        price: *price,
        open: None,
        high: None,
        low: None,
        previous_close: None,
        volume: volume.and_then(|volume| Volume::parse(volume).ok()),
        currency: None,
        source: None,
        origin: Origin::Live,
        stale: false,
        alert: true,
        ingested_at: at(NOW),
    });
    let newest = quote.map(|quote| Item {
        quote,
        sequence: RecordSequence::local(1).line(0),
        change_percent: change.map(Percent),
        anomaly: false,
        late: false,
        trail: None,
        processed_at: at(NOW),
        expires_at: 0,
    });
    Standing { symbol, newest, window: prices.into_iter().collect(), signal: None }
}

fn signal(direction: Direction, when: &str, standing: &Standing) -> Option<Signal> {
    let average = Average(0);
    let (symbol, price) = (standing.symbol.clone(), Price::MIN);
    Some(Signal { symbol, timestamp: at(when), direction, price, sma_5: average, sma_20: average, alert: true })
}

/// What a day's table may have.
fn day() -> Vec<Standing> {
    let rising: Vec<String> = (0..20).map(|i| format!("271.{:02}", 30 + i)).collect();
    let rising: Vec<&str> = rising.iter().map(String::as_str).collect();
    let falling: Vec<&str> = rising.iter().rev().copied().collect();
    let mut apple = standing("AAPL", &rising, Some(15_000), Some("48123456"));
    apple.signal = signal(Direction::Buy, "2026-11-20T15:40:59.000Z", &apple);
    let mut nikkei = standing("^N225", &["38500"; 20], Some(0), None);
    nikkei.signal = signal(Direction::Sell, "2026-11-19T05:40:00.000Z", &nikkei);
    let mut bitcoin = standing("BTC-USD", &falling[..14], Some(-1_234_567), Some("0.25"));
    bitcoin.newest = bitcoin.newest.map(|newest| Item { anomaly: true, ..newest });
    let mut closed = standing("OLD", &["0.5"], None, Some("900"));
    closed.window = Window::default();
    if let Some(newest) = &mut closed.newest {
        newest.quote.stale = true;
    }
    vec![apple, nikkei, bitcoin, closed, standing("NEW", &[], None, None)]
}

fn footer() -> Vec<String> {
    ["sent 212", "stored 212", "lag 0", "put → stored 4 ms (p99 11 ms)", "1:05"].map(String::from).to_vec()
}

fn plain(lines: &[String]) -> String {
    lines.iter().map(|line| anstream::adapter::strip_str(line).to_string().trim_end().to_owned() + "\n").collect()
}

fn drawn(width: usize, height: usize) -> String {
    let day = day();
    plain(&lines(&day, day.len(), &footer(), Size { width, height }))
}

#[test]
fn a_wide_screen_shows_everything() {
    let expected =
        "  symbol      price      change         volume                recent      SMA-5      SMA-20  signal (UTC)
  AAPL       271.49  ▲   1.50 %         48.1 M  ▁▁▂▂▂▃▃▄▄▄▅▅▅▆▆▇▇▇██    271.470 >   271.395  BUY  15:40
  ^N225    38500     =   0.00 %                 ▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄  38500.00  = 38500.00   SELL 2026-11-19
  BTC-USD    271.36  ▼ 123.46 %  !      0.25          █▇▇▆▆▅▅▄▄▃▃▂▂▁    271.380              warming up 14/20
  OLD          0.5               stale   900                                                 warming up 0/20
  NEW                                                                                        no quote yet
  sent 212   stored 212   lag 0   put → stored 4 ms (p99 11 ms)   1:05
";
    assert_eq!(drawn(160, 24), expected);
}

#[test]
fn at_80_columns_averages_are_left_out() {
    let expected = "  symbol      price      change         volume          recent  signal (UTC)
  AAPL       271.49  ▲   1.50 %         48.1 M  ▁▂▂▃▃▄▄▅▅▆▆▇▇█  BUY  15:40
  ^N225    38500     =   0.00 %                 ▄▄▄▄▄▄▄▄▄▄▄▄▄▄  SELL 2026-11-19
  BTC-USD    271.36  ▼ 123.46 %  !      0.25    █▇▇▆▆▅▅▄▄▃▃▂▂▁  warming up 14/20
  OLD          0.5               stale   900                    warming up 0/20
  NEW                                                           no quote yet
  sent 212   stored 212   lag 0   put → stored 4 ms (p99 11 ms)   1:05
";
    assert_eq!(drawn(80, 24), expected);
}

#[test]
fn at_40_columns_only_the_first_columns_stay() {
    let expected = "  symbol      price      change
  AAPL       271.49  ▲   1.50 %
  ^N225    38500     =   0.00 %
  BTC-USD    271.36  ▼ 123.46 %  !
  OLD          0.5               stale
  NEW
  sent 212   stored 212   lag 0
";
    assert_eq!(drawn(40, 24), expected);
}

#[test]
fn a_low_screen_shows_some_symbols_and_says_how_many_more_there_are() {
    let expected = "  AAPL      271.49  ▲ 1.50 %  48.1 M  BUY  15:40
  ^N225   38500     = 0.00 %          SELL 2026-11-19
  … and 3 more
  sent 212   stored 212   lag 0
";
    assert_eq!(drawn(60, 5), expected);
    assert_eq!(drawn(60, 3).lines().count(), 2);
    assert_eq!(drawn(60, 2), "  sent 212   stored 212   lag 0\n");
    assert_eq!(drawn(60, 1), "");
}

/// Would catch a line that the terminal breaks, or a table that it scrolls: both would leave torn lines behind.
#[test]
fn no_line_is_too_wide_and_no_table_too_high() {
    let day = day();
    for symbols in [0, 1, 2, 5, 12, 60] {
        let shown: Vec<Standing> = day.iter().cycle().take(symbols).cloned().collect();
        for height in [1, 2, 3, 4, 7, 8, 9, 24, 50] {
            for width in (1..40).chain((40..130).step_by(7)) {
                let size = Size { width, height };
                let places = room_for(symbols, size);
                let lines = lines(shown.get(..places).unwrap(), symbols, &footer(), size);
                let widest = lines.iter().map(|line| style::width(line)).max().unwrap_or(0);
                assert!(widest <= size.width && lines.len() < height, "{symbols} {size:?}:\n{}", plain(&lines));
                assert!(!lines.iter().any(|line| line.contains('\n')));
                // Every symbol is shown, or counted, wherever there is room to.
                let counted = format!("… and {} more", symbols - places);
                let says = plain(&lines).contains(&counted) == (places < symbols);
                assert!(says || places < 2 || size.width < 20, "{symbols} {size:?}:\n{}", plain(&lines));
            }
        }
    }
}

/// Would catch columns that move because a price has fewer places than the one before.
#[test]
fn a_round_price_keeps_its_width() {
    let line = |price| {
        let standing = [standing("A", &["1.25", price], Some(1), Some("1"))];
        plain(&lines(&standing, 1, &[], Size { width: 100, height: 24 })).lines().nth(1).map(UnicodeWidthStr::width)
    };
    assert_eq!(line("1.5"), line("1.55"));
    assert_eq!(line("2"), line("1.55"));
}

#[test]
fn decimals_are_rounded_half_away_from_zero() {
    assert_eq!(decimal(27_149_500_000, 8, 2), "271.50");
    assert_eq!(decimal(27_149_499_999, 8, 2), "271.49");
    assert_eq!(decimal(-5, 1, 0), "-1");
    assert_eq!(decimal(-4, 1, 0), "0");
    assert_eq!(decimal(7, 8, 8), "0.00000007");
}
