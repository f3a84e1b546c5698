//! How sensitive a resource is: codes of v3-Confidentiality and v3-ActCode, as bits of a row.

/// A set of labels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Labels(i64);

/// Stored for good: numbers are added, never changed.
const CODES: [(&str, i64); 9] = [
    ("ETH", 1),
    ("ETHUD", 1),
    ("OPIOIDUD", 1),
    ("PSY", 2),
    ("HIV", 4),
    ("SDV", 8),
    ("SEX", 16),
    ("R", 32),
    ("V", 64),
];

impl Labels {
    pub const ADDICTION: Labels = Labels(1);
    pub const PSYCHIATRY: Labels = Labels(2);
    pub const HIV: Labels = Labels(4);
    pub const SEXUAL_VIOLENCE: Labels = Labels(8);
    pub const REPRODUCTION: Labels = Labels(16);
    /// What takes an explicit consent to be seen elsewhere.
    pub const SENSITIVE: Labels = Labels(1 | 2 | 4 | 8 | 16 | 32);
    /// Nobody but the custodian sees it, whatever a consent says.
    pub const VERY_RESTRICTED: Labels = Labels(64);
    /// Those of a resource that reach what refers to it.
    pub const REACHING: Labels = Labels(1 | 2 | 4 | 8 | 16 | 32 | 64);
    /// About more than one patient.
    pub const SEVERAL: Labels = Labels(128);
    /// Not a label of resources: in a consent, those that have none.
    pub const NORMAL: Labels = Labels(256);
    /// Never seen elsewhere.
    pub const CLOSED: Labels = Labels(64 | 128);

    /// What a coding of `meta.security` or of a consent's `securityLabel` means.
    pub fn parse(system: &str, code: &str) -> Option<Labels> {
        let is_known = [
            "http://terminology.hl7.org/CodeSystem/v3-Confidentiality",
            "http://terminology.hl7.org/CodeSystem/v3-ActCode",
        ]
        .contains(&system);
        if !is_known {
            return None;
        }
        CODES.iter().find(|(known, _)| *known == code).map(|(_, bit)| Labels(*bit))
    }

    pub fn of_bits(bits: i64) -> Labels {
        Labels(bits)
    }

    /// Whether it has one of these.
    pub fn meets(self, others: Labels) -> bool {
        self.0 & others.0 != 0
    }

    pub fn bits(self) -> i64 {
        self.0
    }

    #[must_use]
    pub fn with(self, other: Labels) -> Labels {
        Labels(self.0 | other.0)
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Codes for `meta.security`, with their systems.
    pub fn codings(self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let is_first =
            |index: usize, bit: i64| !CODES.iter().take(index).any(|(_, other)| *other == bit);
        let own = CODES.iter().enumerate();
        own.filter(move |(index, (_, bit))| self.0 & bit != 0 && is_first(*index, *bit)).map(
            |(_, (code, bit))| {
                let system = match bit {
                    32 | 64 => "http://terminology.hl7.org/CodeSystem/v3-Confidentiality",
                    _ => "http://terminology.hl7.org/CodeSystem/v3-ActCode",
                };
                (system, *code)
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::Labels;

    #[test]
    fn labels_have_one_code_each() {
        let labels = Labels::SENSITIVE.with(Labels::VERY_RESTRICTED).with(Labels::SEVERAL);
        let codes: Vec<&str> = labels.codings().map(|(_, code)| code).collect();
        assert_eq!(codes, ["ETH", "PSY", "HIV", "SDV", "SEX", "R", "V"]);
        for (system, code) in labels.codings() {
            assert!(Labels::parse(system, code).is_some());
        }
        assert_eq!(Labels::parse("urn:other", "PSY"), None);
    }
}
