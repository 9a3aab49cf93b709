//! Writing answers: XML into one string, times, numbers in base 32, and padding.

use std::fmt::{self, Display, Write};
use std::sync::OnceLock;

use crate::latency::mixed;

const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// An answer as it grows.
#[derive(Default)]
pub struct Text(pub String);

impl Text {
    pub fn with_capacity(bytes: usize) -> Self {
        Self(String::with_capacity(bytes))
    }

    pub fn raw(&mut self, text: &str) {
        self.0.push_str(text);
    }

    pub fn open(&mut self, tag: &str) {
        self.0.push('<');
        self.0.push_str(tag);
        self.0.push('>');
    }

    pub fn close(&mut self, tag: &str) {
        self.0.push_str("</");
        self.0.push_str(tag);
        self.0.push('>');
    }

    /// An element whose text needs no escapes.
    pub fn text(&mut self, tag: &str, value: &str) {
        self.open(tag);
        self.0.push_str(value);
        self.close(tag);
    }

    /// An element whose value needs no escapes.
    pub fn leaf(&mut self, tag: &str, value: impl Display) {
        self.open(tag);
        self.show(value);
        self.close(tag);
    }

    /// An element with any text.
    pub fn escaped(&mut self, tag: &str, value: &str) {
        self.open(tag);
        for letter in value.chars() {
            match letter {
                '&' => self.raw("&amp;"),
                '<' => self.raw("&lt;"),
                '>' => self.raw("&gt;"),
                letter => self.0.push(letter),
            }
        }
        self.close(tag);
    }

    /// A value as it shows itself.
    pub fn show(&mut self, value: impl Display) {
        // Writing into a string does not fail.
        let _ = write!(self.0, "{value}");
    }

    /// That many letters, others for another seed.
    pub fn pad(&mut self, mut bytes: usize, seed: u64) {
        let pool = pool();
        let mut from = mixed(seed) as usize % (pool.len() / 2);
        while bytes > 0 {
            let take = bytes.min(pool.len() - from);
            self.raw(&pool[from..from + take]);
            bytes -= take;
            from = 0;
        }
    }
}

/// Letters without a pattern, so that padding does not compress away.
fn pool() -> &'static str {
    static POOL: OnceLock<String> = OnceLock::new();
    POOL.get_or_init(|| (0..1_u64 << 20).map(|at| char::from(LETTERS[mixed(at + 1) as usize % 32])).collect())
}

/// Seconds since 1970 as `2026-01-31T12:00:00.000Z`.
pub struct Iso(pub u64);

impl Display for Iso {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, second) = (self.0 / 86_400, self.0 % 86_400);
        // Years that begin in March, so that a leap day is the last one; 719468 days from there to 1970.
        let day = days + 719_468;
        let (era, day) = (day / 146_097, day % 146_097);
        let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let march = (5 * day + 2) / 153;
        let (month, day) = (if march < 10 { march + 3 } else { march - 9 }, day - (153 * march + 2) / 5 + 1);
        let year = era * 400 + year + u64::from(month <= 2);
        let mut text = *b"0000-00-00T00:00:00.000Z";
        let mut digits = |at: usize, count: usize, mut number: u64| {
            for place in text[at..at + count].iter_mut().rev() {
                *place = b'0' + (number % 10) as u8;
                number /= 10;
            }
        };
        digits(0, 4, year);
        digits(5, 2, month);
        digits(8, 2, day);
        digits(11, 2, second / 3600);
        digits(14, 2, second / 60 % 60);
        digits(17, 2, second % 60);
        formatter.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

/// The lowest 80 bits of a number as sixteen letters and digits, after a prefix: the way of access keys.
pub fn key_id(prefix: &str, number: u128) -> String {
    let letters = (0..16).rev().map(|place| char::from(LETTERS[(number >> (5 * place)) as usize % 32]));
    prefix.chars().chain(letters).collect()
}

/// The number of such a key.
pub fn key_number(prefix: &str, key: &str) -> Option<u128> {
    let letters = key.strip_prefix(prefix).filter(|letters| letters.len() == 16)?;
    letters.bytes().try_fold(0_u128, |number, letter| {
        let value = LETTERS.iter().position(|other| *other == letter)?;
        Some(number << 5 | value as u128)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_keys() {
        assert_eq!(Iso(0).to_string(), "1970-01-01T00:00:00.000Z");
        assert_eq!(Iso(1_709_208_000).to_string(), "2024-02-29T12:00:00.000Z");
        assert_eq!(Iso(1_798_761_599).to_string(), "2026-12-31T23:59:59.000Z");
        let number = 0x0123_4567_89ab_cdef_0123_u128;
        assert_eq!(key_number("AKIA", &key_id("AKIA", number)), Some(number));
    }
}
