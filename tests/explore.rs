//! The explorer as its users see it: over HTTP, and in a real browser.
//!
//! Where there is no Chromium the tests in the browser say that they are skipped; with `LOCKSTEP_REQUIRE_CHROMIUM=1`
//! that is a failure.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const LOCKSTEP: &str = env!("CARGO_BIN_EXE_lockstep");

/// A running `lockstep explore` on a free port; killed when it is dropped.
struct Explorer {
    child: Child,
    record: Value,
}

impl Explorer {
    fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(LOCKSTEP)
            .args(["explore", "--port", "0", "--format", "json"])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        let record = serde_json::from_str(&line).unwrap();
        Self { child, record }
    }

    fn url(&self) -> &str {
        self.record["url"].as_str().unwrap()
    }

    fn port(&self) -> u16 {
        let host = self.url().split('/').nth(2).unwrap();
        host.split(':').nth(1).unwrap().parse().unwrap()
    }

    /// The status and the body of an answer.
    fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port())).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, body.to_owned())
    }

    fn states(&self, path: &str) -> Vec<Value> {
        let (status, body) = self.get(&format!("/.states{path}"));
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }
}

impl Drop for Explorer {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn actions(states: &[Value]) -> Vec<&str> {
    states.iter().filter_map(|s| s["action"].as_str()).collect()
}

#[test]
fn the_next_steps_come_with_readable_states_and_with_a_drawing() {
    let explorer = Explorer::start(&["one_move_meets_gc"]);
    assert_eq!(explorer.record["scenario"], "one_move_meets_gc");
    let start = explorer.states("");
    assert_eq!(start.len(), 1);
    assert!(start[0]["svg"].as_str().unwrap().starts_with("<svg "));

    let first = explorer.states("/0");
    assert_eq!(
        actions(&first),
        [
            "gc in proxy: lock_gc_slot",
            "move_group in other: lock_source_group"
        ]
    );
    let outcome = first[0]["outcome"].as_str().unwrap();
    assert!(outcome.contains("    holds gc_slot\n"), "{outcome}");
    assert!(outcome.contains("ns/a: vm/100: 2026"), "{outcome}");
    let drawing = first[0]["svg"].as_str().unwrap();
    assert!(
        drawing.contains("gc in proxy has gc_slot, exclusive, from event 1 to the end"),
        "{drawing}"
    );
    assert!(!first[1]["svg"].as_str().unwrap().contains("has gc_slot"));
}

#[test]
fn a_step_that_is_not_offered_is_answered_and_ends_nothing() {
    let explorer = Explorer::start(&["one_move_meets_gc"]);
    for path in ["/.states/0/99", "/.states/7", "/.states/x", "/nothing"] {
        assert_eq!(explorer.get(path).0, 404, "{path}");
    }
    // Somebody who asks and goes away before the answer.
    for _ in 0..20 {
        let mut stream = TcpStream::connect(("127.0.0.1", explorer.port())).unwrap();
        write!(stream, "GET /.states/0/0/0 HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    }
    assert_eq!(explorer.states("/0").len(), 2);
}

#[test]
fn the_counterexample_of_a_mutant_has_an_address_and_ends_in_its_violation() {
    let explorer = Explorer::start(&["--mutant", "history/rename_before_append"]);
    let address = explorer.record["counterexample"].as_str().unwrap();
    let path = address.split("#/steps").nth(1).unwrap();
    let (before, last) = path.rsplit_once('/').unwrap();
    let last = &explorer.states(before)[last.parse::<usize>().unwrap()];
    let drawing = last["svg"].as_str().unwrap();
    // The address begins with the state at the start.
    let events = path.trim_matches('/').split('/').count() - 1;
    assert!(
        drawing.contains(&format!("event {events} breaks live_chunk_is_never_swept")),
        "{drawing}"
    );
}

#[test]
fn run_to_completion_counts_what_check_counts_and_finds_the_violation() {
    let variant = ["one_move_meets_gc", "--design", "upstream"];
    let explorer = Explorer::start(&variant);
    let mut stream = TcpStream::connect(("127.0.0.1", explorer.port())).unwrap();
    write!(stream, "POST /.runtocompletion HTTP/1.0\r\n\r\n").unwrap();
    stream.read_to_string(&mut String::new()).unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    let status: Value = loop {
        let status: Value = serde_json::from_str(&explorer.get("/.status").1).unwrap();
        if status["done"] == true {
            break status;
        }
        assert!(Instant::now() < deadline, "{status}");
        std::thread::sleep(Duration::from_millis(50));
    };
    let check = Command::new(LOCKSTEP)
        .args(["check", "--format", "json", "--engine", "lockstep"])
        .args(variant)
        .output()
        .unwrap();
    let check: Value = serde_json::from_slice(&check.stdout).unwrap();
    assert_eq!(status["unique_state_count"], check["states"]);
    let found = |name: &str| {
        let all = status["properties"].as_array().unwrap();
        all.iter().find(|p| p[1] == name).unwrap()[2].clone()
    };
    assert_eq!(found("live_chunk_is_never_swept"), Value::Null);
    let path = found("gc_that_meets_no_abort_condition_finishes");
    let (before, last) = path.as_str().unwrap().rsplit_once('/').unwrap();
    let last = &explorer.states(&format!("/{before}"))[last.parse::<usize>().unwrap()];
    let drawing = last["svg"].as_str().unwrap();
    assert!(
        drawing.contains(" breaks gc_that_meets_no_abort_condition_finishes"),
        "{drawing}"
    );
}

#[test]
fn a_port_in_use_is_refused_in_one_sentence() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let output = Command::new(LOCKSTEP)
        .args(["explore", "one_move_meets_gc", "--port", &port])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains(&port) && text.contains("--port"), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(output.stdout.is_empty());
}

#[test]
fn wrong_names_are_refused_before_anything_is_served() {
    for (arguments, hint) in [
        (vec!["one_move_meet_gc"], "one_move_meets_gc"),
        (vec![], "name a scenario"),
        (
            vec!["one_move_meets_gc", "--design", "upstraem"],
            "upstream",
        ),
        (
            vec!["one_move_meets_gc", "--format", "svg"],
            "lockstep trace",
        ),
    ] {
        let output = Command::new(LOCKSTEP)
            .args(["explore", "--port", "0"])
            .args(&arguments)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.contains(hint), "{text}");
    }
}

#[test]
fn an_interrupt_ends_it_with_130() {
    let mut explorer = Explorer::start(&["one_move_meets_gc"]);
    let pid = nix::unistd::Pid::from_raw(i32::try_from(explorer.child.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    let status = loop {
        if let Some(status) = explorer.child.try_wait().unwrap() {
            break status;
        }
        assert!(Instant::now() < deadline, "it goes on after the interrupt");
        std::thread::sleep(Duration::from_millis(10));
    };
    assert_eq!(status.code(), Some(130));
}

/// Chromium under one of its names.
fn chromium() -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let found = std::env::split_paths(&folders)
        .flat_map(|folder| names.map(|name| folder.join(name)))
        .find(|path| path.is_file());
    if found.is_none() {
        let required = std::env::var_os("LOCKSTEP_REQUIRE_CHROMIUM").is_some_and(|v| v == "1");
        assert!(
            !required,
            "there is no chromium, and LOCKSTEP_REQUIRE_CHROMIUM is set"
        );
        eprintln!("skipped: no chromium");
    }
    found
}

/// The page at an address after its scripts have run.
fn page(chromium: &PathBuf, url: &str) -> String {
    let profile = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let output = Command::new(chromium)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
        ])
        .args(["--virtual-time-budget=20000", "--dump-dom"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(url)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success() && text.contains("<html"),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    text
}

#[test]
fn the_page_shows_the_first_steps_of_the_scenario() {
    let Some(chromium) = chromium() else { return };
    let explorer = Explorer::start(&["one_move_meets_gc"]);
    let page = page(&chromium, explorer.url());
    for wanted in [
        ">gc in proxy: lock_gc_slot</a>",
        ">move_group in other: lock_source_group</a>",
        "live_chunk_is_never_swept",
        "<svg ",
        "nobody has a lock",
    ] {
        assert!(page.contains(wanted), "no {wanted} in {page}");
    }
}

#[test]
fn the_page_of_a_path_draws_who_holds_which_lock() {
    let Some(chromium) = chromium() else { return };
    let explorer = Explorer::start(&["one_move_meets_gc"]);
    // Garbage collection takes its slot and the process lock, then the move its source group.
    let url = format!("{}/0/0/1", explorer.url());
    let page = page(&chromium, &url);
    for wanted in [
        "gc in proxy has store, exclusive, from event 2 to the end",
        "move_group in other has group ns/a/vm/100, exclusive, from event 3 to the end",
        "class=\"bar\"",
        ">move_group in other: check_move</a>",
    ] {
        assert!(page.contains(wanted), "no {wanted} in {page}");
    }
    assert!(!page.contains("nobody has a lock"));
}
