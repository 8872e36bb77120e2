//! What is searched for, by how hard it is.

use crate::text::Vocabulary;

/// A kind of query.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    make: fn(&Vocabulary, &mut fastrand::Rng) -> String,
}

/// Where queries take their words from.
pub(crate) struct Samples<'a> {
    pub(crate) vocabulary: &'a Vocabulary,
    pub(crate) random: fastrand::Rng,
}

const QUERIES: usize = 40;

impl Kind {
    pub(crate) fn make(&self, samples: &mut Samples<'_>) -> Vec<String> {
        (0..QUERIES)
            .map(|_| (self.make)(samples.vocabulary, &mut samples.random))
            .collect()
    }
}

fn beginning(word: &str, length: usize) -> &str {
    &word[..length.min(word.len())]
}

pub(crate) const KINDS: &[Kind] = &[
    Kind {
        name: "a word of the 10 most frequent",
        make: |words, random| words.ranked(0..10, random).to_owned(),
    },
    Kind {
        name: "a word of the next 100",
        make: |words, random| words.ranked(10..110, random).to_owned(),
    },
    Kind {
        name: "a word of the next 1000",
        make: |words, random| words.ranked(110..1_110, random).to_owned(),
    },
    Kind {
        name: "a rare word",
        make: |words, random| words.ranked(1_110..50_000, random).to_owned(),
    },
    Kind {
        name: "one letter",
        make: |words, random| beginning(words.word(random), 1).to_owned(),
    },
    Kind {
        name: "two letters",
        make: |words, random| beginning(words.word(random), 2).to_owned(),
    },
    Kind {
        name: "three letters",
        make: |words, random| beginning(words.word(random), 3).to_owned(),
    },
    Kind {
        name: "five letters",
        make: |words, random| beginning(words.word(random), 5).to_owned(),
    },
    Kind {
        name: "two words as in texts",
        make: |words, random| format!("{} {}", words.word(random), words.word(random)),
    },
    Kind {
        name: "a word and a letter",
        make: |words, random| format!("{} {}", words.word(random), beginning(words.word(random), 1)),
    },
    Kind {
        name: "a word and three letters",
        make: |words, random| format!("{} {}", words.word(random), beginning(words.word(random), 3)),
    },
    Kind {
        name: "what nobody said",
        make: |_, random| format!("9{}", random.u32(..)),
    },
];
