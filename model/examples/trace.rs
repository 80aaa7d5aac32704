use model::{Scope, engine};
use specs::{Design, Property, Scenario};
fn main() {
    let a: Vec<String> = std::env::args().skip(1).collect();
    let s = Scenario::named(&a[0]).unwrap();
    let d = *Design::ALL.iter().find(|d| d.name() == a[1]).unwrap();
    let p = *Property::ALL.iter().find(|p| p.name() == a[2]).unwrap();
    let scope = Scope::new(s, d, None).asking(p);
    let e = engine::explore(&scope, &engine::Options::default()).unwrap();
    for prop in &e.record.properties {
        if prop.name == p.name() {
            if let Some(first) = &prop.first {
                for ev in first.actions() {
                    let ev = ev.map(|id| s.path(id));
                    match ev {
                        specs::Event::Step {
                            actor,
                            label,
                            outcome,
                        } => println!(
                            "{:>width$}{} {:?}",
                            "",
                            label,
                            outcome,
                            width = 4 * usize::from(actor.0)
                        ),
                        other => println!("{other:?}"),
                    }
                }
            }
        }
    }
}
