//! Public keys as DNSKEY carries them, and the signatures that they made.
//!
//! RFC 3110 section 2 (RSA), RFC 6605 section 4 (ECDSA), RFC 8080 section 3 (Ed25519).

use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519,
    RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
    RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY, RsaParameters, RsaPublicKeyComponents,
    UnparsedPublicKey, VerificationAlgorithm,
};

use super::{Job, Outcome};

/// Bits of a modulus: RFC 3110 section 2 and RFC 5702 section 2 allow no more,
const MODULUS_BITS_MAX: usize = 4096;
/// and RFC 5702 no less than these two (SHA-256, SHA-512).
const MODULUS_BITS_MIN: usize = 512;
const MODULUS_BITS_MIN_SHA512: usize = 1024;
/// Shorter ones have been factored, and are not looked at.
const MODULUS_BITS_SAFE: usize = 1024;
/// Exponents that are used have 17 or 33 bits; long ones only cost time.
const EXPONENT_BITS_MAX: usize = 33;

/// Do one job. `sha1`: algorithms 5 and 7 are supported.
pub fn verify(job: &Job<'_>, sha1: bool) -> Outcome {
    match job.algorithm {
        5 | 7 if sha1 => rsa(job, &RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY, MODULUS_BITS_MIN),
        8 => rsa(job, &RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, MODULUS_BITS_MIN),
        10 => rsa(job, &RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY, MODULUS_BITS_MIN_SHA512),
        13 => curve::<65>(job, &ECDSA_P256_SHA256_FIXED),
        14 => curve::<97>(job, &ECDSA_P384_SHA384_FIXED),
        15 if job.key.len() == 32 && job.signature.len() == 64 => of(job, &ED25519, job.key),
        15 => Outcome::Malformed,
        _ => Outcome::Unsupported,
    }
}

fn of(job: &Job<'_>, algorithm: &'static dyn VerificationAlgorithm, key: &[u8]) -> Outcome {
    outcome(UnparsedPublicKey::new(algorithm, key).verify(job.data, job.signature))
}

fn outcome(result: Result<(), ring::error::Unspecified>) -> Outcome {
    if result.is_ok() { Outcome::Valid } else { Outcome::Bogus }
}

/// ECDSA: the key is "the uncompressed form of a curve point" without the octet that says so, the
/// signature the two integers side by side. `POINT` is the octets of the point with that octet.
fn curve<const POINT: usize>(
    job: &Job<'_>,
    algorithm: &'static dyn VerificationAlgorithm,
) -> Outcome {
    const UNCOMPRESSED: u8 = 4;
    if job.key.len() != POINT - 1 || job.signature.len() != POINT - 1 {
        return Outcome::Malformed;
    }
    let mut point = [UNCOMPRESSED; POINT];
    point[1..].copy_from_slice(job.key);
    of(job, algorithm, &point)
}

fn rsa(job: &Job<'_>, algorithm: &'static RsaParameters, bits_min: usize) -> Outcome {
    let Some((e, n)) = rsa_key(job.key) else { return Outcome::Malformed };
    if !(bits_min..=MODULUS_BITS_MAX).contains(&bits(n)) || n.len() != job.signature.len() {
        return Outcome::Malformed;
    }
    if bits(n) < MODULUS_BITS_SAFE || bits(e) > EXPONENT_BITS_MAX {
        return Outcome::Unsupported;
    }
    outcome(RsaPublicKeyComponents { n, e }.verify(algorithm, job.data, job.signature))
}

/// Exponent and modulus. RFC 3110 section 2: the exponent's length is "one octet if it is in the
/// range of 1 to 255 and [...] a zero octet followed by a two octet unsigned length if it is
/// longer"; "Leading zero octets are prohibited in the exponent and modulus". Both are odd in
/// every pair of keys, and 1 is no exponent.
fn rsa_key(key: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = match *key {
        [0, high, low, ref rest @ ..] if high > 0 => {
            (usize::from(high) << 8 | usize::from(low), rest)
        }
        [length @ 1..=255, ref rest @ ..] => (usize::from(length), rest),
        _ => return None,
    };
    let (e, n) = rest.split_at_checked(length)?;
    let sound = |number: &[u8]| {
        number.first().is_some_and(|first| *first != 0)
            && number.last().is_some_and(|last| last & 1 == 1)
    };
    (sound(e) && sound(n) && e != [1]).then_some((e, n))
}

/// Bits of a number without leading zero octets.
fn bits(number: &[u8]) -> usize {
    let first = number.first().map_or(8, |first| first.leading_zeros() as usize);
    number.len() * 8 - first.min(number.len() * 8)
}
