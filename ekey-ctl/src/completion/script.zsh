#compdef ekey-ctl
# Completes the command line of ekey-ctl in zsh: the tool itself knows what may come next.
_ekey_ctl() {
    local -a answer
    answer=("${(@f)$("${(Q)words[1]}" complete zsh -- "${(@Q)words[2,CURRENT]}" 2>/dev/null)}")
    case $answer[1] in
        files)
            [[ $PREFIX != --*=* ]] || compset -P '*='
            _files
            ;;
        words)
            shift answer
            (( $#answer )) && _describe 'ekey-ctl' answer
            ;;
    esac
}
if [[ $funcstack[1] == _ekey-ctl ]]; then
    _ekey_ctl "$@"
else
    compdef _ekey_ctl ekey-ctl
fi
