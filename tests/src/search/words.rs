//! Words in narratives and anywhere in a resource (`_text`, `_content`).

use super::{check, concept, reference, server};
use serde_json::{Value, json};

fn told(text: &str) -> Value {
    let div = format!("<div xmlns=\"http://www.w3.org/1999/xhtml\">{text}</div>");
    json!({ "status": "additional", "div": div })
}

fn report(id: &str, narrative: &str, conclusion: &str) -> Value {
    json!({ "resourceType": "DiagnosticReport", "id": id, "status": "final", "text": told(narrative),
        "code": concept("http://loinc.org", "24627-2"), "subject": reference("Patient/p"), "conclusion": conclusion })
}

#[tokio::test]
async fn words_are_found_where_they_stand() {
    let server = server(&[
        report("bone", "<p>Bone <b>meta</b>stases</p>", "Liver unremarkable"),
        report("liver", "<p>Liver: two lesions</p>", "No metastases"),
        report("chest", "<p>左肺上葉見結節影，直徑約８毫米。</p>", "建議三個月後複查"),
        json!({ "resourceType": "Patient", "id": "p", "name": [{ "text": "Ann" }], "text": told("Ann, 41") }),
    ])
    .await;
    check(&server, "DiagnosticReport?_text=metastases", &["bone"]).await;
    check(&server, "DiagnosticReport?_content=metastases", &["bone", "liver"]).await;
    check(&server, "DiagnosticReport?_content=METASTASES liver", &["bone", "liver"]).await;
    check(&server, "DiagnosticReport?_text=(bone or liver) and lesions", &["liver"]).await;
    check(&server, "DiagnosticReport?_content=liver not lesions", &["bone"]).await;
    check(&server, "DiagnosticReport?_text=bone,lesions", &["bone", "liver"]).await;
    check(&server, "DiagnosticReport?_text=metas", &[]).await;
    // Inside unspaced text, simplified for traditional, half width for full width.
    check(&server, "DiagnosticReport?_text=结节", &["chest"]).await;
    check(&server, "DiagnosticReport?_text=左肺上叶 8", &["chest"]).await;
    check(&server, "DiagnosticReport?_text=肺结", &[]).await;
    check(&server, "DiagnosticReport?_content=复查", &["chest"]).await;
    check(&server, "DiagnosticReport?_text=复查", &[]).await;
    check(
        &server,
        "DiagnosticReport?patient=p&_content=liver&_sort=-_lastUpdated",
        &["bone", "liver"],
    )
    .await;
    check(&server, "DiagnosticReport?subject:Patient._text=41&_content=unremarkable", &["bone"])
        .await;
    check(&server, "?_type=Patient,DiagnosticReport&_content=ann", &["p"]).await;
    // The words of a version are gone with it.
    server.put("DiagnosticReport/bone", &report("bone", "Nothing", "Nothing")).await.expect(200);
    check(&server, "DiagnosticReport?_content=metastases", &["liver"]).await;
    server.get("DiagnosticReport?_text=\"bone lesions\"").await.refused(400, "quotation marks");
    server.get("DiagnosticReport?_text=(bone").await.refused(400, "`)` is missing");
    server.get("DiagnosticReport?_text:exact=bone").await.refused(400, "no modifier");
}
