//! Studies of imaging, and their reports.

use crate::dice::Dice;
use crate::term::{LOINC, SNOMED, concept};
use crate::visit::Visit;
use serde_json::{Value, json};

/// A kind of study.
#[derive(Debug)]
pub(crate) struct Study {
    modality: &'static str,
    /// LOINC code, its display, what the hospital calls it.
    code: (&'static str, &'static str, &'static str),
    /// SNOMED CT code, its display.
    site: (&'static str, &'static str),
    /// SOP class of the instances.
    class: &'static str,
    series_max: u32,
    instances_max: u32,
    findings: &'static [&'static str],
}

pub(crate) const CHEST_CT: Study = Study {
    modality: "CT",
    code: ("24627-2", "CT Chest", "胸部CT平扫"),
    site: ("51185008", "Thoracic structure"),
    class: "1.2.840.10008.5.1.4.1.1.2",
    series_max: 3,
    instances_max: 6,
    findings: &[
        "两肺未见明显异常",
        "右肺上叶小结节，建议随访",
        "左肺下叶感染性病变",
        "两肺慢性炎症",
    ],
};

pub(crate) const CHEST_XRAY: Study = Study {
    modality: "DX",
    code: ("36643-5", "XR Chest 2 Views", "胸部正侧位片"),
    site: ("51185008", "Thoracic structure"),
    class: "1.2.840.10008.5.1.4.1.1.1.1",
    series_max: 1,
    instances_max: 2,
    findings: &["心肺膈未见明显异常", "两肺纹理增多", "主动脉迂曲"],
};

pub(crate) const KNEE_XRAY: Study = Study {
    modality: "DX",
    code: ("37362-1", "XR Bone Views", "骨关节摄片"),
    site: ("272673000", "Bone structure"),
    class: "1.2.840.10008.5.1.4.1.1.1.1",
    series_max: 1,
    instances_max: 2,
    findings: &["未见明显骨折征象", "退行性改变", "骨质疏松表现"],
};

pub(crate) const HEAD_MR: Study = Study {
    modality: "MR",
    code: ("24590-2", "MR Brain", "头颅磁共振平扫"),
    site: ("12738006", "Brain structure"),
    class: "1.2.840.10008.5.1.4.1.1.4",
    series_max: 4,
    instances_max: 6,
    findings: &["腔隙性脑梗死", "脑白质变性", "颅内未见明显异常"],
};

pub(crate) const ABDOMEN_ULTRASOUND: Study = Study {
    modality: "US",
    code: ("24558-9", "US Abdomen", "腹部超声"),
    site: ("818983003", "Abdomen"),
    class: "1.2.840.10008.5.1.4.1.1.6.1",
    series_max: 1,
    instances_max: 5,
    findings: &["脂肪肝", "胆囊结石", "肝胆胰脾未见明显异常", "右肾囊肿"],
};

/// The order, the study, the report.
pub(crate) fn resources(visit: &Visit, study: &Study, dice: &mut Dice) -> Vec<Value> {
    let (code, display, text) = study.code;
    let id = visit.id("i", 1);
    let performed = visit.start.plus(40);
    let code = concept(LOINC, code, display, text);
    let hospital = visit.record.hospital;
    let mut order = visit.order("i", 1, "imaging", &code);
    order["bodySite"] = json!([concept(SNOMED, study.site.0, study.site.1, study.site.1)]);
    let mut report = visit.report("i", 1, "RAD", &code);
    report["imagingStudy"] = json!([{ "reference": format!("ImagingStudy/{id}") }]);
    report["conclusion"] = json!(dice.pick(study.findings));
    let series: Vec<Value> = (1..=1 + dice.roll(study.series_max))
        .map(|number| series(study, number, &performed.to_string(), dice))
        .collect();
    let instances: usize =
        series.iter().filter_map(|it| it["instance"].as_array()).map(Vec::len).sum();
    let coding = modality(study);
    vec![
        order,
        json!({
            "resourceType": "ImagingStudy",
            "id": id,
            "identifier": [
                { "system": "urn:dicom:uid", "value": format!("urn:oid:{}", uid(dice)) },
                {
                    "type": { "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "ACSN" }] },
                    "system": format!("https://{}.example.org/accession-number", hospital.id),
                    "value": format!("{}{:08}", study.modality, dice.roll(100_000_000)),
                },
            ],
            "status": "available",
            "modality": [coding],
            "subject": visit.record.subject(),
            "encounter": visit.encounter(),
            "started": performed.to_string(),
            "basedOn": [{ "reference": format!("ServiceRequest/{id}") }],
            "referrer": visit.doctor(),
            "endpoint": [{ "reference": format!("Endpoint/{}-imaging", hospital.id) }],
            "numberOfSeries": series.len(),
            "numberOfInstances": instances,
            "procedureCode": [code],
            "location": visit.location(),
            "description": text,
            "series": series,
        }),
        report,
    ]
}

fn series(study: &Study, number: u32, started: &str, dice: &mut Dice) -> Value {
    let coding = modality(study);
    let count = 1 + dice.roll(study.instances_max);
    let instances: Vec<Value> = (1..=count)
        .map(|number| {
            json!({
                "uid": uid(dice),
                "sopClass": { "system": "urn:ietf:rfc:3986", "code": format!("urn:oid:{}", study.class) },
                "number": number,
            })
        })
        .collect();
    json!({
        "uid": uid(dice),
        "number": number,
        "modality": coding,
        "numberOfInstances": count,
        "bodySite": { "system": SNOMED, "code": study.site.0, "display": study.site.1 },
        "started": started,
        "instance": instances,
    })
}

fn modality(study: &Study) -> Value {
    json!({ "system": "http://dicom.nema.org/resources/ontology/DCM", "code": study.modality })
}

/// A UUID as a DICOM UID.
fn uid(dice: &mut Dice) -> String {
    let random = u128::from(dice.next()) << 64 | u128::from(dice.next());
    let version_4 = random & !(0xF << 76) | 4 << 76;
    let variant_1 = version_4 & !(3 << 62) | 2 << 62;
    format!("2.25.{variant_1}")
}
