//! Zips that are the same wherever and whenever they are made.

use crate::error::Error;
use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};
use std::io::{Cursor, Write};
use zip::{CompressionMethod, DateTime, ZipWriter, result::ZipError, write::SimpleFileOptions};

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
        let bytes = zipped(bootstrap).map_err(|error| Error::new("a bootstrap cannot be zipped").because(error))?;
        let code_sha256 = STANDARD.encode(Sha256::digest(&bytes));
        Ok(Self { bytes, code_sha256 })
    }
}

fn zipped(bootstrap: &[u8]) -> Result<Vec<u8>, ZipError> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(6))
        .last_modified_time(DateTime::default())
        .unix_permissions(0o755);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("bootstrap", options)?;
    zip.write_all(bootstrap)?;
    Ok(zip.finish()?.into_inner())
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
            assert_eq!((entry.name(), entry.unix_mode()), ("bootstrap", Some(0o100_755)));
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
            "BAbqDnjuTzxxHOHacx/3a8+PCJ5qG/RmtgXEI0KaL0E="
        );
    }
}
