# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# bash completion for pyhotpatch. Commands and options are read from --help when they are asked for,
# so that they cannot fall behind the program.

_pyhotpatch_commands() {
    "$1" --help 2>/dev/null | sed -n '/^Commands:/,/^$/s/^  \([a-z][a-z]*\) .*/\1/p'
}

_pyhotpatch_options() {
    "$@" --help 2>/dev/null | sed -n 's/^ \{2,6\}\(-., \)\{0,1\}\(--[a-z-]*\).*/\2/p'
}

_pyhotpatch_pids() {
    "$1" list 2>/dev/null | sed -n 's/^ *\([0-9][0-9]*\) .*/\1/p'
}

# What may stand after the option $2 of the program $1; fails when that option takes no value known here.
_pyhotpatch_values() {
    case $2 in
    --color) echo auto always never ;;
    --tree) _pyhotpatch_pids "$1" ;;
    --unit) systemctl list-units --type=service --plain --no-legend 2>/dev/null | cut -d' ' -f1 ;;
    *) return 1 ;;
    esac
}

_pyhotpatch() {
    local program=$1 current=$2 previous=$3 commands word values
    local -a command=()
    COMPREPLY=()
    commands=$(_pyhotpatch_commands "$program")
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        if [[ $'\n'$commands$'\n' == *$'\n'$word$'\n'* ]]; then
            command=("$word")
            break
        fi
    done
    # bash breaks words at the = of --option=value.
    [[ $current == = ]] && current=''
    [[ $previous == = ]] && previous=${COMP_WORDS[COMP_CWORD - 2]}
    if [[ $previous == --path ]]; then
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -d -- "$current")
    elif values=$(_pyhotpatch_values "$program" "$previous"); then
        mapfile -t COMPREPLY < <(compgen -W "$values" -- "$current")
    elif [[ $current == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$(_pyhotpatch_options "$program" "${command[@]}")" -- "$current")
    elif [[ ${#command[@]} -eq 0 ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$current")
    else
        mapfile -t COMPREPLY < <(compgen -W "$(_pyhotpatch_pids "$program")" -- "$current")
    fi
}

complete -F _pyhotpatch pyhotpatch
