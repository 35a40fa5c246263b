//! What an object is called that holds a function's code: by what the code is made from.
//!
//! Not part of it is what the compiler and the builder are. They make other bytes of the same sources, but not another
//! function: `up` with unchanged sources has to change nothing, on a colleague's machine as well, with a compiler of
//! last week or with none at all. What built an object is in its metadata; who wants it built anew changes the lock
//! file or the recipe. Two that build at once do not overwrite each other: the first to upload wins.

use super::{Architecture, Function, bundle::Bundle, elf::GLIBC};
use crate::error::Error;
use sha2::{Digest, Sha256};

/// The folder of all of them.
pub const FOLDER: &str = "functions/";
/// Raised whenever the same sources shall make another object: other flags, another way of zipping.
const RECIPE: &str = "1";
/// 128 bits of a SHA-256.
const DIGITS: usize = 32;

/// Of what is built here.
pub fn of_sources(
    function: Function,
    bundle: &Bundle,
    architecture: Architecture,
    profile: &str,
) -> Result<String, Error> {
    let mut hash = Hash::new();
    hash.add("recipe", RECIPE.as_bytes());
    hash.add("architecture", architecture.triple().as_bytes());
    hash.add("glibc", format!("{}.{}", GLIBC.0, GLIBC.1).as_bytes());
    hash.add("profile", profile.as_bytes());
    hash.add("package", function.package().as_bytes());
    for (name, content) in bundle.parts(function.package(), profile)? {
        hash.add(&name, &content);
    }
    Ok(hash.key(function))
}

/// Of what was built elsewhere.
pub fn of_bootstrap(function: Function, bootstrap: &[u8]) -> String {
    let mut hash = Hash::new();
    hash.add("recipe", RECIPE.as_bytes());
    hash.add("bootstrap", bootstrap);
    hash.key(function)
}

/// Names and contents, none of which can run into the next.
struct Hash(Sha256);

impl Hash {
    fn new() -> Self {
        Self(Sha256::new())
    }

    fn add(&mut self, name: &str, content: &[u8]) {
        for part in [name.as_bytes(), content] {
            self.0.update((part.len() as u64).to_le_bytes());
            self.0.update(part);
        }
    }

    fn key(self, function: Function) -> String {
        let digits: String = self.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        let digits = digits.get(..DIGITS).unwrap_or_default();
        format!("{FOLDER}{}/{digits}.zip", function.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch code that is deployed for another machine, or of another profile, than it was asked for.
    #[test]
    fn a_key_is_the_same_for_the_same_and_another_for_another() {
        let bundle = Bundle::embedded().expect("sources");
        let of = |function, architecture, profile| of_sources(function, &bundle, architecture, profile).expect("a key");
        let x86 = Architecture::X86_64;
        let key = of(Function::Process, x86, "lambda");
        assert_eq!(of(Function::Process, x86, "lambda"), key);
        let digits = key.strip_prefix("functions/ProcessStockData/").and_then(|name| name.strip_suffix(".zip"));
        assert!(
            digits.is_some_and(|digits| digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_hexdigit())),
            "{key}"
        );
        let others = [
            of(Function::Trend, x86, "lambda"),
            of(Function::Process, Architecture::Arm64, "lambda"),
            of(Function::Process, x86, "dev"),
            of_bootstrap(Function::Process, b"one"),
            of_bootstrap(Function::Process, b"two"),
        ];
        let all: std::collections::BTreeSet<_> = others.iter().chain([&key]).collect();
        assert_eq!(all.len(), others.len() + 1, "{all:?}");
    }
}
