use model::{Scope, engine};
use specs::{Design, Scenario, scenarios::SCENARIOS};
fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let from = args.first().cloned().unwrap_or_default();
    for s in SCENARIOS.iter().filter(|s| s.name.contains(&from)) {
        for d in [Design::Hardened, Design::Upstream] {
            let scope = Scope::new(Scenario::named(s.name).unwrap(), d, None);
            let t = std::time::Instant::now();
            let opt = engine::Options {
                max_states: Some(6_000_000),
                ..Default::default()
            };
            match engine::explore(&scope, &opt) {
                Ok(e) => {
                    let r = e.record;
                    println!(
                        "{:45} {:9} states {:8} edges {:9} depth {:3} holds {} {:.1}s {:?}",
                        s.name,
                        d.name(),
                        r.states,
                        r.edges,
                        r.depth,
                        r.holds(),
                        t.elapsed().as_secs_f64(),
                        r.failures()
                            .iter()
                            .map(|f| f.to_string())
                            .collect::<Vec<_>>()
                    );
                }
                Err(e) => println!("{} {} {e:?}", s.name, d.name()),
            }
        }
    }
}
