//! A small workspace, and the one that comes with the program.

use super::super::Function;
use super::*;
use std::process::Command;

const ROOT: &str = r#"
[workspace]
members = ["lambdas/*"]
resolver = "3"
[workspace.package]
version = "0.1.0"
rust-version = "1.94"
[workspace.dependencies]
common = { package = "x-common", path = "lambdas/common" }
used = "1"
unused = "1"
[package]
name = "root"
[dependencies]
screen = "1"
[profile.release]
codegen-units = 16
[profile.lambda]
inherits = "release"
lto = "thin"
"#;
const COMMON: &str = r#"
[package]
name = "x-common"
[dependencies]
used = { workspace = true }
[dev-dependencies]
tester = "1"
[target.'cfg(unix)'.dependencies]
deep = "2"
"#;
const ONE: &str = "[package]\nname = \"one\"\n[dependencies]\ncommon = { workspace = true }\n";
const TWO: &str = "[package]\nname = \"two\"\n[dependencies]\nonly-two = \"1\"\n";
const LOCK: &str = r#"
version = 4
[[package]]
name = "deep"
version = "1.0.0"
[[package]]
name = "deep"
version = "2.0.0"
dependencies = ["deeper"]
[[package]]
name = "deeper"
version = "1.0.0"
[[package]]
name = "one"
version = "0.1.0"
dependencies = ["x-common"]
[[package]]
name = "only-two"
version = "1.0.0"
dependencies = ["deep 1.0.0"]
[[package]]
name = "tester"
version = "1.0.0"
[[package]]
name = "two"
version = "0.1.0"
dependencies = ["only-two"]
[[package]]
name = "used"
version = "1.0.0"
[[package]]
name = "x-common"
version = "0.1.0"
dependencies = ["deep 2.0.0", "tester", "used"]
"#;

/// The small workspace with some files as they are given here.
fn small(changed: &[(&str, &str)]) -> Bundle {
    let mut files = BTreeMap::new();
    let usual = [
        ("Cargo.toml", ROOT),
        ("Cargo.lock", LOCK),
        ("lambdas/common/Cargo.toml", COMMON),
        ("lambdas/common/src/lib.rs", "// common"),
        ("lambdas/one/Cargo.toml", ONE),
        ("lambdas/one/src/main.rs", "// one"),
        ("lambdas/two/Cargo.toml", TWO),
        ("lambdas/two/src/main.rs", "// two"),
    ];
    for (path, content) in usual.iter().chain(changed) {
        files.insert((*path).to_owned(), content.as_bytes().to_vec());
    }
    Bundle::new(files).expect("a bundle")
}

fn parts(bundle: &Bundle, package: &str) -> BTreeMap<String, Vec<u8>> {
    bundle.parts(package, "lambda").expect("parts")
}

/// Would catch a key that says too little: code that is changed and stays what it was.
#[test]
fn what_goes_into_a_function_is_part_of_it() {
    let usual = parts(&small(&[]), "one");
    let lock = LOCK.replace("name = \"deeper\"\nversion = \"1.0.0\"", "name = \"deeper\"\nversion = \"1.0.1\"");
    let features = ROOT.replace("used = \"1\"", "used = { version = \"1\", features = [\"x\"] }");
    for (path, content) in [
        ("lambdas/one/src/main.rs", "// new"),
        ("lambdas/common/src/lib.rs", "// new"),
        ("lambdas/common/src/new.rs", ""),
        ("lambdas/common/Cargo.toml", &COMMON.replace("deep = \"2\"", "deep = \"2.0\"")),
        ("Cargo.lock", &lock),
        ("Cargo.toml", &features),
        ("Cargo.toml", &ROOT.replace("thin", "fat")),
        ("Cargo.toml", &ROOT.replace("units = 16", "units = 1")),
        ("Cargo.toml", &ROOT.replace("version = \"0.1.0\"", "version = \"0.2.0\"")),
    ] {
        assert_ne!(parts(&small(&[(path, content)]), "one"), usual, "{path}");
    }
}

/// Would catch a key that says too much: three functions deployed anew where one was changed.
#[test]
fn what_does_not_go_into_a_function_is_no_part_of_it() {
    let usual = parts(&small(&[]), "one");
    let names: Vec<_> = usual.keys().map(String::as_str).collect();
    let expected = ["Cargo.lock", "Cargo.toml", "lambdas/common/Cargo.toml", "lambdas/common/src/lib.rs"];
    assert_eq!(names, [&expected[..], &["lambdas/one/Cargo.toml", "lambdas/one/src/main.rs"]].concat());
    let of = |name: &str| format!("name = \"{name}\"\nversion = \"1.0.0\"");
    let newer = |name: &str| LOCK.replace(&of(name), &of(name).replace("1.0.0", "1.2.0"));
    for (path, content) in [
        ("lambdas/two/src/main.rs", "// new"),
        ("lambdas/two/Cargo.toml", &TWO.replace("= \"1\"", "= \"1.0\"")),
        ("lambdas/common/Cargo.toml", &COMMON.replace("tester = \"1\"", "tester = \"1.0\"")),
        ("lambdas/common/Cargo.toml", &format!("{COMMON}[lints]\nworkspace = true\n")),
        ("lambdas/common/Cargo.toml", &format!("# A remark\n{COMMON}")),
        ("Cargo.lock", &newer("tester")),
        ("Cargo.lock", &newer("only-two")),
        ("Cargo.toml", &ROOT.replace("screen = \"1\"", "screen = \"2\"")),
        ("Cargo.toml", &ROOT.replace("unused = \"1\"", "unused = \"2\"")),
        ("Cargo.toml", &format!("{ROOT}[profile.dev]\ndebug = 0\n")),
    ] {
        assert_eq!(parts(&small(&[(path, content)]), "one"), usual, "{path}");
    }
    let two = String::from_utf8(parts(&small(&[]), "two").remove("Cargo.lock").expect("a lock")).expect("UTF-8");
    assert_eq!(two.lines().count(), 2, "{two}");
    assert!(two.contains(r#""version":"1.0.0""#) && !two.contains(r#""version":"2.0.0""#), "{two}");
}

#[test]
fn what_is_damaged_or_unknown_is_said() {
    let bundle = small(&[]);
    let error = bundle.parts("one", "fast").expect_err("no such profile");
    assert_eq!(error.to_string(), "the functions have no profile 'fast'");
    assert!(bundle.parts("one", "dev").is_ok());
    assert!(bundle.parts("three", "lambda").is_err());
    assert!(small(&[("Cargo.lock", "[[package]]\nname = \"one\"")]).parts("one", "lambda").is_err());
    assert!(Bundle::new(BTreeMap::new()).is_err());
    let broken = BTreeMap::from([("Cargo.toml".to_owned(), b"\xff[".to_vec())]);
    assert!(Bundle::new(broken).is_err());
}

/// Would catch sources that are built anew each time, or with a file that is no longer theirs.
#[test]
fn a_workspace_is_laid_out_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let (folder, one) = (folder.path(), folder.path().join("lambdas/one/src/main.rs"));
    small(&[("lambdas/gone/src/lib.rs", "")]).lay_out(folder).expect("laid out");
    assert!(folder.join("lambdas/gone/src/lib.rs").exists());
    let written = |path: &Path| fs::metadata(path).and_then(|file| file.modified()).expect("a time");
    let before = written(&one);
    std::thread::sleep(std::time::Duration::from_millis(20));
    small(&[("lambdas/two/src/main.rs", "// new")]).lay_out(folder).expect("laid out");
    assert!(!folder.join("lambdas/gone").exists());
    assert_eq!(written(&one), before);
    assert_eq!(fs::read_to_string(folder.join("lambdas/two/src/main.rs")).expect("a file"), "// new");
    assert_eq!(fs::read_to_string(folder.join("src/main.rs")).expect("a file"), "fn main() {}\n");
}

/// The sources that come with the program are all that cargo asks for, and the lock file is theirs.
#[test]
fn cargo_takes_the_sources_as_they_come() {
    let folder = tempfile::tempdir().expect("a folder");
    let bundle = Bundle::embedded().expect("sources");
    bundle.lay_out(folder.path()).expect("laid out");
    for function in Function::ALL {
        let mut tree = Command::new(env!("CARGO"));
        tree.args([
            "tree",
            "--locked",
            "--offline",
            "--prefix",
            "none",
            "-e",
            "normal,build",
            "-p",
            function.package(),
        ]);
        let tree = tree.current_dir(folder.path()).output().expect("cargo");
        assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
        // Whatever cargo builds is in the part of the lock file that the key is made of, or is a crate of ours.
        let parts = bundle.parts(function.package(), "lambda").expect("parts");
        let lock = String::from_utf8_lossy(&parts["Cargo.lock"]).into_owned();
        for line in String::from_utf8_lossy(&tree.stdout).lines().filter(|line| !line.contains("(/")) {
            let mut words = line.split(' ');
            let (name, version) = (words.next().expect("a name"), words.next().expect("a version"));
            let entry = format!(r#""name":"{name}","#);
            let version = format!(r#""version":"{}""#, &version[1..]);
            assert!(lock.lines().any(|line| line.contains(&entry) && line.contains(&version)), "{line}");
        }
        for command_line in ["datafusion", "clap", "rusqlite", "proptest"] {
            assert!(!lock.contains(&format!(r#""name":"{command_line}""#)), "{command_line}");
        }
    }
}
