//! A small datastore for tests, and system calls that keep a log and let a test act at a label.

#![allow(dead_code, reason = "every test binary uses a part of it")]
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "helpers of tests"
)]

pub(crate) mod collection;
pub(crate) mod finished;
pub(crate) mod recorded;

use datastore::index::{self, Digest, Index};
use datastore::lock_file::{self, LockGuard};
use datastore::manifest::Manifest;
use datastore::paths::{BackupTime, Group, Namespace, Snapshot};
use datastore::sys::{Access, CreateMode, Entry, FlockError, Label, Stat, Waiting};
use datastore::{Config, Cx, Datastore, Generation, LinuxSys, Owner, Prefixes, Sys};
use specs::lock_class::{Mode, Wait};
use specs::{Design, Outcome, step};
use std::cell::{Cell, RefCell};
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

pub(crate) const OLD: &str = "2026-07-14T06:33:20Z";
pub(crate) const NEW: &str = "2026-07-15T06:33:20Z";

type Hook = (String, Box<dyn FnOnce()>);

/// A call, by its name in [`Sys`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) name: &'static str,
    /// The path, or that of the open file; of two paths the second.
    pub(crate) path: PathBuf,
    pub(crate) is_ok: bool,
}

/// The system calls of Linux, with a log. A test can act when a step begins, and limit how much can
/// be appended.
#[derive(Default)]
pub(crate) struct TestSys {
    linux: LinuxSys,
    steps: RefCell<Vec<String>>,
    calls: RefCell<Vec<Call>>,
    hooks: Rc<RefCell<Vec<Hook>>>,
    /// Bytes that the file system has room for.
    pub(crate) room: Cell<Option<usize>>,
    pub(crate) is_shutting_down: Rc<Cell<bool>>,
    /// How far the clock is behind.
    pub(crate) behind: Cell<Duration>,
    /// A clock of its own, and how far it goes on each time that it is read.
    pub(crate) clock: Cell<Option<(i128, i128)>>,
    /// Whether the file system records no fractions of a second.
    pub(crate) has_whole_seconds: Cell<bool>,
    /// What happens while somebody waits for a lock, and how long that takes; without it, longer than any wait.
    pub(crate) meanwhile: RefCell<Option<Box<dyn FnMut() -> Duration>>>,
    /// For how long locks have been waited for, by a clock that stands still otherwise.
    pub(crate) waited: Cell<Duration>,
    /// Whether another process has the record lock.
    pub(crate) is_record_lock_busy: Cell<bool>,
    /// Calls that fail, by their name, at this path and below it, as somebody who may not make them meets them.
    pub(crate) refused: RefCell<Vec<(&'static str, PathBuf)>>,
    /// How many files and directories can still be made below this one.
    pub(crate) inodes: RefCell<Option<(PathBuf, usize)>>,
    /// A path over which another file system is mounted, whose inodes happen to have the same numbers. What was opened before
    /// is what it was.
    pub(crate) mounted_over: RefCell<Option<PathBuf>>,
    /// A directory that lies in another file system, whose inodes happen to have the same numbers.
    pub(crate) elsewhere: RefCell<Option<PathBuf>>,
    /// The design whose step tables every step is held against.
    strict: Cell<Option<Design>>,
    /// Calls since the last step began or ended.
    made: RefCell<Vec<step::Call>>,
}

/// What lies below such a directory is on another device.
fn on_device(below: &RefCell<Option<PathBuf>>, path: &Path, mut stat: Stat) -> Stat {
    let below = below.borrow();
    stat.dev += u64::from(below.as_ref().is_some_and(|it| path.starts_with(it)));
    stat
}

/// The path by which a file was opened, or to which it was renamed.
fn path_of(file: &File) -> PathBuf {
    fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).unwrap()
}

impl TestSys {
    /// Acts once, when a step with this label begins, or before `read_dir PATH` or `unlink PATH`.
    pub(crate) fn at(&self, label: impl Into<String>, act: impl FnOnce() + 'static) {
        self.hooks.borrow_mut().push((label.into(), Box::new(act)));
    }

    /// What is to be done yet, for what is done later to add to.
    pub(crate) fn hooks(&self) -> Rc<RefCell<Vec<Hook>>> {
        Rc::clone(&self.hooks)
    }

    /// The steps so far, `label` or `label = outcome` if that is not `Done`; empties the log.
    pub(crate) fn steps(&self) -> Vec<String> {
        assert!(
            self.hooks.borrow().is_empty(),
            "a step that a test waits for never began"
        );
        self.steps.take()
    }

    /// The calls so far; empties the log.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.calls.take()
    }

    /// From now on, whatever no step table allows is a failure: a call outside a step, a call or an
    /// outcome that is not in the row, a step of another design.
    pub(crate) fn hold_against_tables(&self, design: Design) {
        self.made.take();
        self.strict.set(Some(design));
    }

    /// Lets time pass for somebody who waits; whether the wait is not over.
    fn waits_on(&self, waiting: Waiting<'_>) -> bool {
        let alone = match waiting.wait {
            Wait::Seconds(seconds) => Duration::from_secs(seconds.into()),
            Wait::No | Wait::Forever => Duration::ZERO,
        };
        let until = waiting.until(self.waited.get() + alone);
        let act = self.meanwhile.take();
        let then = act.map(|mut act| {
            let takes = act();
            self.meanwhile.replace(Some(act));
            self.waited.get() + takes
        });
        let now = then.filter(|then| *then < until).unwrap_or(until);
        self.waited.set(now);
        now < until
    }

    /// Makes a file or directory, if there is an inode for it.
    fn take_inode<T>(&self, path: &Path, make: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let mut inodes = self.inodes.borrow_mut();
        let Some((_, left)) = inodes.as_mut().filter(|(at, _)| path.starts_with(at)) else {
            return make();
        };
        if *left == 0 && path.parent().is_some_and(Path::exists) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let made = make()?;
        *left -= 1;
        Ok(made)
    }

    /// Does what a test wants to be done here.
    fn act(&self, here: &str) {
        let mut hooks = self.hooks.borrow_mut();
        let at = hooks.iter().position(|(hook, _)| *hook == here);
        let act = at.map(|at| hooks.remove(at).1);
        drop(hooks);
        if let Some(act) = act {
            act();
        }
    }

    /// The error of a call that is refused at a path.
    fn check(&self, name: &str, path: &Path) -> io::Result<()> {
        self.act(&format!("{name} {}", path.display()));
        let refused = self.refused.borrow();
        let mut refused = refused.iter();
        if refused.any(|(call, at)| *call == name && path.starts_with(at)) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        Ok(())
    }

    fn made(&self, call: step::Call) {
        self.made.borrow_mut().push(call);
    }

    fn log<T, E>(&self, name: &'static str, path: &Path, result: Result<T, E>) -> Result<T, E> {
        let call = Call {
            name,
            path: path.to_owned(),
            is_ok: result.is_ok(),
        };
        self.calls.borrow_mut().push(call);
        result
    }

    fn log_file<T, E>(
        &self,
        name: &'static str,
        file: &File,
        result: Result<T, E>,
    ) -> Result<T, E> {
        let path = path_of(file);
        self.log(name, &path, result)
    }
}

impl Sys for TestSys {
    type File = File;
    type Mutex<T: Send> = <LinuxSys as Sys>::Mutex<T>;
    type Claim = <LinuxSys as Sys>::Claim;
    type Guard<'a, T: Send + 'a> = <LinuxSys as Sys>::Guard<'a, T>;

    fn begin(&self, label: &Label<'_>) {
        let before = self.made.take();
        if self.strict.get().is_some() {
            assert!(before.is_empty(), "before {label}: {before:?}");
        }
        self.act(&label.to_string());
    }
    fn end(&self, label: &Label<'_>, outcome: Outcome) {
        let made = self.made.take();
        if let Some(design) = self.strict.get() {
            let row = label.step.row();
            assert!(row.designs.contains(design), "{label} in {design:?}");
            assert!(row.outcomes.contains(&outcome), "{label}: {outcome:?}");
            for call in made {
                assert!(row.calls.contains(&call), "{label}: {call:?}");
            }
        }
        self.steps.borrow_mut().push(if outcome == Outcome::Done {
            label.to_string()
        } else {
            format!("{label} = {outcome:?}")
        });
    }
    fn open(&self, path: &Path, access: Access) -> io::Result<File> {
        self.made(step::Call::Open);
        self.log("open", path, self.linux.open(path, access))
    }
    fn create(&self, path: &Path, create: CreateMode) -> io::Result<File> {
        self.made(step::Call::Create);
        let made = self.take_inode(path, || self.linux.create(path, create));
        self.log("create", path, made)
    }
    fn flock<'d>(
        &self,
        file: &File,
        mode: Mode,
        wait: impl Into<Waiting<'d>>,
    ) -> Result<(), FlockError> {
        self.made(step::Call::Flock);
        let waiting = wait.into();
        let result = loop {
            match self.linux.flock(file, mode, Wait::No) {
                Err(FlockError::WouldBlock) if waiting.wait.blocks() => {
                    if !self.waits_on(waiting) {
                        break Err(FlockError::TimedOut);
                    }
                }
                result => break result,
            }
        };
        self.log_file("flock", file, result)
    }
    fn record_lock(&self, file: &File, mode: Option<Mode>) -> Result<(), FlockError> {
        self.made(step::Call::RecordLock);
        if self.is_record_lock_busy.get() {
            return self.log_file("record_lock", file, Err(FlockError::WouldBlock));
        }
        self.log_file("record_lock", file, self.linux.record_lock(file, mode))
    }
    fn fstat(&self, file: &File) -> io::Result<Stat> {
        self.made(step::Call::Fstat);
        let path = path_of(file);
        let stat = self.linux.fstat(file);
        let stat = stat.map(|stat| on_device(&self.elsewhere, &path, stat));
        self.log_file("fstat", file, stat)
    }
    fn stat(&self, path: &Path) -> io::Result<Stat> {
        self.made(step::Call::Stat);
        let stat = self.linux.stat(path);
        let stat = stat.map(|stat| on_device(&self.mounted_over, path, stat));
        let stat = stat.map(|stat| on_device(&self.elsewhere, path, stat));
        self.log("stat", path, stat)
    }
    fn link(&self, old: &Path, new: &Path) -> io::Result<()> {
        self.made(step::Call::Link);
        self.linux.link(old, new)
    }
    fn rename(&self, old: &Path, new: &Path) -> io::Result<()> {
        self.made(step::Call::Rename);
        self.log("rename", new, self.linux.rename(old, new))
    }
    fn rename_no_replace(&self, old: &Path, new: &Path) -> io::Result<()> {
        self.made(step::Call::RenameNoReplace);
        self.log(
            "rename_no_replace",
            new,
            self.linux.rename_no_replace(old, new),
        )
    }
    fn unlink(&self, path: &Path) -> io::Result<()> {
        self.made(step::Call::Unlink);
        let refused = self.check("unlink", path);
        self.log(
            "unlink",
            path,
            refused.and_then(|()| self.linux.unlink(path)),
        )
    }
    fn mkdir(&self, path: &Path, owner: Option<(u32, u32)>) -> io::Result<()> {
        self.made(step::Call::Mkdir);
        let made = self.take_inode(path, || self.linux.mkdir(path, owner));
        self.log("mkdir", path, made)
    }
    fn rmdir(&self, path: &Path) -> io::Result<()> {
        self.made(step::Call::Rmdir);
        self.log("rmdir", path, self.linux.rmdir(path))
    }
    fn read_dir(&self, path: &Path) -> io::Result<Vec<Entry>> {
        self.made(step::Call::ReadDir);
        self.check("read_dir", path)?;
        let mut entries = self.linux.read_dir(path)?;
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }
    fn read(&self, file: &File, offset: u64) -> io::Result<Vec<u8>> {
        self.made(step::Call::Read);
        self.linux.read(file, offset)
    }
    fn pread(&self, file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.made(step::Call::Read);
        self.linux.pread(file, buffer, offset)
    }
    fn append(&self, file: &File, bytes: &[u8]) -> io::Result<usize> {
        self.made(step::Call::Append);
        let room = self.room.get().unwrap_or(usize::MAX);
        if room == 0 {
            return self.log_file("append", file, Err(io::ErrorKind::StorageFull.into()));
        }
        let written = self.linux.append(file, &bytes[..bytes.len().min(room)])?;
        self.room.set(self.room.get().map(|room| room - written));
        self.log_file("append", file, Ok(written))
    }
    fn ftruncate(&self, file: &File, size: u64) -> io::Result<()> {
        self.made(step::Call::Ftruncate);
        self.log_file("ftruncate", file, self.linux.ftruncate(file, size))
    }
    fn utimensat(&self, path: &Path, atime_ns: i128) -> io::Result<()> {
        self.made(step::Call::Utimensat);
        let second = 1_000_000_000;
        let recorded = match self.has_whole_seconds.get() {
            true => atime_ns.div_euclid(second) * second,
            false => atime_ns,
        };
        self.log("utimensat", path, self.linux.utimensat(path, recorded))
    }
    fn now(&self) -> i128 {
        self.made(step::Call::Now);
        if let Some((now, tick)) = self.clock.get() {
            self.clock.set(Some((now + tick, tick)));
            return now;
        }
        self.linux.now() - i128::try_from(self.behind.get().as_nanos()).unwrap()
    }
    fn is_tmpfs(&self, path: &Path) -> io::Result<bool> {
        self.linux.is_tmpfs(path)
    }
    fn can_write(&self, path: &Path) -> io::Result<()> {
        self.linux.can_write(path)
    }
    fn real_path(&self, path: &Path) -> io::Result<PathBuf> {
        self.linux.real_path(path)
    }
    fn first_link(&self, below: &Path, path: &Path) -> io::Result<Option<PathBuf>> {
        self.linux.first_link(below, path)
    }
    fn claim(&self, dev: u64, ino: u64) -> Option<Self::Claim> {
        self.linux.claim(dev, ino)
    }
    fn first_look(&self, path: &Path) -> Option<bool> {
        self.linux.first_look(path)
    }
    fn note_first_look(&self, path: &Path, is_there: bool) -> bool {
        self.linux.note_first_look(path, is_there)
    }
    fn is_shutting_down(&self) -> bool {
        self.is_shutting_down.get()
    }
    fn sleep(&self, duration: Duration) {
        self.linux.sleep(duration);
    }
    fn mutex<T: Send>(value: T) -> Self::Mutex<T> {
        LinuxSys::mutex(value)
    }
    fn lock<'a, T: Send>(&'a self, mutex: &'a Self::Mutex<T>) -> Self::Guard<'a, T> {
        self.made(step::Call::Mutex);
        self.linux.lock(mutex)
    }
}

/// A datastore in a directory of its own on a tmpfs.
pub(crate) struct Fixture {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) cx: Cx<TestSys>,
    pub(crate) store: Datastore<TestSys>,
}

pub(crate) fn namespace(name: &str) -> Namespace {
    Namespace::new(name).unwrap()
}

pub(crate) fn owner(name: &str) -> Owner {
    Owner::new(name).unwrap()
}

pub(crate) fn group(ns: &str, name: &str) -> Group {
    Group::parse(namespace(ns), name).unwrap()
}

pub(crate) fn snapshot(group: &Group, time: &str) -> Snapshot {
    group.snapshot(BackupTime::parse(time).unwrap())
}

/// A digest whose chunk lies in the one prefix directory of the fixture.
pub(crate) fn digest(n: u8) -> Digest {
    let mut digest = [n; 32];
    (digest[0], digest[1]) = (0x5c, 0xa1);
    Digest(digest)
}

impl Fixture {
    pub(crate) fn new(design: Design) -> Self {
        Self::with(design, |_| {})
    }

    /// The same with another configuration.
    pub(crate) fn with(design: Design, change: impl FnOnce(&mut Config)) -> Self {
        let directory = tempfile::tempdir_in("/dev/shm").unwrap();
        let cx = Cx {
            sys: TestSys::default(),
            design,
        };
        let mut config = Self::config(directory.path());
        change(&mut config);
        let store = Datastore::create(&cx.sys, config, Prefixes::Only(&["5ca1"])).unwrap();
        for ns in ["a", "b"] {
            fs::create_dir_all(store.layout().path(namespace(ns))).unwrap();
        }
        cx.sys.calls();
        Self {
            directory,
            cx,
            store,
        }
    }

    pub(crate) fn config(directory: &Path) -> Config {
        let mut config = Config::new(directory.join("store"), "store");
        config.locks = directory.join("locks");
        // What lies around on this machine is not theirs.
        config.generation = Generation::LockFiles;
        config
    }

    /// The same directories as another process finds them: nothing in memory is left.
    pub(crate) fn reopened(self) -> Self {
        // A process opens a datastore once.
        drop(self.store);
        let config = Self::config(self.directory.path());
        let store = Datastore::open(&self.cx.sys, config).unwrap();
        Self { store, ..self }
    }

    pub(crate) fn path(&self, relative: impl std::fmt::Display) -> PathBuf {
        self.store.layout().path(relative)
    }

    /// Adds a snapshot with one index file over some chunks, and the chunks, which are older than
    /// any cutoff.
    pub(crate) fn add(&self, snapshot: &Snapshot, chunks: &[u8]) -> PathBuf {
        let directory = self.path(snapshot);
        fs::create_dir_all(&directory).unwrap();
        let owner = self.path(snapshot.group()).join("owner");
        fs::write(owner, "root@pam\n").unwrap();
        self.add_index(&directory.join("drive.img.fidx"), chunks);
        directory
    }

    /// Adds a finished snapshot: one index file over some old chunks, and the manifest.
    pub(crate) fn add_with_manifest(&self, snapshot: &Snapshot, chunks: &[u8]) -> PathBuf {
        let directory = self.add(snapshot, chunks);
        let index = index::read(&self.cx.sys, &directory.join("drive.img.fidx")).unwrap();
        let mut manifest = Manifest::new(snapshot);
        manifest.add_file("drive.img.fidx", index.size(), Digest([7; 32]));
        let path = self.store.layout().manifest(snapshot);
        let (sys, files) = (&self.cx.sys, self.store.files());
        manifest.write(sys, &path, files).unwrap();
        sys.calls();
        directory
    }

    pub(crate) fn add_index(&self, path: &Path, chunks: &[u8]) {
        let digests: Vec<Digest> = chunks.iter().map(|n| digest(*n)).collect();
        let size = 4096 * digests.len() as u64;
        fs::write(path, Index::encode_fixed([7; 16], 0, size, 4096, &digests)).unwrap();
        for n in chunks {
            self.add_chunk(*n, Duration::from_secs(30 * 24 * 3600));
        }
    }

    pub(crate) fn chunk(&self, n: u8) -> PathBuf {
        self.store
            .layout()
            .chunks()
            .join("5ca1")
            .join(digest(n).to_string())
    }

    pub(crate) fn add_chunk(&self, n: u8, age: Duration) {
        self.add_file(&self.chunk(n), age);
    }

    pub(crate) fn add_file(&self, path: &Path, age: Duration) {
        fs::write(path, "chunk").unwrap();
        let age = i128::try_from(age.as_nanos()).unwrap();
        LinuxSys.utimensat(path, LinuxSys.now() - age).unwrap();
    }

    pub(crate) fn has_chunk(&self, n: u8) -> bool {
        self.chunk(n).exists()
    }

    /// Whatever is below a directory of the store, or nothing if that is not there.
    pub(crate) fn below(&self, relative: impl std::fmt::Display) -> Vec<String> {
        let path = self.path(relative);
        if path.exists() {
            tree(&path)
        } else {
            Vec::new()
        }
    }

    /// Holds a lock as another process would.
    pub(crate) fn hold(&self, path: PathBuf, mode: Mode) -> LockGuard<'static, LinuxSys> {
        lock_file::lock(&LinuxSys, path, self.store.lock_files(), mode, Wait::No).unwrap()
    }

    pub(crate) fn journal(&self) -> String {
        fs::read_to_string(self.store.layout().journal()).unwrap()
    }
}

/// All files and directories below a directory, relative to it, sorted.
pub(crate) fn tree(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(next) = directories.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let entry = entry.unwrap();
            found.push(
                entry
                    .path()
                    .strip_prefix(directory)
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned(),
            );
            if entry.file_type().unwrap().is_dir() {
                directories.push(entry.path());
            }
        }
    }
    found.sort();
    found
}
