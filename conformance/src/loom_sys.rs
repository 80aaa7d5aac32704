//! `LoomSys`: a `Sys` on a machine in memory whose threads loom interleaves.
//!
//! *The machine.* A [`Machine`] is made anew in each execution: directories, inodes, open files, locks and the clock of a
//! kernel, for several processes. Its kernel knows nothing of threads and lies in an ordinary mutex, which is never
//! locked while another thread could run.
//!
//! *Scheduling points.* Two calls commute unless they use one object (a directory, a file, the locks on a file, the clock)
//! that one of them changes. Each such object has a loom mutex. A call takes those of all objects that it uses, in one
//! order, has its whole effect while it holds them, and lets them go. So loom sees each pair of calls that do not commute
//! as two critical sections of one mutex, and tries both orders. A call with several objects is one point in the order of
//! all of them, since nobody gets at one while another is held.
//!
//! *What needs none.* An object that only one thread uses, or that nobody changes, has no mutex. That is not guessed:
//! the machine notes who used what, and an exploration begins again with every object that turned out to be contended,
//! until none does ([`Machine::newly_contended`]). Suppose that two threads contended for an object only in an order
//! that was not tried. Take the first such conflict: everything before it is, but for the order of calls that commute,
//! a beginning of an execution that was tried, in which the second thread was about to make the same call; there it was
//! noted. With a bound on preemptions the same is claimed only for what lies within the bound. Locks always have one.
//!
//! *What differs from Linux.* There are no users and no links but hard ones, reading changes no access time (as on a file
//! system that is mounted with `noatime`), and a directory lists in the order of its entries' age, forwards or backwards.
//!
//! *Marks.* The begin of a step is noted when its first call has its turn, since nothing before that is an effect, and
//! its end at once after its last call.

mod kernel;
mod locks;
mod machine;
mod object;

use crate::interval_log::{Mark, SharedLog};
use datastore::sys::{Access, CreateMode, Entry, FlockError, Label, Stat, Sys, Waiting};
use kernel::Kernel;
use loom::sync::Mutex as LoomMutex;
pub(crate) use machine::lock;
pub use machine::{Contended, LoomGuard, Machine, Start};
pub use object::Object;
use specs::id::{self, Actor};
use specs::lock_class::{Mode, Wait};
use specs::ops::gc;
use specs::{Event, Outcome, Step};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// In which order a directory lists its entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Those of the start tree by name, then new ones.
    OldestFirst,
    /// The other way round, as a tmpfs does.
    NewestFirst,
}

/// What a wait of so many seconds for a lock comes to that somebody holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// It lasts until the lock is free.
    Waits,
    /// The time is over at once.
    TimesOut,
}

/// What an actor does besides its operation, so that it costs no preemption.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asides {
    /// After so many steps it lets all others go as far as they can.
    pub pause: Option<usize>,
    /// How often it lets the cutoff pass, if that is possible when it begins to collect garbage.
    pub passes: u8,
}

/// A process on a machine.
#[derive(Debug)]
pub struct Process {
    machine: Arc<Machine>,
    id: id::Process,
    claims: Mutex<BTreeSet<u64>>,
    first_looks: Mutex<BTreeMap<PathBuf, bool>>,
}

/// The system calls of one actor on a machine.
#[derive(Clone, Debug)]
pub struct LoomSys(Arc<Caller>);

/// Who calls.
#[derive(Debug)]
struct Caller {
    process: Arc<Process>,
    /// None for what happens before the threads begin.
    actor: Option<Actor>,
    log: SharedLog,
    /// The step that has begun and made no call yet.
    pending: Mutex<Option<specs::Label<String>>>,
    /// What is still to be done besides.
    asides: Mutex<Asides>,
}

/// An open file description; dropping it closes it.
#[derive(Debug)]
pub struct LoomFile {
    caller: Arc<Caller>,
    number: u64,
}

/// What a process has claimed.
#[derive(Debug)]
pub struct LoomClaim {
    process: Arc<Process>,
    ino: u64,
}

impl Process {
    /// A process, by the number that its record locks go by.
    pub fn new(machine: &Arc<Machine>, id: id::Process) -> Arc<Self> {
        Arc::new(Self {
            machine: Arc::clone(machine),
            id,
            claims: Mutex::default(),
            first_looks: Mutex::default(),
        })
    }

    /// Its number.
    pub const fn id(&self) -> id::Process {
        self.id
    }
}

impl LoomSys {
    /// The calls of an actor, whose marks go to a log.
    pub fn new(process: &Arc<Process>, actor: Actor, log: &SharedLog) -> Self {
        Self::of(process, Some(actor), log.clone(), Asides::default())
    }

    /// The same, with what the actor does besides.
    pub fn with(process: &Arc<Process>, actor: Actor, log: &SharedLog, asides: Asides) -> Self {
        Self::of(process, Some(actor), log.clone(), asides)
    }

    /// The calls of a process before its actors begin, which are nobody's turn.
    pub fn before(process: &Arc<Process>) -> Self {
        Self::of(process, None, SharedLog::default(), Asides::default())
    }

    fn of(process: &Arc<Process>, actor: Option<Actor>, log: SharedLog, asides: Asides) -> Self {
        Self(Arc::new(Caller {
            process: Arc::clone(process),
            actor,
            log,
            pending: Mutex::default(),
            asides: Mutex::new(asides),
        }))
    }

    fn file(&self, number: u64) -> LoomFile {
        LoomFile {
            caller: Arc::clone(&self.0),
            number,
        }
    }

    fn call<T>(&self, call: impl Fn(&mut Kernel) -> T) -> T {
        self.0.call(call)
    }
}

impl Caller {
    fn call<T>(&self, call: impl Fn(&mut Kernel) -> T) -> T {
        let thread = self.actor.map(|actor| actor.0);
        let machine = &self.process.machine;
        machine.call_then(thread, call, |_| self.note_begin())
    }

    /// Does what is to be done besides, before a step.
    fn besides(&self, actor: Actor, label: &Label<'_>) {
        let mut asides = lock(&self.asides);
        let pause = asides.pause;
        asides.pause = pause.and_then(|steps| steps.checked_sub(1));
        let passes = asides.passes;
        drop(asides);
        if pause == Some(0) {
            loom::thread::yield_now();
        }
        if passes > 0 && matches!(label.step, Step::Gc(gc::Step::LockGcSlot)) {
            let passed = || {
                let event = Event::CutoffPassed;
                self.log.note(Mark::Happened { event });
            };
            let machine = &self.process.machine;
            if machine.try_pass_cutoff(actor.0, passed) == Some(true) {
                lock(&self.asides).passes -= 1;
            }
        }
    }

    /// Notes that the step has begun, if it has not been noted.
    fn note_begin(&self) {
        let pending = lock(&self.pending).take();
        if let (Some(actor), Some(label)) = (self.actor, pending) {
            self.log.note(Mark::Begin { actor, label });
        }
    }
}

impl Drop for LoomFile {
    fn drop(&mut self) {
        // An execution that failed is over, and so is its machine.
        if !std::thread::panicking() {
            self.caller.call(|kernel| kernel.close(self.number));
        }
    }
}

impl Drop for LoomClaim {
    fn drop(&mut self) {
        lock(&self.process.claims).remove(&self.ino);
    }
}

impl Sys for LoomSys {
    type File = LoomFile;
    type Mutex<T: Send> = LoomMutex<T>;
    type Claim = LoomClaim;
    type Guard<'a, T: Send + 'a> = LoomGuard<'a, T>;

    fn begin(&self, label: &Label<'_>) {
        if let Some(actor) = self.0.actor {
            self.0.besides(actor, label);
        }
        *lock(&self.0.pending) = Some(label.map(|argument| argument.to_string()));
    }

    fn end(&self, label: &Label<'_>, outcome: Outcome) {
        self.0.note_begin();
        let Some(actor) = self.0.actor else { return };
        if matches!(label.step, Step::Gc(gc::Step::LockGcSlot)) && outcome == Outcome::Done {
            self.0.process.machine.collects(actor.0, true);
        }
        self.0.log.note(Mark::End { actor, outcome });
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<LoomFile> {
        let process = self.0.process.id;
        let number = self.call(|kernel| kernel.open(process, path, access))?;
        Ok(self.file(number))
    }

    fn create(&self, path: &Path, _create: CreateMode) -> io::Result<LoomFile> {
        let process = self.0.process.id;
        let number = self.call(|kernel| kernel.create(process, path))?;
        Ok(self.file(number))
    }

    fn flock<'d>(
        &self,
        file: &LoomFile,
        mode: Mode,
        wait: impl Into<Waiting<'d>>,
    ) -> Result<(), FlockError> {
        // There is no clock: a wait whose time is over is one that times out.
        let wait = wait.into().wait;
        let machine = &self.0.process.machine;
        self.call(|kernel| kernel.drop_for_conversion(file.number, mode))?;
        let waits = match (wait, machine.patience) {
            (Wait::No, _) | (Wait::Seconds(_), Patience::TimesOut) => false,
            (Wait::Seconds(_), Patience::Waits) | (Wait::Forever, _) => true,
        };
        let (true, Some(actor)) = (waits, self.0.actor) else {
            let result = self.call(|kernel| kernel.try_flock(file.number, mode));
            return match (result, wait) {
                (Err(FlockError::WouldBlock), Wait::Seconds(_)) => Err(FlockError::TimedOut),
                (result, _) => result,
            };
        };
        let object = self.call(|kernel| kernel.flock_object(file.number))?;
        let attempt = |kernel: &mut Kernel| {
            self.0.note_begin();
            match kernel.try_flock(file.number, mode) {
                Err(FlockError::WouldBlock) => None,
                result => Some(result),
            }
        };
        machine.wait_for(actor.0, &object, attempt, |_| {})
    }

    fn record_lock(&self, file: &LoomFile, mode: Option<Mode>) -> Result<(), FlockError> {
        self.call(|kernel| kernel.record_lock(file.number, mode))
    }

    fn fstat(&self, file: &LoomFile) -> io::Result<Stat> {
        self.call(|kernel| kernel.fstat(file.number))
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        self.call(|kernel| kernel.stat(path))
    }

    fn link(&self, old: &Path, new: &Path) -> io::Result<()> {
        self.call(|kernel| kernel.link(old, new))
    }

    fn rename(&self, old: &Path, new: &Path) -> io::Result<()> {
        self.call(|kernel| kernel.rename(old, new, true))
    }

    fn rename_no_replace(&self, old: &Path, new: &Path) -> io::Result<()> {
        self.call(|kernel| kernel.rename(old, new, false))
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        self.call(|kernel| kernel.unlink(path))
    }

    fn mkdir(&self, path: &Path, _owner: Option<(u32, u32)>) -> io::Result<()> {
        self.call(|kernel| kernel.mkdir(path))
    }

    fn rmdir(&self, path: &Path) -> io::Result<()> {
        self.call(|kernel| kernel.rmdir(path))
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<Entry>> {
        self.call(|kernel| kernel.read_dir(path))
    }

    fn read(&self, file: &LoomFile, offset: u64) -> io::Result<Vec<u8>> {
        self.call(|kernel| kernel.read(file.number, offset))
    }

    fn append(&self, file: &LoomFile, bytes: &[u8]) -> io::Result<usize> {
        self.call(|kernel| kernel.append(file.number, bytes))
    }

    fn ftruncate(&self, file: &LoomFile, size: u64) -> io::Result<()> {
        self.call(|kernel| kernel.ftruncate(file.number, size))
    }

    fn utimensat(&self, path: &Path, atime_ns: i128) -> io::Result<()> {
        self.call(|kernel| kernel.utimensat(path, atime_ns))
    }

    fn now(&self) -> i128 {
        self.call(Kernel::now)
    }

    fn is_tmpfs(&self, _path: &Path) -> io::Result<bool> {
        Ok(true)
    }

    fn can_write(&self, path: &Path) -> io::Result<()> {
        self.call(|kernel| kernel.stat(path)).map(drop)
    }

    fn real_path(&self, path: &Path) -> io::Result<PathBuf> {
        Ok(path.to_owned())
    }

    /// There are none in memory.
    fn first_link(&self, _below: &Path, _path: &Path) -> io::Result<Option<PathBuf>> {
        Ok(None)
    }

    fn claim(&self, _dev: u64, ino: u64) -> Option<LoomClaim> {
        let process = &self.0.process;
        let is_new = lock(&process.claims).insert(ino);
        is_new.then(|| LoomClaim {
            process: Arc::clone(process),
            ino,
        })
    }

    fn first_look(&self, path: &Path) -> Option<bool> {
        lock(&self.0.process.first_looks).get(path).copied()
    }

    fn note_first_look(&self, path: &Path, is_there: bool) -> bool {
        let mut looks = lock(&self.0.process.first_looks);
        *looks.entry(path.to_owned()).or_insert(is_there)
    }

    fn is_shutting_down(&self) -> bool {
        let process = self.0.process.id;
        self.call(|kernel| kernel.is_shutting_down(process))
    }

    fn sleep(&self, _duration: Duration) {}

    fn mutex<T: Send>(value: T) -> LoomMutex<T> {
        LoomMutex::new(value)
    }

    fn lock<'a, T: Send>(&'a self, mutex: &'a LoomMutex<T>) -> LoomGuard<'a, T> {
        let guard = LoomGuard::lock(mutex);
        self.0.note_begin();
        guard
    }
}
