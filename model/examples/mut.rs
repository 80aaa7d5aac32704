use model::{Scope, engine};
use specs::{Scenario, mutant::MUTANTS};
fn main() {
    let from = std::env::args().nth(1).unwrap_or_default();
    for m in MUTANTS.iter().filter(|m| m.name.contains(&from)) {
        let s = Scenario::named(m.scenario).unwrap();
        let scope = Scope::new(s, m.design(), m.fault());
        let r = engine::explore(&scope, &engine::Options::default()).unwrap().record;
        let hit = r.properties.iter().find(|p| p.name == m.property.name());
        let len = hit.and_then(|p| p.first.as_ref().map(|t| t.steps.len()));
        println!("{:6} {:60} {:40} {:?} {}", m.number, m.name, m.property.name(), len, r.failures().iter().map(|f| f.to_string()).filter(|f| !f.starts_with(m.property.name())).collect::<Vec<_>>().join("; "));
    }
}
