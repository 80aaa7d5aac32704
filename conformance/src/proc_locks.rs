//! `/proc/locks`, and the open files of a process: who holds and who waits for which inode, as the kernel says.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

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
}

/// What the kernel fills at a time, with whole records: a lock and everybody who waits for it.
const PAGE: usize = 4096;

impl ProcLocks {
    /// Opens the file, for the devices of the lock directory and of the datastore, which can be the same.
    pub fn open(locks_on: u64, store_on: u64) -> io::Result<Self> {
        let printed = |device: u64| {
            let (major, minor) = (nix::sys::stat::major(device), nix::sys::stat::minor(device));
            format!("{major:02x}:{minor:02x}:").into_bytes()
        };
        Ok(Self {
            file: File::open("/proc/locks")?,
            buffer: vec![0; 16 * PAGE],
            locks_on: printed(locks_on),
            store_on: printed(store_on),
        })
    }

    /// Gives every line that concerns the devices to `each`: all of them if the kernel gave them at one moment. A longer list
    /// comes in pieces, between which others take and release locks: then a line may be missing, however often it is read.
    pub fn read(&mut self, each: impl FnMut(Line)) -> io::Result<()> {
        let mut lines = Vec::new();
        self.read_once(&mut lines)?;
        lines.into_iter().for_each(each);
        Ok(())
    }

    /// Gives every lock on the devices that these processes hold to `each`, whatever others do meanwhile: where the list of all
    /// locks comes in pieces, each open file of the processes is asked for its own.
    pub fn held(&mut self, pids: &[Option<i32>], each: impl FnMut(Line)) -> io::Result<()> {
        let mut lines = Vec::new();
        if !self.read_once(&mut lines)? {
            lines.clear();
            for pid in pids.iter().flatten() {
                self.held_by(*pid, &mut lines)?;
            }
        }
        let held = lines.into_iter().filter(|line| !line.waits);
        held.for_each(each);
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
        use std::os::unix::fs::MetadataExt;
        let directory = tempfile::tempdir_in("/dev/shm").unwrap();
        let open = |name: &str| File::create(directory.path().join(name)).unwrap();
        let locked = |n: usize| {
            let file = open(&n.to_string());
            file.lock().unwrap();
            file
        };
        let mut ours: Vec<File> = (0..8).map(locked).collect();
        let crowded = open("crowded");
        crowded.lock().unwrap();
        let device = crowded.metadata().unwrap().dev();
        let mut locks = ProcLocks::open(device, device).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..80 {
                scope.spawn(|| open("crowded").lock().unwrap());
            }
            let mut waiting = 0;
            while waiting < 80 {
                waiting = 0;
                locks.read(|line| waiting += u32::from(line.waits)).unwrap();
            }
            ours.extend((8..16).map(locked));
            // The kernel has a larger page by now for whoever has met the long record first.
            let mut locks = ProcLocks::open(device, device).unwrap();
            let mut seen = Vec::new();
            locks.read(|line| seen.push(line.ino)).unwrap();
            for file in &ours {
                assert!(seen.contains(&file.metadata().unwrap().ino()));
            }
            drop(crowded);
        });
    }

    /// The list is long, and changes all the time.
    #[test]
    fn what_a_process_holds_is_seen_whatever_others_do() {
        use std::os::unix::fs::MetadataExt;
        use std::sync::atomic::{AtomicBool, Ordering};
        let directory = tempfile::tempdir_in("/dev/shm").unwrap();
        let open = |name: String| File::create(directory.path().join(name)).unwrap();
        let ours: Vec<File> = (0..10).map(|n| open(format!("ours {n}"))).collect();
        let wanted: Vec<u64> = ours.iter().map(|f| f.metadata().unwrap().ino()).collect();
        for (n, file) in ours.iter().enumerate() {
            let lock = if n % 2 == 0 {
                file.lock()
            } else {
                file.lock_shared()
            };
            lock.unwrap();
        }
        let device = ours[0].metadata().unwrap().dev();
        let is_over = AtomicBool::new(false);
        let mut missing_in_list = 0;
        std::thread::scope(|scope| {
            for _ in 0..80 {
                scope.spawn(|| {
                    while !is_over.load(Ordering::Relaxed) {
                        let crowded = open("crowded".to_owned());
                        crowded.lock().unwrap();
                        open("other".to_owned()).lock().unwrap();
                    }
                });
            }
            let pids = [i32::try_from(std::process::id()).ok()];
            for _ in 0..200 {
                let mut locks = ProcLocks::open(device, device).unwrap();
                let mut seen = Vec::new();
                locks
                    .held(&pids, |line| seen.push((line.ino, line.is_shared)))
                    .unwrap();
                for (n, ino) in wanted.iter().enumerate() {
                    assert!(seen.contains(&(*ino, n % 2 == 1)), "{n} in {seen:?}");
                }
                let mut listed = Vec::new();
                locks.read(|line| listed.push(line.ino)).unwrap();
                missing_in_list += u32::from(wanted.iter().any(|ino| !listed.contains(ino)));
            }
            is_over.store(true, Ordering::Relaxed);
        });
        // If the list never lacked one, this has shown nothing on this machine.
        eprintln!("the list of all locks lacked one of ours {missing_in_list} times in 200");
    }

    #[test]
    fn a_lock_of_this_process_is_seen() {
        use std::os::unix::fs::MetadataExt;
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
