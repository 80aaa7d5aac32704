//! What clap suggests to whoever mistypes a command.

use clap::Command;
use clap::error::{ContextKind, ContextValue};

/// The error without the tip to use a subcommand that nobody but this program uses.
pub(super) fn without_hidden(mut error: clap::Error, command: &Command) -> clap::Error {
    let is_shown = |name: &String| {
        let found = command.find_subcommand(name);
        found.is_some_and(|command| !command.is_hide_set())
    };
    if let Some(ContextValue::Strings(names)) = error.remove(ContextKind::SuggestedSubcommand) {
        let shown: Vec<String> = names.into_iter().filter(is_shown).collect();
        if !shown.is_empty() {
            let shown = ContextValue::Strings(shown);
            error.insert(ContextKind::SuggestedSubcommand, shown);
        }
    }
    error
}
