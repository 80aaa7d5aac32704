//! A log of `strace` as calls in our names, on paths below the recorded datastore or its locks.

use super::{LOCKS, STORE, without_letters};
use specs::step::Call;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// A call, by the names of the recording.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Seen {
    pub(super) call: Call,
    pub(super) path: String,
    pub(super) is_ok: bool,
}

/// The lines of one process of a log, each whole.
pub(super) struct Log {
    lines: Vec<String>,
    directories: BTreeSet<String>,
}

impl Log {
    /// The lines of the `process`-th process that does something in the datastore's protocol, by its first line.
    pub(super) fn read(folder: &Path, name: &str, says: &str) -> Self {
        let gzip = Command::new("gzip")
            .arg("-dc")
            .arg(folder.join("strace").join(format!("{name}.log.gz")))
            .output()
            .unwrap();
        assert!(gzip.status.success(), "{name}");
        let text = String::from_utf8(gzip.stdout).unwrap();
        let whole = whole_lines(&text);
        // A descriptor that is listed, or that a name is relative to.
        let is_of_directory = |line: &str| {
            let is_relative =
                line.contains(">, \"") && !line.contains(">, \"\"") && !line.contains(">, \"/");
            line.starts_with("getdents64(") || is_relative && !line.starts_with("write(")
        };
        let directories = whole
            .iter()
            .filter(|(_, line)| is_of_directory(line))
            .filter_map(|(_, line)| of_descriptor(line))
            .collect();
        // The process is the one that says the line that the part begins with.
        let said = format!("#STEP {says}");
        let process = whole.iter().find(|(_, line)| line.contains(&said));
        let (process, _) = process.unwrap_or_else(|| panic!("{name} has no line {said:?}"));
        let lines = whole.iter().filter(|(whose, _)| whose == process);
        Self {
            lines: lines.map(|(_, line)| line.clone()).collect(),
            directories,
        }
    }

    /// The calls between two lines of the driver; to the end if there is no second one.
    pub(super) fn calls(&self, begin: &str, end: Option<&str>) -> Vec<Seen> {
        let says = |line: &String, what: &str| line.contains(&format!("#STEP {what}"));
        let first = self.lines.iter().position(|line| says(line, begin));
        let lines = &self.lines[first.unwrap() + 1..];
        let last = end.map(|end| lines.iter().position(|line| says(line, end)).unwrap());
        let mut seen: Vec<Seen> = Vec::new();
        for line in &lines[..last.unwrap_or(lines.len())] {
            for call in self.parse(line) {
                // A large directory takes several calls.
                if call.call != Call::ReadDir || seen.last() != Some(&call) {
                    seen.push(call);
                }
            }
        }
        seen
    }

    fn parse(&self, line: &str) -> Vec<Seen> {
        let Some((name, arguments)) = line.split_once('(') else {
            return Vec::new();
        };
        let quoted: Vec<&str> = arguments.split('"').skip(1).step_by(2).collect();
        let descriptor = of_descriptor(line);
        let is_ok = !arguments.contains(" = -1 ");
        let named = |at: usize| {
            let name = quoted.get(at).copied().unwrap_or_default();
            let below = descriptor.as_deref().unwrap_or_default();
            Some(match name {
                "" => below.to_owned(),
                name if name.starts_with('/') => name.to_owned(),
                name => format!("{below}/{name}"),
            })
        };
        let is_by_descriptor = quoted.first() == Some(&"");
        let is_directory = |path: &Option<String>| {
            let path = path.as_deref().map(plain);
            path.is_some_and(|path| self.directories.contains(&path))
        };
        let (calls, path): (&[Call], _) = match name {
            "openat" if arguments.contains("O_EXCL") => (&[Call::Create], named(0)),
            // The owner file is emptied; an index file under its temporary name is new.
            "openat" if arguments.contains("O_CREAT|O_TRUNC") && arguments.contains("tmp_") => {
                (&[Call::Create], named(0))
            }
            "openat" if arguments.contains("O_CREAT|O_TRUNC") => {
                (&[Call::Open, Call::Ftruncate], named(0))
            }
            "openat" if is_ok && is_directory(&named(0)) => (&[], None),
            "openat" if arguments.contains("O_RDONLY) = -1 ") => (&[Call::ReadDir], named(0)),
            "openat" => (&[Call::Open], named(0)),
            "getdents64" if arguments.ends_with(" = 0") => (&[], None),
            "getdents64" => (&[Call::ReadDir], descriptor.clone()),
            "statx" | "newfstatat" if is_by_descriptor && is_directory(&descriptor) => (&[], None),
            "statx" | "newfstatat" if is_by_descriptor => (&[Call::Fstat], descriptor.clone()),
            "statx" | "newfstatat" => (&[Call::Stat], named(0)),
            "close" if is_directory(&descriptor) => (&[], None),
            "close" => (&[Call::Close], descriptor.clone()),
            "flock" => (&[Call::Flock], descriptor.clone()),
            "ftruncate" => (&[Call::Ftruncate], descriptor.clone()),
            "write" => (&[Call::Append], descriptor.clone()),
            "fcntl" if arguments.contains("F_SETLK") => (&[Call::RecordLock], descriptor.clone()),
            "mkdir" => (&[Call::Mkdir], named(0)),
            "rename" => (&[Call::Rename], named(1)),
            "renameat2" => (&[Call::RenameNoReplace], named(1)),
            "unlink" => (&[Call::Unlink], named(0)),
            "unlinkat" if arguments.contains("AT_REMOVEDIR") => (&[Call::Rmdir], named(0)),
            "unlinkat" => (&[Call::Unlink], named(0)),
            "rmdir" => (&[Call::Rmdir], named(0)),
            "utimensat" => (&[Call::Utimensat], named(0)),
            _ => (&[], None),
        };
        let Some(path) = path.map(|path| without_letters(&plain(&path))) else {
            return Vec::new();
        };
        if !path.starts_with(STORE) && !path.starts_with(LOCKS) {
            return Vec::new();
        }
        let seen = |call: &Call| Seen {
            call: *call,
            path: path.clone(),
            is_ok,
        };
        calls.iter().map(seen).collect()
    }
}

/// The process of each line, and the line without its time; a call that was interrupted in the log is put together.
fn whole_lines(text: &str) -> Vec<(&str, String)> {
    let mut begun: BTreeMap<&str, &str> = BTreeMap::new();
    let mut whole = Vec::new();
    for line in text.lines() {
        let Some((process, rest)) = line.split_once(' ') else {
            continue;
        };
        let Some((_time, rest)) = rest.trim_start().split_once(' ') else {
            continue;
        };
        if let Some(first) = rest.strip_suffix("<unfinished ...>") {
            begun.insert(process, first);
        } else if let Some((_, second)) = rest.split_once(" resumed>") {
            let first = begun.remove(process).unwrap_or_default();
            whole.push((process, format!("{}{second}", first.trim_end())));
        } else {
            whole.push((process, rest.to_owned()));
        }
    }
    whole
}

/// The path of the first descriptor of a call.
fn of_descriptor(line: &str) -> Option<String> {
    let (_, rest) = line.split_once('<')?;
    rest.split_once('>').map(|(path, _)| plain(path))
}

/// A path as it is, without the escapes of `strace` and without a slash at its end.
fn plain(path: &str) -> String {
    path.replace("\\\\", "\\").trim_end_matches('/').to_owned()
}
