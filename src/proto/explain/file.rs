//! What the beginning of a file says about how the kernel executes it.
//!
//! Source: execve(2); the ELF specification, e_ident, e_machine and PT_INTERP.
//! Shape: the first bytes of a file in, a [`Shape`] out.

/// How much of a `#!` line the kernel reads.
pub const SHEBANG_MAX: usize = 256;

/// How much of a file has to be given for the loader of a compiled program to be found.
pub const LOOKED_AT: usize = 4096;

/// What a file is to the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape<'a> {
    /// There is nothing in it.
    Empty,
    /// A byte-order mark hides its `#!` line.
    Marked,
    /// It is written in UTF-16.
    Wide,
    /// White space stands before its `#!` line.
    Indented,
    /// It has a `#!` line.
    Script(Shebang<'a>),
    /// It is compiled.
    Compiled(Elf<'a>),
    /// Neither.
    Text,
}

/// A `#!` line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shebang<'a> {
    /// The whole line, with a CR at its end.
    pub line: &'a [u8],
    /// The path after `#!`, without a CR at its end.
    pub interpreter: &'a [u8],
    /// What follows it, without a CR at its end.
    pub argument: &'a [u8],
    /// Whether the line ends in CR LF.
    pub ends_in_cr: bool,
    /// Whether its end lies beyond what the kernel reads.
    pub is_too_long: bool,
}

/// The beginning of a compiled program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Elf<'a> {
    /// The number of the processor that it is for; none where the file is cut.
    pub machine: Option<u16>,
    /// The loader that it asks for.
    pub loader: Option<&'a [u8]>,
}

/// What a file with this beginning is.
pub fn shape(head: &[u8]) -> Shape<'_> {
    if head.is_empty() {
        return Shape::Empty;
    }
    if head.starts_with(b"\xEF\xBB\xBF#!") {
        return Shape::Marked;
    }
    if head.starts_with(b"\x7FELF") {
        return Shape::Compiled(Elf {
            machine: number(head, 18, 2, is_big_endian(head)).and_then(|it| it.try_into().ok()),
            loader: loader(head),
        });
    }
    if head.starts_with(b"\xFF\xFE") || head.starts_with(b"\xFE\xFF") {
        return Shape::Wide;
    }
    let Some(rest) = head.strip_prefix(b"#!") else {
        return match head.trim_ascii_start().starts_with(b"#!/") {
            true => Shape::Indented,
            false => Shape::Text,
        };
    };
    let end = rest.iter().position(|&byte| byte == b'\n');
    let line = &head[..end.map_or(head.len(), |end| end + 2)];
    let ends_in_cr = line.ends_with(b"\r");
    let words = line[2..].strip_suffix(b"\r").unwrap_or(&line[2..]);
    let words = words.trim_ascii();
    let space = words.iter().position(|byte| b" \t".contains(byte));
    let (interpreter, argument) = words.split_at(space.unwrap_or(words.len()));
    Shape::Script(Shebang {
        line,
        interpreter,
        argument: argument.trim_ascii(),
        ends_in_cr,
        is_too_long: line.len() >= SHEBANG_MAX,
    })
}

impl<'a> Shebang<'a> {
    /// The name that `env` is to look up in PATH, where that is the interpreter.
    pub fn looked_up(&self) -> Option<&'a [u8]> {
        let is_env = self.interpreter == b"env" || self.interpreter.ends_with(b"/env");
        let mut words = self.argument.split(|byte| b" \t".contains(byte));
        // `-S` splits the rest; NAME=VALUE sets a variable.
        words
            .find(|word| !word.is_empty() && !word.starts_with(b"-") && !word.contains(&b'='))
            .filter(|_| is_env)
    }

    /// Whether what `env` is to look up has words behind it: the kernel gives it all of them as one.
    pub fn is_one_word(&self) -> bool {
        let looked_up = self.looked_up();
        looked_up
            .is_some_and(|name| self.argument.len() > name.len() && self.argument.starts_with(name))
    }
}

/// What a file of this name may begin with, where it has no `#!` line. PHP has none either: it is run by
/// the interpreter of a route.
pub fn usual_line(name: &[u8]) -> Option<&'static str> {
    let dot = name.iter().rposition(|&byte| byte == b'.');
    Some(match &name[dot.map_or(name.len(), |dot| dot + 1)..] {
        b"php" => return None,
        b"py" => "#!/usr/bin/env python3",
        b"pl" => "#!/usr/bin/env perl",
        b"rb" => "#!/usr/bin/env ruby",
        b"js" => "#!/usr/bin/env node",
        b"lua" => "#!/usr/bin/env lua",
        b"bash" => "#!/usr/bin/env bash",
        _ => "#!/bin/sh",
    })
}

fn is_big_endian(head: &[u8]) -> bool {
    head.get(5) == Some(&2)
}

/// The unsigned number of `len` bytes at `at`.
fn number(bytes: &[u8], at: usize, len: usize, is_big_endian: bool) -> Option<u64> {
    let digits = bytes.get(at..at.checked_add(len)?)?;
    let join = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
    Some(match is_big_endian {
        true => digits.iter().fold(0, join),
        false => digits.iter().rev().fold(0, join),
    })
}

/// PT_INTERP: the path of the loader, where it lies in `head`.
fn loader(head: &[u8]) -> Option<&[u8]> {
    /// The type of the program header that names it.
    const PT_INTERP: u64 = 3;
    /// More program headers than any program has.
    const HEADERS_MAX: u64 = 64;
    let is_64_bit = head.get(4) == Some(&2);
    let read = |at: u64, len| number(head, usize::try_from(at).ok()?, len, is_big_endian(head));
    // Offsets of e_phoff, e_phentsize, e_phnum; within a program header those of p_offset and p_filesz.
    let (word, table, size, count, offset, length) = match is_64_bit {
        true => (8, 32, 54, 56, 8, 32),
        false => (4, 28, 42, 44, 4, 16),
    };
    let (table, size, count) = (read(table, word)?, read(size, 2)?, read(count, 2)?);
    for header in 0..count.min(HEADERS_MAX) {
        let header = table.checked_add(header * size)?;
        if read(header, 4)? == PT_INTERP {
            let start = usize::try_from(read(header.checked_add(offset)?, word)?).ok()?;
            let len = usize::try_from(read(header.checked_add(length)?, word)?).ok()?;
            let path = head.get(start..start.checked_add(len)?)?;
            return path.strip_suffix(b"\0");
        }
    }
    None
}

/// The name of a processor, as Rust and `uname -m` have it: the e_machine values that small machines
/// meet.
pub fn machine_name(machine: u16) -> String {
    let name = match machine {
        3 => "x86",
        8 => "mips",
        20 | 21 => "powerpc",
        22 => "s390x",
        40 => "arm",
        62 => "x86_64",
        183 => "aarch64",
        243 => "riscv",
        258 => "loongarch64",
        _ => return format!("processor {machine}"),
    };
    name.to_owned()
}

/// Whether a program for `machine` runs on a processor of the name `arch` (Rust's).
pub fn runs_on(machine: u16, arch: &str) -> bool {
    let name = machine_name(machine);
    arch.starts_with(&name)
        || arch == "x86_64" && name == "x86"
        || arch == "aarch64" && name == "arm"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(head: &[u8]) -> Shebang<'_> {
        match shape(head) {
            Shape::Script(shebang) => shebang,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_shebang_is_an_interpreter_and_one_argument() {
        for (head, interpreter, argument, ends_in_cr) in [
            (&b"#!/bin/sh\necho"[..], &b"/bin/sh"[..], &b""[..], false),
            (
                b"#! \t/usr/bin/env python3\n",
                b"/usr/bin/env",
                b"python3",
                false,
            ),
            (b"#!/usr/bin/python3\r\n", b"/usr/bin/python3", b"", true),
            (b"#!/usr/bin/perl -w\r\n", b"/usr/bin/perl", b"-w", true),
            (b"#!/bin/sh", b"/bin/sh", b"", false),
            (b"#!\n", b"", b"", false),
            (b"#!   \n", b"", b"", false),
        ] {
            let shebang = script(head);
            assert_eq!(shebang.interpreter, interpreter, "{head:?}");
            assert_eq!(shebang.argument, argument, "{head:?}");
            assert_eq!(shebang.ends_in_cr, ends_in_cr, "{head:?}");
        }
        let long = [&b"#!/"[..], &[b'n'; 300], b"\n"].concat();
        assert!(script(&long).is_too_long && !script(b"#!/bin/sh\n").is_too_long);
    }

    #[test]
    fn env_looks_a_name_up() {
        for (line, name) in [
            (&b"#!/usr/bin/env python3\n"[..], Some(&b"python3"[..])),
            (b"#!/usr/bin/env -S LANG=C ruby -w\r\n", Some(b"ruby")),
            (b"#!/usr/bin/env\n", None),
            (b"#!/bin/sh -e\n", None),
            (b"#!/usr/bin/myenv x\n", None),
        ] {
            assert_eq!(script(line).looked_up(), name);
        }
    }

    #[test]
    fn env_is_given_one_word() {
        for (line, is_one) in [
            (&b"#!/usr/bin/env python3 -u\n"[..], true),
            (b"#!/usr/bin/env\tpython3\t-u\n", true),
            (b"#!/usr/bin/env python3\n", false),
            (b"#!/usr/bin/env -S python3 -u\n", false),
            (b"#!/usr/bin/perl -w -T\n", false),
        ] {
            assert_eq!(script(line).is_one_word(), is_one, "{line:?}");
        }
    }

    #[test]
    fn a_name_tells_what_its_first_line_may_be() {
        for (name, line) in [
            (&b"x.py"[..], Some("#!/usr/bin/env python3")),
            (b"x.y.rb", Some("#!/usr/bin/env ruby")),
            (b"x", Some("#!/bin/sh")),
            (b"py", Some("#!/bin/sh")),
            (b"x.php", None),
        ] {
            assert_eq!(usual_line(name), line);
        }
    }

    #[test]
    fn other_shapes_are_told_apart() {
        assert_eq!(shape(b""), Shape::Empty);
        assert_eq!(shape(b"\xEF\xBB\xBF#!/bin/sh\n"), Shape::Marked);
        assert_eq!(shape(b"echo hello\n"), Shape::Text);
        assert_eq!(shape(b" #!/bin/sh\n"), Shape::Indented);
        assert_eq!(shape(b"\n\r\n#!/bin/sh\n"), Shape::Indented);
        assert_eq!(shape(b"\n #! comment\n"), Shape::Text);
        assert_eq!(shape(b"\xFF\xFE#\0!\0"), Shape::Wide);
        assert_eq!(shape(b"\xFE\xFF\0#\0!"), Shape::Wide);
        let cut = shape(b"\x7FELF");
        assert_eq!(
            cut,
            Shape::Compiled(Elf {
                machine: None,
                loader: None
            })
        );
    }

    /// An ELF head for `machine` whose third program header names a loader.
    fn elf(class: u8, order: u8, machine: u16) -> Vec<u8> {
        let mut head = vec![0; 400];
        head[..6].copy_from_slice(&[0x7f, b'E', b'L', b'F', class, order]);
        let mut put = |at: usize, len: usize, value: u64| {
            let bytes = value.to_be_bytes();
            let mut digits = bytes[8 - len..].to_vec();
            if order == 1 {
                digits.reverse();
            }
            head[at..at + len].copy_from_slice(&digits);
        };
        let (word, table, size, count, offset, length, each) = match class {
            2 => (8, 32, 54, 56, 8, 32, 56),
            _ => (4, 28, 42, 44, 4, 16, 32),
        };
        put(18, 2, machine.into());
        put(table, word, 64);
        put(size, 2, each);
        put(count, 2, 3);
        let third = 64 + 2 * each as usize;
        put(third, 4, 3);
        put(third + offset, word, 300);
        put(third + length, word, 12);
        head[300..312].copy_from_slice(b"/lib/ld.so.9");
        head[311] = 0;
        head
    }

    #[test]
    fn a_compiled_program_names_its_processor_and_its_loader() {
        for (class, order) in [(2, 1), (2, 2), (1, 1), (1, 2)] {
            let head = elf(class, order, 183);
            let expected = Elf {
                machine: Some(183),
                loader: Some(b"/lib/ld.so."),
            };
            assert_eq!(shape(&head), Shape::Compiled(expected), "{class} {order}");
            for len in 4..head.len() {
                shape(&head[..len]); // Wherever it is cut, nothing is read beyond it.
            }
        }
        let mut wild = elf(2, 1, 62);
        wild[32..40].fill(0xff);
        assert!(matches!(
            shape(&wild),
            Shape::Compiled(Elf { loader: None, .. })
        ));
    }

    #[test]
    fn of_many_program_headers_the_first_are_read() {
        for (count, is_found) in [(64_u64, true), (65, false)] {
            let mut head = elf(2, 1, 62);
            head[64 + 2 * 56] = 0; // No longer the third, but the last.
            head.resize(64 + 65 * 56, 0);
            head[56] = count as u8;
            let last = 64 + (count as usize - 1) * 56;
            head[last] = 3;
            head[last + 8..last + 10].copy_from_slice(&300_u16.to_le_bytes());
            head[last + 32] = 12;
            let loader: &[u8] = b"/lib/ld.so.";
            head[300..311].copy_from_slice(loader);
            let Shape::Compiled(elf) = shape(&head) else {
                panic!("{count}");
            };
            assert_eq!(elf.loader, is_found.then_some(loader), "{count}");
        }
    }

    #[test]
    fn a_processor_runs_its_own_programs() {
        for (machine, arch, runs) in [
            (62, "x86_64", true),
            (3, "x86_64", true),
            (183, "x86_64", false),
            (183, "aarch64", true),
            (40, "aarch64", true),
            (62, "aarch64", false),
            (243, "riscv64", true),
            (21, "powerpc64", true),
            (999, "x86_64", false),
        ] {
            assert_eq!(runs_on(machine, arch), runs, "{machine} on {arch}");
        }
    }
}
