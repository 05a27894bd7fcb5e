//! What Landlock is told: each [`Access`] as rights, each rule as a path that was opened.

use std::io;

use landlock::{
    ABI, Access as _, AccessFs, BitFlags, CompatLevel, Compatible, LandlockStatus, PathBeneath,
    PathFd, PathFdError, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError, Scope,
    make_bitflags,
};

use super::{Access, Rule, Signals};

/// Enters a sandbox, in this thread and whatever it starts; returns the version of Landlock that the
/// kernel has, 0 for none.
pub fn enter(rules: &[Rule], signals: Signals) -> io::Result<i32> {
    const KNOWN: ABI = ABI::V6;
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(KNOWN))
        .map_err(failed)?;
    if signals == Signals::Inside {
        ruleset = ruleset.scope(Scope::Signal).map_err(failed)?;
    }
    let mut ruleset = ruleset.create().map_err(failed)?;
    for (access, path) in rules {
        let file = match PathFd::new(path) {
            Ok(file) => file,
            Err(PathFdError::OpenCall { source, .. }) if access.is_needless(&source) => continue,
            Err(error) => return Err(io::Error::other(error.to_string())),
        };
        let mut rights = access.rights();
        if !path.is_dir() {
            rights &= AccessFs::from_file(KNOWN);
        }
        if !rights.is_empty() {
            let rule = PathBeneath::new(file, rights);
            ruleset = ruleset.add_rule(rule).map_err(failed)?;
        }
    }
    let status = ruleset.restrict_self().map_err(failed)?;
    Ok(match status.landlock {
        LandlockStatus::Available { effective_abi, .. } => effective_abi as i32,
        LandlockStatus::NotEnabled | LandlockStatus::NotImplemented => 0,
    })
}

/// Its text alone: all else of these errors would be 3 KiB that nobody reads.
fn failed(error: RulesetError) -> io::Error {
    io::Error::other(error.to_string())
}

impl Access {
    /// Whether nothing is lost by leaving out a rule, as its path cannot be opened for this.
    fn is_needless(self, error: &io::Error) -> bool {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => true,
            // Whoever cannot search a folder does not make or remove anything in it either.
            io::ErrorKind::PermissionDenied => matches!(self, Access::Append | Access::Remove),
            _ => false,
        }
    }

    fn rights(self) -> BitFlags<AccessFs> {
        match self {
            Access::Read => make_bitflags!(AccessFs::{ReadFile | ReadDir}),
            Access::Run => make_bitflags!(AccessFs::{ReadFile | ReadDir | Execute}),
            Access::Write => make_bitflags!(AccessFs::{
                ReadFile | ReadDir | WriteFile | Truncate | Refer | RemoveDir | RemoveFile | MakeDir
                    | MakeReg | MakeSock | MakeFifo | MakeSym
            }),
            Access::Append => make_bitflags!(AccessFs::{WriteFile | MakeReg}),
            Access::Remove => make_bitflags!(AccessFs::{RemoveFile}),
            Access::Device => {
                make_bitflags!(AccessFs::{ReadFile | WriteFile | Truncate | IoctlDev})
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::testing::TempDir;
    use std::fs::{self, File};

    /// A sandbox is one thread's.
    #[test]
    fn what_no_rule_permits_is_refused() {
        let dir = TempDir::new();
        for name in [
            "read/file",
            "write/file",
            "append/file",
            "remove/file",
            "other/file",
        ] {
            dir.write(name, "x");
        }
        let path = |name: &str| dir.path().join(name);
        let rules = [
            (Access::Read, path("read")),
            (Access::Write, path("write")),
            (Access::Append, path("append")),
            (Access::Remove, path("remove")),
            (Access::Run, path("not-there")),
        ];
        let inside = || {
            let version = enter(&rules, Signals::Inside).unwrap();
            if version == 0 {
                eprintln!("skipped: the kernel has no Landlock");
                return;
            }
            for (name, read, write, made) in [
                ("read", true, false, false),
                ("write", true, true, true),
                ("append", false, true, true),
                ("remove", false, false, false),
                ("other", false, false, false),
            ] {
                let file = path(name).join("file");
                assert_eq!(File::open(&file).is_ok(), read, "{name}");
                let opened = File::options().append(true).open(&file);
                assert_eq!(opened.is_ok(), write, "{name}");
                let made_one = File::options()
                    .append(true)
                    .create(true)
                    .open(path(name).join("new"));
                assert_eq!(made_one.is_ok(), made, "{name}");
            }
            fs::remove_file(path("remove/file")).unwrap();
            fs::remove_file(path("read/file")).unwrap_err();
        };
        std::thread::scope(|scope| scope.spawn(inside).join().unwrap());
    }
}
