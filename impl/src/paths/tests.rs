//! Names and paths: what they print as, and what is refused.

use super::*;
use proptest::prelude::*;

#[test]
fn names_print_as_their_directory() {
    let nested = Namespace::new("a/b").unwrap();
    assert_eq!(Namespace::ROOT.to_string(), ".");
    assert_eq!(nested.to_string(), "ns/a/ns/b");
    assert_eq!(
        Namespace::ROOT.child("a").unwrap().child("b").unwrap(),
        nested
    );
    let group = Group::parse(nested, "host/web").unwrap();
    assert_eq!(group.to_string(), "ns/a/ns/b/host/web");
    assert_eq!(group.in_namespace(Namespace::ROOT).to_string(), "host/web");
    let snapshot = group.snapshot(BackupTime::parse("2026-07-14T06:33:20Z").unwrap());
    assert_eq!(
        snapshot.to_string(),
        "ns/a/ns/b/host/web/2026-07-14T06:33:20Z"
    );
    let layout = Layout::new(Path::new("/srv/s"), Path::new("/run/locks"), "abc").unwrap();
    assert_eq!(layout.path(&Namespace::ROOT), Path::new("/srv/s"));
    assert_eq!(
        layout.path(&snapshot),
        Path::new("/srv/s").join(snapshot.to_string())
    );
}

#[test]
fn the_group_of_a_file_is_that_of_its_snapshot() {
    let group = |path: &str| Group::of_file(Path::new(path)).map(|group| group.to_string());
    for directory in ["vm/100", "ns/a/ct/1", "ns/a/ns/b/host/h"] {
        let path = format!("{directory}/2026-07-14T04:33:20Z/root.img.fidx");
        assert_eq!(group(&path).as_deref(), Some(directory));
    }
    for path in [
        "root.img.fidx",
        "vm/100/root.img.fidx",
        "vm/100/yesterday/root.img.fidx",
        "vm/2026-07-14T04:33:20Z/root.img.fidx",
        "ns/ns/vm/2026-07-14T04:33:20Z/root.img.fidx",
        "vm/100/2026-07-14T04:33:20Z/sub/root.img.fidx",
        "tape/100/2026-07-14T04:33:20Z/root.img.fidx",
        "ns/../vm/100/2026-07-14T04:33:20Z/root.img.fidx",
    ] {
        assert_eq!(group(path), None, "{path}");
    }
}

#[test]
fn names_that_would_leave_the_datastore_are_refused() {
    for name in [
        "..",
        "a/..",
        "/a",
        "a//b",
        "a/",
        ".hidden",
        "-a",
        "a b",
        "1/2/3/4/5/6/7/8",
    ] {
        assert!(Namespace::new(name).is_err(), "{name}");
    }
    for name in ["vm", "vm/", "vm/../x", "vm/a/b", "qm/100", "vm/.1"] {
        assert!(Group::parse(Namespace::ROOT, name).is_err(), "{name}");
    }
    for name in [
        "",
        "2026-07-14",
        "2026-13-14T06:33:20Z",
        "2026-02-29T06:33:20Z",
        "2026-07-14T24:33:20Z",
        "2026-07-14T06:33:60Z",
        "+026-07-14T06:33:20Z",
        "2026-+7-14T06:33:20Z",
        "2026-07-14T06:33:20ZZ",
        "2026-07-14T06:33:20+",
        "2026-07-14t06:33:20Z",
    ] {
        assert!(BackupTime::parse(name).is_err(), "{name}");
    }
    for name in ["ab", "a/b", &"x".repeat(33)] {
        assert!(
            Layout::new(Path::new("/s"), Path::new("/l"), name).is_err(),
            "{name}"
        );
    }
}

#[test]
fn error_of_a_name_says_what_is_wrong_with_it() {
    let message = |error: InvalidName| error.to_string();
    let layout = |base: &str, name: &str| {
        let error = Layout::new(Path::new(base), Path::new("/l"), name).unwrap_err();
        message(error)
    };
    assert_eq!(layout("t1", "store"), "path \"t1\" is not absolute");
    let short = layout("/s", "st");
    assert_eq!(short, "datastore name \"st\" must have 3 to 32 characters");
    let id = message(Group::parse(Namespace::ROOT, "vm/..").unwrap_err());
    assert_eq!(id, format!("backup id \"..\" {SAFE_ID}"));
    let time = message(BackupTime::parse("\u{1b}[2J").unwrap_err());
    assert!(
        time.starts_with("backup time \"\\u{1b}[2J\" is no time"),
        "{time}"
    );
    let long = message(Namespace::new(&"\u{e9}".repeat(5_000_000)).unwrap_err());
    assert!(
        long.len() < 1000 && long.contains("\u{e9}\".. must consist"),
        "{long}"
    );
}

#[test]
fn times_are_seconds_since_1970() {
    for (name, epoch) in [
        ("1970-01-01T00:00:00Z", 0),
        ("1969-12-31T23:59:59Z", -1),
        ("2026-07-14T04:33:20Z", 1_784_003_600),
        ("2024-02-29T23:59:59Z", 1_709_251_199),
        ("0000-01-01T00:00:00Z", -62_167_219_200),
        ("9999-12-31T23:59:59Z", 253_402_300_799),
    ] {
        let time = BackupTime::parse(name).unwrap();
        assert_eq!(time.epoch(), epoch);
        assert_eq!(BackupTime::from_epoch(epoch).unwrap(), time);
        assert_eq!(time.to_string(), name);
    }
    for epoch in [i64::MIN, -62_167_219_201, 253_402_300_800, i64::MAX] {
        assert!(BackupTime::from_epoch(epoch).is_err(), "{epoch}");
    }
}

proptest! {
    #[test]
    fn order_of_names_is_that_of_time(a in -62_167_219_200i64..253_402_300_800, b in -62_167_219_200i64..253_402_300_800) {
        let time = |epoch| BackupTime::from_epoch(epoch).unwrap();
        prop_assert_eq!(BackupTime::parse(&time(a).to_string()).unwrap(), time(a));
        prop_assert_eq!(time(a).to_string().cmp(&time(b).to_string()), a.cmp(&b));
        prop_assert_eq!(time(a).cmp(&time(b)), a.cmp(&b));
    }
}
