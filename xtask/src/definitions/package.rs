//! The official definitions package, read whole into memory.

use anyhow::{Context, Result};
use flate2::read::GzDecoder;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::path::Path;

pub(super) struct Package {
    structures: BTreeMap<String, Value>,
    search_parameters: Vec<Value>,
    compartments: Vec<Value>,
    value_sets: HashMap<String, Value>,
    code_systems: HashMap<String, Value>,
}

impl Package {
    pub(super) fn read(archive: &Path) -> Result<Package> {
        let file =
            File::open(archive).with_context(|| format!("cannot open {}", archive.display()))?;
        let mut package = Package {
            structures: BTreeMap::new(),
            search_parameters: Vec::new(),
            compartments: Vec::new(),
            value_sets: HashMap::new(),
            code_systems: HashMap::new(),
        };
        for entry in tar::Archive::new(GzDecoder::new(file)).entries()? {
            let entry = entry?;
            let path = entry.path()?.to_path_buf();
            if path.extension().is_some_and(|extension| extension == "json") {
                let resource: Value = serde_json::from_reader(std::io::BufReader::new(entry))
                    .with_context(|| format!("{} is not JSON", path.display()))?;
                package.add(resource);
            }
        }
        Ok(package)
    }

    fn add(&mut self, resource: Value) {
        let url = resource["url"].as_str().unwrap_or_default().to_owned();
        let kind = resource["resourceType"].as_str().unwrap_or_default();
        match kind {
            "StructureDefinition" if is_base(&resource) => {
                let name = resource["name"].as_str().unwrap_or_default().to_owned();
                self.structures.insert(name, resource);
            }
            "SearchParameter" if is_standard(&resource) => self.search_parameters.push(resource),
            "CompartmentDefinition" if resource["id"] != "example" => {
                self.compartments.push(resource)
            }
            "ValueSet" => {
                self.value_sets.insert(url, resource);
            }
            "CodeSystem" => {
                self.code_systems.insert(url, resource);
            }
            _ => {}
        }
    }

    /// Primitive types, data types and resources, by name.
    pub(super) fn structures(&self) -> impl Iterator<Item = &Value> {
        self.structures.values()
    }

    pub(super) fn search_parameters(&self) -> &[Value] {
        &self.search_parameters
    }

    pub(super) fn compartments(&self) -> &[Value] {
        &self.compartments
    }

    pub(super) fn value_set(&self, url: &str) -> Option<&Value> {
        self.value_sets.get(url)
    }

    pub(super) fn code_system(&self, url: &str) -> Option<&Value> {
        self.code_systems.get(url)
    }
}

/// Age, Count, Distance and Duration are constraints on Quantity by derivation, but types by use.
fn is_base(structure: &Value) -> bool {
    structure["kind"] != "logical" && structure["derivation"] != "constraint"
        || ["MoneyQuantity", "SimpleQuantity"].iter().any(|name| structure["id"] == *name)
}

/// The package carries, beside the 1,375 parameters of the standard, those of extension packs and examples.
fn is_standard(parameter: &Value) -> bool {
    let id = parameter["id"].as_str().unwrap_or_default();
    let is_pack = ["-extensions-", "-genetic-"].iter().any(|part| id.contains(part));
    let is_example = id.starts_with("example") || id == "filter";
    !is_pack && !is_example
}
