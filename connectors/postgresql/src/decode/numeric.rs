//! PostgreSQL's `numeric`: groups of four digits, as whole numbers that are divided by a power of ten.

use headwater_sdk::arrow::datatypes::i256;

use super::values::Why;

/// The head of a number: how many groups there are, the weight of the first one, the sign, and the digits that are shown.
struct Number<'a> {
    groups: &'a [[u8; 2]],
    weight: i32,
    negative: bool,
}

impl<'a> Number<'a> {
    /// Reads a number; none where it is not one, and that is to be a missing value.
    fn read(bytes: &'a [u8], nan_is_null: bool) -> Result<Option<Self>, Why> {
        let (words, rest) = bytes.as_chunks::<2>();
        let [count, weight, sign, _, groups @ ..] = words else { return Err("a number without a head".into()) };
        if usize::from(u16::from_be_bytes(*count)) != groups.len() || !rest.is_empty() {
            return Err("a number of another length than it says".into());
        }
        let (weight, negative) = (
            i16::from_be_bytes(*weight).into(),
            match u16::from_be_bytes(*sign) {
                0 => false,
                0x4000 => true,
                _ if nan_is_null => return Ok(None),
                other => {
                    let name = match other {
                        0xd000 => "Infinity",
                        0xf000 => "-Infinity",
                        _ => "NaN",
                    };
                    return Err(format!(
                    "{name} is no decimal number; say `type: text` for the column, or `nan: null` to have it as a missing \
                     value"
                )
                .into());
                }
            },
        );
        Ok(Some(Self { groups, weight, negative }))
    }

    /// The power of ten of the last group, where the number is counted in units of a scale.
    fn exponent(&self, scale: i8) -> i32 {
        4 * (self.weight + 1 - self.groups.len() as i32) + i32::from(scale)
    }
}

const POWERS: [u64; 20] = {
    let (mut powers, mut index) = ([1; 20], 1);
    while index < 20 {
        powers[index] = powers[index - 1] * 10;
        index += 1;
    }
    powers
};

/// More digits than a group has are no digits of a group.
fn group(bytes: [u8; 2]) -> u64 {
    u64::from(u16::from_be_bytes(bytes))
}

fn too_long(precision: u8, scale: i8) -> Why {
    format!(
        "a number has more digits than decimal({precision}, {scale}); say `type: text` for the column, or a decimal of more \
         digits"
    )
    .into()
}

/// A number of up to 38 digits, in units of its scale.
pub fn unscaled(bytes: &[u8], precision: u8, scale: i8, nan_is_null: bool) -> Result<Option<i128>, Why> {
    let Some(number) = Number::read(bytes, nan_is_null)? else { return Ok(None) };
    let exponent = number.exponent(scale);
    let magnitude = match exponent {
        _ if number.groups.is_empty() => 0,
        // Four groups and three more digits are within 64 bits, which are much faster.
        -19..=3 if number.groups.len() <= 4 => {
            let value = number.groups.iter().fold(0, |sum, digits| sum * 10_000 + group(*digits));
            let power = POWERS[exponent.unsigned_abs() as usize];
            if exponent >= 0 {
                u128::from(value * power)
            } else if value % power == 0 {
                u128::from(value / power)
            } else {
                return Err(too_long(precision, scale));
            }
        }
        _ => {
            let wide = wide(&number, exponent).and_then(i256::to_i128);
            wide.ok_or_else(|| too_long(precision, scale))?.unsigned_abs()
        }
    };
    match 10_u128.checked_pow(precision.into()) {
        Some(limit) if magnitude < limit => {
            let value = magnitude as i128;
            Ok(Some(if number.negative { -value } else { value }))
        }
        _ => Err(too_long(precision, scale)),
    }
}

/// A number of up to 76 digits, in units of its scale.
pub fn unscaled_wide(bytes: &[u8], precision: u8, scale: i8, nan_is_null: bool) -> Result<Option<i256>, Why> {
    let Some(number) = Number::read(bytes, nan_is_null)? else { return Ok(None) };
    let magnitude = wide(&number, number.exponent(scale));
    let limit = i256::from_i128(10).checked_pow(precision.into());
    match (magnitude, limit) {
        (Some(magnitude), Some(limit)) if magnitude < limit => {
            Ok(Some(if number.negative { magnitude.wrapping_neg() } else { magnitude }))
        }
        _ => Err(too_long(precision, scale)),
    }
}

/// The number without its sign; none where it has too many digits on either side.
fn wide(number: &Number<'_>, exponent: i32) -> Option<i256> {
    let Some((last, groups)) = number.groups.split_last() else { return Some(i256::ZERO) };
    // What stands behind the scale in the last group must be zeros; they are left out first, to have no digit too many.
    let cut = POWERS.get(usize::try_from(-exponent.min(0)).ok()?).copied().filter(|cut| *cut < 10_000)?;
    let last = group(*last);
    if !last.is_multiple_of(cut) {
        return None;
    }
    let number = |value: u64| i256::from_i128(value.into());
    let mut value = i256::ZERO;
    for digits in groups {
        value = value.checked_mul(number(10_000))?.checked_add(number(group(*digits)))?;
    }
    value = value.checked_mul(number(10_000 / cut))?.checked_add(number(last / cut))?;
    value.checked_mul(number(10).checked_pow(exponent.max(0).unsigned_abs())?)
}
