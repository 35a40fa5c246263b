//! What is made of cargo's words, and cargo itself on a program of a few lines.

use super::*;
use tempfile::TempDir;

const ROOT: &str = r#"
[workspace]
members = ["lambdas/*"]
resolver = "3"
[package]
name = "root"
edition = "2024"
"#;
const MANIFEST: &str = "[package]\nname = \"process-stock-data\"\nedition = \"2024\"\n";
const LOCK: &str = r#"
version = 4
[[package]]
name = "process-stock-data"
version = "0.0.0"
[[package]]
name = "root"
version = "0.0.0"
"#;

/// Builds a function of this one file, in a folder of this name.
async fn build(main: &str, name: &str) -> (Result<Vec<u8>, Error>, Vec<String>, TempDir) {
    let files = [
        ("Cargo.toml", ROOT),
        ("Cargo.lock", LOCK),
        ("lambdas/process-stock-data/Cargo.toml", MANIFEST),
        ("lambdas/process-stock-data/src/main.rs", main),
    ];
    let files = files.map(|(path, content)| (path.to_owned(), content.as_bytes().to_vec()));
    let bundle = Bundle::new(files.into()).expect("a bundle");
    let folder = tempfile::tempdir().expect("a folder");
    let options = BuildOptions { profile: "dev".into(), folder: folder.path().join(name), bootstraps: None };
    let architecture = if cfg!(target_arch = "aarch64") { Architecture::Arm64 } else { Architecture::X86_64 };
    let workshop = Workshop::open(&bundle, architecture, &options).await.expect("a workshop");
    let mut lines = vec![];
    let built = workshop.build(Function::Process, &mut |line| lines.push(line.to_owned())).await;
    (built, lines, folder)
}

/// Would catch a path of the builder's machine in what is deployed: code that differs from one user to the next.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_program_is_the_same_wherever_it_is_built() {
    let main = "fn main() { panic!(\"{} {:?}\", file!(), std::panic::Location::caller()) }";
    let (one, lines, _) = build(main, "here").await;
    let (two, _, _) = build(main, "in-quite/another/folder").await;
    let (one, two) = (one.expect("a program"), two.expect("a program"));
    assert!(lines.iter().any(|line| line.contains("Compiling process-stock-data")), "{lines:?}");
    assert!(one == two, "{} and {} bytes", one.len(), two.len());
}

/// Would catch a failure that is not told, or told without its cause.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_build_that_fails_says_why() {
    let (built, _, folder) = build("fn main() { nothing() }", "here").await;
    let error = built.expect_err("no program");
    let text = error.to_string();
    assert!(text.starts_with("ProcessStockData was not built: cargo"), "{text}");
    assert!(text.contains("error[E0425]: cannot find function `nothing`"), "{text}");
    let log = folder.path().canonicalize().expect("the folder").join("here/process-stock-data.log");
    assert!(error.hint_text().is_some_and(|hint| hint.contains(&*log.to_string_lossy())), "{:?}", error.hint_text());
    assert!(fs::read_to_string(log).expect("a log").contains("could not compile"));
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

/// Would catch an error that is buried, or cut off where it gets to the point.
#[test]
fn the_first_error_is_shown_and_what_belongs_to_it() {
    let said = lines(
        "   Compiling a v1.0.0\nwarning: unused\n\nerror[E0425]: cannot find value `x`\n --> src/lib.rs:1:2\n  |\n\n\
         error: could not compile `a`",
    );
    assert_eq!(cause(&said), ["error[E0425]: cannot find value `x`", " --> src/lib.rs:1:2", "  |"]);
    let long = lines(&format!("error: x\n{}", "y\n".repeat(50)));
    assert_eq!(cause(&long).len(), SHOWN);
    assert_eq!(cause(&lines("one\n\ntwo")), ["one", "two"]);
    assert!(cause(&[]).is_empty());
}

#[test]
fn what_is_not_the_sources_fault_has_a_remedy() {
    let of = |text| hint(&lines(text)).unwrap_or_default();
    assert!(of("error: linker `cc` not found").contains("C compiler"));
    assert!(of("error: failed to download from `https://x`").contains("HTTPS_PROXY"));
    assert!(of("error[E0425]: x").is_empty());
}

#[test]
fn surroundings_that_change_the_program_are_left_out() {
    for name in ["RUSTFLAGS", "CARGO_PROFILE_LAMBDA_LTO", "CARGO_PKG_NAME", "CARGO_BUILD_TARGET"] {
        assert!(is_left_out(name), "{name}");
    }
    for name in ["PATH", "CARGO_HOME", "CARGO_BUILD_JOBS", "RUSTC_WRAPPER", "HTTPS_PROXY", "CARGO"] {
        assert!(!is_left_out(name), "{name}");
    }
}
