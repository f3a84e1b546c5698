//! What people come with (ICD-10), and what is usually done about it.

use crate::imaging::{ABDOMEN_ULTRASOUND, CHEST_CT, CHEST_XRAY, HEAD_MR, KNEE_XRAY, Study};
use crate::laboratory::Panel;

/// A medicine: ATC code, name, dose, unit of the dose, times a day.
pub(crate) type Medicine = (&'static str, &'static str, i64, &'static str, i64);

#[derive(Clone, Copy, Debug)]
pub(crate) struct Disease {
    pub(crate) code: &'static str,
    pub(crate) display: &'static str,
    pub(crate) department: &'static str,
    pub(crate) is_chronic: bool,
    /// From which age to which.
    pub(crate) ages: (i64, i64),
    /// m, f, or b for both.
    pub(crate) whose: char,
    pub(crate) weight: u32,
    pub(crate) panels: &'static [Panel],
    /// The tests that are too high with it.
    pub(crate) raised: &'static [&'static str],
    pub(crate) medicines: &'static [Medicine],
    pub(crate) study: Option<&'static Study>,
}

impl Disease {
    pub(crate) fn is_of(&self, age: i64, letter: char) -> bool {
        (self.ages.0..=self.ages.1).contains(&age) && (self.whose == 'b' || self.whose == letter)
    }
}

/// What anybody may come with, at any age.
pub(crate) const COLD: Disease = Disease {
    code: "J06.9",
    display: "急性上呼吸道感染",
    department: "respiratory",
    is_chronic: false,
    ages: (0, 120),
    whose: 'b',
    weight: 14,
    panels: &[Panel::Blood],
    raised: &["1988-5"],
    medicines: &[CETIRIZINE, IBUPROFEN],
    study: None,
};

const AMLODIPINE: Medicine = ("C08CA01", "苯磺酸氨氯地平片", 5, "mg", 1);
const VALSARTAN: Medicine = ("C09CA03", "缬沙坦胶囊", 80, "mg", 1);
const METOPROLOL: Medicine = ("C07AB02", "酒石酸美托洛尔片", 25, "mg", 2);
const ATORVASTATIN: Medicine = ("C10AA05", "阿托伐他汀钙片", 20, "mg", 1);
const ASPIRIN: Medicine = ("B01AC06", "阿司匹林肠溶片", 100, "mg", 1);
const METFORMIN: Medicine = ("A10BA02", "盐酸二甲双胍片", 500, "mg", 3);
const DAPAGLIFLOZIN: Medicine = ("A10BK01", "达格列净片", 10, "mg", 1);
const LEVOTHYROXINE: Medicine = ("H03AA01", "左甲状腺素钠片", 50, "ug", 1);
const AMOXICILLIN: Medicine = ("J01CA04", "阿莫西林胶囊", 500, "mg", 3);
const CEFUROXIME: Medicine = ("J01DC02", "头孢呋辛酯片", 250, "mg", 2);
const AZITHROMYCIN: Medicine = ("J01FA10", "阿奇霉素片", 500, "mg", 1);
const IBUPROFEN: Medicine = ("M01AE01", "布洛芬缓释胶囊", 300, "mg", 2);
const CELECOXIB: Medicine = ("M01AH01", "塞来昔布胶囊", 200, "mg", 1);
const OMEPRAZOLE: Medicine = ("A02BC01", "奥美拉唑肠溶胶囊", 20, "mg", 2);
const CETIRIZINE: Medicine = ("R06AE07", "盐酸西替利嗪片", 10, "mg", 1);
const MONTELUKAST: Medicine = ("R03DC03", "孟鲁司特钠片", 10, "mg", 1);
const SERTRALINE: Medicine = ("N06AB06", "盐酸舍曲林片", 50, "mg", 1);
const ALENDRONATE: Medicine = ("M05BA04", "阿仑膦酸钠片", 10, "mg", 1);
const ALLOPURINOL: Medicine = ("M04AA01", "别嘌醇片", 100, "mg", 2);
const IRON: Medicine = ("B03AA07", "硫酸亚铁片", 300, "mg", 2);

/// Shorter to read in the table below.
const fn disease(
    code: &'static str,
    display: &'static str,
    department: &'static str,
    is_chronic: bool,
    (from, to, whose, weight): (i64, i64, char, u32),
) -> Disease {
    let ages = (from, to);
    Disease { code, display, department, is_chronic, ages, whose, weight, ..COLD }
}

const fn with(
    disease: Disease,
    panels: &'static [Panel],
    raised: &'static [&'static str],
    medicines: &'static [Medicine],
    study: Option<&'static Study>,
) -> Disease {
    Disease { panels, raised, medicines, study, ..disease }
}

const GLUCOSE: &str = "2345-7";

pub(crate) const DISEASES: [Disease; 37] = [
    with(
        disease("I10", "原发性高血压", "cardiology", true, (30, 120, 'b', 22)),
        &[Panel::Kidney, Panel::Lipids],
        &[],
        &[AMLODIPINE, VALSARTAN],
        None,
    ),
    with(
        disease("I25.1", "动脉硬化性心脏病", "cardiology", true, (45, 120, 'b', 9)),
        &[Panel::Heart, Panel::Lipids],
        &["22748-8"],
        &[ASPIRIN, ATORVASTATIN, METOPROLOL],
        Some(&CHEST_XRAY),
    ),
    with(
        disease("I48.9", "心房颤动", "cardiology", true, (55, 120, 'b', 4)),
        &[Panel::Heart, Panel::Thyroid],
        &[],
        &[METOPROLOL],
        None,
    ),
    with(
        disease("I63.9", "脑梗死", "neurology", true, (50, 120, 'b', 5)),
        &[Panel::Blood, Panel::Lipids, Panel::Glucose],
        &["22748-8"],
        &[ASPIRIN, ATORVASTATIN],
        Some(&HEAD_MR),
    ),
    with(
        disease("E11.9", "2型糖尿病", "endocrinology", true, (30, 120, 'b', 16)),
        &[Panel::Glucose, Panel::Lipids, Panel::Kidney],
        &[GLUCOSE, "4548-4"],
        &[METFORMIN, DAPAGLIFLOZIN],
        None,
    ),
    with(
        disease("E10.9", "1型糖尿病", "endocrinology", true, (6, 40, 'b', 1)),
        &[Panel::Glucose, Panel::Urine],
        &[GLUCOSE, "4548-4"],
        &[],
        None,
    ),
    with(
        disease("E78.5", "高脂血症", "endocrinology", true, (30, 120, 'b', 12)),
        &[Panel::Lipids, Panel::Liver],
        &["14647-2", "14927-8", "22748-8"],
        &[ATORVASTATIN],
        None,
    ),
    with(
        disease("E03.9", "甲状腺功能减退症", "endocrinology", true, (18, 120, 'b', 4)),
        &[Panel::Thyroid],
        &["3016-3"],
        &[LEVOTHYROXINE],
        None,
    ),
    with(
        disease("E04.1", "甲状腺结节", "endocrinology", true, (18, 120, 'b', 6)),
        &[Panel::Thyroid],
        &[],
        &[],
        None,
    ),
    with(
        disease("M10.9", "痛风", "orthopaedics", true, (25, 120, 'm', 5)),
        &[Panel::Kidney],
        &["14933-6"],
        &[ALLOPURINOL, CELECOXIB],
        None,
    ),
    with(
        disease("J18.9", "肺炎", "respiratory", false, (0, 120, 'b', 7)),
        &[Panel::Blood, Panel::Liver],
        &["1988-5", "6690-2"],
        &[CEFUROXIME, AZITHROMYCIN],
        Some(&CHEST_CT),
    ),
    with(
        disease("J45.9", "支气管哮喘", "respiratory", true, (3, 120, 'b', 5)),
        &[Panel::Blood],
        &[],
        &[MONTELUKAST],
        Some(&CHEST_XRAY),
    ),
    with(
        disease("J44.9", "慢性阻塞性肺疾病", "respiratory", true, (45, 120, 'b', 5)),
        &[Panel::Blood, Panel::Kidney],
        &["1988-5"],
        &[AZITHROMYCIN],
        Some(&CHEST_CT),
    ),
    with(
        disease("J20.9", "急性支气管炎", "respiratory", false, (0, 120, 'b', 8)),
        &[Panel::Blood],
        &["1988-5"],
        &[AZITHROMYCIN],
        None,
    ),
    with(
        disease("J30.4", "变应性鼻炎", "general", true, (4, 120, 'b', 7)),
        &[],
        &[],
        &[CETIRIZINE, MONTELUKAST],
        None,
    ),
    with(
        disease("R91", "肺占位性病变", "respiratory", false, (35, 120, 'b', 4)),
        &[Panel::Blood],
        &[],
        &[],
        Some(&CHEST_CT),
    ),
    with(
        disease("K29.5", "慢性胃炎", "gastroenterology", true, (18, 120, 'b', 10)),
        &[Panel::Blood],
        &[],
        &[OMEPRAZOLE],
        None,
    ),
    with(
        disease("K21.9", "胃食管反流病", "gastroenterology", true, (18, 120, 'b', 5)),
        &[],
        &[],
        &[OMEPRAZOLE],
        None,
    ),
    with(
        disease("K76.0", "脂肪肝", "gastroenterology", true, (22, 120, 'b', 8)),
        &[Panel::Liver, Panel::Lipids],
        &["1742-6", "2324-2"],
        &[],
        Some(&ABDOMEN_ULTRASOUND),
    ),
    with(
        disease("K80.2", "胆囊结石", "surgery", false, (25, 120, 'b', 5)),
        &[Panel::Liver, Panel::Blood],
        &["14631-6"],
        &[],
        Some(&ABDOMEN_ULTRASOUND),
    ),
    with(
        disease("K35.8", "急性阑尾炎", "surgery", false, (6, 70, 'b', 3)),
        &[Panel::Blood],
        &["6690-2", "1988-5"],
        &[CEFUROXIME],
        Some(&ABDOMEN_ULTRASOUND),
    ),
    with(
        disease("A09", "感染性胃肠炎", "gastroenterology", false, (0, 120, 'b', 6)),
        &[Panel::Blood, Panel::Kidney],
        &["1988-5"],
        &[],
        None,
    ),
    with(
        disease("N39.0", "泌尿道感染", "nephrology", false, (3, 120, 'f', 5)),
        &[Panel::Urine, Panel::Kidney],
        &[],
        &[CEFUROXIME],
        None,
    ),
    with(
        disease("N18.3", "慢性肾脏病3期", "nephrology", true, (40, 120, 'b', 4)),
        &[Panel::Kidney, Panel::Urine, Panel::Blood],
        &["14682-9", "22664-7"],
        &[VALSARTAN],
        Some(&ABDOMEN_ULTRASOUND),
    ),
    with(
        disease("N40", "前列腺增生", "surgery", true, (50, 120, 'm', 5)),
        &[Panel::Urine, Panel::Kidney],
        &[],
        &[],
        Some(&ABDOMEN_ULTRASOUND),
    ),
    with(
        disease("D50.9", "缺铁性贫血", "internal", true, (12, 60, 'f', 4)),
        &[Panel::Blood],
        &[],
        &[IRON],
        None,
    ),
    with(
        disease("O80", "单胎顺产", "gynaecology", false, (20, 42, 'f', 4)),
        &[Panel::Blood, Panel::Urine],
        &[],
        &[],
        None,
    ),
    with(
        disease("N76.0", "急性阴道炎", "gynaecology", false, (18, 60, 'f', 4)),
        &[Panel::Urine],
        &[],
        &[],
        None,
    ),
    with(
        disease("M17.9", "膝关节病", "orthopaedics", true, (45, 120, 'b', 6)),
        &[],
        &[],
        &[CELECOXIB],
        Some(&KNEE_XRAY),
    ),
    with(
        disease("M81.9", "骨质疏松", "orthopaedics", true, (55, 120, 'f', 5)),
        &[Panel::Kidney],
        &[],
        &[ALENDRONATE],
        Some(&KNEE_XRAY),
    ),
    with(
        disease("S52.5", "桡骨下端骨折", "emergency", false, (5, 120, 'b', 3)),
        &[Panel::Blood],
        &[],
        &[IBUPROFEN],
        Some(&KNEE_XRAY),
    ),
    with(
        disease("H25.9", "老年性白内障", "ophthalmology", true, (55, 120, 'b', 5)),
        &[],
        &[],
        &[],
        None,
    ),
    with(disease("H52.1", "近视", "ophthalmology", true, (6, 45, 'b', 5)), &[], &[], &[], None),
    with(
        disease("L20.9", "特应性皮炎", "dermatology", true, (0, 60, 'b', 4)),
        &[Panel::Blood],
        &[],
        &[CETIRIZINE],
        None,
    ),
    with(
        disease("F32.9", "抑郁发作", "psychiatry", true, (15, 80, 'b', 4)),
        &[Panel::Thyroid],
        &[],
        &[SERTRALINE],
        None,
    ),
    with(
        disease("J03.9", "急性扁桃体炎", "paediatrics", false, (1, 16, 'b', 9)),
        &[Panel::Blood],
        &["6690-2", "1988-5"],
        &[AMOXICILLIN],
        None,
    ),
    COLD,
];
