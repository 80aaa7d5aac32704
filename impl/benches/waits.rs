//! How long somebody waits for a lock that others keep sharing: a distribution, and not a ratio.
//!
//! `cargo bench -p datastore --bench waits [-- --write]`. Threads share a lock one after the other, each with an
//! open file of its own; somebody else asks for it exclusively, with a wait of one second. Once as it is done here, in
//! the queue of the kernel, interrupted by a timer; once by asking again every 10 ms. `--write` puts the table into
//! `specs/waits.md`.

#![allow(clippy::print_stdout, reason = "a benchmark prints what it measured")]
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a benchmark that cannot go on has failed, and it looks at the clock"
)]

use datastore::sys::{Access, CreateMode, FlockError, Sys as _};
use datastore::{LinuxSys, sys};
use specs::lock_class::{Mode, Wait};
use specs::page::{Table, replace_part};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const TRIES: u32 = 40;
const PATIENCE: Duration = Duration::from_secs(1);
const POLL: Duration = Duration::from_millis(10);

/// How long a holder shares the lock, and how long it pauses.
struct Stream {
    holders: u32,
    holds: Duration,
    pauses: Duration,
}

/// Upper ends of the classes in which waits are counted.
const CLASSES: [(&str, Duration); 5] = [
    ("< 1 ms", Duration::from_millis(1)),
    ("< 10 ms", Duration::from_millis(10)),
    ("< 100 ms", Duration::from_millis(100)),
    ("< 1 s", Duration::from_millis(999)),
    ("timed out", Duration::MAX),
];

fn main() {
    let directory = tempfile::tempdir_in("/dev/shm").unwrap();
    let path = directory.path().join("lock");
    let create = CreateMode {
        mode: 0o660,
        owner: None,
    };
    drop(LinuxSys.create(&path, create).unwrap());
    let mut table = Table::new(
        &["shared by", "holds", "pauses", "waits"]
            .into_iter()
            .chain(CLASSES.map(|(name, _)| name))
            .collect::<Vec<_>>(),
    );
    let ms = Duration::from_millis;
    let streams = [
        (0, 0, 0),
        (1, 5, 0),
        (1, 5, 5),
        (2, 5, 5),
        (4, 5, 5),
        (8, 5, 5),
        (4, 5, 1),
        (8, 5, 1),
    ];
    for (holders, holds, pauses) in streams {
        let stream = Stream {
            holders,
            holds: ms(holds),
            pauses: ms(pauses),
        };
        for (name, take) in [
            ("in the queue", in_the_queue as Take),
            ("asks again", asks_again),
        ] {
            let counts = measure(&path, &stream, take);
            let row = [
                stream.holders.to_string(),
                format!("{holds} ms"),
                format!("{pauses} ms"),
                name.to_owned(),
            ];
            let counts = counts.map(|count| {
                if count == 0 {
                    String::new()
                } else {
                    count.to_string()
                }
            });
            println!("{row:?} {counts:?}");
            table.row(row.iter().chain(&counts));
        }
    }
    let table = table.finish();
    println!("{table}");
    if std::env::args().any(|argument| argument == "--write") {
        write(&table);
    }
}

/// Takes the lock exclusively and lets it go; whether it did before its patience was over.
type Take = fn(&Path) -> bool;

/// As everywhere here: one blocking call that a timer interrupts.
fn in_the_queue(path: &Path) -> bool {
    let file = open(path);
    let seconds = u32::try_from(PATIENCE.as_secs()).unwrap();
    match LinuxSys.flock(&file, Mode::Exclusive, Wait::Seconds(seconds)) {
        Ok(()) => true,
        Err(FlockError::TimedOut) => false,
        Err(error) => panic!("{error}"),
    }
}

/// Asks, sleeps, and asks again.
fn asks_again(path: &Path) -> bool {
    let (file, begin) = (open(path), Instant::now());
    loop {
        match LinuxSys.flock(&file, Mode::Exclusive, Wait::No) {
            Ok(()) => return true,
            Err(FlockError::WouldBlock) if begin.elapsed() < PATIENCE => std::thread::sleep(POLL),
            Err(FlockError::WouldBlock) => return false,
            Err(error) => panic!("{error}"),
        }
    }
}

fn open(path: &Path) -> <LinuxSys as sys::Sys>::File {
    LinuxSys.open(path, Access::ReadAppend).unwrap()
}

/// How many of the waits fall into each class.
fn measure(path: &Path, stream: &Stream, take: Take) -> [u32; CLASSES.len()] {
    let is_over = AtomicBool::new(false);
    let mut counts = [0; CLASSES.len()];
    std::thread::scope(|threads| {
        for n in 0..stream.holders {
            let is_over = &is_over;
            threads.spawn(move || {
                // They do not begin all at once.
                std::thread::sleep(stream.holds * n / stream.holders);
                let mut random = n + 1;
                // From a half to one and a half, so that the holders do not fall into step with each other.
                let mut about = |time: Duration| {
                    random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    time / 2 + time * (random >> 22) / 1024
                };
                while !is_over.load(Ordering::Relaxed) {
                    let file = open(path);
                    LinuxSys.flock(&file, Mode::Shared, Wait::Forever).unwrap();
                    std::thread::sleep(about(stream.holds));
                    drop(file);
                    std::thread::sleep(about(stream.pauses));
                }
            });
        }
        std::thread::sleep(stream.holds * 4);
        for n in 0..TRIES {
            // So that the tries do not fall into step with the holders.
            std::thread::sleep(Duration::from_micros(u64::from(n * 137 % 5000)));
            let begin = Instant::now();
            let waited = if take(path) {
                begin.elapsed()
            } else {
                Duration::MAX
            };
            let class = CLASSES.iter().position(|(_, end)| waited <= *end);
            counts[class.unwrap_or(CLASSES.len() - 1)] += 1;
        }
        is_over.store(true, Ordering::Relaxed);
    });
    counts
}

/// Puts the table into its page.
fn write(table: &str) {
    let page = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../specs/waits.md");
    let text = std::fs::read_to_string(&page).unwrap();
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let cores = std::thread::available_parallelism().unwrap();
    let machine = format!(
        "Linux {}, {cores} cores, {TRIES} tries a row.\n\n",
        release.trim()
    );
    let text = replace_part(&text, "waits", &(machine + table)).unwrap();
    std::fs::write(page, text).unwrap();
}
