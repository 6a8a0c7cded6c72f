//! The words of a zone file: lines, parentheses, quotes and comments (RFC 1035 section 5.1).

/// One word, escapes as they stand.
#[derive(Debug, Clone, Copy)]
pub(super) struct Word<'a> {
    pub text: &'a [u8],
    pub quoted: bool,
}

impl Word<'_> {
    /// For messages: its text, cut short.
    pub fn shown(&self) -> String {
        let text: String = String::from_utf8_lossy(self.text).chars().take(64).collect();
        format!("{text:?}")
    }
}

/// One entry: a line, or several within parentheses.
#[derive(Debug, Default)]
pub(super) struct Entry<'a> {
    pub words: Vec<Word<'a>>,
    pub line: u32,
    /// It begins with blanks: the owner is that of the entry before.
    pub indented: bool,
}

pub(super) struct Words<'a> {
    text: &'a [u8],
    at: usize,
    line: u32,
}

type Fault = (u32, &'static str);

impl<'a> Words<'a> {
    pub fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0, line: 1 }
    }

    /// Where reading stands.
    pub fn line(&self) -> u32 {
        self.line
    }

    /// Read the next entry that has words; false: there is none. After a fault the rest of the
    /// line is skipped.
    pub fn next(&mut self, entry: &mut Entry<'a>) -> Result<bool, Fault> {
        entry.words.clear();
        (entry.indented, entry.line) = (false, self.line);
        let (mut depth, mut fresh) = (0_usize, true);
        while let Some(&octet) = self.text.get(self.at) {
            match octet {
                b'\n' => {
                    self.at += 1;
                    self.line += 1;
                    if depth == 0 {
                        if !entry.words.is_empty() {
                            return Ok(true);
                        }
                        (entry.indented, entry.line, fresh) = (false, self.line, true);
                    }
                    continue;
                }
                b' ' | b'\t' => entry.indented |= fresh && depth == 0,
                b'\r' => {}
                b';' => {
                    self.skip_line();
                    continue;
                }
                b'(' => depth += 1,
                b')' if depth == 0 => return Err(self.fault("a parenthesis that was not opened")),
                b')' => depth -= 1,
                _ => {
                    let word = self.word()?;
                    entry.words.push(word);
                    fresh = false;
                    continue;
                }
            }
            fresh = false;
            self.at += 1;
        }
        if depth > 0 {
            return Err((entry.line, "a parenthesis that is not closed"));
        }
        Ok(!entry.words.is_empty())
    }

    fn word(&mut self) -> Result<Word<'a>, Fault> {
        let quoted = self.text[self.at] == b'"';
        let start = self.at + usize::from(quoted);
        self.at = start;
        while let Some(&octet) = self.text.get(self.at) {
            let ends = match octet {
                b'"' | b'\n' => true,
                b' ' | b'\t' | b'\r' | b';' | b'(' | b')' => !quoted,
                _ => false,
            };
            if ends {
                break;
            }
            let escape = octet == b'\\' && self.text.get(self.at + 1).is_some_and(|&o| o != b'\n');
            self.at += 1 + usize::from(escape);
        }
        let text = &self.text[start..self.at];
        if quoted {
            if self.text.get(self.at) != Some(&b'"') {
                return Err(self.fault("a quotation mark that is not closed"));
            }
            self.at += 1;
        }
        Ok(Word { text, quoted })
    }

    fn fault(&mut self, text: &'static str) -> Fault {
        let line = self.line;
        self.skip_line();
        (line, text)
    }

    fn skip_line(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.iter().position(|&octet| octet == b'\n').unwrap_or(rest.len());
    }
}
