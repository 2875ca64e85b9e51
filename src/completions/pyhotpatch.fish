# SPDX-License-Identifier: MIT
# fish completion for pyhotpatch. Commands and options are read from --help when they are asked for, so
# that they cannot fall behind the program.

function __pyhotpatch_commands
    pyhotpatch --help 2>/dev/null |
        sed -n '/^Commands:/,/^$/s/^  \([a-z][a-z]*\) [^ ]* *\(.*\)/\1\t\2/p'
end

function __pyhotpatch_command
    set -l known (__pyhotpatch_commands | string replace -r '\t.*' '')
    for word in (commandline -opc)[2..-1]
        if contains -- $word $known
            echo $word
            return 0
        end
    end
    return 1
end

function __pyhotpatch_options
    pyhotpatch (__pyhotpatch_command) --help 2>/dev/null |
        sed -n 's/^ \{2,6\}\(-., \)\{0,1\}\(--[a-z-]*\)\[\{0,1\}\(=\{0,1\}\)[^ ]* *\(.*\)/\2\3\t\4/p'
end

function __pyhotpatch_pids
    pyhotpatch list 2>/dev/null | sed -n 's/^ *\([0-9][0-9]*\) .*  \([^ ].*\)$/\1\t\2/p'
end

function __pyhotpatch_wants_option
    string match -q -- '-*' (commandline -ct)
end

complete -c pyhotpatch -f
complete -c pyhotpatch -n 'not __pyhotpatch_command; and not __pyhotpatch_wants_option' -a '(__pyhotpatch_commands)'
complete -c pyhotpatch -n '__pyhotpatch_command; and not __pyhotpatch_wants_option' -a '(__pyhotpatch_pids)'
complete -c pyhotpatch -n __pyhotpatch_wants_option -a '(__pyhotpatch_options)'
complete -c pyhotpatch -l color -x -a 'auto always never'
complete -c pyhotpatch -l tree -x -a '(__pyhotpatch_pids)'
complete -c pyhotpatch -l unit -x -a '(systemctl list-units --type=service --plain --no-legend 2>/dev/null | string replace -r " .*" "")'
