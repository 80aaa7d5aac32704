//! The recorded datastore on a tmpfs, with what a recording found there, and our operations on it.

use super::strace::Seen;
use super::{LOCKS, STORE, time, without_letters};
use conformance::errand::{Errand, GroupName};
use conformance::recording_sys::{Made, Recorded, RecordingSys, SharedRecording};
use conformance::world::SHM;
use datastore::{Config, Cx, Datastore, Generation, LinuxSys, Sys};
use specs::Design;
use specs::scenario::Limits;
use specs::step::Call;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

type Store = Datastore<RecordingSys<LinuxSys>>;

pub(super) struct Stage {
    store: Store,
    /// The line of each index file and its entries, as the recording lists them.
    contents: String,
    /// Locks on which somebody sits.
    sitting: Vec<File>,
    /// Whether chunks have other digests than in the recording.
    has_other_chunks: bool,
    root: TempDir,
}

/// A directory that is made in vain, since the one above it is not there, is made a moment later.
fn made_later(seen: &Seen) -> Seen {
    Seen {
        is_ok: true,
        ..seen.clone()
    }
}

/// A group by its names.
pub(super) fn group(namespace: &str, name: &str) -> GroupName {
    GroupName {
        namespace: namespace.to_owned(),
        group: name.to_owned(),
    }
}

impl Stage {
    pub(super) fn unpack(folder: &Path) -> Self {
        let root = tempfile::tempdir_in(SHM).unwrap();
        let tar = Command::new("tar")
            .args(["--extract", "--gzip", "--no-same-owner", "--file"])
            .arg(folder.join("datastore.tar.gz"))
            .arg("--directory")
            .arg(root.path())
            .status();
        assert!(tar.unwrap().success());
        let config = Config {
            locks: root.path().join("locks"),
            generation: Generation::LockFiles,
            ..Config::new(root.path().join("lockstep-store"), "lockstep")
        };
        let quiet = RecordingSys::new(LinuxSys, SharedRecording::NOTHING);
        let stage = Self {
            store: Datastore::open(&quiet, config).unwrap(),
            contents: fs::read_to_string(folder.join("index-contents.txt")).unwrap(),
            sitting: Vec::new(),
            has_other_chunks: false,
            root,
        };
        stage.age_chunks();
        stage
    }

    fn path(&self, below: &str) -> PathBuf {
        self.store.layout().base().join(below)
    }

    fn group_path(&self, namespace: &str, name: &str) -> PathBuf {
        let parts = namespace.split('/').filter(|part| !part.is_empty());
        let namespaces = parts.map(|part| format!("ns/{part}/"));
        self.path(&format!("{}{name}", namespaces.collect::<String>()))
    }

    fn lock_path(&self, name: &str) -> PathBuf {
        self.root.path().join("locks/lockstep").join(name)
    }

    fn age_chunks(&self) {
        let long_ago = LinuxSys.now() - 1_000_000_000 * 3600 * 24 * 30;
        for prefix in fs::read_dir(self.path(".chunks")).unwrap() {
            for chunk in fs::read_dir(prefix.unwrap().path()).unwrap() {
                LinuxSys
                    .utimensat(&chunk.unwrap().path(), long_ago)
                    .unwrap();
            }
        }
    }

    /// The digests of the entries of an index file, in their order.
    pub(super) fn digests(&self, index: &str) -> Vec<String> {
        let lines = self.contents.lines();
        let mut after = lines.skip_while(|line| !line.starts_with(&format!("INDEX {index} ")));
        assert!(after.next().is_some(), "{index}");
        let entries = after.take_while(|line| !line.starts_with("INDEX "));
        let digest = |line: &str| line.split_whitespace().last().map(str::to_owned);
        entries
            .filter_map(digest)
            .filter(|hex| hex.len() == 64)
            .collect()
    }

    /// Nothing was there.
    pub(super) fn empty(&mut self) {
        self.has_other_chunks = true;
        for below in ["ns", "vm"] {
            fs::remove_dir_all(self.path(below)).unwrap();
        }
        for prefix in 0..=u16::MAX {
            let path = self.path(&format!(".chunks/{prefix:04x}"));
            fs::create_dir_all(path).unwrap();
        }
        fs::remove_dir(self.lock_path("")).unwrap();
    }

    pub(super) fn add_namespace(&mut self, namespace: &str) {
        fs::create_dir_all(self.group_path(namespace, "")).unwrap();
    }

    /// A group with an owner, and with snapshots like a recorded one.
    pub(super) fn add_group(&mut self, namespace: &str, name: &str, hours: &[u8]) {
        let path = self.group_path(namespace, name);
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join("owner"), "root@pam\n").unwrap();
        self.add_snapshots(namespace, name, hours);
    }

    pub(super) fn add_snapshots(&mut self, namespace: &str, name: &str, hours: &[u8]) {
        let like = self.path(&format!("ns/a/vm/100/{}", time(6)));
        for hour in hours {
            let snapshot = self.group_path(namespace, name).join(time(*hour));
            fs::create_dir(&snapshot).unwrap();
            for file in fs::read_dir(&like).unwrap() {
                let file = file.unwrap();
                fs::copy(file.path(), snapshot.join(file.file_name())).unwrap();
            }
            self.rename_in_manifest(name, *hour, &snapshot);
        }
    }

    /// A manifest names its snapshot.
    fn rename_in_manifest(&self, name: &str, hour: u8, snapshot: &Path) {
        let path = snapshot.join("index.json.blob");
        let text = datastore::blob::decode(&fs::read(&path).unwrap()).unwrap();
        let text = String::from_utf8(text).unwrap();
        let seconds = |hour: u8| format!("{}", 1_784_003_600 + 3600 * (u64::from(hour) - 4));
        let id = name.split_once('/').unwrap().1;
        let text = text
            .replace(&seconds(6), &seconds(hour))
            .replace("\"100\"", &format!("\"{id}\""));
        fs::write(&path, datastore::blob::encode(text.as_bytes()).unwrap()).unwrap();
    }

    pub(super) fn protect(&mut self, namespace: &str, name: &str, hour: u8) {
        let snapshot = self.group_path(namespace, name).join(time(hour));
        fs::write(snapshot.join(".protected"), "").unwrap();
    }

    /// The one group of a namespace.
    pub(super) fn only_group(&mut self, namespace: &str, name: &str, hours: &[u8]) {
        let path = self.group_path(namespace, "");
        fs::remove_dir_all(&path).unwrap();
        self.add_group(namespace, name, hours);
    }

    /// A namespace without groups, in which and below which there are type directories.
    pub(super) fn only_types(&mut self, namespace: &str) {
        for namespace in [namespace.to_owned(), format!("{namespace}/b")] {
            for kind in ["vm", "host"] {
                let path = self.group_path(&namespace, kind);
                fs::remove_dir_all(&path).unwrap();
                fs::create_dir(&path).unwrap();
            }
        }
    }

    /// Entries of the journal that lead nowhere.
    pub(super) fn announce(&mut self, files: &[String]) {
        let journal = self.lock_path("move-journal");
        fs::create_dir_all(journal.parent().unwrap()).unwrap();
        let lines = files
            .iter()
            .map(|file| format!("{}\n", self.path(file).display()));
        fs::write(journal, lines.collect::<String>()).unwrap();
    }

    /// Somebody shares a lock.
    pub(super) fn sit_on(&mut self, name: &str) {
        let path = self.lock_path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let file = File::create(path).unwrap();
        file.try_lock_shared().unwrap();
        self.sitting.push(file);
    }

    /// What a recording shows to have been there: lock files that it opens or unlinks before it creates them, directories
    /// of them, and chunks that it sweeps.
    pub(super) fn prepare(&mut self, theirs: &[Seen]) {
        let mut made = BTreeSet::new();
        for seen in theirs {
            if let Some(name) = seen.path.strip_prefix(LOCKS) {
                let path = self.lock_path(name.trim_start_matches('/'));
                match (seen.call, seen.is_ok) {
                    (Call::RenameNoReplace | Call::Mkdir, true) => {
                        made.insert(path);
                    }
                    (Call::Mkdir, false) if !theirs.contains(&made_later(seen)) => {
                        fs::create_dir_all(path).unwrap();
                    }
                    (Call::Open | Call::Unlink, true) if !made.contains(&path) => {
                        fs::create_dir_all(path.parent().unwrap()).unwrap();
                        File::options()
                            .create(true)
                            .append(true)
                            .open(path)
                            .unwrap();
                    }
                    _ => {}
                }
            } else if let (Some(chunk), Call::Unlink) = (
                seen.path.strip_prefix(&format!("{STORE}/.chunks/")),
                seen.call,
            ) {
                let path = self.path(".chunks").join(chunk);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, "nobody names this").unwrap();
            }
        }
        self.age_chunks();
    }

    /// The steps of an errand.
    pub(super) fn run(&self, errand: &Errand) -> Vec<Recorded> {
        let recording = SharedRecording::default();
        let cx = Cx {
            sys: RecordingSys::new(LinuxSys, recording.clone()),
            design: Design::RELEASE_4_2_3,
        };
        let limits = Limits {
            list_attempts: 10,
            snapshot_locks: 512,
        };
        errand.run(&cx, &self.store, limits, &|| false, |_| {});
        let recording = recording.snapshot();
        assert_eq!(recording.outside, [], "{errand:?}");
        recording.steps
    }

    /// A call of ours in the names of the recording.
    pub(super) fn seen(&self, made: &Made) -> Seen {
        let root = self.root.path().to_str().unwrap();
        let path = made.path.to_str().unwrap();
        let path = path
            .replace(&format!("{root}/locks/lockstep"), LOCKS)
            .replace(&format!("{root}/lockstep-store"), STORE);
        // The file of the process lock was opened with the datastore, when nothing was recorded.
        let path = if made.call == Call::RecordLock {
            format!("{STORE}/.lock")
        } else {
            path
        };
        Seen {
            call: made.call,
            path: without_letters(&path),
            is_ok: made.is_ok,
        }
    }

    /// Where our chunks have other digests, all chunks have one name.
    pub(super) fn in_common_names(&self, seen: Vec<Seen>) -> Vec<Seen> {
        let name = |mut seen: Seen| {
            if self.has_other_chunks && seen.path.contains("/.chunks/") {
                let end = if seen.path.ends_with(".tmp_") {
                    ".tmp_"
                } else {
                    ""
                };
                seen.path = format!("{STORE}/.chunks/chunk{end}");
            }
            seen
        };
        seen.into_iter().map(name).collect()
    }
}
