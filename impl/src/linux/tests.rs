//! The calls of Linux: waits, what they create, and times.

use super::*;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

fn two_openings() -> (tempfile::TempDir, File, File) {
    let directory = tempfile::tempdir_in("/dev/shm").unwrap();
    let path = directory.path().join("lock");
    let first = LinuxSys
        .create(
            &path,
            CreateMode {
                mode: 0o660,
                owner: None,
            },
        )
        .unwrap();
    let second = LinuxSys.open(&path, Access::ReadAppend).unwrap();
    (directory, first, second)
}

fn exclusive(file: &File, wait: Wait) -> Result<(), FlockError> {
    LinuxSys.flock(file, Mode::Exclusive, wait)
}

#[test]
fn bounded_wait_ends_at_its_deadline() {
    let (_directory, first, second) = two_openings();
    exclusive(&first, Wait::No).unwrap();
    assert!(matches!(
        exclusive(&second, Wait::No),
        Err(FlockError::WouldBlock)
    ));
    let begin = Instant::now();
    assert!(matches!(
        exclusive(&second, Wait::Seconds(1)),
        Err(FlockError::TimedOut)
    ));
    let waited = begin.elapsed();
    assert!(waited >= Duration::from_secs(1), "{waited:?}");
}

#[test]
fn waiter_gets_the_lock_when_it_is_let_go() {
    for wait in [Wait::Seconds(600), Wait::Forever] {
        let (_directory, first, second) = two_openings();
        exclusive(&first, Wait::No).unwrap();
        thread::scope(|scope| {
            let waiter = scope.spawn(|| exclusive(&second, wait));
            thread::sleep(Duration::from_millis(50));
            drop(first);
            waiter.join().unwrap().unwrap();
        });
    }
}

#[test]
fn foreign_signals_neither_end_a_wait_nor_prolong_it() {
    let (_directory, first, second) = two_openings();
    exclusive(&first, Wait::No).unwrap();
    install_handler().unwrap();
    let (begin, is_over) = (Instant::now(), AtomicBool::new(false));
    thread::scope(|scope| {
        let (sender, receiver) = std::sync::mpsc::channel();
        let is_over = &is_over;
        let waiter = scope.spawn(move || {
            sender.send(nix::sys::pthread::pthread_self()).unwrap();
            let result = exclusive(&second, Wait::Seconds(1));
            is_over.store(true, Ordering::SeqCst);
            result
        });
        let thread = receiver.recv().unwrap();
        while !is_over.load(Ordering::SeqCst) && begin.elapsed() < Duration::from_millis(900) {
            nix::sys::pthread::pthread_kill(thread, INTERRUPT).unwrap();
            thread::sleep(Duration::from_millis(5));
        }
        assert!(matches!(waiter.join().unwrap(), Err(FlockError::TimedOut)));
    });
    assert!(begin.elapsed() >= Duration::from_secs(1));
}

#[test]
fn wait_works_in_a_thread_that_blocks_the_signal() {
    let (_directory, first, second) = two_openings();
    exclusive(&first, Wait::No).unwrap();
    thread::spawn(move || {
        let mut blocked = SigSet::empty();
        blocked.add(INTERRUPT);
        blocked.thread_block().unwrap();
        assert!(matches!(
            exclusive(&second, Wait::Seconds(1)),
            Err(FlockError::TimedOut)
        ));
        assert!(SigSet::thread_get_mask().unwrap().contains(INTERRUPT));
    })
    .join()
    .unwrap();
}

#[test]
fn shared_locks_stand_beside_each_other() {
    let (_directory, first, second) = two_openings();
    LinuxSys.flock(&first, Mode::Shared, Wait::No).unwrap();
    LinuxSys.flock(&second, Mode::Shared, Wait::No).unwrap();
    assert!(matches!(
        exclusive(&first, Wait::No),
        Err(FlockError::WouldBlock)
    ));
}

#[test]
fn mutex_of_a_thread_that_panicked_still_locks() {
    let mutex = LinuxSys::mutex(1);
    let panicked = thread::scope(|scope| {
        scope
            .spawn(|| {
                let _guard = LinuxSys.lock(&mutex);
                std::panic::panic_any("on purpose");
            })
            .join()
    });
    assert!(panicked.is_err());
    assert_eq!(*LinuxSys.lock(&mutex), 1);
}

#[test]
fn access_time_is_set_to_the_nanosecond_and_read_whole() {
    let directory = tempfile::tempdir_in("/dev/shm").unwrap();
    let path = directory.path().join("chunk");
    std::fs::write(&path, vec![7; 100_000]).unwrap();
    let modified = std::fs::metadata(&path).unwrap().modified().unwrap();
    for time in [1_700_000_000_123_456_789, -1] {
        LinuxSys.utimensat(&path, time).unwrap();
        assert_eq!(LinuxSys.stat(&path).unwrap().atime_ns, time);
    }
    assert_eq!(
        std::fs::metadata(&path).unwrap().modified().unwrap(),
        modified
    );
    let file = LinuxSys.open(&path, Access::Read).unwrap();
    assert_eq!(LinuxSys.read(&file, 0).unwrap(), vec![7; 100_000]);
    assert_eq!(LinuxSys.read(&file, 99_999).unwrap(), [7]);
}

const ROOT: (u32, u32) = (0, 0);

/// Acts as somebody who may give no file to root, in a directory that everybody may write to; returns what is in it then.
fn without_privileges(act: impl FnOnce(&Path) + Send) -> Vec<Entry> {
    let directory = tempfile::tempdir_in("/dev/shm").unwrap();
    let everybody = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(&directory, everybody).unwrap();
    thread::scope(|scope| {
        // The user is that of the thread. Whoever is not root may not change it, and need not.
        scope.spawn(|| {
            nix::unistd::setfsuid(Uid::from_raw(65534));
            act(directory.path());
        });
    });
    LinuxSys.read_dir(directory.path()).unwrap()
}

#[test]
fn file_that_cannot_be_given_to_its_owner_is_not_left_behind() {
    let left = without_privileges(|directory| {
        let path = directory.join("file");
        let create = |owner| LinuxSys.create(&path, CreateMode { mode: 0o644, owner });
        let error = create(Some(ROOT)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        assert!(!path.exists());
        create(None).unwrap();
    });
    assert_eq!(left.len(), 1);
}

#[test]
fn directory_that_cannot_be_given_to_its_owner_is_not_left_behind() {
    let left = without_privileges(|directory| {
        let path = directory.join("directory");
        let error = LinuxSys.mkdir(&path, Some(ROOT)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        assert!(!path.exists());
        LinuxSys.mkdir(&path, None).unwrap();
    });
    assert_eq!(left.len(), 1);
}

#[test]
fn entry_that_vanishes_while_its_directory_is_listed_is_no_entry_and_no_error() {
    let name = || OsString::from("owner");
    let entry = |(is_dir, is_link)| Entry {
        name: name(),
        is_dir,
        is_link,
    };
    for kind in [(false, false), (true, false), (false, true)] {
        assert_eq!(listed(name(), Ok(kind)).unwrap(), Some(entry(kind)));
    }
    // The file systems of a test machine tell with the name what it is, so the answer of the other call is made up.
    let gone = Err(io::ErrorKind::NotFound.into());
    assert_eq!(listed(name(), gone).unwrap(), None);
    let error = listed(name(), Err(io::ErrorKind::PermissionDenied.into())).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
}

#[test]
fn a_listing_that_is_cut_short_is_an_error() {
    let entry = |name: &str| {
        let (name, is_dir, is_link) = (name.into(), false, false);
        Ok(Some(Entry {
            name,
            is_dir,
            is_link,
        }))
    };
    let torn = || Err(io::ErrorKind::StaleNetworkFileHandle.into());
    for at in 0..3 {
        let mut entries = vec![entry("a"), Ok(None), entry("b")];
        assert_eq!(
            all_listed(vec![entry("a"), Ok(None)].into_iter())
                .unwrap()
                .len(),
            1
        );
        entries.insert(at, torn());
        let error = all_listed(entries.into_iter()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StaleNetworkFileHandle);
    }
}
