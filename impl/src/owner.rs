//! Whom a group belongs to: the owner file in its directory.
//!
//! None of these functions takes a lock; whoever writes holds that of the group.

use crate::error::{At, CallError};
use crate::paths::{InvalidName, invalid, is_safe_id};
use crate::step::Ending;
use crate::sys::{Access, CreateMode, Sys};
use crate::temporary::{Temporary, append_all, replace_file};
use specs::{Design, Outcome};
use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// A user, or a token of a user, to whom groups belong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner(String);

impl Owner {
    /// An owner from `root@pam` or `root@pam!token`.
    pub fn new(name: &str) -> Result<Self, InvalidName> {
        const WHY: &str = "is neither <user>@<realm> nor <user>@<realm>!<token>";
        let is_user = |user: &str| {
            let is_odd = |c: char| c.is_whitespace() || c.is_control() || c == ':' || c == '/';
            !user.is_empty() && !user.contains(is_odd)
        };
        match name.rsplit_once('@') {
            Some((user, realm)) if is_user(user) && realm.splitn(2, '!').all(is_safe_id) => {
                Ok(Self(name.to_owned()))
            }
            Some(_) | None => invalid("owner", name, WHY),
        }
    }

    /// What its owner files contain.
    fn line(&self) -> Vec<u8> {
        format!("{self}\n").into_bytes()
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The owner of a group is not known.
#[derive(Debug, thiserror::Error)]
pub enum OwnerError {
    /// There is no owner file, or it cannot be read.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The file is empty: a change of the owner ended in the middle, or is under way.
    #[error(
        "owner file {} is empty: a change of the owner was interrupted, unless it goes on; write the owner into the file, as in root@pam",
        .0.display()
    )]
    Empty(PathBuf),
    /// The file names nobody.
    #[error("owner file {}: {source}; write the owner into the file", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is in it.
        source: InvalidName,
    },
}

impl OwnerError {
    /// Whether there is no owner file.
    pub fn is_not_found(&self) -> bool {
        match self {
            Self::Call(error) => error.is_not_found(),
            Self::Empty(_) | Self::Invalid { .. } => false,
        }
    }
}

impl Ending for OwnerError {
    fn outcome(&self) -> Option<Outcome> {
        match self {
            Self::Call(error) => error.outcome(),
            Self::Empty(_) | Self::Invalid { .. } => None,
        }
    }
}

/// The owner of a group.
pub(crate) fn read<S: Sys>(sys: &S, group: &Path) -> Result<Owner, OwnerError> {
    let path = owner_file(group);
    let file = sys.open(&path, Access::Read).at("open", &path)?;
    let content = sys.read(&file, 0).at("read", &path)?;
    let name = content.trim_ascii();
    if name.is_empty() {
        return Err(OwnerError::Empty(path));
    }
    Owner::new(&String::from_utf8_lossy(name))
        .map_err(|source| OwnerError::Invalid { path, source })
}

/// Writes the owner of a group that has none yet: under a temporary name first, so that nobody sees it
/// empty and no crash leaves it so. The published design creates the file and then writes into it.
pub(crate) fn write_new<S: Sys>(
    sys: &S,
    design: Design,
    group: &Path,
    create: CreateMode,
    owner: &Owner,
) -> Result<(), CallError> {
    let path = owner_file(group);
    if design.replaces_owner_file() {
        let temporary = Temporary::beside(sys, &path, create)?;
        temporary.append(&owner.line())?;
        return temporary.link(&path);
    }
    let file = sys.create(&path, create).at("create", &path)?;
    write(sys, &file, &path, owner)
}

/// Replaces the owner file of a group by another one, so that nobody sees it empty.
pub(crate) fn replace<S: Sys>(
    sys: &S,
    group: &Path,
    create: CreateMode,
    owner: &Owner,
) -> Result<(), CallError> {
    replace_file(sys, &owner_file(group), create, &owner.line())
}

/// Empties the owner file of a group, as the published design does before it writes another owner; one that is gone is created.
pub(crate) fn truncate<S: Sys>(
    sys: &S,
    group: &Path,
    create: CreateMode,
) -> Result<S::File, CallError> {
    let path = owner_file(group);
    loop {
        match sys.open(&path, Access::ReadAppend).at("open", &path) {
            Ok(file) => {
                sys.ftruncate(&file, 0).at("empty", &path)?;
                return Ok(file);
            }
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error),
        }
        match sys.create(&path, create) {
            // Somebody else has created it in between.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            created => return created.at("create", &path),
        }
    }
}

/// Writes an owner into the emptied file; what somebody else who has emptied it wrote there since then goes, as the
/// published design writes at the beginning of the file.
pub(crate) fn write_emptied<S: Sys>(
    sys: &S,
    file: &S::File,
    group: &Path,
    owner: &Owner,
) -> Result<(), CallError> {
    let path = owner_file(group);
    sys.ftruncate(file, 0).at("empty", &path)?;
    write(sys, file, &path, owner)
}

fn write<S: Sys>(sys: &S, file: &S::File, path: &Path, owner: &Owner) -> Result<(), CallError> {
    append_all(sys, file, &owner.line())
        .map_err(|torn| torn.source)
        .at("write", path)
}

/// Whether a file in the directory of a group is one that was to become the owner file.
pub(crate) fn is_temporary(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b"owner.tmp_")
}

fn owner_file(group: &Path) -> PathBuf {
    group.join("owner")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owner_is_a_user_of_a_realm_or_a_token_of_one() {
        for name in ["root@pam", "a@b@pbs", "x-y@pbs!token", "\u{e9}@ad.example"] {
            assert_eq!(Owner::new(name).unwrap().to_string(), name);
        }
        for name in [
            "",
            "root",
            "@pam",
            "root@",
            "a b@pam",
            "root@pam\n",
            "root@pam!",
            "a:b@pam",
            "../x@pam",
            "root@pam!a!b",
        ] {
            assert!(Owner::new(name).is_err(), "{name:?}");
        }
    }
}
