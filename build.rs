//! Puts what the functions on AWS are built from into the program, so that an installed one deploys without a checkout.
//!
//! Writes `bundle.rs`, a table of paths and contents: the workspace's manifests, its lock file, and the sources of the
//! crates in `lambdas/`, without their tests. What is made of it is said in `src/targets/aws/artifacts/bundle.rs`.

use std::{
    env,
    error::Error,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    // Named one by one, so that a change of a test alone builds nothing anew. A new crate changes the lock file.
    let mut watched = vec![root.join("Cargo.toml"), root.join("Cargo.lock")];
    let mut files = watched.clone();
    for folder in entries(&root.join("lambdas"))? {
        let manifest = folder.join("Cargo.toml");
        if manifest.is_file() {
            watched.extend([manifest.clone(), folder.join("src")]);
            files.push(manifest);
            collect(&folder.join("src"), &mut files)?;
        }
    }

    let mut table = String::from("[\n");
    for file in &files {
        let relative = file.strip_prefix(&root)?.components().map(|part| part.as_os_str().to_str());
        let relative = relative.collect::<Option<Vec<_>>>().ok_or("a path is not UTF-8")?.join("/");
        let absolute = file.to_str().ok_or("a path is not UTF-8")?;
        writeln!(table, "    ({relative:?}, include_bytes!({absolute:?})),")?;
    }
    table.push_str("]\n");
    fs::write(Path::new(&env::var("OUT_DIR")?).join("bundle.rs"), table)?;
    for path in watched {
        println!("cargo::rerun-if-changed={}", path.display());
    }
    Ok(())
}

/// All files below a folder.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    for entry in entries(folder)? {
        if entry.is_dir() {
            collect(&entry, files)?;
        } else {
            files.push(entry);
        }
    }
    Ok(())
}

/// What is in a folder, in an order that does not change.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, std::io::Error>>()?;
    paths.sort();
    Ok(paths)
}
