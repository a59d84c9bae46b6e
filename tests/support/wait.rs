//! Waiting, killing, ports.

use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

/// Waits until something holds; fails after so many seconds.
#[track_caller]
pub fn wait_until(what: &str, seconds_max: u64, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(
            started.elapsed() < Duration::from_secs(seconds_max),
            "after {seconds_max} s still not: {what}"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until a file is there.
#[track_caller]
pub fn wait_for_file(path: &Path) {
    wait_until(&format!("{} is there", path.display()), 60, || path.exists());
}

/// Kills a process, as a crash would.
pub fn kill_9(pid: u32) {
    kill_process(raw(pid), Signal::KILL).unwrap();
}

/// Whether there is such a process.
pub fn lives(pid: u32) -> bool {
    test_kill_process(raw(pid)).is_ok()
}

fn raw(pid: u32) -> Pid {
    Pid::from_raw(i32::try_from(pid).unwrap()).unwrap()
}

/// A port of this host on which nobody listens.
pub fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

/// A process and all that it started, however deep, as they are now.
pub fn family(pid: u32) -> Vec<u32> {
    let numbers = std::fs::read_dir("/proc").unwrap().flatten();
    let numbers = numbers.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let parents: Vec<(u32, u32)> = numbers.filter_map(|pid| Some((pid, parent(pid)?))).collect();
    let mut family = vec![pid];
    let mut next = 0;
    while next < family.len() {
        let of = family[next];
        family.extend(parents.iter().filter(|(_, parent)| *parent == of).map(|(pid, _)| *pid));
        next += 1;
    }
    family
}

/// The parent of a process; `None`: it is gone.
fn parent(pid: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}

/// Kills a process and all that it started.
pub fn kill_family(pid: u32) {
    for member in family(pid) {
        // One that has ended on its own is as dead.
        let _gone = kill_process(raw(member), Signal::KILL);
    }
}
