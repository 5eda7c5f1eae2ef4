# Completes the command line of ekey-ctl in bash: the tool itself knows what may come next.
_ekey_ctl() {
    local answer
    mapfile -t answer < <("$1" complete bash -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
    case ${answer[0]} in
        files)
            COMPREPLY=()
            compopt -o default
            ;;
        words)
            COMPREPLY=("${answer[@]:1}")
            ;;
        *)
            COMPREPLY=()
            ;;
    esac
}
complete -F _ekey_ctl ekey-ctl
