# Completion of tollgate for bash; made by `make documents`.
# shellcheck shell=bash
_tollgate() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    local options='--listen --root --static --index --listing --follow-symlinks --fallback --unknown-host --trusted-proxy --proxy-protocol --auth --cgi --env --max-processes --fastcgi --fastcgi-connect-timeout --fastcgi-timeout --max-backend --fastcgi-keep --fastcgi-idle --threads --max-connections --max-header --max-body --max-spool --header-timeout --idle-timeout --send-timeout --cgi-timeout --drain-timeout --stop-delay --user --allow-root --chroot --limit --nice --allow-setuid --sandbox --allow-read --allow-write --access-log --log-format --quiet --verbose --explain --no-explain --console --health --config --dump-config --help --version' answers
    [[ ${COMP_WORDS[1]} == check ]] && options+=' --query --method --body --header --json'
    compopt -o filenames 2>/dev/null
    COMPREPLY=()
    # --option=value, and ROUTE=PATH: bash takes '=' for a word of its own.
    if [[ $word == = ]]; then
        word=
    elif [[ $before == = ]]; then
        before=${COMP_WORDS[COMP_CWORD - 2]}
        case $before in -*) ;; *) before=ROUTE ;; esac
    fi
    case $before in
        --root|--chroot|--allow-read|--allow-write|--access-log|--config|--body|ROUTE) answers=$(compgen -f -- "$word") ;;
        -s|--static|--auth|-c|--cgi) answers= ;;
        --user) answers=$(compgen -u -- "$word") ;;
        -l|--listen|--index|--fallback|--unknown-host|--trusted-proxy|-e|--env|--max-processes|-f|--fastcgi|--fastcgi-connect-timeout|--fastcgi-timeout|--max-backend|--fastcgi-keep|--fastcgi-idle|-t|--threads|--max-connections|--max-header|--max-body|--max-spool|--header-timeout|--idle-timeout|--send-timeout|--cgi-timeout|--drain-timeout|--stop-delay|--limit|--nice|--log-format|--console|--health|--query|--method|--header) answers= ;;
        *)
            case $word in
                -*) answers=$(compgen -W "$options" -- "$word") ;;
                *)
                    answers=$(compgen -f -- "$word")
                    ((COMP_CWORD > 1)) || answers+=$'\n'$(compgen -W 'check-config new check passwd' -- "$word")
                    ;;
            esac
            ;;
    esac
    local IFS=$'\n'
    # One answer is one line.
    # shellcheck disable=SC2206
    COMPREPLY=($answers)
}
complete -F _tollgate tollgate
