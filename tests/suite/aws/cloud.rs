//! An account of its own, and the binary in it.

use crate::{
    bootstraps::{PACKAGES, bootstraps},
    emulator::{Behaviour, Emulator, Proxy},
    harness::{Ended, Home, Running},
    terminal::Terminal,
};
use aws_sdk_cloudformation::types::Stack;
use serde_json::Value;
use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::PathBuf,
    process::{Command, Stdio},
};
use stockpipe_aws_ports::Clients;

pub struct Cloud {
    pub home: Home,
    clients: Clients,
    runtime: tokio::runtime::Runtime,
    emulator: Emulator,
}

impl Cloud {
    /// An empty account, and functions that do nothing.
    pub fn new() -> Self {
        Self::with_nothing(Emulator::start(&Behaviour::default()))
    }

    /// The same on another emulator.
    pub fn second_opinion() -> Self {
        Self::with_nothing(Emulator::second_opinion())
    }

    fn with_nothing(emulator: Emulator) -> Self {
        let cloud = Self::empty(emulator);
        let program = cloud.home.work().join("nothing");
        let mut compiler = Command::new("cc");
        compiler.args(["-x", "c", "-s", "-o"]).arg(&program).arg("-").stdin(Stdio::piped());
        let mut compiler = compiler.spawn().expect("`cc` is needed: install a C compiler (apt install gcc)");
        compiler.stdin.take().expect("an input").write_all(b"int main(void) { return 0; }").expect("a program");
        assert!(compiler.wait().expect("a compiler").success());
        let program = fs::read(program).expect("a program");
        for package in PACKAGES {
            cloud.write_bootstrap(package, &[&program, package.as_bytes()].concat());
        }
        cloud
    }

    /// An empty account, and the functions as they are, without the names of what is in them.
    pub fn with_functions(behaviour: &Behaviour) -> Self {
        let cloud = Self::empty(Emulator::start(behaviour));
        for (package, bootstrap) in bootstraps() {
            let folder = cloud.bootstraps().join(package);
            fs::create_dir_all(&folder).expect("a folder");
            let stripped = Command::new("strip").arg("-o").arg(folder.join("bootstrap")).arg(bootstrap).status();
            let stripped = stripped.expect("`strip` is needed: install the binutils (apt install binutils)");
            assert!(stripped.success(), "{package} is not stripped");
        }
        cloud
    }

    fn empty(emulator: Emulator) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let clients = runtime.block_on(emulator.clients());
        Self { home: Home::new(), clients, runtime, emulator }
    }

    /// Makes the code of a function another one. What comes behind a program is no part of it.
    pub fn change_code(&self, package: &str) {
        let mut bootstrap = fs::read(self.bootstraps().join(package).join("bootstrap")).expect("a bootstrap");
        bootstrap.extend(b" changed");
        self.write_bootstrap(package, &bootstrap);
    }

    pub fn change_all_code(&self) {
        PACKAGES.iter().for_each(|package| self.change_code(package));
    }

    fn write_bootstrap(&self, package: &str, bytes: &[u8]) {
        let folder = self.bootstraps().join(package);
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join("bootstrap"), bytes).expect("a bootstrap");
    }

    fn bootstraps(&self) -> PathBuf {
        self.home.work().join("bootstraps")
    }

    fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{}", self.emulator.port)),
            ("AWS_ACCESS_KEY_ID", "test".into()),
            ("AWS_SECRET_ACCESS_KEY", "test".into()),
            ("AWS_REGION", "us-east-1".into()),
            ("STOCKPIPE_TARGET", "aws".into()),
            ("STOCKPIPE_BOOTSTRAPS", self.bootstraps().to_string_lossy().into_owned()),
        ]
    }

    /// Runs the binary to its end.
    pub fn run(&self, arguments: &[&str]) -> Ended {
        self.start(arguments).end()
    }

    /// Starts it.
    pub fn start(&self, arguments: &[&str]) -> Running {
        let mut command = self.home.command(arguments);
        command.envs(self.environment());
        Running::start(command)
    }

    /// Starts it, with the account behind another port.
    pub fn start_behind(&self, port: u16, arguments: &[&str]) -> Running {
        let mut command = self.home.command(arguments);
        command.envs(self.environment()).env("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{port}"));
        Running::start(command)
    }

    /// Starts it, with the account behind the proxy that the functions call it through.
    pub fn start_beside_functions(&self, arguments: &[&str]) -> Running {
        self.start_behind(self.emulator.port_of_functions(), arguments)
    }

    /// A proxy in front of the account that follows these rules.
    pub fn proxy(&self, rules: &Value) -> Proxy {
        self.emulator.proxy(rules)
    }

    /// Another proxy on the port of one that is gone.
    pub fn proxy_on(&self, port: u16, rules: &Value) -> Proxy {
        self.emulator.proxy_on(port, rules)
    }

    /// Runs it where calls fail by these rules.
    pub fn run_with_faults(&self, rules: &Value, arguments: &[&str]) -> Ended {
        let proxy = self.proxy(rules);
        self.start_behind(proxy.port, arguments).end()
    }

    /// Starts it on a terminal.
    pub fn on_terminal(&self, arguments: &[&str]) -> Terminal {
        let environment = self.environment();
        let environment: Vec<(&str, &str)> = environment.iter().map(|(name, value)| (*name, &**value)).collect();
        Terminal::start(&self.home, [100, 50], &environment, arguments)
    }

    /// Waits for an answer of the account.
    pub fn ask<T>(&self, answer: impl Future<Output = T>) -> T {
        self.runtime.block_on(answer)
    }

    pub fn cloudformation(&self) -> aws_sdk_cloudformation::Client {
        aws_sdk_cloudformation::Client::new(self.clients.config())
    }

    pub fn lambda(&self) -> aws_sdk_lambda::Client {
        aws_sdk_lambda::Client::new(self.clients.config())
    }

    pub fn athena(&self) -> aws_sdk_athena::Client {
        aws_sdk_athena::Client::new(self.clients.config())
    }

    pub fn kinesis(&self) -> aws_sdk_kinesis::Client {
        aws_sdk_kinesis::Client::new(self.clients.config())
    }

    pub fn sns(&self) -> aws_sdk_sns::Client {
        self.clients.sns()
    }

    pub fn sqs(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(self.clients.config())
    }

    pub fn iam(&self) -> aws_sdk_iam::Client {
        aws_sdk_iam::Client::new(self.clients.config())
    }

    pub fn cloudwatch(&self) -> aws_sdk_cloudwatch::Client {
        aws_sdk_cloudwatch::Client::new(self.clients.config())
    }

    pub fn logs(&self) -> aws_sdk_cloudwatchlogs::Client {
        aws_sdk_cloudwatchlogs::Client::new(self.clients.config())
    }

    pub fn s3(&self) -> aws_sdk_s3::Client {
        self.clients.s3()
    }

    pub fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        self.clients.dynamodb()
    }

    /// The stack of this name, if it is there.
    pub fn stack(&self, name: &str) -> Option<Stack> {
        let described = self.ask(self.cloudformation().describe_stacks().stack_name(name).send());
        described.ok()?.stacks.unwrap_or_default().into_iter().next()
    }

    /// Its status; empty where there is none.
    pub fn status(&self, name: &str) -> String {
        self.stack(name).and_then(|s| s.stack_status).map(|s| s.as_str().to_owned()).unwrap_or_default()
    }

    /// A parameter that it was made with.
    pub fn parameter(&self, name: &str) -> String {
        let parameters = self.stack("stockpipe").and_then(|s| s.parameters).unwrap_or_default();
        let found = parameters.into_iter().find(|p| p.parameter_key() == Some(name));
        found.and_then(|p| p.parameter_value).expect("a parameter")
    }

    /// The names of all change sets of the stack.
    pub fn change_sets(&self) -> usize {
        let listed = self.ask(self.cloudformation().list_change_sets().stack_name("stockpipe").send());
        let listed = listed.map(|l| l.summaries.unwrap_or_default()).unwrap_or_default();
        listed.iter().filter(|s| s.execution_status().is_some_and(|e| e.as_str() == "AVAILABLE")).count()
    }

    /// The names of all buckets.
    pub fn buckets(&self) -> Vec<String> {
        let listed = self.ask(self.s3().list_buckets().send()).expect("the buckets");
        listed.buckets.unwrap_or_default().into_iter().filter_map(|bucket| bucket.name).collect()
    }

    /// The bucket whose name begins so.
    pub fn bucket(&self, prefix: &str) -> String {
        self.buckets().into_iter().find(|name| name.starts_with(prefix)).expect("a bucket")
    }

    /// The names of all tables.
    pub fn tables(&self) -> Vec<String> {
        self.ask(self.dynamodb().list_tables().send()).expect("the tables").table_names.unwrap_or_default()
    }

    /// Puts an object into the lake's bucket.
    pub fn object(&self, key: &str, contents: &Value) {
        let body = aws_sdk_s3::primitives::ByteStream::from(contents.to_string().into_bytes());
        let put = self.s3().put_object().bucket(self.bucket("stock-market-data-bucket-")).key(key).body(body);
        self.ask(put.send()).expect("an object");
    }

    /// The keys in a bucket.
    pub fn keys(&self, bucket: &str) -> Vec<String> {
        let listed = self.ask(self.s3().list_objects_v2().bucket(bucket).send()).expect("the objects");
        listed.contents.unwrap_or_default().into_iter().filter_map(|object| object.key).collect()
    }

    /// Puts the lake of the pipeline on this machine into the bucket, each file once by each of these names' endings.
    pub fn upload_lake(&self, copies: &[&str]) {
        let (lake, bucket) = (self.home.stack().join("lake"), self.bucket("stock-market-data-bucket-"));
        for file in self.home.files().iter().filter(|file| file.ends_with(".parquet")) {
            let file = self.home.root().join(file);
            let key = file.strip_prefix(&lake).expect("in the lake").to_string_lossy().replace(".parquet", "");
            let bytes = fs::read(&file).expect("a file");
            for copy in copies {
                let put = self.s3().put_object().bucket(&bucket).key(format!("{key}{copy}.parquet"));
                self.ask(put.body(bytes.clone().into()).send()).expect("an object");
            }
        }
    }

    /// Makes a stack of another kind, which may take its time.
    pub fn make_stack(&self, template: &str) {
        let create = self.cloudformation().create_stack().stack_name("stockpipe").template_body(template);
        self.ask(create.send()).expect("a stack");
    }

    /// What the stack calls a resource of it.
    pub fn physical_id(&self, logical_id: &str) -> String {
        let describe = self.cloudformation().describe_stack_resource().stack_name("stockpipe");
        let described = self.ask(describe.logical_resource_id(logical_id).send()).expect("a resource");
        described.stack_resource_detail.and_then(|r| r.physical_resource_id).expect("a name")
    }

    /// A call of EC2, whose client nothing else here needs: gives what is in the first `element` of the answer.
    pub fn ec2(&self, form: &str, element: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.emulator.port)).expect("the emulator");
        let credential = "AWS4-HMAC-SHA256 Credential=test/20261120/us-east-1/ec2/aws4_request";
        let request = format!(
            "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: {credential}, \
             SignedHeaders=host, Signature=0\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\n\r\n{form}",
            form.len()
        );
        stream.write_all(request.as_bytes()).expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let inside = answer.split_once(&format!("<{element}>")).and_then(|(_, rest)| rest.split_once('<'));
        inside.unwrap_or_else(|| panic!("no {element}: {answer}")).0.to_owned()
    }

    /// The names of Athena's saved queries.
    pub fn saved_queries(&self) -> Vec<(String, String)> {
        let athena = self.athena();
        let ids = self.ask(athena.list_named_queries().work_group("stockpipe-stock-queries").send());
        let ids = ids.map(|ids| ids.named_query_ids.unwrap_or_default()).unwrap_or_default();
        if ids.is_empty() {
            return Vec::new();
        }
        let queries = self.ask(athena.batch_get_named_query().set_named_query_ids(Some(ids)).send()).expect("queries");
        let mut queries: Vec<_> =
            queries.named_queries.unwrap_or_default().into_iter().map(|q| (q.name, q.query_string)).collect();
        queries.sort();
        queries
    }
}
