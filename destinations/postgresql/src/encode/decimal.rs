//! Decimal numbers, as groups of four digits.

/// A decimal number: `value` divided by ten to the power of `scale`.
pub fn decimal(value: i128, scale: i8, out: &mut Vec<u8>) -> Result<(), String> {
    // Twenty groups of four digits on both sides of the point are more than 128 bits have.
    let mut groups = [0_i16; 20];
    let behind = usize::from(scale.unsigned_abs());
    let magnitude = value.unsigned_abs();
    // Groups are counted from the point, so the digits behind it are filled up with zeros.
    macro_rules! split {
        ($type:ty, $magnitude:expr) => {{
            let power = <$type>::pow(10, behind as u32);
            let mut whole: $type = $magnitude / power;
            let mut rest: $type = $magnitude % power * <$type>::pow(10, (4 - behind as u32 % 4) % 4);
            let point = 10;
            let (mut first, mut last) = (point, point + behind.div_ceil(4));
            for group in groups[point..last].iter_mut().rev() {
                *group = (rest % 10_000) as i16;
                rest /= 10_000;
            }
            while whole > 0 {
                first -= 1;
                groups[first] = (whole % 10_000) as i16;
                whole /= 10_000;
            }
            while first < last && groups[last - 1] == 0 {
                last -= 1;
            }
            while first < last && groups[first] == 0 {
                first += 1;
            }
            (first, last, point as i16 - 1 - first as i16)
        }};
    }
    // Division of 128 bits takes many times as long as that of 64.
    let (first, last, weight) = match u64::try_from(magnitude) {
        Ok(magnitude) if (0..=16).contains(&scale) => split!(u64, magnitude),
        _ if (0..=34).contains(&scale) => split!(u128, magnitude),
        _ => return numeric(&value.to_string(), scale, out),
    };
    let weight = if first == last { 0 } else { weight };
    out.extend_from_slice(&((last - first) as i16).to_be_bytes());
    out.extend_from_slice(&weight.to_be_bytes());
    out.extend_from_slice(&(if value < 0 { 0x4000_u16 } else { 0 }).to_be_bytes());
    out.extend_from_slice(&(behind as i16).to_be_bytes());
    for group in &groups[first..last] {
        out.extend_from_slice(&group.to_be_bytes());
    }
    Ok(())
}

/// A number of decimal digits, of which `scale` stand behind the point.
pub fn numeric(number: &str, scale: i8, out: &mut Vec<u8>) -> Result<(), String> {
    let (negative, digits) = match number.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, number),
    };
    let behind = usize::try_from(scale).unwrap_or(0);
    let mut whole = digits.to_owned();
    if scale < 0 {
        whole.push_str(&"0".repeat(usize::from(scale.unsigned_abs())));
    }
    if whole.len() <= behind {
        whole.insert_str(0, &"0".repeat(behind + 1 - whole.len()));
    }
    let (front, back) = whole.split_at(whole.len() - behind);
    put(negative, front, back, out);
    Ok(())
}

/// The digits before and behind the point.
fn put(negative: bool, front: &str, back: &str, out: &mut Vec<u8>) {
    // Groups of four digits on both sides of the point.
    let mut padded = "0".repeat((4 - front.len() % 4) % 4);
    padded.push_str(front);
    let mut weight = (padded.len() / 4) as i16 - 1;
    padded.push_str(back);
    padded.push_str(&"0".repeat((4 - back.len() % 4) % 4));
    let groups = padded.as_bytes().chunks(4);
    let groups: Vec<i16> =
        groups.map(|group| group.iter().fold(0, |sum, digit| sum * 10 + i16::from(digit - b'0'))).collect();
    let first = groups.iter().position(|group| *group != 0).unwrap_or(groups.len());
    let last = groups.iter().rposition(|group| *group != 0).map_or(first, |last| last + 1);
    weight -= first as i16;
    let groups = &groups[first..last];
    if groups.is_empty() {
        weight = 0;
    }
    out.extend_from_slice(&(groups.len() as i16).to_be_bytes());
    out.extend_from_slice(&weight.to_be_bytes());
    out.extend_from_slice(&(if negative { 0x4000_u16 } else { 0 }).to_be_bytes());
    out.extend_from_slice(&(back.len() as i16).to_be_bytes());
    for group in groups {
        out.extend_from_slice(&group.to_be_bytes());
    }
}

/// A number as PostgreSQL writes it: `-12.50`, `NaN`, `Infinity`.
pub fn numeric_of_text(text: &str, out: &mut Vec<u8>) -> Result<(), String> {
    let special = match text {
        "NaN" => Some(0xc000_u16),
        "Infinity" => Some(0xd000),
        "-Infinity" => Some(0xf000),
        _ => None,
    };
    if let Some(sign) = special {
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&sign.to_be_bytes());
        out.extend_from_slice(&[0; 2]);
        return Ok(());
    }
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, behind) = digits.split_once('.').unwrap_or((digits, ""));
    let decimal = |digits: &str| digits.bytes().all(|digit| digit.is_ascii_digit());
    // As many digits as PostgreSQL itself takes on either side.
    if whole.is_empty() || !decimal(whole) || !decimal(behind) || whole.len() > 131_072 || behind.len() > 16_383 {
        return Err(format!("{text} is no number as PostgreSQL writes it"));
    }
    put(text.starts_with('-'), whole, behind, out);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(number: &str, scale: i8) -> Vec<i16> {
        let words = |of: &dyn Fn(&mut Vec<u8>) -> Result<(), String>| -> Vec<i16> {
            let mut out = Vec::new();
            assert_eq!(of(&mut out), Ok(()));
            out.chunks(2).map(|pair| i16::from_be_bytes([pair[0], pair[1]])).collect()
        };
        let digits = words(&|out| numeric(number, scale, out));
        if let Ok(value) = number.parse() {
            assert_eq!(words(&|out| decimal(value, scale, out)), digits, "{number} {scale}");
        }
        digits
    }

    #[test]
    fn numbers_are_groups_of_four_digits() {
        // Seen with `SELECT numeric_send(…)` of PostgreSQL 15.
        assert_eq!(sent("0", 0), [0, 0, 0, 0]);
        assert_eq!(sent("12345678", 0), [2, 1, 0, 0, 1234, 5678]);
        assert_eq!(sent("-10000", 0), [1, 1, 0x4000, 0, 1]);
        assert_eq!(sent("150", 2), [2, 0, 0, 2, 1, 5000]);
        assert_eq!(sent("1", 9), [1, -3, 0, 9, 1000]);
        assert_eq!(sent("5", -3), [1, 0, 0, 0, 5000]);
    }

    #[test]
    fn both_ways_to_the_groups_agree() {
        let mut rng = fastrand::Rng::with_seed(7);
        let edges = [0, 1, -1, i128::from(u64::MAX), i128::from(u64::MAX) + 1, i128::MAX, i128::MIN + 1];
        for scale in -3..=38 {
            for value in edges.into_iter().chain((0..200).map(|_| rng.i128(..) >> rng.u32(0..127))) {
                sent(&value.to_string(), scale);
            }
        }
    }
}
