//! What builds the functions on this machine: cargo-lambda, cargo-zigbuild or cargo alone.
//!
//! The first two link with zig, against the glibc of Lambda, for either architecture. Cargo alone links with what the
//! machine has, so it is used for the machine's own architecture only, and what it links is checked like all else.

use super::{Architecture, elf::GLIBC};
use crate::error::Error;
use serde_json::Value;
use std::{
    fmt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The oldest that is known to do; older ones are passed over.
const LAMBDA: (u32, u32) = (1, 8);
const ZIGBUILD: (u32, u32) = (0, 20);

/// Which tool builds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Builder {
    /// `cargo lambda build`
    Lambda,
    /// `cargo zigbuild`
    Zigbuild,
    /// `cargo build`
    Cargo,
}

/// What builds the functions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toolchain {
    /// The tool.
    pub builder: Builder,
    /// Its version, as `1.9.2`.
    pub version: String,
    /// The compiler, as `rustc 1.95.0 (59807616e 2026-04-14)`.
    pub rustc: String,
    /// The compiler's commit, by which the paths of its own sources are called.
    pub(super) commit: String,
    /// Where the compiler is.
    pub(super) sysroot: PathBuf,
}

/// What a machine is asked.
struct Machine<'a> {
    /// What a program says on standard output, if it is there and succeeds.
    said: &'a dyn Fn(&str, &[&str]) -> Option<String>,
    has_folder: &'a dyn Fn(&Path) -> bool,
}

impl Toolchain {
    /// The one that would build for an architecture now, or what is missing and what to do about it.
    ///
    /// `rust_version` is the oldest compiler that does, as `1.94`; `folder` is where it will build, which rustup may
    /// have another compiler for than for the working folder.
    pub fn find(architecture: Architecture, rust_version: &str, folder: &Path) -> Result<Self, Error> {
        let folder = folder.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("/"));
        let said = |program: &str, arguments: &[&str]| said(program, arguments, folder);
        Self::of(&Machine { said: &said, has_folder: &|path| path.is_dir() }, architecture, rust_version)
    }

    fn of(machine: &Machine<'_>, architecture: Architecture, rust_version: &str) -> Result<Self, Error> {
        let said = machine.said;
        let missing = |what: String| Error::new("the functions cannot be built").because(what);
        let install = "install Rust (https://rustup.rs)";
        let cargo = said("cargo", &["--version"]).ok_or_else(|| missing("there is no cargo".into()).hint(install))?;
        let verbose = said("rustc", &["-vV"]).ok_or_else(|| missing("there is no rustc".into()).hint(install))?;
        let rustc = verbose.lines().next().unwrap_or_default().to_owned();
        if number(&rustc) < number(rust_version) {
            return Err(missing(format!("they take Rust {rust_version}, and this is {rustc}")).hint("rustup update"));
        }
        let field = |name: &str| verbose.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim();
        let triple = architecture.triple();
        let libraries = said("rustc", &["--print", "target-libdir", "--target", triple]).unwrap_or_default();
        if !(machine.has_folder)(Path::new(libraries.trim())) {
            return Err(missing(format!("Rust's own libraries for {triple} are missing"))
                .hint(format!("rustup target add {triple}")));
        }
        let at_least = |said: Option<String>, oldest| said.filter(|said| number(said) >= oldest);
        let (builder, version) = if let Some(version) = at_least(said("cargo", &["lambda", "--version"]), LAMBDA)
            && said("cargo", &["lambda", "system", "--output-format", "json"]).is_some_and(|system| has_zig(&system))
        {
            (Builder::Lambda, version)
        } else if let Some(version) = at_least(said("cargo", &["zigbuild", "--version"]), ZIGBUILD) {
            (Builder::Zigbuild, version)
        } else if field("host:") == triple {
            (Builder::Cargo, cargo)
        } else {
            let why = format!("this machine is {}, and its linker links for nothing else", field("host:"));
            return Err(missing(why).hint(format!(
                "`pip install cargo-lambda` brings a builder that links for {architecture} (its zig included)"
            )));
        };
        Ok(Self {
            builder,
            version: version.split(' ').nth(1).unwrap_or_default().trim().to_owned(),
            rustc,
            commit: field("commit-hash:").to_owned(),
            sysroot: said("rustc", &["--print", "sysroot"]).unwrap_or_default().trim().into(),
        })
    }
}

impl Builder {
    /// What cargo is told, up to the package. The same flags make the same program, whichever tool it is.
    pub(super) fn arguments(self, architecture: Architecture, profile: &str) -> Vec<String> {
        let command: &[&str] = match self {
            // Of its optimizations none, some of which would only come with some names of profiles.
            Self::Lambda => &["lambda", "build", "--disable-optimizations"],
            Self::Zigbuild => &["zigbuild"],
            Self::Cargo => &["build"],
        };
        let target = match self {
            Self::Lambda | Self::Zigbuild => format!("{}.{}.{}", architecture.triple(), GLIBC.0, GLIBC.1),
            Self::Cargo => architecture.triple().to_owned(),
        };
        let rest = ["--locked", "--profile", profile, "--target", &target];
        command.iter().copied().chain(rest).map(str::to_owned).collect()
    }
}

impl fmt::Display for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lambda => "cargo-lambda",
            Self::Zigbuild => "cargo-zigbuild",
            Self::Cargo => "cargo",
        })
    }
}

impl fmt::Display for Toolchain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}, {}", self.builder, self.version, self.rustc)
    }
}

fn said(program: &str, arguments: &[&str], folder: &Path) -> Option<String> {
    let mut command = Command::new(program);
    command.current_dir(folder);
    let output = command.args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether cargo-lambda has found its zig; without it, it would ask how to install one.
fn has_zig(system: &str) -> bool {
    serde_json::from_str::<Value>(system).is_ok_and(|system| system["zig"]["version"].is_string())
}

/// `(1, 95)` of `rustc 1.95.0 (59807616e 2026-04-14)`, and of `1.95`.
fn number(version: &str) -> (u32, u32) {
    let word = version.split(' ').find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    let mut numbers = word.unwrap_or_default().split('.').map_while(|part| part.parse().ok());
    (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUSTC: &str = "rustc 1.95.0 (59807616e 2026-04-14)\nbinary: rustc\ncommit-hash: 59807616e1fa\n\
                         host: x86_64-unknown-linux-gnu\nrelease: 1.95.0\n";

    const ZIG: (&str, &str) = ("cargo lambda system --output-format json", r#"{"zig":{"version":"0.17.1"}}"#);
    const ARM: (&str, &str) = ("rustc --print target-libdir --target aarch64-unknown-linux-gnu", "/lib\n");

    /// What is said on a machine with Rust for its own architecture, and what else it has. Nothing is as if not there.
    fn found(architecture: Architecture, more: &[(&str, &str)]) -> Result<String, String> {
        let said = |program: &str, arguments: &[&str]| {
            let asked = format!("{program} {}", arguments.join(" "));
            let answer = match more.iter().find(|(question, _)| *question == asked) {
                Some((_, answer)) => answer,
                None => match asked.as_str() {
                    "cargo --version" => "cargo 1.95.0 (f2d3ce0bd 2026-03-21)\n",
                    "rustc -vV" => RUSTC,
                    "rustc --print target-libdir --target x86_64-unknown-linux-gnu" => "/lib\n",
                    _ => "",
                },
            };
            (!answer.is_empty()).then(|| answer.to_owned())
        };
        let machine = Machine { said: &said, has_folder: &|path| path == Path::new("/lib") };
        Toolchain::of(&machine, architecture, "1.94").map(|found| found.to_string()).map_err(|error| {
            let hint = error.hint_text().expect("a hint");
            format!("{error}; {hint}")
        })
    }

    /// Would catch a builder that is taken though it cannot build, or passed over though it can.
    #[test]
    fn the_best_builder_is_taken() {
        let rustc = "rustc 1.95.0 (59807616e 2026-04-14)";
        let lambda = ("cargo lambda --version", "cargo-lambda 1.9.2 (67129fc 2026-08-21Z)\n");
        let zigbuild = ("cargo zigbuild --version", "cargo-zigbuild 0.24.1\n");
        let x86 = |more: &[_]| found(Architecture::X86_64, more).expect("a builder");
        assert_eq!(x86(&[]), format!("cargo 1.95.0, {rustc}"));
        assert_eq!(x86(&[lambda, zigbuild, ZIG]), format!("cargo-lambda 1.9.2, {rustc}"));
        assert_eq!(x86(&[lambda, zigbuild]), format!("cargo-zigbuild 0.24.1, {rustc}"));
        let old = ("cargo lambda --version", "cargo-lambda 0.21.1 (67129fc 2023-08-21Z)\n");
        assert_eq!(x86(&[old, ZIG]), format!("cargo 1.95.0, {rustc}"));
        assert_eq!(found(Architecture::Arm64, &[lambda, ZIG, ARM]), Ok(format!("cargo-lambda 1.9.2, {rustc}")));
    }

    /// Would catch a builder that fails for minutes, or with another tool's words, at what can be said at once.
    #[test]
    fn what_is_missing_is_said_with_its_remedy() {
        let why = |architecture, more: &[_]| found(architecture, more).expect_err("nothing builds");
        let x86 = Architecture::X86_64;
        assert_eq!(
            why(x86, &[("cargo --version", "")]),
            "the functions cannot be built: there is no cargo; install Rust (https://rustup.rs)"
        );
        assert!(why(x86, &[("rustc -vV", "rustc 1.93.9 (0 0)\n")]).ends_with("rustc 1.93.9 (0 0); rustup update"));
        let target = "rustup target add aarch64-unknown-linux-gnu";
        assert!(why(Architecture::Arm64, &[]).ends_with(target));
        assert!(why(Architecture::Arm64, &[ARM]).contains("pip install cargo-lambda"));
    }

    #[test]
    fn tools_are_told_the_same_and_their_own() {
        let told = |builder: Builder| builder.arguments(Architecture::Arm64, "lambda").join(" ");
        let rest = "--locked --profile lambda --target aarch64-unknown-linux-gnu";
        assert_eq!(told(Builder::Cargo), format!("build {rest}"));
        assert_eq!(told(Builder::Zigbuild), format!("zigbuild {rest}.2.34"));
        assert_eq!(told(Builder::Lambda), format!("lambda build --disable-optimizations {rest}.2.34"));
    }
}
