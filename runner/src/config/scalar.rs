//! What a scalar is by its looks: YAML's core schema.

use super::parse::Scalar;

impl Scalar {
    /// What the scalar is called in messages.
    pub fn kind(&self) -> &'static str {
        match self.infer() {
            Inferred::Bool(_) => "the truth value",
            Inferred::Int(_) | Inferred::Float(_) => "the number",
            Inferred::Text => "the text",
        }
    }

    /// What the scalar is where nothing particular is asked for: YAML's core schema.
    pub fn infer(&self) -> Inferred {
        if !self.plain {
            return Inferred::Text;
        }
        if let Some(value) = self.bool() {
            return Inferred::Bool(value);
        }
        if let Some(number) = self.int() {
            return Inferred::Int(number);
        }
        // Rust reads `inf` and `nan` as numbers, YAML does not.
        let digits = self.text.trim_start_matches(['+', '-', '.']).starts_with(|char: char| char.is_ascii_digit());
        match self.text.parse() {
            Ok(number) if digits => Inferred::Float(number),
            _ => Inferred::Text,
        }
    }

    /// Whether it may be more than text. A value from a variable is a number when it looks like one, quoted or not.
    fn is_open(&self) -> bool {
        self.plain || self.written.is_some()
    }

    /// The truth value that it is, where one is asked for.
    pub fn bool(&self) -> Option<bool> {
        match self.text.as_str() {
            "true" | "True" | "TRUE" if self.is_open() => Some(true),
            "false" | "False" | "FALSE" if self.is_open() => Some(false),
            _ => None,
        }
    }

    /// The whole number that it is, where one is asked for.
    pub fn int(&self) -> Option<i128> {
        if !self.is_open() {
            return None;
        }
        match self.text.strip_prefix("0x") {
            Some(digits) => i128::from_str_radix(digits, 16).ok(),
            None => self.text.parse().ok(),
        }
    }
}

/// What a scalar is by its looks.
pub enum Inferred {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i128),
    /// Another number.
    Float(f64),
    /// Anything else.
    Text,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_are_what_they_look_like() {
        let name = |text: &str, plain: bool| {
            let scalar = Scalar { text: text.to_owned(), plain, written: None, broken: false };
            match scalar.infer() {
                Inferred::Bool(_) => "bool",
                Inferred::Int(_) => "int",
                Inferred::Float(_) => "float",
                Inferred::Text => "text",
            }
        };
        for (text, kind) in [
            ("true", "bool"),
            ("FALSE", "bool"),
            ("yes", "text"),
            ("12", "int"),
            ("-12", "int"),
            ("0x1F", "int"),
            ("1.5e3", "float"),
            ("-.5", "float"),
            ("inf", "text"),
            ("nan", "text"),
            ("1.2.3", "text"),
            ("123456789012345678901234567890123456789012", "float"),
        ] {
            assert_eq!(name(text, true), kind, "{text}");
            assert_eq!(name(text, false), "text", "{text} in quotes");
        }
    }
}
