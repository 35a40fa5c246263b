//! The stack that every pipeline of an account and region shares: the bucket of code and templates and, on request, the
//! boundary and the role.

use super::{
    change_set::{self, Proposed, Text, Wanted},
    survey::{self, Stack, State},
};
use crate::{
    error::Error,
    targets::aws::{
        Aws,
        names::{BOOTSTRAP_STACK, Names},
        options::{Choice, Options},
        template::{self, Values},
    },
};

/// What is to be done for the bootstrap stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Need {
    /// Nothing.
    None,
    /// It has to be made or changed, to these parameters.
    Deploy(Values),
}

/// The parameters that it was made to have once, or is asked to have now. What one pipeline asked for stays, for others
/// may rely on it.
#[must_use]
pub fn need(names: &Names, options: &Options, found: Option<&Stack>) -> Need {
    let had = |name: &str| found.is_some_and(|stack| stack.values.get(name).is_some_and(|value| value == "yes"));
    let yes_or_no = |yes: bool| if yes { "yes" } else { "no" };
    let role = options.service_role == Some(Choice::Own) || had("ServiceRole");
    let boundary = options.boundary == Some(Choice::Own) || had("PermissionsBoundary");
    let values = Values::from([
        ("Id".to_owned(), names.bootstrap_id.clone()),
        ("PermissionsBoundary".to_owned(), yes_or_no(boundary).to_owned()),
        ("ServiceRole".to_owned(), yes_or_no(role).to_owned()),
    ]);
    let current = found.is_some_and(|stack| {
        stack.state() == State::Settled
            && stack.values == values
            && stack.output("Version") == Some(&template::bootstrap_version())
    });
    if current { Need::None } else { Need::Deploy(values) }
}

/// What would change; nothing where it is as it is to be.
pub async fn propose(aws: &Aws, values: Values, found: Option<&Stack>) -> Result<Proposed, Error> {
    let wanted = Wanted {
        stack: BOOTSTRAP_STACK.into(),
        template: Text::Inline(template::bootstrap()),
        values,
        tags: found.map(|stack| stack.tags.clone()).unwrap_or_default(),
        role: None,
        imports: false,
    };
    change_set::propose(aws, &wanted, found.map(Stack::state)).await
}

/// As it is now.
pub async fn find(aws: &Aws) -> Result<Option<Stack>, Error> {
    survey::stack(aws, BOOTSTRAP_STACK).await
}

/// Whether it makes more than the bucket, which others than pipelines may use.
#[must_use]
pub fn is_shared(stack: &Stack) -> bool {
    stack.outputs.contains_key("PermissionsBoundaryArn") || stack.outputs.contains_key("DeployRoleArn")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch a role that another pipeline works with and that is taken away, and updates without a reason.
    #[test]
    fn what_was_asked_for_once_stays() {
        let names = Names::new("123456789012", "us-east-1", "prices");
        let mut options = Options::default();
        let Need::Deploy(values) = need(&names, &options, None) else { panic!("something to do") };
        assert_eq!((&*values["ServiceRole"], &*values["PermissionsBoundary"]), ("no", "no"));
        options.set("service_role", "yes").expect("an option");
        let Need::Deploy(values) = need(&names, &options, None) else { panic!("something to do") };
        assert_eq!(&*values["ServiceRole"], "yes");
        let mut stack = Stack { status: "CREATE_COMPLETE".into(), values, ..Stack::default() };
        stack.outputs.insert("Version".into(), template::bootstrap_version());
        assert_eq!(need(&names, &options, Some(&stack)), Need::None);
        assert_eq!(need(&names, &Options::default(), Some(&stack)), Need::None);
        stack.outputs.insert("Version".into(), "older".into());
        assert_ne!(need(&names, &options, Some(&stack)), Need::None);
    }
}
