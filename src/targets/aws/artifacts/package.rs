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

    /// Would catch a time, a mode or a field that comes from the machine, and an entry that Lambda cannot start.
    #[test]
    fn a_zip_has_one_entry_and_nothing_of_this_machine() {
        let package = Package::new(b"#!/bin/sh\n").expect("a package");
        // A local header, the data, a central header and the end, none with an extra field.
        let name = b"bootstrap".len();
        let data = package.bytes.len() - (30 + name) - (46 + name) - 22;
        let local = &package.bytes[..30];
        assert_eq!(local[..4], *b"PK\x03\x04");
        // 1980-01-01 00:00:00, as MS-DOS says it.
        assert_eq!(local[10..14], [0, 0, 0x21, 0]);
        assert_eq!(local[28..30], [0, 0]);
        let central = &package.bytes[30 + name + data..][..46];
        assert_eq!(central[..4], *b"PK\x01\x02");
        assert_eq!(central[5], 3, "made on unix");
        assert_eq!(central[12..16], [0, 0, 0x21, 0]);
        assert_eq!(central[30..34], [0; 4]);
        assert_eq!(u32::from_le_bytes(central[38..42].try_into().unwrap()) >> 16, 0o100_755);
        assert_eq!(package.bytes[package.bytes.len() - 22..][..4], *b"PK\x05\x06");
        // Another crate that zips, or a newer one, makes other bytes: then the recipe is another.
        assert_eq!(package.code_sha256, "TgoCDlnlEB8OgRvZiCDdqwRZ/K1zIAp7hHwQkOCvAjA=");
    }
}
