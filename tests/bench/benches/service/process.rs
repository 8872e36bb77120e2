//! What Linux tells about processes.

use std::fs;
use std::time::Duration;

/// The unit of CPU times in `/proc`: the kernel's USER_HZ, 100 on every architecture that Larder runs on.
const TICK: Duration = Duration::from_millis(10);

/// CPU time of a process so far, all threads.
pub(crate) fn cpu(pid: u32) -> Duration {
    let stat = Stat::of(pid).expect("the process runs");
    TICK * stat.own
}

/// CPU time so far of a PostgreSQL server: its main process, the ones it has, the ones it had.
pub(crate) fn server_cpu(postmaster: u32) -> Duration {
    let main = Stat::of(postmaster).expect("PostgreSQL runs");
    let children: u32 = fs::read_dir("/proc")
        .expect("Linux")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(Stat::of)
        .filter(|stat| stat.parent == postmaster)
        .map(|stat| stat.own)
        .sum();
    TICK * (main.own + main.dead_children + children)
}

/// Resident memory of a process in MiB.
pub(crate) fn resident(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .expect("a process has memory");
    let kibibytes: f64 = line.trim().trim_end_matches(" kB").parse().expect("a number of kB");
    kibibytes / 1024.0
}

struct Stat {
    parent: u32,
    own: u32,
    dead_children: u32,
}

impl Stat {
    fn of(pid: u32) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name, the second field, may hold anything, a closing parenthesis included.
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let number = |at: usize| fields.get(at)?.parse::<u32>().ok();
        Some(Self {
            parent: number(1)?,
            own: number(11)? + number(12)?,
            dead_children: number(13)? + number(14)?,
        })
    }
}
