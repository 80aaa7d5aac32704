//! `/proc/locks`, and the open files of a process: who holds and who waits for which inode, as the kernel says.

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::unistd::Pid;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};

/// One line that concerns the devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// The process that holds or waits.
    pub pid: i32,
    /// The inode.
    pub ino: u64,
    /// Whether it waits (`->`).
    pub waits: bool,
    /// Whether it is a record lock (`POSIX`), not a `flock`.
    pub is_record_lock: bool,
    /// Whether it is shared (`READ`).
    pub is_shared: bool,
    /// Whether the inode is on the device of the datastore; that of the lock directory can be the same one.
    pub is_in_store: bool,
    /// Whether it is on that of the lock directory.
    pub is_in_locks: bool,
}

/// The open file and a buffer.
#[derive(Debug)]
pub struct ProcLocks {
    file: File,
    buffer: Vec<u8>,
    /// Devices of the lock directory and of the datastore, as they are printed, with the colon behind: `00:1a:`.
    locks_on: Vec<u8>,
    store_on: Vec<u8>,
    /// None where it cannot be taken; whatever is held is then asked of the open files.
    oldest: Option<Oldest>,
}

/// A lock of this process on a file that nobody else has. The kernel keeps a list for each processor, with what was taken last in
/// front, and shows them in the order of the processors: taken on the last one, it stands behind all that are taken later.
#[derive(Debug)]
struct Oldest {
    _file: File,
    /// Device and inode as they are printed, between spaces.
    printed: Vec<u8>,
}

impl Oldest {
    fn take() -> io::Result<Self> {
        let file = File::from(memfd_create(c"oldest-lock", MFdFlags::MFD_CLOEXEC)?);
        let this_thread = Pid::from_raw(0);
        let allowed = sched_getaffinity(this_thread)?;
        let is_allowed = |cpu: &usize| allowed.is_set(*cpu).unwrap_or(false);
        let mut last = CpuSet::new();
        if let Some(cpu) = (0..CpuSet::count()).rev().find(is_allowed) {
            last.set(cpu)?;
        }
        sched_setaffinity(this_thread, &last)?;
        let locked = file.lock();
        sched_setaffinity(this_thread, &allowed)?;
        locked?;
        let metadata = file.metadata()?;
        let mut printed = b" ".to_vec();
        printed.extend(print_device(metadata.dev()));
        printed.extend(format!("{} ", metadata.ino()).bytes());
        Ok(Self {
            _file: file,
            printed,
        })
    }

    /// Whether it is the lock on a line, which no other line of the list has.
    fn is_on(&self, line: &[u8]) -> bool {
        line.windows(self.printed.len())
            .any(|at| at == self.printed)
    }
}

/// A device as it stands before the number of an inode: `00:1a:`.
fn print_device(device: u64) -> Vec<u8> {
    let (major, minor) = (nix::sys::stat::major(device), nix::sys::stat::minor(device));
    format!("{major:02x}:{minor:02x}:").into_bytes()
}

/// What the kernel fills at a time, with whole records: a lock and everybody who waits for it.
const PAGE: usize = 4096;

/// How often a list of more than one page is read again at most.
const MOST_READINGS: usize = 64;

/// How many readings in a row must agree.
const AGREEING_READINGS: usize = 5;

impl ProcLocks {
    /// Opens the file, for the devices of the lock directory and of the datastore, which can be the same.
    pub fn open(locks_on: u64, store_on: u64) -> io::Result<Self> {
        Ok(Self {
            file: File::open("/proc/locks")?,
            buffer: vec![0; 16 * PAGE],
            locks_on: print_device(locks_on),
            store_on: print_device(store_on),
            oldest: Oldest::take().ok(),
        })
    }

    /// Reads the file and gives every line that concerns the devices to `each`.
    ///
    /// What one call gives is one moment. More than one is not: what others take and release between two calls moves
    /// records from one into the other. So a longer list is read again until some readings in a row agree on the lines that
    /// matter. A list that has become shorter between two calls can still lack one: who misses a line asks again.
    pub fn read(&mut self, each: impl FnMut(Line)) -> io::Result<()> {
        let mut lines = Vec::new();
        let mut is_one_moment = self.read_once(&mut lines)?;
        let mut agreeing = 1;
        for _ in 0..MOST_READINGS {
            if is_one_moment || agreeing == AGREEING_READINGS {
                break;
            }
            let mut again = Vec::new();
            is_one_moment = self.read_once(&mut again)?;
            agreeing = if again == lines { agreeing + 1 } else { 1 };
            lines = again;
        }
        lines.into_iter().for_each(each);
        Ok(())
    }

    /// Gives every lock on the devices that these processes hold to `each`, if it was taken after this was opened, whatever
    /// others do meanwhile.
    ///
    /// One call gives one moment, and the kernel lists what was taken last first. So a piece in which our own lock is, which is
    /// older, lacks none of theirs. Where that one does not fit, each open file of the processes is asked for its own.
    pub fn held(&mut self, pids: &[Option<i32>], each: impl FnMut(Line)) -> io::Result<()> {
        let mut lines = Vec::new();
        let read = self.file.read_at(&mut self.buffer, 0)?;
        let mut text = self.buffer[..read].split(|&byte| byte == b'\n');
        let is_complete = self.oldest.as_ref().is_some_and(|oldest| {
            text.any(|line| {
                lines.extend(parse(line, &self.locks_on, &self.store_on));
                oldest.is_on(line)
            })
        });
        if !is_complete {
            lines.clear();
            for pid in pids.iter().flatten() {
                self.held_by(*pid, &mut lines)?;
            }
        }
        lines.into_iter().filter(|line| !line.waits).for_each(each);
        Ok(())
    }

    /// The locks that a process holds by its open files. One that ends meanwhile has none.
    fn held_by(&self, pid: i32, lines: &mut Vec<Line>) -> io::Result<()> {
        let is_gone = |error: &io::Error| {
            let is_no_process = error.raw_os_error() == Some(nix::libc::ESRCH);
            error.kind() == io::ErrorKind::NotFound || is_no_process
        };
        let entries = match std::fs::read_dir(format!("/proc/{pid}/fdinfo")) {
            Err(error) if is_gone(&error) => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let text = match entry.and_then(|entry| std::fs::read(entry.path())) {
                Err(error) if is_gone(&error) => continue,
                text => text?,
            };
            let locks = text.split(|&byte| byte == b'\n');
            let locks = locks.filter_map(|line| line.strip_prefix(b"lock:\t"));
            lines.extend(locks.filter_map(|line| parse(line, &self.locks_on, &self.store_on)));
        }
        Ok(())
    }

    /// Reads the file once; whether all of it was read at one moment.
    ///
    /// Only a call that gives nothing has seen the end. How full a page is says nothing: a lock for which many wait is one
    /// long record, and if that does not fit any more, it and all behind it come with the next call.
    fn read_once(&mut self, lines: &mut Vec<Line>) -> io::Result<bool> {
        let mut length = 0;
        let mut readings = 0;
        loop {
            if self.buffer.len() - length < PAGE {
                self.buffer.resize(2 * self.buffer.len(), 0);
            }
            let read = self
                .file
                .read_at(&mut self.buffer[length..], length as u64)?;
            if read == 0 {
                break;
            }
            length += read;
            readings += 1;
        }
        let text = self.buffer[..length].split(|&byte| byte == b'\n');
        lines.extend(text.filter_map(|line| parse(line, &self.locks_on, &self.store_on)));
        Ok(readings <= 1)
    }
}

/// A line such as `1: FLOCK  ADVISORY  WRITE 4021 00:1a:77 0 EOF`; a waiter has `->` behind the number.
fn parse(line: &[u8], locks_on: &[u8], store_on: &[u8]) -> Option<Line> {
    let mut words = line
        .split(|&byte| byte == b' ')
        .filter(|word| !word.is_empty());
    words.next()?;
    let mut word = words.next()?;
    let waits = word == b"->";
    if waits {
        word = words.next()?;
    }
    let is_record_lock = word == b"POSIX";
    words.next()?;
    let is_shared = words.next()? == b"READ";
    let pid = words.next()?;
    let inode = words.next()?;
    let (in_locks, in_store) = (inode.strip_prefix(locks_on), inode.strip_prefix(store_on));
    let ino = in_locks.or(in_store)?;
    let number = |digits: &[u8]| {
        digits.iter().try_fold(0_u64, |n, digit| {
            digit
                .is_ascii_digit()
                .then(|| n * 10 + u64::from(digit - b'0'))
        })
    };
    Some(Line {
        pid: i32::try_from(number(pid)?).ok()?,
        ino: number(ino)?,
        waits,
        is_record_lock,
        is_shared,
        is_in_store: in_store.is_some(),
        is_in_locks: in_locks.is_some(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    #[test]
    fn lines_of_other_devices_are_left_out_and_waiters_are_told_from_holders() {
        let line = |text: &str| parse(text.as_bytes(), b"00:1a:", b"fe:02:");
        assert_eq!(
            line("1: FLOCK  ADVISORY  WRITE 4021 00:1a:77 0 EOF"),
            Some(Line {
                pid: 4021,
                ino: 77,
                waits: false,
                is_record_lock: false,
                is_shared: false,
                is_in_store: false,
                is_in_locks: true
            })
        );
        assert_eq!(
            line("1: -> FLOCK  ADVISORY  WRITE 4022 00:1a:77 0 EOF"),
            Some(Line {
                pid: 4022,
                ino: 77,
                waits: true,
                is_record_lock: false,
                is_shared: false,
                is_in_store: false,
                is_in_locks: true
            })
        );
        assert_eq!(
            line("12: POSIX  ADVISORY  READ 5 fe:02:9 0 EOF"),
            Some(Line {
                pid: 5,
                ino: 9,
                waits: false,
                is_record_lock: true,
                is_shared: true,
                is_in_store: true,
                is_in_locks: false
            })
        );
        assert_eq!(line("1: FLOCK  ADVISORY  WRITE 4021 fe:01:77 0 EOF"), None);
        assert_eq!(line(""), None);
    }

    #[test]
    fn locks_are_seen_behind_one_for_which_many_wait() {
        let directory = tempfile::tempdir_in("/dev/shm").unwrap();
        let open = |name: &str| File::create(directory.path().join(name)).unwrap();
        let device = directory.path().metadata().unwrap().dev();
        let [mut first, mut second] = [(); 2].map(|()| ProcLocks::open(device, device).unwrap());
        let locked = |n: usize| {
            let file = open(&n.to_string());
            file.lock().unwrap();
            file
        };
        let mut ours: Vec<File> = (0..8).map(locked).collect();
        let crowded = open("crowded");
        crowded.lock().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..80 {
                scope.spawn(|| open("crowded").lock().unwrap());
            }
            let mut waiting = 0;
            while waiting < 80 {
                waiting = 0;
                first.read(|line| waiting += u32::from(line.waits)).unwrap();
            }
            ours.extend((8..16).map(locked));
            // The kernel has a larger page by now for whoever has met the long record first.
            let pids = [i32::try_from(std::process::id()).ok()];
            for locks in [&mut first, &mut second] {
                let mut seen = Vec::new();
                locks.held(&pids, |line| seen.push(line.ino)).unwrap();
                for file in &ours {
                    assert!(seen.contains(&file.metadata().unwrap().ino()));
                }
            }
            drop(crowded);
        });
    }

    /// The list is long, and changes all the time: one file for which many wait, which is given up and taken anew. Whoever reads
    /// the list alone misses one now and then, on some kernels.
    #[test]
    fn what_a_process_holds_is_seen_whatever_others_do() {
        use std::sync::atomic::{AtomicBool, Ordering};
        let directory = tempfile::tempdir_in("/dev/shm").unwrap();
        let open = |name: String| File::create(directory.path().join(name)).unwrap();
        let device = directory.path().metadata().unwrap().dev();
        let mut locks = ProcLocks::open(device, device).unwrap();
        let ours: Vec<File> = (0..10).map(|n| open(format!("ours {n}"))).collect();
        let wanted: Vec<u64> = ours.iter().map(|f| f.metadata().unwrap().ino()).collect();
        for (n, file) in ours.iter().enumerate() {
            match n % 2 {
                0 => file.lock().unwrap(),
                _ => file.lock_shared().unwrap(),
            }
        }
        let is_over = AtomicBool::new(false);
        let mut unseen = Vec::new();
        std::thread::scope(|scope| {
            for n in 0..80 {
                let (open, is_over) = (&open, &is_over);
                scope.spawn(move || {
                    while !is_over.load(Ordering::Relaxed) {
                        open("crowded".to_owned()).lock().unwrap();
                        open(format!("other {n}")).lock().unwrap();
                    }
                });
            }
            let pids = [i32::try_from(std::process::id()).ok()];
            for _ in 0..400 {
                let mut seen = Vec::new();
                locks
                    .held(&pids, |line| seen.push((line.ino, line.is_shared)))
                    .unwrap();
                let held = wanted.iter().zip([false, true].into_iter().cycle());
                unseen.extend(held.filter(|(ino, shared)| !seen.contains(&(**ino, *shared))));
            }
            is_over.store(true, Ordering::Relaxed);
        });
        assert_eq!(unseen, []);
    }

    #[test]
    fn what_is_taken_later_stands_before_our_own_lock_on_every_processor() {
        let directory = tempfile::tempdir_in("/dev/shm").unwrap();
        let device = directory.path().metadata().unwrap().dev();
        let mut locks = ProcLocks::open(device, device).unwrap();
        let oldest = locks.oldest.as_ref().unwrap();
        let (this_thread, printed) = (Pid::from_raw(0), oldest.printed.clone());
        let allowed = sched_getaffinity(this_thread).unwrap();
        let cpus = (0..CpuSet::count()).filter(|cpu| allowed.is_set(*cpu).unwrap());
        let mut files = Vec::new();
        for cpu in cpus {
            let mut one = CpuSet::new();
            one.set(cpu).unwrap();
            sched_setaffinity(this_thread, &one).unwrap();
            let file = File::create(directory.path().join(cpu.to_string())).unwrap();
            file.lock().unwrap();
            files.push(file);
        }
        sched_setaffinity(this_thread, &allowed).unwrap();
        // While others crowd the list it does not fit now and then.
        let deadline = Instant::now() + Duration::from_secs(60);
        let printed = str::from_utf8(&printed).unwrap();
        let (text, ours) = loop {
            let mut text = vec![0; 16 * PAGE];
            let read = locks.file.read_at(&mut text, 0).unwrap();
            let text = String::from_utf8(text[..read].to_vec()).unwrap();
            if let Some(ours) = text.find(printed) {
                break (text, ours);
            }
            assert!(Instant::now() < deadline, "our own lock is never listed");
        };
        for file in &files {
            let ino = file.metadata().unwrap().ino();
            assert!(text.find(&format!(":{ino} ")).unwrap() < ours, "{text}");
        }
        let mut seen = 0;
        let pids = [i32::try_from(std::process::id()).ok()];
        locks.held(&pids, |_| seen += 1).unwrap();
        assert!(seen >= files.len());
    }

    #[test]
    fn a_lock_of_this_process_is_seen() {
        let file = tempfile::tempfile_in("/dev/shm").unwrap();
        file.lock().unwrap();
        let metadata = file.metadata().unwrap();
        let mut locks = ProcLocks::open(metadata.dev(), metadata.dev()).unwrap();
        let mut held = 0;
        locks
            .read(|line| held += u32::from(line.ino == metadata.ino() && !line.waits))
            .unwrap();
        assert_eq!(held, 1);
    }
}
