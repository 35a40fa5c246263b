//! A template as data: the short forms of functions (`!Ref X`) as CloudFormation's long ones (`{"Ref": "X"}`).

use serde_json::{Map, Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A parsed template.
pub struct Template(Value);

/// Where the templates are.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("templates")
}

/// The text of one.
pub fn text(name: &str) -> String {
    fs::read_to_string(folder().join(name)).expect("a template")
}

impl Template {
    /// `pipeline.yaml` or `bootstrap.yaml`.
    pub fn read(name: &str) -> Self {
        Self(long(yaml_serde::from_str(&text(name)).expect("YAML")))
    }

    /// What a path such as `/Resources/Key/Type` leads to.
    #[track_caller]
    pub fn at(&self, path: &str) -> &Value {
        self.0.pointer(path).unwrap_or_else(|| panic!("nothing at {path}"))
    }

    /// The members of the object at a path, by name.
    #[track_caller]
    pub fn members(&self, path: &str) -> &Map<String, Value> {
        self.at(path).as_object().expect("an object")
    }

    /// A property of a resource.
    #[track_caller]
    pub fn property(&self, resource: &str, name: &str) -> &Value {
        self.at(&format!("/Resources/{resource}/Properties/{name}"))
    }

    /// The resources of a type.
    pub fn of_type(&self, kind: &str) -> Vec<&str> {
        let resources = self.members("/Resources").iter();
        resources.filter(|(_, r)| r["Type"] == format!("AWS::{kind}")).map(|(name, _)| &**name).collect()
    }
}

fn long(value: yaml_serde::Value) -> Value {
    use yaml_serde::Value as Yaml;
    match value {
        Yaml::Null => Value::Null,
        Yaml::Bool(flag) => flag.into(),
        Yaml::Number(number) => serde_json::from_str(&number.to_string()).expect("a number"),
        Yaml::String(text) => text.into(),
        Yaml::Sequence(list) => list.into_iter().map(long).collect(),
        Yaml::Mapping(members) => {
            let key = |key: Yaml| key.as_str().expect("a name").to_owned();
            members.into_iter().map(|(name, value)| (key(name), long(value))).collect::<Map<_, _>>().into()
        }
        Yaml::Tagged(tagged) => match tagged.tag.to_string().trim_start_matches('!') {
            name @ ("Ref" | "Condition") => json!({ name: long(tagged.value) }),
            name => json!({ format!("Fn::{name}"): long(tagged.value) }),
        },
    }
}

/// One value or a list of them, as a list.
pub fn list(value: &Value) -> Vec<&Value> {
    value.as_array().map_or_else(|| vec![value], |values| values.iter().collect())
}

/// A value as one reads it: `Key.Arn`, `${DataBucket.Arn}/quotes/*`, `HasKey? Key.Arn : CustomerKey`.
pub fn said(value: &Value) -> String {
    let function = value.as_object().filter(|o| o.len() == 1).and_then(|o| o.iter().next());
    match function.map(|(name, of)| (&**name, of)) {
        Some(("Fn::If", of)) => format!("{}? {} : {}", said(&of[0]), said(&of[1]), said(&of[2])),
        Some(("Ref" | "Fn::GetAtt" | "Fn::Sub", of)) => said(of),
        _ => value.as_str().map_or_else(|| value.to_string(), str::to_owned),
    }
}
