//! What a reason says that CloudFormation wrote: the service's words, without the shells around them.
//!
//! Two shells are usual, the second often inside the first:
//!
//! - `Resource handler returned message: "…" (RequestToken: …, HandlerErrorCode: AlreadyExists)`
//! - `… (Service: Lambda, Status Code: 400, Request ID: …)`, of older handlers with semicolons and an `Error Code`.

use super::Resource;
use crate::report::style::outside;
use std::fmt;

/// A reason, taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reason {
    /// What the service said.
    pub message: String,
    /// Which service.
    pub service: Option<String>,
    /// Its code, or else the handler's.
    pub code: Option<String>,
    /// What the service knows the request by.
    pub request: Option<String>,
}

impl Reason {
    /// Of a resource that failed.
    pub fn of(resource: &Resource) -> Self {
        Self::parse(resource.reason.as_deref().unwrap_or("CloudFormation gave no reason"))
    }

    /// Of CloudFormation's text; one without shells is the message as it is.
    pub fn parse(text: &str) -> Self {
        let mut reason = Self { message: text.trim().into(), ..Self::default() };
        if let Some((before, inner)) = reason.message.split_once("Resource handler returned message: \"") {
            let (message, shell) = inner.rsplit_once("\" (").unwrap_or((inner, ""));
            let shell = shell.trim_end_matches(')');
            reason.code = pairs(shell).find(|(key, _)| *key == "HandlerErrorCode").map(|(_, value)| value.into());
            // What CloudFormation says itself comes before.
            reason.message = format!("{before}{message}");
        }
        if let Some(at) = reason.message.rfind("(Service: ") {
            let (message, shell) = reason.message.split_at(at);
            let shell = shell.trim_start_matches('(');
            let (shell, rest) = shell.split_once(')').unwrap_or((shell, ""));
            for (key, value) in pairs(shell) {
                match key {
                    "Service" => reason.service = Some(value.into()),
                    "Error Code" => reason.code = Some(value.into()),
                    "Request ID" => reason.request = Some(value.into()),
                    _ => {}
                }
            }
            let rest = rest.split("(SDK Attempt Count").next().unwrap_or_default();
            reason.message = format!("{}{}", message.trim_end(), rest.trim_end());
        }
        let bare = reason.message.trim().trim_start_matches("Invalid request provided: ");
        reason.message = bare.trim_end_matches('.').into();
        reason
    }

    /// Whether the message or the code has one of these in it.
    pub fn says(&self, texts: &[&str]) -> bool {
        let code = self.code.as_deref().unwrap_or_default();
        texts.iter().any(|text| self.message.contains(text) || code.contains(text))
    }

    /// The action that somebody may not do, such as `lambda:CreateFunction`.
    pub fn action(&self) -> Option<&str> {
        let (_, rest) = self.message.split_once("not authorized to perform: ")?;
        rest.split([' ', ',']).next().map(|action| action.trim_end_matches('.'))
    }

    /// Who may not: the name of a role or a user.
    pub fn who(&self) -> Option<&str> {
        let (_, rest) = self.message.split_once("User: ")?;
        let arn = rest.split(' ').next()?;
        let mut parts = arn.split('/');
        let kind = parts.next()?;
        // An assumed role's last part is the session; a user's or a role's is its name.
        if kind.ends_with(":assumed-role") { parts.next() } else { parts.next_back() }
    }
}

/// `Status Code: 400, Request ID: 1` as pairs; older handlers have semicolons.
fn pairs(shell: &str) -> impl Iterator<Item = (&str, &str)> {
    shell.split([',', ';']).filter_map(|pair| pair.split_once(": ")).map(|(key, value)| (key.trim(), value.trim()))
}

impl fmt::Display for Reason {
    /// `the message (Lambda, AccessDeniedException, request 7f3a…)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&outside(&self.message))?;
        let request = self.request.as_ref().map(|id| format!("request {id}"));
        let told: Vec<String> =
            [&self.service, &self.code, &request].into_iter().flatten().map(|t| outside(t)).collect();
        if told.is_empty() { Ok(()) } else { write!(f, " ({})", told.join(", ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Would catch a panic on a text that is like a shell but none, and controls that reach the terminal.
        #[test]
        fn any_text(pieces in prop::collection::vec(
            prop_oneof![
                Just("Resource handler returned message: \"".to_owned()), Just("(Service: ".to_owned()),
                Just("\" (RequestToken: ".to_owned()), Just("User: ".to_owned()), Just(", Error Code: ".to_owned()),
                Just("not authorized to perform: ".to_owned()), Just(")".to_owned()), any::<String>(),
            ],
            0..12,
        )) {
            let reason = Reason::parse(&pieces.concat());
            let (_, _) = (reason.who(), reason.action());
            prop_assert!(!reason.to_string().contains(char::is_control));
        }
    }

    fn told(text: &str) -> String {
        Reason::parse(text).to_string()
    }

    /// Would catch shells that are shown, and what they hold being lost.
    #[test]
    fn shells_are_taken_off() {
        let handler = "Resource handler returned message: \"Invalid request provided: Cannot access stream \
                       arn:aws:kinesis:us-east-1:123456789012:stream/a. Please ensure the role can. (Service: Lambda, \
                       Status Code: 400, Request ID: 7f3a-1) (SDK Attempt Count: 1)\" (RequestToken: 1-2, \
                       HandlerErrorCode: InvalidRequest)";
        let expected = "Cannot access stream arn:aws:kinesis:us-east-1:…9012:stream/a. Please ensure the role can \
                        (Lambda, InvalidRequest, request 7f3a-1)";
        assert_eq!(told(handler), expected);
        let old = "User: arn:aws:sts::123456789012:assumed-role/Deployer/me is not authorized to perform: \
                   lambda:CreateFunction on resource: arn:aws:lambda:us-east-1:123456789012:function:a because no \
                   identity-based policy allows the lambda:CreateFunction action (Service: AWSLambdaInternal; Status \
                   Code: 403; Error Code: AccessDeniedException; Request ID: 9c-1; Proxy: null)";
        let reason = Reason::parse(old);
        assert_eq!(reason.service.as_deref(), Some("AWSLambdaInternal"));
        assert_eq!(reason.code.as_deref(), Some("AccessDeniedException"));
        assert_eq!(reason.request.as_deref(), Some("9c-1"));
        assert_eq!((reason.action(), reason.who()), (Some("lambda:CreateFunction"), Some("Deployer")));
        assert!(reason.message.ends_with("the lambda:CreateFunction action"), "{}", reason.message);
    }

    /// Would catch a message that is mangled where nothing is around it, or only half of a shell.
    #[test]
    fn other_texts_stay_as_they_are() {
        for text in ["WaitCondition timed out", "a (b) \"c\"", "", "role (x)"] {
            assert_eq!(told(text), text);
        }
        assert_eq!(told("Resource handler returned message: \"half"), "half");
        assert_eq!(told("half (Service: S3, Status Code: 409"), "half (S3)");
        assert_eq!(told("line\nbreak \u{1b}[2J"), "line\\nbreak \\u{1b}[2J");
        let exists = "Resource handler returned message: \"Resource of type 'AWS::Logs::LogGroup' with identifier \
                      '{\"/properties/LogGroupName\":\"/aws/lambda/a\"}' already exists.\" (RequestToken: 1, \
                      HandlerErrorCode: AlreadyExists)";
        let expected = "Resource of type 'AWS::Logs::LogGroup' with identifier \
                        '{\"/properties/LogGroupName\":\"/aws/lambda/a\"}' already exists (AlreadyExists)";
        assert_eq!(told(exists), expected);
    }

    /// Would catch a session or an account being taken for who lacks the right.
    #[test]
    fn who_may_not() {
        let who = |arn: &str| {
            Reason::parse(&format!("User: {arn} is not authorized to perform: s3:GetObject")).who().map(str::to_owned)
        };
        assert_eq!(who("arn:aws:iam::123456789012:user/team/ann").as_deref(), Some("ann"));
        assert_eq!(who("arn:aws:sts::123456789012:assumed-role/Deployer/session").as_deref(), Some("Deployer"));
        assert_eq!(who("nobody"), None);
    }
}
