//! How the functions are built, which the surroundings say.

use super::Function;
use crate::error::{Error, ExitStatus};
use std::{ffi::OsString, fs, path::PathBuf};

/// How the functions are built, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildOptions {
    /// Cargo's profile, `lambda` as a rule; `dev` is built sooner and runs slower.
    pub profile: String,
    /// Where they are built. It is kept, so that the next build is a short one.
    pub folder: PathBuf,
    /// Where they are, if they were built elsewhere: `{package}/bootstrap`, as `cargo lambda build` lays them out.
    pub bootstraps: Option<PathBuf>,
}

impl BuildOptions {
    /// As the environment has it: `STOCKPIPE_BUILD_PROFILE`, `STOCKPIPE_BOOTSTRAPS`, and `STOCKPIPE_HOME`.
    ///
    /// The build folder is a cache, so it is below the user's cache folder. Below `STOCKPIPE_HOME` it has a name that
    /// no stack can have.
    pub fn from_env() -> Result<Self, Error> {
        Self::from(&|name| std::env::var_os(name), dirs::cache_dir())
    }

    fn from(variable: &dyn Fn(&str) -> Option<OsString>, cache: Option<PathBuf>) -> Result<Self, Error> {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        let folder = match variable("STOCKPIPE_HOME") {
            Some(home) => PathBuf::from(home).join(".build"),
            None => cache.map(|cache| cache.join("stockpipe/build")).ok_or_else(|| {
                Error::new("there is no folder to build in").hint("set STOCKPIPE_HOME to one").status(ExitStatus::Usage)
            })?,
        };
        let profile = variable("STOCKPIPE_BUILD_PROFILE").map(|profile| profile.to_string_lossy().into_owned());
        Ok(Self {
            profile: profile.unwrap_or_else(|| "lambda".into()),
            folder,
            bootstraps: variable("STOCKPIPE_BOOTSTRAPS").map(PathBuf::from),
        })
    }

    /// The program of a function that was built elsewhere.
    pub(super) fn bootstrap(&self, function: Function) -> Result<Vec<u8>, Error> {
        let path = self.bootstraps.clone().unwrap_or_default().join(function.package()).join("bootstrap");
        fs::read(&path).map_err(|error| {
            Error::new(format!("the bootstrap of {function} '{}' cannot be read", path.display()))
                .because(error)
                .hint("STOCKPIPE_BOOTSTRAPS is a folder as `cargo lambda build` makes it; without it, it is built here")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_surroundings_say_how_to_build() {
        let none = BuildOptions::from(&|_| None, Some("/cache".into())).expect("options");
        let folder = PathBuf::from("/cache/stockpipe/build");
        assert_eq!(none, BuildOptions { profile: "lambda".into(), folder, bootstraps: None });
        let some = BuildOptions::from(&|name| Some(format!("/{name}").into()), None).expect("options");
        assert_eq!(some.folder, PathBuf::from("/STOCKPIPE_HOME/.build"));
        assert_eq!(some.profile, "/STOCKPIPE_BUILD_PROFILE");
        assert_eq!(some.bootstraps, Some("/STOCKPIPE_BOOTSTRAPS".into()));
        let error = BuildOptions::from(&|_| Some(OsString::new()), None).expect_err("no folder");
        assert_eq!(error.exit_status(), ExitStatus::Usage);
    }

    #[test]
    fn a_bootstrap_that_is_not_there_is_named() {
        let options =
            BuildOptions { profile: String::new(), folder: PathBuf::new(), bootstraps: Some("/nowhere".into()) };
        let error = options.bootstrap(Function::Trend).expect_err("nothing there");
        assert!(error.to_string().contains("'/nowhere/stock-trend-analysis/bootstrap'"), "{error}");
    }
}
