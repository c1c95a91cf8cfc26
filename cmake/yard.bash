# SPDX-License-Identifier: Apache-2.0
# bash completion of yard: it asks the program itself, so it never lags behind.

_yard() {
    local word=${COMP_WORDS[COMP_CWORD]} yard=${COMP_WORDS[0]} words
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        words=$("$yard" help 2>/dev/null | sed -n '/^commands:/,/^$/s/^  \([a-z][a-z-]*\) .*/\1/p')
    elif [[ $word == -* ]]; then
        words=$("$yard" "${COMP_WORDS[1]}" --help 2>/dev/null |
            sed -n 's/^  \(--[a-z][a-z0-9-]*\)\( .*\|$\)/\1/p')
        words="$words --help"
    else
        compopt -o default 2>/dev/null
        return
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -F _yard yard
