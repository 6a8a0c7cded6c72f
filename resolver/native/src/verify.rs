//! Signatures of DNSSEC: batches of jobs in, one outcome each; what an RRset's signature is over.
//!
//! `keys` reads public keys and signatures and does the mathematics, `signed` makes the octets
//! that were signed. Who may sign what, and which key is to be believed, is not decided here.
//!
//! RFC 4034 (records), RFC 3110 and RFC 5702 (RSA), RFC 6605 (ECDSA), RFC 8080 (Ed25519),
//! RFC 9905 (RSA with SHA-1 counts as not supported unless the caller wants it otherwise).
//!
//! Limitations: Ed448, RSA keys below 1024 bits and RSA exponents of 2^33 and more are not
//! supported.

pub mod keys;
pub mod signed;
#[cfg(test)]
mod tests;

/// What became of a job; numbers are those of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The key made this signature over these octets.
    Valid = 0,
    /// It did not.
    Bogus = 1,
    /// This algorithm, or this size of key, is not known here.
    Unsupported = 2,
    /// Key or signature have not the form that the algorithm asks for.
    Malformed = 3,
}

/// One question: did this key make this signature over this data?
#[derive(Clone, Copy, Debug)]
pub struct Job<'a> {
    /// DNSSEC algorithm number.
    pub algorithm: u8,
    /// The public key field of a DNSKEY (RFC 4034 section 2.1.4).
    pub key: &'a [u8],
    pub data: &'a [u8],
    pub signature: &'a [u8],
}

impl Job<'_> {
    pub fn octets(&self) -> usize {
        self.key.len() + self.data.len() + self.signature.len()
    }
}

/// A batch is over one of its bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TooMuch {
    Jobs,
    Octets,
}

/// Verify a batch. Nothing is done when it is over its bounds. `sha1`: algorithms 5 and 7, too.
pub fn batch(
    jobs: &[Job<'_>],
    jobs_max: usize,
    octets_max: usize,
    sha1: bool,
) -> Result<Vec<Outcome>, TooMuch> {
    if jobs.len() > jobs_max {
        return Err(TooMuch::Jobs);
    }
    if jobs.iter().map(Job::octets).sum::<usize>() > octets_max {
        return Err(TooMuch::Octets);
    }
    Ok(jobs.iter().map(|job| keys::verify(job, sha1)).collect())
}
