//! Zips that are the same wherever and whenever they are made.
//!
//! Made by hand, since there is one entry and nothing of the machine may be in it.

use crate::error::Error;
use base64::{Engine, engine::general_purpose::STANDARD};
use libdeflater::{CompressionLvl, Compressor};
use ring::digest::{SHA256, digest};
use std::num::TryFromIntError;

/// The one entry.
const NAME: &[u8] = b"bootstrap";
/// Of 0 to 12. The highest makes a program of 11 MB smaller by a fortieth, in eight times the time.
const LEVEL: i32 = 7;
/// Deflate came with version 2.0 of the format.
const VERSION: u16 = 20;
/// 1980-01-01 00:00:00 as MS-DOS says it, which is the format's first time.
const TIME_AND_DATE: [u16; 2] = [0, 1 << 5 | 1];
/// From a Unix, where modes are.
const UNIX: u16 = 3 << 8;
/// A file that everybody may read and run.
const MODE: u32 = 0o100_755;

/// A function's code as Lambda takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// The zip.
    pub bytes: Vec<u8>,
    /// Its SHA-256 in base64, as S3 and Lambda both say it.
    pub code_sha256: String,
}

impl Package {
    /// Of a program: one entry, whose time is 1980-01-01 and whose mode is 0755.
    pub fn new(bootstrap: &[u8]) -> Result<Self, Error> {
        let failed = |why: &dyn std::fmt::Display| Error::new("a bootstrap cannot be zipped").because(why);
        let level = CompressionLvl::new(LEVEL).map_err(|_| failed(&"its level of compression is unknown"))?;
        let mut deflate = Compressor::new(level);
        let mut deflated = vec![0; deflate.deflate_compress_bound(bootstrap.len())];
        let length = deflate.deflate_compress(bootstrap, &mut deflated).map_err(|error| failed(&error))?;
        deflated.truncate(length);
        let bytes = zip(bootstrap, &deflated).map_err(|error| failed(&error))?;
        let code_sha256 = STANDARD.encode(digest(&SHA256, &bytes));
        Ok(Self { bytes, code_sha256 })
    }
}

/// A local header and the data, then a directory of one entry and the end.
fn zip(plain: &[u8], deflated: &[u8]) -> Result<Vec<u8>, TryFromIntError> {
    let both = both(plain, deflated)?;
    let mut zip = Zip(Vec::with_capacity(deflated.len() + 256));
    zip.text(b"PK\x03\x04").short(&[VERSION]).text(&both).short(&[NAME.len().try_into()?, 0]).text(NAME).text(deflated);
    let directory = zip.0.len();
    zip.text(b"PK\x01\x02").short(&[UNIX | VERSION, VERSION]).text(&both);
    // Neither extra fields nor a remark; the first disk; no text; its mode, and where it begins.
    zip.short(&[NAME.len().try_into()?, 0, 0, 0, 0]).long(&[MODE << 16, 0]).text(NAME);
    let length = zip.0.len() - directory;
    zip.text(b"PK\x05\x06").short(&[0, 0, 1, 1]).long(&[length.try_into()?, directory.try_into()?]).short(&[0]);
    Ok(zip.0)
}

/// What both headers say: no flags, deflated, when, the checksum, and both lengths.
fn both(plain: &[u8], deflated: &[u8]) -> Result<Vec<u8>, TryFromIntError> {
    let checksum = libdeflater::crc32(plain);
    let mut both = Zip(vec![]);
    both.short(&[0, 8]).short(&TIME_AND_DATE).long(&[checksum, deflated.len().try_into()?, plain.len().try_into()?]);
    Ok(both.0)
}

/// Bytes, low ones first.
struct Zip(Vec<u8>);

impl Zip {
    fn text(&mut self, text: &[u8]) -> &mut Self {
        self.0.extend(text);
        self
    }

    fn short(&mut self, numbers: &[u16]) -> &mut Self {
        self.0.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        self
    }

    fn long(&mut self, numbers: &[u32]) -> &mut Self {
        self.0.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::zip::{CompressionMethod, DateTime, ZipArchive};
    use std::io::{Cursor, Read};

    /// Would catch an entry that Lambda cannot start, and a time or a field that comes from the machine.
    #[test]
    fn a_zip_has_one_entry_and_nothing_of_this_machine() {
        for program in [&b""[..], b"#!/bin/sh\n", &b"\x7fELF".repeat(100_000)] {
            let package = Package::new(program).expect("a package");
            let mut zip = ZipArchive::new(Cursor::new(&package.bytes)).expect("a zip");
            assert_eq!((zip.len(), zip.comment(), zip.offset()), (1, &b""[..], 0));
            let mut entry = zip.by_index(0).expect("an entry");
            assert_eq!((entry.name(), entry.unix_mode()), ("bootstrap", Some(MODE)));
            assert_eq!((entry.compression(), entry.extra_data()), (CompressionMethod::Deflated, Some(&b""[..])));
            assert_eq!(entry.last_modified(), Some(DateTime::default()));
            let mut read = vec![];
            entry.read_to_end(&mut read).expect("what the checksum is of");
            assert_eq!(read, program);
        }
    }

    /// Another version of what deflates may make other bytes. Then the keys have to change too: raise the recipe.
    #[test]
    fn the_same_program_has_the_same_zip() {
        let program: Vec<u8> = (0..50_000_u32).flat_map(|number| (number * number % 1000).to_le_bytes()).collect();
        assert_eq!(
            Package::new(&program).expect("a package").code_sha256,
            "mtPUQo79M1NcFG7fVjty7UitJjJcV5qCavEDqj7sxSY="
        );
    }
}
