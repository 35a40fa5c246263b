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
use std::{
    env, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// Of different lengths, as folders of different users are.
const FOLDERS: [&str; 2] = [FIRST, "second-of-a-longer-name"];
const FIRST: &str = "first";
/// The machine's own.
const ARCHITECTURE: Architecture =
    if cfg!(target_arch = "aarch64") { Architecture::Arm64 } else { Architecture::X86_64 };
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

/// A folder of the functions' programs, as `cargo lambda build` lays them out: `STOCKPIPE_BOOTSTRAPS`, or built here.
pub fn bootstraps(disk: &Path, profile: &str) -> Result<PathBuf> {
    if let Some(given) = env::var_os("STOCKPIPE_BOOTSTRAPS").filter(|given| !given.is_empty()) {
        return Ok(fs::canonicalize(given)?);
    }
    let folder = disk.join("build").join(FIRST);
    let bootstraps = folder.join("given");
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let workshop = runtime.block_on(workshop(&folder, profile))?;
    for function in Function::ALL {
        let program = bootstraps.join(function.package()).join("bootstrap");
        fs::create_dir_all(bootstraps.join(function.package()))?;
        fs::write(&program, runtime.block_on(workshop.build(function, &mut |_| ()))?)?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
    }
    Ok(bootstraps)
}

/// Where they are built, for the machine's own architecture.
async fn workshop(folder: &Path, profile: &str) -> Result<Workshop> {
    let options = BuildOptions { profile: profile.into(), folder: folder.into(), bootstraps: None };
    let workshop = Workshop::open(&Bundle::embedded()?, ARCHITECTURE, &options).await?;
    say(&format!("build in '{}' by {}", folder.display(), workshop.toolchain()));
    Ok(workshop)
}

/// The size of each program, and its zip.
async fn build(folder: &Path, profile: &str) -> Result<(Vec<(Function, usize)>, Vec<Package>)> {
    let workshop = workshop(folder, profile).await?;
    let (mut sizes, mut zips) = (vec![], vec![]);
    for function in Function::ALL {
        let bootstrap = workshop.build(function, &mut |_| ()).await?;
        elf::check(function, &bootstrap, ARCHITECTURE)?;
        sizes.push((function, bootstrap.len()));
        zips.push(Package::new(&bootstrap)?);
        say(&format!("{function}: {} bytes", bootstrap.len()));
    }
    Ok((sizes, zips))
}
