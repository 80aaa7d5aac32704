//! The kernel: inodes, directories, open files and the clock, without threads.
//!
//! Every call notes the objects that it looks at or changes. Calls on paths mean what section 2 of the manual says, for absolute
//! paths without links, and fail with the same `ErrorKind`s.

use super::Order;
use super::object::{Object, Use};
use crate::gate::CUTOFF_PASSES_NS;
use crate::world::CLOCK_START_NS;
use datastore::sys::{Access, Entry, Stat};
use nix::errno::Errno;
use specs::id::Process;
use specs::lock_class::Mode;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// The one device.
const DEVICE: u64 = 1;

/// Number of an inode; none is used twice.
type Number = usize;

/// The state of a machine. A clone is cheap: what it shares is copied when it is changed.
#[derive(Clone, Debug)]
pub(super) struct Kernel {
    inodes: Arc<Vec<Arc<Inode>>>,
    pub(super) files: BTreeMap<u64, OpenFile>,
    next_file: u64,
    clock_ns: i128,
    /// Runs of garbage collection that are under way.
    collecting: u8,
    shutting_down: BTreeSet<Process>,
    order: Order,
    /// What the call that is under way used.
    pub(super) used: Vec<(Object, Use)>,
    /// The `flock`s that it let go.
    pub(super) released: Vec<Object>,
}

#[derive(Clone, Debug)]
pub(super) struct Inode {
    /// The path at which it was created.
    pub(super) name: Arc<str>,
    content: Content,
    atime_ns: i128,
    mtime_ns: i128,
    /// By open file.
    pub(super) flocks: BTreeMap<u64, Mode>,
    pub(super) record_locks: BTreeMap<Process, Mode>,
}

#[derive(Clone, Debug)]
enum Content {
    /// Oldest entry first.
    Directory(Vec<(OsString, Number)>),
    File(Vec<u8>),
}

/// An open file description.
#[derive(Clone, Copy, Debug)]
pub(super) struct OpenFile {
    pub(super) inode: Number,
    pub(super) process: Process,
    access: Access,
}

/// Where a path leads: the directory of its last component, that component, and what is there.
struct Place {
    directory: Number,
    name: OsString,
    found: Option<Number>,
}

impl Kernel {
    /// A machine with this tree, whose files were last used long before every cutoff.
    pub(super) fn new(tree: &BTreeMap<PathBuf, Option<Vec<u8>>>, order: Order) -> io::Result<Self> {
        let mut kernel = Self {
            inodes: Arc::default(),
            files: BTreeMap::new(),
            next_file: 0,
            clock_ns: CLOCK_START_NS - 2 * CUTOFF_PASSES_NS,
            collecting: 0,
            shutting_down: BTreeSet::new(),
            order,
            used: Vec::new(),
            released: Vec::new(),
        };
        kernel.add(Path::new("/"), Content::Directory(Vec::new()));
        for (path, content) in tree {
            let path = Path::new("/").join(path);
            match content {
                None => kernel.mkdir(&path)?,
                Some(bytes) => {
                    let place = kernel.vacant(&path)?;
                    let file = kernel.add(&path, Content::File(bytes.clone()));
                    kernel.enter(place, file);
                }
            }
        }
        kernel.clock_ns = CLOCK_START_NS;
        kernel.used.clear();
        Ok(kernel)
    }

    pub(super) fn open(
        &mut self,
        process: Process,
        path: &Path,
        access: Access,
    ) -> io::Result<u64> {
        let inode = self.find(path)?;
        if access == Access::ReadAppend && self.is_directory(inode) {
            return Err(ErrorKind::IsADirectory.into());
        }
        if access == Access::Directory && !self.is_directory(inode) {
            return Err(ErrorKind::NotADirectory.into());
        }
        Ok(self.open_inode(process, inode, access))
    }

    pub(super) fn create(&mut self, process: Process, path: &Path) -> io::Result<u64> {
        let inode = self.create_file(path)?;
        Ok(self.open_inode(process, inode, Access::ReadAppend))
    }

    pub(super) fn create_file(&mut self, path: &Path) -> io::Result<Number> {
        let place = self.vacant(path)?;
        let inode = self.add(path, Content::File(Vec::new()));
        self.enter(place, inode);
        Ok(inode)
    }

    pub(super) fn stat(&mut self, path: &Path) -> io::Result<Stat> {
        let inode = self.find(path)?;
        Ok(self.stat_inode(inode))
    }

    pub(super) fn fstat(&mut self, file: u64) -> io::Result<Stat> {
        let inode = self.file(file)?.inode;
        Ok(self.stat_inode(inode))
    }

    pub(super) fn link(&mut self, old: &Path, new: &Path) -> io::Result<()> {
        let inode = self.find(old)?;
        if self.is_directory(inode) {
            return Err(ErrorKind::PermissionDenied.into());
        }
        let place = self.vacant(new)?;
        self.enter(place, inode);
        Ok(())
    }

    pub(super) fn rename(&mut self, old: &Path, new: &Path, replaces: bool) -> io::Result<()> {
        let from = self.walk(old)?;
        let moved = from.found.ok_or(ErrorKind::NotFound)?;
        let to = self.walk(new)?;
        if new != old && new.starts_with(old) {
            return Err(ErrorKind::InvalidInput.into());
        }
        if let Some(there) = to.found {
            if !replaces {
                return Err(ErrorKind::AlreadyExists.into());
            }
            if there == moved {
                return Ok(());
            }
            match (self.is_directory(moved), self.is_directory(there)) {
                (true, false) => return Err(ErrorKind::NotADirectory.into()),
                (false, true) => return Err(ErrorKind::IsADirectory.into()),
                (true, true) if !self.entries(there)?.is_empty() => {
                    return Err(ErrorKind::DirectoryNotEmpty.into());
                }
                (true, true) | (false, false) => self.take_out(&to),
            }
        }
        self.take_out(&from);
        self.enter(to, moved);
        Ok(())
    }

    pub(super) fn unlink(&mut self, path: &Path) -> io::Result<()> {
        let place = self.walk(path)?;
        let inode = place.found.ok_or(ErrorKind::NotFound)?;
        if self.is_directory(inode) {
            return Err(ErrorKind::IsADirectory.into());
        }
        self.take_out(&place);
        Ok(())
    }

    pub(super) fn mkdir(&mut self, path: &Path) -> io::Result<()> {
        let place = self.vacant(path)?;
        let inode = self.add(path, Content::Directory(Vec::new()));
        self.enter(place, inode);
        Ok(())
    }

    pub(super) fn rmdir(&mut self, path: &Path) -> io::Result<()> {
        let place = self.walk(path)?;
        let inode = place.found.ok_or(ErrorKind::NotFound)?;
        if !self.entries(inode)?.is_empty() {
            return Err(ErrorKind::DirectoryNotEmpty.into());
        }
        self.take_out(&place);
        Ok(())
    }

    pub(super) fn read_dir(&mut self, path: &Path) -> io::Result<Vec<Entry>> {
        let directory = self.find(path)?;
        let found = self.entries(directory)?.to_vec();
        let mut entries: Vec<Entry> = found
            .into_iter()
            .map(|(name, inode)| Entry {
                name,
                is_dir: self.is_directory(inode),
                is_link: false,
            })
            .collect();
        if self.order == Order::NewestFirst {
            entries.reverse();
        }
        Ok(entries)
    }

    pub(super) fn read(&mut self, file: u64, offset: u64) -> io::Result<Vec<u8>> {
        let inode = self.file(file)?.inode;
        self.uses(inode, Use::Read);
        match &self.inodes[inode].content {
            Content::Directory(_) => Err(ErrorKind::IsADirectory.into()),
            Content::File(bytes) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX);
                Ok(bytes.get(start..).unwrap_or_default().to_vec())
            }
        }
    }

    pub(super) fn append(&mut self, file: u64, bytes: &[u8]) -> io::Result<usize> {
        self.write(file, Errno::EBADF, |content| {
            content.extend_from_slice(bytes);
        })?;
        Ok(bytes.len())
    }

    pub(super) fn ftruncate(&mut self, file: u64, size: u64) -> io::Result<()> {
        let size = usize::try_from(size).map_err(|_| ErrorKind::FileTooLarge)?;
        self.write(file, Errno::EINVAL, |content| content.resize(size, 0))
    }

    pub(super) fn utimensat(&mut self, path: &Path, atime_ns: i128) -> io::Result<()> {
        let inode = self.find(path)?;
        self.uses(inode, Use::Write);
        self.inode_mut(inode).atime_ns = atime_ns;
        Ok(())
    }

    pub(super) fn now(&mut self) -> i128 {
        self.used.push((Object::Clock, Use::Read));
        self.clock_ns
    }

    /// A run of garbage collection begins, or ends.
    pub(super) fn collects(&mut self, begins: bool) {
        self.used.push((Object::Clock, Use::Write));
        if begins {
            self.collecting += 1;
        } else {
            self.collecting = self.collecting.saturating_sub(1);
            self.released.push(Object::Clock);
        }
    }

    /// Whether no run of garbage collection is under way.
    pub(super) fn is_idle(&mut self) -> bool {
        self.used.push((Object::Clock, Use::Read));
        self.collecting == 0
    }

    /// Every chunk becomes older than the next cutoff. None while a run is under way; false if no chunk was used since
    /// the last time, so that nothing happened.
    pub(super) fn pass_cutoff(&mut self, chunks: &Path) -> Option<bool> {
        self.used.push((Object::Clock, Use::Write));
        if self.collecting > 0 {
            return None;
        }
        let is_fresh = self.any_used_since(chunks, self.clock_ns);
        if is_fresh {
            self.clock_ns += CUTOFF_PASSES_NS;
        }
        Some(is_fresh)
    }

    pub(super) fn reload(&mut self, process: Process) {
        self.used.push((Object::Reload, Use::Write));
        self.shutting_down.insert(process);
    }

    pub(super) fn is_shutting_down(&mut self, process: Process) -> bool {
        self.used.push((Object::Reload, Use::Read));
        self.shutting_down.contains(&process)
    }

    /// Whether any file in the directories of a directory was used since then.
    fn any_used_since(&mut self, directory: &Path, since_ns: i128) -> bool {
        let entries = self.read_dir(directory).unwrap_or_default();
        entries.iter().any(|entry| {
            let path = directory.join(&entry.name);
            if entry.is_dir {
                self.any_used_since(&path, since_ns)
            } else {
                self.stat(&path).is_ok_and(|stat| stat.atime_ns >= since_ns)
            }
        })
    }

    /// The open file, as long as it is open.
    pub(super) fn file(&self, file: u64) -> io::Result<OpenFile> {
        Ok(*self.files.get(&file).ok_or(Errno::EBADF)?)
    }

    pub(super) fn inode(&self, inode: Number) -> &Inode {
        &self.inodes[inode]
    }

    pub(super) fn all_inodes(&self) -> impl Iterator<Item = &Inode> {
        self.inodes.iter().map(|inode| &**inode)
    }

    pub(super) fn inode_mut(&mut self, inode: Number) -> &mut Inode {
        Arc::make_mut(&mut Arc::make_mut(&mut self.inodes)[inode])
    }

    fn open_inode(&mut self, process: Process, inode: Number, access: Access) -> u64 {
        let number = self.next_file;
        self.next_file += 1;
        let file = OpenFile {
            inode,
            process,
            access,
        };
        self.files.insert(number, file);
        number
    }

    fn stat_inode(&mut self, number: Number) -> Stat {
        self.uses(number, Use::Read);
        let inode = &self.inodes[number];
        let (size, is_dir) = match &inode.content {
            Content::Directory(_) => (0, true),
            Content::File(bytes) => (bytes.len() as u64, false),
        };
        Stat {
            dev: DEVICE,
            ino: number as u64,
            size,
            atime_ns: inode.atime_ns,
            mtime_ns: inode.mtime_ns,
            is_dir,
            is_file: !is_dir,
        }
    }

    /// Changes the content of a file that is open for writing.
    fn write(
        &mut self,
        file: u64,
        not_open_for_it: Errno,
        change: impl FnOnce(&mut Vec<u8>),
    ) -> io::Result<()> {
        let OpenFile { inode, access, .. } = self.file(file)?;
        if access != Access::ReadAppend {
            return Err(not_open_for_it.into());
        }
        self.uses(inode, Use::Write);
        let mtime_ns = self.now();
        let inode = self.inode_mut(inode);
        inode.mtime_ns = mtime_ns;
        match &mut inode.content {
            Content::Directory(_) => Err(ErrorKind::IsADirectory.into()),
            Content::File(bytes) => {
                change(bytes);
                Ok(())
            }
        }
    }

    /// What is at a path.
    fn find(&mut self, path: &Path) -> io::Result<Number> {
        if path
            .components()
            .all(|component| component == Component::RootDir)
        {
            return Ok(0);
        }
        Ok(self.walk(path)?.found.ok_or(ErrorKind::NotFound)?)
    }

    /// A place at which nothing is yet.
    fn vacant(&mut self, path: &Path) -> io::Result<Place> {
        let place = self.walk(path)?;
        if place.found.is_some() {
            return Err(ErrorKind::AlreadyExists.into());
        }
        Ok(place)
    }

    fn walk(&mut self, path: &Path) -> io::Result<Place> {
        let mut directory = 0;
        let mut components = path.components().filter_map(|component| match component {
            Component::Normal(name) => Some(name),
            Component::Prefix(_)
            | Component::RootDir
            | Component::CurDir
            | Component::ParentDir => None,
        });
        let mut name = components.next().ok_or(ErrorKind::InvalidInput)?;
        for next in components {
            directory = self.look_up(directory, name)?.ok_or(ErrorKind::NotFound)?;
            name = next;
        }
        Ok(Place {
            directory,
            name: name.to_owned(),
            found: self.look_up(directory, name)?,
        })
    }

    fn look_up(&mut self, directory: Number, name: &OsStr) -> io::Result<Option<Number>> {
        let entries = self.entries(directory)?;
        let found = entries.iter().find(|(there, _)| there == name);
        Ok(found.map(|(_, inode)| *inode))
    }

    fn entries(&mut self, directory: Number) -> io::Result<&[(OsString, Number)]> {
        if self.is_directory(directory) {
            self.uses(directory, Use::Read);
        }
        match &self.inodes[directory].content {
            Content::Directory(entries) => Ok(entries),
            Content::File(_) => Err(ErrorKind::NotADirectory.into()),
        }
    }

    /// Whether an inode is a directory never changes, so that nobody depends on it.
    fn is_directory(&self, inode: Number) -> bool {
        matches!(self.inodes[inode].content, Content::Directory(_))
    }

    fn add(&mut self, path: &Path, content: Content) -> Number {
        let time_ns = self.now();
        Arc::make_mut(&mut self.inodes).push(Arc::new(Inode {
            name: name(path),
            content,
            atime_ns: time_ns,
            mtime_ns: time_ns,
            flocks: BTreeMap::new(),
            record_locks: BTreeMap::new(),
        }));
        self.inodes.len() - 1
    }

    fn enter(&mut self, place: Place, inode: Number) {
        self.uses(place.directory, Use::Write);
        if let Content::Directory(entries) = &mut self.inode_mut(place.directory).content {
            entries.push((place.name, inode));
        }
    }

    fn take_out(&mut self, place: &Place) {
        self.uses(place.directory, Use::Write);
        if let Content::Directory(entries) = &mut self.inode_mut(place.directory).content {
            entries.retain(|(name, _)| *name != place.name);
        }
    }

    fn uses(&mut self, inode: Number, what: Use) {
        let name = Arc::clone(&self.inodes[inode].name);
        self.used.push((Object::Inode(name), what));
    }
}

/// The name of an object that is created at a path. The random letters of a temporary name are left out: they differ
/// between executions.
fn name(path: &Path) -> Arc<str> {
    const LETTERS: usize = 6;
    let path = path.to_string_lossy();
    match path.rsplit_once(".tmp_") {
        Some((stem, letters)) if letters.len() == LETTERS => stem.into(),
        Some(_) | None => path.as_ref().into(),
    }
}
