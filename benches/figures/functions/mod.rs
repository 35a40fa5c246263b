//! What the functions of AWS take, on an emulator, beside those of a tutorial: processor, calls, time to start; and how
//! soon a quote is stored and its signal published.
//!
//! Left out is what is Lambda's, Kinesis's and the network's own. That both sides speak plain HTTP here favours neither: TLS
//! adds to every call.

mod calls;
mod cpu;
mod latency;
mod market;
mod packing;
mod place;
mod runtime;

use crate::{Result, SYMBOLS, report::Report};
use cpu::Shape;
use market::Market;
use place::Place;
use std::path::{Path, PathBuf};

/// How much of everything.
pub struct Sizes {
    /// Runs of everything that is timed.
    pub runs: usize,
    /// Batches of a run.
    pub batches: usize,
    /// Quotes whose way is timed.
    pub latency: i64,
}

/// Quotes of a packed record: what half a second brings of a symbol at 1,000 quotes a second.
const PACKED: usize = 10;

/// With these bootstraps.
pub fn measure(folder: &Path, bootstraps: PathBuf, sizes: &Sizes, report: &mut Report) -> Result<()> {
    let place = Place::up(folder, bootstraps)?;
    latency::measure(&place, sizes.latency, report)?;
    place.unmap()?;
    let (mut market, mut sent) = (Market::new(SYMBOLS), vec![]);
    let packed = Shape { name: "packed", quotes: PACKED, batches: sizes.batches };
    // As many quotes: what polls bring, each symbol twice.
    let single = Shape { name: "single", quotes: 1, batches: sizes.batches * PACKED };
    for shape in [packed, single] {
        cpu::measure(&place, &mut market, &shape, sizes.runs, &mut sent, report)?;
    }
    calls::measure(&place, folder, &mut market, PACKED, &mut sent, report)?;
    cpu::all_there(&place, sent)?;
    packing::measure(&mut market, report);
    Ok(())
}
