//! The saved queries in Athena's workgroup, as named queries. They go with it.

use crate::{
    error::Error,
    queries::SavedQuery,
    targets::aws::{Aws, failed, names::Names, sql},
};
use std::collections::BTreeMap;

/// What Athena gives at once.
const PAGE: usize = 50;
/// What Athena takes as a description.
const LONGEST_DESCRIPTION: usize = 1024;

/// How many queries were made and changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Synchronised {
    /// New ones.
    pub added: usize,
    /// Those that had another text.
    pub changed: usize,
}

/// Makes the workgroup's queries of these names be these. Others, of whoever else, are left alone.
pub async fn synchronise(aws: &Aws, names: &Names, queries: &[SavedQuery]) -> Result<Synchronised, Error> {
    let (athena, workgroup, database) = (aws.athena(), names.workgroup(), names.database());
    let there = named(aws, &workgroup).await?;
    let mut done = Synchronised::default();
    for query in queries {
        let text = sql::with_each_quote_once(&numbered(&query.sql), &database);
        let description = format!("{}. {}", query.title, query.description);
        let description: String = description.chars().take(LONGEST_DESCRIPTION).collect();
        let old = match there.get(&query.name) {
            Some((_, there, about)) if *there == text && *about == description => continue,
            old => old,
        };
        let create = athena.create_named_query().name(&query.name).work_group(&workgroup).database(&database);
        let create = create.query_string(text).description(description).send().await;
        create.map_err(|e| not_saved(&query.name, "Athena.CreateNamedQuery", &e))?;
        // The new one is there before the old one goes, so that nobody misses it.
        if let Some((id, ..)) = old {
            let delete = athena.delete_named_query().named_query_id(id).send().await;
            delete.map_err(|e| not_saved(&query.name, "Athena.DeleteNamedQuery", &e))?;
            done.changed += 1;
        } else {
            done.added += 1;
        }
    }
    Ok(done)
}

/// The query with its parameters counted in its header, in the order in which Athena asks for them: the mark of a
/// parameter itself is not to stand in a comment, where some readers of SQL count it too.
pub fn numbered(sql: &str) -> String {
    let mut count = 0;
    let line = |line: &str| match line.strip_prefix("-- ? ") {
        Some(declared) => {
            count += 1;
            format!("-- {count}. {declared}\n")
        }
        None => format!("{line}\n"),
    };
    sql.lines().map(line).collect()
}

/// The queries of a workgroup by name: id, text and description.
async fn named(aws: &Aws, workgroup: &str) -> Result<BTreeMap<String, (String, String, String)>, Error> {
    let what = "the workgroup's saved queries cannot be read";
    let mut pages = aws.athena().list_named_queries().work_group(workgroup).into_paginator().send();
    let mut ids = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|e| failed(what, "Athena.ListNamedQueries", &e))?;
        ids.extend(page.named_query_ids.unwrap_or_default());
    }
    let mut named = BTreeMap::new();
    for ids in ids.chunks(PAGE) {
        let page = aws.athena().batch_get_named_query().set_named_query_ids(Some(ids.to_vec())).send().await;
        let page = page.map_err(|e| failed(what, "Athena.BatchGetNamedQuery", &e))?;
        named.extend(page.named_queries.unwrap_or_default().into_iter().map(|query| {
            let about = query.description.unwrap_or_default();
            (query.name, (query.named_query_id.unwrap_or_default(), query.query_string, about))
        }));
    }
    Ok(named)
}

fn not_saved<E>(name: &str, call: &'static str, error: &aws_sdk_athena::error::SdkError<E>) -> Error
where
    E: aws_sdk_athena::error::ProvideErrorMetadata + std::error::Error + 'static,
{
    failed(format!("the query '{name}' cannot be saved in Athena"), call, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch a parameter that whoever opens the query in the console cannot tell.
    #[test]
    fn parameters_are_counted() {
        let sql = "-- T\n-- D\n-- ? a date = newest\n-- ? n integer = 1\nSELECT ?, ?";
        assert_eq!(numbered(sql), "-- T\n-- D\n-- 1. a date = newest\n-- 2. n integer = 1\nSELECT ?, ?\n");
    }
}
