//! Who is asking.

/// A hospital's number in the registry: the custodian of what its callers write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HospitalId(pub i32);

#[derive(Clone, Debug)]
pub struct Caller {
    hospital: HospitalId,
}

impl Caller {
    /// Whoever reaches a server that was started with `--insecure-no-auth`.
    pub fn local(hospital: HospitalId) -> Caller {
        Caller { hospital }
    }

    pub fn hospital(&self) -> HospitalId {
        self.hospital
    }
}
