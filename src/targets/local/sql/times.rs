//! The functions of time that Athena has and DataFusion has not, or has under their name with another meaning.

use datafusion::{
    arrow::{
        array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, StringArray, TimestampMillisecondArray},
        compute::{DatePart, cast, date_part, try_binary},
        datatypes::{DataType, Int32Type, Int64Type, TimeUnit, TimestampMillisecondType},
    },
    common::{ScalarValue, exec_datafusion_err, exec_err, plan_err},
    error::Result,
    logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility},
    prelude::SessionContext,
};
use std::{iter::zip, sync::Arc};

mod mysql;
mod units;

use units::Unit;

/// Makes them known.
pub(super) fn register(context: &SessionContext) {
    use Takes::{Text, Time, Whole};
    let whole = Gives::This(DataType::Int64);
    let text = Gives::This(DataType::Utf8);
    let time = Gives::This(MILLIS);
    for (name, takes, gives, call) in [
        ("date_diff", &[Text, Time, Time][..], whole.clone(), date_diff as Call),
        ("date_add", &[Text, Whole, Time], Gives::LikeLast, date_add),
        ("date_parse", &[Text, Text], time, date_parse),
        // DataFusion's own takes another language of formats, in which some of Athena's mean something else.
        ("date_format", &[Time, Text], text, date_format),
        ("from_iso8601_timestamp", &[Text], Gives::This(instants()), from_iso8601_timestamp),
        // DataFusion's own gives whole seconds.
        ("to_unixtime", &[Time], Gives::This(DataType::Float64), to_unixtime),
        ("year", &[Time], whole.clone(), |of| part(of, DatePart::Year)),
        ("quarter", &[Time], whole.clone(), |of| part(of, DatePart::Quarter)),
        ("month", &[Time], whole.clone(), |of| part(of, DatePart::Month)),
        ("week", &[Time], whole.clone(), |of| part(of, DatePart::Week)),
        ("week_of_year", &[Time], whole.clone(), |of| part(of, DatePart::Week)),
        ("day", &[Time], whole.clone(), |of| part(of, DatePart::Day)),
        ("day_of_month", &[Time], whole.clone(), |of| part(of, DatePart::Day)),
        ("day_of_week", &[Time], whole.clone(), day_of_week),
        ("dow", &[Time], whole.clone(), day_of_week),
        ("day_of_year", &[Time], whole.clone(), |of| part(of, DatePart::DayOfYear)),
        ("doy", &[Time], whole.clone(), |of| part(of, DatePart::DayOfYear)),
        ("hour", &[Time], whole.clone(), |of| part(of, DatePart::Hour)),
        ("minute", &[Time], whole.clone(), |of| part(of, DatePart::Minute)),
        ("second", &[Time], whole, |of| part(of, DatePart::Second)),
    ] {
        let signature = Signature::any(takes.len(), Volatility::Immutable);
        context.register_udf(ScalarUDF::from(Function { name, takes, gives, call: Called(call), signature }));
    }
}

/// What functions reckon in: the lake's own unit.
const MILLIS: DataType = DataType::Timestamp(TimeUnit::Millisecond, None);

/// Times with a zone, which is always UTC.
fn instants() -> DataType {
    DataType::Timestamp(TimeUnit::Millisecond, Some("+00:00".into()))
}

/// From columns of what a function takes to one of what it gives. One of texts that are all the same has one row.
type Call = fn(&[ArrayRef]) -> Result<ArrayRef>;

/// A call, which is not compared: names are.
#[derive(Clone, Copy, Debug)]
struct Called(Call);

impl PartialEq for Called {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Called {}

impl std::hash::Hash for Called {
    fn hash<H: std::hash::Hasher>(&self, _: &mut H) {}
}

/// What an argument has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Takes {
    Text,
    /// A date, or a timestamp of any unit.
    Time,
    Whole,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Gives {
    This(DataType),
    /// The type of the last argument.
    LikeLast,
}

/// A function whose arguments are of fixed kinds. Null where one of them is.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Function {
    name: &'static str,
    takes: &'static [Takes],
    gives: Gives,
    call: Called,
    signature: Signature,
}

impl Takes {
    fn fits(self, kind: &DataType) -> bool {
        // Text is no time, as it is none in Athena.
        match self {
            _ if kind.is_null() => true,
            Self::Text => kind.is_string(),
            Self::Time => matches!(kind, DataType::Timestamp(..) | DataType::Date32 | DataType::Date64),
            Self::Whole => kind.is_integer(),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Time => "a time or date",
            Self::Whole => "a whole number",
        }
    }

    /// What it is reckoned in.
    const fn kind(self) -> DataType {
        match self {
            Self::Text => DataType::Utf8,
            Self::Time => MILLIS,
            Self::Whole => DataType::Int64,
        }
    }
}

impl ScalarUDFImpl for Function {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        for (place, (takes, kind)) in (1..).zip(zip(self.takes, arguments)) {
            if !takes.fits(kind) {
                return plan_err!("{}: argument {place} is {}, not {kind}", self.name, takes.name());
            }
        }
        Ok(match (&self.gives, arguments.last()) {
            (Gives::This(kind), _) => kind.clone(),
            (Gives::LikeLast, Some(kind)) if !kind.is_null() => kind.clone(),
            (Gives::LikeLast, _) => MILLIS,
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_constant = |value: &ColumnarValue| matches!(value, ColumnarValue::Scalar(_));
        let constant = args.args.iter().all(is_constant);
        let columns = zip(&args.args, self.takes).map(|(value, takes)| {
            // A unit or a format is mostly the same in all rows, and then in one only.
            let rows = if constant || *takes == Takes::Text && is_constant(value) { 1 } else { args.number_rows };
            Ok(cast(&value.to_array(rows)?, &takes.kind())?)
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        if self.gives == Gives::LikeLast && matches!(args.return_field.data_type(), DataType::Date32 | DataType::Date64)
        {
            whole_days(self.name, &columns)?;
        }
        let found = cast(&(self.call.0)(&columns)?, args.return_field.data_type())?;
        Ok(if constant && found.len() == 1 {
            ColumnarValue::Scalar(ScalarValue::try_from_array(&found, 0)?)
        } else {
            ColumnarValue::Array(found)
        })
    }
}

/// Expects the first column to hold units of which days are made, and not their parts.
fn whole_days(function: &str, columns: &[ArrayRef]) -> Result<()> {
    let [units, ..] = columns else { return Ok(()) };
    for name in units.as_string::<i32>().iter().flatten() {
        if Unit::named(name).is_some_and(|unit| !unit.is_of_dates()) {
            return exec_err!("{function}: '{name}' is no unit of dates");
        }
    }
    Ok(())
}

fn unit(function: &str, name: &str) -> Result<Unit> {
    Unit::named(name).ok_or_else(|| exec_datafusion_err!("{function}: '{name}' is no unit of time"))
}

fn arguments<const N: usize>(columns: &[ArrayRef]) -> Result<[&ArrayRef; N]> {
    match <&[ArrayRef; N]>::try_from(columns) {
        Ok(columns) => Ok(columns.each_ref()),
        Err(_) => exec_err!("{N} arguments expected, not {}", columns.len()),
    }
}

/// The text that all rows have, if it is in one row alone.
fn the_one(texts: &ArrayRef) -> Option<&str> {
    texts.as_string::<i32>().iter().next().flatten().filter(|_| texts.len() == 1)
}

/// The texts, over and over.
fn every(texts: &ArrayRef) -> impl Iterator<Item = Option<&str>> {
    texts.as_string::<i32>().iter().cycle()
}

/// `date_diff(unit, a, b)`: the whole units from `a` to `b`, what is left over not counted.
fn date_diff(columns: &[ArrayRef]) -> Result<ArrayRef> {
    let [units, from, to] = arguments(columns)?;
    let (from, to) = (from.as_primitive::<TimestampMillisecondType>(), to.as_primitive::<TimestampMillisecondType>());
    let whole = |unit: Unit, from: i64, to: i64| {
        unit.between(from, to).ok_or_else(|| exec_datafusion_err!("date_diff: a time outside the calendar"))
    };
    if let Some(name) = the_one(units) {
        let unit = unit("date_diff", name)?;
        let wholes: Int64Array = try_binary(from, to, |from, to| whole(unit, from, to).map_err(Into::into))?;
        return Ok(Arc::new(wholes));
    }
    let each = zip(every(units), zip(from, to)).map(|(name, (from, to))| match (name, from, to) {
        (Some(name), Some(from), Some(to)) => whole(unit("date_diff", name)?, from, to).map(Some),
        _ => Ok(None),
    });
    Ok(Arc::new(each.collect::<Result<Int64Array>>()?))
}

/// `date_add(unit, n, x)`: the time so many units after `x`; the last day of a month where there is no such day.
fn date_add(columns: &[ArrayRef]) -> Result<ArrayRef> {
    let [units, counts, times] = arguments(columns)?;
    let counted = zip(counts.as_primitive::<Int64Type>(), times.as_primitive::<TimestampMillisecondType>());
    let each = zip(every(units), counted).map(|(name, (count, time))| {
        let (Some(name), Some(count), Some(time)) = (name, count, time) else { return Ok(None) };
        let after = unit("date_add", name)?.after(time, count);
        Ok(Some(after.ok_or_else(|| exec_datafusion_err!("date_add: a time outside the calendar"))?))
    });
    Ok(Arc::new(each.collect::<Result<TimestampMillisecondArray>>()?))
}

/// `date_parse(text, format)`: the time that a text is in a format of MySQL's.
fn date_parse(columns: &[ArrayRef]) -> Result<ArrayRef> {
    let [texts, formats] = arguments(columns)?;
    let rows = if texts.len() == 1 { formats.len() } else { texts.len() };
    let each = zip(every(texts), every(formats)).take(rows).map(|pair| match pair {
        (Some(text), Some(format)) => mysql::parse(text, format).map(Some),
        _ => Ok(None),
    });
    Ok(Arc::new(each.collect::<Result<TimestampMillisecondArray>>()?))
}

/// `date_format(time, format)`: the other way round.
fn date_format(columns: &[ArrayRef]) -> Result<ArrayRef> {
    let [times, formats] = arguments(columns)?;
    let times = times.as_primitive::<TimestampMillisecondType>();
    let each = zip(times, every(formats)).map(|pair| match pair {
        (Some(time), Some(format)) => mysql::format(time, format).map(Some),
        _ => Ok(None),
    });
    Ok(Arc::new(each.collect::<Result<StringArray>>()?))
}

/// `from_iso8601_timestamp(text)`: UTC where the text names no zone.
fn from_iso8601_timestamp(columns: &[ArrayRef]) -> Result<ArrayRef> {
    let [texts] = arguments(columns)?;
    let each = texts.as_string::<i32>().iter().map(|text| {
        let Some(text) = text else { return Ok(None) };
        let time = units::iso8601(text);
        Ok(Some(time.ok_or_else(|| exec_datafusion_err!("from_iso8601_timestamp: '{text}' is no time of ISO 8601"))?))
    });
    Ok(Arc::new(each.collect::<Result<TimestampMillisecondArray>>()?.with_timezone("+00:00")))
}

/// `to_unixtime(time)`: seconds since 1970.
#[expect(clippy::cast_precision_loss, reason = "a double holds the milliseconds of the years 0 to 9999 exactly")]
fn to_unixtime(columns: &[ArrayRef]) -> Result<ArrayRef> {
    let [times] = arguments(columns)?;
    let times = times.as_primitive::<TimestampMillisecondType>();
    Ok(Arc::new(times.iter().map(|time| time.map(|millis| millis as f64 / 1000.0)).collect::<Float64Array>()))
}

fn part(columns: &[ArrayRef], part: DatePart) -> Result<ArrayRef> {
    let [times] = arguments(columns)?;
    Ok(date_part(times, part)?)
}

/// From Monday, which is 1, to Sunday, which is 7.
fn day_of_week(columns: &[ArrayRef]) -> Result<ArrayRef> {
    let from_monday = part(columns, DatePart::DayOfWeekMonday0)?;
    let days = from_monday.as_primitive::<Int32Type>();
    Ok(Arc::new(days.iter().map(|day| day.map(|day| i64::from(day) + 1)).collect::<Int64Array>()))
}
