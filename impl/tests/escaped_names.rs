//! Escaped names of lock files against `systemd-escape`, and against known answers.
//!
//! In a process of their own: one that is made for the tool has a copy of every open file until it runs the tool, and with it
//! every lock that a test of the same process has just let go.

#![allow(clippy::unwrap_used, reason = "tests fail with a panic")]

use datastore::Namespace;
use datastore::lock_names::{self, escape};
use proptest::prelude::*;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;

const REQUIRED: &str = "LOCKSTEP_REQUIRE_SYSTEMD_ESCAPE";

/// What the tool prints for paths; none where there is no tool.
fn systemd_escape(paths: &[Vec<u8>]) -> Option<Vec<String>> {
    let mut command = Command::new("systemd-escape");
    command.args(["--path", "--"]);
    command.args(paths.iter().map(|path| OsStr::from_bytes(path)));
    let output = match command.output() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let required = std::env::var_os(REQUIRED).is_some_and(|v| v == "1");
            assert!(
                !required,
                "there is no systemd-escape, and {REQUIRED} is set"
            );
            eprintln!("skipped: there is no systemd-escape on this machine");
            return None;
        }
        output => output.unwrap(),
    };
    assert!(output.status.success(), "{output:?}");
    let printed = String::from_utf8(output.stdout).unwrap();
    Some(printed.split_whitespace().map(str::to_owned).collect())
}

/// A component of a path, in bytes that need not be text; now and then one that systemd leaves out.
fn component() -> impl Strategy<Value = Vec<u8>> {
    let any = prop::collection::vec(
        any::<u8>().prop_filter("no slash", |b| !b"/\0".contains(b)),
        1..12,
    );
    let id = "[a-z0-9_.-]{1,12}".prop_map(String::into_bytes);
    let left_out = prop::sample::select(vec![vec![], b".".to_vec()]);
    prop_oneof![2 => any, 2 => id, 1 => left_out]
        .prop_filter("systemd refuses it", |name| name != b"..")
}

/// Whether systemd escapes a path: a relative one has to lead somewhere, unless it is empty.
fn is_accepted(path: &[u8]) -> bool {
    let mut components = path.split(|byte| *byte == b'/');
    path.is_empty() || path[0] == b'/' || components.any(|c| !c.is_empty() && c != b".")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn escaped_names_are_those_of_systemd_with_the_colon_escaped_as_well(
        paths in prop::collection::vec(
            (any::<bool>(), prop::collection::vec(component(), 0..5)), 100..200,
        ),
    ) {
        let paths: Vec<Vec<u8>> = paths
            .iter()
            .map(|(absolute, components)| {
                [if *absolute { b"/".as_slice() } else { b"" }, &components.join(&b'/')].concat()
            })
            .filter(|path| is_accepted(path))
            .collect();
        if let Some(printed) = systemd_escape(&paths) {
            let ours: Vec<String> = paths.iter().map(|path| escape(path)).collect();
            // systemd leaves a colon as it is, Proxmox Backup does not.
            let printed: Vec<String> = printed.iter().map(|name| name.replace(':', r"\x3a")).collect();
            prop_assert_eq!(ours, printed);
        }
    }
}

#[test]
fn escaped_names_are_those_of_systemd_where_it_leaves_something_out() {
    let paths = [
        "/", "//", "/a//b/", "./a", "a/.", "", "/.", "//./", "/./a", "/.a", "a/.b", "...", "././.a",
    ];
    let expected = [
        "-", "-", "a-b", "a", "a", "-", "-", "-", "a", r"\x2ea", "a-.b", r"\x2e..", r"\x2ea",
    ];
    let paths = paths.map(|path| path.as_bytes().to_vec());
    assert_eq!(paths.each_ref().map(|path| escape(path)), expected);
    if let Some(printed) = systemd_escape(&paths) {
        assert_eq!(printed, expected);
    }
}

/// Names of lock files as Proxmox Backup has them, worked out by hand and with `sha256sum`: one that is too long has both its
/// ends, and the hash of the name before it was escaped.
#[test]
fn names_are_known_answers() {
    let long = "a-b_".repeat(60);
    let begin = format!("vm-{}a\\x2db_", r"a\x2db_".repeat(10));
    for (raw, file) in [
        (
            "ct/a.b-c/2026-07-14T06:33:20Z/.index.json.lck".to_owned(),
            r"ct-a.b\x2dc-2026\x2d07\x2d14T06\x3a33\x3a20Z-.index.json.lck".to_owned(),
        ),
        (
            format!("vm/{long}"),
            format!(
                r"hashed/{begin}...db_{}-de3e9bf34a036c37433717ed9ae98bbe0e352c6e1a875ea15d43df8c60458527",
                r"a\x2db_".repeat(11),
            ),
        ),
        (
            format!("vm/{long}/2026-07-14T06:33:20Z"),
            format!(
                r"hashed/{begin}...x2db_{}-2026\x2d07\x2d14T06\x3a33\x3a20Z-07b86c05dc6fba402fdd5e75ee016a78bda2d25fc431bf373dcb75b531398d9f",
                r"a\x2db_".repeat(6),
            ),
        ),
        (
            format!("vm/{long}/2026-07-14T06:33:20Z/.index.json.lck"),
            format!(
                r"hashed/{begin}...db_{}-2026\x2d07\x2d14T06\x3a33\x3a20Z-.index.json.lck-c609eb43b0802aaacf4053dbaabfa459ed86f43678aa9e6c559fff2f006fbc8e",
                r"a\x2db_".repeat(4),
            ),
        ),
        // 254 bytes are not too long, 255 are.
        (
            format!("host/{}", "x".repeat(249)),
            format!("host-{}", "x".repeat(249)),
        ),
        (
            format!("host/{}", "x".repeat(250)),
            format!(
                "hashed/host-{}...{}-7c89095c9be6c7ec7d5d7292c3e7ced930e89a592d347c38f6d9c0c6e26e9fae",
                "x".repeat(75),
                "x".repeat(80),
            ),
        ),
    ] {
        let path = lock_names::lock_file(Path::new("/l"), &Namespace::ROOT, &raw);
        assert_eq!(path, Path::new("/l").join(file), "{raw}");
    }
}
