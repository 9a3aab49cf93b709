//! Figures: each is printed as it comes, compared with its goal, and kept for the documentation.

use std::fmt::Write as _;

/// How a number is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// `12.3 s`
    Seconds,
    /// `12.3 µs`, of seconds.
    Micros,
    /// `118 MiB`, of bytes.
    Mebibytes,
    /// `97.1 %`, of a share of 1.
    Percent,
    /// `1.04`
    Ratio,
    /// `3 120 /s`
    PerSecond,
}

impl Unit {
    /// The number with its unit.
    pub fn show(self, value: f64) -> String {
        match self {
            Unit::Seconds => format!("{value:.1} s"),
            Unit::Micros => format!("{:.1} µs", value * 1e6),
            Unit::Mebibytes => format!("{:.0} MiB", value / f64::from(1 << 20)),
            Unit::Percent => format!("{:.1} %", value * 100.0),
            Unit::Ratio => format!("{value:.2}"),
            Unit::PerSecond => format!("{} /s", grouped(value.round() as u64)),
        }
    }

    /// A goal is a round number.
    fn show_goal(self, value: f64) -> String {
        match self {
            Unit::Percent => format!("{} %", (value * 1000.0).round() / 10.0),
            Unit::Ratio => value.to_string(),
            _ => self.show(value),
        }
    }
}

/// A number with its digits in groups of three.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// What a figure has to be.
#[derive(Debug, Clone, Copy)]
pub enum Goal {
    /// Less than this.
    Below(f64),
    /// This or less.
    AtMost(f64),
    /// This or more.
    AtLeast(f64),
}

/// One line of the table.
struct Figure {
    scenario: &'static str,
    name: String,
    value: String,
    goal: String,
    met: Option<bool>,
}

/// All figures so far.
#[derive(Default)]
pub struct Report {
    figures: Vec<Figure>,
}

impl Report {
    /// Prints the head of the table.
    pub fn begin() -> Self {
        print_line(["scenario", "figure", "value", "goal", "met"]);
        Self::default()
    }

    /// A number.
    pub fn number(&mut self, at: &Figures, name: impl Into<String>, unit: Unit, value: f64, goal: Option<Goal>) {
        let (text, met) = match goal {
            None => (String::new(), None),
            Some(Goal::Below(most)) => (format!("< {}", unit.show_goal(most)), Some(value < most)),
            Some(Goal::AtMost(most)) => (format!("≤ {}", unit.show_goal(most)), Some(value <= most)),
            Some(Goal::AtLeast(least)) => (format!("≥ {}", unit.show_goal(least)), Some(value >= least)),
        };
        self.add(at.0, name.into(), unit.show(value), text, met);
    }

    /// A text that is compared with nothing.
    pub fn text(&mut self, at: &Figures, name: impl Into<String>, value: impl Into<String>) {
        self.add(at.0, name.into(), value.into(), String::new(), None);
    }

    /// Rows that have to be those of the estate; `wrong` is in which way they are not.
    pub fn rows(&mut self, at: &Figures, name: impl Into<String>, rows: u64, wrong: &[String]) {
        let value = if wrong.is_empty() { grouped(rows) } else { wrong.join("; ") };
        self.add(at.0, name.into(), value, "those of the estate".to_owned(), Some(wrong.is_empty()));
    }

    /// A scenario that came to no end.
    pub fn failed(&mut self, scenario: &'static str, error: &anyhow::Error) {
        let text = format!("{error:#}");
        eprintln!("error: {scenario}: {}", text.get(..1000).unwrap_or(&text));
        self.add(scenario, "the scenario itself".to_owned(), "failed".to_owned(), String::new(), Some(false));
    }

    fn add(&mut self, scenario: &'static str, name: String, value: String, goal: String, met: Option<bool>) {
        print_line([scenario, &name, &value, &goal, yes(met)]);
        self.figures.push(Figure { scenario, name, value, goal, met });
    }

    /// How many goals are missed.
    pub fn missed(&self) -> usize {
        self.figures.iter().filter(|figure| figure.met == Some(false)).count()
    }

    /// The figures as a table of Markdown.
    pub fn markdown(&self) -> String {
        let mut text = String::from("| scenario | figure | value | goal | met |\n| --- | --- | ---: | ---: | --- |\n");
        for Figure { scenario, name, value, goal, met } in &self.figures {
            // Writing into a string does not fail.
            let _ = writeln!(text, "| {scenario} | {name} | {value} | {goal} | {} |", yes(*met));
        }
        text
    }
}

/// Whose figures they are.
pub struct Figures(pub &'static str);

fn yes(met: Option<bool>) -> &'static str {
    match met {
        None => "",
        Some(true) => "yes",
        Some(false) => "NO",
    }
}

fn print_line([scenario, name, value, goal, met]: [&str; 5]) {
    println!("{scenario:<10} {name:<46} {value:>22} {goal:>20}  {met}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_shown_and_compared() {
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(grouped(12), "12");
        assert_eq!(Unit::Percent.show(0.9712), "97.1 %");
        let at = Figures("accounts");
        let mut report = Report::default();
        report.number(&at, "share", Unit::Percent, 0.9, Some(Goal::AtLeast(0.9)));
        report.number(
            &at,
            "peak",
            Unit::Mebibytes,
            256.0 * 1024.0 * 1024.0,
            Some(Goal::Below(256.0 * 1024.0 * 1024.0)),
        );
        report.rows(&at, "rows", 1000, &[]);
        assert_eq!(report.missed(), 1);
        let lines: Vec<String> = report.markdown().lines().skip(2).map(str::to_owned).collect();
        assert_eq!(lines[0], "| accounts | share | 90.0 % | ≥ 90 % | yes |");
        assert_eq!(lines[1], "| accounts | peak | 256 MiB | < 256 MiB | NO |");
        assert_eq!(lines[2], "| accounts | rows | 1,000 | those of the estate | yes |");
    }
}
