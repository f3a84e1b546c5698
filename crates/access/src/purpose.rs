//! Why somebody asks: codes of v3-ActReason (terminology.hl7.org/CodeSystem/v3-ActReason).

/// A set of purposes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Purposes(i32);

/// Stored as bits, so that numbers are added and never changed.
const CODES: [(&str, i32); 8] = [
    ("TREAT", 1),
    ("ETREAT", 2),
    ("BTG", 4),
    ("HPAYMT", 8),
    ("HOPERAT", 16),
    ("HRESCH", 32),
    ("PATRQT", 64),
    ("PUBHLTH", 128),
];

impl Purposes {
    pub const TREATMENT: Purposes = Purposes(1 | 2);
    pub const EMERGENCY: Purposes = Purposes(2 | 4);
    pub const BREAK_THE_GLASS: Purposes = Purposes(4);

    pub fn of_bits(bits: i32) -> Purposes {
        Purposes(bits)
    }

    pub fn parse(code: &str) -> Option<Purposes> {
        CODES.iter().find(|(known, _)| *known == code).map(|(_, bit)| Purposes(*bit))
    }

    #[must_use]
    pub fn with(self, other: Purposes) -> Purposes {
        Purposes(self.0 | other.0)
    }

    pub fn meets(self, other: Purposes) -> bool {
        self.0 & other.0 != 0
    }

    pub fn bits(self) -> i32 {
        self.0
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn codes(self) -> impl Iterator<Item = &'static str> {
        CODES.iter().filter(move |(_, bit)| self.0 & bit != 0).map(|(code, _)| *code)
    }
}
