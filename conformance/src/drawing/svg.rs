//! A behaviour as a picture: lanes with the lock spans as bars, and the state in which it ends.
//!
//! One drawing for `lockstep trace --format svg` and for the browser. It stands alone, its text can be selected, what
//! the pointer rests on explains itself, and its colours follow the reader's choice of light or dark.

use super::picture::{Picture, chunk_in_words};
use super::{Drawing, Line, Lock, actor_name};
use crate::projection::Chunk;
use specs::LockClass;
use specs::id::Actor;
use specs::lock_class::{CLASSES, Mode};

/// Width of a character of the font, in pixels, rounded up.
const CHARACTER: usize = 8;
/// Height of a line.
const LINE: usize = 22;
/// Width of the column of a lock.
const COLUMN: usize = 14;
/// Width of the column of numbers.
const NUMBERS: usize = 64;
/// Height of the head with the names of the actors and of the classes of locks.
const HEAD: usize = 128;

/// Middle tones, which can be told from light and from dark, one for each class of locks by its rank.
const TONES: [&str; 9] = [
    "#7f8c9b", "#4f81bd", "#c0794a", "#5b9a68", "#9a6bb0", "#b8923a", "#3f9c9c", "#b0566b",
    "#77804a",
];

const STYLE: &str = ".lockstep{--paper:#ffffff;--ink:#20262d;--faint:#9aa3ad;--alarm:#b3261e}\
@media(prefers-color-scheme:dark){.lockstep{--paper:#1b2027;--ink:#e3e7ec;--faint:#6d7783;--alarm:#ff8a80}}\
.lockstep text{font:12px ui-monospace,Menlo,Consolas,monospace;fill:var(--ink);white-space:pre}\
.lockstep .paper{fill:var(--paper)}\
.lockstep .faint{fill:var(--faint)}\
.lockstep .strong{font-weight:bold}\
.lockstep .alarm{fill:var(--alarm);font-weight:bold}\
.lockstep line{stroke:var(--faint);stroke-width:1}\
.lockstep .hollow{fill:none;stroke-width:2;stroke-dasharray:3 2}";

/// Draws a behaviour; the text is a whole SVG document.
pub fn draw(drawing: &Drawing) -> String {
    let mut canvas = Canvas::default();
    let lanes = lanes(drawing);
    for (n, mark) in drawing.marks.iter().enumerate() {
        canvas.text(8, 20 + LINE * n, "alarm", &drawing.told(mark), "");
    }
    heads(&mut canvas, drawing, &lanes);
    let head = head(drawing);
    let end = head + LINE * drawing.lines.len();
    for lane in &lanes {
        canvas.line(lane.text, head - 8, lane.text, end);
        for (n, lock) in lane.locks.iter().enumerate() {
            bars(&mut canvas, drawing, lock, lane.left + COLUMN * n);
        }
    }
    for (n, line) in drawing.lines.iter().enumerate() {
        row(&mut canvas, drawing, &lanes, line, head + LINE * n);
    }
    if let Some(state) = drawing.states.last() {
        let picture = Picture::of(&drawing.scope, state);
        panel(&mut canvas, &picture, end + LINE);
    }
    canvas.finish(&drawing.scope.scenario.name.replace('_', " "))
}

/// Where an actor is drawn.
struct Lane<'a> {
    actor: Actor,
    left: usize,
    text: usize,
    locks: Vec<&'a Lock>,
}

fn lanes(drawing: &Drawing) -> Vec<Lane<'_>> {
    let mut left = NUMBERS;
    let mut lanes = Vec::new();
    for actor in drawing.scope.actors() {
        let locks: Vec<&Lock> = drawing
            .locks
            .iter()
            .filter(|lock| lock.actor == actor)
            .collect();
        let own = drawing
            .lines
            .iter()
            .filter(|line| line.actor == Some(actor));
        let name = actor_name(&drawing.scope, actor).len();
        let longest = own.map(|line| drawing.text(line).len()).max();
        let text = left + COLUMN * locks.len() + 4;
        lanes.push(Lane {
            actor,
            left,
            text,
            locks,
        });
        left = text + CHARACTER * longest.unwrap_or(0).max(name) + 24;
    }
    lanes
}

/// Where the first line begins: below the marks, the names of the actors and those of the classes.
fn head(drawing: &Drawing) -> usize {
    HEAD + LINE * drawing.marks.len()
}

fn heads(canvas: &mut Canvas, drawing: &Drawing, lanes: &[Lane<'_>]) {
    for lane in lanes {
        let name = actor_name(&drawing.scope, lane.actor);
        canvas.text(lane.text + 4, head(drawing) - 14, "strong", &name, "");
        for (n, lock) in lane.locks.iter().enumerate() {
            let x = lane.left + COLUMN * n + 11;
            let y = head(drawing) - 14;
            let tone = tone(lock.class);
            canvas.body += &format!(
                "<text transform=\"translate({x},{y}) rotate(-90)\" style=\"fill:{tone}\"><title>{}</title>{}</text>",
                escape(&lock.label),
                lock.class.name(),
            );
        }
    }
}

/// Where an event lies in the drawing: after it, within the height of its line.
fn height_of(drawing: &Drawing, event: usize) -> usize {
    let at = drawing
        .lines
        .iter()
        .position(|line| (line.first..=line.last).contains(&event));
    let n = at.unwrap_or(drawing.lines.len());
    let within = drawing.lines.get(n).map_or(0, |line| {
        LINE * (2 * (event - line.first) + 1) / (2 * (line.last - line.first + 1))
    });
    head(drawing) + LINE * n + within
}

fn bars(canvas: &mut Canvas, drawing: &Drawing, lock: &Lock, left: usize) {
    for span in &lock.spans {
        let top = height_of(drawing, span.taken);
        let end = span.released.unwrap_or(drawing.events.len());
        let bottom = height_of(drawing, end);
        let mode = match span.mode {
            Some(Mode::Shared) => ", shared",
            Some(Mode::Exclusive) => ", exclusive",
            None => "",
        };
        let until = span.released.map_or_else(
            || "to the end".to_owned(),
            |n| format!("to event {}", n + 1),
        );
        let word = if span.is_real {
            "has"
        } else {
            "relies, without having it, on"
        };
        let title = format!(
            "{} {word} {}{mode}, from event {} {until}",
            actor_name(&drawing.scope, lock.actor),
            lock.label,
            span.taken + 1,
        );
        let height = bottom.saturating_sub(top).max(4);
        let is_filled = span.is_real && span.mode != Some(Mode::Shared);
        canvas.bar(
            (left + 2, top, COLUMN - 4, height),
            lock.class,
            is_filled,
            &title,
        );
    }
}

fn row(canvas: &mut Canvas, drawing: &Drawing, lanes: &[Lane<'_>], line: &Line, top: usize) {
    let number = if line.first == line.last {
        (line.first + 1).to_string()
    } else {
        format!("{}-{}", line.first + 1, line.last + 1)
    };
    let y = top + LINE - 7;
    canvas.text(8, y, "faint", &number, "");
    let lane = lanes.iter().find(|lane| Some(lane.actor) == line.actor);
    let x = lane.map_or(NUMBERS, |lane| lane.text + 4);
    let title: Vec<String> = (line.first..=line.last)
        .map(|event| {
            let said = super::describe(&drawing.scope, &drawing.events[event]);
            format!("{} {said}: {}", event + 1, drawing.reason(event))
        })
        .collect();
    let said = drawing.text(line);
    let class = match (drawing.mark_of(line).is_some(), lane) {
        (true, _) => "alarm",
        (false, None) => "strong",
        (false, Some(_)) => "",
    };
    canvas.text(x, y, class, &said, &title.join("\n"));
}

/// The state in which the behaviour ends: actors as rows with their locks, then places, chunks and journal.
fn panel(canvas: &mut Canvas, picture: &Picture, top: usize) {
    let mut y = top;
    canvas.text(8, y, "strong", "the state after that", "");
    for actor in &picture.actors {
        y += LINE;
        canvas.text(8, y, "", &format!("{}: {}", actor.name, actor.next), "");
        let mut boxes: Vec<(LockClass, String, bool)> = actor.locks.clone();
        if let Some((class, by)) = &actor.wants {
            boxes.push((
                *class,
                format!("wants {}: {by} has it", class.name()),
                false,
            ));
        }
        if boxes.is_empty() {
            continue;
        }
        y += LINE;
        let mut x = 24;
        for (class, label, is_real) in boxes {
            let width = CHARACTER * label.len() + 28;
            canvas.bar((x, y - 11, 14, 12), class, is_real, &label);
            canvas.text(x + 20, y, "", &label, "");
            x += width;
        }
    }
    if picture.actors.iter().all(|actor| actor.locks.is_empty()) {
        y += LINE;
        canvas.text(24, y, "faint", "nobody has a lock", "");
    }
    let mut facts: Vec<(String, String)> = Vec::new();
    for (path, lines) in &picture.places {
        let text = if lines.is_empty() {
            "nothing".to_owned()
        } else {
            lines.join(" | ")
        };
        facts.push((path.clone(), text));
    }
    for (path, chunk) in &picture.chunks {
        facts.push((path.clone(), chunk_in_words(chunk)));
    }
    let journal = match &picture.journal {
        None => "no file".to_owned(),
        Some(lines) if lines.is_empty() => "empty".to_owned(),
        Some(lines) => lines.join(" | "),
    };
    facts.push(("move journal".to_owned(), journal));
    let left = facts.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    y += 8;
    for (name, text) in facts {
        y += LINE;
        let is_alarm = text == chunk_in_words(&Chunk::default());
        canvas.text(8, y, "faint", &name, "");
        let class = if is_alarm { "alarm" } else { "" };
        canvas.text(8 + CHARACTER * (left + 2), y, class, &text, "");
    }
}

fn tone(class: LockClass) -> &'static str {
    let rank = CLASSES.iter().position(|other| other.class == class);
    TONES[rank.unwrap_or(0) % TONES.len()]
}

/// What was drawn, and how much room it takes.
#[derive(Default)]
struct Canvas {
    body: String,
    width: usize,
    height: usize,
}

impl Canvas {
    fn reach(&mut self, x: usize, y: usize) {
        self.width = self.width.max(x);
        self.height = self.height.max(y);
    }

    fn text(&mut self, x: usize, y: usize, class: &str, text: &str, title: &str) {
        self.reach(x + CHARACTER * text.len() + 8, y + 8);
        let title = titled(title);
        let text = escape(text);
        self.body += &format!("<text x=\"{x}\" y=\"{y}\" class=\"{class}\">{title}{text}</text>");
    }

    fn line(&mut self, x1: usize, y1: usize, x2: usize, y2: usize) {
        self.reach(x2, y2);
        self.body += &format!("<line x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\"/>");
    }

    /// A box by its left, top, width and height: filled, or an outline.
    fn bar(
        &mut self,
        (x, y, width, height): (usize, usize, usize, usize),
        class: LockClass,
        is_filled: bool,
        title: &str,
    ) {
        self.reach(x + width, y + height);
        let tone = tone(class);
        let (class, style) = if is_filled {
            ("bar", format!("fill:{tone}"))
        } else {
            ("bar hollow", format!("stroke:{tone}"))
        };
        let title = titled(title);
        self.body += &format!(
            "<rect class=\"{class}\" style=\"{style}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"2\">{title}</rect>"
        );
    }

    fn finish(self, name: &str) -> String {
        let Self {
            body,
            width,
            height,
        } = self;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"lockstep\" role=\"img\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\"><title>{name}</title><style>{STYLE}</style><rect class=\"paper\" width=\"{width}\" height=\"{height}\"/>{body}</svg>\n",
            name = escape(name),
        )
    }
}

fn titled(title: &str) -> String {
    if title.is_empty() {
        String::new()
    } else {
        format!("<title>{}</title>", escape(title))
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
