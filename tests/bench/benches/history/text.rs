//! Texts like those of conversations: few words are met in most of them, most words in few.

/// Words of a language that doesn't exist.
pub(crate) struct Vocabulary {
    words: Vec<String>,
    /// The weights of the words up to and with each, after Zipf.
    weights: Vec<f64>,
}

const SIZE: usize = 50_000;
/// As often as letters begin and continue English words.
const FIRST: &[u8] = b"tttttaaaaasssssooiiiwwwccccbbbppphhhffmmmddrrlleeennggguuvkyjqzx";
const LETTERS: &[u8] = b"eeeeeeetttttaaaaooooiiiinnnnsssshhhrrrdddlllcccuuummmwwffggyyppbbvkjxqz";
const LENGTHS: [usize; 7] = [6, 12, 20, 30, 45, 60, 90];

impl Vocabulary {
    pub(crate) fn new(random: &mut fastrand::Rng) -> Self {
        let mut seen = std::collections::HashSet::new();
        let mut words = Vec::with_capacity(SIZE);
        while words.len() < SIZE {
            let length = if words.len() < 200 { 1..6 } else { 4..12 };
            let mut letter = |of: &[u8]| char::from(of[random.usize(..of.len())]);
            let first = letter(FIRST);
            let rest: String = (0..30).map(|_| letter(LETTERS)).collect();
            let word = format!("{first}{}", &rest[..random.usize(length)]);
            if seen.insert(word.clone()) {
                words.push(word);
            }
        }
        let mut sum = 0.0;
        let weights = (0..SIZE)
            .map(|rank| {
                sum += 1.0 / (rank as f64 + 2.0);
                sum
            })
            .collect();
        Self { words, weights }
    }

    /// A word, met as often as in texts.
    pub(crate) fn word(&self, random: &mut fastrand::Rng) -> &str {
        let at = random.f64() * self.weights[SIZE - 1];
        &self.words[self.weights.partition_point(|weight| *weight < at).min(SIZE - 1)]
    }

    /// A word out of some of the most frequent ones.
    pub(crate) fn ranked(&self, ranks: std::ops::Range<usize>, random: &mut fastrand::Rng) -> &str {
        &self.words[random.usize(ranks)]
    }

    /// What somebody says: 6 to 90 words.
    pub(crate) fn text(&self, random: &mut fastrand::Rng) -> String {
        let length = LENGTHS[random.usize(..LENGTHS.len())];
        let words: Vec<&str> = (0..length).map(|_| self.word(random)).collect();
        words.join(" ")
    }
}
