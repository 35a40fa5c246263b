//! The programs that the functions run, as they are on this machine.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// The functions' packages.
pub(crate) const PACKAGES: [&str; 3] = ["process-stock-data", "stock-trend-analysis", "archive-stock-data"];

/// Each package and its bootstrap: those of the folder `STOCKPIPE_BOOTSTRAPS`, as `cargo lambda build` lays them out, or
/// built now, once for all tests.
pub(crate) fn bootstraps() -> &'static [(&'static str, PathBuf); 3] {
    static BUILT: OnceLock<[(&str, PathBuf); 3]> = OnceLock::new();
    BUILT.get_or_init(|| match env::var_os("STOCKPIPE_BOOTSTRAPS").map(PathBuf::from) {
        Some(folder) => PACKAGES.map(|package| (package, folder.join(package).join("bootstrap"))),
        None => {
            let folder = built();
            PACKAGES.map(|package| (package, folder.join(package)))
        }
    })
}

fn built() -> PathBuf {
    let program = env::current_exe().expect("this test");
    let target = program.ancestors().nth(3).expect("the build folder");
    // All of the workspace, as `cargo test --workspace` builds it: what its tests need is built already, and with the same
    // features nothing is built twice.
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--workspace", "--bins", "--tests"]).arg("--target-dir").arg(target);
    // What cargo says of this package is none of the build's business; some build scripts run again where it changes.
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CARGO_PKG_")) {
        build.env_remove(name);
    }
    build.env_remove("CARGO_MANIFEST_DIR").env_remove("CARGO_MANIFEST_PATH");
    let built = build.current_dir(Path::new(env!("CARGO_MANIFEST_DIR"))).output().expect("cargo");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    target.join("debug")
}
