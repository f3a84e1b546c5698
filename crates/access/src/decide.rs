//! The one decision.

use crate::{Caller, HospitalId, Wish};

/// Proof that a caller may do what it wished, and within which restriction. Only `decide` makes one.
#[derive(Clone, Debug)]
pub struct Grant {
    hospital: HospitalId,
    restriction: Restriction,
}

impl Grant {
    /// The custodian of what is written under this grant.
    pub fn hospital(&self) -> HospitalId {
        self.hospital
    }

    pub fn restriction(&self) -> &Restriction {
        &self.restriction
    }

    /// Whether the caller may change what this hospital is the custodian of.
    pub fn may_change(&self, custodian: HospitalId) -> bool {
        custodian == self.hospital
    }
}

/// What part of the record a grant opens. Matched exhaustively wherever rows are chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Restriction {
    Everything,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this caller may not do this")]
pub struct Denied;

/// Every caller is local today, and a local caller may wish for anything; that only a custodian changes its own versions is asked
/// of the grant by the write path.
pub fn decide(caller: &Caller, _wish: &Wish) -> Result<Grant, Denied> {
    Ok(Grant { hospital: caller.hospital(), restriction: Restriction::Everything })
}

#[cfg(test)]
mod tests {
    use super::{Restriction, decide};
    use crate::{Caller, HospitalId, Interaction, Wish};

    #[test]
    fn a_local_caller_may_change_only_what_its_hospital_keeps() {
        let caller = Caller::local(HospitalId(3));
        let wish = Wish { interaction: Interaction::Update, resource: Some("Patient") };
        let grant = decide(&caller, &wish).unwrap();
        assert_eq!(grant.restriction(), &Restriction::Everything);
        assert!(grant.may_change(HospitalId(3)));
        assert!(!grant.may_change(HospitalId(4)));
    }
}
