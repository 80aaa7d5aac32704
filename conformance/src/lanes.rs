//! A behaviour as text: one lane an actor, time downwards, lock spans as bars of letters.
//!
//! The number in front is that of the event, or those of the events that share the line. In front of an actor's
//! lane stands a column for each lock that it ever has; the letter runs from the line in which the lock is taken to
//! the line before the one in which it is let go, a small letter is a lock that is taken and let go within one line,
//! and `?` is one on which the actor relies although nobody gave it. The legend below names the letters.

use crate::drawing::picture::Picture;
use crate::drawing::{Drawing, Line, Lock, actor_name};
use specs::id::Actor;

/// Widest text of a lane that has another one to its right; what is longer hides the bars behind it.
const WIDEST: usize = 58;

/// Draws a behaviour.
pub fn draw(drawing: &Drawing) -> String {
    let scope = &drawing.scope;
    let letters = letters(drawing);
    let lanes: Vec<Lane<'_>> = scope
        .actors()
        .map(|actor| Lane::new(drawing, &letters, actor))
        .collect();
    let widest = drawing.lines.iter().map(|line| number(line).len()).max();
    let margin = widest.unwrap_or(0).max(3);

    let heads: Vec<String> = scope
        .actors()
        .zip(&lanes)
        .map(|(actor, lane)| {
            format!(
                "{:gutter$}{}",
                "",
                actor_name(scope, actor),
                gutter = lane.gutter()
            )
        })
        .collect();
    let mut text = row(margin, "", &heads, &lanes);
    for line in &drawing.lines {
        let said = drawing.text(line);
        let mut cells: Vec<String> = lanes
            .iter()
            .map(|lane| format!("{}|", lane.bars(line)))
            .collect();
        let end = drawing
            .mark_of(line)
            .map(|mark| format!("  <== {mark}"))
            .unwrap_or_default();
        match line.actor {
            Some(Actor(actor)) => {
                let actor = usize::from(actor);
                cells[actor] = format!("{}{said}{end}", lanes[actor].bars(line));
            }
            None => cells = vec![format!("-- {said} --{end}")],
        }
        text += &row(margin, &number(line), &cells, &lanes);
    }
    text + &legend(drawing, &letters) + &waiting(drawing)
}

/// Who wants a lock in the end that somebody else has.
fn waiting(drawing: &Drawing) -> String {
    let Some(state) = drawing.states.last() else {
        return String::new();
    };
    let mut text = String::new();
    for actor in Picture::of(&drawing.scope, state).actors {
        if let Some((class, by)) = actor.wants {
            let name = actor.name;
            text += &format!(
                "in the end {name} wants the {} lock that {by} has\n",
                class.name()
            );
        }
    }
    text
}

/// A lane: the locks of its actor with their letters, and its width.
struct Lane<'a> {
    locks: Vec<(char, &'a Lock)>,
    width: usize,
}

impl<'a> Lane<'a> {
    fn new(drawing: &'a Drawing, letters: &[char], actor: Actor) -> Self {
        let locks: Vec<(char, &Lock)> = letters
            .iter()
            .copied()
            .zip(&drawing.locks)
            .filter(|(_, lock)| lock.actor == actor)
            .collect();
        let texts = drawing
            .lines
            .iter()
            .filter(|line| line.actor == Some(actor))
            .map(|line| drawing.text(line).len());
        let name = actor_name(&drawing.scope, actor).len();
        let text = texts.chain([name]).max().unwrap_or(name).min(WIDEST);
        let mut lane = Self { locks, width: 0 };
        lane.width = lane.gutter() + text + 2;
        lane
    }

    /// Columns in front of the text.
    fn gutter(&self) -> usize {
        match self.locks.len() {
            0 => 0,
            locks => locks + 1,
        }
    }

    /// What the actor has in a line.
    fn bars(&self, line: &Line) -> String {
        let mut bars: String = self
            .locks
            .iter()
            .map(|(letter, lock)| bar(*letter, lock, line))
            .collect();
        if !bars.is_empty() {
            bars.push(' ');
        }
        bars
    }
}

fn bar(letter: char, lock: &Lock, line: &Line) -> char {
    let at_end = lock.spans.iter().find(|span| span.covers(line.last));
    let within = lock
        .spans
        .iter()
        .any(|span| (line.first..line.last).contains(&span.taken));
    match at_end {
        Some(span) if span.is_real => letter,
        Some(_) => '?',
        None if within => letter.to_ascii_lowercase(),
        None => ' ',
    }
}

/// A letter for each lock; the same one for the same lock in every lane.
fn letters(drawing: &Drawing) -> Vec<char> {
    let mut known: Vec<&str> = Vec::new();
    let alphabet: Vec<char> = ('A'..='Z').collect();
    drawing
        .locks
        .iter()
        .map(|lock| {
            let at = known.iter().position(|label| *label == lock.label);
            let at = at.unwrap_or_else(|| {
                known.push(&lock.label);
                known.len() - 1
            });
            alphabet.get(at).copied().unwrap_or('#')
        })
        .collect()
}

/// What the letters stand for, and of the other marks those that occur.
fn legend(drawing: &Drawing, letters: &[char]) -> String {
    let mut named: Vec<String> = letters
        .iter()
        .zip(&drawing.locks)
        .map(|(letter, lock)| format!("{letter} {}", lock.label))
        .collect();
    named.sort();
    named.dedup();
    if named.is_empty() {
        return String::new();
    }
    let occurs = |mark: fn(char) -> bool| {
        let cells = letters.iter().zip(&drawing.locks);
        let mut cells = cells.flat_map(|(letter, lock)| {
            let lines = drawing.lines.iter();
            lines.map(|line| bar(*letter, lock, line))
        });
        cells.any(mark)
    };
    let mut text = format!("locks: {}\n", named.join(", "));
    if occurs(|c| c.is_ascii_lowercase()) {
        text += "       a small letter: taken and let go within the line\n";
    }
    if occurs(|c| c == '?') {
        text += "       ?: relied on without having it\n";
    }
    text
}

fn number(line: &Line) -> String {
    if line.first == line.last {
        (line.first + 1).to_string()
    } else {
        format!("{}-{}", line.first + 1, line.last + 1)
    }
}

fn row(margin: usize, number: &str, cells: &[String], lanes: &[Lane<'_>]) -> String {
    let mut text = format!("{number:>margin$}  ");
    for (cell, lane) in cells.iter().zip(lanes) {
        text.push_str(&format!("{cell:<width$}", width = lane.width));
        if cell.len() >= lane.width {
            break;
        }
    }
    format!("{}\n", text.trim_end())
}
