//! Random octets from the kernel, fetched in blocks (RFC 5452 section 9.2: IDs and ports must
//! come from a generator that nobody can predict).

/// Octets fetched at once: a system call for every 100 or so exchanges instead of each.
const BLOCK: usize = 1024;

/// A buffered reader of the kernel's generator. One a thread; used octets are wiped.
pub struct Random {
    block: Box<[u8; BLOCK]>,
    at: usize,
}

impl Default for Random {
    fn default() -> Self {
        Self { block: Box::new([0; BLOCK]), at: BLOCK }
    }
}

impl Random {
    /// Fill `out`.
    ///
    /// # Panics
    ///
    /// When the kernel gives no random octets. The process ends then: to go on with guessable
    /// IDs would be worse.
    pub fn fill(&mut self, out: &mut [u8]) {
        for octet in out {
            if self.at == BLOCK {
                getrandom::fill(&mut self.block[..]).expect("the kernel gives random octets");
                self.at = 0;
            }
            *octet = std::mem::take(&mut self.block[self.at]);
            self.at += 1;
        }
    }

    /// A random 16-bit number.
    pub fn u16(&mut self) -> u16 {
        let mut octets = [0; 2];
        self.fill(&mut octets);
        u16::from_ne_bytes(octets)
    }
}
