//! Runs a whole process, and says what it took.

use crate::Result;
use std::{
    fs,
    io::{BufRead, BufReader, Read, Seek, SeekFrom},
    ops::ControlFlow,
    process::{Command, ExitStatus, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

/// How often the memory is looked at; its peak is the kernel's own, so only a peak in the last moment is missed.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// A tick of `/proc/PID/stat`: 1/100 s on every Linux.
const TICK: Duration = Duration::from_millis(10);

/// What a process took.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// From before it was spawned to the end of its output, which the kernel closes at its exit.
    pub wall: Duration,
    /// CPU time of all its threads, user's and system's; none where there is no `/proc`.
    pub cpu: Option<Duration>,
    /// The most memory it had at once, in bytes; none where there is no `/proc`.
    pub peak: Option<u64>,
}

/// Runs a command to its end, which has to be a success, and gives each line of its output to `on_line` as it comes.
/// When that breaks off, the process is killed.
pub fn run(mut command: Command, mut on_line: impl FnMut(&str) -> ControlFlow<()>) -> Result<Usage> {
    let mut errors = tempfile::tempfile()?;
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(errors.try_clone()?);
    let started = Instant::now();
    let mut child = command.spawn()?;
    let mut output = BufReader::new(child.stdout.take().ok_or("no output")?);
    let (pid, ended) = (child.id(), AtomicBool::new(false));

    let (read, wall, peak) = thread::scope(|scope| {
        let watching = scope.spawn(|| watch_peak(pid, &ended));
        let read = read_lines(&mut output, &mut on_line);
        let wall = started.elapsed();
        ended.store(true, Ordering::Release);
        (read, wall, watching.join().unwrap_or_default())
    });
    if !matches!(read, Ok(ControlFlow::Continue(()))) {
        child.kill()?;
    }
    let cpu = final_cpu(pid);
    let status = child.wait()?;
    if read?.is_continue() && !status.success() {
        return Err(failure(&command, status, &mut errors)?.into());
    }
    Ok(Usage { wall, cpu, peak })
}

/// Runs a command to its end, which has to be a success, with its output going elsewhere.
pub fn into(mut command: Command, out: Stdio) -> Result<Usage> {
    let mut errors = tempfile::tempfile()?;
    command.stdin(Stdio::null()).stdout(out).stderr(errors.try_clone()?);
    let started = Instant::now();
    let mut child = command.spawn()?;
    let (pid, ended) = (child.id(), AtomicBool::new(false));
    let (status, wall, peak) = thread::scope(|scope| {
        let watching = scope.spawn(|| watch_peak(pid, &ended));
        let status = child.wait();
        let wall = started.elapsed();
        ended.store(true, Ordering::Release);
        (status, wall, watching.join().unwrap_or_default())
    });
    let status = status?;
    if status.success() {
        Ok(Usage { wall, cpu: None, peak })
    } else {
        Err(failure(&command, status, &mut errors)?.into())
    }
}

/// Runs a command to its end and returns its whole output.
pub fn output(command: Command) -> Result<(String, Usage)> {
    let mut text = String::new();
    let usage = run(command, |line| {
        text.push_str(line);
        text.push('\n');
        ControlFlow::Continue(())
    })?;
    Ok((text, usage))
}

fn read_lines(
    output: &mut impl BufRead,
    on_line: &mut impl FnMut(&str) -> ControlFlow<()>,
) -> std::io::Result<ControlFlow<()>> {
    let mut line = String::new();
    while output.read_line(&mut line)? > 0 {
        if on_line(line.trim_end()).is_break() {
            return Ok(ControlFlow::Break(()));
        }
        line.clear();
    }
    Ok(ControlFlow::Continue(()))
}

fn watch_peak(pid: u32, ended: &AtomicBool) -> Option<u64> {
    let mut peak = None;
    while !ended.load(Ordering::Acquire) {
        peak = peak.max(peak_memory(pid));
        thread::sleep(LOOK_EVERY);
    }
    peak
}

fn peak_memory(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let kib = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"))?;
    kib.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

/// The CPU time of a process that has ended and is not waited for yet: then all its threads have been added up.
fn final_cpu(pid: u32) -> Option<Duration> {
    let patience = Instant::now() + Duration::from_secs(5);
    while Instant::now() < patience {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name, in parentheses, may hold anything. After it: state, 10 others, utime, stime.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        if fields.first() == Some(&"Z") {
            let ticks: u32 = fields.get(11)?.parse::<u32>().ok()? + fields.get(12)?.parse::<u32>().ok()?;
            return Some(TICK * ticks);
        }
        thread::sleep(Duration::from_millis(1));
    }
    None
}

fn failure(command: &Command, status: ExitStatus, errors: &mut fs::File) -> Result<String> {
    let mut text = String::new();
    errors.seek(SeekFrom::Start(0))?;
    errors.read_to_string(&mut text)?;
    Ok(format!("{command:?} ended with {status}:\n{text}"))
}
