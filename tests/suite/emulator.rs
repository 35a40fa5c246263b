//! The emulator of AWS, on a port and in a folder of its own, and a proxy in front of it that injects faults.

use crate::python;
use aws_config::{BehaviorVersion, Region};
use aws_sdk_s3::config::Credentials;
use serde_json::Value;
use std::{
    fs::{self, File},
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};
use stockpipe_aws_ports::Clients;
use tempfile::TempDir;

/// Longer than a start takes on a machine that has much else to do.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running emulator.
pub(crate) struct Emulator {
    process: Group,
    folder: TempDir,
    pub(crate) port: u16,
}

/// A running proxy.
pub(crate) struct Proxy {
    _process: Group,
    _folder: TempDir,
    pub(crate) port: u16,
}

/// A process and those that it starts, which end with it.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        _ = Command::new("kill").args(["-KILL", "--", &format!("-{}", self.0.id())]).status();
        _ = self.0.wait();
    }
}

impl Emulator {
    /// One whose functions get changes in any order that AWS allows, and again.
    pub(crate) fn start() -> Self {
        Self::with_order("true")
    }

    /// One whose functions get every change once, in order.
    pub(crate) fn start_in_order() -> Self {
        Self::with_order("false")
    }

    fn with_order(hostile: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let port = free_port();
        let log = File::create(folder.path().join("log")).expect("a log");
        let process = Command::new(python())
            .arg(testbed("launch.py"))
            .args([port.to_string().as_ref(), folder.path().join("data").as_os_str()])
            .env("HOSTILE_ORDER", hostile)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log"))
            .stderr(log)
            .process_group(0)
            .spawn()
            .expect("the emulator");
        let mut emulator = Self { process: Group(process), folder, port };
        let start = Instant::now();
        while !answers(port) {
            let ended = emulator.process.0.try_wait().expect("a state").is_some();
            assert!(!ended && start.elapsed() < PATIENCE, "the emulator does not answer: {}", emulator.log());
            sleep(Duration::from_millis(50));
        }
        emulator
    }

    /// What it and the functions said.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    pub(crate) async fn clients(&self) -> Clients {
        clients(self.port).await
    }

    /// A proxy in front of it that follows these rules.
    pub(crate) fn proxy(&self, rules: &Value) -> Proxy {
        self.proxy_on(free_port(), rules)
    }

    /// As [`Self::proxy`], on this port.
    pub(crate) fn proxy_on(&self, port: u16, rules: &Value) -> Proxy {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("rules.json");
        fs::write(&file, rules.to_string()).expect("the rules");
        let process = Command::new(python())
            .arg(testbed("fault_proxy.py"))
            .args([port.to_string(), format!("127.0.0.1:{}", self.port)])
            .arg(file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("the proxy");
        let proxy = Proxy { _process: Group(process), _folder: folder, port };
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(start.elapsed() < PATIENCE, "the proxy does not answer");
            sleep(Duration::from_millis(20));
        }
        proxy
    }
}

impl Proxy {
    pub(crate) async fn clients(&self) -> Clients {
        clients(self.port).await
    }
}

async fn clients(port: u16) -> Clients {
    let loader = aws_config::defaults(BehaviorVersion::latest())
        .endpoint_url(format!("http://127.0.0.1:{port}"))
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"));
    Clients::load(loader).await
}

fn python() -> PathBuf {
    let packages = fs::read_to_string(testbed("requirements.txt")).expect("the packages");
    python::with(&packages.lines().collect::<Vec<_>>()).unwrap_or_else(|error| panic!("{error}"))
}

/// A file of `tests/testbed`, from whichever package of the workspace.
fn testbed(file: &str) -> PathBuf {
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|folder| folder.join("tests/testbed").join(file));
    files.into_iter().find(|file| file.exists()).expect("a file of the test bed")
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).and_then(|free| free.local_addr()).expect("a port").port()
}

fn answers(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    let mut answer = String::new();
    let asked = b"GET /_ministack/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
    stream.write_all(asked).is_ok() && stream.read_to_string(&mut answer).is_ok() && answer.contains(" 200 ")
}
