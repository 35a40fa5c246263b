//! What happened in a stack's last operation, event by event.

use crate::{
    cli::Format,
    error::Error,
    report::{
        style::{self, BAD, FAINT, GOOD, WARN, masked, outside},
        table::Writer,
    },
    rows::{Column, ColumnKind},
    settings::Settings,
    targets::aws::{
        Aws,
        deploy::{follow, survey::Stack},
        stack::events::StackEvent,
    },
};
use std::io::{self, Write};

/// Shows all of them, the oldest first.
pub async fn show(aws: &Aws, settings: &Settings, stack: &Stack) -> Result<(), Error> {
    let (_, mut events) = follow::last_operation(aws, &stack.id).await?;
    events.reverse();
    if settings.format == Format::Table {
        return Ok(write(&mut anstream::stdout(), &events)?);
    }
    let column = |name: &str| Column::new(name, ColumnKind::Text);
    let mut columns = vec![Column::new("time", ColumnKind::Time)];
    columns.extend(["resource", "type", "status", "reason", "physical_id", "operation"].map(column));
    let mut writer = Writer::stdout(settings.format.into(), columns)?;
    for event in events {
        writer.row(vec![
            Some(event.time.to_string()),
            Some(event.logical_id),
            Some(event.resource_type),
            Some(event.status),
            event.reason.map(|reason| masked(&reason).into_owned()),
            event.physical_id.map(|id| masked(&id).into_owned()),
            event.operation_id,
        ])?;
    }
    writer.finish()?;
    Ok(())
}

/// A line each, however long: the cause is in full.
pub fn write(out: &mut impl Write, events: &[StackEvent]) -> io::Result<()> {
    let widest = |of: fn(&StackEvent) -> &str| events.iter().map(|event| of(event).len()).max().unwrap_or(0);
    let (name, status) = (widest(|event| &event.logical_id), widest(|event| &event.status));
    for event in events {
        let colour = match event.status.as_str() {
            _ if event.is_cancelled() => FAINT,
            failed if failed.ends_with("FAILED") => BAD,
            rolled if rolled.contains("ROLLBACK") => WARN,
            done if done.ends_with("COMPLETE") => GOOD,
            _ => FAINT,
        };
        let text = event.time.to_string();
        let time = text.get(..19).unwrap_or_default().replace('T', " ");
        let shown = style::paint(colour, &event.status);
        let pad = status.saturating_sub(event.status.len()) + 2;
        let reason = event.reason.as_deref().map(|r| format!("{:pad$}{}", "", outside(r))).unwrap_or_default();
        let line = format!("{time}  {:<name$}  {shown}{reason}", outside(&event.logical_id));
        writeln!(out, "{}", line.trim_end())?;
    }
    out.flush()
}
