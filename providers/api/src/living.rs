//! Which processes of a session live (Linux: from `/proc`; elsewhere only the step's lock tells).

use std::fs;

use crate::step_files::Start;

/// A process of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    /// The name of its program, cut at 15 characters by the kernel.
    pub(crate) name: String,
}

struct Stat {
    name: String,
    state: char,
    session: i32,
    ticks: u64,
}

/// Which boot of the machine this is; empty where the system does not tell.
pub(crate) fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map_or_else(|_| String::new(), |id| id.trim().to_owned())
}

/// When a process began, in ticks since boot; 0 where the system does not tell.
pub(crate) fn started_ticks(pid: i32) -> u64 {
    stat(pid).map_or(0, |stat| stat.ticks)
}

/// The processes that live in the session of a start, by process id.
pub(crate) fn of_session(start: &Start) -> Vec<Process> {
    if start.boot != boot_id() {
        return Vec::new();
    }
    // While anything of a session lives, no new process gets its number. So a leader that began at another time means that
    // nothing of ours is left.
    if stat(start.session).is_some_and(|leader| leader.ticks != start.ticks) {
        return Vec::new();
    }
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    let mut found: Vec<Process> = pids.filter_map(|pid| in_session(pid, start.session)).collect();
    found.sort_by_key(|process| process.pid);
    found
}

fn in_session(pid: i32, session: i32) -> Option<Process> {
    let stat = stat(pid)?;
    let lives = !matches!(stat.state, 'Z' | 'X');
    (stat.session == session && lives).then_some(Process { pid, name: stat.name })
}

/// Reads `/proc/PID/stat`. The name stands in parentheses and may hold anything, so what follows is read from the last one.
fn stat(pid: i32) -> Option<Stat> {
    let text = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let text = String::from_utf8_lossy(&text);
    let (head, rest) = text.rsplit_once(')')?;
    let name = head.split_once('(')?.1.to_owned();
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let state = fields.first()?.chars().next()?;
    // Fields 6 and 22 of the whole line; the first here is field 3.
    Some(Stat { name, state, session: fields.get(3)?.parse().ok()?, ticks: fields.get(19)?.parse().ok()? })
}
