//! A behaviour in Apalache's Informal Trace Format (ITF): JSON that trace viewers and other model checkers read.
//!
//! A state has the same variables throughout. Sets are `{"#set": [..]}`, maps
//! `{"#map": [[key, value], ..]}`; sequences are arrays and records objects.

use crate::drawing::picture::chunk_in_words;
use crate::drawing::{Drawing, actor_name, describe, lock_label};
use crate::expected::expected;
use crate::projection::{Lock, Namespaces, OwnerFile, Projected};
use model::locks;
use model::{Scope, State};
use serde_json::{Value, json};
use specs::scenario::{Flag, OWNERS};
use specs::{Event, Id, Scenario};

/// The variables of a state, in their order.
pub const VARIABLES: &[&str] = &[
    "namespaces",
    "type_directories",
    "children_directories",
    "snapshots",
    "index_files",
    "groups",
    "owner_files",
    "owners",
    "notes",
    "chunks",
    "journal",
    "journal_exists",
    "lock_files",
    "lock_holders",
    "locks_of",
    "next_steps",
    "environment_may_still",
    "last_event",
];

/// The whole trace.
pub fn trace(drawing: &Drawing) -> Value {
    let scope = &drawing.scope;
    let before = std::iter::once(None).chain(drawing.events.iter().map(Some));
    let states: Vec<Value> = drawing
        .states
        .iter()
        .zip(before)
        .enumerate()
        .map(|(n, (state, event))| {
            let mut value = variables(scope, state, event);
            value["#meta"] = json!({ "index": n });
            value
        })
        .collect();
    json!({
        "#meta": {
            "format": "ITF",
            "format-description": "https://apalache-mc.org/docs/adr/015adr-trace.html",
            "description": format!(
                "{} under {}{}",
                scope.scenario.name,
                scope.design.name(),
                drawing
                    .marks
                    .iter()
                    .map(|mark| format!("; {}", drawing.told(mark)))
                    .collect::<String>()
            ),
        },
        "vars": VARIABLES,
        "states": states,
    })
}

fn variables(scope: &Scope, state: &State, event: Option<&Event>) -> Value {
    let scenario = scope.scenario;
    let seen = expected(scope, state, "");
    let groups = |masks: &[Namespaces]| {
        let names = scenario.groups.iter().map(|name| (*name).to_owned());
        places(scenario, names, masks)
    };
    let snapshots = scenario
        .snapshots
        .iter()
        .map(|at| format!("{}/{}", scenario.groups[usize::from(at.group.0)], at.time));
    let root = specs::id::Namespace(0);
    let indexes = scenario
        .all_indexes()
        .map(|index| scenario.path(Id::Index(root, index)));
    let process = |id: &specs::id::Process| scenario.processes[usize::from(id.0)];
    let mut holders: Vec<(Value, Value)> = seen
        .locks
        .iter()
        .filter(|lock| !lock.holders.is_empty())
        .map(|lock| {
            let by = lock.holders.iter().map(|holder| {
                json!({
                    "process": process(&holder.process),
                    "is_at_path": holder.is_at_path,
                    "is_shared": holder.is_shared,
                })
            });
            (json!(lock.lock.path(scenario)), set(by))
        })
        .collect();
    if !seen.store_holders.is_empty() {
        let by = seen.store_holders.iter().map(|holder| {
            json!({
                "process": process(&holder.process),
                "is_at_path": true,
                "is_shared": holder.is_shared,
            })
        });
        holders.push((json!(".lock of the datastore"), set(by)));
    }
    let actor = |id| json!(actor_name(scope, id));
    json!({
        "namespaces": paths(scenario, seen.namespaces),
        "type_directories": paths(scenario, seen.type_directories),
        "children_directories": paths(scenario, seen.children_directories),
        "snapshots": places(scenario, snapshots, &seen.snapshots),
        "index_files": places(scenario, indexes, &seen.indexes),
        "groups": groups(&seen.groups),
        "owner_files": groups(&seen.owners),
        "owners": map(owners(scenario, &seen)),
        "notes": groups(&seen.notes),
        "chunks": map(scenario.all_chunks().zip(&seen.chunks).map(|(id, chunk)| {
            (json!(Scenario::digest(id)), json!(chunk_in_words(chunk)))
        })),
        "journal": String::from_utf8_lossy(seen.journal.as_deref().unwrap_or_default())
            .split_inclusive('\n')
            .collect::<Vec<_>>(),
        "journal_exists": seen.journal.is_some(),
        "lock_files": set(seen.locks.iter().filter(|lock| lock.has_file && is_file(lock.lock)).map(|lock| json!(lock.lock.path(scenario)))),
        "lock_holders": map(holders),
        "locks_of": map(scope.actors().map(|id| {
            let all = locks::possessions(scope, state, id);
            let held = all.iter().map(|lock| json!({
                "lock": lock_label(scope, lock),
                "is_held": lock.is_locked,
                "is_relied_on": lock.is_relied_on,
            }));
            (actor(id), set(held))
        })),
        "next_steps": map(scope.actors().map(|id| {
            let labels = scope.labels(state, id).into_iter();
            let names = labels.map(|label| json!(label.map(|id| scenario.path(id)).to_string()));
            (actor(id), set(names))
        })),
        "environment_may_still": {
            "kill": integer(state.kills),
            "let_the_cutoff_pass": integer(state.cutoff_passes),
            "fill_the_tmpfs": integer(state.full_tmpfs),
            "run_out_of_inodes": integer(state.no_inode),
            "disconnect_a_client": integer(state.disconnects),
            "create_the_flag_file": integer(u8::from(scenario.generations.flag == Flag::Created && state.flag == 0)),
            "reload_the_daemon": integer(u8::from(scenario.environment.reload.is_some() && state.reloaded == 0)),
        },
        "last_event": last_event(scope, event),
    })
}

/// Whether a lock has a file that comes and goes: that of a namespace is as good as always there.
const fn is_file(lock: Lock) -> bool {
    !matches!(lock, Lock::Namespace(_)) && !lock.is_directory()
}

/// Integers are strings, because they may be larger than a number of JSON.
fn integer(number: u8) -> Value {
    json!({ "#bigint": number.to_string() })
}

/// The event before a state, as a record with the same fields for every kind of event.
fn last_event(scope: &Scope, event: Option<&Event>) -> Value {
    let record = |kind: &str, who: &str, step: &str, argument: &str, outcome: &str| json!({ "kind": kind, "who": who, "step": step, "argument": argument, "outcome": outcome });
    match event {
        None => record("start", "", "", "", ""),
        Some(Event::Step {
            actor,
            label,
            outcome,
        }) => record(
            "step",
            &actor_name(scope, *actor),
            &format!("{}.{}", label.step.op().name(), label.step.name()),
            &label
                .of
                .map(|id| scope.scenario.path(id))
                .unwrap_or_default(),
            &format!("{outcome:?}"),
        ),
        Some(Event::Reached {
            actor,
            label,
            stage,
        }) => record(
            "stage",
            &actor_name(scope, *actor),
            &format!("{}.{}", label.step.op().name(), label.step.name()),
            &label
                .of
                .map(|id| scope.scenario.path(id))
                .unwrap_or_default(),
            stage.name(),
        ),
        Some(Event::Killed { process }) => {
            let name = scope.scenario.processes[usize::from(process.0)];
            record("killed", name, "", "", "")
        }
        Some(event @ (Event::Reloaded { .. } | Event::FlagSet | Event::CutoffPassed)) => {
            record("environment", "", &describe(scope, event), "", "")
        }
    }
}

/// For each name the set of namespaces in which it is.
fn places(scenario: &Scenario, names: impl Iterator<Item = String>, masks: &[Namespaces]) -> Value {
    let places = names.zip(masks);
    map(places.map(|(name, mask)| (json!(name), paths(scenario, *mask))))
}

/// A set of namespaces.
fn paths(scenario: &Scenario, mask: Namespaces) -> Value {
    let namespaces = scenario.all_namespaces().filter(|n| mask >> n.0 & 1 != 0);
    set(namespaces.map(|n| json!(scenario.namespace_path(n))))
}

/// What the owner files say, by the paths of their groups; empty for an empty file.
fn owners(scenario: &Scenario, seen: &Projected) -> Vec<(Value, Value)> {
    let groups = scenario
        .all_namespaces()
        .flat_map(|n| scenario.all_groups().map(move |g| Id::Group(n, g)));
    let name = |owner: &OwnerFile| match owner {
        OwnerFile::Missing => None,
        OwnerFile::Empty => Some(""),
        OwnerFile::Owner(owner) => Some(OWNERS[usize::from(*owner)]),
        OwnerFile::Unknown => Some("?"),
    };
    groups
        .zip(&seen.owner_names)
        .filter_map(|(id, owner)| Some((json!(scenario.path(id)), json!(name(owner)?))))
        .collect()
}

fn set(items: impl Iterator<Item = Value>) -> Value {
    let mut distinct: Vec<Value> = Vec::new();
    for item in items {
        if !distinct.contains(&item) {
            distinct.push(item);
        }
    }
    json!({ "#set": distinct })
}

fn map(pairs: impl IntoIterator<Item = (Value, Value)>) -> Value {
    let pairs: Vec<Value> = pairs
        .into_iter()
        .map(|(key, value)| json!([key, value]))
        .collect();
    json!({ "#map": pairs })
}
