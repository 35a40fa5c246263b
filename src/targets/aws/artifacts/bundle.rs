//! What the functions are built from, which comes with the program: manifests, lock file and sources.
//!
//! The workspace is laid out as it is in the repository, with an empty command line in place of this one. So the lock
//! file fits as it is, to the last feature, and `--locked` holds: what a lock file without the command line's
//! dependencies would say only cargo's resolver knows. Cargo downloads and compiles what the package that it is asked
//! for needs, and no more.
//!
//! What a function's key is made of is less than that: [`Bundle::parts`].

use crate::error::Error;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::Path,
};

/// Paths and contents, as the build script found them.
static FILES: &[(&str, &[u8])] = &include!(concat!(env!("OUT_DIR"), "/bundle.rs"));
/// What stands for the command line, which the functions are not built with.
const NO_COMMAND_LINE: (&str, &[u8]) = ("src/main.rs", b"fn main() {}\n");
/// The tables of a manifest, or of one of its targets, whose crates go into a build.
const DEPENDENCIES: [&str; 2] = ["dependencies", "build-dependencies"];
/// The profiles that cargo knows without being told.
const BUILT_IN: [&str; 4] = ["dev", "release", "test", "bench"];

/// The sources.
#[derive(Clone, Debug)]
pub struct Bundle {
    files: BTreeMap<String, Vec<u8>>,
    root: Value,
    /// The crates of the workspace by their names: folder and manifest.
    crates: BTreeMap<String, (String, Value)>,
}

impl Bundle {
    /// Those that came with the program.
    pub fn embedded() -> Result<Self, Error> {
        Self::new(FILES.iter().map(|(path, content)| ((*path).to_owned(), content.to_vec())).collect())
    }

    pub(super) fn new(mut files: BTreeMap<String, Vec<u8>>) -> Result<Self, Error> {
        files.insert(NO_COMMAND_LINE.0.into(), NO_COMMAND_LINE.1.into());
        let root = read(&files, "Cargo.toml")?;
        let mut crates = BTreeMap::new();
        for path in files.keys().filter(|path| path.starts_with("lambdas/")) {
            if let Some(folder) = path.strip_suffix("/Cargo.toml") {
                let manifest = read(&files, path)?;
                let name = manifest["package"]["name"].as_str().ok_or_else(|| damaged(path, "no package"))?;
                crates.insert(name.to_owned(), (folder.to_owned(), manifest));
            }
        }
        Ok(Self { files, root, crates })
    }

    /// The oldest Rust that builds them, as `1.94`.
    pub fn rust_version(&self) -> &str {
        self.root["workspace"]["package"]["rust-version"].as_str().unwrap_or("1.0")
    }

    /// Makes the folder hold the workspace and nothing else. What is there already is left as it is, and with it what
    /// cargo has built of it.
    pub fn lay_out(&self, folder: &Path) -> Result<(), Error> {
        let failed = |path: &Path, error: io::Error| {
            Error::new(format!("the sources of the functions cannot be written to '{}'", path.display())).because(error)
        };
        for (path, content) in &self.files {
            let path = folder.join(path);
            if fs::read(&path).is_ok_and(|there| there == *content) {
                continue;
            }
            let parent = path.parent().unwrap_or(folder);
            fs::create_dir_all(parent).map_err(|e| failed(parent, e))?;
            fs::write(&path, content).map_err(|e| failed(&path, e))?;
        }
        let wanted = self.files.keys().map(|path| folder.join(path)).collect();
        remove_others(folder, &wanted).map_err(|e| failed(folder, e))
    }

    /// What a package is built from in a profile, by name: its sources and those of the crates that it names, what of
    /// the workspace's manifest they inherit, the profile, and the entries of the lock file that can be reached.
    ///
    /// The entries can be a few more than go in, since which feature asked for one is not written there.
    pub fn parts(&self, package: &str, profile: &str) -> Result<BTreeMap<String, Vec<u8>>, Error> {
        let mut parts = BTreeMap::new();
        let (mut inherited, mut locked) = (BTreeMap::new(), BTreeMap::new());
        let mut waiting = vec![package.to_owned()];
        while let Some(name) = waiting.pop() {
            if locked.contains_key(&name) {
                continue;
            }
            let (folder, manifest) = self.crates.get(&name).ok_or_else(|| damaged("lambdas", &format!("no {name}")))?;
            let mut names = BTreeSet::new();
            for (alias, mut dependency) in dependencies(manifest) {
                if dependency["workspace"] == true {
                    dependency = &self.root["workspace"]["dependencies"][alias];
                    inherited.insert(alias.to_owned(), dependency.clone());
                }
                let name = dependency["package"].as_str().unwrap_or(alias);
                names.insert(name.to_owned());
                if dependency["path"].is_string() {
                    waiting.push(name.to_owned());
                }
            }
            locked.insert(name, names);
            let below = format!("{folder}/");
            let sources = self.files.iter().filter(|(path, _)| path.starts_with(&below) && !is_manifest(path));
            parts.extend(sources.map(|(path, content)| (path.clone(), content.clone())));
            parts.insert(format!("{folder}/Cargo.toml"), building(manifest).to_string().into_bytes());
        }
        let workspace = &self.root["workspace"];
        let root = serde_json::json!({
            "resolver": workspace["resolver"], "package": workspace["package"], "dependencies": inherited,
            "profiles": self.profiles(profile)?,
        });
        parts.insert("Cargo.toml".into(), root.to_string().into_bytes());
        parts.insert("Cargo.lock".into(), self.reachable(&locked)?);
        Ok(parts)
    }

    /// A profile and those that it inherits from.
    fn profiles(&self, profile: &str) -> Result<BTreeMap<String, Value>, Error> {
        let mut chain = BTreeMap::new();
        let mut next = Some(profile);
        while let Some(name) = next.filter(|name| !chain.contains_key(*name)) {
            let table = &self.root["profile"][name];
            if table.is_null() && !BUILT_IN.contains(&name) {
                return Err(Error::new(format!("the functions have no profile '{name}'"))
                    .hint("STOCKPIPE_BUILD_PROFILE is lambda, which is the default, release or dev")
                    .status(crate::error::ExitStatus::Usage));
            }
            chain.insert(name.to_owned(), table.clone());
            next = table["inherits"].as_str().or(match name {
                "test" => Some("dev"),
                "bench" => Some("release"),
                _ => None,
            });
        }
        Ok(chain)
    }

    /// The entries of the lock file that the crates of the workspace reach, each of them by the names that it asks for
    /// to be built. Of the workspace's own the lock file has those for its tests too.
    fn reachable(&self, own: &BTreeMap<String, BTreeSet<String>>) -> Result<Vec<u8>, Error> {
        let lock = read(&self.files, "Cargo.lock")?;
        let mut by_name: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
        for entry in lock["package"].as_array().into_iter().flatten() {
            by_name.entry(entry["name"].as_str().unwrap_or_default()).or_default().push(entry);
        }
        let mut reached = BTreeSet::new();
        let mut waiting: Vec<String> = own.keys().cloned().collect();
        while let Some(wanted) = waiting.pop() {
            // `name`, `name version` or `name version (source)`, as short as tells them apart.
            let mut words = wanted.split(' ');
            let (name, version) = (words.next().unwrap_or_default(), words.next());
            let entries = by_name.get(name).ok_or_else(|| damaged("Cargo.lock", &format!("no {name}")))?;
            for entry in entries.iter().filter(|entry| version.is_none_or(|version| entry["version"] == version)) {
                let needs = entry["dependencies"].as_array().into_iter().flatten().filter_map(Value::as_str);
                let built = own.get(name);
                let needs = needs.filter(|need| {
                    let name = need.split(' ').next().unwrap_or_default();
                    built.is_none_or(|built| built.contains(name))
                });
                // The crates of the workspace are there with their manifests.
                if built.is_none() && !reached.insert(entry.to_string()) {
                    continue;
                }
                waiting.extend(needs.filter(|need| !own.contains_key(*need)).map(str::to_owned));
            }
        }
        Ok(reached.into_iter().collect::<Vec<_>>().join("\n").into_bytes())
    }
}

/// The dependencies that go into a build, by the names that the manifest gives them.
fn dependencies(manifest: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let targets = manifest["target"].as_object().into_iter().flatten().map(|(_, target)| target);
    let tables = [manifest].into_iter().chain(targets);
    let tables = tables.flat_map(|table| DEPENDENCIES.into_iter().filter_map(|name| table[name].as_object()));
    tables.flatten().map(|(alias, dependency)| (alias.as_str(), dependency))
}

/// A manifest without what is for its tests and for whoever reads it.
fn building(manifest: &Value) -> Value {
    let mut manifest = manifest.clone();
    if let Some(table) = manifest.as_object_mut() {
        table.retain(|name, _| !["dev-dependencies", "test", "bench", "example", "lints"].contains(&name.as_str()));
        for target in table.get_mut("target").and_then(Value::as_object_mut).into_iter().flatten() {
            target.1.as_object_mut().and_then(|target| target.remove("dev-dependencies"));
        }
    }
    manifest
}

fn is_manifest(path: &str) -> bool {
    path.ends_with("/Cargo.toml")
}

fn read(files: &BTreeMap<String, Vec<u8>>, path: &str) -> Result<Value, Error> {
    let bytes = files.get(path).ok_or_else(|| damaged(path, "it is missing"))?;
    toml::from_slice(bytes).map_err(|error| damaged(path, &error.to_string()))
}

fn damaged(path: &str, why: &str) -> Error {
    Error::new(format!("'{path}' of the sources that come with stockpipe is damaged")).because(why)
}

/// Removes files that are not wanted, and the folders that are empty then.
fn remove_others(folder: &Path, wanted: &BTreeSet<std::path::PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            remove_others(&path, wanted)?;
            // Only where it is empty.
            _ = fs::remove_dir(&path);
        } else if !wanted.contains(&path) {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
