# Completes the command line of ekey-ctl in fish: the tool itself knows what may come next.
function __ekey_ctl_complete
    set -l before (commandline -opc)
    set -l current (commandline -ct)
    set -l answer ($before[1] complete fish -- $before[2..-1] "$current" 2>/dev/null)
    switch "$answer[1]"
        case files
            set -l option (string match -r '^--[^=]*=' -- $current)
            for line in (__fish_complete_path (string replace -r '^--[^=]*=' '' -- $current))
                echo "$option$line"
            end
        case words
            printf '%s\n' $answer[2..-1]
    end
end
complete -c ekey-ctl -f -a '(__ekey_ctl_complete)'
