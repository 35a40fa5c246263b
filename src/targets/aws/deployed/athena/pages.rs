//! The answer, page by page.

use super::{cost::Spent, poll::stopped_reading, values};
use crate::{
    error::Error,
    interrupt::Interrupt,
    rows::{Column, Row},
    targets::{
        Answer,
        aws::{deployed::Deployed, failed},
    },
};
use aws_sdk_athena::{operation::get_query_results::GetQueryResultsOutput, types};

/// Rows of a page, which are as many as Athena gives.
const PAGE: i32 = 1000;

/// An answer that Athena has.
pub struct Pages<'a> {
    deployed: &'a Deployed,
    id: String,
    spent: Spent,
    interrupt: Interrupt,
    columns: Vec<Column>,
    /// Athena's names of the columns' types.
    types: Vec<String>,
    /// Rows that have come already.
    rows: Option<Vec<Row>>,
    /// Where the next page is.
    next: Option<String>,
}

impl<'a> Pages<'a> {
    /// Reads the first page, which names the columns.
    pub async fn open(deployed: &'a Deployed, id: String, spent: Spent, interrupt: &Interrupt) -> Result<Self, Error> {
        let mut page = page(deployed, &id, None).await?;
        let set = page.result_set.take().unwrap_or_else(|| types::ResultSet::builder().build());
        let infos = set.result_set_metadata.and_then(|about| about.column_info).unwrap_or_default();
        let columns: Vec<Column> =
            infos.iter().map(|info| Column::new(&info.name, values::kind(&info.r#type))).collect();
        let types = infos.into_iter().map(|info| info.r#type).collect();
        let mut pages = Self {
            deployed,
            id,
            spent,
            interrupt: interrupt.clone(),
            columns,
            types,
            rows: None,
            next: page.next_token,
        };
        let mut rows = set.rows.unwrap_or_default();
        // The answer of a query begins with the names of its columns; what is told of tables does not.
        if rows.first().is_some_and(|row| is_header(row, &pages.columns)) {
            rows.remove(0);
        }
        pages.rows = Some(pages.exact(rows));
        Ok(pages)
    }

    fn exact(&self, rows: Vec<types::Row>) -> Vec<Row> {
        rows.into_iter().map(|row| exact(row, &self.types)).collect()
    }
}

impl Answer for Pages<'_> {
    fn columns(&self) -> &[Column] {
        &self.columns
    }

    fn next(&mut self) -> Result<Option<Vec<Row>>, Error> {
        if self.interrupt.is_set() {
            return Err(stopped_reading(&self.spent));
        }
        if let Some(rows) = self.rows.take() {
            return Ok(Some(rows));
        }
        let Some(token) = self.next.take() else { return Ok(None) };
        let mut page = self.deployed.wait(page(self.deployed, &self.id, Some(token)))?;
        self.next = page.next_token.take();
        let rows = page.result_set.and_then(|set| set.rows).unwrap_or_default();
        Ok(Some(self.exact(rows)))
    }

    fn took(&self) -> String {
        self.spent.text()
    }
}

async fn page(deployed: &Deployed, id: &str, token: Option<String>) -> Result<GetQueryResultsOutput, Error> {
    let get = deployed.aws.athena().get_query_results().query_execution_id(id).max_results(PAGE);
    let page = get.set_next_token(token).send().await;
    page.map_err(|e| failed("the answer cannot be read", "Athena.GetQueryResults", &e))
}

fn is_header(row: &types::Row, columns: &[Column]) -> bool {
    let cells = row.data();
    cells.len() == columns.len()
        && cells.iter().zip(columns).all(|(cell, column)| cell.var_char_value() == Some(&column.name))
}

/// A row with its values as they are written here. What DESCRIBE tells of a column is one text with tabs in it.
fn exact(row: types::Row, of: &[String]) -> Row {
    let mut cells: Row = row.data.unwrap_or_default().into_iter().map(|cell| cell.var_char_value).collect();
    if let [Some(line)] = cells.as_slice()
        && of.len() > 1
    {
        cells = line.split('\t').map(|part| Some(part.trim().to_owned())).collect();
    }
    let typed =
        |(at, cell): (usize, Option<String>)| cell.map(|text| values::exact(of.get(at).map_or("", |of| of), text));
    cells.into_iter().enumerate().map(typed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::Datum;

    fn row(cells: &[Option<&str>]) -> types::Row {
        let datum = |cell: &Option<&str>| Datum::builder().set_var_char_value(cell.map(str::to_owned)).build();
        types::Row::builder().set_data(Some(cells.iter().map(datum).collect())).build()
    }

    /// Would catch a header among the rows, a null that is a text, and a table's description in one cell.
    #[test]
    fn rows_of_an_answer() {
        let of = ["varchar".to_owned(), "decimal".to_owned(), "varchar".to_owned()];
        let columns = ["a", "b", "c"].map(|name| Column::new(name, crate::rows::ColumnKind::Text));
        assert!(is_header(&row(&[Some("a"), Some("b"), Some("c")]), &columns));
        assert!(!is_header(&row(&[Some("a"), None, Some("c")]), &columns) && !is_header(&row(&[Some("a")]), &columns));
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(exact(row(&[Some(""), Some("1.50"), None]), &of), [text(""), text("1.5"), None]);
        assert_eq!(
            exact(row(&[Some("symbol              \tstring              \t                    ")]), &of),
            [text("symbol"), text("string"), text("")]
        );
    }
}
