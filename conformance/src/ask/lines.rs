//! The lines of a file of records, none of which is read further than a record can be long: a device that never ends is no file
//! of records, and would be read until the memory is full.

use anyhow::{Context as _, bail, ensure};
use std::io::{BufRead, Read as _};

/// Most bytes of a line. A record has some thousands.
const LONGEST_LINE: u64 = 1 << 20;

/// Most bytes of a file. The records of the largest set, each question a part of its own and broken, have a tenth of it.
const LONGEST_FILE: u64 = 1 << 30;

/// Shows each line to `take`. What is wrong with one, or with the file, is told behind the name of the file.
pub(super) fn each(
    name: &str,
    file: impl BufRead,
    take: &mut dyn FnMut(&str) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut file = file.take(LONGEST_FILE);
    let mut bytes = Vec::new();
    for line in 1_u64.. {
        let place = || format!("{name}, line {line}");
        bytes.clear();
        let mut limited = (&mut file).take(LONGEST_LINE + 1);
        let read = limited.read_until(b'\n', &mut bytes);
        let length = read.with_context(|| format!("cannot read {name}"))?;
        if length == 0 {
            break;
        }
        ensure!(
            length as u64 <= LONGEST_LINE,
            "{}: it is longer than {LONGEST_LINE} bytes, and no record is",
            place()
        );
        let text = std::str::from_utf8(&bytes);
        let text = text.context("this is no text").with_context(place)?.trim();
        if text.is_empty() {
            bail!("{}: it is blank, and every line is a record", place());
        }
        take(text).with_context(place)?;
    }
    ensure!(
        file.limit() > 0,
        "{name} is longer than {LONGEST_FILE} bytes, and no file of records is"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufReader, Cursor, repeat};

    fn read(file: impl BufRead) -> Result<Vec<String>, String> {
        let mut lines = Vec::new();
        let mut take = |text: &str| {
            lines.push(text.to_owned());
            Ok(())
        };
        let read = each("file", file, &mut take);
        read.map(|()| lines).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn a_line_is_read_as_far_as_a_record_can_be_long_and_no_further() {
        let longest = usize::try_from(LONGEST_LINE).unwrap();
        let line = |length: usize| Cursor::new([b"1\n".to_vec(), vec![b'x'; length]].concat());
        assert_eq!(read(line(longest)).unwrap()[1].len(), longest);
        let said = "file, line 2: it is longer than 1048576 bytes, and no record is";
        assert_eq!(read(line(longest + 1)).unwrap_err(), said);
        let endless = BufReader::new(repeat(0));
        let said = "file, line 1: it is longer than 1048576 bytes, and no record is";
        assert_eq!(read(endless).unwrap_err(), said);
    }

    #[test]
    fn a_blank_line_and_one_that_is_no_text_are_no_records() {
        assert_eq!(read(&b"1\r\n2\n"[..]).unwrap(), ["1", "2"]);
        assert_eq!(read(&b""[..]).unwrap(), [""; 0]);
        let said = "file, line 2: it is blank, and every line is a record";
        for blank in ["1\n\n", "1\n  \n2"] {
            assert_eq!(read(blank.as_bytes()).unwrap_err(), said, "{blank:?}");
        }
        let refused = read(&b"1\n\xff\n"[..]).unwrap_err();
        assert!(
            refused.starts_with("file, line 2: this is no text"),
            "{refused}"
        );
    }
}
