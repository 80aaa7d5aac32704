//! How a command ends, and what it prints: neither a closed pipe nor a full one changes the verdict.

use std::io::{self, Write};

/// Why a command did not end well.
#[derive(Debug)]
pub(crate) enum Ended {
    /// It failed.
    Failed(String),
    /// The command line is wrong.
    Usage(String),
    /// Somebody else holds a lock, so that a later attempt can succeed.
    Busy(String),
}

impl Ended {
    /// The end of a wrong command line.
    pub(crate) fn usage(error: impl std::error::Error) -> Self {
        Self::Usage(error.to_string())
    }

    /// What kind of end it is, why, and the exit code.
    pub(crate) fn verdict(&self) -> (&'static str, &str, u8) {
        match self {
            Self::Failed(message) => ("Error", message, 1),
            Self::Usage(message) => ("Error", message, 2),
            Self::Busy(message) => ("Busy", message, 4),
        }
    }
}

/// Each error is a whole sentence, with its cause in it; none is wrapped into another one here.
impl<E: std::error::Error> From<E> for Ended {
    fn from(error: E) -> Self {
        Self::Failed(error.to_string())
    }
}

/// The result of an operation whose error says itself whether a lock was busy.
pub(crate) fn unless_busy<T, E: std::error::Error>(
    result: Result<T, E>,
    is_busy: impl FnOnce(&E) -> bool,
) -> Result<T, Ended> {
    result.map_err(|error| {
        if is_busy(&error) {
            Ended::Busy(error.to_string())
        } else {
            error.into()
        }
    })
}

/// A line on the standard error, if anybody listens there.
pub(crate) fn remark(line: &str) {
    writeln!(io::stderr(), "{line}").unwrap_or_default();
}

/// An output whose reader may have seen enough and gone; the others get an error.
pub(crate) struct Output<W> {
    inner: W,
    is_closed: bool,
}

impl<W: Write> Output<W> {
    pub(crate) fn new(inner: W) -> Self {
        Self {
            inner,
            is_closed: false,
        }
    }

    fn unless_closed<T>(&mut self, result: io::Result<T>, instead: T) -> io::Result<T> {
        match result {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.is_closed = true;
                Ok(instead)
            }
            result => result,
        }
    }
}

impl<W: Write> Write for Output<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_closed {
            return Ok(bytes.len());
        }
        let written = self.inner.write(bytes);
        self.unless_closed(written, bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.is_closed {
            return Ok(());
        }
        let flushed = self.inner.flush();
        self.unless_closed(flushed, ())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

    use super::*;

    struct Broken(io::ErrorKind);

    impl Write for Broken {
        fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(self.0.into())
        }
    }

    #[test]
    fn closed_pipe_is_no_error_and_a_full_disk_is_one() {
        for (kind, is_ok) in [
            (io::ErrorKind::BrokenPipe, true),
            (io::ErrorKind::StorageFull, false),
        ] {
            let mut out = Output::new(Broken(kind));
            assert_eq!(writeln!(out, "line").is_ok(), is_ok);
            assert_eq!(out.flush().is_ok(), is_ok);
        }
    }
}
