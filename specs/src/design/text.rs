//! How a design is written and read: `upstream`, `upstream+mends_torn_tail`, `hardened-mends_torn_tail+drain_in_reverse`.

use super::{CHANGES, Change, Design, PRESETS, Preset, bit};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::str::FromStr;

/// A design as somebody wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// The design.
    pub design: Design,
    /// What came along, although nobody wrote it.
    pub along: Vec<Along>,
}

/// A change that was added or taken away because of another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Along {
    /// The change.
    pub change: Change,
    /// Whether it was added; else it was taken away.
    pub is_added: bool,
    /// The change that requires it, or that it requires.
    pub because_of: Change,
}

impl fmt::Display for Along {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (change, other) = (self.change.name(), self.because_of.name());
        if self.is_added {
            write!(f, "{change} is added, since {other} requires it")
        } else {
            write!(f, "{change} is taken away, since it requires {other}")
        }
    }
}

/// Why something that was written is no design.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Nonsense {
    /// No preset has the name.
    NoPreset(String),
    /// No change has the name.
    NoChange(String),
    /// The same change is named twice.
    Twice(Change),
    /// The same change is added and taken away.
    AddedAndTakenAway(Change),
    /// What is added is there already.
    ThereAlready(&'static str, Change),
    /// What is taken away is not there.
    NotThere(&'static str, Change),
    /// What is added requires what is taken away.
    RequiresWhatIsTakenAway(Change, Change),
    /// What is added excludes what the preset has; the design that may be meant.
    ExcludesPartOf(&'static str, Change, Change, Design),
    /// Two changes that are added exclude each other.
    ExcludeEachOther(Change, Change),
}

impl fmt::Display for Nonsense {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPreset(name) => write!(f, "there is no design {name}"),
            Self::NoChange(name) => write!(f, "there is no change {name}"),
            Self::Twice(change) => write!(f, "{} is named twice", change.name()),
            Self::AddedAndTakenAway(change) => {
                write!(f, "{} is both added and taken away", change.name())
            }
            Self::ThereAlready(preset, change) => {
                write!(f, "{preset} has {} already", change.name())
            }
            Self::NotThere(preset, change) => {
                let change = change.name();
                write!(f, "{preset} has no {change} that could be taken away")
            }
            Self::RequiresWhatIsTakenAway(change, other) => {
                let (change, other) = (change.name(), other.name());
                write!(f, "{change} requires {other}, which is taken away")
            }
            Self::ExcludesPartOf(preset, change, other, meant) => {
                let (change, other) = (change.name(), other.name());
                write!(
                    f,
                    "{change} excludes {other}, which {preset} has; did you mean {meant}?"
                )
            }
            Self::ExcludeEachOther(change, other) => {
                let (change, other) = (change.name(), other.name());
                write!(f, "{change} and {other} exclude each other")
            }
        }
    }
}

impl std::error::Error for Nonsense {}

impl Parsed {
    /// Reads a preset with changes behind it, each with a sign before it, in any order.
    pub fn new(text: &str) -> Result<Self, Nonsense> {
        let signs = ['+', '-'];
        let end = text.find(signs).unwrap_or(text.len());
        let (name, mut rest) = text.split_at(end);
        let preset = PRESETS.iter().find(|preset| preset.name == name);
        let preset = preset.ok_or_else(|| Nonsense::NoPreset(name.to_owned()))?;
        let (mut added, mut taken_away) = (Vec::new(), Vec::new());
        while let Some(sign) = rest.chars().next() {
            let behind = &rest[sign.len_utf8()..];
            let (name, next) = behind.split_at(behind.find(signs).unwrap_or(behind.len()));
            let change = Change::named(name).ok_or_else(|| Nonsense::NoChange(name.to_owned()))?;
            let (these, those) = match sign {
                '+' => (&mut added, &taken_away),
                _ => (&mut taken_away, &added),
            };
            if those.contains(&change) {
                return Err(Nonsense::AddedAndTakenAway(change));
            }
            if these.contains(&change) {
                return Err(Nonsense::Twice(change));
            }
            these.push(change);
            rest = next;
        }
        Self::of(preset, &added, &taken_away)
    }

    fn of(preset: &Preset, added: &[Change], taken_away: &[Change]) -> Result<Self, Nonsense> {
        let mut design = preset.design;
        if let Some(change) = added.iter().find(|change| design.has(**change)) {
            return Err(Nonsense::ThereAlready(preset.name, *change));
        }
        if let Some(change) = taken_away.iter().find(|change| !design.has(**change)) {
            return Err(Nonsense::NotThere(preset.name, *change));
        }
        for change in taken_away {
            design.0 &= !bit(*change);
        }
        for change in added {
            design.0 |= bit(*change);
        }
        let mut along: Vec<Along> = Vec::new();
        while let Some((change, required)) = design.lacks() {
            let is_gone = |gone: Change| {
                let goes_along = |other: &Along| other.change == gone && !other.is_added;
                taken_away.contains(&gone) || along.iter().any(goes_along)
            };
            let is_added = !is_gone(required);
            if !is_added && added.contains(&change) {
                return Err(Nonsense::RequiresWhatIsTakenAway(change, required));
            }
            along.push(if is_added {
                design.0 |= bit(required);
                Along {
                    change: required,
                    is_added,
                    because_of: change,
                }
            } else {
                design.0 &= !bit(change);
                Along {
                    change,
                    is_added,
                    because_of: required,
                }
            });
        }
        let Some((one, other)) = design.contradiction() else {
            return Ok(Self { design, along });
        };
        Err(match (preset.design.has(one), preset.design.has(other)) {
            (false, true) => {
                let meant = design.without(other);
                Nonsense::ExcludesPartOf(preset.name, one, other, meant)
            }
            (true, false) => {
                let meant = design.without(one);
                Nonsense::ExcludesPartOf(preset.name, other, one, meant)
            }
            (true, true) | (false, false) => Nonsense::ExcludeEachOther(one, other),
        })
    }
}

impl Design {
    /// A change that it has, with one that this requires and that it has not.
    fn lacks(self) -> Option<(Change, Change)> {
        self.changes().find_map(|change| {
            let requires = change.about().requires.iter();
            let lacked = requires.copied().find(|required| !self.has(*required))?;
            Some((change, lacked))
        })
    }

    /// As it is written: the nearest preset, less what is taken away, plus what is added.
    pub fn name(self) -> String {
        let distance = |preset: &&Preset| (preset.design.0 ^ self.0).count_ones();
        let Some(preset) = PRESETS.iter().min_by_key(distance) else {
            return String::new();
        };
        let mut name = preset.name.to_owned();
        for (sign, is_in, is_out) in [('-', preset.design, self), ('+', self, preset.design)] {
            let changes = CHANGES.iter().map(|about| about.change);
            for change in changes.filter(|change| is_in.has(*change) && !is_out.has(*change)) {
                name.push(sign);
                name.push_str(change.name());
            }
        }
        name
    }
}

impl fmt::Display for Design {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name())
    }
}

impl fmt::Debug for Design {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

impl FromStr for Design {
    type Err = Nonsense;

    fn from_str(text: &str) -> Result<Self, Nonsense> {
        Parsed::new(text).map(|parsed| parsed.design)
    }
}

impl Serialize for Design {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Design {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests read names that make sense")]
mod tests {
    use super::*;

    fn canonical(text: &str) -> String {
        match Parsed::new(text) {
            Ok(parsed) => parsed.design.name(),
            Err(nonsense) => nonsense.to_string(),
        }
    }

    #[test]
    fn a_design_is_written_as_the_nearest_preset_and_what_is_different() {
        for (text, expected) in [
            ("upstream", "upstream"),
            ("upstream+mends_torn_tail", "upstream+mends_torn_tail"),
            (
                "upstream+drain_in_reverse+mends_torn_tail",
                "upstream+mends_torn_tail+drain_in_reverse",
            ),
            ("upstream+no_moves-", "there is no change "),
            (
                "namespace_locks_wait-waits_for_namespaces",
                "namespace_locks",
            ),
            (
                "hardened+rename_before_append-renames_under_journal_lock",
                "hardened-renames_under_journal_lock+rename_before_append",
            ),
        ] {
            assert_eq!(canonical(text), expected);
        }
        let mut most = Design::UPSTREAM;
        for mend in Change::mends().skip(1) {
            most = most.with(mend);
        }
        assert_eq!(
            most.name(),
            "hardened-lists_again_after_a_vanished_snapshot"
        );
    }

    #[test]
    fn what_is_written_can_be_read() {
        for preset in PRESETS {
            for about in CHANGES {
                let change = about.change;
                for design in [preset.design.with(change), preset.design.without(change)] {
                    if design.contradiction().is_none() {
                        assert_eq!(design.name().parse(), Ok(design), "{design}");
                    } else {
                        assert!(design.name().parse::<Design>().is_err(), "{design}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_a_change_requires_comes_along_and_what_requires_it_goes_along() {
        let parsed = Parsed::new("upstream+waits_for_namespaces").unwrap();
        let along: Vec<String> = parsed.along.iter().map(Along::to_string).collect();
        assert_eq!(
            along,
            [
                "locks_namespaces is added, since waits_for_namespaces requires it",
                "rename_whole_group is added, since locks_namespaces requires it"
            ]
        );
        let parsed = Parsed::new("namespace_locks_wait-rename_whole_group").unwrap();
        let along: Vec<String> = parsed.along.iter().map(Along::to_string).collect();
        assert_eq!(
            along,
            [
                "locks_namespaces is taken away, since it requires rename_whole_group",
                "waits_for_namespaces is taken away, since it requires locks_namespaces"
            ]
        );
        assert_eq!(parsed.design.name(), "upstream+no_journal");
    }

    #[test]
    fn nonsense_is_refused_with_a_sentence() {
        for (text, expected) in [
            ("upsteam", "there is no design upsteam"),
            ("upstream+mend", "there is no change mend"),
            (
                "hardened+mends_torn_tail",
                "hardened has mends_torn_tail already",
            ),
            (
                "upstream-mends_torn_tail",
                "upstream has no mends_torn_tail that could be taken away",
            ),
            ("upstream+no_moves+no_moves", "no_moves is named twice"),
            (
                "hardened-mends_torn_tail+mends_torn_tail",
                "mends_torn_tail is both added and taken away",
            ),
            (
                "tmpfs_locks-no_journal+no_moves",
                "tmpfs_locks has no_moves already",
            ),
            (
                "upstream+flag_ignored+flag_per_call",
                "flag_per_call and flag_ignored exclude each other",
            ),
            (
                "namespace_locks-rename_whole_group+waits_for_namespaces",
                "waits_for_namespaces requires locks_namespaces, which is taken away",
            ),
            (
                "hardened+rename_before_append",
                "rename_before_append excludes renames_under_journal_lock, which hardened has; did you mean hardened-renames_under_journal_lock+rename_before_append?",
            ),
        ] {
            assert_eq!(canonical(text), expected);
        }
    }
}
