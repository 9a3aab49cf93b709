//! Numbers as they are written, in bytes that compare as the numbers do: exactly, however many digits they have.

/// The bytes of a decimal number, `-12.5e3`: its sign, its exponent, and its digits. Nothing where the text is none.
pub fn sortable(text: &str) -> Option<Vec<u8>> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, whole(exponent)?),
        None => (text, 0),
    };
    let (before, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = [before, after].concat();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let leading = digits.len() - digits.trim_start_matches('0').len();
    let digits = digits.trim_matches('0');
    if digits.is_empty() {
        return Some(vec![1]);
    }
    // The number is 0.digits times ten to this.
    let exponent = exponent.saturating_add(before.len() as i64).saturating_sub(leading as i64);
    // With its sign turned round, an exponent sorts as bytes do.
    let mut bytes = vec![2];
    bytes.extend((exponent ^ i64::MIN).to_be_bytes());
    bytes.extend(digits.bytes());
    if negative {
        // The greater, the less; and a number that goes on is less than one that ends.
        bytes.iter_mut().for_each(|byte| *byte = !*byte);
        bytes[0] = 0;
        bytes.push(u8::MAX);
    }
    Some(bytes)
}

/// An exponent. One that is too large for any number is the largest.
fn whole(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number = digits.parse().unwrap_or(i64::MAX);
    Some(if negative { -number } else { number })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_sort_as_numbers_do() {
        let ascending: [&[&str]; 19] = [
            &["-1e400"],
            &["-9007199254740993"],
            &["-9007199254740992", "-9007199254740992.000", "-9007199254740.992e3"],
            &["-10", "-1e1"],
            &["-1.01"],
            &["-1", "-1.0"],
            &["-0.5", "-.5"],
            &["-1e-400"],
            &["0", "-0", "0.0", "0e9", "+0", "000"],
            &["1e-400"],
            &["0.05"],
            &["0.5", ".5", "5e-1", "0.50"],
            &["1", "1.", "01", "+1", "1e0", "10E-1"],
            &["2"],
            &["9.99"],
            &["10", "1e+1"],
            &["9007199254740992"],
            &["9007199254740993", "9007199254740993.0"],
            &["1e400", "10e399"],
        ];
        for (at, same) in ascending.iter().enumerate() {
            for one in *same {
                assert_eq!(sortable(one), sortable(same[0]), "{one}");
                for more in &ascending[at + 1..] {
                    assert!(sortable(one) < sortable(more[0]), "{one} < {}", more[0]);
                }
            }
        }
        for text in ["", "-", ".", "e5", "1e", "1e-", "true", "1x", "1.2.3", "--1", "NaN", "1_0"] {
            assert_eq!(sortable(text), None, "{text}");
        }
    }
}
