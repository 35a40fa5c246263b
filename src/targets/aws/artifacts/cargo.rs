//! Builds the functions with cargo, in a folder that is kept, so that the next build is a short one.
//!
//! What comes out depends on the sources, the compiler and the linker, and not on where it was built or by whom: paths
//! are called by other names, and of the surroundings what would change the program is left out.

use super::{
    Architecture, BuildOptions, Function,
    bundle::Bundle,
    toolchain::{Builder, Toolchain},
};
use crate::error::Error;
use std::{
    env,
    ffi::OsString,
    fs::{self, File},
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
};
use tokio::sync::mpsc;

/// Lines of an error that are shown; the rest is in the log.
const SHOWN: usize = 12;

/// The folder of the builds, held against others that would build there at once.
#[derive(Debug)]
pub struct Workshop {
    toolchain: Toolchain,
    architecture: Architecture,
    profile: String,
    folder: PathBuf,
    _lock: File,
}

impl Workshop {
    /// Lays the sources out. Waits where another process builds.
    pub async fn open(bundle: &Bundle, architecture: Architecture, options: &BuildOptions) -> Result<Self, Error> {
        let toolchain = Toolchain::find(architecture, bundle.rust_version(), &options.folder)?;
        let failed = |error: std::io::Error| {
            Error::new(format!("the functions cannot be built in '{}'", options.folder.display())).because(error)
        };
        fs::create_dir_all(&options.folder).map_err(failed)?;
        // As cargo sees it, whose paths are called by other names.
        let folder = options.folder.canonicalize().map_err(failed)?;
        let lock = File::create(folder.join("lock")).map_err(failed)?;
        let held = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock)).await;
        let lock = held.map_err(|error| failed(error.into()))?.map_err(failed)?;
        let workspace = folder.join("workspace");
        bundle.lay_out(&workspace)?;
        Ok(Self { toolchain, architecture, profile: options.profile.clone(), folder, _lock: lock })
    }

    /// What builds.
    pub const fn toolchain(&self) -> &Toolchain {
        &self.toolchain
    }

    /// The program of a function. Each line that cargo says is handed on.
    ///
    /// One function at a time: built together, each would have the features that the others ask for.
    pub async fn build(&self, function: Function, on_line: &mut dyn FnMut(&str)) -> Result<Vec<u8>, Error> {
        let package = function.package();
        let failed = |why: String| Error::new(format!("{function} was not built")).because(why);
        if self.toolchain.builder == Builder::Lambda {
            // What it does not find it does not move, and says nothing of it: what was there stays there.
            _ = fs::remove_file(self.program(package));
        }
        let mut child = self.command(package).spawn().map_err(|e| failed(e.to_string()))?;
        let said = child.stderr.take();
        let mut running = Running(child);
        let (send, mut receive) = mpsc::unbounded_channel();
        thread::spawn(move || {
            for line in said.into_iter().flat_map(|said| BufReader::new(said).split(b'\n')).map_while(Result::ok) {
                // Whoever no longer listens has let go of the build.
                _ = send.send(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
        });
        let mut lines = vec![];
        while let Some(line) = receive.recv().await {
            on_line(&line);
            lines.push(line);
        }
        let ended = running.0.wait().map_err(|e| failed(e.to_string()))?;
        let log = self.folder.join(package).with_extension("log");
        // A log that cannot be written is no reason to stop; what matters of it is shown.
        _ = fs::write(&log, lines.join("\n"));
        if !ended.success() {
            let hint = match hint(&lines) {
                Some(hint) => format!("{hint}\nall that cargo said is in '{}'", log.display()),
                None => format!("all that cargo said is in '{}'", log.display()),
            };
            return Err(failed(format!("{} failed\n{}", self.toolchain.builder, cause(&lines).join("\n"))).hint(hint));
        }
        let program = self.program(package);
        fs::read(&program).map_err(|e| failed(format!("'{}' cannot be read: {e}", program.display())))
    }

    fn target(&self) -> PathBuf {
        self.folder.join("target")
    }

    /// Where the builder leaves a program. cargo-lambda does not leave it where cargo does.
    fn program(&self, package: &str) -> PathBuf {
        match self.toolchain.builder {
            Builder::Lambda => self.moved().join(package).join("bootstrap"),
            Builder::Zigbuild | Builder::Cargo => {
                self.target().join(self.architecture.triple()).join(folder_of(&self.profile)).join(package)
            }
        }
    }

    fn moved(&self) -> PathBuf {
        self.folder.join("bootstraps")
    }

    fn command(&self, package: &str) -> Command {
        let mut command = Command::new("cargo");
        command.args(self.toolchain.builder.arguments(self.architecture, &self.profile)).args(["-p", package]);
        if self.toolchain.builder == Builder::Lambda {
            command.arg("--lambda-dir").arg(self.moved());
        }
        for (name, _) in env::vars_os().filter(|(name, _)| is_left_out(&name.to_string_lossy())) {
            command.env_remove(name);
        }
        command
            .env("CARGO_ENCODED_RUSTFLAGS", self.rust_flags())
            .env("CARGO_INCREMENTAL", "0")
            .env("CARGO_TARGET_DIR", self.target())
            .env("CARGO_TERM_COLOR", "never")
            .current_dir(self.folder.join("workspace"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        command
    }

    /// Paths of this machine by names that every machine has.
    fn rust_flags(&self) -> OsString {
        let home = env::var_os("CARGO_HOME").map(PathBuf::from);
        let home = home.or_else(|| dirs::home_dir().map(|home| home.join(".cargo"))).unwrap_or_default();
        let commit = Path::new("/rustc").join(&self.toolchain.commit);
        let renamed = [
            (self.folder.clone(), "/stockpipe".into()),
            (home.join("registry/src"), "/registry".into()),
            (self.toolchain.sysroot.join("lib/rustlib/src/rust"), commit),
        ];
        let mut flags = OsString::new();
        for (path, name) in renamed {
            if !flags.is_empty() {
                flags.push("\u{1f}");
            }
            flags.push("--remap-path-prefix=");
            flags.push(path);
            flags.push("=");
            flags.push(name);
        }
        flags
    }
}

/// A process that does not outlive whoever waits for it.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended, as a rule.
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

/// Whether a variable of the surroundings would change what is built, or says of this program what is not so of those.
fn is_left_out(name: &str) -> bool {
    let package = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_PROFILE_"];
    let flags = ["RUSTFLAGS", "CARGO_BUILD_RUSTFLAGS", "CARGO_BUILD_TARGET", "CARGO_PRIMARY_PACKAGE", "OUT_DIR"];
    package.iter().any(|prefix| name.starts_with(prefix)) || flags.contains(&name)
}

/// Where cargo puts what it builds in a profile.
fn folder_of(profile: &str) -> &str {
    match profile {
        "dev" | "test" => "debug",
        "bench" => "release",
        other => other,
    }
}

/// What of cargo's lines says why it failed: the first error and what belongs to it, or else its last words.
fn cause(lines: &[String]) -> Vec<&str> {
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let is_error = |line: &&str| line.starts_with("error:") || line.starts_with("error[");
    match lines.iter().position(is_error) {
        Some(first) => {
            let error = lines.into_iter().skip(first).take_while(|line| !line.is_empty());
            error.take(SHOWN).collect()
        }
        None => {
            let words: Vec<&str> = lines.into_iter().filter(|line| !line.is_empty()).collect();
            let first = words.len().saturating_sub(SHOWN / 2);
            words.into_iter().skip(first).collect()
        }
    }
}

/// What to do about a failure that has nothing to do with the sources.
fn hint(lines: &[String]) -> Option<&'static str> {
    let says = |words: &[&str]| lines.iter().any(|line| words.iter().any(|word| line.contains(word)));
    if says(&["linker `cc` not found", "failed to find tool \"cc\""]) {
        Some("install a C compiler (Debian: apt install gcc), or `pip install cargo-lambda`, which brings one")
    } else if says(&["failed to download", "failed to fetch", "Could not resolve host", "Could not connect"]) {
        Some("what the functions depend on comes from crates.io once: look at the network, or set HTTPS_PROXY")
    } else if says(&["No space left on device"]) {
        Some("it takes some 2 GB of disk; STOCKPIPE_HOME moves it to another")
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
