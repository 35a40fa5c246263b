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

/// The other emulator.
const MOTO: &str = "moto[server]==5.2.5";
/// Longer than a start takes on a machine that has much else to do.
const PATIENCE: Duration = Duration::from_secs(120);

/// How it behaves.
#[derive(Clone, Debug, Default)]
pub(crate) struct Behaviour {
    /// The functions get changes in any order that AWS allows, and again.
    pub(crate) hostile_order: bool,
    /// Nobody may do what no policy allows.
    pub(crate) enforces_rights: bool,
    /// Rules of a proxy that the functions' calls go through; none, and they come without.
    pub(crate) faults: Option<Value>,
}

/// A running emulator.
pub(crate) struct Emulator {
    process: Group,
    folder: TempDir,
    pub(crate) port: u16,
    /// Between the functions and it.
    between: Option<Proxy>,
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
    pub(crate) fn start(behaviour: &Behaviour) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let port = free_port();
        let between = behaviour.faults.as_ref().map(|rules| Proxy::start(free_port(), port, rules));
        let functions = between.as_ref().map_or(port, |proxy| proxy.port);
        let mut command = Command::new(python());
        command
            .arg(testbed("launch.py"))
            .args([port.to_string().as_ref(), folder.path().join("data").as_os_str()])
            .env("HOSTILE_ORDER", behaviour.hostile_order.to_string())
            .env("AUTH", behaviour.enforces_rights.to_string())
            .env("FUNCTIONS_ENDPOINT_URL", format!("http://127.0.0.1:{functions}"));
        Self::run(command, folder, port, between, "/_ministack/health")
    }

    /// Another one, which has nothing in common with it. It runs no functions.
    pub(crate) fn second_opinion() -> Self {
        let (folder, port) = (tempfile::tempdir().expect("a folder"), free_port());
        let mut command = Command::new(python::with(&[MOTO]).unwrap_or_else(|error| panic!("{error}")));
        command.arg(testbed("second_opinion.py")).arg(port.to_string());
        Self::run(command, folder, port, None, "/moto-api/")
    }

    /// Starts it, and waits until it answers at this path.
    fn run(mut command: Command, folder: TempDir, port: u16, between: Option<Proxy>, path: &str) -> Self {
        let log = File::create(folder.path().join("log")).expect("a log");
        let (other, null) = (log.try_clone().expect("a log"), Stdio::null());
        let process = command.stdin(null).stdout(other).stderr(log).process_group(0).spawn().expect("the emulator");
        let mut emulator = Self { process: Group(process), folder, port, between };
        let start = Instant::now();
        while !answers(port, path) {
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

    /// Where the functions call it: through the proxy, if there is one.
    pub(crate) fn port_of_functions(&self) -> u16 {
        self.between.as_ref().map_or(self.port, |proxy| proxy.port)
    }

    /// A proxy in front of it that follows these rules.
    pub(crate) fn proxy(&self, rules: &Value) -> Proxy {
        self.proxy_on(free_port(), rules)
    }

    /// As [`Self::proxy`], on this port.
    pub(crate) fn proxy_on(&self, port: u16, rules: &Value) -> Proxy {
        Proxy::start(port, self.port, rules)
    }
}

impl Proxy {
    /// In front of what is, or will be, at the upstream port.
    fn start(port: u16, upstream: u16, rules: &Value) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("rules.json");
        fs::write(&file, rules.to_string()).expect("the rules");
        let process = Command::new(python())
            .arg(testbed("fault_proxy.py"))
            .args([port.to_string(), format!("127.0.0.1:{upstream}")])
            .arg(file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("the proxy");
        let proxy = Self { _process: Group(process), _folder: folder, port };
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(start.elapsed() < PATIENCE, "the proxy does not answer");
            sleep(Duration::from_millis(20));
        }
        proxy
    }

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

fn answers(port: u16, path: &str) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    let mut answer = String::new();
    let asked = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
    stream.write_all(asked.as_bytes()).is_ok() && stream.read_to_string(&mut answer).is_ok() && answer.contains(" 200 ")
}
