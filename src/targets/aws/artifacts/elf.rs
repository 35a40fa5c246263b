//! Whether Lambda can start a program: what it is built for, and which glibc it asks for.
//!
//! What is wrong here would show at the first start on Lambda, when the stream fills already.

use super::{Architecture, Function};
use crate::error::Error;
use object::{
    Endianness, elf,
    read::elf::{FileHeader, SectionTable},
};
use std::cmp::Reverse;

/// The glibc of `provided.al2023`.
pub const GLIBC: (u32, u32) = (2, 34);
/// What Lambda takes, unzipped.
const MOST_BYTES: usize = 250 * 1024 * 1024;
const INSTEAD: &str = "`pip install cargo-lambda` brings a builder that links for Lambda on any machine";
const SMALLER: &str = "the profile lambda leaves the symbols out";

/// Checks the program of a function, before it is uploaded.
pub fn check(function: Function, bootstrap: &[u8], architecture: Architecture) -> Result<(), Error> {
    judge(bootstrap, architecture).map_err(|Refusal { why, hint }| {
        Error::new(format!("the bootstrap of {function} does not run on Lambda")).because(why).hint(hint)
    })
}

/// Why a program is not uploaded.
#[derive(Debug, PartialEq, Eq)]
struct Refusal {
    why: String,
    hint: &'static str,
}

impl Refusal {
    fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), hint: INSTEAD }
    }
}

impl From<object::Error> for Refusal {
    fn from(error: object::Error) -> Self {
        Self::new(format!("it is no whole program for Linux on 64 bits: {error}"))
    }
}

fn judge(bootstrap: &[u8], architecture: Architecture) -> Result<(), Refusal> {
    if bootstrap.len() > MOST_BYTES {
        let why = format!("it has {} MB, and Lambda takes 262", bootstrap.len() / 1_000_000);
        return Err(Refusal { why, hint: SMALLER });
    }
    let header = elf::FileHeader64::<Endianness>::parse(bootstrap)?;
    let endian = header.endian()?;
    if endian != Endianness::Little {
        return Err(Refusal::new("its numbers begin with the high byte"));
    }
    let expected = match architecture {
        Architecture::X86_64 => elf::EM_X86_64,
        Architecture::Arm64 => elf::EM_AARCH64,
    };
    let machine = header.e_machine(endian);
    if machine != expected {
        return Err(Refusal::new(match machine {
            elf::EM_X86_64 => format!("it is built for x86_64, not for {architecture}"),
            elf::EM_AARCH64 => format!("it is built for arm64, not for {architecture}"),
            other => format!("it is built for machine {}, not for {architecture}", other.0),
        }));
    }
    let sections = header.sections(endian, bootstrap)?;
    if sections.is_empty() {
        return Err(Refusal::new("it has no table of sections, which says what it asks of glibc"));
    }
    match glibc(&sections, endian, bootstrap)?.first() {
        Some(newest) if !is_known(newest) => {
            Err(Refusal::new(format!("it asks for {newest}, and Lambda has glibc {}.{}", GLIBC.0, GLIBC.1)))
        }
        _ => Ok(()),
    }
}

/// The versions of glibc's symbols that a program asks for, as `GLIBC_2.34`, the newest first.
fn glibc(
    sections: &SectionTable<'_, elf::FileHeader64<Endianness>>,
    endian: Endianness,
    bytes: &[u8],
) -> object::Result<Vec<String>> {
    let mut names = vec![];
    if let Some((mut libraries, strings)) = sections.gnu_verneed(endian, bytes)? {
        let strings = sections.strings(endian, bytes, strings)?;
        while let Some((_, mut versions)) = libraries.next()? {
            while let Some(version) = versions.next()? {
                let name = String::from_utf8_lossy(version.name(endian, strings)?).into_owned();
                if name.starts_with("GLIBC_") {
                    names.push(name);
                }
            }
        }
    }
    names.sort_by_key(|name| Reverse(number(name)));
    Ok(names)
}

/// Whether Lambda's glibc has this version.
fn is_known(version: &str) -> bool {
    number(version) <= GLIBC
}

/// `(2, 2)` of `GLIBC_2.2.5`. What is no number is newer than all: `GLIBC_ABI_DT_RELR` came with 2.36.
fn number(version: &str) -> (u32, u32) {
    let mut numbers = version.trim_start_matches("GLIBC_").split('.').map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor),
        _ => (u32::MAX, u32::MAX),
    }
}

#[cfg(test)]
mod tests;
