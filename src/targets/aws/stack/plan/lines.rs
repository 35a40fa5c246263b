//! A plan as lines: a mark, a name and what happens to it.

use super::{Action, Change, Detail, Group, Part, Plan, Replacement};
use crate::report::{
    style::{self, BAD, FAINT, GOOD, HINT, STRONG, Screen, WARN, outside},
    table::cut,
};
use anstyle::Style;

/// More additions than this are grouped.
const MOST_SINGLE: usize = 12;
/// A value is cut to this.
const MOST_VALUE: usize = 40;
/// Columns of a section's name.
const SECTION: usize = 12;
/// Columns of a resource's name, at least and at most.
const NAME: std::ops::RangeInclusive<usize> = 10..=28;
/// With less room than this for what happens to it, that goes below the name.
const LEAST_ROOM: usize = 24;
/// Columns where a screen does not say.
const USUAL_WIDTH: usize = 98;

/// What is said in one line, or more where it has to be broken between the pieces.
struct Row {
    mark: char,
    label: String,
    pieces: Vec<String>,
    /// What is to be noticed, at the end.
    note: Option<(Style, String)>,
}

impl Plan {
    /// The plan for people, as wide as the screen, or 98 columns where it does not say.
    #[must_use]
    pub fn lines(&self, screen: Screen) -> Vec<String> {
        let rows = |is_right: bool| rows(&self.changes.iter().filter(|c| c.is_right() == is_right).collect::<Vec<_>>());
        let (plain, rights) = (rows(false), rows(true));
        let widest = plain.iter().chain(&rights).map(|row| style::width(&row.label)).max().unwrap_or(0);
        let (name, width) = (widest.clamp(*NAME.start(), *NAME.end()), screen.width.unwrap_or(USUAL_WIDTH));
        let section = |title: &str, totals: &[String]| {
            let title = screen.paint(STRONG, &format!("{title:<SECTION$}"));
            broken(title, SECTION, totals, std::iter::empty(), width, screen)
        };
        let mut lines = section("Plan", &self.totals(|_| true, &[Group::Imported]));
        lines.extend(plain.iter().flat_map(|row| row.lines(name, width, screen)));
        lines.extend(section("Rights", &self.totals(Change::is_right, &Group::ALL)));
        lines.extend(rights.iter().flat_map(|row| row.lines(name, width, screen)));
        lines
    }

    /// `2 to change`, `1 to add`, … of some changes; what is none of them is left out of the groups that may be silent.
    fn totals(&self, of: impl Fn(&Change) -> bool, silent: &[Group]) -> Vec<String> {
        let groups = Group::ALL.map(|group| (group, self.group(group).filter(|change| of(change)).count()));
        if groups.iter().all(|(_, count)| *count == 0) {
            return vec!["no change".into()];
        }
        let told = groups.iter().filter(|(group, count)| *count > 0 || !silent.contains(group));
        told.map(|(group, count)| format!("{count} to {}", group.verb())).collect()
    }
}

/// What takes something away first, then what changes, then what comes.
fn rows(changes: &[&Change]) -> Vec<Row> {
    let order = [Group::Removed, Group::Replaced, Group::Changed, Group::Imported];
    let of = |group| changes.iter().copied().filter(move |change| change.group() == group);
    let mut rows: Vec<Row> = order.into_iter().flat_map(of).map(row).collect();
    let added: Vec<&Change> = of(Group::Added).collect();
    if added.len() > MOST_SINGLE || (added.len() > 1 && added.iter().all(|change| change.is_right())) {
        rows.extend(grouped(&added));
    } else {
        rows.extend(added.into_iter().map(row));
    }
    rows
}

/// A row to a kind that is named, one to a part that is counted.
fn grouped(added: &[&Change]) -> Vec<Row> {
    let mut rows: Vec<Row> = vec![];
    let mut last: Option<Part> = None;
    let mut kinds: Vec<_> = added.iter().map(|change| change.kind()).collect();
    // In the order in which they come, each once.
    let mut known = vec![];
    kinds.retain(|kind| {
        !known.contains(kind) && {
            known.push(*kind);
            true
        }
    });
    kinds.sort_by_key(|kind| kind.part);
    for kind in kinds {
        let names = added.iter().filter(|change| change.kind() == kind).map(|change| outside(&change.logical_id));
        let names: Vec<String> = names.collect();
        let label = if names.len() == 1 { kind.one } else { kind.many };
        let count = format!("{} {label}", names.len());
        match rows.last_mut() {
            _ if kind.part.is_named() => rows.push(Row::new('+', label, names)),
            Some(row) if last == Some(kind.part) => row.pieces.push(count),
            _ => rows.push(Row::new('+', kind.part.name(), vec![count])),
        }
        last = Some(kind.part);
    }
    rows
}

fn row(change: &Change) -> Row {
    let (kind, group) = (change.kind().one, change.group());
    let pieces = match group {
        Group::Changed | Group::Replaced if !change.details.is_empty() => details(change),
        _ => vec![kind.into()],
    };
    let with = if kind == "key" { "and with it whatever it encrypts" } else { "with its data" };
    let may = change.replacement == Replacement::Conditional || change.action == Action::Dynamic;
    let anew = if may { "may be made anew" } else { "is made anew" };
    let note = match group {
        Group::Replaced if change.holds_data() && change.old_stays => {
            Some((WARN, format!("{anew}, empty: the old {kind} stays, {with}")))
        }
        Group::Replaced if change.holds_data() => Some((BAD, format!("{anew}, empty: the old {kind} goes, {with}"))),
        Group::Replaced => Some((WARN, anew.into())),
        Group::Removed if change.old_stays => Some((FAINT, "stays, outside the stack".into())),
        Group::Removed if change.holds_data() => Some((BAD, format!("goes, {with}"))),
        Group::Changed if may => Some((WARN, anew.into())),
        Group::Imported => Some((FAINT, "is taken in as it is".into())),
        _ => None,
    };
    Row { note, ..Row::new(group.mark(), &outside(&change.logical_id), pieces) }
}

/// Each change of a property once: `ShardCount 1 → 2`.
fn details(change: &Change) -> Vec<String> {
    // By label, since CloudFormation names a property once for what is certain, and again for what depends on others.
    let mut pieces: Vec<(String, String)> = vec![];
    for detail in &change.details {
        let label = outside(&label(change, detail));
        let text = match (&detail.before, &detail.after) {
            _ if label == "code" || detail.is_private(change) => label.clone(),
            (Some(before), Some(after)) if is_short(before) && is_short(after) && before != after => {
                format!("{label} {} → {}", value(before), value(after))
            }
            (None, Some(after)) if is_short(after) => format!("{label} {}", value(after)),
            _ => label.clone(),
        };
        // Whichever says more.
        let same = |(known, said): &&mut (String, String)| *known == label && (said == known || text == label);
        if let Some((_, said)) = pieces.iter_mut().find(same) {
            if text != label {
                *said = text;
            }
        } else if pieces.iter().all(|(_, said)| *said != text) {
            pieces.push((label, text));
        }
    }
    pieces.into_iter().map(|(_, text)| text).collect()
}

/// What people call what changes.
fn label(change: &Change, detail: &Detail) -> String {
    let Some(name) = detail.name.as_deref().filter(|_| detail.attribute == "Properties") else {
        return detail.attribute.to_lowercase();
    };
    if name == "Code" && change.resource_type == "AWS::Lambda::Function" {
        return "code".into();
    }
    // The variable of an environment, rather than all of it; a place in a list says nothing.
    let last = detail.path.as_deref().and_then(|path| path.rsplit('/').find(|part| part.parse::<usize>().is_err()));
    match last.filter(|last| !last.is_empty() && *last != name) {
        // Whoever judges rights wants to know whose.
        Some(last) if change.is_right() => format!("{name} {last}"),
        Some(last) => last.into(),
        None => name.into(),
    }
}

impl Detail {
    /// Whether its value is nobody's business: an address of a subscription may hold a token.
    pub(super) fn is_private(&self, change: &Change) -> bool {
        change.resource_type == "AWS::SNS::Subscription" && self.name.as_deref() == Some("Endpoint")
    }
}

/// Whether a value says something in a line: no list, no object.
fn is_short(value: &str) -> bool {
    !value.trim_start().starts_with(['{', '['])
}

fn value(text: &str) -> String {
    if text.is_empty() { "''".into() } else { cut(&outside(text), MOST_VALUE).into_owned() }
}

impl Row {
    fn new(mark: char, label: &str, pieces: Vec<String>) -> Self {
        Self { mark, label: label.into(), pieces, note: None }
    }

    /// The row in a width; what does not fit goes on below its first piece, or where that is too narrow below its name.
    fn lines(&self, name: usize, width: usize, screen: Screen) -> Vec<String> {
        let colour = match self.mark {
            '+' => GOOD,
            '~' => WARN,
            '!' | '-' => BAD,
            _ => HINT,
        };
        let mark = screen.paint(colour, &self.mark.to_string());
        let note = self.note.iter().map(|(style, note)| (*style, &**note));
        if width < 4 + name + 2 + LEAST_ROOM {
            let mut lines = vec![format!("  {mark} {}", cut(&self.label, width.saturating_sub(4)))];
            lines.extend(broken(String::new(), 6, &self.pieces, note, width, screen));
            return lines;
        }
        let label = cut(&self.label, name);
        let pad = " ".repeat(name.saturating_sub(style::width(&label)) + 2);
        broken(format!("  {mark} {label}{pad}"), 4 + name + 2, &self.pieces, note, width, screen)
    }
}

/// The pieces with commas between them behind what begins the first line, then the note. Lines are broken between
/// pieces and between the words of the note; further ones are moved in.
fn broken<'n>(
    first: String,
    indent: usize,
    pieces: &[String],
    note: impl Iterator<Item = (Style, &'n str)>,
    width: usize,
    screen: Screen,
) -> Vec<String> {
    let room = width.saturating_sub(indent).max(1);
    let last = pieces.len().saturating_sub(1);
    let pieces = pieces.iter().enumerate().flat_map(|(at, piece)| {
        let piece = format!("{piece}{}", if at < last { "," } else { "" });
        // One that is too long for a line is broken as well, rather than cut: its end is the new value.
        let words: Vec<&str> = if style::width(&piece) > room { piece.split(' ').collect() } else { vec![&piece] };
        words.into_iter().map(|word| (Style::new(), 1, cut(word, room).into_owned())).collect::<Vec<_>>()
    });
    let words = note.flat_map(|(style, note)| {
        let words = note.split(' ').enumerate();
        words.map(move |(at, word)| (style, if at == 0 { 2 } else { 1 }, cut(word, room).into_owned()))
    });
    let mut lines = vec![if first.is_empty() { " ".repeat(indent) } else { first }];
    let mut used = 0;
    for (style, space, text) in pieces.chain(words) {
        let space = if used == 0 { 0 } else { space };
        if used > 0 && used + space + style::width(&text) > room {
            lines.push(" ".repeat(indent));
            used = 0;
        }
        let space = if used == 0 { 0 } else { space };
        used += space + style::width(&text);
        if let Some(line) = lines.last_mut() {
            line.push_str(&" ".repeat(space));
            line.push_str(&if style == Style::new() { text } else { screen.paint(style, &text) });
        }
    }
    lines
}
