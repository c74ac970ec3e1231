//! The text format of Prometheus, version 0.0.4.

use std::fmt::Write;

/// A text that grows, family after family.
#[derive(Debug, Default)]
pub struct Exposition {
    text: String,
    name: String,
}

/// How often values fell into each of some buckets.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Histogram {
    /// For each bucket, without those below it.
    counts: Vec<u64>,
    count: u64,
    sum: f64,
}

impl Exposition {
    /// Begins a family that only grows.
    pub fn counter(&mut self, name: &str, help: &str) {
        self.family(name, help, "counter");
    }

    /// Begins a family that goes up and down.
    pub fn gauge(&mut self, name: &str, help: &str) {
        self.family(name, help, "gauge");
    }

    /// Begins a family of distributions.
    pub fn histogram(&mut self, name: &str, help: &str) {
        self.family(name, help, "histogram");
    }

    fn family(&mut self, name: &str, help: &str, kind: &str) {
        name.clone_into(&mut self.name);
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}").ok();
    }

    /// A value of the family.
    pub fn sample(&mut self, labels: &[(&str, &str)], value: f64) {
        self.line("", labels, value);
    }

    /// A distribution of the family, whose buckets end at these values.
    pub fn distribution(&mut self, labels: &[(&str, &str)], values: &Histogram, ends: &[f64]) {
        let mut below = 0_u64;
        for (at, end) in ends.iter().enumerate() {
            below += values.counts.get(at).copied().unwrap_or_default();
            let end = end.to_string();
            let labels: Vec<_> = labels.iter().copied().chain([("le", end.as_str())]).collect();
            self.line("_bucket", &labels, below as f64);
        }
        let all: Vec<_> = labels.iter().copied().chain([("le", "+Inf")]).collect();
        self.line("_bucket", &all, values.count as f64);
        self.line("_sum", labels, values.sum);
        self.line("_count", labels, values.count as f64);
    }

    fn line(&mut self, end: &str, labels: &[(&str, &str)], value: f64) {
        let label = |(name, value): &(&str, &str)| format!("{name}=\"{}\"", escaped(value));
        let labels: Vec<String> = labels.iter().map(label).collect();
        let labels = match labels.as_slice() {
            [] => String::new(),
            labels => format!("{{{}}}", labels.join(",")),
        };
        writeln!(self.text, "{}{end}{labels} {value}", self.name).ok();
    }

    /// All of it.
    pub fn text(self) -> String {
        self.text
    }
}

impl Histogram {
    /// Adds a value; buckets end at `ends`, always the same for one histogram.
    pub fn add(&mut self, value: f64, ends: &[f64]) {
        self.counts.resize(ends.len(), 0);
        self.count += 1;
        self.sum += value;
        let at = ends.iter().position(|end| value <= *end);
        if let Some(count) = at.and_then(|at| self.counts.get_mut(at)) {
            *count += 1;
        }
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_that_of_the_format() {
        let mut out = Exposition::default();
        out.gauge("a", "Up\nor down.");
        out.sample(&[], 1.0);
        out.sample(&[("trunk", "a\"b\\c\nd")], 0.5);
        let mut times = Histogram::default();
        for time in [0.1, 0.25, 7.0] {
            times.add(time, &[0.1, 0.5]);
        }
        out.histogram("t", "Times.");
        out.distribution(&[("x", "y")], &times, &[0.1, 0.5]);
        let expected = "# HELP a Up\\nor down.\n# TYPE a gauge\na 1\n\
                        a{trunk=\"a\\\"b\\\\c\\nd\"} 0.5\n# HELP t Times.\n# TYPE t histogram\n\
                        t_bucket{x=\"y\",le=\"0.1\"} 1\nt_bucket{x=\"y\",le=\"0.5\"} 2\n\
                        t_bucket{x=\"y\",le=\"+Inf\"} 3\nt_sum{x=\"y\"} 7.35\nt_count{x=\"y\"} 3\n";
        assert_eq!(out.text(), expected);
    }
}
