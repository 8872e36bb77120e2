use super::Answer;

/// Metrics as they were at one moment.
#[derive(Debug)]
pub(crate) struct Metrics(String);

impl Metrics {
    pub(crate) fn of(answer: &Answer) -> Self {
        Self(answer.text.clone())
    }

    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    /// The value of a series, written as the page writes it; 0 where it is not there yet.
    pub(crate) fn get(&self, series: &str) -> f64 {
        let line = self
            .0
            .lines()
            .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.map_or(0.0, |value| value.parse().expect("a number"))
    }

    /// The sum of all series of a name whose labels hold each of these.
    pub(crate) fn sum(&self, name: &str, labels: &[&str]) -> f64 {
        let lines = self
            .0
            .lines()
            .filter_map(|line| line.strip_prefix(name)?.strip_prefix('{'));
        let lines = lines.filter(|line| labels.iter().all(|label| line.contains(label)));
        lines
            .filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok())
            .sum()
    }
}
