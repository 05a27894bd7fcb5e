//! What shells complete after `tollgate`.
//!
//! Source: bash(1) "Programmable Completion", zshcompsys(1) `_arguments`, complete(1) of fish.
//! Rules: names of options and commands, and paths and users where a value is one; a value that only its
//! operator can know is left to them.

use std::fmt::Write;

use tollgate::config::flags::{FLAGS, Flag};

use super::{Entry, Help};

/// What the value of an option is.
#[derive(Clone, Copy, PartialEq)]
enum Value {
    None,
    Path,
    /// One after an equals sign.
    PathBehind,
    User,
    Other,
}

fn value(name: Option<&str>) -> Value {
    match name {
        None => Value::None,
        Some("PATH" | "DIR" | "FILE" | "PATH|-") => Value::Path,
        Some("ROUTE=DIR" | "ROUTE=PATH" | "ROUTE=FILE") => Value::PathBehind,
        Some("NAME[:GROUP]") => Value::User,
        Some(_) => Value::Other,
    }
}

/// What an option of `check` calls its value.
fn value_of(entry: &Entry) -> Option<&str> {
    entry.usage.split_once(' ').map(|(_, value)| value)
}

/// The help of an option, short enough for a line of a list: its first sentence or clause.
fn short(flag: &Flag) -> &'static str {
    let clause = flag.help.split(';').next().unwrap_or(flag.help);
    clause.split(". ").next().unwrap_or(clause)
}

/// The names of all options whose value is of this kind, as a pattern of `case`.
fn pattern(help: &Help, kind: Value) -> String {
    let mut names = Vec::new();
    for flag in FLAGS {
        if value(flag.value_name()) == kind {
            names.extend(flag.short.map(|short| format!("-{short}")));
            names.push(flag.to_string());
        }
    }
    let own = help.check.iter();
    names.extend(
        own.filter(|entry| value(value_of(entry)) == kind)
            .map(|entry| entry.name.clone()),
    );
    names.join("|")
}

/// For bash: `source` it, or put it into /usr/share/bash-completion/completions/tollgate.
pub fn bash(help: &Help) -> String {
    let long = |flag: &Flag| format!("--{}", flag.long);
    let options: Vec<_> = FLAGS.iter().map(long).collect();
    let check: Vec<_> = help.check.iter().map(|entry| entry.name.clone()).collect();
    let commands: Vec<_> = help.commands.iter().map(|it| it.name.as_str()).collect();
    format!(
        r#"# Completion of tollgate for bash; made by `make documents`.
# shellcheck shell=bash
_tollgate() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD - 1]}}
    local options='{options}' answers
    [[ ${{COMP_WORDS[1]}} == check ]] && options+=' {check}'
    compopt -o filenames 2>/dev/null
    COMPREPLY=()
    # --option=value, and ROUTE=PATH: bash takes '=' for a word of its own.
    if [[ $word == = ]]; then
        word=
    elif [[ $before == = ]]; then
        before=${{COMP_WORDS[COMP_CWORD - 2]}}
        case $before in -*) ;; *) before=ROUTE ;; esac
    fi
    case $before in
        {paths}|ROUTE) answers=$(compgen -f -- "$word") ;;
        {behind}) answers= ;;
        {users}) answers=$(compgen -u -- "$word") ;;
        {others}) answers= ;;
        *)
            case $word in
                -*) answers=$(compgen -W "$options" -- "$word") ;;
                *)
                    answers=$(compgen -f -- "$word")
                    ((COMP_CWORD > 1)) || answers+=$'\n'$(compgen -W '{commands}' -- "$word")
                    ;;
            esac
            ;;
    esac
    local IFS=$'\n'
    # One answer is one line.
    # shellcheck disable=SC2206
    COMPREPLY=($answers)
}}
complete -F _tollgate tollgate
"#,
        options = options.join(" "),
        check = check.join(" "),
        commands = commands.join(" "),
        paths = pattern(help, Value::Path),
        behind = pattern(help, Value::PathBehind),
        users = pattern(help, Value::User),
        others = pattern(help, Value::Other),
    )
}

/// For zsh: put it as `_tollgate` into a folder of `$fpath`.
pub fn zsh(help: &Help) -> String {
    let mut text = String::from(
        "#compdef tollgate\n# Completion of tollgate for zsh; made by `make documents`.\n\n\
         local -a tollgate_options tollgate_check tollgate_commands\ntollgate_options=(\n",
    );
    for flag in FLAGS {
        let names = match flag.short {
            Some(short) if flag.is_repeatable() => format!("'*'{{-{short},{flag}}}"),
            Some(short) => format!("'(-{short} {flag})'{{-{short},{flag}}}"),
            None if flag.is_repeatable() => format!("'*'{flag}"),
            None => flag.to_string(),
        };
        let equals = if flag.value_name().is_some() { "=" } else { "" };
        // `-l+` takes its value as the rest of the word or the next one, `--listen=` after an equals sign too.
        let names = match (equals, flag.short) {
            ("=", Some(short)) => names
                .replace(&format!("-{short},"), &format!("-{short}+,"))
                .replace(&format!("{flag}}}"), &format!("{flag}=}}")),
            _ => names + equals,
        };
        let action = zsh_action(flag.value_name());
        let _ = writeln!(
            text,
            "    {names}{}",
            quoted(&format!("[{}]{action}", bare(short(flag))))
        );
    }
    text.push_str(")\ntollgate_check=(\n");
    for entry in &help.check {
        let value = value_of(entry);
        let equals = if value.is_some() { "=" } else { "" };
        let action = zsh_action(value);
        let text_of = quoted(&format!("[{}]{action}", bare(&entry.text)));
        let _ = writeln!(text, "    {}{equals}{text_of}", entry.name);
    }
    text.push_str(")\ntollgate_commands=(\n");
    for entry in &help.commands {
        let _ = writeln!(
            text,
            "    {}",
            quoted(&format!("{}:{}", entry.name, bare(&entry.text)))
        );
    }
    text.push_str(
        ")\n\nif [[ $words[2] == check ]]; then\n    _arguments -s $tollgate_options $tollgate_check '*: :_files'\n    return\n\
         fi\n[[ $words[2] == passwd ]] && { _files; return }\n\
         _tollgate_first() {\n    _describe command tollgate_commands\n    _files\n}\n\
         _arguments -s $tollgate_options '1: :_tollgate_first' '*: :_files'\n",
    );
    text
}

fn zsh_action(name: Option<&str>) -> String {
    let what = name
        .unwrap_or_default()
        .trim_matches('\'')
        .replace(':', "\\:");
    match value(name) {
        Value::None => String::new(),
        Value::Path => format!(":{what}:_files"),
        Value::PathBehind => format!(":{what}:{{compset -P '*=' && _files}}"),
        Value::User => format!(":{what}:_users"),
        Value::Other => format!(":{what}: "),
    }
}

/// Without what ends a description of `_arguments`.
fn bare(text: &str) -> String {
    text.replace('[', "(").replace(']', ")").replace(':', "\\:")
}

/// For fish: put it into /usr/share/fish/vendor_completions.d.
pub fn fish(help: &Help) -> String {
    let mut text = String::from("# Completion of tollgate for fish; made by `make documents`.\n");
    for flag in FLAGS {
        let short_name = flag.short.map(|short| format!(" -s {short}"));
        let takes = fish_value(flag.value_name());
        let _ = writeln!(
            text,
            "complete -c tollgate{} -l {}{takes} -d {}",
            short_name.unwrap_or_default(),
            flag.long,
            quoted_fish(short(flag))
        );
    }
    for entry in &help.commands {
        let (name, what) = (&entry.name, quoted_fish(&entry.text));
        let _ = writeln!(
            text,
            "complete -c tollgate -n __fish_is_first_token -a {name} -d {what}"
        );
    }
    for entry in &help.check {
        let (name, what) = (entry.name.trim_start_matches('-'), quoted_fish(&entry.text));
        let takes = fish_value(value_of(entry));
        let _ = writeln!(
            text,
            "complete -c tollgate -n '__fish_seen_subcommand_from check' -l {name}{takes} -d {what}"
        );
    }
    text
}

fn fish_value(name: Option<&str>) -> &'static str {
    match value(name) {
        Value::None => "",
        Value::Path | Value::PathBehind => " -r -F",
        Value::User => " -x -a '(__fish_complete_users)'",
        Value::Other => " -x",
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

fn quoted_fish(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}
