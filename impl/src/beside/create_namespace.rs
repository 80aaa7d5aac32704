//! Makes a namespace in one that is there.
//!
//! No lock is taken, as published: a directory is made in one call, and a namespace that is removed meanwhile takes an empty
//! one with it or stays.

use crate::datastore::Datastore;
use crate::error::{At, CallError};
use crate::lock_file::make_directory;
use crate::paths::Namespace;
use crate::sys::Sys;
use std::io;

/// Why a namespace was not made.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// The root namespace is always there.
    #[error("the root namespace is there already; name one below it")]
    Root,
    /// There is such a namespace.
    #[error("there is a namespace {} already", .0.name())]
    Exists(Namespace),
    /// There is none that it could lie in.
    #[error("there is no namespace {} to make {} in; make that one first", parent.name(), namespace.name())]
    NoParent {
        /// The one that is missing.
        parent: Namespace,
        /// The one that was to be made.
        namespace: Namespace,
    },
    /// A call failed.
    #[error(transparent)]
    Call(#[from] CallError),
}

/// Makes a namespace.
pub fn run<S: Sys>(
    sys: &S,
    store: &Datastore<S>,
    namespace: &Namespace,
) -> Result<(), CreateError> {
    if *namespace == Namespace::ROOT {
        return Err(CreateError::Root);
    }
    let parent = namespace.above().next().unwrap_or(Namespace::ROOT);
    let (layout, owner) = (store.layout(), store.files().owner);
    let (path, children) = (layout.path(namespace), layout.children(&parent));
    store.refuse_links(sys, &path)?;
    // Not with those above it: a parent that was removed does not come back.
    let no_parent = || CreateError::NoParent {
        parent: parent.clone(),
        namespace: namespace.clone(),
    };
    loop {
        if parent == Namespace::ROOT {
            make_directory(sys, &children, owner)?;
        } else {
            match sys.mkdir(&children, owner) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(no_parent()),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                result => result.at("create the directory", &children)?,
            }
        }
        match sys.mkdir(&path, owner) {
            // Whoever removes the last child of a namespace removes this directory as well.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(CreateError::Exists(namespace.clone()));
            }
            result => return Ok(result.at("create the directory", &path)?),
        }
    }
}
