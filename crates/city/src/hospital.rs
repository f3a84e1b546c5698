//! Hospitals and their departments, before they are resources.

use crate::dice::Dice;
use crate::place::{DISTRICTS, District};

/// A department: key in ids, name, name in English, SNOMED CT code of its specialty.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Department {
    pub(crate) key: &'static str,
    pub(crate) name: &'static str,
    pub(crate) english: &'static str,
    pub(crate) specialty: &'static str,
    pub(crate) practitioners: u32,
}

const fn department(
    key: &'static str,
    name: &'static str,
    english: &'static str,
    specialty: &'static str,
) -> Department {
    Department { key, name, english, specialty, practitioners: 0 }
}

const DEPARTMENTS: [Department; 18] = [
    department("general", "全科", "General practice", "394814009"),
    department("internal", "内科", "Internal medicine", "419192003"),
    department("emergency", "急诊科", "Emergency medicine", "773568002"),
    department("radiology", "放射科", "Radiology", "394914008"),
    department("cardiology", "心内科", "Cardiology", "394579002"),
    department("endocrinology", "内分泌科", "Endocrinology", "394583002"),
    department("respiratory", "呼吸科", "Pulmonary medicine", "418112009"),
    department("gastroenterology", "消化科", "Gastroenterology", "394584008"),
    department("neurology", "神经内科", "Neurology", "394591006"),
    department("nephrology", "肾内科", "Nephrology", "394589003"),
    department("surgery", "普外科", "General surgery", "394609007"),
    department("orthopaedics", "骨科", "Orthopaedics", "394801008"),
    department("gynaecology", "妇产科", "Obstetrics and gynaecology", "394585009"),
    department("paediatrics", "儿科", "Paediatrics", "394537008"),
    department("ophthalmology", "眼科", "Ophthalmology", "394594003"),
    department("dermatology", "皮肤科", "Dermatology", "394582007"),
    department("psychiatry", "精神科", "Psychiatry", "394587001"),
    department("stomatology", "口腔科", "Dentistry", "394812008"),
];

/// A kind of hospital: name, name in English, its departments, how many patients it draws.
struct Kind(&'static str, &'static str, &'static [&'static str], u32);

const LARGE: [&str; 14] = [
    "internal",
    "emergency",
    "radiology",
    "cardiology",
    "endocrinology",
    "respiratory",
    "gastroenterology",
    "neurology",
    "nephrology",
    "surgery",
    "orthopaedics",
    "gynaecology",
    "ophthalmology",
    "dermatology",
];

const KINDS: [Kind; 8] = [
    Kind("中心医院", "Central Hospital", &LARGE, 12),
    Kind("人民医院", "People's Hospital", &LARGE, 10),
    Kind(
        "妇幼保健院",
        "Maternal and Child Health Hospital",
        &["gynaecology", "paediatrics", "radiology"],
        4,
    ),
    Kind(
        "中医医院",
        "Hospital of Traditional Chinese Medicine",
        &["internal", "radiology", "gastroenterology", "orthopaedics", "dermatology"],
        5,
    ),
    Kind(
        "社区卫生服务中心",
        "Community Health Centre",
        &["general", "paediatrics", "stomatology"],
        6,
    ),
    Kind(
        "儿童医院",
        "Children's Hospital",
        &["paediatrics", "emergency", "radiology", "surgery"],
        4,
    ),
    Kind("精神卫生中心", "Mental Health Centre", &["psychiatry", "neurology"], 2),
    Kind("眼病防治所", "Eye Clinic", &["ophthalmology"], 1),
];

#[derive(Clone, Debug)]
pub(crate) struct Hospital {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) english: String,
    pub(crate) number: u32,
    pub(crate) district: District,
    pub(crate) departments: Vec<Department>,
    pub(crate) weight: u32,
}

impl Hospital {
    /// The hospital of this number, from 1 on: every district gets one of a kind before the next kind begins.
    pub(crate) fn new(seed: u64, number: u32) -> Option<Hospital> {
        let mut dice = Dice::new(seed, 1, u64::from(number));
        let place = usize::try_from(number.checked_sub(1)?).ok()?;
        // 7 and 16 have no common divisor: neighbours in the list are no neighbours in the city.
        let district = *DISTRICTS.get(place * 7 % DISTRICTS.len())?;
        let Kind(name, english, keys, weight) =
            KINDS.get((place / DISTRICTS.len() + place) % KINDS.len())?;
        let branch = place / (DISTRICTS.len() * KINDS.len());
        let (branch, branch_english) = match branch {
            0 => (String::new(), String::new()),
            branch => (format!("第{}分院", branch + 1), format!(", Branch {}", branch + 1)),
        };
        let departments = DEPARTMENTS
            .iter()
            .filter(|department| keys.contains(&department.key))
            .map(|department| Department { practitioners: 1 + dice.roll(3), ..*department })
            .collect();
        Some(Hospital {
            id: format!("h{number:03}"),
            name: format!("上海市{}{name}{branch}", district.1),
            english: format!("Shanghai {} District {english}{branch_english}", district.2),
            number,
            district,
            departments,
            weight: *weight,
        })
    }

    /// The department asked for, else the first that sees patients.
    pub(crate) fn department(&self, key: &str) -> Department {
        let wanted = self.departments.iter().find(|department| department.key == key);
        let any = || self.departments.iter().find(|department| department.sees_patients());
        wanted.or_else(any).copied().unwrap_or_default()
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.departments.iter().any(|department| department.key == key)
    }

    pub(crate) fn is_for_children(&self) -> bool {
        self.has("paediatrics") && !self.has("general") && !self.has("gynaecology")
    }

    pub(crate) fn is_for_mothers(&self) -> bool {
        self.has("gynaecology") && self.has("paediatrics")
    }

    /// The id of a department, and of what there is one of in each.
    pub(crate) fn of_department(&self, department: Department) -> String {
        format!("{}-{}", self.id, department.key)
    }

    /// The id of one of the practitioners.
    pub(crate) fn practitioner(&self, department: Department, dice: &mut Dice) -> String {
        format!("{}-{}-{}", self.id, department.key, 1 + dice.roll(department.practitioners))
    }
}

impl Department {
    pub(crate) fn sees_patients(&self) -> bool {
        self.key != "radiology"
    }
}

#[cfg(test)]
mod tests {
    use super::Hospital;
    use std::collections::HashSet;

    #[test]
    fn hospitals_have_names_of_their_own_and_departments() {
        let hospitals: Vec<Hospital> = (1..=300).filter_map(|n| Hospital::new(1, n)).collect();
        let names: HashSet<_> = hospitals.iter().map(|hospital| hospital.name.clone()).collect();
        assert_eq!((hospitals.len(), names.len()), (300, 300));
        assert!(hospitals.iter().all(|hospital| hospital.department("x").sees_patients()));
    }
}
