//! Command lines that are printed can be pasted: a shell takes each of their words for one.

use std::borrow::Cow;

/// A word of a command line, in quotes if a shell would not take it as it is.
pub(super) fn word(text: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./+@:,%=".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("'{}'", text.replace('\'', r"'\''")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use specs::Design;
    use specs::mutant::MUTANTS;
    use specs::scenarios::SCENARIOS;
    use std::process::Command;

    #[test]
    fn a_shell_takes_every_word_for_one_and_as_it_was() {
        let questions = [
            "gc+move(a,b);forget(b,0)@own,kill",
            "a/b:x",
            "",
            "it's $x",
            "*",
        ];
        let mut words = questions.map(str::to_owned).to_vec();
        words.extend(SCENARIOS.iter().map(|scenario| scenario.name.to_owned()));
        words.extend(MUTANTS.iter().map(|mutant| mutant.name.to_owned()));
        words.push(Design::DIRECTORY_LOCKS.name());
        let line: Vec<_> = words.iter().map(|text| word(text)).collect();
        let script = format!("printf '%s\\n' {}", line.join(" "));
        let output = Command::new("sh").args(["-c", &script]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(text.lines().collect::<Vec<_>>(), words);
    }

    #[test]
    fn what_a_shell_takes_as_it_is_stays_as_it_is() {
        assert_eq!(word("one_move_meets_gc@kill"), "one_move_meets_gc@kill");
        assert_eq!(word("gc+move(a,b)"), "'gc+move(a,b)'");
    }
}
