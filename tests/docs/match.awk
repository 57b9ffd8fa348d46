# match.awk - is a text what was expected?
#
#     awk -f match.awk EXPECTED TEXT
#
# In EXPECTED a line `...` stands for any lines, also none, and `...` within a line for any
# characters. Blanks at the ends of lines and empty lines at the end do not count. Ends with 1 and the first line that does
# not fit when the texts differ.
{
    sub(/[ \t\r]+$/, "")
    if (FILENAME == ARGV[1])
        expected[++n_expected] = $0
    else
        text[++n_text] = $0
}

function fits(pattern, line,    n, i, at, parts) {
    if (pattern == line)
        return 1
    n = split(pattern, parts, /\.\.\./)
    if (n < 2 || substr(line, 1, length(parts[1])) != parts[1])
        return 0
    line = substr(line, length(parts[1]) + 1)
    for (i = 2; i < n; i++) {
        at = index(line, parts[i])
        if (at == 0)
            return 0
        line = substr(line, at + length(parts[i]))
    }
    return length(line) >= length(parts[n]) &&
           substr(line, length(line) - length(parts[n]) + 1) == parts[n]
}

END {
    while (n_expected > 0 && expected[n_expected] == "")
        n_expected--
    while (n_text > 0 && text[n_text] == "")
        n_text--
    # reached[j]: the expected lines so far can be the first j lines of the text.
    reached[0] = 1
    far = 0
    for (i = 1; i <= n_expected; i++) {
        any = 0
        split("", next_reached)
        for (j = 0; j <= n_text; j++) {
            if (expected[i] == "...") {
                if (j in reached)
                    any = 1
                if (any)
                    next_reached[j] = 1
            } else if ((j in reached) && j < n_text && fits(expected[i], text[j + 1])) {
                next_reached[j + 1] = any = 1
                if (j + 1 > far)
                    far = j + 1
            }
        }
        if (!any) {
            printf "expected: %s\n", expected[i]
            printf "got:      %s\n", far < n_text ? text[far + 1] : "(nothing more)"
            exit 1
        }
        split("", reached)
        for (j in next_reached)
            reached[j] = 1
    }
    if (!(n_text in reached)) {
        printf "expected: (nothing more)\ngot:      %s\n", text[far + 1]
        exit 1
    }
}
