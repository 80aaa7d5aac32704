//! The machine: a kernel, and the order in which the threads of an execution get their turns.

use super::kernel::Kernel;
use super::object::{Object, Usage};
use super::{Order, Patience};
use loom::sync::{Condvar, Mutex as LoomMutex};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The directories of the chunks.
const CHUNKS: &str = "/store/.chunks";

/// An in-memory machine of one execution.
#[derive(Debug)]
pub struct Machine {
    /// Never locked while another thread could get its turn.
    kernel: Mutex<Kernel>,
    pub(super) patience: Patience,
    contended: Contended,
    tokens: Mutex<BTreeMap<Object, Arc<Token>>>,
    usage: Mutex<Usage>,
    is_over: AtomicBool,
}

/// Which objects are scheduling points. Locks always are.
#[derive(Clone, Debug)]
pub enum Contended {
    /// All of them.
    All,
    /// These.
    These(Arc<BTreeSet<Object>>),
}

/// What every machine of an exploration starts with.
#[derive(Debug)]
pub struct Start {
    kernel: Kernel,
    patience: Patience,
}

impl Start {
    /// A tree of directories (without content) and files, by path, parents before children.
    pub fn new(
        tree: &BTreeMap<PathBuf, Option<Vec<u8>>>,
        order: Order,
        patience: Patience,
    ) -> io::Result<Self> {
        let kernel = Kernel::new(tree, order)?;
        Ok(Self { kernel, patience })
    }
}

/// What stands for an object in the eyes of loom. Whoever holds its mutex has the turn on the object.
#[derive(Debug)]
pub(super) struct Token {
    mutex: LoomMutex<()>,
    changed: Condvar,
    waiting: AtomicUsize,
}

/// The guard of a loom mutex. Nothing of loom may be touched once its execution has failed.
#[derive(Debug)]
pub struct LoomGuard<'a, T>(Option<loom::sync::MutexGuard<'a, T>>);

impl<'a, T> LoomGuard<'a, T> {
    /// Locks a mutex.
    pub(super) fn lock(mutex: &'a LoomMutex<T>) -> Self {
        Self(Some(mutex.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    fn wait(mut self, condvar: &Condvar) -> Self {
        let guard = self.0.take();
        Self(guard.map(|guard| condvar.wait(guard).unwrap_or_else(PoisonError::into_inner)))
    }
}

impl<T> Drop for LoomGuard<'_, T> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            std::mem::forget(self.0.take());
        }
    }
}

impl<T> Deref for LoomGuard<'_, T> {
    type Target = T;

    #[expect(
        clippy::expect_used,
        reason = "it is taken out only by who consumes it"
    )]
    fn deref(&self) -> &T {
        self.0.as_ref().expect("a guard that is there")
    }
}

impl<T> DerefMut for LoomGuard<'_, T> {
    #[expect(
        clippy::expect_used,
        reason = "it is taken out only by who consumes it"
    )]
    fn deref_mut(&mut self) -> &mut T {
        self.0.as_mut().expect("a guard that is there")
    }
}

impl Machine {
    /// A machine that starts. Calls on the objects that are said to be contended are scheduling points; see
    /// [`Machine::newly_contended`].
    pub fn new(start: &Start, contended: Contended) -> Arc<Self> {
        Arc::new(Self {
            kernel: Mutex::new(start.kernel.clone()),
            patience: start.patience,
            contended,
            tokens: Mutex::default(),
            usage: Mutex::default(),
            is_over: AtomicBool::new(false),
        })
    }

    /// Objects that turned out to be contended in this execution although nobody had said so.
    pub fn newly_contended(&self) -> BTreeSet<Object> {
        let mut found = lock(&self.usage).contended();
        found.retain(|object| !self.is_scheduled(object));
        found
    }

    /// The record locks that processes have, each with its file. No call: nobody gets or loses a turn.
    pub fn record_locks(&self) -> Vec<String> {
        lock(&self.kernel).record_locks()
    }

    /// Says that the execution has ended: what is closed from now on is nobody's turn.
    pub fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    /// A run of garbage collection of a thread begins, or ends; [`Machine::pass_cutoff`] waits for the latter. Nothing
    /// if the cutoff never passes: then the clock is not contended.
    pub fn collects(&self, thread: u8, begins: bool) {
        if self.is_scheduled(&Object::Clock) {
            self.call(Some(thread), |kernel| kernel.collects(begins));
        }
    }

    /// Makes all chunks older than the next cutoff, unless they are: then false. None while a run of garbage
    /// collection is under way. `done` hears of it before anybody else can.
    pub fn try_pass_cutoff(&self, thread: u8, done: impl FnOnce()) -> Option<bool> {
        let passed = |passed: &Option<bool>| {
            if *passed == Some(true) {
                done();
            }
        };
        self.call_then(
            Some(thread),
            |kernel| kernel.pass_cutoff(Path::new(CHUNKS)),
            passed,
        )
    }

    /// The same, when no run is under way any more.
    pub fn pass_cutoff(&self, thread: u8, done: impl Fn()) {
        loop {
            self.wait_for(
                thread,
                &Object::Clock,
                |kernel| kernel.is_idle().then_some(()),
                |()| {},
            );
            if self.try_pass_cutoff(thread, &done).is_some() {
                return;
            }
        }
    }

    /// A process begins to shut down.
    pub fn reload(&self, thread: u8, process: specs::id::Process, done: impl FnOnce()) {
        self.call_then(Some(thread), |kernel| kernel.reload(process), |()| done());
    }

    /// Somebody who is no actor creates an empty file, which must not be there.
    pub fn create_file(&self, thread: u8, path: &Path, done: impl FnOnce()) {
        self.call_then(
            Some(thread),
            |kernel| kernel.create_file(path).map(drop),
            |created| {
                if created.is_ok() {
                    done();
                }
            },
        )
        .unwrap_or_default();
    }

    /// Makes a call when it has its turn.
    pub(super) fn call<T>(&self, thread: Option<u8>, call: impl Fn(&mut Kernel) -> T) -> T {
        self.call_then(thread, call, |_| {})
    }

    /// The same; `then` runs before anybody else gets a turn.
    ///
    /// What a call depends on shows only when it is made, so it is made on a copy of the kernel. If the thread has its
    /// turn on all of it, the copy becomes the kernel; if not, the thread waits for its turn and makes the call again.
    pub(super) fn call_then<T>(
        &self,
        thread: Option<u8>,
        call: impl Fn(&mut Kernel) -> T,
        then: impl FnOnce(&T),
    ) -> T {
        let thread = thread.filter(|_| !self.is_over.load(Ordering::Relaxed));
        let mut held: BTreeMap<Object, Arc<Token>> = BTreeMap::new();
        loop {
            // In the order of the objects, so that two threads do not wait for each other.
            let guards: Vec<_> = held
                .values()
                .map(|token| LoomGuard::lock(&token.mutex))
                .collect();
            let mut kernel = lock(&self.kernel).clone();
            let value = call(&mut kernel);
            let missing = match thread {
                Some(_) => self.missing(&kernel, &held),
                None => Vec::new(),
            };
            if missing.is_empty() {
                self.commit(thread, kernel, &held);
                then(&value);
                drop(guards);
                return value;
            }
            drop(guards);
            held.extend(missing);
        }
    }

    /// Makes a call on one object again and again, until it has a value, whenever somebody changed the object.
    pub(super) fn wait_for<T>(
        &self,
        thread: u8,
        object: &Object,
        call: impl Fn(&mut Kernel) -> Option<T>,
        then: impl FnOnce(&T),
    ) -> T {
        let token = self.token(object);
        let held = BTreeMap::from([(object.clone(), Arc::clone(&token))]);
        let mut guard = LoomGuard::lock(&token.mutex);
        loop {
            let mut kernel = lock(&self.kernel).clone();
            let value = call(&mut kernel);
            self.commit(Some(thread), kernel, &held);
            if let Some(value) = value {
                then(&value);
                return value;
            }
            token.waiting.fetch_add(1, Ordering::Relaxed);
            guard = guard.wait(&token.changed);
            token.waiting.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// The copy on which a call was made becomes the kernel.
    fn commit(&self, thread: Option<u8>, mut kernel: Kernel, held: &BTreeMap<Object, Arc<Token>>) {
        let used = std::mem::take(&mut kernel.used);
        let released = std::mem::take(&mut kernel.released);
        *lock(&self.kernel) = kernel;
        let Some(thread) = thread else { return };
        let mut usage = lock(&self.usage);
        for (object, what) in used {
            usage.note(thread, object, what);
        }
        drop(usage);
        for token in released.iter().filter_map(|object| held.get(object)) {
            if token.waiting.load(Ordering::Relaxed) > 0 {
                token.changed.notify_all();
            }
        }
    }

    /// What a call used and the thread has no turn on.
    fn missing(
        &self,
        kernel: &Kernel,
        held: &BTreeMap<Object, Arc<Token>>,
    ) -> Vec<(Object, Arc<Token>)> {
        let used = kernel.used.iter().map(|(object, _)| object);
        used.filter(|object| self.is_scheduled(object) && !held.contains_key(*object))
            .map(|object| (object.clone(), self.token(object)))
            .collect()
    }

    fn is_scheduled(&self, object: &Object) -> bool {
        match &self.contended {
            Contended::All => true,
            Contended::These(objects) => object.is_lock() || objects.contains(object),
        }
    }

    fn token(&self, object: &Object) -> Arc<Token> {
        let mut tokens = lock(&self.tokens);
        let token = tokens.entry(object.clone()).or_insert_with(|| {
            Arc::new(Token {
                mutex: LoomMutex::new(()),
                changed: Condvar::new(),
                waiting: AtomicUsize::new(0),
            })
        });
        Arc::clone(token)
    }
}

/// Locks a mutex that is never contended: loom runs all threads of an execution in one thread.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
