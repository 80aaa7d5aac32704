//! A scope as stateright's Explorer shows it in a browser: readable steps and states, and a drawing of every path.
//!
//! The Explorer prints states with `Debug` and knows nothing of a scenario's names, so what it explores is the scope
//! with its states dressed up; the checkers search the plain scope.

use crate::drawing::picture::Picture;
use crate::drawing::{Drawing, Mark, actor_name, actor_of, describe, svg};
use crate::thin;
use anyhow::{Context as _, anyhow, bail};
use model::{Scope, State};
use specs::property::Mood;
use specs::{Event, Property};
use stateright::{Model, Path, Property as Checked};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// A scope for the browser.
pub struct Explored {
    scope: Arc<Scope>,
    properties: Vec<Checked<Scope>>,
}

/// A state that prints with the names of its scenario.
#[derive(Clone)]
pub struct Seen {
    state: State,
    scope: Arc<Scope>,
}

/// An event that prints as the name of its step.
#[derive(Clone, PartialEq)]
pub struct Act(Event);

type Judge = fn(&Explored, &Seen) -> bool;

/// stateright asks a property through a bare function, so each place in the list of properties needs one of its own.
const JUDGES: [Judge; 40] = [
    judge::<0>,
    judge::<1>,
    judge::<2>,
    judge::<3>,
    judge::<4>,
    judge::<5>,
    judge::<6>,
    judge::<7>,
    judge::<8>,
    judge::<9>,
    judge::<10>,
    judge::<11>,
    judge::<12>,
    judge::<13>,
    judge::<14>,
    judge::<15>,
    judge::<16>,
    judge::<17>,
    judge::<18>,
    judge::<19>,
    judge::<20>,
    judge::<21>,
    judge::<22>,
    judge::<23>,
    judge::<24>,
    judge::<25>,
    judge::<26>,
    judge::<27>,
    judge::<28>,
    judge::<29>,
    judge::<30>,
    judge::<31>,
    judge::<32>,
    judge::<33>,
    judge::<34>,
    judge::<35>,
    judge::<36>,
    judge::<37>,
    judge::<38>,
    judge::<39>,
];

fn judge<const N: usize>(explored: &Explored, seen: &Seen) -> bool {
    let property = explored.properties.get(N);
    property.is_none_or(|property| (property.condition)(&explored.scope, &seen.state))
}

impl Explored {
    /// Dresses a scope up.
    pub fn new(scope: Scope) -> Self {
        Self {
            properties: scope.properties(),
            scope: Arc::new(scope),
        }
    }

    fn seen(&self, state: State) -> Seen {
        Seen {
            state,
            scope: Arc::clone(&self.scope),
        }
    }

    /// For each property the first event that breaks it, and what the last event is the first one to witness.
    fn marks(&self, states: &[State]) -> Vec<Mark> {
        let first = |property: Property| {
            let is_hit = thin::hits(&self.scope, property);
            let first = states.iter().position(|state| is_hit(&self.scope, state))?;
            first.checked_sub(1)
        };
        let mut marks = Vec::new();
        for property in &self.scope.asked {
            let Some(event) = first(*property) else {
                continue;
            };
            let word = match property.entry().mood {
                Mood::Always => "breaks",
                Mood::Sometimes if event + 2 == states.len() => "witnesses",
                Mood::Sometimes => continue,
            };
            let text = format!("{word} {}", property.name());
            marks.push(Mark { event, text });
        }
        marks.sort_by_key(|mark| mark.event);
        marks
    }
}

impl Model for Explored {
    type State = Seen;
    type Action = Act;

    fn init_states(&self) -> Vec<Seen> {
        vec![self.seen(self.scope.start())]
    }

    fn actions(&self, seen: &Seen, actions: &mut Vec<Act>) {
        self.scope
            .successors(&seen.state, &mut |event, _| actions.push(Act(event)));
    }

    fn next_state(&self, seen: &Seen, Act(event): Act) -> Option<Seen> {
        let next = self.scope.apply(&seen.state, event).ok()?;
        Some(self.seen(next))
    }

    fn properties(&self) -> Vec<Checked<Self>> {
        let pairs = self.properties.iter().zip(JUDGES);
        pairs
            .map(|(property, condition)| Checked {
                expectation: property.expectation.clone(),
                name: property.name,
                condition,
            })
            .collect()
    }

    fn format_action(&self, Act(event): &Act) -> String {
        let said = describe(&self.scope, event);
        match actor_of(event) {
            Some(actor) => format!("{}: {said}", actor_name(&self.scope, actor)),
            None => said,
        }
    }

    fn format_step(&self, seen: &Seen, act: Act) -> Option<String> {
        Some(format!("{:?}", self.next_state(seen, act)?))
    }

    fn as_svg(&self, path: Path<Seen, Act>) -> Option<String> {
        let events: Vec<Event> = path.into_actions().iter().map(|act| act.0).collect();
        let drawing = Drawing::full(&self.scope, &events, None).ok()?;
        let marks = self.marks(&drawing.states);
        Some(svg::draw(&drawing.marked(marks)))
    }
}

impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Picture::of(&self.scope, &self.state), f)
    }
}

impl Hash for Seen {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.state.hash(hasher);
    }
}

impl PartialEq for Seen {
    fn eq(&self, other: &Self) -> bool {
        self.state == other.state
    }
}

impl fmt::Debug for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Event::Step { label, .. } => {
                write!(f, "{}.{}", label.step.op().name(), label.step.name())
            }
            Event::Reached { label, stage, .. } => {
                write!(
                    f,
                    "{}.{} {}",
                    label.step.op().name(),
                    label.step.name(),
                    stage.name()
                )
            }
            Event::Killed { process } => write!(f, "killed process {}", process.0),
            Event::Reloaded { process } => write!(f, "reloaded process {}", process.0),
            Event::FlagSet => write!(f, "flag file created"),
            Event::CutoffPassed => write!(f, "cutoff passed"),
        }
    }
}

/// The part of an address behind the host that shows the start.
pub const START: &str = "#/steps/0";

/// The part of an address behind the host that shows a behaviour: which of the steps offered is taken each time.
///
/// None if the model does not offer one of the events.
pub fn address(scope: &Scope, events: &[Event]) -> Option<String> {
    let mut address = START.to_owned();
    let mut state = scope.start();
    for event in events {
        let mut offered = Vec::new();
        scope.successors(&state, &mut |other, next| offered.push((other, next)));
        let at = offered.iter().position(|(other, _)| other == event)?;
        address += &format!("/{at}");
        state = offered[at].1;
    }
    Some(address)
}

/// A running server.
pub struct Server {
    /// Where it listens, on this host only.
    pub port: u16,
    thread: JoinHandle<()>,
}

/// Starts to serve a scope in the background; 0 stands for any free port. It answers when this comes back.
///
/// # Errors
///
/// If the port is in use or may not be had.
pub fn serve(scope: Scope, port: u16) -> anyhow::Result<Server> {
    // stateright panics where a port is not to be had, so it is asked for first.
    let port = match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
        Ok(listener) => listener.local_addr()?.port(),
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            bail!(
                "port {port} is in use; choose another one with --port, or any free one with --port 0"
            )
        }
        Err(error) => {
            return Err(error).with_context(|| {
                format!("cannot listen on port {port}; choose another one with --port")
            });
        }
    };
    // A folder ui/ in the working directory would replace the pages that are built in; here there can be none.
    std::env::set_current_dir("/proc/self").context("cannot leave the working directory")?;
    let thread = std::thread::Builder::new()
        .name("explorer".to_owned())
        .spawn(move || {
            let checker = Explored::new(scope)
                .checker()
                .serve((Ipv4Addr::LOCALHOST, port));
            drop(checker);
        })?;
    for _ in 0..200 {
        if thread.is_finished() {
            break;
        }
        if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(Server { port, thread });
        }
        std::thread::sleep(Duration::from_millis(25));
    }
    bail!("the server on port {port} does not answer; choose another port with --port")
}

impl Server {
    /// Waits for the server to end, which it does only by failing.
    ///
    /// # Errors
    ///
    /// Always.
    pub fn wait(self) -> anyhow::Result<u8> {
        let ended = self.thread.join();
        let how = if ended.is_ok() { "ended" } else { "failed" };
        Err(anyhow!(
            "the server on port {} has {how}; start it again",
            self.port
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use specs::Design;
    use specs::scenarios::SCENARIOS;

    #[test]
    fn every_property_of_every_scenario_has_its_place_and_the_verdict_of_the_model() {
        for scenario in SCENARIOS {
            let scope = Scope::new(scenario, Design::HARDENED, &[]);
            let explored = Explored::new(scope.clone());
            let start = scope.start();
            let plain = scope.properties();
            let dressed = explored.properties();
            assert_eq!(plain.len(), dressed.len(), "{}", scenario.name);
            for (plain, dressed) in plain.iter().zip(&dressed) {
                assert_eq!(plain.name, dressed.name);
                let judged = (dressed.condition)(&explored, &explored.seen(start));
                assert_eq!(judged, (plain.condition)(&scope, &start), "{}", plain.name);
            }
        }
    }

    #[test]
    fn an_address_names_the_steps_that_lead_there() {
        let scope = Scope::new(&SCENARIOS[0], Design::HARDENED, &[]);
        let explored = Explored::new(scope.clone());
        let mut seen = explored.init_states().remove(0);
        let mut events = Vec::new();
        for _ in 0..5 {
            let mut actions = Vec::new();
            explored.actions(&seen, &mut actions);
            let last = actions.pop().unwrap();
            events.push(last.0);
            seen = explored.next_state(&seen, last).unwrap();
        }
        let address = address(&scope, &events).unwrap();
        assert_eq!(address.split('/').count(), 3 + events.len(), "{address}");
        assert!(format!("{seen:?}").contains("move_group in other"));
    }
}
