//! The code of the three functions: built, checked, zipped, and put where the stack's templates point to.
//!
//! An installed program has the sources in it and needs no checkout; it needs a toolchain, and that only where the
//! bucket does not have the code yet. A function is known by what it is made from, so nothing is built or uploaded a
//! second time, and a function does not change because another one did.
//!
//! What is asked of the surroundings is in [`BuildOptions`]. The bucket, the stack that refers to the objects, and what
//! of all this is shown to a person are left to others, who hear of it by [`Event`]s.

pub mod bundle;
pub mod cargo;
mod collect;
pub mod elf;
mod key;
mod options;
pub mod package;
mod store;
mod toolchain;

pub use collect::{Collected, collect};
pub use options::BuildOptions;
pub use store::verify;
pub use toolchain::Toolchain;

use crate::error::{Error, ExitStatus};
use bundle::Bundle;
use cargo::Workshop;
use package::Package;
use std::{
    fmt,
    str::FromStr,
    time::{Duration, Instant},
};
use store::{Store, Stored};

/// A function of the pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Function {
    /// From the stream to the table.
    Process,
    /// From the table's changes to signals.
    Trend,
    /// From the stream to the lake.
    Archive,
}

impl Function {
    /// All of them, in the order of every array of three.
    pub const ALL: [Self; 3] = [Self::Process, Self::Trend, Self::Archive];

    /// What it is called on AWS, without the stack's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Process => "ProcessStockData",
            Self::Trend => "StockTrendAnalysis",
            Self::Archive => "ArchiveStockData",
        }
    }

    /// The package that it is built from.
    #[must_use]
    pub const fn package(self) -> &'static str {
        match self {
            Self::Process => "process-stock-data",
            Self::Trend => "stock-trend-analysis",
            Self::Archive => "archive-stock-data",
        }
    }
}

impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a function runs on, by the names that Lambda has for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// `x86_64`
    X86_64,
    /// `arm64`
    Arm64,
}

impl Architecture {
    /// What the compiler calls it.
    #[must_use]
    pub const fn triple(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64-unknown-linux-gnu",
            Self::Arm64 => "aarch64-unknown-linux-gnu",
        }
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::X86_64 => "x86_64",
            Self::Arm64 => "arm64",
        })
    }
}

impl FromStr for Architecture {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "x86_64" => Ok(Self::X86_64),
            "arm64" => Ok(Self::Arm64),
            _ => Err(Error::new(format!("'{text}' is no architecture of Lambda"))
                .hint("x86_64 or arm64")
                .status(ExitStatus::Usage)),
        }
    }
}

/// A function's code in the bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// Whose.
    pub function: Function,
    /// Its key in the bucket.
    pub key: String,
    /// What Lambda calls `CodeSha256`.
    pub code_sha256: String,
    /// Bytes of the zip.
    pub size: u64,
    /// What was done for it.
    pub what: What,
}

/// How a function's code came to be where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// It was there.
    Unchanged,
    /// It was built and uploaded.
    Built,
    /// It was built elsewhere ([`BuildOptions::bootstraps`]), and uploaded.
    Given,
}

/// What is being done.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// The builder says something.
    Building { function: Function, line: &'a str },
    /// A function was built, or was given built; `size` is in bytes, unzipped.
    Built { function: Function, size: u64, took: Duration },
    /// So many bytes are on their way.
    Uploading { function: Function, size: u64 },
    /// They are there.
    Uploaded { function: Function, size: u64, took: Duration },
}

/// What the objects of the functions are called, without building them or asking anyone.
pub fn keys(architecture: Architecture, options: &BuildOptions) -> Result<[String; 3], Error> {
    let [process, trend, archive] = if options.bootstraps.is_some() {
        Function::ALL.map(|function| Ok(key::of_bootstrap(function, &options.bootstrap(function)?)))
    } else {
        let bundle = Bundle::embedded()?;
        Function::ALL.map(|function| key::of_sources(function, &bundle, architecture, &options.profile))
    };
    Ok([process?, trend?, archive?])
}

/// What would build the functions, or what is missing and what to do about it. Where [`BuildOptions::bootstraps`] are
/// given none is needed.
pub fn toolchain(architecture: Architecture, options: &BuildOptions) -> Result<Toolchain, Error> {
    Toolchain::find(architecture, Bundle::embedded()?.rust_version(), &options.folder)
}

/// The functions whose code the bucket does not have.
pub async fn absent(
    s3: &aws_sdk_s3::Client,
    bucket: &str,
    architecture: Architecture,
    options: &BuildOptions,
) -> Result<Vec<Function>, Error> {
    let there = look(Store::new(s3, bucket), &keys(architecture, options)?).await?;
    Ok(Function::ALL
        .into_iter()
        .zip(there)
        .filter(|(_, there)| there.is_none())
        .map(|(function, _)| function)
        .collect())
}

/// What the bucket has of these keys.
async fn look(store: Store<'_>, keys: &[String; 3]) -> Result<Vec<Option<Stored>>, Error> {
    futures::future::try_join_all(keys.iter().map(|key| store.look(key))).await
}

/// Sees to it that the bucket has the functions' code.
pub async fn ensure(
    s3: &aws_sdk_s3::Client,
    bucket: &str,
    architecture: Architecture,
    options: &BuildOptions,
    on_event: &mut dyn FnMut(Event<'_>),
) -> Result<[Artifact; 3], Error> {
    let store = Store::new(s3, bucket);
    let keys = keys(architecture, options)?;
    let there = look(store, &keys).await?;
    let mut workshop = None;
    let mut artifacts = vec![];
    for ((function, key), there) in Function::ALL.into_iter().zip(keys).zip(there) {
        let (stored, what) = match there {
            Some(stored) => (stored, What::Unchanged),
            None if options.bootstraps.is_some() => {
                let started = Instant::now();
                let bootstrap = options.bootstrap(function)?;
                if key::of_bootstrap(function, &bootstrap) != key {
                    return Err(Error::new(format!("the bootstrap of {function} was just built anew"))
                        .hint("run it again when that is over"));
                }
                let took = started.elapsed();
                on_event(Event::Built { function, size: bootstrap.len() as u64, took });
                let about = [("built-by", "given".to_owned())];
                (upload(store, function, &key, bootstrap, architecture, &about, on_event).await?, What::Given)
            }
            None => {
                let workshop = match &mut workshop {
                    Some(workshop) => workshop,
                    none => none.insert(Workshop::open(&Bundle::embedded()?, architecture, options).await?),
                };
                let started = Instant::now();
                let bootstrap =
                    workshop.build(function, &mut |line| on_event(Event::Building { function, line })).await?;
                on_event(Event::Built { function, size: bootstrap.len() as u64, took: started.elapsed() });
                let toolchain = workshop.toolchain();
                let about = [
                    ("built-by", format!("{} {}", toolchain.builder, toolchain.version)),
                    ("rustc", toolchain.rustc.clone()),
                    ("profile", options.profile.clone()),
                    ("stockpipe", env!("CARGO_PKG_VERSION").to_owned()),
                ];
                (upload(store, function, &key, bootstrap, architecture, &about, on_event).await?, What::Built)
            }
        };
        let Stored { code_sha256, size } = stored;
        artifacts.push(Artifact { function, key, code_sha256, size, what });
    }
    artifacts.try_into().map_err(|_| Error::new("not all functions were looked at"))
}

/// Checks, zips and uploads.
async fn upload(
    store: Store<'_>,
    function: Function,
    key: &str,
    bootstrap: Vec<u8>,
    architecture: Architecture,
    about: &[(&str, String)],
    on_event: &mut dyn FnMut(Event<'_>),
) -> Result<Stored, Error> {
    elf::check(function, &bootstrap, architecture)?;
    // Half a second of work, beside which whoever watches wants to be shown something.
    let package = tokio::task::spawn_blocking(move || Package::new(&bootstrap)).await;
    let package = package.map_err(|error| Error::new(format!("{function} was not zipped")).because(error))??;
    let started = Instant::now();
    on_event(Event::Uploading { function, size: package.bytes.len() as u64 });
    let stored = store.put(key, package, about).await?;
    on_event(Event::Uploaded { function, size: stored.size, took: started.elapsed() });
    Ok(stored)
}
