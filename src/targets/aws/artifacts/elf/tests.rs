//! Programs made by hand, and this one.

use super::*;

/// A program of a header, three sections and what they hold: what it asks of `libc.so.6` is in the second.
fn program(machine: elf::Machine, versions: &[&str]) -> Vec<u8> {
    let mut strings = b"\0libc.so.6\0".to_vec();
    let mut needs = vec![];
    // Elf64_Verneed: version, count, file, first, next.
    needs.extend(1u16.to_le_bytes());
    needs.extend((versions.len() as u16).to_le_bytes());
    needs.extend([1u32, 16, 0].iter().flat_map(|number| number.to_le_bytes()));
    for (at, version) in versions.iter().enumerate() {
        let next = if at + 1 == versions.len() { 0u32 } else { 16 };
        needs.extend(0u32.to_le_bytes());
        needs.extend([0u16, 2].iter().flat_map(|number| number.to_le_bytes()));
        needs.extend((strings.len() as u32).to_le_bytes());
        needs.extend(next.to_le_bytes());
        strings.extend(version.as_bytes());
        strings.push(0);
    }
    let (needs_at, strings_at) = (64u64, 64 + needs.len() as u64);
    let sections_at = strings_at + strings.len() as u64;
    let mut bytes = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    bytes.extend([3, machine.0].iter().flat_map(|number| number.to_le_bytes()));
    bytes.extend(1u32.to_le_bytes());
    bytes.extend([0, 0, sections_at].iter().flat_map(|number| number.to_le_bytes()));
    bytes.extend(0u32.to_le_bytes());
    bytes.extend([64u16, 56, 0, 64, 3, 2].iter().flat_map(|number| number.to_le_bytes()));
    bytes.extend(&needs);
    bytes.extend(&strings);
    let mut section = |kind: u32, at: u64, size: usize, link: u32, info: u32| {
        bytes.extend([0, kind].iter().flat_map(|number| number.to_le_bytes()));
        bytes.extend([0, 0, at, size as u64].iter().flat_map(|number| number.to_le_bytes()));
        bytes.extend([link, info].iter().flat_map(|number| number.to_le_bytes()));
        bytes.extend([4u64, 0].iter().flat_map(|number| number.to_le_bytes()));
    };
    section(0, 0, 0, 0, 0);
    // SHT_GNU_VERNEED, whose strings are in the section after it.
    section(0x6fff_fffe, needs_at, needs.len(), 2, 1);
    section(3, strings_at, strings.len(), 0, 0);
    bytes
}

fn why(bytes: &[u8], architecture: Architecture) -> String {
    judge(bytes, architecture).expect_err("a refusal").why
}

/// Would catch a function that is deployed and cannot start.
#[test]
fn a_program_that_lambda_cannot_start_is_refused() {
    let x86 = Architecture::X86_64;
    let intel = |versions: &[&str]| program(elf::EM_X86_64, versions);
    for versions in [&["GLIBC_2.2.5", "GLIBC_2.34"][..], &["GLIBC_2.17"], &["GCC_3.0", "GLIBC_2.9"]] {
        assert_eq!(judge(&intel(versions), x86), Ok(()), "{versions:?}");
    }
    assert_eq!(judge(&program(elf::EM_AARCH64, &["GLIBC_2.17"]), Architecture::Arm64), Ok(()));

    let newer = why(&intel(&["GLIBC_2.2.5", "GLIBC_2.36", "GLIBC_2.35"]), x86);
    assert_eq!(newer, "it asks for GLIBC_2.36, and Lambda has glibc 2.34");
    // As numbers and not as texts.
    assert_eq!(judge(&intel(&["GLIBC_2.4"]), x86), Ok(()));
    assert!(why(&intel(&["GLIBC_2.2.5", "GLIBC_ABI_DT_RELR"]), x86).contains("GLIBC_ABI_DT_RELR"));
    assert!(why(&intel(&["GLIBC_3.0"]), x86).contains("GLIBC_3.0"));
    assert_eq!(why(&intel(&["GLIBC_2.17"]), Architecture::Arm64), "it is built for x86_64, not for arm64");
    assert_eq!(why(&program(elf::Machine(243), &[]), x86), "it is built for machine 243, not for x86_64");
    let error = check(Function::Trend, b"#!/bin/sh", x86).expect_err("a refusal");
    assert!(error.to_string().starts_with("the bootstrap of StockTrendAnalysis does not run on Lambda: "));
    assert_eq!(error.hint_text(), Some(INSTEAD));
}

/// Would catch a panic, or a loop without an end, at a file that is cut off or damaged.
#[test]
fn a_broken_program_is_refused_and_nothing_more() {
    let whole = program(elf::EM_X86_64, &["GLIBC_2.2.5", "GLIBC_2.34"]);
    for length in 0..whole.len() {
        assert!(judge(&whole[..length], Architecture::X86_64).is_err(), "{length} bytes of {}", whole.len());
    }
    for at in 0..whole.len() {
        for value in [0, 1, 0x7f, 0xff] {
            let mut damaged = whole.clone();
            damaged[at] = value;
            // It may still be one that starts; what matters is that there is an answer.
            _ = judge(&damaged, Architecture::X86_64);
        }
    }
    let mut big_endian = whole.clone();
    big_endian[5] = 2;
    assert!(judge(&big_endian, Architecture::X86_64).is_err());
    let mut narrow = whole.clone();
    narrow[4] = 1;
    assert!(judge(&narrow, Architecture::X86_64).is_err());
    let mut without_sections = whole;
    without_sections[40..48].fill(0);
    without_sections[60..62].fill(0);
    assert!(why(&without_sections, Architecture::X86_64).contains("no table of sections"));
}

/// A program as a linker makes it.
#[cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]
#[test]
fn of_this_program_it_is_known_what_it_asks_for() {
    let bytes = std::fs::read(std::env::current_exe().expect("this program")).expect("its bytes");
    let header = elf::FileHeader64::<Endianness>::parse(&*bytes).expect("a header");
    let endian = header.endian().expect("its bytes' order");
    let sections = header.sections(endian, &*bytes).expect("sections");
    let versions = glibc(&sections, endian, &bytes).expect("versions");
    assert!(versions.len() > 3 && versions.contains(&"GLIBC_2.2.5".to_owned()), "{versions:?}");
    assert!(versions.is_sorted_by_key(|version| Reverse(number(version))), "{versions:?}");
}
