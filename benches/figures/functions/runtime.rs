//! What Lambda is to a function: it starts the program, hands events to it by the runtime API, and takes its answers.
//!
//! Here it also looks at what the program takes. While a function waits for its next event it does nothing, so what it has
//! used by then is what it used for the events before.

use crate::Result;
use std::{
    collections::HashMap,
    fs,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver, Sender},
    },
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// Longer than the slowest batch takes.
const PATIENCE: Duration = Duration::from_secs(300);

/// Whether a program has ended is looked at so often.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// A program that waits for events.
pub struct Function {
    child: Child,
    address: String,
    events: Sender<String>,
    said: Receiver<Said>,
    ended: Arc<AtomicBool>,
    /// From before it was spawned to its first question for an event.
    pub init_wall: Duration,
    /// The CPU time until then.
    pub init_cpu: Duration,
}

/// What a function says to the runtime API.
enum Said {
    /// It asks for an event.
    Next,
    /// What it answers to one.
    Answer(String),
    /// That it failed.
    Failed(String),
}

impl Function {
    /// Starts a program in an environment that has nothing but this, and waits until it asks for an event.
    pub fn start(mut program: Command, environment: &HashMap<String, String>) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?.to_string();
        let (events, waiting) = mpsc::channel();
        let (say, said) = mpsc::channel();
        let ended = Arc::new(AtomicBool::new(false));
        {
            let ended = Arc::clone(&ended);
            let waiting = Arc::new(Mutex::new(waiting));
            thread::spawn(move || {
                for stream in listener.incoming().flatten().take_while(|_| !ended.load(Ordering::Acquire)) {
                    let (say, waiting) = (say.clone(), Arc::clone(&waiting));
                    // It ends with the program, which closes the connection.
                    thread::spawn(move || _ = serve(&stream, &say, &waiting));
                }
            });
        }
        program.env_clear().envs(environment).env("AWS_LAMBDA_RUNTIME_API", &address);
        program.stdin(Stdio::null()).stdout(Stdio::null());
        let started = Instant::now();
        let child = program.spawn()?;
        let mut function =
            Self { child, address, events, said, ended, init_wall: Duration::ZERO, init_cpu: Duration::ZERO };
        function.until_next()?;
        function.init_wall = started.elapsed();
        function.init_cpu = function.cpu()?;
        Ok(function)
    }

    /// Hands an event over, and returns the CPU time that the program took for it.
    pub fn handle(&mut self, event: String) -> Result<Duration> {
        let before = self.cpu()?;
        self.events.send(event)?;
        let Said::Answer(answer) = self.hear()? else {
            return Err("the function asked for an event before it answered the last one".into());
        };
        if !answer.contains(r#""batchItemFailures":[]"#) && !answer.contains(r#""batchItemFailures": []"#) {
            return Err(format!("the function answered {answer}").into());
        }
        self.until_next()?;
        Ok(self.cpu()?.saturating_sub(before))
    }

    fn until_next(&mut self) -> Result<()> {
        match self.hear()? {
            Said::Next => Ok(()),
            _ => Err("the function answered what it was not asked".into()),
        }
    }

    fn hear(&mut self) -> Result<Said> {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            match self.said.recv_timeout(LOOK_EVERY) {
                Ok(Said::Failed(why)) => return Err(format!("the function failed: {why}").into()),
                Ok(said) => return Ok(said),
                Err(_) if self.child.try_wait()?.is_some() => return Err("the function has ended".into()),
                Err(_) => {}
            }
        }
        Err("the function says nothing any more".into())
    }

    /// The CPU time of all its threads so far, to the nanosecond; the ticks of `/proc/PID/stat` are as long as a start.
    /// What a thread took that has ended is not in it; neither side has any that end.
    fn cpu(&self) -> Result<Duration> {
        let mut nanos = 0;
        for thread in fs::read_dir(Path::new("/proc").join(self.child.id().to_string()).join("task"))? {
            let stat = fs::read_to_string(thread?.path().join("schedstat"))?;
            nanos += stat.split(' ').next().unwrap_or_default().parse::<u64>()?;
        }
        Ok(Duration::from_nanos(nanos))
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
        self.ended.store(true, Ordering::Release);
        // Wakes whoever waits for connections.
        _ = TcpStream::connect(&self.address);
    }
}

/// Answers the requests of one connection, until it is closed.
fn serve(stream: &TcpStream, say: &Sender<Said>, events: &Mutex<Receiver<String>>) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    let mut writer = stream;
    while let Some((path, body)) = request(&mut reader)? {
        if path.ends_with("/invocation/next") {
            say.send(Said::Next)?;
            let event = events.lock().unwrap_or_else(PoisonError::into_inner).recv()?;
            let deadline = SystemTime::now().duration_since(UNIX_EPOCH)? + PATIENCE;
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
                 Lambda-Runtime-Aws-Request-Id: 00000000-0000-4000-8000-000000000000\r\n\
                 Lambda-Runtime-Deadline-Ms: {}\r\nLambda-Runtime-Invoked-Function-Arn: none\r\n\r\n",
                event.len(),
                deadline.as_millis(),
            );
            writer.write_all(&[head.as_bytes(), event.as_bytes()].concat())?;
            continue;
        }
        // Said once it is answered: the answer is part of what the function takes.
        writer.write_all(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")?;
        say.send(if path.ends_with("/response") { Said::Answer(body) } else { Said::Failed(body) })?;
    }
    Ok(())
}

/// Path and body of the next request; none at the end.
fn request(reader: &mut impl BufRead) -> Result<Option<(String, String)>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut length = 0;
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        match line.trim_end().split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => length = value.trim().parse()?,
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Some((path, String::from_utf8(body)?)))
}
