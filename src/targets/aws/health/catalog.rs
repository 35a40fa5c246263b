//! Whether the catalog says of the lake's files what is in them.

use crate::{
    error::Error,
    targets::aws::{Aws, failed, names::Names},
};
use pipeline::quote::FIELDS;

/// The catalog that Glue is to Athena.
const CATALOG: &str = "AwsDataCatalog";
const TABLE: &str = "stock_data_table";

/// A column that is not in the catalog as it is in the files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The column.
    pub column: String,
    /// Its type in the catalog, none where it is missing there.
    pub catalog: Option<String>,
    /// Its type in the files, none where it is not written.
    pub files: Option<String>,
}

/// The columns that differ.
pub async fn differences(aws: &Aws, names: &Names) -> Result<Vec<Difference>, Error> {
    let get = aws.athena().get_table_metadata().catalog_name(CATALOG).database_name(names.database());
    let got = get.table_name(TABLE).work_group(names.workgroup()).send().await;
    let got = got.map_err(|e| failed("the catalog cannot be read", "Athena.GetTableMetadata", &e))?;
    let columns = got.table_metadata.and_then(|table| table.columns).unwrap_or_default();
    if columns.is_empty() {
        return Err(Error::new("the catalog names no columns"));
    }
    Ok(compare(&columns.into_iter().map(|c| (c.name, c.r#type.unwrap_or_default())).collect::<Vec<_>>()))
}

/// By name: neither Parquet nor Athena minds the order.
fn compare(catalog: &[(String, String)]) -> Vec<Difference> {
    let files: Vec<(&str, String)> =
        FIELDS.iter().filter(|field| field.in_lake).map(|field| (field.name, field.kind.sql())).collect();
    let written = files.iter().map(|(name, kind)| {
        let known = catalog.iter().find(|(column, _)| column == name).map(|(_, kind)| kind.clone());
        Difference { column: (*name).to_owned(), catalog: known, files: Some(kind.clone()) }
    });
    let others = catalog.iter().filter(|(column, _)| files.iter().all(|(name, _)| name != column));
    let others =
        others.map(|(column, kind)| Difference { column: column.clone(), catalog: Some(kind.clone()), files: None });
    let is_other = |difference: &Difference| {
        let plain = |kind: &Option<String>| kind.as_ref().map(|kind| kind.to_ascii_lowercase().replace(' ', ""));
        plain(&difference.catalog) != plain(&difference.files)
    };
    written.chain(others).filter(is_other).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch a table that reads its files wrongly, and one that is right and said to be wrong.
    #[test]
    fn columns_are_compared_by_name_and_type() {
        let mut columns: Vec<(String, String)> =
            FIELDS.iter().filter(|f| f.in_lake).map(|f| (f.name.to_owned(), f.kind.sql())).collect();
        columns.reverse();
        assert_eq!(compare(&columns), []);
        let at = columns.iter().position(|(name, _)| name == "price").expect("a column");
        columns[at].1 = "Decimal(18, 8)".into();
        assert_eq!(compare(&columns), []);
        columns[at].1 = "double".into();
        columns.retain(|(name, _)| name != "anomaly");
        columns.push(("exchange".into(), "string".into()));
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(
            compare(&columns),
            [
                Difference { column: "price".into(), catalog: text("double"), files: text("decimal(18,8)") },
                Difference { column: "anomaly".into(), catalog: None, files: text("boolean") },
                Difference { column: "exchange".into(), catalog: text("string"), files: None },
            ]
        );
    }
}
