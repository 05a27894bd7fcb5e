//! Reads a line from a terminal without showing it.
//!
//! Source: termios(3).
//! Rules: the terminal is left as it was found, whatever is typed. So the keys that would end the
//! process end the line instead: the kernel makes no signal of them while nothing is shown.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::fd::AsFd;

use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
};

/// Ctrl-C and Ctrl-\, which interrupt.
const INTERRUPTS: [u8; 2] = [0x03, 0x1C];

/// The longest line that is read.
const LINE_MAX: usize = 4096;

/// A terminal that shows nothing of what is typed, until this is dropped.
#[derive(Debug)]
pub struct Hidden {
    terminal: File,
    before: Termios,
}

impl Hidden {
    /// Has a terminal show nothing from now on.
    pub fn start(terminal: impl AsFd) -> io::Result<Hidden> {
        let terminal = File::from(terminal.as_fd().try_clone_to_owned()?);
        let before = tcgetattr(&terminal)?;
        let mut hidden = before.clone();
        hidden.local_modes -= LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ISIG;
        hidden.local_modes |= LocalModes::ICANON;
        hidden.special_codes[SpecialCodeIndex::VEOL] = INTERRUPTS[0];
        hidden.special_codes[SpecialCodeIndex::VEOL2] = INTERRUPTS[1];
        // What was typed ahead was shown, and meant for something else.
        tcsetattr(&terminal, OptionalActions::Flush, &hidden)?;
        Ok(Hidden { terminal, before })
    }

    /// Reads one line, and returns it without its end.
    ///
    /// Fails with `Interrupted` when somebody gives up, and with `UnexpectedEof` at the end of input.
    pub fn line(&mut self) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        let mut byte = [0];
        while self.terminal.read(&mut byte)? > 0 {
            match byte[0] {
                b'\n' => return Ok(line),
                byte if INTERRUPTS.contains(&byte) => {
                    return Err(io::Error::new(ErrorKind::Interrupted, "interrupted"));
                }
                _ if line.len() == LINE_MAX => {
                    let problem = format!("the line is longer than {LINE_MAX} bytes");
                    return Err(io::Error::new(ErrorKind::InvalidInput, problem));
                }
                byte => line.push(byte),
            }
        }
        Err(ErrorKind::UnexpectedEof.into())
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // Where that fails the terminal is gone.
        let _ = tcsetattr(&self.terminal, OptionalActions::Now, &self.before);
    }
}
