//! The functions' code as it goes to Lambda: how large it is, and whether it is the same wherever it is built.
//!
//! In two folders, which are kept: a first run takes ten minutes for each on two idle cores, and 3 GB of disk.

#[expect(dead_code, unused_imports, reason = "the bench builds and does not upload")]
#[path = "../../src/targets/aws/artifacts/mod.rs"]
mod artifacts;

use crate::{
    Result,
    report::{Bound, Report},
    say,
};
use artifacts::{Architecture, BuildOptions, Function, bundle::Bundle, cargo::Workshop, elf, package::Package};
use std::path::Path;

/// Of different lengths, as folders of different users are.
const FOLDERS: [&str; 2] = ["first", "second-of-a-longer-name"];
/// What Lambda takes in a request that has it in itself; what is larger is fetched more slowly as well.
const MOST_MB: f64 = 50.0;

/// Builds each function twice, on this machine and for its own architecture.
pub fn measure(disk: &Path, profile: &str, report: &mut Report) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let mut builds = vec![];
    for name in FOLDERS {
        builds.push(runtime.block_on(build(&disk.join("build").join(name), profile))?);
    }
    let same = builds.windows(2).all(|pair| pair.first().map(|(_, zips)| zips) == pair.last().map(|(_, zips)| zips));
    for ((function, size), zip) in builds.iter().flat_map(|(sizes, zips)| sizes.iter().zip(zips)).take(3) {
        let package = function.package();
        let key = package.replace('-', "_");
        report.figure(&format!("build_{key}_mb"), &format!("bootstrap of {package}"), *size as f64 / 1e6, "MB");
        let name = format!("zip of {package}");
        let zip = zip.bytes.len() as f64 / 1e6;
        report.claim(&format!("build_{key}_zip_mb"), &name, Some(zip), "MB", Bound::Below(MOST_MB));
    }
    let equal = if same { 1.0 } else { 0.0 };
    report.claim("build_equal", "zips equal on two builds (1: yes)", Some(equal), "", Bound::AtLeast(1.0));
    Ok(())
}

/// The size of each program, and its zip.
async fn build(folder: &Path, profile: &str) -> Result<(Vec<(Function, usize)>, Vec<Package>)> {
    let architecture = if cfg!(target_arch = "aarch64") { Architecture::Arm64 } else { Architecture::X86_64 };
    let options = BuildOptions { profile: profile.into(), folder: folder.into(), bootstraps: None };
    let workshop = Workshop::open(&Bundle::embedded()?, architecture, &options).await?;
    say(&format!("build in '{}' by {}", folder.display(), workshop.toolchain()));
    let (mut sizes, mut zips) = (vec![], vec![]);
    for function in Function::ALL {
        let bootstrap = workshop.build(function, &mut |_| ()).await?;
        elf::check(function, &bootstrap, architecture)?;
        sizes.push((function, bootstrap.len()));
        zips.push(Package::new(&bootstrap)?);
        say(&format!("{function}: {} bytes", bootstrap.len()));
    }
    Ok((sizes, zips))
}
