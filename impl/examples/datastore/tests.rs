//! Command lines as a user types them: what they do, what they print, how they end.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests look at real files"
)]

use super::*;
use datastore::index::Digest;
use datastore::sys::CreateMode;
use datastore::{Config, Generation, Layout, lock_file};
use specs::lock_class::{Mode, Wait};
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

const OLD: &str = "2026-07-14T06:33:20Z";
const NEW: &str = "2026-07-15T06:33:20Z";

/// A datastore in a directory of its own, and a file that can be backed up.
struct Fixture {
    directory: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        let directory = tempfile::tempdir_in("/dev/shm").unwrap();
        let fixture = Self { directory };
        fs::write(fixture.file("disk.img"), [b'd'; 9]).unwrap();
        fs::write(fixture.file("root.pxar"), [b'r'; 9]).unwrap();
        let prefixes: BTreeSet<String> = [[b'd'; 9], [b'r'; 9]]
            .map(|data| Digest::of(&data).to_string()[..4].to_owned())
            .into();
        let prefixes: Vec<&str> = prefixes.iter().map(String::as_str).collect();
        let mut config = Config::new(fixture.file("store"), "store");
        config.locks = fixture.file("locks");
        config.generation = Generation::LockFiles;
        drop(Datastore::create(&LinuxSys, config, Prefixes::Only(&prefixes)).unwrap());
        fixture
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn path(&self, name: &str) -> String {
        self.file(name).to_str().unwrap().to_owned()
    }

    /// Runs a command line: the exit code, what is printed, and what is said about a bad end.
    fn ds(&self, line: &str) -> (u8, String, String) {
        let [base, locks, flag] = ["store", "locks", "flag"].map(|name| self.path(name));
        let options = ["ds", "--base", &base, "--name", "store", "--locks", &locks];
        let words = line.split_whitespace();
        let words = options
            .into_iter()
            .chain(["--old-locking", &flag])
            .chain(words);
        typed(words)
    }

    /// What a command prints that ends well.
    fn prints(&self, line: &str) -> String {
        let (code, printed, why) = self.ds(line);
        assert_eq!((code, why.as_str()), (0, ""), "{line}");
        printed
    }

    /// Why a command ends badly.
    fn refuses(&self, line: &str, code: u8) -> String {
        let (found, printed, why) = self.ds(line);
        assert_eq!(found, code, "{line}: {printed}{why}");
        why
    }

    fn back_up(&self, time: &str) {
        let [disk, root] = ["disk.img", "root.pxar"].map(|name| self.path(name));
        self.prints(&format!("backup vm/100 {disk} {root} --time {time}"));
    }

    /// The file of the chunk that holds the image.
    fn chunk(&self) -> PathBuf {
        let digest = Digest::of(&[b'd'; 9]).to_string();
        self.file("store/.chunks").join(&digest[..4]).join(digest)
    }
}

fn typed<'a>(words: impl Iterator<Item = &'a str>) -> (u8, String, String) {
    let cli = match Cli::try_parse_from(words) {
        Ok(cli) => cli,
        Err(error) => {
            return (
                error.exit_code().try_into().unwrap(),
                String::new(),
                error.to_string(),
            );
        }
    };
    let mut out = Vec::new();
    let ended = run(cli, &mut out);
    let printed = String::from_utf8(out).unwrap();
    match ended {
        Ok(()) => (0, printed, String::new()),
        Err(ended) => {
            let (_, message, code) = ended.verdict();
            (code, printed, message.to_owned())
        }
    }
}

#[test]
fn wrong_names_are_wrong_use_and_say_what_is_wrong() {
    let fixture = Fixture::new();
    for (line, why) in [
        ("prune vm", "backup group \"vm\" is none of"),
        ("prune vm/..", "backup id \"..\" must begin with"),
        (
            "list --namespace a//b",
            "namespace \"a//b\" must consist of",
        ),
        ("forget vm/100", "is none of vm/<id>"),
        ("forget vm/100/now", "is no time in UTC"),
        ("set-owner vm/100 root", "owner \"root\" is neither"),
        ("backup vm/100 /nothing --time now", "is no time in UTC"),
        ("backup vm/100 /", "has no name that an archive could get"),
        ("access-chunk ab touch", "not 64 lower-case hex digits"),
        ("prune vm/100 --keep-last 0", "0 is not in 1.."),
        ("prune vm/100 --keep-yearly 0", "0 is not in 1.."),
    ] {
        let message = fixture.refuses(line, 2);
        assert!(message.contains(why), "{line}: {message}");
    }
    for (base, name, why) in [
        ("t1", "store", "path \"t1\" is not absolute"),
        (
            "/srv/store",
            "st",
            "datastore name \"st\" must have 3 to 32",
        ),
        (
            "/srv/store",
            "..e",
            "datastore name \"..e\" must begin with",
        ),
    ] {
        let words = ["ds", "--base", base, "--name", name, "list"];
        let (code, _, message) = typed(words.into_iter());
        assert!(code == 2 && message.contains(why), "{message}");
    }
}

#[test]
fn what_is_not_there_is_said_not_to_be_there() {
    let fixture = Fixture::new();
    fixture.back_up(OLD);
    let missing = format!("vm/100/{NEW}");
    for (line, why) in [
        (
            "delete-namespace nope".to_owned(),
            "there is no namespace nope",
        ),
        (
            "list --namespace nope".to_owned(),
            "there is no namespace nope",
        ),
        (
            "verify --namespace nope".to_owned(),
            "there is no namespace nope",
        ),
        (
            "prune vm/999 --keep-last 1".to_owned(),
            "there is no group vm/999",
        ),
        ("verify vm/999".to_owned(), "there is no group vm/999"),
        (
            "set-owner vm/999 root@pam".to_owned(),
            "there is no such group",
        ),
        ("move-group vm/999 --to a".to_owned(), "vm/999"),
        (
            "create-namespace a/b".to_owned(),
            "there is no namespace a to make a/b in",
        ),
        (format!("forget {missing}"), "there is no snapshot"),
        (format!("protect {missing}"), "there is no snapshot"),
        (format!("unprotect {missing}"), "there is no snapshot"),
        (format!("notes {missing}"), "there is no finished snapshot"),
        (
            format!("notes {missing} --set x"),
            "there is no finished snapshot",
        ),
        (
            format!("restore {missing} disk.img /dev/shm/x"),
            "there is no finished snapshot",
        ),
    ] {
        let line = line.replace("/dev/shm/x", &fixture.path("x"));
        let message = fixture.refuses(&line, 1);
        assert!(message.contains(why), "{line}: {message}");
        assert!(!fixture.file("x").exists());
    }
}

#[test]
fn every_operation_has_its_command() {
    let fixture = Fixture::new();
    for namespace in ["a", "a/b", "c"] {
        fixture.prints(&format!("create-namespace {namespace}"));
    }
    let again = fixture.refuses("create-namespace a/b", 1);
    assert!(
        again.contains("there is a namespace a/b already"),
        "{again}"
    );
    let names = fixture.prints("namespaces");
    assert_eq!(names, "(the root namespace)\na\na/b\nc\n");

    fixture.back_up(OLD);
    let snapshot = format!("vm/100/{OLD}");
    assert_eq!(fixture.prints(&format!("notes {snapshot}")), "");
    fixture.prints(&format!("notes {snapshot} --set first"));
    assert_eq!(fixture.prints(&format!("notes {snapshot}")), "first\n");

    let verified = fixture.prints("verify");
    let expected = "vm/100: 1 snapshots verified, 0 busy, 0 gone, 2 chunks read\n";
    assert_eq!(verified, expected);
    for (archive, byte) in [
        ("disk.img", b'd'),
        ("root.pxar", b'r'),
        ("disk.img.fidx", b'd'),
    ] {
        let target = fixture.file("restored");
        let line = format!("restore {snapshot} {archive} {}", target.display());
        assert!(fixture.prints(&line).starts_with("9 bytes"));
        assert_eq!(fs::read(&target).unwrap(), [byte; 9]);
        let there = fixture.refuses(&line, 1);
        assert!(there.contains("File exists"), "{there}");
        fs::remove_file(target).unwrap();
    }
    let other = format!("restore {snapshot} disk {}", fixture.path("restored"));
    let message = fixture.refuses(&other, 1);
    assert!(
        message.contains("it has disk.img.fidx, root.pxar.didx"),
        "{message}"
    );

    fixture.prints("set-owner vm/100 b@pbs");
    let disk = fixture.path("disk.img");
    let message = fixture.refuses(&format!("backup vm/100 {disk}"), 1);
    assert!(message.contains("belongs to b@pbs"), "{message}");
    fixture.prints("set-owner vm/100 root@pam");
    fixture.back_up(NEW);

    fixture.prints("take-lock vm/100");
    fixture.prints(&format!("take-lock {snapshot} --shared"));
    fixture.prints("take-namespace-lock a/b --shared");
    let digest = Digest::of(&[b'd'; 9]);
    let insert = format!("access-chunk {digest} insert --data {disk}");
    for (line, printed) in [
        (format!("access-chunk {digest} touch"), "touched\n"),
        (format!("access-chunk {digest} sweep"), "kept\n"),
        (format!("access-chunk {digest} set-aside"), "kept\n"),
        (
            format!("access-chunk {digest} sweep --cutoff-minutes 0"),
            "removed\n",
        ),
        (insert, "written\n"),
    ] {
        assert_eq!(fixture.prints(&line), printed, "{line}");
    }

    fixture.prints(&format!("protect {snapshot}"));
    let protected = fixture.prints(&format!("protect {snapshot}"));
    assert_eq!(protected, "it was protected before\n");
    let kept = fixture.refuses(&format!("forget {snapshot}"), 1);
    assert!(kept.contains("is protected"), "{kept}");
    let pruned = fixture.prints("prune vm/100 --keep-last 1");
    let expected = format!("kept     vm/100/{NEW}\nkept     {snapshot}  (protected)\n");
    assert_eq!(pruned, expected);
    fixture.prints(&format!("unprotect {snapshot}"));
    let pruned = fixture.prints("prune vm/100 --keep-last 1");
    assert_eq!(
        pruned,
        format!("kept     vm/100/{NEW}\nremoved  {snapshot}\n")
    );

    assert_eq!(
        fixture.prints("move-group vm/100 --to a/b"),
        "1 snapshots moved\n"
    );
    let group = "ns/a/ns/b/vm/100";
    let list = fixture.prints("list --namespace a");
    assert_eq!(list, format!("ns/a\nns/a/ns/b\n{group}\n{group}/{NEW}\n"));
    let collected = fixture.prints("gc");
    assert!(
        collected.contains("chunks in use              2 "),
        "{collected}"
    );
    let forgotten = fixture.prints(&format!("forget vm/100/{NEW} --namespace a/b"));
    assert!(
        forgotten.contains("the group was empty then"),
        "{forgotten}"
    );
    let deleted = fixture.prints("delete-namespace a");
    assert_eq!(deleted, "removed  ns/a/ns/b\nremoved  ns/a\n");
    assert_eq!(fixture.prints("list"), ".\nns/c\n");
}

#[test]
fn damage_is_told_with_exit_code_1_and_never_restored() {
    let fixture = Fixture::new();
    fixture.back_up(OLD);
    let good = fs::read(fixture.chunk()).unwrap();
    let target = fixture.path("restored");
    let restore = format!("restore vm/100/{OLD} disk.img {target}");

    fs::write(fixture.chunk(), "damaged").unwrap();
    let message = fixture.refuses(&restore, 1);
    assert!(message.contains("is corrupt"), "{message}");
    assert!(
        !fixture.file("restored").exists(),
        "half an archive is none"
    );
    let (code, printed, message) = fixture.ds("verify vm/100");
    assert!(code == 1 && message.contains("is corrupt"), "{message}");
    assert!(printed.contains("1 bad, 1 chunks set aside"), "{printed}");

    let message = fixture.refuses(&restore, 1);
    assert!(message.contains("is missing"), "{message}");
    let (code, printed, message) = fixture.ds("gc");
    assert!(code == 1 && message.starts_with("1 chunks"), "{message}");
    assert!(
        printed.contains("chunks in use"),
        "what was done is printed: {printed}"
    );
    fs::write(fixture.chunk(), good).unwrap();
    fixture.prints("gc");
    fixture.prints(&restore);

    let index = fixture.file("store/vm/100").join(OLD).join("disk.img.fidx");
    let mut bytes = fs::read(&index).unwrap();
    bytes[64] -= 1;
    fs::write(index, bytes).unwrap();
    fs::remove_file(&target).unwrap();
    let message = fixture.refuses(&restore, 1);
    assert!(message.contains("another checksum or size"), "{message}");
}

#[test]
fn lock_that_somebody_else_holds_is_exit_code_4() {
    let fixture = Fixture::new();
    fixture.back_up(OLD);
    let snapshot = format!("vm/100/{OLD}");
    let layout = Layout::new(&fixture.file("store"), &fixture.file("locks"), "store").unwrap();
    let group = names::group("vm/100").unwrap();
    let create = CreateMode {
        mode: 0o660,
        owner: None,
    };
    let hold = |path: PathBuf| {
        lock_file::lock(&LinuxSys, path, create, Mode::Exclusive, Wait::No).unwrap()
    };
    let locks = [
        layout.group_lock(&group),
        layout.snapshot_lock(&names::snapshot(&snapshot).unwrap()),
    ];
    let held = locks.map(hold);
    let (disk, target) = (fixture.path("disk.img"), fixture.path("restored"));
    fixture.prints("create-namespace a");
    for line in [
        format!("backup vm/100 {disk}"),
        format!("restore {snapshot} disk.img {target}"),
        format!("protect {snapshot}"),
        format!("forget {snapshot}"),
        "move-group vm/100 --to a".to_owned(),
        "set-owner vm/100 a@pam".to_owned(),
        "take-lock vm/100".to_owned(),
    ] {
        let message = fixture.refuses(&line, 4);
        assert!(
            message.contains("locked by somebody else"),
            "{line}: {message}"
        );
    }
    assert!(
        fixture
            .prints("verify")
            .contains("0 snapshots verified, 1 busy")
    );
    let pruned = fixture.prints("prune vm/100 --keep-last 1");
    assert!(pruned.starts_with("kept"), "{pruned}");
    assert!(!fixture.file("restored").exists());
    drop(held);
    fixture.prints(&format!("forget {snapshot}"));
}

#[test]
fn time_before_the_newest_is_refused_and_a_prune_names_one_that_has_not_come() {
    let fixture = Fixture::new();
    fixture.back_up(OLD);
    let disk = fixture.path("disk.img");
    let back_up = |time: &str| format!("backup vm/100 {disk} --time {time}");
    let message = fixture.refuses(&back_up(OLD), 1);
    assert!(
        message.contains("there is such a snapshot already"),
        "{message}"
    );
    let ahead = "9031-07-14T06:33:20Z";
    fixture.back_up(ahead);
    let message = fixture.refuses(&back_up(NEW), 1);
    let expected = format!("the newest snapshot vm/100/{ahead} is later; set the clock right");
    assert!(message.contains(&expected), "{message}");
    let pruned = fixture.prints("prune vm/100 --keep-last 2");
    let counts = "  (its time has not come: it counts as the newest)";
    let expected = format!("kept     vm/100/{ahead}{counts}\nkept     vm/100/{OLD}\n");
    assert_eq!(pruned, expected);
    fixture.prints(&format!("forget vm/100/{ahead}"));
    fixture.prints(&back_up(NEW));
}
