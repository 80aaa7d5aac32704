//! Names of lock files: one flat directory a namespace, escaped as a systemd unit, hashed if too long.
//!
//! The names are those of Proxmox Backup, byte for byte, so that its locks exclude ours and ours
//! exclude its. Four kinds of them do not work as published:
//!
//! * The directory of a namespace `vm-100` and the lock file of the group `vm/100` of the root
//!   namespace have one path. Whichever comes first keeps the other out until the host reboots.
//! * The directory of a namespace `move-journal` has the path of the move journal.
//! * The directory of a namespace whose name has 256 bytes cannot be created.
//! * The directory of a namespace `vm`, `ct`, `host` or `ns` is also the one in which a process that locks directories has its
//!   manifest locks: that of the group `vm/vm-100` lies in a directory `vm/vm-100`, the path of the lock file of the group
//!   `vm/100` of the namespace `vm`. It stays when such processes are gone, until the host reboots.
//!
//! The hardened design gives such a namespace a directory of its own ([`own_lock_file`]), where
//! nothing collides, since no published name begins with a dot and goes on with these letters. It
//! locks the published file as well, wherever that can be. The group whose file is kept out by a
//! directory has another file ([`lock_file_instead`]). A directory in the lock directory is never
//! removed, so that from then on everybody goes there.
//!
//! The lock of a namespace itself ([`namespace_lock_file`]) lies in its directory, and is mended as those in it are
//! ([`own_namespace_lock_file`]).
//!
//! Not covered: for a namespace `move-journal`, and while the lock file of the group is in the way of
//! a namespace, ours and the published ones do not exclude each other in that namespace. A process that locks directories
//! finds no other place for a manifest lock whose directory is kept out by a lock file: then processes of both generations
//! have been at work since the host was booted, without the flag file.

use crate::paths::{BackupType, Namespace};
use sha2::{Digest, Sha256};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// A file name has at most so many bytes.
pub const NAME_MAX: usize = 255;

/// The file name of the move journal, which lies beside the directories of the namespaces.
pub const JOURNAL: &str = "move-journal";

/// The file name of the lock of a namespace, in its directory.
const NAMESPACE_LOCK: &str = ".ns-lock";

/// Bytes that stay of either end of a name that is hashed.
const ENDS: usize = 80;

/// The directories of the names that do not work as published.
const OWN_NAMESPACES: &str = ".namespaces";
const OWN_GROUPS: &str = ".groups";

/// The published lock file of the raw name `vm/100`, `vm/100/<time>` or
/// `vm/100/<time>/.index.json.lck` of a namespace.
pub fn lock_file(locks: &Path, namespace: &Namespace, raw: &str) -> PathBuf {
    // Room for all of it: a lock is taken more often than anything else.
    let mut path = PathBuf::with_capacity(locks.as_os_str().len() + NAME_MAX);
    path.push(locks);
    push_namespace(&mut path, namespace);
    push_file(&mut path, raw);
    path
}

/// The lock file that a namespace has to itself, where the published one does not always work; none
/// where it does.
pub fn own_lock_file(locks: &Path, namespace: &Namespace, raw: &str) -> Option<PathBuf> {
    let (mut path, name) = own_directory(locks, namespace)?;
    path.push(name);
    push_file(&mut path, raw);
    Some(path)
}

/// The lock file of a namespace whose proposed one does not always work; none where it does.
pub fn own_namespace_lock_file(locks: &Path, namespace: &Namespace) -> Option<PathBuf> {
    let (mut path, name) = own_directory(locks, namespace)?;
    path.push(name);
    path.push(NAMESPACE_LOCK);
    Some(path)
}

/// Whether the published lock file of a namespace that has one to itself may be created beside it.
pub fn is_published_beside(namespace: &Namespace) -> bool {
    namespace.name() != JOURNAL
}

/// The lock file of a group of the root namespace whose published one is a directory.
pub fn lock_file_instead(locks: &Path, raw: &str) -> PathBuf {
    let mut path = locks.join(OWN_GROUPS);
    push_file(&mut path, raw);
    path
}

/// The directory of a namespace whose published one may have the path of something else.
fn own_directory(locks: &Path, namespace: &Namespace) -> Option<(PathBuf, String)> {
    let name = namespace.name();
    if name == JOURNAL || is_file_of_a_group(name) || is_directory_of_manifest_locks(name) {
        return Some((locks.join(OWN_NAMESPACES), name.to_owned()));
    }
    (name.len() > NAME_MAX).then(|| {
        let joined = name.replace('/', ":");
        (locks.join(OWN_NAMESPACES), shortened(&joined, name))
    })
}

/// Whether a name is that of the lock file of a group of the root namespace.
fn is_file_of_a_group(name: &str) -> bool {
    let Some((kind, id)) = name.split_once('-') else {
        return false;
    };
    BackupType::from_name(kind).is_some() && escape(id.as_bytes()) == id
}

/// Whether a name is that of a directory in which a process that locks directories has its manifest locks.
fn is_directory_of_manifest_locks(name: &str) -> bool {
    name == "ns" || BackupType::from_name(name).is_some()
}

/// The directory of a namespace; none for the root namespace.
fn push_namespace(path: &mut PathBuf, namespace: &Namespace) {
    let mut components = namespace.components();
    if let Some(first) = components.next() {
        path.push(first);
        for component in components {
            path.as_mut_os_string().push(":");
            path.as_mut_os_string().push(component);
        }
    }
}

fn push_file(path: &mut PathBuf, raw: &str) {
    let name = escape(raw.as_bytes());
    if name.len() < NAME_MAX {
        path.push(name);
    } else {
        path.push("hashed");
        path.push(shortened(&name, raw));
    }
}

/// Both ends of a name that is too long, and the hash of what it stands for.
fn shortened(name: &str, raw: &str) -> String {
    let mut hashed = format!("{}...{}-", &name[..ENDS], &name[name.len() - ENDS..]);
    for byte in Sha256::digest(raw.as_bytes()) {
        push_hex(&mut hashed, byte);
    }
    hashed
}

/// The lock file of a namespace; no name that is escaped begins with a dot.
pub fn namespace_lock_file(locks: &Path, namespace: &Namespace) -> PathBuf {
    let mut path = PathBuf::with_capacity(locks.as_os_str().len() + NAME_MAX);
    path.push(locks);
    push_namespace(&mut path, namespace);
    path.push(NAMESPACE_LOCK);
    path
}

/// Escapes a path as the name of a systemd unit: a literal `-` always stands for a slash.
///
/// A path is bytes; what comes out is ASCII. It is what `systemd-escape --path` prints, which leaves out empty components
/// and `.`, but for two things. A colon systemd leaves as it is, Proxmox Backup writes `\x3a`. And systemd refuses a path
/// with `..`, and a relative one that leads nowhere, such as `.`; here nothing is refused. Proxmox Backup leaves out no more
/// than slashes at the front, which is the same for the names of locks: none has an empty component, `.` or `..`.
pub fn escape(raw: &[u8]) -> String {
    let mut name = String::with_capacity(raw.len() + 16);
    let components = raw.split(|byte| *byte == b'/');
    for component in components.filter(|component| !matches!(component, [] | [b'.'])) {
        if !name.is_empty() {
            name.push('-');
        }
        for byte in component {
            match *byte {
                b'.' if name.is_empty() => push_escaped(&mut name, b'.'),
                kept @ (b'.' | b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z') => {
                    name.push(char::from(kept));
                }
                other => push_escaped(&mut name, other),
            }
        }
    }
    if name.is_empty() {
        name.push('-');
    }
    name
}

fn push_escaped(name: &mut String, byte: u8) {
    name.push_str("\\x");
    push_hex(name, byte);
}

fn push_hex(name: &mut String, byte: u8) {
    for digit in [byte >> 4, byte & 15] {
        name.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
    }
}

/// A temporary name beside a file, of the shape that Proxmox Backup uses: the extension is
/// replaced.
///
/// Its limit for lock names forgets the temporary name, so that it cannot create a file whose name
/// has 245 to 254 bytes. Here the stem is cut so that the temporary name fits; it need not be
/// unique, since it is created exclusively.
pub fn temporary_name(path: &Path) -> PathBuf {
    const SUFFIX: usize = ".tmp_xxxxxx".len();
    let stem = path.file_stem().map(OsStr::as_bytes).unwrap_or_default();
    let mut name = stem[..stem.len().min(NAME_MAX - SUFFIX)].to_vec();
    name.extend_from_slice(b".tmp_");
    name.extend_from_slice(&unique_letters());
    path.with_file_name(OsString::from_vec(name))
}

/// Whether a name ends as a temporary one, where its stem and nothing else comes before that.
pub(crate) fn is_temporary_suffix(suffix: &str) -> bool {
    let letters = suffix.strip_prefix(".tmp_");
    letters.is_some_and(|letters| {
        letters.len() == 6 && letters.bytes().all(|b| b.is_ascii_alphanumeric())
    })
}

/// Six letters and digits that this process has not used yet; another process may have.
fn unique_letters() -> [u8; 6] {
    const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    // Neighbouring process ids start far from each other; the count alone makes the names of a
    // process differ.
    let mut n = u64::from(std::process::id()) * 1_000_003 + count;
    [(); 6].map(|()| {
        let letter = LETTERS[usize::try_from(n % 62).unwrap_or_default()];
        n /= 62;
        letter
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paths::{BackupTime, BackupType, Group, Layout};
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn layout() -> Layout {
        Layout::new(Path::new("/srv/store"), Path::new("/run/locks"), "store").unwrap()
    }

    #[test]
    fn names_are_those_of_proxmox_backup() {
        let ns = Namespace::new("a/b").unwrap();
        let group = Group::new(ns, BackupType::Vm, "100").unwrap();
        let snapshot = group.snapshot(BackupTime::parse("2022-05-08T11:11:33Z").unwrap());
        let layout = layout();
        assert_eq!(
            layout.group_lock(&group),
            Path::new("/run/locks/store/a:b/vm-100")
        );
        assert_eq!(
            layout.snapshot_lock(&snapshot),
            Path::new(r"/run/locks/store/a:b/vm-100-2022\x2d05\x2d08T11\x3a11\x3a33Z")
        );
        assert_eq!(
            layout.manifest_lock(&snapshot),
            Path::new(
                r"/run/locks/store/a:b/vm-100-2022\x2d05\x2d08T11\x3a11\x3a33Z-.index.json.lck"
            )
        );
    }

    #[test]
    fn a_long_name_is_hashed_into_228_bytes() {
        let path = lock_file(
            Path::new("/l"),
            &Namespace::ROOT,
            &format!("vm/{}", "x".repeat(300)),
        );
        let name = path.file_name().unwrap().to_str().unwrap();
        assert_eq!(name.len(), 228);
        assert_eq!(path.parent().unwrap(), Path::new("/l/hashed"));
    }

    #[test]
    fn a_temporary_name_fits_for_every_lock_name() {
        for len in [1, 100, 244, 254] {
            let temporary = temporary_name(&Path::new("/l").join("x".repeat(len)));
            assert!(temporary.file_name().unwrap().len() <= NAME_MAX);
            assert_eq!(temporary.parent(), Some(Path::new("/l")));
        }
        let lock = temporary_name(Path::new("/l/vm-1-.index.json.lck"));
        assert!(
            lock.to_str()
                .unwrap()
                .starts_with("/l/vm-1-.index.json.tmp_")
        );
    }

    fn group() -> impl Strategy<Value = Group> {
        let id = prop_oneof!["[a-z0-9_][a-z0-9._-]{0,8}", "[xy][-.xy]{60,300}"];
        let kind = prop_oneof![
            Just(BackupType::Vm),
            Just(BackupType::Ct),
            Just(BackupType::Host)
        ];
        let namespace = prop_oneof![Just(""), Just("a"), Just("a/b"), Just("a-b"), Just("b")];
        (namespace, kind, id)
            .prop_map(|(ns, kind, id)| Group::new(Namespace::new(ns).unwrap(), kind, &id).unwrap())
    }

    proptest! {
        #[test]
        fn different_things_have_different_lock_files(groups in prop::collection::btree_set(group(), 1..20)) {
            let layout = layout();
            let times = ["2026-07-14T06:33:20Z", "2026-07-14T06:33:21Z"];
            let mut seen = BTreeMap::new();
            for group in &groups {
                let mut paths = vec![(group.to_string(), layout.group_lock(group))];
                for time in times {
                    let snapshot = group.snapshot(BackupTime::parse(time).unwrap());
                    paths.push((snapshot.to_string(), layout.snapshot_lock(&snapshot)));
                    paths.push((format!("manifest of {snapshot}"), layout.manifest_lock(&snapshot)));
                }
                for (what, path) in paths {
                    prop_assert!(path.file_name().unwrap().len() <= NAME_MAX);
                    if let Some(other) = seen.insert(path.clone(), what.clone()) {
                        prop_assert_eq!(other, what, "{:?}", path);
                    }
                }
            }
        }
    }
}
