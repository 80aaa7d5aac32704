//! Names of namespaces, groups and snapshots, and where everything of a datastore lies.
//!
//! The `Display` of a name is its directory relative to the datastore, which is what step labels
//! show; the base directory is `.`.

use crate::lock_names;
use std::fmt;
use std::path::{Path, PathBuf};
use time::{Date, Month, UtcDateTime};

/// Namespaces below the root namespace can be nested so deep.
pub const MAX_NAMESPACE_DEPTH: usize = 7;

/// A name is not one that a datastore can hold.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} {} {why}", Shown(name))]
pub struct InvalidName {
    /// What it should have named.
    pub what: &'static str,
    /// The name.
    pub name: String,
    /// What is wrong with it, or what it must be like.
    pub why: &'static str,
}

/// A name in an error: in quotes, without a character that a terminal takes for a command, and not without an end.
struct Shown<'a>(&'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LONGEST: usize = 300;
        match self.0.char_indices().nth(LONGEST) {
            None => write!(f, "{:?}", self.0),
            Some((end, _)) => write!(f, "{:?}..", &self.0[..end]),
        }
    }
}

const SAFE_ID: &str = "must begin with a letter, a digit or '_', and go on with those, '.' and '-'";
const SAFE_IDS: &str = "must consist of parts that begin with a letter, a digit or '_' and go on with those, '.' and '-', with a '/' between two";

pub(crate) fn is_safe_id(name: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    name.bytes().next().is_some_and(word) && name.bytes().all(|b| word(b) || b == b'.' || b == b'-')
}

/// The error of a name that breaks a rule.
pub(crate) fn invalid<T>(
    what: &'static str,
    name: &str,
    why: &'static str,
) -> Result<T, InvalidName> {
    Err(InvalidName {
        what,
        name: name.to_owned(),
        why,
    })
}

/// A namespace; the root namespace has no components.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Namespace(String);

impl Namespace {
    /// The root namespace.
    pub const ROOT: Self = Self(String::new());

    /// A namespace from its components, joined by `/`; the empty name is the root namespace.
    pub fn new(name: &str) -> Result<Self, InvalidName> {
        if name.is_empty() {
            return Ok(Self::ROOT);
        }
        if !name.split('/').all(is_safe_id) {
            return invalid("namespace", name, SAFE_IDS);
        }
        if name.split('/').count() > MAX_NAMESPACE_DEPTH {
            return invalid("namespace", name, "has more than 7 parts");
        }
        if name.len() > 256 {
            return invalid("namespace", name, "is longer than 256 bytes");
        }
        Ok(Self(name.to_owned()))
    }

    /// A child of this namespace.
    pub fn child(&self, name: &str) -> Result<Self, InvalidName> {
        match self.components().next() {
            None => Self::new(name),
            Some(_) => Self::new(&format!("{}/{name}", self.0)),
        }
    }

    /// The components, joined by `/`.
    pub fn name(&self) -> &str {
        &self.0
    }

    /// The namespaces that this one lies in, from the inside out, without the root namespace.
    pub fn above(&self) -> impl Iterator<Item = Self> {
        let ends = self.0.rmatch_indices('/');
        ends.map(|(end, _)| Self(self.0[..end].to_owned()))
    }

    /// The components, outermost first.
    pub fn components(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').filter(|component| !component.is_empty())
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str(".");
        }
        for (i, component) in self.components().enumerate() {
            write!(f, "{}ns/{component}", if i == 0 { "" } else { "/" })?;
        }
        Ok(())
    }
}

/// What kind of machine a group backs up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BackupType {
    /// A virtual machine.
    Vm,
    /// A container.
    Ct,
    /// A host.
    Host,
}

impl BackupType {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Vm, Self::Ct, Self::Host];

    /// The name of its directory.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Vm => "vm",
            Self::Ct => "ct",
            Self::Host => "host",
        }
    }

    /// The type of a directory name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// A backup group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Group {
    namespace: Namespace,
    kind: BackupType,
    id: String,
}

impl Group {
    /// A group by type and id.
    pub fn new(namespace: Namespace, kind: BackupType, id: &str) -> Result<Self, InvalidName> {
        if !is_safe_id(id) {
            return invalid("backup id", id, SAFE_ID);
        }
        Ok(Self {
            namespace,
            kind,
            id: id.to_owned(),
        })
    }

    /// A group from `vm/100`.
    pub fn parse(namespace: Namespace, name: &str) -> Result<Self, InvalidName> {
        match name
            .split_once('/')
            .and_then(|(kind, id)| Some((BackupType::from_name(kind)?, id)))
        {
            Some((kind, id)) => Self::new(namespace, kind, id),
            None => invalid(
                "backup group",
                name,
                "is none of vm/<id>, ct/<id> and host/<id>",
            ),
        }
    }

    /// The group in one of whose snapshots a file lies, by its path relative to the datastore; none if it lies elsewhere.
    pub fn of_file(relative: &Path) -> Option<Self> {
        let snapshot = relative.parent()?;
        BackupTime::parse(snapshot.file_name()?.to_str()?).ok()?;
        let mut namespace = Namespace::ROOT;
        let mut rest = snapshot.parent()?;
        while let Ok(below) = rest.strip_prefix("ns") {
            let name = below.iter().next()?;
            namespace = namespace.child(name.to_str()?).ok()?;
            rest = below.strip_prefix(name).ok()?;
        }
        Self::parse(namespace, rest.to_str()?).ok()
    }

    /// The namespace that it lies in.
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// The same type and id in another namespace.
    #[must_use]
    pub fn in_namespace(&self, namespace: Namespace) -> Self {
        Self {
            namespace,
            kind: self.kind,
            id: self.id.clone(),
        }
    }

    /// Type and id, as in `vm/100`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.kind.name(), self.id)
    }

    /// What kind of machine it backs up.
    pub fn kind(&self) -> BackupType {
        self.kind
    }

    /// The id of the machine.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// A snapshot of the group.
    pub fn snapshot(&self, time: BackupTime) -> Snapshot {
        Snapshot {
            group: self.clone(),
            time,
        }
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace != Namespace::ROOT {
            write!(f, "{}/", self.namespace)?;
        }
        write!(f, "{}/{}", self.kind.name(), self.id)
    }
}

/// A backup time: RFC 3339 in UTC, with seconds; the order of names is that of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BackupTime {
    name: [u8; 20],
    epoch: i64,
}

const TIME: &str = "is no time in UTC such as 2026-07-14T06:33:20Z";

impl BackupTime {
    /// The time that a directory name stands for.
    pub fn parse(name: &str) -> Result<Self, InvalidName> {
        match Self::parse_digits(name) {
            // Whatever is not written back as it was read is not the name of a snapshot.
            Some(time) if time.name == name.as_bytes() => Ok(time),
            Some(_) | None => invalid("backup time", name, TIME),
        }
    }

    fn parse_digits(name: &str) -> Option<Self> {
        let number = |from, to| name.get(from..to)?.parse::<u16>().ok();
        let small = |from| u8::try_from(number(from, from + 2)?).ok();
        let month = Month::try_from(small(5)?).ok()?;
        let date = Date::from_calendar_date(number(0, 4)?.into(), month, small(8)?).ok()?;
        let time = date.with_hms(small(11)?, small(14)?, small(17)?).ok()?;
        Self::from_epoch(time.assume_utc().unix_timestamp()).ok()
    }

    /// The time that is so many seconds after 1970 began, between the years 0 and 9999.
    pub fn from_epoch(seconds: i64) -> Result<Self, InvalidName> {
        const WHY: &str = "is in no year from 0 to 9999";
        let name = match UtcDateTime::from_unix_timestamp(seconds) {
            Ok(time) if time.year() >= 0 => {
                let (date, (hour, minute, second)) = (time.date(), time.as_hms());
                format!("{date}T{hour:02}:{minute:02}:{second:02}Z")
            }
            Ok(_) | Err(_) => String::new(),
        };
        match name.as_bytes().try_into() {
            Ok(name) => Ok(Self {
                name,
                epoch: seconds,
            }),
            Err(_) => invalid("backup time", &seconds.to_string(), WHY),
        }
    }

    /// Seconds since 1970 began.
    pub fn epoch(self) -> i64 {
        self.epoch
    }
}

impl fmt::Display for BackupTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(str::from_utf8(&self.name).unwrap_or_default())
    }
}

/// A snapshot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Snapshot {
    group: Group,
    time: BackupTime,
}

impl Snapshot {
    /// The group that it belongs to.
    pub fn group(&self) -> &Group {
        &self.group
    }

    /// When the backup was made.
    pub fn time(&self) -> BackupTime {
        self.time
    }

    /// Type, id and time, as in `vm/100/2026-07-14T06:33:20Z`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.group.name(), self.time)
    }

    /// What the name of the lock file of its manifest stands for.
    pub fn manifest_lock_name(&self) -> String {
        format!("{}/.index.json.lck", self.name())
    }
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.group, self.time)
    }
}

/// What can be locked by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lockable<'a> {
    /// A group.
    Group(&'a Group),
    /// A snapshot.
    Snapshot(&'a Snapshot),
}

impl fmt::Display for Lockable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Group(group) => group.fmt(f),
            Self::Snapshot(snapshot) => snapshot.fmt(f),
        }
    }
}

/// Where the files of a datastore and its locks lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    base: PathBuf,
    locks: PathBuf,
}

impl Layout {
    /// The layout of the datastore `name` at `base`, with its lock directory below `locks`.
    pub fn new(base: &Path, locks: &Path, name: &str) -> Result<Self, InvalidName> {
        if !(3..=32).contains(&name.len()) {
            return invalid("datastore name", name, "must have 3 to 32 characters");
        }
        if !is_safe_id(name) {
            return invalid("datastore name", name, SAFE_ID);
        }
        for path in [base, locks] {
            if !path.is_absolute() {
                return invalid("path", &path.to_string_lossy(), "is not absolute");
            }
        }
        Ok(Self {
            base: base.to_owned(),
            locks: locks.join(name),
        })
    }

    /// The base directory of the datastore.
    pub fn base(&self) -> &Path {
        &self.base
    }

    /// The lock directory of the datastore.
    pub fn locks(&self) -> &Path {
        &self.locks
    }

    /// The file or directory with a name relative to the datastore.
    pub fn path(&self, relative: impl fmt::Display) -> PathBuf {
        let relative = relative.to_string();
        if relative == "." {
            self.base.clone()
        } else {
            self.base.join(relative)
        }
    }

    /// The directory of the child namespaces of a namespace.
    pub fn children(&self, namespace: &Namespace) -> PathBuf {
        self.path(namespace).join("ns")
    }

    /// The manifest of a snapshot. A snapshot without one is not finished.
    pub fn manifest(&self, snapshot: &Snapshot) -> PathBuf {
        self.path(snapshot).join("index.json.blob")
    }

    /// The file that protects a snapshot from removal by being there.
    pub fn protected(&self, snapshot: &Snapshot) -> PathBuf {
        self.path(snapshot).join(".protected")
    }

    /// The directory of the chunks.
    pub fn chunks(&self) -> PathBuf {
        self.base.join(".chunks")
    }

    /// Where the directory of the chunks is filled when a datastore is made.
    pub(crate) fn new_chunks(&self) -> PathBuf {
        self.base.join(".chunks.new")
    }

    /// The file of the process lock.
    pub fn process_lock(&self) -> PathBuf {
        self.base.join(".lock")
    }

    /// The file with the status of the last garbage collection.
    pub fn gc_status(&self) -> PathBuf {
        self.base.join(".gc-status")
    }

    /// The move journal.
    pub fn journal(&self) -> PathBuf {
        self.locks.join(lock_names::JOURNAL)
    }

    /// The lock file of a namespace.
    pub fn namespace_lock(&self, namespace: &Namespace) -> PathBuf {
        lock_names::namespace_lock_file(&self.locks, namespace)
    }

    /// The published lock file of a group.
    pub fn group_lock(&self, group: &Group) -> PathBuf {
        lock_names::lock_file(&self.locks, &group.namespace, &group.name())
    }

    /// The published lock file of a snapshot.
    pub fn snapshot_lock(&self, snapshot: &Snapshot) -> PathBuf {
        lock_names::lock_file(&self.locks, &snapshot.group.namespace, &snapshot.name())
    }

    /// The published lock file of the manifest of a snapshot.
    pub fn manifest_lock(&self, snapshot: &Snapshot) -> PathBuf {
        let raw = snapshot.manifest_lock_name();
        lock_names::lock_file(&self.locks, &snapshot.group.namespace, &raw)
    }

    /// The lock file of the manifest of a snapshot, for a process that locks directories: it lies in a directory of the
    /// snapshot, and has its time in its name once more.
    pub fn old_manifest_lock(&self, snapshot: &Snapshot) -> PathBuf {
        let name = format!("{}.index.json.lck", snapshot.time);
        self.locks.join(snapshot.to_string()).join(name)
    }

    /// The lock file of what can be locked by name.
    pub fn lock(&self, lockable: Lockable<'_>) -> PathBuf {
        match lockable {
            Lockable::Group(group) => self.group_lock(group),
            Lockable::Snapshot(snapshot) => self.snapshot_lock(snapshot),
        }
    }
}

#[cfg(test)]
mod tests;
