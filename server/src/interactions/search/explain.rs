//! `_explain`: how a search is found, for those who run the server – what leads, the statement without its values, and what
//! PostgreSQL did, with the buffers it touched.

use super::plans;
use super::walk::order;
use super::wanted::Wanted;
use crate::app::App;
use crate::http::answer::{Answer, Content};
use crate::http::failure::Failure;
use crate::http::request::Request;
use crate::interactions::look::{Looked, record};
use ::search::render::{Window, page, pages};
use access::Grant;
use serde_json::{Value, json};
use store::trail::Sealed;

pub(super) async fn look(
    app: &App,
    grant: &Grant,
    request: &Request,
    wanted: &Wanted,
) -> Result<Looked, Failure> {
    let plans = plans(&wanted.queries, grant)?;
    let limit = wanted.count.saturating_add(1);
    let window = Window { order: order(&plans, wanted), ..Window::all(limit) };
    let sql = match plans.as_slice() {
        [plan] => page(plan, &window),
        plans => pages(plans, &window),
    };
    let ran = app.store.explain(&sql).await?;
    let top = &ran[0]["Plan"];
    let number = |name: &str| top[name].as_u64().unwrap_or(0);
    let buffers = number("Shared Hit Blocks") + number("Shared Read Blocks");
    let mut parameters: Vec<Value> = plans
        .iter()
        .map(|plan| {
            json!({ "name": "lead", "part": [
                { "name": "type", "valueCode": plan.table().resource },
                { "name": "by", "valueString": plan.lead() },
            ] })
        })
        .collect();
    parameters.push(json!({ "name": "statement", "valueString": sql.text() }));
    parameters.push(json!({ "name": "buffers", "valueUnsignedInt": buffers }));
    parameters.push(json!({ "name": "milliseconds", "valueDecimal": ran[0]["Execution Time"] }));
    parameters.push(json!({ "name": "plan", "valueString": ran.to_string() }));
    let answer = json!({ "resourceType": "Parameters", "parameter": parameters });
    let mut record = record(grant, request, 200, Vec::new());
    record.query = Some(wanted.canonical());
    Ok(Looked { record, answer: Sealed::without_rows(Ok(Answer::new(200, Content::Tree(answer)))) })
}
